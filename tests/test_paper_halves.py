"""Halves of the roles: they agree about a graph, and as in the null where there is none."""

import numpy as np
import pytest

from valuegraph.graphs.graph import ValueGraph
from valuegraph.graphs.metrics import skeleton_f1
from valuegraph.paper.halves import HalfAgreement, half_agreement, skeleton_agreement
from valuegraph.paper.pooled import PooledScores
from valuegraph.simulation import random_model


def pooled_of(*, effects, between, seed=0):
    rng = np.random.default_rng(seed)
    model = random_model(9, rng, low=0.4)
    model = model if effects else model.without_effects()
    return PooledScores.from_scores(model.scores(80, rng, interventions=6, between=between))


def test_agreement_is_the_metric_of_the_library():
    rng = np.random.default_rng(0)
    upper = np.triu(rng.random((2, 15, 5, 5)) < 0.3, 1)
    one, other = upper | np.swapaxes(upper, -1, -2)
    one[0] = other[0] = False
    found = skeleton_agreement(one, other)
    for number, a, b in zip(found, one, other, strict=True):
        assert number == pytest.approx(skeleton_f1(ValueGraph(tuple("abcde"), a),
                                                   ValueGraph(tuple("abcde"), b)))  # fmt: skip
    assert found[0] == 1


def test_halves_agree_where_there_is_a_graph():
    found = half_agreement(
        pooled_of(effects=True, between=0.3), splits=15, null_draws=19, null_splits=5
    )
    assert found.mean > 0.6
    assert found.mean > found.relabelled.mean() + 0.2
    assert found.p_value == 0.05


def test_halves_agree_as_in_the_null_where_there_is_none():
    p_values = [
        half_agreement(
            pooled_of(effects=False, between=0.7, seed=seed),
            splits=10,
            null_draws=19,
            null_splits=5,
        ).p_value
        for seed in range(6)
    ]
    assert np.mean(p_values) > 0.2


def test_p_value_by_hand_and_the_seed_decides():
    by_hand = HalfAgreement(np.array([0.2, 0.4]), np.array([0.1]), np.array([0.1, 0.3, 0.5]))
    assert by_hand.mean == pytest.approx(0.3)
    assert by_hand.p_value == 3 / 4
    pooled = pooled_of(effects=True, between=0.5)
    one, two = (
        half_agreement(pooled, splits=3, null_draws=2, null_splits=2, seed=4) for _ in range(2)
    )
    np.testing.assert_array_equal(one.splits, two.splits)
    np.testing.assert_array_equal(one.null, two.null)


def test_what_cannot_be_halved_is_refused():
    pooled = pooled_of(effects=False, between=0.5)
    with pytest.raises(ValueError, match="at least 4 roles, got 3"):
        half_agreement(pooled.among([0, 1, 2]))
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        half_agreement(pooled, splits=0)
