"""Pooled rows as an array, and the three ways of removing dependence between values."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.paper.pooled import NULLS, PooledScores
from valuegraph.simulation import random_model


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    return random_model(5, rng).scores(12, rng, interventions=3)


@pytest.fixture
def pooled(scores):
    return PooledScores.from_scores(scores)


def test_every_score_is_in_its_place_whatever_the_order_of_rows(scores, pooled):
    assert pooled.array.shape == (12, 4, 5)
    assert pooled.n == 48
    for i, role in enumerate(pooled.roles):
        for j, intervention in enumerate(pooled.interventions):
            row = scores.loc[(intervention, role)]
            np.testing.assert_array_equal(pooled.array[i, j], row)
    np.testing.assert_allclose(pooled.correlation, scores.corr())
    shuffled = scores.sample(frac=1, random_state=1).swaplevel()
    other = PooledScores.from_scores(shuffled)
    back = [other.roles.index(role) for role in pooled.roles]
    across = [other.interventions.index(name) for name in pooled.interventions]
    np.testing.assert_array_equal(other.array[back][:, across], pooled.array)


@pytest.mark.parametrize("null", NULLS)
def test_each_value_keeps_its_own_scores(pooled, null):
    mixed = pooled.without_dependence(np.random.default_rng(1), null).array
    assert (mixed != pooled.array).any()
    for k in range(5):
        np.testing.assert_array_equal(
            np.sort(mixed[:, :, k], axis=None), np.sort(pooled.array[:, :, k], axis=None)
        )
    same_clusters = np.allclose(
        np.sort(mixed.mean(axis=1), axis=0), np.sort(pooled.array.mean(axis=1), axis=0)
    )
    assert same_clusters == (null != "rows")
    in_step = np.allclose(mixed.mean(axis=0), pooled.array.mean(axis=0))
    assert in_step == (null == "in step")


def test_dependence_is_gone_on_average():
    rng = np.random.default_rng(2)
    base = np.repeat(rng.standard_normal((200, 1, 1)), 3, axis=2) + np.zeros((200, 4, 1))
    pooled = PooledScores(("a", "b", "c"), tuple("wxyz"), tuple(map(str, range(200))), base)
    assert pooled.correlation[0, 1] == pytest.approx(1)
    drawn = [pooled.without_dependence(rng).correlation[0, 1] for _ in range(200)]
    assert abs(np.mean(drawn)) < 4 * np.std(drawn) / np.sqrt(200)


def test_resamples_take_roles_whole(pooled):
    drawn = pooled.resampled(np.random.default_rng(3))
    assert len(drawn.roles) == 12
    assert len(set(drawn.roles)) < 12
    for name, block in zip(drawn.roles, drawn.array, strict=True):
        np.testing.assert_array_equal(block, pooled.array[pooled.roles.index(name)])


def test_within_interventions_every_mean_is_zero(pooled):
    within = pooled.within_interventions()
    np.testing.assert_allclose(within.array.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.ptp(within.array - pooled.array, axis=0), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda s: s.reset_index(drop=True), "levels 'intervention' and 'role'"),
        (lambda s: s.iloc[:-1], "'role 11' has no row under intervention 'f3'"),
        (lambda s: pd.concat([s, s.iloc[:1]]), "comes more than once"),
        (lambda s: s.assign(v00=1.0), "v00 do not vary"),
    ],
)
def test_rows_that_cannot_be_pooled_are_refused(scores, break_it, message):
    with pytest.raises(ValueError, match=message):
        PooledScores.from_scores(break_it(scores))


def test_an_unknown_null_is_refused(pooled):
    with pytest.raises(ValueError, match="unknown null 'all'; choose one of rows, clusters"):
        pooled.without_dependence(np.random.default_rng(0), "all")
