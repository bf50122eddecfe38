"""The graph of the paper: each step against answers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.graphs.graph import ValueGraph
from valuegraph.paper.graphs import (
    PaperGraph,
    _edges_of,
    closure,
    paper_graph,
    paper_skeletons,
    transitive_reduction,
)
from valuegraph.simulation import random_model


def reaches(edges, values):
    table = closure(edges, values)
    return {(a, b) for a in values for b in values if table.at[a, b]}


def test_closure_follows_arrows_and_closes_cycles():
    assert reaches([("a", "b"), ("b", "c")], "abc") == {("a", "b"), ("b", "c"), ("a", "c")}
    assert reaches([("a", "b"), ("b", "a")], "abc") == {
        ("a", "b"), ("b", "a"), ("a", "a"), ("b", "b"),
    }  # fmt: skip


def test_reduction_drops_the_shortcut_and_nothing_else():
    chain = [("a", "b"), ("b", "c"), ("c", "d")]
    assert transitive_reduction([("a", "d"), *chain, ("a", "c")]) == chain
    assert transitive_reduction(chain) == chain
    diamond = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]
    assert transitive_reduction(diamond) == diamond


def test_reduction_with_a_cycle_depends_on_the_order():
    # Both ways between b and c: either arrow from a will do, and the first one in the list goes.
    both_ways = [("b", "c"), ("c", "b")]
    first = transitive_reduction([("a", "b"), ("a", "c"), *both_ways])
    second = transitive_reduction([("a", "c"), ("a", "b"), *both_ways])
    assert first == [("a", "c"), *both_ways]
    assert second == [("a", "b"), *both_ways]


def test_reduction_keeps_what_is_reached_and_is_minimal():
    rng = np.random.default_rng(0)
    values = "abcdefg"
    for _ in range(20):
        pairs = [(a, b) for a in values for b in values if a != b and rng.random() < 0.35]
        left = transitive_reduction(pairs)
        assert reaches(left, values) == reaches(pairs, values)
        for edge in left:
            assert reaches([e for e in left if e != edge], values) != reaches(left, values)


@pytest.fixture
def small():
    edges = (("a", "b", "->"), ("c", "a", "->"), ("b", "c", "--"), ("c", "d", "->"))
    return PaperGraph(tuple("abcd"), edges, (30, 4))


def test_an_edge_without_direction_counts_as_two_arrows(small):
    assert small.expanded == [("a", "b"), ("c", "a"), ("b", "c"), ("c", "b"), ("c", "d")]
    assert small.directed_cycles == []


def test_figures_by_hand(small):
    figures = small.figures()
    assert figures["shape"] == [30, 4]
    assert [figures[f"n_{x}"] for x in ("raw", "undirected", "expanded", "reduced")] == [4, 1, 5, 4]
    # a, b and c reach each other and d; d reaches nothing: 3 x 3 of the 12 ordered pairs.
    assert figures["closure_size"] == 9
    assert figures["closure_fraction"] == 0.75
    # c -> b goes, since c -> a -> b leads there too.
    assert figures["reduced"] == [["a", "b"], ["b", "c"], ["c", "a"], ["c", "d"]]
    assert figures["raw_edges"][2] == ["b", "c", "--"]
    assert figures["scc_directed_only"] == []


def test_a_cycle_of_directed_edges_is_reported():
    edges = (("b", "c", "->"), ("a", "b", "->"), ("c", "a", "->"), ("c", "d", "->"))
    assert PaperGraph(tuple("abcd"), edges, (9, 4)).directed_cycles == [["a", "b", "c"]]


def test_the_matrix_of_causal_learn_is_read_pair_by_pair():
    matrix = np.zeros((5, 5), dtype=int)
    matrix[0, 1], matrix[1, 0] = -1, 1  # a -> b
    matrix[0, 2], matrix[2, 0] = 1, -1  # c -> a
    matrix[1, 3], matrix[3, 1] = -1, -1  # b -- d
    matrix[2, 3], matrix[3, 2] = 1, 1  # c <-> d
    assert _edges_of(matrix, "abcde") == (
        ("a", "b", "->"), ("c", "a", "->"), ("b", "d", "--"), ("c", "d", "<->"),
    )  # fmt: skip
    matrix[0, 4] = 2
    with pytest.raises(ValueError, match="a, e with unknown marks"):
        _edges_of(matrix, "abcde")


def test_the_search_finds_a_collider_and_leaves_a_chain_without_direction():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(2000, 6))
    x, y, p = noise[:, 0], noise[:, 1], noise[:, 3]
    collider = x + y + noise[:, 2]
    q = p + noise[:, 4]
    r = q + noise[:, 5]
    scores = pd.DataFrame({"x": x, "y": y, "z": collider, "p": p, "q": q, "r": r})
    graph = paper_graph(scores)
    assert {("x", "z", "->"), ("y", "z", "->"), ("p", "q", "--"), ("q", "r", "--")} == set(
        graph.raw_edges
    )
    assert graph.shape == (2000, 6)
    assert len(graph.reduced) == 6


def test_all_skeletons_at_once_are_those_of_the_search_one_by_one():
    scores = [
        random_model(8, np.random.default_rng(seed)).scores(60, np.random.default_rng(seed + 1))
        for seed in range(6)
    ]
    found = paper_skeletons(np.stack([s.corr().to_numpy() for s in scores]), 60)
    for own, table in zip(found, scores, strict=True):
        adjacency = paper_graph(table).adjacency
        np.testing.assert_array_equal(own, adjacency | adjacency.T)
    assert 0 < found.sum() < found.size / 2


def test_an_effective_number_for_each_pair_is_that_number_for_all():
    scores = random_model(6, np.random.default_rng(3)).scores(80, np.random.default_rng(4))
    correlation = scores.corr().to_numpy()[None]
    every = paper_skeletons(correlation, np.full((6, 6), 40.0))
    np.testing.assert_array_equal(every, paper_skeletons(correlation, 40))


def test_the_matrix_of_a_graph_is_that_of_a_value_graph(small):
    acyclic = PaperGraph(tuple("abcd"), (("a", "b", "->"), ("b", "c", "--")), (9, 4))
    same = ValueGraph.from_edges(tuple("abcd"), directed=[("a", "b")], undirected=[("b", "c")])
    np.testing.assert_array_equal(acyclic.adjacency, same.adjacency)
    # A cycle, which a ValueGraph refuses, is no obstacle.
    assert small.adjacency.sum() == 5
