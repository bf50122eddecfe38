"""Effects that a graph tells: true ones on a known graph, those of the class on an open one."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from statsmodels.api import OLS, add_constant

from valuegraph.graph import CIRCLE, ValueGraph, reached, total_effects

VALUES = tuple("abcdef")


def random_model(seed, share=0.6):
    """Draw weights [cause, effect] and the covariances that they imply."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(6)
    weights = np.triu(rng.normal(size=(6, 6)) * (rng.random((6, 6)) < share), 1)
    weights = weights[np.ix_(order, order)]
    total = np.linalg.inv(np.eye(6) - weights)
    noise = np.diag(rng.uniform(0.5, 2, 6))
    return weights, total, pd.DataFrame(total.T @ noise @ total, VALUES, VALUES)


def test_on_the_true_graph_effects_are_true_and_outside_the_reach_they_are_zero():
    for seed in range(5):
        weights, total, covariance = random_model(seed)
        graph = ValueGraph.from_adjacency(VALUES, weights != 0)
        effects = total_effects(graph, covariance)
        assert np.allclose(effects, total)
        assert (reached(graph) | np.eye(6, dtype=bool)).to_numpy()[abs(total) > 1e-9].all()


def test_open_effects_lie_among_those_of_all_graphs_of_the_class():
    for seed in range(8):
        weights, _, covariance = random_model(seed)
        graph = ValueGraph.from_adjacency(VALUES, weights != 0).cpdag()
        of_dags = []
        for turns in product((False, True), repeat=len(graph.undirected_edges)):
            adjacency = graph.adjacency.copy()
            for (a, b), turn in zip(graph.undirected_edges, turns, strict=True):
                edge = (VALUES.index(a), VALUES.index(b))
                adjacency[edge if turn else edge[::-1]] = False
            try:
                if ValueGraph.from_adjacency(VALUES, adjacency).cpdag() == graph:
                    dag = ValueGraph.from_adjacency(VALUES, adjacency)
                    of_dags.append(total_effects(dag, covariance))
            except ValueError:  # a cycle
                continue
        mean, low, high = total_effects(graph, covariance), *np.quantile(of_dags, [0, 1], axis=0)
        assert ((low <= mean + 1e-9) & (mean <= high + 1e-9)).all(axis=None)
        told = np.isclose(low, high)
        assert told.any() and np.allclose(mean.to_numpy()[told], low[told])
        assert np.allclose(np.diag(mean), 1)


def test_the_effects_of_a_linear_regression_on_the_same_rows():
    weights, total, _ = random_model(3)
    rows = np.random.default_rng(0).standard_normal((200, 6)) @ total
    rows = pd.DataFrame(rows, columns=list(VALUES))
    graph = ValueGraph.from_adjacency(VALUES, weights != 0)
    effects = total_effects(graph, rows.cov())
    for cause in VALUES:
        parents = [a for a, b in graph.directed_edges if b == cause]
        for effect in set(VALUES) - {cause, *parents}:
            fit = OLS(rows[effect], add_constant(rows[[cause, *parents]])).fit()
            assert effects.loc[cause, effect] == pytest.approx(fit.params[cause])


def test_reach_follows_arrows_and_open_edges():
    graph = ValueGraph.from_adjacency(list("abc"), [[0, 1, 0], [0, 0, 1], [0, 1, 0]])
    assert reached(graph).loc["a"].tolist() == [False, True, True]
    assert reached(graph).loc["c"].tolist() == [False, True, False]


def test_what_cannot_be_told_is_refused():
    weights, _, covariance = random_model(0)
    graph = ValueGraph.from_adjacency(VALUES, weights != 0).cpdag()
    hidden = ValueGraph(("a", "b"), [[0, CIRCLE], [CIRCLE, 0]])
    for message, arguments in {
        "without hidden causes": (hidden, covariance),
        "finite and symmetric": (graph, covariance + np.triu(np.ones((6, 6)), 1)),
        "over a, b, c": (graph, covariance.iloc[:3, :3]),
        "singular": (graph, covariance * 0 + 1),
    }.items():
        with pytest.raises(ValueError, match=message):
            total_effects(*arguments)
