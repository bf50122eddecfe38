"""Pooled interventions: calibrated under the null, and help with directions."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.confidence import bootstrap
from valuegraph.discovery import discover
from valuegraph.search.contexts import ContextProblem, effective_rows
from valuegraph.simulation import SimulatedModel, random_model


def pooled(seed=0, roles=80, interventions=4, d=5, between=0.6, **options):
    rng = np.random.default_rng(seed)
    model = random_model(d, rng, degree=2, low=0.4, high=0.6)
    return model, model.scores(roles, rng, interventions=interventions, between=between, **options)


def test_equally_correlated_rows_give_the_textbook_design_effect():
    rng = np.random.default_rng(0)
    roles, m, r = 20_000, 5, 0.5
    scores = np.sqrt(r) * rng.standard_normal((roles, 1, 2))
    scores = scores + np.sqrt(1 - r) * rng.standard_normal((roles, m, 2))
    expected = (roles * m - (m - 1)) / (1 + (m - 1) * r * r)
    assert effective_rows(scores)[0, 1] == pytest.approx(expected, rel=0.03)


def test_rows_without_clusters_are_worth_themselves():
    scores = np.random.default_rng(1).standard_normal((20_000, 4, 3))
    assert effective_rows(scores)[0, 1] == pytest.approx(80_000, rel=0.01)


def test_false_edges_stay_near_alpha_where_naive_rows_give_many():
    rng = np.random.default_rng(2)
    model = random_model(8, rng).without_effects()
    honest, naive, reached = [], [], []
    for _ in range(60):
        scores = model.scores(60, rng, interventions=8, between=0.7, shift=0.0)
        graph = discover(scores, contexts=True, alpha=0.05, null_draws=0)
        honest.append(graph.among(model.values).n_edges / 28)
        reached.append(graph.info["context_edges"] / 64)
        naive.append(discover(scores.reset_index(drop=True), alpha=0.05, null_draws=0).n_edges / 28)
    assert np.mean(honest) < 1.5 * 0.05
    assert np.mean(reached) < 1.5 * 0.05
    assert np.mean(naive) > 4 * 0.05


def test_interventions_are_causes_only_and_are_not_joined():
    model, scores = pooled(shift=1.5)
    graph = discover(scores, contexts=True, null_draws=5)
    assert graph.values == (*model.values, "do(f1)", "do(f2)", "do(f3)", "do(f4)")
    contexts = graph.values[5:]
    assert graph.info["context_edges"] > 0
    assert not any(effect in contexts for _, effect in graph.directed_edges)
    assert not any(a in contexts for edge in graph.undirected_edges for a in edge)
    assert graph.info["n_effective"] < graph.info["n"] == 400
    assert "effective n = " in graph.caption and "null" in graph.caption


def test_an_intervention_tells_the_direction_of_an_edge():
    # a -> b alone: no correlation can direct it, an intervention on either value can.
    model = SimulatedModel(("a", "b"), np.array([[0, 0], [0.8, 0]]))
    for seed in range(6):
        rng = np.random.default_rng(seed)
        scores = model.scores(400, rng, interventions=1, between=0.3, shift=1.0)
        graph = discover(scores, contexts=True, null_draws=0)
        assert ("a", "b") in graph.directed_edges
        assert ("b", "a") not in graph.directed_edges


def test_the_null_keeps_clusters_and_interventions():
    _, scores = pooled()
    problem = ContextProblem.from_scores(scores, None)
    mixed = problem.independent(np.random.default_rng(0))
    assert np.allclose(mixed.scores.mean(axis=0), problem.scores.mean(axis=0))
    assert np.allclose(effective_rows(mixed.scores), problem.n_pairs)
    within = np.sort(mixed.scores[:, 0, 0])
    assert np.allclose(within, np.sort(problem.scores[:, 0, 0]))


def test_order_of_columns_rows_and_workers_changes_nothing():
    _, scores = pooled()
    rng = np.random.default_rng(3)
    first = discover(scores, contexts=True, null_draws=3)
    for _ in range(10):
        shuffled = scores[rng.permutation(scores.columns)].sample(frac=1, random_state=1)
        other = discover(shuffled, contexts=True, null_draws=3)
        assert other == first
        assert other.info["null_edges"] == first.info["null_edges"]
    options = {"contexts": True, "n_resamples": 60, "null_draws": 2, "null_resamples": 10}
    one, two = bootstrap(scores, **options), bootstrap(scores, n_jobs=2, **options)
    assert (one.directions == two.directions).all() and (one.null == two.null).all()
    assert "null" in one.graph().caption


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s.reset_index(drop=True), "levels 'intervention' and 'role'"),
        (lambda s: s.drop("none", level="intervention"), "contexts need rows without intervention"),
        (lambda s: s.xs("none", drop_level=False), "and rows with one; the scores have none"),
        (lambda s: s.iloc[:-1], "role 'role 79' has rows under only one of 'none' and 'f4'"),
        (lambda s: pd.concat([s, s.head(1)]), "'none', role 'role 0' has more than one row"),
        (lambda s: s.assign(v00=1.0), "v00 do not vary"),
        (lambda s: s.assign(v00=2 * s["v01"]), "v00, v01 are linearly dependent"),
        (lambda s: s.rename(columns={"v00": "do(f1)"}), "the name of an intervention"),
    ],
)
def test_scores_that_cannot_be_pooled_are_named(spoil, message):
    _, scores = pooled()
    with pytest.raises(ValueError, match=message):
        discover(spoil(scores), contexts=True)


def test_other_methods_are_refused():
    _, scores = pooled()
    with pytest.raises(ValueError, match="contexts are searched by method 'pc' alone, got 'fci'"):
        discover(scores, contexts=True, method="fci")
