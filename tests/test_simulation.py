"""Simulated scores: their covariances are those of the model, their clusters those asked for."""

import numpy as np
import pytest

from valuegraph.graphs.orientation import reachable
from valuegraph.simulation import SimulatedModel, random_model


def test_random_models_are_acyclic_with_weights_in_range():
    rng = np.random.default_rng(0)
    edges = []
    for _ in range(50):
        model = random_model(8, rng, degree=3, low=0.2, high=0.5)
        assert not np.diag(reachable(model.adjacency)).any()
        sizes = np.abs(model.weights[model.weights != 0])
        assert ((sizes >= 0.2) & (sizes <= 0.5)).all()
        edges.append(len(sizes))
    assert np.mean(edges) * 2 / 8 == pytest.approx(3, abs=0.3)


def test_scores_follow_the_model():
    model = SimulatedModel(("a", "b"), np.array([[0, 0], [0.5, 0]]))
    scores = model.scores(40_000, np.random.default_rng(1)).xs("none")
    assert np.allclose(np.cov(scores.to_numpy().T), [[1, 0.5], [0.5, 1.25]], atol=0.03)
    assert np.abs(model.without_effects().weights).sum() == 0


def test_rows_of_a_role_are_as_alike_as_asked_and_interventions_shift_one_value():
    model = SimulatedModel(("a", "b"), np.zeros((2, 2)))
    rng = np.random.default_rng(2)
    scores = model.scores(40_000, rng, interventions=1, between=0.7, shift=2.0)
    none, other = (scores.xs(name)["a"].to_numpy() for name in ("none", "f1"))
    assert np.corrcoef(none, other)[0, 1] == pytest.approx(0.7, abs=0.02)
    moved = scores.xs("f1").mean() - scores.xs("none").mean()
    assert sorted(moved.round(1).abs()) == [0.0, 2.0]
