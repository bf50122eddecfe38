"""Roles: who is asked.

A role is a short text in the second person. Roles made from a role bank consist of life facts,
which shift the exogenous terms of values, and of stances, which set values (see
:mod:`valuegraph.rolebank`), and remember both. The baseline without any role is ``None`` in a list
of roles. Roles of gender, job and personality type come from :mod:`valuegraph.personas`, your own
from :func:`read_roles`.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd

from valuegraph.inventory import SCHWARTZ_ORDER, Inventory
from valuegraph.rolebank import RoleBank, load_role_bank, sample_facts, stance_sentence
from valuegraph.splitting import split_roles
from valuegraph.tables import require_unique
from valuegraph.usertables import read_own_table

__all__ = [
    "NO_ROLE",
    "Role",
    "RoleBank",
    "load_role_bank",
    "make_role",
    "read_roles",
    "role_shifts",
    "roles_fingerprint",
    "sample_roles",
    "split_roles",
    "stance_sentence",
]

#: How tables name the baseline, the respondent that is given no role (``None`` in a list of roles).
NO_ROLE = "no role"


@dataclass(frozen=True)
class Role:
    """Who a respondent is asked to be.

    Attributes
    ----------
    name : str
        Names the role's row in answers and scores.
    text : str
        The role in words, as the respondent reads it.
    facts : tuple of str
        Ids of the life facts in the text; empty for a role that was not made from a bank.
    stances : tuple of (str, float)
        Value and level of each stance in the text, in their order.

    Raises
    ------
    ValueError
        If the name or text is blank, or a fact or a value's stance is given twice.
    """

    name: str
    text: str
    facts: tuple[str, ...] = ()
    stances: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        """Make the sequences hashable and validate."""
        object.__setattr__(self, "facts", tuple(self.facts))
        object.__setattr__(self, "stances", tuple((v, float(level)) for v, level in self.stances))
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(
                f"a role's name is {self.name!r}; give it a name, it labels the row of its scores."
            )
        if not isinstance(self.text, str) or not self.text.strip():
            raise ValueError(
                f"role {self.name!r} has the text {self.text!r}; write who is asked, "
                "or put None in the list of roles for the baseline without a role."
            )
        for what, entries in (
            ("fact", self.facts),
            ("stance on", tuple(v for v, _ in self.stances)),
        ):
            twice = [entry for entry in entries if entries.count(entry) > 1]
            if twice:
                raise ValueError(
                    f"role {self.name!r} has the {what} {twice[0]!r} twice; give it once."
                )


def make_role(
    name: str,
    *,
    bank: RoleBank,
    facts: Sequence[str] = (),
    stances: Sequence[tuple[str, float]] = (),
    inventory: Inventory | None = None,
) -> Role:
    """Compose a role: first the facts, then the stances, one space between sentences.

    Parameters
    ----------
    name : str
        Name of the role.
    bank : RoleBank
        Where the sentences come from.
    facts : sequence of str
        Ids of facts, in the order in which they are told.
    stances : sequence of (str, float)
        Pairs of a value's code and one of the bank's levels, in the order in which they are told.
    inventory : Inventory, optional
        Gives the values' phrases; needed only if there are stances.

    Returns
    -------
    Role
        The composed role, which remembers its facts and stances.

    Raises
    ------
    ValueError
        If a fact, value or level is unknown, there are stances but no inventory, or nothing to tell
        at all.
    """
    sentences = [_known_fact(fact, bank.texts, name) for fact in facts]
    if stances and inventory is None:
        raise ValueError(
            f"role {name!r} has stances but no inventory; "
            "pass inventory=load_inventory() for the values' phrases."
        )
    sentences += [stance_sentence(bank, inventory, value, level) for value, level in stances]
    return Role(name=name, text=" ".join(sentences), facts=tuple(facts), stances=tuple(stances))


def sample_roles(
    bank: RoleBank, n: int, *, seed: int, p_fact: float = 0.8, max_neutral: int = 2
) -> list[Role]:
    """Draw roles at random.

    For each value, independently, a role has one of its facts with probability `p_fact`, drawn
    uniformly. To these come 0 to `max_neutral` different neutral facts, each number being equally
    likely; the sentences are then shuffled. A role that would be left without text gets one neutral
    fact, which leaves all shifts at zero. A role that was drawn before is drawn again, so no two
    have the same text.

    Parameters
    ----------
    bank : RoleBank
        Where the facts come from.
    n : int
        Number of roles.
    seed : int
        Same seed, same roles; the first roles stay the same when `n` grows. It is part of the
        roles' names.
    p_fact : float
        Probability that a role says something about a given value.
    max_neutral : int
        Largest number of neutral facts.

    Returns
    -------
    list of Role
        Roles named ``role{seed}-0000``, ``role{seed}-0001``, ...

    Raises
    ------
    ValueError
        If `n` is no whole number of at least 1, `seed` is negative or not whole, `p_fact` lies
        outside [0, 1], or `max_neutral` outside 0 ... number of neutral facts; if a role without
        text is drawn from a bank without neutral facts; if there are fewer than `n` different
        roles, or the last of them are too rare to be found.
    """
    drawn = sample_facts(bank, n, seed=seed, p_fact=p_fact, max_neutral=max_neutral)
    return [
        make_role(f"role{seed}-{i:04d}", bank=bank, facts=facts) for i, facts in enumerate(drawn)
    ]


def read_roles(path: str | Path) -> list[Role]:
    """Read roles of your own from a CSV file, one a row.

    Parameters
    ----------
    path : str or Path
        A CSV file in UTF-8 with the columns ``name`` (labels the scores) and ``text`` (the role in
        the second person, such as "You are a retired teacher.").

    Returns
    -------
    list of Role
        The roles, in the order of the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no CSV in UTF-8, a column is missing or unknown, a cell is empty, a name or
        text appears twice, or a role is called like the baseline.
    """
    table = read_own_table(path, columns=("name", "text"), what="roles")
    for column in ("name", "text"):
        require_unique(table[column], f"roles {str(path)!r}: {column}")
    if NO_ROLE in set(table["name"]):
        raise ValueError(
            f"roles {str(path)!r}: a role is called {NO_ROLE!r}, as tables name the baseline; "
            "give it another name."
        )
    return [Role(name, text) for name, text in zip(table["name"], table["text"], strict=True)]


def roles_fingerprint(roles: Iterable[Role | None]) -> str:
    """Hash who is asked: names and texts of the roles, in their order.

    Parameters
    ----------
    roles : iterable of Role or None
        The roles; ``None`` is the baseline.

    Returns
    -------
    str
        The first 16 hexadecimal digits of a SHA-256.
    """
    told = [None if role is None else [role.name, role.text] for role in roles]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def role_shifts(
    roles: Iterable[Role | None], bank: RoleBank, values: Sequence[str] = SCHWARTZ_ORDER
) -> pd.DataFrame:
    """Sum up by how much a role's facts shift the exogenous term of each value.

    Stances are no shifts (they set a value, whatever its causes) and are not counted; they stand in
    ``Role.stances``.

    Parameters
    ----------
    roles : iterable of Role or None
        Roles made of the bank's facts and stances; ``None`` is the baseline, with shifts of zero.
    bank : RoleBank
        Gives value and strength of each fact.
    values : sequence of str
        The values, in the order of the columns.

    Returns
    -------
    pandas.DataFrame
        Shape (roles, values): index ``role`` (names, :data:`NO_ROLE` for the baseline), columns
        ``value``; in the unit of the bank's strengths.

    Raises
    ------
    ValueError
        If a role's name appears twice, a fact is not in the bank or concerns none of `values`, or a
        role lists neither facts nor stances (what a free text shifts is not known).
    """
    columns = {value: j for j, value in enumerate(values)}
    roles = list(roles)
    shifts = np.zeros((len(roles), len(columns)))
    names = []
    for i, role in enumerate(roles):
        names.append(NO_ROLE if role is None else role.name)
        if role is None:
            continue
        if not role.facts and not role.stances:
            raise ValueError(
                f"role {role.name!r} lists neither facts nor stances, so what it shifts is not "
                "known; make it with make_role or sample_roles."
            )
        for fact in role.facts:
            value, strength = _known_fact(fact, bank.effects, role.name)
            if value == "":
                continue
            if value not in columns:
                raise ValueError(
                    f"fact {fact!r} of role {role.name!r} concerns {value!r}, which is not "
                    f"among the values {', '.join(columns)}; add it to `values`."
                )
            shifts[i, columns[value]] += strength
    require_unique(pd.Series(names, dtype=str), "role")
    index = pd.Index(names, name="role")
    return pd.DataFrame(shifts, index=index, columns=pd.Index(list(columns), name="value"))


def _known_fact(fact: str, table: dict, role: str):
    """Look up a fact in one of the bank's tables, or say which ids are close."""
    if fact not in table:
        close = get_close_matches(str(fact), table, n=3, cutoff=0.0)
        raise ValueError(
            f"role {role!r}: no fact {fact!r} in the role bank; near are {', '.join(close)}."
        )
    return table[fact]
