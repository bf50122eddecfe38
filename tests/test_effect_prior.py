"""The graph's prior: what it expects, when it helps, and when it keeps silent."""

import numpy as np
import pandas as pd
import pytest
from effect_prior import fit_prior

from valuegraph.interventions import Shift
from valuegraph.organisms import load_truth
from valuegraph.plans import effects_from_changes, shift_actions

TRUTH = load_truth("organism-human")
VALUES = list(TRUTH.values)
REACH = TRUTH.total_effects  # [cause, effect]
ROWS = 1.5 * REACH.to_numpy()


def pushing(rows, n, *, noise, seed):
    """Effects of actions with given true rows, measured on n roles with noise."""
    rows = np.asarray(rows, dtype=float)
    rng = np.random.default_rng(seed)
    changes = rows[:, None, :] + noise * rng.standard_normal((len(rows), n, len(VALUES)))
    shifts = [Shift(f"a{i}", 0, np.ones(3)) for i in range(len(rows))]
    return effects_from_changes(shift_actions(shifts, limit=1.0), changes, VALUES)


def error_of(effects, rows=ROWS):
    return float(np.sqrt(((effects.effect.to_numpy() - rows) ** 2).mean()))


def test_without_noise_effects_that_follow_the_graph_stay_as_they_are():
    prior = fit_prior(pushing(ROWS, 4, noise=1e-9, seed=0), REACH)
    assert np.allclose(prior.effects.effect, ROWS, atol=1e-6)
    assert np.allclose(prior.expected, ROWS, atol=1e-6)
    assert list(prior.cause) == VALUES


def test_the_true_graph_nearly_halves_the_error_of_few_roles_and_keeps_main_effects():
    before, after = [], []
    for seed in range(10):
        effects = pushing(ROWS, 4, noise=0.3, seed=seed)
        prior = fit_prior(effects, REACH)
        before.append(error_of(effects))
        after.append(error_of(prior.effects))
        for action, cause in prior.cause.items():
            assert prior.effects.effect.loc[action, cause] == effects.effect.loc[action, cause]
            assert prior.effects.error.loc[action, cause] == effects.error.loc[action, cause]
    assert np.mean(after) < 0.6 * np.mean(before)


def test_a_wrong_graph_does_little_harm_once_roles_are_many():
    wrong = pd.DataFrame(REACH.to_numpy()[::-1, ::-1], VALUES, VALUES)
    effects = pushing(ROWS, 60, noise=0.3, seed=1)
    prior = fit_prior(effects, wrong)
    assert error_of(prior.effects) < 1.2 * error_of(effects)
    assert prior.tau.median() > 0.1


def test_actions_that_push_several_values_have_a_larger_tau():
    mixed = ROWS + 1.2 * np.roll(ROWS, 3, axis=0)
    prior = fit_prior(pushing(np.vstack([ROWS, mixed]), 20, noise=0.1, seed=2), REACH)
    assert prior.tau[:10].max() < 0.2 < prior.tau[10:].min()
    assert prior.shares.sum() == pytest.approx(1)


def test_errors_cover_the_truth_as_often_as_they_should():
    inside = []
    for seed in range(20):
        effects = fit_prior(pushing(ROWS, 10, noise=0.3, seed=seed), REACH).effects
        inside.append((effects.effect - ROWS).abs() < 1.96 * effects.error)
    assert 0.88 < np.mean(inside) < 1.0


def test_actions_that_move_nothing_stay_as_measured():
    effects = pushing(np.zeros((5, 10)), 10, noise=0.3, seed=4)
    prior = fit_prior(effects, REACH)
    pd.testing.assert_frame_equal(prior.effects.effect, effects.effect)
    pd.testing.assert_frame_equal(prior.effects.error, effects.error)
    assert prior.tau.isna().all()


def test_total_effects_that_do_not_fit_are_refused():
    effects = pushing(ROWS, 4, noise=0.1, seed=5)
    with pytest.raises(ValueError, match="lack SD"):
        fit_prior(effects, REACH.drop(index="SD"))
    with pytest.raises(ValueError, match="missing"):
        fit_prior(effects, REACH.where(REACH != 1))
