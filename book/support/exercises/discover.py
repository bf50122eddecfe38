"""Exercises of *Discovering graphs*."""

from __future__ import annotations

import numpy as np
import pandas as pd
from book_support.exercises import differs

from valuegraph import StructuralModel, correlations, pc

MANY = 10**9  # roles: what is left of a correlation is no chance

#: Structures, and what is wrong with a search that finds more edges than they have.
FALSE_EDGES = {
    "0 -> 1 -> 2: 0 and 2 stay joined; what if 1 is held?": [(0, 1), (1, 2)],
    "0 -> 1 <- 2: 0 and 2 stay joined; what if nothing is held?": [(0, 1), (2, 1)],
    "0 -> 1 -> 3 and 0 -> 2 -> 3: 0 and 3 stay joined; how many values can be held at once?": [
        (0, 1),
        (0, 2),
        (1, 3),
        (2, 3),
    ],
    "0 -> 1 <- 2 and 1 -> 3 <- 2: 0 and 3 stay joined; whose neighbours were held?": [
        (0, 1),
        (2, 1),
        (1, 3),
        (2, 3),
    ],
    "3 -> 1 <- 2 and 1 -> 0 <- 2: 0 and 3 stay joined; whose neighbours were held?": [
        (3, 1),
        (2, 1),
        (1, 0),
        (2, 0),
    ],
}


def partial(answer) -> str | None:
    """`answer(r, i, j, held)`: the correlation of i and j with the values `held` fixed."""
    chain = _correlations([(0, 1), (1, 2)], 3)
    fork = _correlations([(0, 1), (1, 2), (3, 0), (3, 2)], 4)
    collider = _correlations([(0, 1), (2, 1)], 3)
    given = answer(chain, 0, 2, [1])
    if np.isclose(given, chain[0, 2]):
        return "chain 0 -> 1 -> 2, 1 held: the correlation is what it was before 1 was held fixed"
    if np.isclose(answer(collider, 0, 2, [1]), -_partial(collider, 0, 2, [1])):
        return "collider 0 -> 1 <- 2, 1 held: the size is right, the sign is not"
    if np.isclose(answer(fork, 0, 2, [1]), correlations.partial(fork)[0, 2]):
        return "four values, only 1 held: 3 seems to be held fixed as well"
    inverse = np.linalg.inv(collider)[0, 2]
    if np.isclose(abs(answer(collider, 0, 2, [1])), abs(inverse)):
        return "collider, 1 held: an entry of the inverse is no correlation; see its diagonal"
    noisy = np.corrcoef(np.random.default_rng(3).normal(size=(12, 6)).T)
    cases = {
        "chain 0 -> 1 -> 2, 1 held": (chain, 0, 2, [1]),
        "collider 0 -> 1 <- 2, 1 held": (collider, 0, 2, [1]),
        "collider, nothing held": (collider, 0, 1, []),
        "six values, 5 and 2 held": (noisy, 4, 1, [5, 2]),
    }
    return differs(answer, _partial, cases)


def skeleton(answer) -> str | None:
    """`answer(r, n, alpha)`: which values are joined, as a symmetric Boolean matrix."""
    chain = _correlations([(0, 1), (1, 2)], 3)
    given = answer(chain, MANY, 0.01)
    if np.diag(given).any():
        return "chain 0 -> 1 -> 2: a value is joined to itself"
    if (np.asarray(given) != np.transpose(given)).any():
        return "chain 0 -> 1 -> 2: an edge is there from one end and not from the other"
    for told, arrows in FALSE_EDGES.items():
        r = _correlations(arrows, 1 + max(map(max, arrows)))
        extra = np.asarray(answer(r, MANY, 0.01), dtype=bool) & ~_skeleton(r, MANY, 0.01)
        if extra.any():
            return told
    rng = np.random.default_rng(1)
    samples = [np.corrcoef(_rows(rng, 60).T) for _ in range(20)]
    found = [np.asarray(answer(r, 60, 0.05), dtype=bool) for r in samples]
    for r, edges in zip(samples, found, strict=True):
        order = rng.permutation(len(r))
        there = np.asarray(answer(r[np.ix_(order, order)], 60, 0.05), dtype=bool)
        if (there != edges[np.ix_(order, order)]).any():
            return "60 rows of six values: with the columns in another order, other edges are found"
    for r, edges in zip(samples, found, strict=True):
        right = _skeleton(r, 60, 0.05)
        if (right & ~edges).any():
            return "60 rows of six values: an edge is gone that no set of neighbours takes away"
        if (edges & ~right).any():
            return "60 rows of six values: an edge stays that some set of neighbours takes away"
    return None


def null(answer) -> str | None:
    """`answer(scores, count_edges, draws, rng)`: mean number of edges in shuffled scores."""
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(80, 1)) + 0.3 * rng.normal(size=(80, 4))
    scores = pd.DataFrame(scores, columns=["AC", "PO", "SE", "TR"])
    before, counts, seen = scores.copy(), [5, 2, 9, 2, 5, 1], []

    def count_edges(table):
        seen.append(np.array(table))
        return counts[(len(seen) - 1) % len(counts)]

    given = answer(scores, count_edges, len(counts), np.random.default_rng(0))
    if not scores.equals(before):
        return "the scores that were handed in are changed; shuffle a copy"
    if len(seen) != len(counts):
        return f"{len(counts)} draws are asked for; tables searched: {len(seen)}"
    if np.array_equal(seen[0], scores):
        return "the table searched is not shuffled: does pandas put rows back by their index?"
    if any(table.shape != scores.shape or _columns_differ(table, scores) for table in seen):
        return "a column of a shuffled table does not hold the scores of its value, each once"
    if min(abs(np.corrcoef(table.T)).min() for table in seen) > 0.5:
        return "the shuffled table correlates as before: the scores of a role stay together"
    if all((table == seen[0]).all() for table in seen[1:]):
        return f"{len(counts)} draws: every table is shuffled in the same way"
    if not np.isclose(given, np.mean(counts)):
        return f"searches that find {counts} edges: {given} is not what they find on average"
    return None


def _correlations(arrows: list[tuple[int, int]], d: int) -> np.ndarray:
    """The exact correlations of a structure whose effects are all .5."""
    edges = [(str(a), str(b), 0.5) for a, b in arrows]
    model = StructuralModel.from_edges(edges, values=tuple(map(str, range(d))))
    return model.correlation.to_numpy()


def _partial(r: np.ndarray, i: int, j: int, held: list[int]) -> float:
    chosen = [i, j, *held]
    return correlations.partial(r[np.ix_(chosen, chosen)])[0, 1]


def _skeleton(r: np.ndarray, n: int, alpha: float) -> np.ndarray:
    return pc.skeletons(r[None], n, alpha, np.zeros(len(r), dtype=int))[0][0]


def _rows(rng: np.random.Generator, n: int) -> np.ndarray:
    """Rows of six values: each depends on two of those before it."""
    rows = rng.normal(size=(n, 6))
    for k in range(1, 6):
        rows[:, k] += 0.5 * rows[:, rng.choice(k, size=min(k, 2), replace=False)].sum(axis=1)
    return rows


def _columns_differ(table: np.ndarray, scores: pd.DataFrame) -> bool:
    return not np.array_equal(np.sort(table, axis=0), np.sort(scores.to_numpy(), axis=0))
