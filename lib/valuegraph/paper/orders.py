"""What the order of the columns does to the paper's graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.progress import track

from valuegraph.paper.graphs import PaperGraph, paper_graph


@dataclass(frozen=True, eq=False)
class ColumnOrders:
    """The same scores, searched with the columns in other orders.

    Attributes
    ----------
    own
        Graph in the order in which the columns came.
    others
        Graphs in shuffled orders.
    """

    own: PaperGraph
    others: tuple[PaperGraph, ...]

    @property
    def same_skeleton(self) -> bool:
        """Whether all graphs have the same adjacencies."""
        edges = {_skeleton(graph) for graph in (self.own, *self.others)}
        return len(edges) == 1

    @property
    def distances(self) -> np.ndarray:
        """Structural Hamming distance of each shuffled order from the own one."""
        return np.array([paper_shd(self.own, graph) for graph in self.others])

    @property
    def cyclic(self) -> int:
        """Number of shuffled orders whose directed edges form a cycle."""
        return sum(bool(graph.directed_cycles) for graph in self.others)

    def directions(self) -> pd.DataFrame:
        """Return, edge by edge, in what share of the shuffled orders it points which way.

        Returns
        -------
        pandas.DataFrame
            Index ``(a, b)``: the edges that are directed ``a -> b`` in the own order. Columns
            ``as given``, ``turned``, ``open`` (no direction, or both), which add up to 1; the
            steadiest edge first.
        """
        adjacency = [_matrix(graph, self.own.values) for graph in self.others]
        place = {value: i for i, value in enumerate(self.own.values)}
        rows = {}
        for a, b, kind in self.own.raw_edges:
            if kind == "->":
                there = np.array([x[place[a], place[b]] for x in adjacency])
                back = np.array([x[place[b], place[a]] for x in adjacency])
                rows[a, b] = [(there & ~back).mean(), (back & ~there).mean(), (there & back).mean()]
        columns = ["as given", "turned", "open"]
        index = pd.MultiIndex.from_tuples(rows, names=["a", "b"])
        table = pd.DataFrame(list(rows.values()), index, columns)
        return table.sort_values(["as given", "open"], ascending=False, kind="stable")

    def across(self, figure: Callable[[PaperGraph], float]) -> np.ndarray:
        """Return a figure of each graph in a shuffled order."""
        return np.array([figure(graph) for graph in self.others])


def column_orders(
    scores: pd.DataFrame, *, orders: int = 30, seed: int = 0, progress: bool = False
) -> ColumnOrders:
    """Search the paper's graph with the columns shuffled.

    Parameters
    ----------
    scores
        As for :func:`valuegraph.paper.graphs.paper_graph`.
    orders
        Number of shuffles.
    seed
        Seed of the shuffles.
    progress
        Show a progress bar.

    Raises
    ------
    ValueError
        If there is no shuffle.
    """
    if orders < 1:
        raise ValueError(f"at least one order is needed, got {orders}")
    rng = np.random.default_rng(seed)
    shuffles = [rng.permutation(scores.columns) for _ in range(orders)]
    shuffles = track(shuffles, "orders of the columns", disable=not progress)
    own = paper_graph(scores)
    return ColumnOrders(own, tuple(paper_graph(scores[list(order)]) for order in shuffles))


def paper_shd(one: PaperGraph, other: PaperGraph) -> int:
    """Count the pairs of values whose edge differs; cycles do no harm.

    On graphs without cycles it is :func:`valuegraph.graphs.metrics.shd`.
    """
    a, b = one.adjacency, _matrix(other, one.values)
    return int(np.triu((a != b) | (a.T != b.T)).sum())


def _matrix(graph: PaperGraph, values: tuple[str, ...]) -> np.ndarray:
    """Return the edges in another order of the values."""
    order = [graph.values.index(value) for value in values]
    return graph.adjacency[np.ix_(order, order)]


def _skeleton(graph: PaperGraph) -> frozenset[frozenset[str]]:
    """Return the adjacencies."""
    return frozenset(frozenset((a, b)) for a, b, _ in graph.raw_edges)
