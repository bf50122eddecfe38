"""What is known before a search: an order in time, and pairs that are not looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Background knowledge about ``d`` variables, in the order of the search.

    Attributes
    ----------
    tier
        Whole numbers, shape ``(d,)``: a variable cannot be a cause of one in an earlier (smaller)
        tier. Equal numbers say nothing.
    unsearched
        Pairs of which nothing is asked, boolean ``(d, d)``, symmetric. They get no edge, but no
        test said so, and nothing is concluded from it.
    exogenous
        Variables that were set from outside, boolean ``(d,)``: nothing causes them and nothing
        unseen acts on them and others. They must be alone in the first tier.
    """

    tier: np.ndarray
    unsearched: np.ndarray
    exogenous: np.ndarray

    @classmethod
    def none(cls, d: int) -> Knowledge:
        """Return no knowledge about ``d`` variables."""
        return cls.from_tiers(np.zeros(d, dtype=int))

    @classmethod
    def from_tiers(cls, tier: np.ndarray) -> Knowledge:
        """Return the knowledge of an order in time and nothing else; see :func:`tiers_of`."""
        d = len(tier)
        return cls(np.asarray(tier), np.zeros((d, d), dtype=bool), np.zeros(d, dtype=bool))

    @property
    def backwards(self) -> np.ndarray:
        """Impossible arrows, boolean ``(d, d)``: ``[i, j]`` if ``j`` is in an earlier tier."""
        return self.tier[:, None] > self.tier[None, :]

    @property
    def any_order(self) -> bool:
        """Whether there is more than one tier."""
        return bool(self.backwards.any())


def tiers_of(names: Sequence[str], tiers: Sequence[Sequence[str]] | None) -> np.ndarray:
    """Return the tier of each name; names in no tier come last, after all that are named.

    Parameters
    ----------
    names
        The ``d`` variables.
    tiers
        Groups of names from the earliest to the latest, e.g. ``[["age", "sex"]]``.

    Returns
    -------
    numpy.ndarray
        Whole numbers, shape ``(d,)``.

    Raises
    ------
    ValueError
        If a tier is a string or empty, names an unknown variable, or a name is in two tiers.
    """
    tiers = [] if tiers is None else tiers
    if isinstance(tiers, str) or any(isinstance(tier, str) for tier in tiers):
        raise ValueError(f"tiers must be lists of names, like [['age', 'sex']], got {tiers!r}")
    place: dict[str, int] = {}
    for number, tier in enumerate(tiers):
        if not len(tier):
            raise ValueError(f"tier {number + 1} of {len(tiers)} is empty; leave it out")
        for name in tier:
            if name not in names:
                raise ValueError(
                    f"tier {number + 1} names {name!r}, which is none of {', '.join(names)}"
                )
            if name in place:
                raise ValueError(f"{name!r} is named in tiers twice; keep one of the two")
            place[name] = number
    return np.array([place.get(name, len(tiers)) for name in names])
