"""Resampling: weights stand for resamples, the first row for the data, and seeds decide."""

import numpy as np
import pytest

from valuegraph.psychometrics.resampling import (
    correlation_of,
    interval_table,
    ratio,
    resampled_covariance,
    resampled_mean,
    role_weights,
    with_interval,
)


@pytest.fixture(scope="module")
def data():
    return np.random.default_rng(0).standard_normal((12, 3)) + [0, 100, -5]


def test_the_first_row_is_the_data_and_every_row_has_as_many_roles():
    weights = role_weights(12, 50, seed=0)
    assert weights.shape == (51, 12)
    assert (weights[0] == 1).all() and (weights.sum(axis=1) == 12).all()
    assert (weights == role_weights(12, 50, seed=0)).all()
    assert (weights != role_weights(12, 50, seed=1)).any()


def test_weights_give_what_a_resample_gives(data):
    weights = role_weights(12, 20, seed=3)
    means, covariances = resampled_mean(data, weights), resampled_covariance(data, weights)
    for row, mean, covariance in zip(weights, means, covariances, strict=True):
        resample = np.repeat(data, row.astype(int), axis=0)
        np.testing.assert_allclose(mean, resample.mean(axis=0))
        np.testing.assert_allclose(covariance, np.cov(resample, rowvar=False), atol=1e-12)
    np.testing.assert_allclose(correlation_of(covariances[0]), np.corrcoef(data, rowvar=False))


def test_means_of_any_shape_are_over_roles(data):
    cube = data.reshape(12, 3, 1) * np.ones(2)
    assert resampled_mean(cube, np.ones((1, 12))).shape == (1, 3, 2)
    np.testing.assert_allclose(resampled_mean(cube, np.ones((1, 12)))[0, :, 1], data.mean(axis=0))


def test_what_is_constant_has_exactly_no_variance():
    rare = np.zeros(12)
    rare[4] = 1.0
    constant = 0.1 + 1e-17 * np.arange(12)
    covariance = resampled_covariance(np.stack([rare, constant], 1), role_weights(12, 200, seed=0))
    without = role_weights(12, 200, seed=0)[:, 4] == 0
    assert without.any()
    assert (covariance[without, 0, 0] == 0).all() and (covariance[~without, 0, 0] > 0).all()
    assert (covariance[:, 1] == 0).all()
    assert np.isnan(correlation_of(covariance)[:, 0, 1]).all()


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng, covered = np.random.default_rng(1), 0
    for seed in range(300):
        sample = rng.standard_normal(60)
        draws = resampled_mean(sample, role_weights(60, 300, seed=seed))
        told = with_interval("mean", draws, level=0.9)
        covered += told["mean_low"] <= 0 <= told["mean_high"]
    assert covered / 300 == pytest.approx(0.9, abs=0.05)


def test_the_interval_is_between_quantiles_of_the_resamples_that_have_the_figure():
    draws = np.array([5.0, *range(101), np.nan, np.nan])
    told = with_interval("x", draws, level=0.9)
    assert told == pytest.approx({"x": 5.0, "x_low": 5.0, "x_high": 95.0})
    table = interval_table({"x": draws, "y": np.array([np.nan, 1.0])}, level=0.9)
    assert table.loc["x"].tolist() == pytest.approx([5.0, 5.0, 95.0])
    assert table.loc["y"].isna().all()


def test_without_resamples_there_is_no_interval():
    told = with_interval("x", np.array([2.0]))
    assert told["x"] == 2.0 and np.isnan(told["x_low"]) and np.isnan(told["x_high"])


def test_nothing_is_divided_by_zero():
    np.testing.assert_array_equal(ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])), [0.5, np.nan])


def test_options_out_of_range_are_named():
    with pytest.raises(ValueError, match=r"n_boot must be 0 .* got -1"):
        role_weights(5, -1, seed=0)
    with pytest.raises(ValueError, match="level must lie between 0 and 1.*got 95"):
        with_interval("x", np.zeros(3), level=95)
