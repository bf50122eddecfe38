"""Which triples x - y - z are colliders: the tests that speak for it, and the rule that decides."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from valuegraph.graphs.orientation import open_triples
from valuegraph.search.fisher_z import critical_correlation
from valuegraph.search.knowledge import Knowledge
from valuegraph.search.skeleton import BLOCK, Skeletons, subsets


class Evidence(NamedTuple):
    """Separating sets of the triples x - y - z with x, z apart; arrays ``(b, d, d, d)``.

    Attributes
    ----------
    triples
        The triples, boolean: ``[., x, y, z]``.
    with_y, without_y
        How many of the sets that separate x from z hold y, and how many do not.
    """

    triples: np.ndarray
    with_y: np.ndarray
    without_y: np.ndarray


def by_skeleton(found: Skeletons) -> tuple[np.ndarray, np.ndarray]:
    """Decide by the sets that removed the edge of x and z: a collider if none of them holds y.

    Returns
    -------
    colliders, chains : numpy.ndarray
        Triples that are colliders and triples that are none, boolean ``(b, d, d, d)``. A pair that
        no test separated decides nothing.
    """
    triples = open_triples(found.adjacency) & found.separated[:, :, None, :]
    held = np.swapaxes(found.separators, 2, 3)
    return triples & ~held, triples & held


def conservative(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """Decide only where all separating sets agree about y.

    Takes the result of :func:`gather`, returns what :func:`by_skeleton` returns. Triples about
    which the sets disagree are in neither.

    References
    ----------
    Ramsey, J., Spirtes, P., Zhang, J. (2006). Adjacency-faithfulness and conservative causal
    inference. UAI 22.
    """
    some_with, some_without = evidence.with_y > 0, evidence.without_y > 0
    return (
        evidence.triples & some_without & ~some_with,
        evidence.triples & some_with & ~some_without,
    )


def gather(
    correlations: np.ndarray,
    n: float | np.ndarray,
    alpha: float,
    knowledge: Knowledge,
    found: Skeletons,
) -> Evidence:
    """Count the separating sets of every triple x - y - z with x, z apart.

    Looked at are all sets of neighbours of x, and all of z, that hold nothing later than both. If
    none of them separates (which can be if hidden common causes are allowed for), those sets count
    that removed the edge.

    Parameters
    ----------
    correlations, n, alpha, knowledge
        As for :func:`valuegraph.search.skeleton.skeletons`.
    found
        Its result.
    """
    b, d = correlations.shape[:2]
    edge = found.adjacency
    triples = open_triples(edge) & found.separated[:, :, None, :]
    with_y, without_y = np.zeros((2, b, d, d, d), dtype=int)
    critical = np.stack(
        [np.broadcast_to(critical_correlation(alpha, n, size), (d, d)) for size in range(d - 1)]
    )
    which, x, z = np.nonzero(triples.any(axis=2))
    degree = edge[which, x].sum(axis=1)
    for k in np.unique(degree):
        same = np.flatnonzero(degree == k)
        step = max(1, BLOCK // 2**k)
        for rows in (same[i : i + step] for i in range(0, len(same), step)):
            pairs = (which[rows], x[rows], z[rows])
            near = np.nonzero(edge[pairs[0], pairs[1]])[1].reshape(len(rows), k)
            separates = _separating(correlations, critical, knowledge.tier, edge, pairs, near)
            holds = (np.arange(2**k)[:, None] >> np.arange(k)) & 1 == 1  # [set, member]
            counts = separates.astype(int) @ holds
            at = (pairs[0][:, None], pairs[1][:, None], near, pairs[2][:, None])
            turned = (at[0], at[3], near, at[1])
            for total, part in (
                (with_y, counts),
                (without_y, separates.sum(axis=1, keepdims=True) - counts),
            ):
                total[at] += part
                total[turned] += part
    held = np.swapaxes(found.separators, 2, 3)
    none = triples & (with_y + without_y == 0)
    return Evidence(triples, with_y + (none & held), without_y + (none & ~held))


def _separating(
    correlations: np.ndarray,
    critical: np.ndarray,
    tier: np.ndarray,
    edge: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
    near: np.ndarray,
) -> np.ndarray:
    """Return which sets of the neighbours of x separate it from z, boolean ``(m, 2 ** k)``.

    Bit p of a set's number says whether it holds the p-th neighbour. Sets that are neighbours of
    both x and z come up from both ends and are counted from one.
    """
    which, x, z = pairs
    m, k = near.shape
    separates = np.zeros((m, 2**k), dtype=bool)
    of_both = edge[which[:, None], z[:, None], near]
    latest = np.maximum(tier[x], tier[z])[:, None]
    for size in range(k + 1):
        places = subsets(k, size)
        sets = near[:, places]  # (m, sets, size)
        r = _partial_pairs(correlations, which, x, z, sets)
        good = np.abs(r) < critical[size, x, z][:, None]
        good &= (tier[sets] <= latest[:, :, None]).all(axis=2)
        good &= ~(of_both[:, places].all(axis=2) & (x > z)[:, None])
        separates[:, (1 << places).sum(axis=1)] = good
    return separates


def _partial_pairs(
    correlations: np.ndarray, which: np.ndarray, x: np.ndarray, z: np.ndarray, sets: np.ndarray
) -> np.ndarray:
    """Return the partial correlations of ``x`` and ``z`` given each set, shape ``(m, sets)``."""
    m, count, size = sets.shape
    xz = correlations[which, x, z][:, None]
    if size == 0:
        return xz
    if size == 1:
        y = sets[:, :, 0]
        xy = correlations[which[:, None], x[:, None], y]
        zy = correlations[which[:, None], z[:, None], y]
        return (xz - xy * zy) / np.sqrt((1 - xy * xy) * (1 - zy * zy))
    ends = np.broadcast_to(np.stack([x, z], axis=1)[:, None], (m, count, 2))
    chosen = np.concatenate([ends, sets], axis=2)
    precision = np.linalg.inv(
        correlations[which[:, None, None, None], chosen[..., :, None], chosen[..., None, :]]
    )
    return -precision[..., 0, 1] / np.sqrt(precision[..., 0, 0] * precision[..., 1, 1])
