"""A trained autoencoder finds the sources that states are made of."""

import numpy as np
import pytest

from valuegraph.steering.activity import feature_activity, unexplained_variance
from valuegraph.steering.sae import hook_layer, load_sae
from valuegraph.steering.training import train_sae

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
