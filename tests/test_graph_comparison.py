"""Comparison of graphs: every edge has its place, and the place is the right one."""

import json

import numpy as np
import pytest

from valuegraph.graphs.comparison import compare_graphs
from valuegraph.graphs.graph import ValueGraph, cpdag_of
from valuegraph.graphs.metrics import METRICS

VALUES = tuple("abcdef")
KINDS = ("agreed", "missing", "extra", "reversed", "undirected", "directed")


def graph(directed=(), undirected=(), values=VALUES):
    return ValueGraph.from_edges(values, directed=directed, undirected=undirected)


@pytest.fixture
def comparison():
    truth = graph(
        directed=[("a", "b"), ("c", "b"), ("b", "d")], undirected=[("d", "e"), ("e", "f")]
    )
    guess = graph(
        directed=[("a", "b"), ("b", "c"), ("e", "d"), ("f", "a")], undirected=[("b", "d")]
    )
    return compare_graphs(truth, guess)


def test_each_difference_has_its_list(comparison):
    assert comparison.agreed == (("a", "b"),)
    assert comparison.reversed == (("c", "b"),)  # as the truth has it
    assert comparison.undirected == (("b", "d"),)
    assert comparison.directed == (("e", "d"),)  # as the guess has it
    assert comparison.missing == (("e", "f"),)
    assert comparison.extra == (("f", "a"),)


def test_counts_and_summary(comparison):
    assert comparison.counts["true_edges"] == comparison.counts["guessed_edges"] == 5
    assert comparison.counts["right_arrows"] == 1
    assert comparison.summary() == (
        "SHD 5: 4 of 5 edges found, 1 extra; 1 of 3 arrows found, 1 reversed, 1 left undirected, "
        "1 undirected ones given a direction"
    )
    assert comparison.summary() in repr(comparison)
    assert not comparison.same_skeleton


def test_the_lists_cover_every_edge_once_and_add_up_to_the_metrics():
    rng = np.random.default_rng(0)
    for _ in range(50):
        truth, guess = (
            cpdag_of(np.triu(rng.random((6, 6)) < 0.4, 1), rng.permutation(VALUES).tolist())
            for _ in range(2)
        )
        result = compare_graphs(truth, guess)
        lists = {kind: {frozenset(edge) for edge in getattr(result, kind)} for kind in KINDS}
        pairs = {
            frozenset(edge)
            for one in (truth, guess)
            for edge in one.directed_edges + one.undirected_edges
        }
        assert set().union(*lists.values()) == pairs
        assert sum(map(len, lists.values())) == len(pairs)
        assert result.metrics["shd"] == len(pairs) - len(lists["agreed"])
        assert result.same_skeleton == (result.metrics["skeleton_f1"] == 1)
        assert truth.n_edges == len(pairs) - len(lists["extra"])
        assert guess.n_edges == len(pairs) - len(lists["missing"])


def test_metrics_are_those_of_the_module(comparison):
    assert set(comparison.metrics) == set(METRICS)
    for name, metric in METRICS.items():
        assert comparison.metrics[name] == metric(comparison.truth, comparison.guess)


def test_a_graph_compared_with_itself_has_no_differences(comparison):
    same = compare_graphs(comparison.truth, comparison.truth)
    assert all(getattr(same, kind) == () for kind in KINDS if kind != "agreed")
    assert same.same_skeleton
    assert "difference" not in same._repr_html_()


def test_the_table_names_every_difference(comparison):
    html = comparison._repr_html_()
    for text in ("c → b", "b → d", "e → d", "e — f", "f → a", "SHD 5"):
        assert text in html
    assert html.count('class="dataframe"') == 2  # themes know how to show these


def test_figures_can_be_written_as_json():
    nothing_shared = compare_graphs(graph(directed=[("a", "b")]), graph())
    figures = json.loads(json.dumps(nothing_shared.to_dict(), allow_nan=False))
    assert figures["orientation_accuracy"] is None
    assert figures["missing"] == 1
    assert "–" in nothing_shared._repr_html_()


def test_the_table_shows_no_precision_where_nothing_is_claimed():
    truth = graph(directed=[("a", "c"), ("b", "c")])
    without_arrows = compare_graphs(truth, graph(undirected=[("a", "c"), ("b", "c")]))
    arrows = without_arrows._repr_html_().split("arrows</th>")[1].split("</tr>")[0]
    assert "<td>–</td>" in arrows and "1.00" not in arrows
    assert without_arrows.metrics["arrow_precision"] == 1


def test_graphs_over_different_values_are_refused():
    with pytest.raises(ValueError, match="only the truth has f, only the guess has none"):
        compare_graphs(graph(), graph(values=VALUES[:5]))
