"""Metrics: agreement with gadjid, conventions, identities."""

import numpy as np
import pytest

from valuegraph.graphs.graph import ValueGraph, cpdag_of
from valuegraph.graphs.metrics import (
    METRICS,
    arrow_f1,
    arrow_precision,
    arrow_recall,
    orientation_accuracy,
    shd,
    skeleton_f1,
    skeleton_precision,
    skeleton_recall,
)

VALUES = tuple("abcde")


def graph(directed=(), undirected=(), values=VALUES):
    return ValueGraph.from_edges(values, directed=directed, undirected=undirected)


def random_cpdag(rng, d=9):
    order = rng.permutation(d)
    dag = np.triu(rng.random((d, d)) < rng.uniform(0, 0.6), 1)[np.ix_(order, order)]
    return cpdag_of(dag, tuple(f"v{i}" for i in range(d)))


def test_shd_agrees_with_gadjid():
    import gadjid

    rng = np.random.default_rng(0)
    for _ in range(100):
        truth, guess = random_cpdag(rng), random_cpdag(rng)
        assert shd(truth, guess) == gadjid.shd(truth.to_amat(), guess.to_amat())[1]


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_the_order_of_the_values_changes_nothing(metric):
    rng = np.random.default_rng(1)
    for _ in range(10):
        truth, guess = random_cpdag(rng), random_cpdag(rng)
        other = guess.reordered(rng.permutation(guess.values).tolist())
        # Both are NaN where the graphs share no edge.
        assert metric(truth, other) == pytest.approx(metric(truth, guess), nan_ok=True)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_graph_agrees_with_itself(metric):
    one = graph(directed=[("a", "b"), ("c", "b")], undirected=[("d", "e")])
    assert metric(one, one) == (0 if metric is shd else 1)


def test_precision_of_one_is_recall_of_the_other():
    rng = np.random.default_rng(2)
    for _ in range(20):
        a, b = random_cpdag(rng), random_cpdag(rng)
        assert skeleton_precision(a, b) == skeleton_recall(b, a)
        assert arrow_precision(a, b) == arrow_recall(b, a)
        for symmetric in (shd, skeleton_f1, arrow_f1):
            assert symmetric(a, b) == symmetric(b, a)


def test_f1_is_the_harmonic_mean_of_precision_and_recall():
    rng = np.random.default_rng(3)
    for _ in range(20):
        a, b = random_cpdag(rng), random_cpdag(rng)
        for f1, precision, recall in (
            (skeleton_f1, skeleton_precision, skeleton_recall),
            (arrow_f1, arrow_precision, arrow_recall),
        ):
            p, r = precision(a, b), recall(a, b)
            if p and r:
                assert f1(a, b) == pytest.approx(2 * p * r / (p + r))


def test_a_case_counted_by_hand():
    truth = graph(directed=[("a", "b"), ("c", "b"), ("b", "d")], undirected=[("d", "e")])
    guess = graph(directed=[("a", "b"), ("b", "c"), ("a", "e")], undirected=[("b", "d")])
    # right: a-b; reversed: b-c; undirected: b-d; missing: d-e; extra: a-e
    assert shd(truth, guess) == 4
    assert skeleton_precision(truth, guess) == 3 / 4
    assert skeleton_recall(truth, guess) == 3 / 4
    assert arrow_precision(truth, guess) == 1 / 3
    assert arrow_recall(truth, guess) == 1 / 3
    assert orientation_accuracy(truth, guess) == 1 / 3


def test_graphs_without_edges_follow_the_conventions():
    empty, one = graph(), graph(directed=[("a", "b")])
    undirected = graph(undirected=[("a", "b")])
    assert skeleton_f1(empty, empty) == arrow_f1(empty, empty) == 1
    assert skeleton_precision(one, empty) == 1  # nothing claimed, nothing claimed wrongly
    assert skeleton_recall(one, empty) == skeleton_f1(one, empty) == 0
    assert skeleton_recall(empty, one) == 1  # nothing to find
    assert skeleton_precision(empty, one) == skeleton_f1(empty, one) == 0
    assert arrow_precision(one, undirected) == 1 and arrow_recall(one, undirected) == 0
    assert np.isnan(orientation_accuracy(one, empty))
    assert orientation_accuracy(one, undirected) == 0


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_graphs_over_different_values_are_refused(metric):
    message = "only the truth has c, only the guess has x, y"
    with pytest.raises(ValueError, match=message):
        metric(graph(values=("a", "b", "c")), graph(values=("a", "b", "x", "y")))
