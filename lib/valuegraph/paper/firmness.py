"""How often the adjacencies of the paper's graph come back when the roles are drawn anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.progress import track

from valuegraph.paper.graphs import paper_skeletons
from valuegraph.paper.pooled import PooledScores

CHUNK = 100
"""Resamples that are searched together, to bound the memory."""


@dataclass(frozen=True, eq=False)
class Firmness:
    """Frequencies over resampled roles, of the scores and of draws of the null.

    Attributes
    ----------
    frequencies
        How often each adjacency of the graph comes back, the firmest first.
    null
        The same for each draw of the null, whose adjacencies are its own.
    """

    frequencies: np.ndarray
    null: tuple[np.ndarray, ...]

    def firm(self, threshold: float = 0.8) -> int:
        """Return how many adjacencies come back in at least that share of the resamples."""
        return _at_least(self.frequencies, threshold)

    def firm_null(self, threshold: float = 0.8) -> np.ndarray:
        """Return the same for each draw of the null."""
        return np.array([_at_least(each, threshold) for each in self.null])

    def p_value(self, threshold: float = 0.8) -> float:
        """Return (1 + draws of the null with at least as many firm ones) / (1 + draws)."""
        as_many = self.firm_null(threshold) >= self.firm(threshold)
        return float((1 + as_many.sum()) / (1 + len(as_many)))


def firmness(
    pooled: PooledScores,
    *,
    resamples: int = 500,
    null: str = "clusters",
    null_draws: int = 50,
    null_resamples: int = 100,
    seed: int = 0,
    progress: bool = False,
) -> Firmness:
    """Resample the roles, each with all its rows, and search each resample as the paper does.

    Parameters
    ----------
    pooled
        Scores.
    resamples
        Resamples of the scores.
    null
        How dependence is removed, see
        :meth:`valuegraph.paper.pooled.PooledScores.without_dependence`.
    null_draws, null_resamples
        Draws of the null, and resamples of each.
    seed
        Seed of everything.
    progress
        Show a progress bar.

    Raises
    ------
    ValueError
        If a number is below 1, or the null is unknown.

    Notes
    -----
    Resampling roles says how much an edge hangs on single roles. It does not repair a test that
    takes clustered rows for independent ones: a correlation that chance has put into the scores is
    in most of the resamples too. Hence the null.
    """
    if min(resamples, null_draws, null_resamples) < 1:
        raise ValueError(
            f"resamples, null_draws and null_resamples must be at least 1, got {resamples}, "
            f"{null_draws} and {null_resamples}"
        )
    own, *others = np.random.default_rng(seed).spawn(1 + null_draws)
    draws = track(others, "null of the resamples", disable=not progress)
    return Firmness(
        _frequencies(pooled, resamples, own),
        tuple(
            _frequencies(pooled.without_dependence(rng, null), null_resamples, rng) for rng in draws
        ),
    )


def _frequencies(pooled: PooledScores, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each adjacency of the scores is in a resample of them."""
    found = paper_skeletons(pooled.correlation[None], pooled.n)[0]
    counts = np.zeros(found.shape)
    for start in range(0, resamples, CHUNK):
        size = min(CHUNK, resamples - start)
        drawn = np.stack([pooled.resampled(rng).correlation for _ in range(size)])
        counts += paper_skeletons(drawn, pooled.n).sum(axis=0)
    return np.sort(counts[np.triu(found)] / resamples)[::-1]


def _at_least(frequencies: np.ndarray, threshold: float) -> int:
    """Count frequencies at or above a threshold, of which they may fall short by rounding."""
    return int((frequencies >= threshold - 1e-9).sum())
