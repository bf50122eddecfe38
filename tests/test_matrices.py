"""Matrices: agreement with scipy and with rows, identities, what is refused."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from valuegraph.humans import load_human
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.matrices import (
    MATRIX_METRICS,
    as_correlation,
    centred,
    circle_distances,
    circular_fit,
    correlations_without_each,
    disattenuated,
    draw_correlations,
    jackknife_error,
    mantel,
    paired_correlations,
    partial,
)

ESS = load_human("ess11").correlation
GSS = load_human("gss2012").correlation
UPPER = np.triu_indices(10, 1)


def test_mantel_is_pearsons_r_over_pairs():
    expected = stats.pearsonr(ESS.to_numpy()[UPPER], GSS.to_numpy()[UPPER]).statistic
    assert mantel(ESS, GSS) == pytest.approx(expected)


def test_mantel_asks_for_the_pattern_only():
    other = 0.3 * ESS + 0.2
    assert mantel(ESS, other) == pytest.approx(1)
    assert mantel(ESS, -other) == pytest.approx(-1)


def test_circular_fit_agrees_with_somers_d():
    distance, correlation = paired_correlations(circle_distances(), ESS)
    expected = stats.somersd(distance, -correlation).statistic
    assert circular_fit(circle_distances(), ESS) == pytest.approx(expected)


def test_circular_fit_agrees_with_a_loop_over_predictions():
    rng = np.random.default_rng(0)
    matrix = np.corrcoef(rng.standard_normal((10, 30)).round(0))
    pairs = [(abs(i - j), matrix[i, j]) for i in range(10) for j in range(i)]
    pairs = [(min(steps, 10 - steps), r) for steps, r in pairs]
    met = violated = predictions = 0
    for near, r_near in pairs:
        for far, r_far in pairs:
            if near < far:
                predictions += 1
                met += r_near > r_far
                violated += r_near < r_far
    assert predictions == 800
    frame = pd.DataFrame(matrix, SCHWARTZ_ORDER, SCHWARTZ_ORDER)
    assert circular_fit(circle_distances(), frame) == pytest.approx((met - violated) / 800)


def test_a_perfect_circle_fits_perfectly_and_its_reverse_not_at_all():
    circle = circle_distances()
    assert circular_fit(circle, 1 - circle / 5) == 1
    assert circular_fit(circle, circle / 5) == -1


def test_people_follow_the_circle():
    assert circular_fit(circle_distances(), ESS) > 0.6
    assert circular_fit(circle_distances(ESS.columns[::-1]), GSS) > 0.6


@pytest.mark.parametrize("metric", MATRIX_METRICS.values(), ids=MATRIX_METRICS)
def test_the_order_of_the_values_changes_nothing(metric):
    shuffled = list(np.random.default_rng(1).permutation(ESS.columns))
    truth = circle_distances() if metric is circular_fit else GSS
    expected = metric(truth, ESS)
    assert metric(truth, ESS.loc[shuffled, shuffled]) == pytest.approx(expected)
    assert metric(truth.loc[shuffled, shuffled], ESS) == pytest.approx(expected)


def test_centring_is_that_of_rows():
    rows = np.random.default_rng(2).standard_normal((400, 10)) @ np.linalg.cholesky(ESS).T
    standard = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    expected = np.corrcoef((standard - standard.mean(axis=1, keepdims=True)).T)
    result = centred(np.corrcoef(rows.T))
    assert result == pytest.approx(expected)
    assert abs(np.linalg.eigvalsh(result)[0]) < 1e-10  # singular
    assert centred(np.stack([ESS, GSS]))[1] == pytest.approx(centred(GSS.to_numpy()))


def test_partial_correlations_are_those_of_residuals():
    rows = np.random.default_rng(3).standard_normal((300, 5)) @ np.triu(np.ones((5, 5)))
    others = np.column_stack([np.ones(300), rows[:, 2:]])
    left = [y - others @ np.linalg.lstsq(others, y)[0] for y in rows[:, :2].T]
    assert partial(np.corrcoef(rows.T))[0, 1] == pytest.approx(np.corrcoef(left)[0, 1])


def test_disattenuation_undoes_noise():
    rng = np.random.default_rng(4)
    true = rng.multivariate_normal(np.zeros(10), ESS, size=200_000)
    reliability = np.linspace(0.4, 0.9, 10)
    noisy = true + rng.standard_normal(true.shape) * np.sqrt(1 / reliability - 1)
    attenuated = np.corrcoef(noisy.T)[UPPER]
    restored = disattenuated(np.corrcoef(noisy.T), reliability)[UPPER]
    assert np.abs(attenuated - ESS.to_numpy()[UPPER]).max() > 0.1
    assert np.abs(restored - ESS.to_numpy()[UPPER]).max() < 0.02


def test_draws_are_distributed_as_correlations_of_rows():
    rng = np.random.default_rng(5)
    draws = draw_correlations(ESS.to_numpy(), 60, draws=3000, rng=rng)
    rows = rng.multivariate_normal(np.zeros(10), ESS, size=(3000, 60))
    direct = np.array([np.corrcoef(sample.T) for sample in rows])
    for i, j in ((0, 1), (8, 9), (2, 6)):
        assert stats.ks_2samp(draws[:, i, j], direct[:, i, j]).pvalue > 0.01
    assert np.linalg.eigvalsh(draws).min() > 0
    assert as_correlation(draws) == pytest.approx(draws)


def test_rows_are_left_out_one_by_one():
    rows = np.random.default_rng(6).standard_normal((25, 4))
    expected = [np.corrcoef(np.delete(rows, i, axis=0).T) for i in range(25)]
    assert correlations_without_each(rows) == pytest.approx(np.array(expected))
    # The jackknife of a mean is its textbook standard error.
    means = [np.delete(rows[:, 0], i).mean() for i in range(25)]
    assert jackknife_error(np.array(means)) == pytest.approx(stats.sem(rows[:, 0]))


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="same values on both sides.*the guess SE, CO and SE, CO"):
        mantel(ESS, GSS.iloc[:2, :2])
    with pytest.raises(ValueError, match="no pattern"):
        mantel(ESS, ESS * 0 + 0.3)
    with pytest.raises(ValueError, match="at least 3 values"):
        mantel(ESS.iloc[:2, :2], GSS.iloc[:2, :2])
    with pytest.raises(ValueError, match="equally distant"):
        circular_fit(ESS * 0, ESS)
    with pytest.raises(ValueError, match="Empathy have no place on the circle"):
        circle_distances(["SE", "Empathy"])
    with pytest.raises(ValueError, match="10 rows are too few"):
        draw_correlations(ESS.to_numpy(), 10, draws=1, rng=np.random.default_rng(0))
