"""How many edges the paper's search finds where no value has to do with another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from valuegraph.paper.graphs import paper_skeletons
from valuegraph.paper.pooled import PooledScores


@dataclass(frozen=True, eq=False)
class EdgesAgainstNull:
    """A number of edges, and the numbers where dependence was removed.

    Attributes
    ----------
    found
        Edges found in the scores.
    null
        Edges found in each draw of the null.
    """

    found: int
    null: np.ndarray

    @property
    def mean(self) -> float:
        """Mean of the null."""
        return float(self.null.mean())

    @property
    def sd(self) -> float:
        """Standard deviation of the null."""
        return float(self.null.std())

    @property
    def p_value(self) -> float:
        """(1 + draws with at least as many edges) / (1 + draws)."""
        return float((1 + (self.null >= self.found).sum()) / (1 + len(self.null)))

    def __repr__(self) -> str:
        return (
            f"<{self.found} edges; null {self.mean:.1f} ± {self.sd:.1f} in {len(self.null)} draws, "
            f"p = {self.p_value:.2g}>"
        )


def edges_against_null(
    pooled: PooledScores,
    *,
    null: str = "clusters",
    n: float | np.ndarray | None = None,
    draws: int = 400,
    seed: int = 0,
) -> EdgesAgainstNull:
    """Count the edges of the paper's search in the scores, and where dependence was removed.

    Parameters
    ----------
    pooled
        Scores.
    null
        How dependence is removed: see
        :meth:`valuegraph.paper.pooled.PooledScores.without_dependence`.
    n
        What the tests take for the number of independent rows; all rows by default, as the paper
        does. An effective number, or one for each pair ``(p, p)``, makes them honest.
    draws
        Draws of the null.
    seed
        Seed of the draws.

    Raises
    ------
    ValueError
        If there is no draw, or the null is unknown.
    """
    if draws < 1:
        raise ValueError(f"a null needs at least one draw, got {draws}")
    rng = np.random.default_rng(seed)
    none = [pooled.without_dependence(rng, null).correlation for _ in range(draws)]
    n = pooled.n if n is None else n
    edges = paper_skeletons(np.stack([pooled.correlation, *none]), n).sum(axis=(1, 2)) // 2
    return EdgesAgainstNull(int(edges[0]), edges[1:])
