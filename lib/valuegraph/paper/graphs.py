"""The graph of Kang et al. (2025): PC on pooled rows, arrows both ways, transitive reduction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.graphs.orientation import reachable
from valuegraph.search.knowledge import Knowledge
from valuegraph.search.skeleton import skeletons

ALPHA = 0.05
"""Level of the independence tests."""

Edge = tuple[str, str]


@dataclass(frozen=True, eq=False)
class PaperGraph:
    """A graph as the paper draws it: arrows only, cycles allowed.

    It is no :class:`valuegraph.graphs.graph.ValueGraph`, which refuses directed cycles; PC can
    return one where evidence conflicts, and reading an undirected edge as two arrows makes one in
    any case.

    Attributes
    ----------
    values : tuple of str
        The values, in the order in which PC was given them.
    raw_edges : tuple of (str, str, str)
        What PC found, each adjacency once: ``(a, b, "->")``, ``(a, b, "--")`` without direction or
        ``(a, b, "<->")`` where the evidence pointed both ways.
    shape : tuple of int
        Rows and columns of the scores.
    """

    values: tuple[str, ...]
    raw_edges: tuple[tuple[str, str, str], ...]
    shape: tuple[int, int]

    @property
    def expanded(self) -> list[Edge]:
        """All arrows, where an edge that is not ``->`` counts as two."""
        arrows = []
        for a, b, kind in self.raw_edges:
            arrows += [(a, b)] if kind == "->" else [(a, b), (b, a)]
        return arrows

    @property
    def reduced(self) -> list[Edge]:
        """Arrows left by :func:`transitive_reduction`."""
        return transitive_reduction(self.expanded)

    @property
    def directed_cycles(self) -> list[list[str]]:
        """Groups of values that reach each other along directed edges alone; empty in a DAG."""
        arrows = [(a, b) for a, b, kind in self.raw_edges if kind == "->"]
        both_ways = closure(arrows, self.values).to_numpy()
        both_ways = both_ways & both_ways.T
        groups = {tuple(np.flatnonzero(row)) for row in both_ways if row.any()}
        return sorted(sorted(self.values[i] for i in group) for group in groups)

    @property
    def adjacency(self) -> np.ndarray:
        """Edges as a boolean matrix, ``(d, d)``: both ways unless ``->``, as in a ValueGraph."""
        place = {value: i for i, value in enumerate(self.values)}
        matrix = np.zeros((len(place), len(place)), dtype=bool)
        for a, b in self.expanded:
            matrix[place[a], place[b]] = True
        return matrix

    def figures(self) -> dict[str, object]:
        """Return the counts and edge lists for :mod:`valuegraph.paper.reproduction`."""
        d = len(self.values)
        arrows, left = self.expanded, self.reduced
        reach = closure(arrows, self.values).to_numpy()
        # A value on a cycle reaches itself; the paper does not count that.
        size = int((reach & ~np.eye(d, dtype=bool)).sum())
        return {
            "shape": list(self.shape),
            "n_raw": len(self.raw_edges),
            "n_undirected": sum(kind != "->" for _, _, kind in self.raw_edges),
            "n_expanded": len(arrows),
            "n_reduced": len(left),
            "closure_size": size,
            "closure_fraction": size / (d * (d - 1)),
            "reduced": [list(edge) for edge in sorted(left)],
            "raw_edges": [list(edge) for edge in self.raw_edges],
            "scc_directed_only": self.directed_cycles,
        }


def paper_graph(scores: pd.DataFrame) -> PaperGraph:
    """Find the graph as the paper does: PC with Fisher's z on all rows, as if independent.

    Parameters
    ----------
    scores : pandas.DataFrame
        Rows of any number of roles and interventions, columns values. The order of the columns
        matters, since PC here orients edges in that order.
    """
    from causallearn.search.ConstraintBased.PC import pc

    values = tuple(scores.columns)
    found = pc(
        scores.to_numpy(dtype=float),
        ALPHA,
        "fisherz",
        stable=True,
        uc_rule=0,
        uc_priority=2,
        show_progress=False,
        node_names=list(values),
    )
    return PaperGraph(values, _edges_of(found.G.graph, values), scores.shape)


def paper_skeletons(correlations: np.ndarray, n: float | np.ndarray) -> np.ndarray:
    """Find the edges of many such graphs at once, without their direction.

    The same tests as in :func:`paper_graph`, in array operations: a thousand times as fast, which
    is what makes nulls and resamples affordable.

    Parameters
    ----------
    correlations
        Shape ``(b, d, d)``, each positive definite.
    n
        What the tests take for the number of independent rows: that of all rows, as in the paper,
        or an effective number, for all pairs or for each ``(d, d)``.

    Returns
    -------
    numpy.ndarray
        Boolean ``(b, d, d)``, symmetric.
    """
    return skeletons(correlations, n, ALPHA, Knowledge.none(correlations.shape[1])).adjacency


def transitive_reduction(edges: Sequence[Edge]) -> list[Edge]:
    """Drop arrows, one by one in the order given, as long as every value reaches what it reached.

    With cycles the result depends on the order. The paper's order is that of PC's output: by the
    first and then the second value of each pair, an undirected edge as two arrows one after the
    other.

    Parameters
    ----------
    edges : sequence of (str, str)
        Arrows ``(from, to)``.

    Returns
    -------
    list of (str, str)
        The arrows that are left, in the same order.
    """
    left = list(edges)
    names = sorted({value for edge in edges for value in edge})
    for edge in edges:
        rest = [other for other in left if other != edge]
        # What can be reached stays the same if and only if this arrow has a way round it.
        if closure(rest, names).at[edge]:
            left = rest
    return left


def closure(edges: Iterable[Edge], values: Sequence[str]) -> pd.DataFrame:
    """Return which values can be reached from which along arrows.

    Parameters
    ----------
    edges : iterable of (str, str)
        Arrows ``(from, to)``.
    values : sequence of str
        All values.

    Returns
    -------
    pandas.DataFrame
        Boolean, values x values: from row to column. The diagonal is true on a cycle.
    """
    place = {value: i for i, value in enumerate(values)}
    adjacency = np.zeros((len(place), len(place)), dtype=bool)
    for a, b in edges:
        adjacency[place[a], place[b]] = True
    return pd.DataFrame(reachable(adjacency), index=list(values), columns=list(values))


def _edges_of(matrix: np.ndarray, values: Sequence[str]) -> tuple[tuple[str, str, str], ...]:
    """Translate causal-learn's matrix, pair by pair: ``[j, i] = 1, [i, j] = -1`` is ``i -> j``."""
    edges = []
    for i, j in zip(*np.triu_indices(len(values), k=1), strict=True):
        a, b, marks = values[i], values[j], (matrix[i, j], matrix[j, i])
        match marks:
            case (0, 0):
                continue
            case (-1, 1):
                edges.append((a, b, "->"))
            case (1, -1):
                edges.append((b, a, "->"))
            case (-1, -1):
                edges.append((a, b, "--"))
            case (1, 1):
                edges.append((a, b, "<->"))
            case _:
                raise ValueError(f"PC returned an edge {a}, {b} with unknown marks {marks}")
    return tuple(edges)
