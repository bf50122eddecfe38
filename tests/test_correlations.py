"""Correlation matrices: agreement with scipy and with rows, identities."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from valuegraph import correlations as of
from valuegraph.humans import load_human
from valuegraph.metrics import mantel, permutation_test

ESS, GSS = (load_human(name).correlation for name in ("ess11", "gss2012"))
STACK = np.stack([GSS, ESS])


def test_mantels_r_is_that_of_metrics_for_stacks_too():
    ess = ESS.to_numpy()
    assert of.mantel_r(STACK, ess) == pytest.approx([mantel(ESS, GSS), 1])
    assert of.mantel_r(STACK, STACK[::-1]) == pytest.approx(2 * [mantel(ESS, GSS)])
    assert of.mantel_r(0 * STACK, ess).tolist() == [0, 0]  # no pattern agrees with nothing
    assert np.tanh(of.pattern(STACK, ess)) == pytest.approx([mantel(ESS, GSS), of.CLOSEST])


def test_permuted_labels_give_the_p_value_of_the_permutation_test():
    noise = pd.DataFrame(np.random.default_rng(0).standard_normal((40, 10)), columns=ESS.columns)
    for guess in (GSS, noise.corr()):
        options = {"draws": 99, "seed": 3}
        expected = permutation_test(mantel, ESS, guess, larger_is_closer=True, **options).p_value
        p = of.permuted(guess.to_numpy(), ESS.to_numpy(), **options)
        assert p == expected
    assert of.permuted(np.eye(10), ESS.to_numpy(), draws=9, seed=0) == 1


def test_centring_is_that_of_rows():
    rows = np.random.default_rng(2).standard_normal((400, 10)) @ np.linalg.cholesky(ESS).T
    standard = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    result = of.centred(np.corrcoef(rows.T))
    expected = np.corrcoef((standard - standard.mean(axis=1, keepdims=True)).T)
    assert result == pytest.approx(expected)
    assert abs(np.linalg.eigvalsh(result)[0]) < 1e-10  # singular
    assert of.centred(STACK)[0] == pytest.approx(of.centred(GSS.to_numpy()))


def test_partial_correlations_are_those_of_residuals():
    rows = np.random.default_rng(3).standard_normal((300, 5)) @ np.triu(np.ones((5, 5)))
    others = np.column_stack([np.ones(300), rows[:, 2:]])
    left = [y - others @ np.linalg.lstsq(others, y)[0] for y in rows[:, :2].T]
    assert of.partial(np.corrcoef(rows.T))[0, 1] == pytest.approx(np.corrcoef(left)[0, 1])


def test_disattenuation_undoes_noise():
    reliability = np.linspace(0.4, 0.9, 10)
    noisy = ESS.to_numpy() * np.sqrt(np.outer(reliability, reliability))
    assert of.disattenuated(noisy, reliability) == pytest.approx(ESS.to_numpy())


def test_correlations_of_rows_are_pearsons_for_stacks_too():
    rows = np.random.default_rng(5).standard_normal((3, 25, 4)) @ np.triu(np.ones((4, 4)))
    assert of.correlations_of(rows) == pytest.approx(np.array([np.corrcoef(x.T) for x in rows]))


def test_rows_are_left_out_one_by_one():
    rows = np.random.default_rng(6).standard_normal((25, 4))
    expected = [np.corrcoef(np.delete(rows, i, axis=0).T) for i in range(25)]
    assert of.correlations_without_each(rows) == pytest.approx(np.array(expected))
    means = np.array([np.delete(rows[:, 0], i).mean() for i in range(25)])
    assert of.jackknife_error(means) == pytest.approx(stats.sem(rows[:, 0]))


def test_stepping_up_and_down_again_changes_nothing():
    assert of.stepped_up(0.6, 2) == pytest.approx(0.75)
    assert of.stepped_up(of.stepped_up(0.6, 3), 1 / 3) == pytest.approx(0.6)
    assert of.ceiling(-0.2) == 0 and of.ceiling(1.0) == 1
