"""Orders of the columns: graphs made by hand, and a search that has a reason to waver."""

import numpy as np
import pytest

from valuegraph.graphs.graph import ValueGraph
from valuegraph.graphs.metrics import shd
from valuegraph.paper.graphs import PaperGraph
from valuegraph.paper.orders import ColumnOrders, column_orders, paper_shd
from valuegraph.simulation import random_model


def graph(*edges, values="abcd"):
    return PaperGraph(tuple(values), edges, (9, len(values)))


def test_distance_is_that_of_value_graphs():
    rng = np.random.default_rng(0)
    for _ in range(20):
        pair = []
        for _ in range(2):
            kinds = rng.choice(["->", "--", ""], size=6)
            places = zip(*np.triu_indices(4, 1), strict=True)
            edges = [("abcd"[i], "abcd"[j], k) for (i, j), k in zip(places, kinds, strict=True)]
            pair.append([edge for edge in edges if edge[2]])
        papers = [graph(*edges) for edges in pair]
        plain = [
            ValueGraph.from_edges(
                tuple("abcd"),
                directed=[(a, b) for a, b, k in edges if k == "->"],
                undirected=[(a, b) for a, b, k in edges if k == "--"],
            )
            for edges in pair
        ]
        assert paper_shd(*papers) == shd(*plain)


def test_distance_does_not_depend_on_the_order_of_values():
    one = graph(("a", "b", "->"), ("c", "d", "--"))
    other = graph(("a", "b", "->"), ("d", "c", "--"), values="dbca")
    assert paper_shd(one, other) == 0


def test_directions_by_hand():
    own = graph(("a", "b", "->"), ("b", "c", "->"), ("c", "d", "--"))
    turned = graph(("b", "a", "->"), ("b", "c", "->"), ("d", "c", "->"), values="badc")
    open_ = graph(("a", "b", "--"), ("b", "c", "->"), ("c", "d", "<->"))
    orders = ColumnOrders(own, (turned, open_))
    table = orders.directions()
    assert list(table.index) == [("b", "c"), ("a", "b")]
    assert table.loc[("b", "c")].tolist() == [1, 0, 0]
    assert table.loc[("a", "b")].tolist() == [0, 0.5, 0.5]
    assert orders.same_skeleton
    assert orders.distances.tolist() == [2, 1]
    assert orders.across(lambda g: len(g.raw_edges)).tolist() == [3, 3]


def test_cycles_and_other_skeletons_are_counted():
    own = graph(("a", "b", "->"))
    ring = graph(("a", "b", "->"), ("b", "c", "->"), ("c", "a", "->"))
    orders = ColumnOrders(own, (own, ring))
    assert orders.cyclic == 1
    assert not orders.same_skeleton


def test_shuffles_keep_the_adjacencies_and_the_seed_decides():
    rng = np.random.default_rng(1)
    scores = random_model(7, rng, degree=3).scores(60, rng)
    one, two = (column_orders(scores, orders=4, seed=2) for _ in range(2))
    assert one.same_skeleton
    assert [g.values for g in one.others] == [g.values for g in two.others]
    assert len({g.values for g in one.others}) == 4
    assert one.own.values == tuple(scores.columns)


def test_no_order_is_refused():
    rng = np.random.default_rng(1)
    with pytest.raises(ValueError, match="at least one order is needed, got 0"):
        column_orders(random_model(4, rng).scores(30, rng), orders=0)
