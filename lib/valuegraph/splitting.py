"""Division at random into disjoint parts, of items and of roles; checked counts and seeds.

What is chosen on one part and evaluated on the other must not have been seen before: the items of a
questionnaire are divided within each value, roles so that no text stands on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from valuegraph.inventory import Inventory
    from valuegraph.roles import Role


def is_whole(number: object) -> bool:
    """Tell whether something is an integer, and not True or False."""
    return isinstance(number, Integral) and not isinstance(number, bool)


def require_whole(number: int, least: int, what: str) -> None:
    """Refuse what is no whole number, or too small.

    Parameters
    ----------
    number : int
        The number to check.
    least : int
        Smallest number allowed.
    what : str
        What it is, for the message, as in ``"n is"``.

    Raises
    ------
    ValueError
        If it is not whole or less than `least`.
    """
    if not is_whole(number) or number < least:
        raise ValueError(f"{what} {number!r}; give a whole number of at least {least}.")


def split_items(inventory: Inventory, *, share: float, seed: int) -> tuple[Inventory, Inventory]:
    """Divide the items of an inventory at random into two inventories of the same values.

    Each value gives the first part `share` of its items, rounded, but at least one to each part;
    its positive and its negative items are divided in that proportion too, as far as whole numbers
    allow, and a key with two items or more stands in both parts.

    Parameters
    ----------
    inventory : Inventory
        What to divide.
    share : float
        Share of the items that the first part gets, between 0 and 1.
    seed : int
        Same seed, same parts.

    Returns
    -------
    train, test : Inventory
        The two parts, named ``"...-train"`` and ``"...-test"``; values and items stand in the order
        in which they stood.

    Raises
    ------
    ValueError
        If `share` does not lie between 0 and 1, `seed` is negative or not whole, or a value has a
        single item.
    """
    if not isinstance(share, Real) or not 0 < share < 1:
        raise ValueError(f"share is {share!r}; give a number between 0 and 1, such as 0.5.")
    require_whole(seed, 0, "seed is")
    items = inventory.items
    counts = items["value"].value_counts()
    single = [code for code in inventory.codes if counts[code] < 2]
    if single:
        raise ValueError(
            f"inventory {inventory.name!r} has one item only on {', '.join(single)}, which cannot "
            "stand in both parts; add items or drop the value."
        )
    rng = np.random.default_rng(seed)
    in_train = np.zeros(len(items), dtype=bool)
    for code in inventory.codes:
        rows = [np.flatnonzero((items["value"] == code) & (items["key"] == key)) for key in (1, -1)]
        for of_key, count in zip(rows, _counts([len(r) for r in rows], share, rng), strict=True):
            in_train[rng.permutation(of_key)[:count]] = True
    return (
        replace(inventory, name=f"{inventory.name}-train", items=items[in_train]),
        replace(inventory, name=f"{inventory.name}-test", items=items[~in_train]),
    )


def _counts(sizes: list[int], share: float, rng: np.random.Generator) -> list[int]:
    """Say how many items of each key the first part gets, by largest remainders."""
    size = np.array(sizes)
    least = np.where(size >= 2, 1, 0)
    most = np.where(size >= 2, size - 1, size)
    n = size.sum()
    total = np.clip(int(np.floor(share * n + 0.5)), max(1, least.sum()), min(n - 1, most.sum()))
    wanted = share * size
    counts = np.clip(np.floor(wanted).astype(int), least, most)
    order = rng.permutation(len(size))  # equal remainders are settled by chance
    while counts.sum() != total:
        missing = counts.sum() < total
        room = counts < most if missing else counts > least
        gap = (wanted - counts) if missing else (counts - wanted)
        k = max((k for k in order if room[k]), key=lambda k: gap[k])
        counts[k] += 1 if missing else -1
    return counts.tolist()


def split_roles(roles: Sequence[Role], *, test: int, seed: int) -> tuple[list[Role], list[Role]]:
    """Divide roles at random into two lists that share no text.

    Parameters
    ----------
    roles : sequence of Role
        What to divide; their texts must differ, as those of one draw do.
    test : int
        Number of roles in the second list.
    seed : int
        Same seed, same lists.

    Returns
    -------
    train, test : list of Role
        The two lists; roles stand in the order in which they stood.

    Raises
    ------
    ValueError
        If a text appears twice, the baseline (None) is among the roles, `seed` is negative or not
        whole, or `test` does not leave a role for each list.
    """
    roles = list(roles)
    require_whole(test, 1, "test is")
    require_whole(seed, 0, "seed is")
    if test >= len(roles):
        raise ValueError(
            f"test is {test}, but there are {len(roles)} roles; leave at least one to train on."
        )
    if None in roles:
        raise ValueError(
            "the baseline (None) is among the roles; divide the roles without it and put it into "
            "the lists where it is wanted."
        )
    texts = pd.Series([role.text for role in roles], dtype=str)
    twice = texts[texts.duplicated()]
    if len(twice):
        names = [role.name for role in roles if role.text == twice.iloc[0]]
        raise ValueError(
            f"roles {', '.join(names)} have the same text, so it could stand in both lists; "
            "keep one of them."
        )
    chosen = set(np.random.default_rng(seed).permutation(len(roles))[:test].tolist())
    return (
        [role for i, role in enumerate(roles) if i not in chosen],
        [role for i, role in enumerate(roles) if i in chosen],
    )
