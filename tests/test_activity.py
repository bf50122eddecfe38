"""Activity, and activation norms that must be folded before anything is read."""

import numpy as np
import pytest

from valuegraph.steering.activity import (
    describe_sae,
    feature_activity,
    fold_activation_norm,
    unexplained_variance,
)
from valuegraph.steering.sae import feature_shift, load_sae

WIDTH, SCALE = 6, 0.25


@pytest.fixture
def states():
    """States whose mean norm is sqrt(width) / SCALE."""
    drawn = np.random.default_rng(0).standard_normal((50, WIDTH))
    return drawn * np.sqrt(WIDTH) / SCALE / np.linalg.norm(drawn, axis=1).mean()


@pytest.fixture
def normalised(small_sae):
    return small_sae(normalize_activations="expected_average_only_in")


def by_hand(sae, states, scale=1.0):
    """Activations of the plain autoencoder, and its reconstruction, for states times a scale."""
    w_enc, w_dec, b_enc, b_dec = (
        getattr(sae, name).detach().numpy().astype(float)
        for name in ("W_enc", "W_dec", "b_enc", "b_dec")
    )
    activity = np.maximum((scale * states - b_dec) @ w_enc + b_enc, 0)
    return activity, (activity @ w_dec + b_dec) / scale


def test_activity_is_that_of_the_formula(small_sae, states):
    sae = small_sae()
    activity, told = by_hand(sae, states)
    assert (activity > 0).any()
    np.testing.assert_allclose(feature_activity(sae, states), activity, rtol=1e-4, atol=1e-4)
    error = ((states - told) ** 2).sum() / ((states - states.mean(0)) ** 2).sum()
    assert unexplained_variance(sae, states) == pytest.approx(error, rel=1e-4)


def test_folding_equals_scaling_the_states_by_hand(normalised, states):
    activity, told = by_hand(normalised, states, SCALE)
    folded = fold_activation_norm(normalised, states)
    assert folded.cfg.metadata.activation_norm == pytest.approx(SCALE)
    np.testing.assert_allclose(feature_activity(folded, states), activity, rtol=1e-4, atol=1e-5)
    error = ((states - told) ** 2).sum() / ((states - states.mean(0)) ** 2).sum()
    assert unexplained_variance(folded, states) == pytest.approx(error, rel=1e-4)


def test_a_coefficient_means_something_else_after_folding(normalised, states):
    before = 100 * normalised.W_dec[2].detach().numpy().copy()
    folded = fold_activation_norm(normalised, states)
    after = feature_shift(folded, 2, coefficient=100)
    np.testing.assert_allclose(after.vector, before / SCALE, rtol=1e-5)
    same = feature_shift(folded, 2, coefficient=100 * SCALE)
    np.testing.assert_allclose(same.vector, before, rtol=1e-5)
    assert after.origin["activation_norm"] == pytest.approx(SCALE)
    unit = feature_shift(folded, 2, coefficient=1, direction="unit")
    np.testing.assert_allclose(unit.vector, before / np.linalg.norm(before), rtol=1e-5)


def test_what_was_folded_survives_saving(normalised, states, tmp_path):
    folded = fold_activation_norm(normalised, states)
    folded.save_model(tmp_path)
    again = load_sae(tmp_path)
    assert again.cfg.metadata.activation_norm == pytest.approx(SCALE)
    assert np.array_equal(feature_activity(again, states), feature_activity(folded, states))


@pytest.mark.parametrize("how", ["expected_average_only_in", "layer_norm"])
def test_nothing_is_read_before_folding(small_sae, states, how):
    sae = small_sae(normalize_activations=how)
    for use in (
        lambda: feature_activity(sae, states),
        lambda: unexplained_variance(sae, states),
        lambda: feature_shift(sae, 0, coefficient=1),
    ):
        with pytest.raises(ValueError, match=rf"normalised activations \({how}\).*fold_activation"):
            use()


def test_what_cannot_be_folded_is_refused(small_sae, normalised, states):
    with pytest.raises(ValueError, match="has no activation norm to fold"):
        fold_activation_norm(small_sae(), states)
    with pytest.raises(ValueError, match="normalises by 'layer_norm'"):
        fold_activation_norm(small_sae(normalize_activations="layer_norm"), states)
    with pytest.raises(ValueError, match="zero everywhere"):
        fold_activation_norm(normalised, 0 * states)
    fold_activation_norm(normalised, states)
    with pytest.raises(ValueError, match="has no activation norm to fold"):
        fold_activation_norm(normalised, states)


@pytest.mark.parametrize("use", [feature_activity, unexplained_variance, fold_activation_norm])
@pytest.mark.parametrize("shape", [(5, 7), (6,)])
def test_states_of_another_width_are_refused(normalised, small_sae, use, shape):
    sae = normalised if use is fold_activation_norm else small_sae()
    with pytest.raises(ValueError, match=r"reads states of shape \(n, 6\), got"):
        use(sae, np.ones(shape))


def test_description(small_sae, states):
    sae = small_sae()
    fires = feature_activity(sae, states) > 0
    told = describe_sae(sae, states)
    assert (told["layer"], told["width"], told["features"]) == (2, 6, 4)
    assert told["l0"] == pytest.approx(fires.sum() / len(states))
    assert told["alive"] == fires.any(axis=0).sum()
    assert told["unexplained"] == unexplained_variance(sae, states)
    assert told["row_norm"] == pytest.approx(np.linalg.norm(sae.W_dec.detach(), axis=1).mean())
