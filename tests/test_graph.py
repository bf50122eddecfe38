"""Graphs: what they hold and refuse, and the class of a DAG."""

import itertools

import numpy as np
import pytest

from valuegraph.graph import CIRCLE, HEAD, LINKS, TAIL, ValueGraph
from valuegraph.pc import reachable


def graph_of(values, *edges, **options):
    """Make a graph of edges such as ("a", "o→", "b")."""
    marks = np.zeros((len(values), len(values)), dtype=int)
    for a, link, b in edges:
        i, j = values.index(a), values.index(b)
        marks[j, i], marks[i, j], _ = LINKS[link]
    return ValueGraph(tuple(values), marks, options)


EVERY = [("a", "→", "b"), ("c", "—", "b"), ("c", "o→", "d"), ("d", "o—o", "e"), ("e", "↔", "a")]


def random_dag(rng, d, share=0.4):
    order = rng.permutation(d)
    return np.triu(rng.random((d, d)) < share, 1)[np.ix_(order, order)]


def test_every_kind_of_edge_is_listed_once():
    graph = graph_of("abcde", *EVERY)
    assert graph.n_edges == 5 and graph.skeleton.sum() == 10
    assert graph.directed_edges == [("a", "b")]
    assert graph.undirected_edges == [("b", "c")]
    assert graph.half_directed_edges == [("c", "d")]
    assert graph.circle_edges == [("d", "e")]
    assert graph.bidirected_edges == [("a", "e")]
    assert graph_of("abcde", *graph.edges) == graph
    assert "1 directed, 1 undirected, 1 half-directed, 1 open, 1 bidirected edges" in repr(graph)


def test_adjacency_has_arrows_one_way_and_all_else_both_ways():
    adjacency = graph_of("abcde", *EVERY).adjacency
    assert adjacency[0, 1] and not adjacency[1, 0]
    assert (adjacency | adjacency.T).sum() == 10 and adjacency.sum() == 9


def test_the_order_of_values_and_info_play_no_part_in_equality():
    graph = graph_of("abcde", *EVERY)
    other = graph.among("ecadb")
    assert other == graph and hash(other) == hash(graph)
    assert other.among("ae") == graph_of("ea", ("e", "↔", "a"))
    assert graph_of("abcde", *EVERY, n=5) == graph != graph_of("abcde", *EVERY[1:])
    assert graph != graph_of("abcdf", ("a", "→", "b")) and graph != "abcde"
    with pytest.raises(ValueError, match="read-only"):
        graph.marks[0, 0] = 1


def test_the_caption_says_what_has_to_be_known():
    info = {"method": "pc", "alpha": 0.01, "n": 400, "null_edges": 0.25, "null_sd": 0.5}
    assert (
        graph_of("ab", **info).caption == "PC, alpha = 0.01, n = 400, 0 edges, null 0.2 ± 0.5 edges"
    )
    info |= {"threshold": 0.8, "n_resamples": 50}
    assert "n = 400, in 80% of 50 resamples" in graph_of("ab", **info).caption
    assert graph_of("ab").caption == ""


@pytest.mark.parametrize(
    ("values", "adjacency", "message"),
    [
        (["a", "a"], np.zeros((2, 2)), "names that all differ"),
        ("ab", np.zeros((2, 2)), "got the string|must be names"),
        (["a", " "], np.zeros((2, 2)), "must be names"),
        (["a", "b"], np.zeros((3, 3)), "2 x 2"),
        (["a", "b"], np.eye(2), "a and a have no edge"),
        (["a", "b"], [[0, 0.5], [0, 0]], "weights != 0"),
        (["a", "b", "c"], [[0, 1, 0], [0, 0, 1], [1, 0, 0]], "directed cycle.*arrows lead from a"),
    ],
)
def test_what_is_no_graph_is_refused(values, adjacency, message):
    with pytest.raises(ValueError, match=message):
        ValueGraph.from_adjacency(values, adjacency)


def test_there_are_four_marks():
    with pytest.raises(ValueError, match="marks, 0 to 3"):
        ValueGraph(("a", "b"), np.array([[0, 4], [4, 0]]))


def test_a_graph_stays_as_it_is():
    graph = ValueGraph.from_adjacency(["a", "b"], np.array([[0, 1], [0, 0]]))
    with pytest.raises(AttributeError):
        graph.values = ("b", "a")


def test_marks_that_cannot_be_true_are_refused():
    with pytest.raises(ValueError, match="false <->"):
        graph_of("abc", ("a", "→", "b"), ("b", "→", "c"), ("a", "↔", "c"))
    with pytest.raises(ValueError, match="a and b have no edge of a known kind"):
        ValueGraph(("a", "b"), [[0, CIRCLE], [TAIL, 0]])
    with pytest.raises(ValueError, match="no edge of a known kind"):
        ValueGraph(("a", "b"), [[0, HEAD], [0, 0]])
    with pytest.raises(ValueError, match="'z' is none of the values"):
        graph_of("ab").among("az")


def colliders_of(dag):
    apart = ~(dag | dag.T | np.eye(len(dag), dtype=bool))
    return {tuple(t) for t in np.argwhere(dag[:, :, None] & dag.T[None] & apart[:, None])}


def test_the_class_of_a_dag_is_the_union_of_all_dags_with_its_skeleton_and_colliders():
    rng = np.random.default_rng(0)
    for _ in range(25):
        dag = random_dag(rng, 5, 0.5)
        union, pairs = np.zeros_like(dag), np.argwhere(dag)
        for flips in itertools.product((False, True), repeat=len(pairs)):
            other = np.zeros_like(dag)
            for (i, j), flip in zip(pairs, flips, strict=True):
                other[(j, i) if flip else (i, j)] = True
            if not np.diag(reachable(other)).any() and colliders_of(other) == colliders_of(dag):
                union |= other
        found = ValueGraph.from_adjacency(list("abcde"), dag).cpdag()
        assert (found.adjacency == union).all()


def test_only_a_dag_has_a_class():
    with pytest.raises(ValueError, match="a DAG has no arrows both ways"):
        graph_of("ab", ("a", "—", "b")).cpdag()
