"""Whether two halves of the roles give the same graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.progress import track

from valuegraph.paper.graphs import paper_skeletons
from valuegraph.paper.pooled import PooledScores


@dataclass(frozen=True, eq=False)
class HalfAgreement:
    """Agreement of the adjacencies of two halves: F1, 0 to 1.

    Attributes
    ----------
    splits
        F1 of each split of the roles.
    relabelled
        F1 of the same graphs, with the values of one half permuted at random.
    null
        Mean F1 over splits of each draw of the null.
    """

    splits: np.ndarray
    relabelled: np.ndarray
    null: np.ndarray

    @property
    def mean(self) -> float:
        """Mean over splits."""
        return float(self.splits.mean())

    @property
    def p_value(self) -> float:
        """(1 + draws of the null whose halves agree as well) / (1 + draws)."""
        return float((1 + (self.null >= self.mean - 1e-12).sum()) / (1 + len(self.null)))


def half_agreement(
    pooled: PooledScores,
    *,
    splits: int = 100,
    null: str = "in step",
    null_draws: int = 50,
    null_splits: int = 20,
    seed: int = 0,
    progress: bool = False,
) -> HalfAgreement:
    """Split the roles at random, search both halves as the paper does, and compare adjacencies.

    Parameters
    ----------
    pooled
        Scores.
    splits
        Random splits.
    null
        How dependence is removed, see
        :meth:`valuegraph.paper.pooled.PooledScores.without_dependence`. Both halves go through the
        same interventions, which alone can make them alike; ``"in step"`` keeps that.
    null_draws, null_splits
        Draws of the null, and splits of each.
    seed
        Seed of everything.
    progress
        Show a progress bar.

    Raises
    ------
    ValueError
        If a number is below 1, there are fewer than four roles, or the null is unknown.
    """
    if min(splits, null_draws, null_splits) < 1:
        raise ValueError(
            f"splits, null_draws and null_splits must be at least 1, got {splits}, {null_draws} "
            f"and {null_splits}"
        )
    if len(pooled.roles) < 4:
        raise ValueError(f"halves need at least 4 roles, got {len(pooled.roles)}")
    own, *others = np.random.default_rng(seed).spawn(1 + null_draws)
    first, second = split_skeletons(pooled, splits, own)
    order = np.stack([own.permutation(len(pooled.values)) for _ in range(splits)])
    turned = np.stack([x[np.ix_(o, o)] for x, o in zip(second, order, strict=True)])
    none = [
        skeleton_agreement(
            *split_skeletons(pooled.without_dependence(rng, null), null_splits, rng)
        ).mean()
        for rng in track(others, "null of the halves", disable=not progress)
    ]
    return HalfAgreement(
        skeleton_agreement(first, second), skeleton_agreement(first, turned), np.array(none)
    )


def split_skeletons(
    pooled: PooledScores, splits: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the adjacencies of both halves of each split, boolean ``(splits, p, p)`` each."""
    half = len(pooled.roles) // 2
    orders = [rng.permutation(len(pooled.roles)) for _ in range(splits)]
    parts = [part for o in orders for part in (o[:half], o[half : 2 * half])]
    correlations = np.stack([pooled.among(part).correlation for part in parts])
    found = paper_skeletons(correlations, half * len(pooled.interventions))
    return found[::2], found[1::2]


def skeleton_agreement(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return F1 of adjacencies, ``(b, d, d)`` each; 1 where both graphs are empty.

    It is :func:`valuegraph.graphs.metrics.skeleton_f1` for many graphs at once.
    """
    shared = (one & other).sum(axis=(1, 2))
    both = one.sum(axis=(1, 2)) + other.sum(axis=(1, 2))
    return np.divide(2 * shared, both, out=np.ones(len(both)), where=both > 0)
