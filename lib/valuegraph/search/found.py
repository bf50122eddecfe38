"""What a search hands back: edges of a stack of graphs, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from valuegraph.graphs.orientation import arrows, reachable


@dataclass(frozen=True, eq=False)
class Found:
    """Edges of ``b`` graphs over ``d`` variables.

    Attributes
    ----------
    skeleton
        Edges, boolean ``(b, d, d)``, symmetric.
    directed
        Arrows, boolean ``(b, d, d)``: ``[., i, j]`` for ``i -> j``.
    heads
        Arrow heads, boolean ``(b, d, d)``: ``[., i, j]`` if the edge of i and j has a head at j.
        Equal to ``directed`` unless hidden common causes are allowed for.
    counts
        What has to be told of each graph, by name: whole numbers ``(b,)``.
    """

    skeleton: np.ndarray
    directed: np.ndarray
    heads: np.ndarray
    counts: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def from_adjacency(
        cls, adjacency: np.ndarray, counts: Mapping[str, np.ndarray] | None = None
    ) -> Found:
        """Take adjacency matrices ``(b, d, d)``: both ways undirected, one way an arrow."""
        directed = arrows(adjacency)
        skeleton = adjacency | np.swapaxes(adjacency, -1, -2)
        return cls(skeleton, directed, directed, counts or {})

    @property
    def ancestors(self) -> np.ndarray:
        """Boolean ``(b, d, d)``: ``[., i, j]`` if a path of arrows leads from i to j."""
        return reachable(self.directed)

    @property
    def n_edges(self) -> np.ndarray:
        """Number of edges of each graph, shape ``(b,)``."""
        return self.skeleton.sum(axis=(1, 2)) // 2
