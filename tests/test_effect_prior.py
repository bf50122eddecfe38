"""The graph's prior: what it expects, when it helps, and when it keeps silent."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.interventions import Shift
from valuegraph.organisms.shipped import load_truth
from valuegraph.steering.action_effects import effects_from_changes
from valuegraph.steering.actions import shift_action
from valuegraph.steering.effect_prior import fit_prior

TRUTH = load_truth("organism-human")
VALUES = list(TRUTH.values)
REACH = pd.DataFrame(TRUTH.total_effects.T, VALUES, VALUES)  # cause by effect


def pushing(rows, n, *, noise, seed):
    """Effects of actions with given true rows, measured on n roles with noise."""
    rows = np.asarray(rows, dtype=float)
    rng = np.random.default_rng(seed)
    changes = rows[:, None, :] + noise * rng.standard_normal((len(rows), n, len(VALUES)))
    actions = [shift_action(Shift(f"a{i}", 0, np.ones(3)), limit=1) for i in range(len(rows))]
    return effects_from_changes(actions, changes, VALUES)


def error_of(effects, rows):
    return float(np.sqrt(((effects.effect.to_numpy() - rows) ** 2).mean()))


def test_without_noise_effects_that_follow_the_graph_stay_as_they_are():
    rows = 1.5 * REACH.to_numpy()
    prior = fit_prior(pushing(rows, 4, noise=1e-9, seed=0), REACH)
    assert np.allclose(prior.effects.effect, rows, atol=1e-6)
    assert np.allclose(prior.expected, rows, atol=1e-6)
    assert list(prior.cause) == VALUES


def test_the_true_graph_halves_the_error_of_few_roles():
    rows = 1.5 * REACH.to_numpy()
    measured, helped = [], []
    for seed in range(10):
        effects = pushing(rows, 4, noise=0.3, seed=seed)
        measured.append(error_of(effects, rows))
        helped.append(error_of(fit_prior(effects, REACH).effects, rows))
    assert np.mean(helped) < 0.6 * np.mean(measured)


def test_a_wrong_graph_does_little_harm_once_roles_are_many():
    rows = 1.5 * REACH.to_numpy()
    wrong = pd.DataFrame(REACH.to_numpy()[::-1, ::-1], VALUES, VALUES)
    effects = pushing(rows, 60, noise=0.3, seed=1)
    prior = fit_prior(effects, wrong)
    assert error_of(prior.effects, rows) < 1.2 * error_of(effects, rows)
    assert prior.tau.median() > 0.1


def test_actions_that_push_several_values_are_told_from_those_that_push_one():
    single = 1.5 * REACH.to_numpy()
    mixed = single + 1.2 * np.roll(single, 3, axis=0)
    rows = np.vstack([single, mixed])
    prior = fit_prior(pushing(rows, 20, noise=0.1, seed=2), REACH)
    assert prior.tau[:10].max() < 0.2
    assert prior.tau[10:].min() > 0.2
    assert prior.shares.sum() == pytest.approx(1)


def test_the_main_effect_is_left_as_measured():
    effects = pushing(1.5 * REACH.to_numpy(), 4, noise=0.2, seed=3)
    prior = fit_prior(effects, REACH)
    for action, cause in prior.cause.items():
        assert prior.effects.effect.loc[action, cause] == effects.effect.loc[action, cause]
        assert prior.effects.error.loc[action, cause] == effects.error.loc[action, cause]


def test_errors_cover_the_truth_as_often_as_they_should():
    rows = 1.5 * REACH.to_numpy()
    inside = []
    for seed in range(20):
        found = fit_prior(pushing(rows, 10, noise=0.3, seed=seed), REACH).effects
        inside.append((found.effect - rows).abs() < 1.96 * found.error)
    assert 0.88 < np.mean(inside) < 1.0


def test_actions_that_move_nothing_stay_as_measured():
    effects = pushing(np.zeros((5, 10)), 10, noise=0.3, seed=4)
    prior = fit_prior(effects, REACH)
    assert prior.effects.effect.equals(effects.effect)
    assert prior.effects.error.equals(effects.error)
    assert prior.tau.isna().all()


def test_total_effects_that_do_not_fit_are_refused():
    effects = pushing(1.5 * REACH.to_numpy(), 4, noise=0.1, seed=5)
    with pytest.raises(ValueError, match="lack SD"):
        fit_prior(effects, REACH.drop(index="SD"))
    with pytest.raises(ValueError, match="missing"):
        fit_prior(effects, REACH.where(REACH != 1))
