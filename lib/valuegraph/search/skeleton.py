"""The skeleton phase of PC for many correlation matrices at once.

All tests of a level are gathered and made in a few array operations. One inverse serves several
tests: with ``U`` a set of neighbours of ``x``, the inverse of the correlations of ``x`` and ``U``
holds the partial correlation of ``x`` with every ``y`` in ``U``, given the rest of ``U``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from valuegraph.search.fisher_z import critical_correlation
from valuegraph.search.knowledge import Knowledge

BLOCK = 50_000
"""Largest number of matrices that are inverted in one call, to bound the memory."""


class Skeletons(NamedTuple):
    """What :func:`skeletons` returns.

    Attributes
    ----------
    adjacency
        Edges, boolean ``(b, d, d)``, symmetric.
    separated
        Pairs whose edge a test removed, boolean ``(b, d, d)``, symmetric.
    separators
        Boolean ``(b, d, d, d)``: ``[., x, z, y]`` if ``y`` is in one of the sets that removed the
        edge of ``x`` and ``z``.
    """

    adjacency: np.ndarray
    separated: np.ndarray
    separators: np.ndarray


def skeletons(
    correlations: np.ndarray, n: float | np.ndarray, alpha: float, knowledge: Knowledge
) -> Skeletons:
    """Remove every edge whose ends are independent given some neighbours of either.

    Order-independent: within a level (a size of the sets held fixed), edges go only after all
    tests. A set held fixed for x and y never holds what comes after both of them: their own causes
    suffice to separate them.

    Parameters
    ----------
    correlations
        Shape ``(b, d, d)``, each positive definite.
    n
        Number of independent rows behind each, or an effective number for each pair ``(d, d)``.
    alpha
        Significance level of each test.
    knowledge
        Tiers, and pairs that get no edge.

    References
    ----------
    Colombo, D., Maathuis, M. H. (2014). Order-independent constraint-based causal structure
    learning. JMLR 15, 3921-3962.
    """
    b, d = correlations.shape[:2]
    adjacency = np.broadcast_to(
        ~(np.eye(d, dtype=bool) | knowledge.unsearched), correlations.shape
    ).copy()
    separators = np.zeros((b, d, d, d), dtype=bool)
    separated = np.zeros_like(adjacency)
    for level in range(d - 1):
        if adjacency.sum(axis=2).max(initial=0) <= level:
            break
        critical = np.broadcast_to(critical_correlation(alpha, n, level), (d, d))
        removed = np.zeros_like(adjacency)
        for which, x, sets in _neighbour_sets(adjacency, level + 1):
            apart = np.abs(partials(correlations, which, x, sets)) < critical[x[:, None], sets]
            if knowledge.any_order:
                apart &= ~looks_ahead(knowledge.tier, x, sets)
            row, place = np.nonzero(apart)
            k, i, j = which[row], x[row], sets[row, place]
            removed[k, i, j] = removed[k, j, i] = True
            for other in range(level + 1):
                held = place != other
                y = sets[row[held], other]
                separators[k[held], i[held], j[held], y] = True
                separators[k[held], j[held], i[held], y] = True
        adjacency &= ~removed
        separated |= removed
    return Skeletons(adjacency, separated, separators)


def _neighbour_sets(
    adjacency: np.ndarray, size: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield all sets of that many neighbours: matrix ``(m,)``, variable ``(m,)``, set ``(m, s)``.

    Variables with equally many neighbours are done together.
    """
    degree = adjacency.sum(axis=2)
    for k in range(size, int(degree.max(initial=0)) + 1):
        which, x = np.nonzero(degree == k)
        if not len(which):
            continue
        choices = subsets(k, size)
        step = max(1, BLOCK // len(choices))
        for start in range(0, len(which), step):
            part, node = which[start : start + step], x[start : start + step]
            neighbours = np.nonzero(adjacency[part, node])[1].reshape(-1, k)
            sets = neighbours[:, choices].reshape(-1, size)
            yield np.repeat(part, len(choices)), np.repeat(node, len(choices)), sets


@lru_cache(maxsize=512)
def subsets(k: int, size: int) -> np.ndarray:
    """Return all subsets of ``size`` of the numbers below ``k``, shape ``(count, size)``."""
    return np.array(list(combinations(range(k), size)), dtype=int)


def partials(
    correlations: np.ndarray, which: np.ndarray, x: np.ndarray, sets: np.ndarray
) -> np.ndarray:
    """Return the partial correlation of ``x`` with each member of a set, given the others."""
    if sets.shape[1] == 1:
        return correlations[which, x, sets[:, 0]][:, None]
    if sets.shape[1] == 2:
        xa, xb = (correlations[which, x, sets[:, k]] for k in (0, 1))
        ab = correlations[which, sets[:, 0], sets[:, 1]]
        left = 1 - ab * ab
        return np.stack(
            [
                (xa - xb * ab) / np.sqrt((1 - xb * xb) * left),
                (xb - xa * ab) / np.sqrt((1 - xa * xa) * left),
            ],
            axis=1,
        )
    chosen = np.concatenate([x[:, None], sets], axis=1)
    precision = np.linalg.inv(
        correlations[which[:, None, None], chosen[:, :, None], chosen[:, None]]
    )
    own = np.diagonal(precision, axis1=1, axis2=2)
    return -precision[:, 0, 1:] / np.sqrt(own[:, :1] * own[:, 1:])


def looks_ahead(tier: np.ndarray, x: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Return for which member ``y`` of a set the others hold something after both x and y."""
    latest = np.maximum(tier[x][:, None], tier[sets])
    others = tier[sets][:, None, :] > latest[:, :, None]
    others[:, np.arange(sets.shape[1]), np.arange(sets.shape[1])] = False
    return others.any(axis=2)
