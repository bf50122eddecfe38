"""Coefficients: textbook numbers, other ways to compute them, and what is not defined is NaN."""

from itertools import combinations

import numpy as np
import pytest

from valuegraph.psychometrics.coefficients import (
    cronbach_alpha,
    item_correlation,
    mean_of_pairs,
    random_halves,
    spearman_brown,
    split_half,
    variance_shares,
)

# Four people, three items; variances 5/3, 5/3 and 11/12; sums 4, 5, 10, 8.
BY_HAND = np.array([[1, 2, 1], [2, 1, 2], [3, 4, 3], [4, 3, 1]], dtype=float)


def covariance(data):
    return np.cov(data, rowvar=False)


def parallel(k, r):
    """Items of variance 1 that all correlate with r."""
    return np.full((k, k), r) + (1 - r) * np.eye(k)


@pytest.fixture(scope="module")
def items():
    rng = np.random.default_rng(0)
    return rng.standard_normal((50, 1)) + rng.standard_normal((50, 6)) * rng.uniform(0.5, 2, 6)


def test_alpha_by_hand():
    expected = 3 / 2 * (1 - (5 / 3 + 5 / 3 + 11 / 12) / (22.75 / 3))
    assert cronbach_alpha(covariance(BY_HAND)) == pytest.approx(expected)
    assert expected == pytest.approx(0.6593, abs=1e-4)


def test_alpha_is_the_mean_of_all_split_halves_by_rulon(items):
    # Cronbach (1951): alpha is the mean over all splits of 4 cov(a, b) / var(a + b).
    c = covariance(items)
    halves = [np.isin(np.arange(6), half) for half in combinations(range(6), 3)]
    by_rulon = [4 * (h @ c @ ~h) / c.sum() for h in halves]
    assert cronbach_alpha(c) == pytest.approx(np.mean(by_rulon))


def test_alpha_of_parallel_items_is_their_correlation_stepped_up():
    for k, r in [(2, 0.3), (4, 0.5), (10, 0.1)]:
        assert cronbach_alpha(parallel(k, r)) == pytest.approx(spearman_brown(r, factor=k))


def test_spearman_brown_by_hand():
    assert spearman_brown(0.5) == pytest.approx(2 / 3)
    assert spearman_brown(0.8, factor=3) == pytest.approx(2.4 / 2.6)
    # Twice as long, then half as long, is as long as before.
    assert spearman_brown(spearman_brown(0.37), factor=0.5) == pytest.approx(0.37)
    assert np.isnan(spearman_brown(-1.0))


@pytest.mark.parametrize(("k", "r"), [(2, 0.4), (4, 0.5), (8, 0.2)])
def test_split_half_of_parallel_items_is_alpha(k, r):
    halves = random_halves(np.ones(k), 7, seed=0)
    assert split_half(parallel(k, r), halves) == pytest.approx(cronbach_alpha(parallel(k, r)))


def test_split_half_is_the_correlation_of_half_sums_stepped_up(items):
    halves = random_halves(np.array([1, 1, 1, -1, -1, -1]), 30, seed=1)
    by_splits = [
        np.corrcoef(items[:, half].sum(axis=1), items[:, ~half].sum(axis=1))[0, 1]
        for half in halves
    ]
    expected = spearman_brown(np.mean(by_splits))
    assert split_half(covariance(items), halves) == pytest.approx(expected)


@pytest.mark.parametrize(
    "keys", [[1, 1, -1, -1], [1, 1, 1, -1], [1] * 5, [1, 1, 1, -1, -1, -1, -1]]
)
def test_halves_share_out_items_and_keys_evenly(keys):
    keys = np.array(keys, dtype=float)
    halves = random_halves(keys, 200, seed=0)
    assert (abs(2 * halves.sum(axis=1) - len(keys)) <= 1).all()
    for key in (1, -1):
        of_key = halves[:, keys == key]
        assert (abs(2 * of_key.sum(axis=1) - of_key.shape[1]) <= 1).all()
    assert (halves.mean(axis=0) > 0.3).all() and (halves.mean(axis=0) < 0.7).all()
    assert (random_halves(keys, 200, seed=0) == halves).all()
    assert (random_halves(keys, 200, seed=1) != halves).any()


def test_item_correlation_is_the_mean_below_the_diagonal(items):
    r = np.corrcoef(items, rowvar=False)
    expected = np.mean([r[i, j] for i, j in combinations(range(6), 2)])
    assert item_correlation(covariance(items)) == pytest.approx(expected)


