"""Effects that a graph tells: true ones on a known graph, all of the class on an open one."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from valuegraph.graphs.graph import ValueGraph, cpdag_of
from valuegraph.graphs.pag import PartialAncestralGraph
from valuegraph.graphs.total_effects import (
    parent_sets,
    possible_effects,
    reached,
    total_effects,
)
from valuegraph.organisms.scm import StructuralModel
from valuegraph.organisms.shipped import load_truth


def covariance_of(truth):
    return pd.DataFrame(truth.covariance, truth.values, truth.values)


def random_model(d, seed, density=0.5):
    rng = np.random.default_rng(seed)
    weights = np.tril(rng.normal(size=(d, d)) * (rng.random((d, d)) < density), -1)
    order = rng.permutation(d)
    weights = weights[np.ix_(order, order)]
    return StructuralModel(tuple("abcdefgh"[:d]), weights, rng.uniform(0.5, 2, d))


@pytest.mark.parametrize("name", ["organism-human", "organism-alien"])
def test_on_the_true_graph_effects_are_those_of_the_structural_model(name):
    truth = load_truth(name)
    graph = ValueGraph(truth.values, truth.adjacency)
    effects = total_effects(graph, covariance_of(truth))
    assert np.allclose(effects, truth.total_effects.T, atol=1e-12)


def test_correlations_give_the_same_effects_in_standard_deviations():
    truth = random_model(6, seed=1)
    graph, sd = truth.cpdag(), np.sqrt(np.diag(truth.covariance))
    raw = total_effects(graph, covariance_of(truth))
    assert np.allclose(total_effects(graph, truth.correlation), raw * sd[:, None] / sd[None])


def equivalent_dags(graph):
    """All DAGs of a class, by trying every direction of every undirected edge."""
    dags = []
    for turns in product((False, True), repeat=len(graph.undirected_edges)):
        edges = [
            pair[::-1] if turn else pair
            for pair, turn in zip(graph.undirected_edges, turns, strict=True)
        ]
        try:
            dag = ValueGraph.from_edges(graph.values, directed=[*graph.directed_edges, *edges])
        except ValueError:  # a cycle
            continue
        if cpdag_of(dag.adjacency, dag.values) == graph:
            dags.append(dag)
    return dags


@pytest.mark.parametrize("seed", range(12))
def test_possible_effects_are_those_of_all_graphs_of_the_class(seed):
    truth = random_model(6, seed, density=0.6)
    graph, covariance = truth.cpdag(), covariance_of(truth)
    possible = possible_effects(graph, covariance)
    of_dags = [total_effects(dag, covariance) for dag in equivalent_dags(graph)]
    assert of_dags
    for value in graph.values:
        local = {tuple(row) for row in possible[value].round(9).to_numpy() + 0.0}
        everywhere = {tuple(dag.loc[value].round(9) + 0.0) for dag in of_dags}
        assert local == everywhere


def test_the_effects_of_a_linear_regression_on_the_same_rows():
    from statsmodels.api import OLS, add_constant

    truth = random_model(5, seed=3)
    rows = truth.sample(200, seed=0)
    graph = ValueGraph(truth.values, truth.adjacency)
    effects = total_effects(graph, rows.cov())
    for cause in truth.values:
        parents = [a for a, b in graph.directed_edges if b == cause]
        for effect in set(truth.values) - {cause, *parents}:
            fit = OLS(rows[effect], add_constant(rows[[cause, *parents]])).fit()
            assert effects.loc[cause, effect] == pytest.approx(fit.params[cause])


def test_mean_least_and_largest_stand_in_order():
    truth = load_truth("organism-human")
    graph, covariance = truth.cpdag(), covariance_of(truth)
    low, mean, high = (total_effects(graph, covariance, over=o) for o in ("min", "mean", "max"))
    true = truth.total_effects.T
    assert (low <= mean).all(axis=None) and (mean <= high).all(axis=None)
    assert ((low <= true + 1e-9) & (true <= high + 1e-9)).all(axis=None)
    assert (high - low).max(axis=None) > 0.1  # the class leaves something open
    assert np.allclose(np.diag(low), 1) and np.allclose(np.diag(high), 1)


def test_parents_that_would_make_a_collider_are_left_out():
    chain = ValueGraph.from_edges(tuple("abc"), undirected=[("a", "b"), ("b", "c")])
    assert parent_sets(chain, "b") == [(), ("a",), ("c",)]
    triangle = ValueGraph.from_edges(tuple("abc"), undirected=[("a", "b"), ("b", "c"), ("a", "c")])
    assert parent_sets(triangle, "b") == [(), ("a",), ("c",), ("a", "c")]
    behind = ValueGraph.from_edges(
        tuple("abcd"), directed=[("a", "b")], undirected=[("b", "c"), ("b", "d"), ("a", "d")]
    )
    assert parent_sets(behind, "b") == [("a",), ("a", "d")]


def test_reach_follows_arrows_and_perhaps_open_edges():
    graph = ValueGraph.from_edges(tuple("abcd"), directed=[("a", "b")], undirected=[("b", "c")])
    firm, perhaps = reached(graph, possibly=False), reached(graph)
    assert firm.to_numpy().nonzero() == (np.array([0]), np.array([1]))
    assert perhaps.loc["a"].tolist() == [False, True, True, False]
    assert perhaps.loc["c"].tolist() == [False, True, False, False]


def test_an_effect_outside_the_reach_is_zero_where_the_graph_is_right():
    truth = load_truth("organism-alien")
    graph = truth.cpdag()
    largest = total_effects(graph, covariance_of(truth), over="max")
    outside = ~reached(graph).to_numpy() & ~np.eye(10, dtype=bool)
    assert outside.sum() > 30
    assert abs(largest.to_numpy()[outside]).max() < 1e-12


def test_what_cannot_be_told_is_refused():
    truth = random_model(4, seed=0)
    graph, covariance = truth.cpdag(), covariance_of(truth)
    with pytest.raises(ValueError, match="hidden common causes, got a PartialAncestralGraph"):
        total_effects(PartialAncestralGraph(("a", "b"), np.zeros((2, 2))), covariance)
    with pytest.raises(ValueError, match="unknown choice 'median'"):
        total_effects(graph, covariance, over="median")
    with pytest.raises(ValueError, match="not positive definite"):
        total_effects(graph, covariance * 0 + 1)
    with pytest.raises(ValueError, match="the same both ways"):
        total_effects(graph, covariance + np.triu(np.ones((4, 4)), 1))
    with pytest.raises(ValueError):
        total_effects(graph, covariance.iloc[:3, :3])
    with pytest.raises(ValueError, match="'z' is none of the values"):
        parent_sets(graph, "z")
