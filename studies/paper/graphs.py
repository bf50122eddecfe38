"""The graph of Kang et al. (2025): PC on pooled rows, arrows both ways, transitive reduction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.graph import ValueGraph
from valuegraph.pc import reachable, skeletons

ALPHA = 0.05
Edge = tuple[str, str]

#: causal-learn's marks ``[i, j], [j, i]`` of an edge; its ends trade places in the second.
_KINDS = {(-1, 1): "->", (1, -1): "<-", (-1, -1): "--", (1, 1): "<->"}


@dataclass(frozen=True, eq=False)
class PaperGraph:
    """A graph as the paper draws it: arrows only, cycles allowed.

    It is no :class:`valuegraph.graph.ValueGraph`, which refuses directed cycles. The paper's PC
    returns one where evidence conflicts, and an undirected edge read as two arrows is one. Raw
    edges hold each adjacency once: ``(a, b, "->")``, ``(a, b, "--")`` without direction or ``(a, b,
    "<->")`` where the evidence pointed both ways.
    """

    values: tuple[str, ...]  # in the order in which PC was given them
    raw_edges: tuple[tuple[str, str, str], ...]
    shape: tuple[int, int]  # rows and columns of the scores

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
    def adjacency(self) -> pd.DataFrame:
        """Edges, boolean values x values, [from, to]: both ways unless ``->``."""
        return _matrix(self.expanded, self.values)

    @property
    def skeleton(self) -> ValueGraph:
        """The adjacencies alone."""
        return undirected(self.expanded, self.values)

    @property
    def closure(self) -> pd.DataFrame:
        """The :func:`closure` of all arrows."""
        return closure(self.expanded, self.values)

    @property
    def directed_cycles(self) -> list[list[str]]:
        """Groups of values that reach each other along directed edges alone; empty in a DAG."""
        arrows = [(a, b) for a, b, kind in self.raw_edges if kind == "->"]
        both_ways = closure(arrows, self.values).to_numpy()
        both_ways = both_ways & both_ways.T
        groups = {tuple(np.flatnonzero(row)) for row in both_ways if row.any()}
        return sorted(sorted(self.values[i] for i in group) for group in groups)

    def figures(self) -> dict[str, object]:
        """Return counts and edge lists, ready for JSON."""
        d, arrows, left = len(self.values), self.expanded, self.reduced
        # A value on a cycle reaches itself; the paper does not count that.
        size = int((self.closure.to_numpy() & ~np.eye(d, dtype=bool)).sum())
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

    The order of the columns matters, since PC here directs edges in that order.
    """
    from causallearn.search.ConstraintBased.PC import pc

    values = tuple(scores.columns)
    options = {"stable": True, "uc_rule": 0, "uc_priority": 2, "show_progress": False}
    rows = scores.to_numpy(dtype=float)
    marks = pc(rows, ALPHA, "fisherz", node_names=list(values), **options).G.graph
    edges = []
    for i, j in np.argwhere(np.triu(marks != 0)):
        a, kind, b = values[i], _KINDS[marks[i, j], marks[j, i]], values[j]
        edges.append((b, a, "->") if kind == "<-" else (a, b, kind))
    return PaperGraph(values, tuple(edges), scores.shape)


def paper_skeletons(correlations: np.ndarray, n: float | np.ndarray) -> np.ndarray:
    """Find the edges of many such graphs at once, without their direction.

    The same tests as in :func:`paper_graph`, in array operations: a thousand times as fast, which
    is what makes nulls and resamples affordable.

    Correlations are ``(b, d, d)``, each positive definite. `n` is what the tests take for the
    number of independent rows: that of all rows, as in the paper, or an effective number, for all
    pairs or for each ``(d, d)``. Returns boolean ``(b, d, d)``, symmetric.
    """
    return skeletons(correlations, n, ALPHA, np.zeros(correlations.shape[1], dtype=int))[0]


def transitive_reduction(edges: Sequence[Edge]) -> list[Edge]:
    """Drop arrows, one by one in the order given, as long as every value reaches what it reached.

    With cycles the result depends on the order. The paper's order is that of PC's output: by the
    first and then the second value of each pair, an undirected edge as two arrows one after the
    other.
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
    """Return which values can be reached along arrows ``(from, to)``.

    Boolean, values x values: from row to column. The diagonal is true on a cycle.
    """
    return pd.DataFrame(reachable(_matrix(edges, values).to_numpy()), list(values), list(values))


def undirected(edges: Iterable[Edge], values: Sequence[str]) -> ValueGraph:
    """Return the adjacencies of a list of edges; arrows may form cycles or go both ways."""
    matrix = _matrix(edges, values).to_numpy()
    return ValueGraph.from_adjacency(values, matrix | matrix.T)


def _matrix(edges: Iterable[Edge], values: Sequence[str]) -> pd.DataFrame:
    """Return arrows as a boolean frame, from row to column."""
    place = {value: i for i, value in enumerate(values)}
    matrix = np.zeros((len(place), len(place)), dtype=bool)
    for a, b in edges:
        matrix[place[a], place[b]] = True
    return pd.DataFrame(matrix, list(values), list(values))
