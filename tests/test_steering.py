"""Shifts by features, and effects with their intervals."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.answers import COLUMNS, NO_INTERVENTION
from valuegraph.steering.effects import cosine, effects_of
from valuegraph.steering.sae import (
    feature_activity,
    feature_shift,
    hook_layer,
    load_sae,
    train_sae,
    unexplained_variance,
)

WIDTH, SOURCES = 12, 4


@pytest.fixture(scope="module")
def directions():
    return np.linalg.qr(np.random.default_rng(0).standard_normal((WIDTH, SOURCES)))[0].T


@pytest.fixture(scope="module")
def states(directions):
    """States made of few independent sources, each present in few of them."""
    rng = np.random.default_rng(1)
    present = rng.random((4000, SOURCES)) < 0.15
    return (present * rng.uniform(0.5, 2, present.shape)) @ directions + 3.0


@pytest.fixture(scope="module")
def sae(states):
    return train_sae(states, d_sae=8, l1=0.3, layer=2, samples=1_000_000, seed=0)


def test_autoencoder_finds_the_sources_that_states_are_made_of(sae, states, directions):
    rows = sae.W_dec.detach().numpy()
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.abs(rows @ directions.T).max(axis=0).min() > 0.99
    assert unexplained_variance(sae, states) < 0.1


def test_same_seed_same_autoencoder(states):
    a, b = (train_sae(states, d_sae=4, l1=0.1, layer=0, samples=5000, seed=3) for _ in range(2))
    other = train_sae(states, d_sae=4, l1=0.1, layer=0, samples=5000, seed=4)
    assert np.array_equal(a.W_dec.detach(), b.W_dec.detach())
    assert not np.array_equal(a.W_dec.detach(), other.W_dec.detach())


def test_autoencoder_survives_saving(sae, states, tmp_path):
    sae.save_model(str(tmp_path))
    again = load_sae(tmp_path)
    assert np.allclose(feature_activity(again, states), feature_activity(sae, states), atol=1e-6)
    assert hook_layer(again) == hook_layer(sae) == 2


def test_shift_is_the_coefficient_times_the_raw_decoder_row(sae):
    shift = feature_shift(sae, 3, coefficient=-2.5)
    assert shift.layer == 2
    assert np.allclose(shift.vector, -2.5 * sae.W_dec[3].detach().numpy())
    assert not feature_shift(sae, 3, coefficient=0).vector.any()


@pytest.mark.parametrize("feature", [-1, 8])
def test_unknown_feature_is_refused_with_the_known_range(sae, feature):
    with pytest.raises(ValueError, match=rf"feature {feature} does not exist.*0 \.\.\. 7"):
        feature_shift(sae, feature, coefficient=1)


def test_folder_without_autoencoder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="cfg.json is missing"):
        load_sae(tmp_path)


@pytest.mark.parametrize(
    ("states", "options", "message"),
    [
        (np.zeros(3), {}, r"got shape \(3,\)"),
        (np.full((3, 2), np.nan), {}, "finite"),
        (np.zeros((3, 2)), {"d_sae": 0}, "d_sae must be at least 1"),
        (np.zeros((3, 2)), {"l1": -1.0}, "l1 at least 0"),
    ],
)
def test_bad_states_and_options_are_refused(states, options, message):
    with pytest.raises(ValueError, match=message):
        train_sae(states, **({"d_sae": 4, "l1": 0.1} | options), layer=0, samples=1, seed=0)


def answers_with_effect(effects, *, n_roles=30, noise=0.0):
    """Answers in which each intervention adds its effects to the keyed log-odds of the values."""
    rng = np.random.default_rng(0)
    rows = []
    for role in range(n_roles):
        base = rng.standard_normal(2)
        for name, effect in {NO_INTERVENTION: (0.0, 0.0), **effects}.items():
            for v, value in enumerate(("SE", "CO")):
                for key in (1, -1):
                    score = base[v] + effect[v] + noise * rng.standard_normal()
                    cell = ("m", f"r{role}", name, "answer, yes first")
                    item = (value, f"{value}{key}", key)
                    rows.append((*cell, *item, np.sign(key * score), key * score, 1.0))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_effects_are_the_mean_changes():
    table = effects_of(answers_with_effect({"push": (0.5, -0.25), "pull": (-1.0, 0.0)}))
    assert table[["intervention", "value"]].to_numpy().tolist() == [
        ["push", "SE"],
        ["push", "CO"],
        ["pull", "SE"],
        ["pull", "CO"],
    ]
    assert np.allclose(table["effect"], [0.5, -0.25, -1.0, 0.0])
    assert np.allclose(table["low"], table["effect"])  # the same change in every role
    assert np.allclose(table["high"], table["effect"])


def test_intervals_cover_the_true_effect_about_as_often_as_they_say():
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(100):
        answers = answers_with_effect({"push": (0.3, 0.0)}, n_roles=25)
        changed = answers["intervention"] == "push"
        by_role = dict(zip(answers["role"].unique(), rng.standard_normal(25), strict=True))
        answers.loc[changed, "log_odds"] += answers["key"] * answers["role"].map(by_role)
        row = effects_of(answers, draws=400, seed=trial).iloc[0]
        covered += row["low"] <= 0.3 <= row["high"]
    assert 85 <= covered <= 99


def test_effects_need_a_baseline_and_every_role():
    answers = answers_with_effect({"push": (1.0, 0.0)})
    with pytest.raises(ValueError, match="need the baseline 'none'"):
        effects_of(answers[answers["intervention"] == "push"])
    lost = (answers["intervention"] == "push") & (answers["role"] == "r3")
    with pytest.raises(ValueError, match="not every role .* 'push'"):
        effects_of(answers[~lost])
    lost = (answers["intervention"] == NO_INTERVENTION) & (answers["role"] == "r3")
    with pytest.raises(ValueError, match="'r3' lacks answers"):
        effects_of(answers[~lost])
    with pytest.raises(ValueError, match="at least 2 roles"):
        effects_of(answers[answers["role"] == "r3"])
    with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
        effects_of(answers, draws=0)
    with pytest.raises(ValueError, match="level must lie between 0 and 1, got 95"):
        effects_of(answers, level=95)


def test_cosine():
    assert cosine([1, 0], [1, 1]) == pytest.approx(np.sqrt(0.5))
    assert cosine([2, -4], [-1, 2]) == pytest.approx(-1)
    with pytest.raises(ValueError, match="no direction"):
        cosine([0, 0], [1, 1])
