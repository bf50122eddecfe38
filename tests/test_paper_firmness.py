"""Adjacencies over resampled roles: those of a graph stay, those of the null come and go alike."""

import numpy as np
import pytest

from valuegraph.paper.firmness import Firmness, firmness
from valuegraph.paper.pooled import PooledScores
from valuegraph.simulation import random_model


def pooled_of(*, effects, between, seed=0):
    rng = np.random.default_rng(seed)
    model = random_model(8, rng, low=0.4)
    model = model if effects else model.without_effects()
    return PooledScores.from_scores(model.scores(80, rng, interventions=6, between=between))


def test_thresholds_by_hand():
    firm = Firmness(np.array([1.0, 0.8, 0.3]), (np.array([0.9]), np.array([]), np.array([0.8] * 3)))
    assert [firm.firm(x) for x in (0, 0.3, 0.8, 0.81, 1)] == [3, 3, 2, 1, 1]
    assert firm.firm_null().tolist() == [1, 0, 3]
    assert firm.p_value() == 2 / 4
    assert firm.p_value(1.0) == 1 / 4


def test_the_edges_of_a_graph_are_firm_and_more_than_by_chance():
    firm = firmness(
        pooled_of(effects=True, between=0.3), resamples=60, null_draws=19, null_resamples=30
    )
    assert firm.firm() >= 6
    assert firm.p_value() == 0.05
    assert (np.diff(firm.frequencies) <= 0).all()


def test_clusters_make_edges_that_look_firm_and_are_in_the_null_as_well():
    found = [
        firmness(
            pooled_of(effects=False, between=0.9, seed=seed),
            resamples=60,
            null_draws=10,
            null_resamples=30,
        )
        for seed in range(5)
    ]
    own = np.mean([each.firm() for each in found])
    null = np.mean([each.firm_null().mean() for each in found])
    assert own > 1
    assert abs(own - null) < 0.5 * null + 1
    assert np.mean([each.p_value() for each in found]) > 0.15


def test_the_seed_decides():
    pooled = pooled_of(effects=True, between=0.5)
    options = {"resamples": 30, "null_draws": 2, "null_resamples": 10}
    one, two = (firmness(pooled, seed=3, **options) for _ in range(2))
    np.testing.assert_array_equal(one.frequencies, two.frequencies)
    for a, b in zip(one.null, two.null, strict=True):
        np.testing.assert_array_equal(a, b)


def test_numbers_below_one_are_refused():
    with pytest.raises(ValueError, match="must be at least 1, got 500, 0 and 100"):
        firmness(pooled_of(effects=False, between=0.5), null_draws=0)
