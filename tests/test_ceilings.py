"""Ceilings: agreement with the textbook formula and with what noise really leaves."""

import numpy as np
import pytest

from valuegraph.humans import load_human
from valuegraph.matrices import draw_correlations
from valuegraph.verdicts.band import pattern
from valuegraph.verdicts.ceilings import ceiling, split_half_people, split_half_scores, stepped_up

ESS = load_human().correlation.to_numpy()


def rows(n, seed):
    return np.random.default_rng(seed).multivariate_normal(np.zeros(10), ESS, size=n)


def test_both_sides_have_the_same_ceiling_if_they_are_the_same():
    of_roles = np.mean([split_half_scores(rows(200, seed), splits=20) for seed in range(20)])
    assert of_roles == pytest.approx(split_half_people(ESS, 200, splits=400), abs=0.03)


@pytest.mark.parametrize("n", [60, 200, 1000])
def test_the_ceiling_is_the_agreement_with_a_noise_free_twin(n):
    draws = draw_correlations(ESS, n, draws=500, rng=np.random.default_rng(1))
    twin = np.tanh(pattern(draws, ESS)).mean()
    assert ceiling(split_half_people(ESS, n, splits=400)) == pytest.approx(twin, abs=0.03)


def test_stepping_up_and_down_again_changes_nothing():
    assert stepped_up(0.6, 2) == pytest.approx(0.75)
    assert stepped_up(stepped_up(0.6, 3), 1 / 3) == pytest.approx(0.6)
    assert stepped_up(0.6, 1) == 0.6


def test_halves_that_do_not_agree_leave_nothing():
    assert ceiling(-0.2) == 0
    assert ceiling(1.0) == 1


def test_splits_are_seeded():
    data = rows(100, 0)
    assert split_half_scores(data, seed=1) == split_half_scores(data, seed=1)
    assert split_half_scores(data, seed=1) != split_half_scores(data, seed=2)
    assert split_half_people(ESS, 100, seed=1) == split_half_people(ESS, 100, seed=1)
