"""Edge lists against each other."""

import pytest

from valuegraph.graphs.graph import ValueGraph
from valuegraph.graphs.metrics import skeleton_f1
from valuegraph.paper.recorded import choices, reference_graph
from valuegraph.paper.references import agreements, undirected

VALUES = tuple("abcdefgh")


def test_arrows_both_ways_and_cycles_become_single_edges():
    graph = undirected([("a", "b"), ("b", "a"), ("b", "c"), ("c", "a")], VALUES)
    assert graph.undirected_edges == [("a", "b"), ("a", "c"), ("b", "c")]


def test_every_shipped_reference_can_be_read():
    values = choices()["values"]
    for name in choices()["reference_graphs"]:
        edges = reference_graph(name)
        assert undirected(edges, values).n_edges == len({frozenset(edge) for edge in edges})


def test_pairs_by_hand():
    ring = [(VALUES[i], VALUES[(i + 1) % 8]) for i in range(8)]
    graphs = {
        "ring": undirected(ring, VALUES),
        "same": undirected(ring, VALUES),
        "star": undirected([("a", v) for v in "bcdefgh"], VALUES),
        "empty": ValueGraph.from_edges(VALUES),
    }
    table = agreements(graphs, draws=199, seed=1).set_index(["a", "b"])
    assert len(table) == 6
    same = table.loc[("ring", "same")]
    assert (same["shared"], same["shd"], same["f1"], same["p_value"]) == (8, 0, 1, 0.005)
    star = table.loc[("ring", "star")]
    assert (star["edges_a"], star["edges_b"], star["shared"], star["shd"]) == (8, 7, 2, 11)
    assert star["f1"] == pytest.approx(skeleton_f1(graphs["ring"], graphs["star"]))
    # Wherever the star's centre stands, it has two neighbours on the ring.
    assert star["f1_relabelled"] == pytest.approx(star["f1"])
    assert star["p_value"] == 1
    assert table.loc[("ring", "empty"), "f1"] == 0
