"""What is done to correlations before they are compared, in the same way on both sides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from valuegraph.humans import HumanReference
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.matrices import centred, disattenuated, partial
from valuegraph.search.knowledge import Knowledge
from valuegraph.search.skeleton import skeletons

Treatment = Callable[[np.ndarray, int], np.ndarray]
"""What is done to correlations, one ``(d, d)`` or a stack, of samples of a given size."""

TREATMENTS = {
    "raw": "correlations as they are",
    "centred": "each respondent's mean over the standardised values removed (ipsatised)",
    "disattenuated": "corrected for the reliabilities of both sides, as far as they are known",
    "partial": "partial correlations, all other values held fixed",
    "edges": "the edges that PC finds at equal n and alpha = .01, without directions",
}
"""Treatments by name."""

EDGE_ALPHA = 0.01
"""Level of the tests behind ``"edges"``."""


def as_they_are(correlation: np.ndarray, n: int) -> np.ndarray:
    """Return correlations unchanged: the treatment that is none."""
    return correlation


def treatments_of(
    name: str, human: HumanReference, reliability: pd.Series | None = None
) -> tuple[Treatment, Treatment]:
    """Return what a treatment does to the correlations of people, and to those of a model.

    The two differ for ``"disattenuated"`` only, where each side has its own reliabilities.

    Parameters
    ----------
    name
        A name in :data:`TREATMENTS`.
    human
        The reference; its reliabilities are those of all people.
    reliability
        Of the model's scores, by value; 1 where not given.

    Raises
    ------
    ValueError
        If there is no treatment of that name, or the reliabilities that it needs are not known.
    """
    if name not in TREATMENTS:
        raise ValueError(f"unknown treatment {name!r}; choose one of {', '.join(TREATMENTS)}")
    same: dict[str, Treatment] = {
        "raw": as_they_are,
        "centred": lambda correlation, n: centred(correlation),
        "partial": lambda correlation, n: partial(correlation),
        "edges": _edges,
    }
    if name in same:
        return same[name], same[name]
    if human.reliability is None:
        raise ValueError(f"reliabilities of {human.name!r} are not known; compare raw scores")
    order = list(SCHWARTZ_ORDER)
    of_people = _checked(human.reliability, human.name)
    of_model = np.ones(len(order)) if reliability is None else _checked(reliability, "the model")
    return (
        lambda correlation, n: disattenuated(correlation, of_people),
        lambda correlation, n: disattenuated(correlation, of_model),
    )


def _checked(reliability: pd.Series, whose: str) -> np.ndarray:
    """Return reliabilities in circular order, or say what is wrong with them."""
    missing = [value for value in SCHWARTZ_ORDER if value not in reliability.index]
    if missing:
        raise ValueError(f"the reliabilities of {whose} lack {', '.join(missing)}")
    numbers = reliability[list(SCHWARTZ_ORDER)].to_numpy(dtype=float)
    if not ((numbers > 0) & (numbers <= 1)).all():
        raise ValueError(
            f"reliabilities must lie above 0 and at most at 1; those of {whose} are "
            f"{', '.join(f'{value} {r:g}' for value, r in reliability.items())}"
        )
    return numbers


def _edges(correlation: np.ndarray, n: int) -> np.ndarray:
    """Return 1 for each edge that PC finds, else 0, in the shape of the correlations."""
    stack = correlation.reshape(-1, *correlation.shape[-2:])
    found = skeletons(stack, n, EDGE_ALPHA, Knowledge.none(stack.shape[-1])).adjacency
    return found.reshape(correlation.shape).astype(float)
