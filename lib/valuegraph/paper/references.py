"""Edge lists side by side: how far references agree with each other and with what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import pandas as pd

from valuegraph.assessment import permutation_test
from valuegraph.graphs.graph import ValueGraph
from valuegraph.graphs.metrics import shd, skeleton_f1
from valuegraph.paper.graphs import Edge


def undirected(edges: Iterable[Edge], values: Sequence[str]) -> ValueGraph:
    """Return the adjacencies of a list of edges, each once; arrows may form cycles or go both ways.

    Parameters
    ----------
    edges
        Pairs of values.
    values
        All values.
    """
    pairs = sorted({tuple(sorted(edge)) for edge in edges})
    return ValueGraph.from_edges(values, undirected=pairs)


def agreements(
    graphs: Mapping[str, ValueGraph], *, draws: int = 999, seed: int = 0
) -> pd.DataFrame:
    """Compare the adjacencies of every two graphs.

    Parameters
    ----------
    graphs
        Graphs over the same values, by name.
    draws
        Permuted labellings of each pair.
    seed
        Seed of the labellings.

    Returns
    -------
    pandas.DataFrame
        One row per pair: ``a``, ``b``, their numbers of edges, ``shared`` edges, ``shd``, ``f1``,
        ``f1_relabelled`` (mean with labels permuted) and ``p_value``.
    """
    rows = []
    for a, b in combinations(graphs, 2):
        test = permutation_test(skeleton_f1, graphs[a], graphs[b], draws=draws, seed=seed)
        edges = graphs[a].n_edges, graphs[b].n_edges
        rows.append(
            {
                "a": a,
                "b": b,
                "edges_a": edges[0],
                "edges_b": edges[1],
                "shared": round(test.value * sum(edges) / 2),
                "shd": int(shd(graphs[a], graphs[b])),
                "f1": test.value,
                "f1_relabelled": test.null_mean,
                "p_value": test.p_value,
            }
        )
    return pd.DataFrame(rows)
