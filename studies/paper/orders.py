"""Graphs side by side: other orders of the columns, and lists of edges by other hands."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from rich.progress import track

from studies.paper.graphs import PaperGraph, paper_graph
from valuegraph.graph import ValueGraph
from valuegraph.metrics import permutation_test, shd, skeleton_f1


def column_orders(
    scores: pd.DataFrame, *, orders: int = 30, seed: int = 0, progress: bool = False
) -> list[PaperGraph]:
    """Return the paper's graphs of scores with the columns shuffled, `orders` times."""
    rng = np.random.default_rng(seed)
    shuffles = [rng.permutation(scores.columns) for _ in range(orders)]
    shuffles = track(shuffles, "orders of the columns", disable=not progress)
    return [paper_graph(scores[list(order)]) for order in shuffles]


def directions(own: PaperGraph, shuffled: Sequence[PaperGraph]) -> pd.DataFrame:
    """Return in what share of the shuffled orders each directed edge points which way.

    Index ``(a, b)``: the edges that are ``a -> b`` in the paper's order, the steadiest first.
    Columns ``kept``, ``turned``, ``open`` (no direction, or both), which add up to 1.
    """
    values = list(own.values)
    there = np.stack([graph.adjacency.loc[values, values] for graph in shuffled])
    back = there.swapaxes(1, 2)
    kinds = {"kept": there & ~back, "turned": back & ~there, "open": there & back}
    shares = {name: pd.DataFrame(x.mean(axis=0), values, values) for name, x in kinds.items()}
    edges = [(a, b) for a, b, kind in own.raw_edges if kind == "->"]
    rows = [[share.at[edge] for share in shares.values()] for edge in edges]
    table = pd.DataFrame(rows, pd.MultiIndex.from_tuples(edges, names=["a", "b"]), list(shares))
    return table.sort_values(["kept", "open"], ascending=False, kind="stable")


def paper_shd(one: PaperGraph, other: PaperGraph) -> int:
    """Count the pairs of values whose edge differs; cycles do no harm."""
    a, b = one.adjacency, other.adjacency.loc[list(one.values), list(one.values)]
    differs = a.to_numpy() != b.to_numpy()
    return int(np.triu(differs | differs.T).sum())


def agreements(
    graphs: Mapping[str, ValueGraph], *, draws: int = 999, seed: int = 0
) -> pd.DataFrame:
    """Compare the adjacencies of every two graphs with those of permuted labels.

    One row a pair ``a``, ``b``: ``shared`` edges, ``shd``, ``f1``, ``f1_relabelled`` (mean with
    labels permuted) and ``p_value``.
    """
    rows = []
    for a, b in combinations(graphs, 2):
        options = {"larger_is_closer": True, "draws": draws, "seed": seed}
        test = permutation_test(skeleton_f1, graphs[a], graphs[b], **options)
        shared = int((graphs[a].skeleton & graphs[b].skeleton).sum()) // 2
        distance = int(shd(graphs[a], graphs[b]))
        rows.append((a, b, shared, distance, test.value, test.null_mean, test.p_value))
    names = ["a", "b", "shared", "shd", "f1", "f1_relabelled", "p_value"]
    return pd.DataFrame(rows, columns=names)