def test_an_item_that_does_not_vary_is_left_out_of_correlations_only(items):
    constant = np.column_stack([items, np.full(50, 3.0)])
    assert item_correlation(covariance(constant)) == pytest.approx(
        item_correlation(covariance(items))
    )
    # For alpha it is an item like others: it adds nothing to the sum, but to the length.
    assert cronbach_alpha(covariance(constant)) == pytest.approx(
        cronbach_alpha(covariance(items)) * (7 / 6) / (6 / 5)
    )


def test_coefficients_do_not_depend_on_the_unit_or_the_order_of_items(items):
    halves = random_halves(np.ones(6), 20, seed=0)
    order = np.random.default_rng(1).permutation(6)
    there, other = covariance(items), covariance(3 - 2 * items[:, order])
    assert cronbach_alpha(other) == pytest.approx(cronbach_alpha(there))
    assert item_correlation(other) == pytest.approx(item_correlation(there))
    assert split_half(other, halves[:, order]) == pytest.approx(split_half(there, halves))


def test_a_stack_of_matrices_gives_a_stack_of_figures(items):
    stack = np.stack([covariance(items), covariance(items[:20])])
    halves = random_halves(np.ones(6), 5, seed=0)
    for figure in (cronbach_alpha, item_correlation, lambda c: split_half(c, halves)):
        np.testing.assert_allclose(figure(stack), [figure(c) for c in stack])


def test_what_is_not_defined_is_nan():
    one, flat = np.ones((1, 1)), np.zeros((4, 4))
    halves = random_halves(np.ones(4), 3, seed=0)
    assert np.isnan(cronbach_alpha(one)) and np.isnan(cronbach_alpha(flat))
    assert np.isnan(item_correlation(one)) and np.isnan(item_correlation(flat))
    assert np.isnan(split_half(one, halves[:, :1])) and np.isnan(split_half(flat, halves))
    assert np.isnan(mean_of_pairs(np.eye(3), []))
    assert np.isnan(variance_shares(np.zeros(1), one, 10)).all()
    assert np.isnan(variance_shares(np.zeros(4), flat, 10)).all()


# variance of scores over roles and formats


def anova_shares(scores):
    """Two-way random effects by sums of squares, as in a textbook."""
    n, f = scores.shape
    grand, by_role, by_format = scores.mean(), scores.mean(axis=1), scores.mean(axis=0)
    rest = scores - by_role[:, None] - by_format + grand
    ms_role = f * ((by_role - grand) ** 2).sum() / (n - 1)
    ms_format = n * ((by_format - grand) ** 2).sum() / (f - 1)
    ms_rest = (rest**2).sum() / ((n - 1) * (f - 1))
    parts = [(ms_role - ms_rest) / f, (ms_format - ms_rest) / n, ms_rest]
    parts = np.maximum(parts, 0)
    return parts / parts.sum()


def shares_of(scores):
    return variance_shares(scores.mean(axis=0), covariance(scores), len(scores))


def test_variance_shares_are_those_of_an_analysis_of_variance():
    rng = np.random.default_rng(0)
    for _ in range(5):
        scores = rng.standard_normal((30, 1)) + rng.standard_normal(4) + rng.normal(0, 2, (30, 4))
        np.testing.assert_allclose(shares_of(scores), anova_shares(scores))


def test_known_variances_are_recovered():
    rng = np.random.default_rng(1)
    roles, formats = rng.normal(0, 2, (4000, 1)), rng.normal(0, 1, 300)
    scores = roles + formats + rng.normal(0, 3, (4000, 300))
    np.testing.assert_allclose(shares_of(scores), np.array([4, 1, 9]) / 14, atol=0.02)


def test_equal_scores_in_all_formats_are_all_the_roles():
    scores = np.random.default_rng(2).standard_normal((20, 1)) * np.ones(3)
    np.testing.assert_allclose(shares_of(scores), [1, 0, 0], atol=1e-12)
    moved = shares_of(scores + [0, 5, 0])  # the format is all that adds
    assert moved[1] > 0.5 and moved[2] == pytest.approx(0, abs=1e-12)


def test_too_few_splits_are_refused():
    with pytest.raises(ValueError, match="n_splits must be at least 1, got 0"):
        random_halves(np.ones(4), 0, seed=0)
