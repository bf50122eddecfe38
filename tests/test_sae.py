"""Autoencoders by name or folder, what they read, and shifts by their features."""

import json

import numpy as np
import pytest

from valuegraph.model_files import HUB_NAMES
from valuegraph.sae import (
    CONVENTIONS,
    PUBLIC_SAES,
    describe_sae,
    feature_activity,
    feature_shift,
    fold_activation_norm,
    hook_layer,
    load_sae,
    sae_name,
)

SCALE = 0.25


@pytest.fixture
def sae(small_sae):
    return small_sae()


@pytest.fixture
def normalised(small_sae):
    return small_sae(normalize_activations="expected_average_only_in")


@pytest.fixture
def states():
    """States whose mean norm is sqrt(width) / SCALE."""
    drawn = np.random.default_rng(0).standard_normal((50, 6))
    return drawn * np.sqrt(6) / SCALE / np.linalg.norm(drawn, axis=1).mean()


def by_hand(sae, states, scale=1.0):
    """Activations of the plain autoencoder for states times a scale, and what it misses."""
    names = ("W_enc", "W_dec", "b_enc", "b_dec")
    w_enc, w_dec, b_enc, b_dec = (getattr(sae, n).detach().numpy().astype(float) for n in names)
    activity = np.maximum((scale * states - b_dec) @ w_enc + b_enc, 0)
    error = states - (activity @ w_dec + b_dec) / scale
    return activity, (error**2).sum() / ((states - states.mean(0)) ** 2).sum()


def test_an_organism_has_its_own_autoencoder():
    sae = load_sae("organism-human")
    assert (sae_name(sae), hook_layer(sae), sae.cfg.d_in) == ("organism-human", 2, 96)


def test_a_folder_of_an_older_version_is_read(sae, tmp_path):
    """The two public autoencoders were saved before SAELens 6, with other names of options."""
    sae.save_model(tmp_path)
    old = {
        "model_name": "gemma-2b-it",
        "hook_point": "blocks.12.hook_resid_post",
        "d_in": 6,
        "d_sae": 4,
        "dtype": "float32",
        "device": "cpu",
        "normalize_activations": "expected_average_only_in",
    }
    (tmp_path / "cfg.json").write_text(json.dumps(old))
    again = load_sae(str(tmp_path))
    assert hook_layer(again) == 12
    assert again.cfg.normalize_activations == "expected_average_only_in"
    assert np.array_equal(again.W_dec.detach(), sae.W_dec.detach())


@pytest.mark.parametrize("source", ["gemma", "owner/name", "organism-plain", "nowhere/at/all"])
def test_what_is_no_autoencoder_is_refused_with_what_works(source):
    with pytest.raises(FileNotFoundError, match=r"cfg\.json is missing.*organism-human.*SAELens"):
        load_sae(source)


@pytest.mark.parametrize("name", PUBLIC_SAES)
def test_public_autoencoders_are_those_of_the_list_of_sae_lens(name):
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    public, listed = PUBLIC_SAES[name], get_pretrained_saes_directory()[name]
    assert public.model in HUB_NAMES
    assert listed.repo_id == public.repository
    assert f"blocks.{public.layer}.hook_resid_post" in listed.saes_map


def test_without_network_the_error_tells_what_to_do(monkeypatch, tmp_path):
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(OSError, match=r"cannot be downloaded .*huggingface\.co/jbloom"):
        load_sae("gemma-2b-it-res-jb")


@pytest.mark.parametrize(("hook", "layer"), [("resid_post", 3), ("resid_pre", 2)])
def test_the_layer_is_that_whose_output_is_read(sae, hook, layer):
    sae.cfg.metadata.hook_name = f"blocks.3.hook_{hook}"
    assert hook_layer(sae) == layer == feature_shift(sae, 0, coefficient=1).layer


def test_a_hook_by_another_name_needs_a_layer_and_another_place_is_refused(sae, states):
    sae.cfg.metadata.hook_name = "model.layers.3"
    with pytest.raises(ValueError, match="not the output of a layer; pass layer"):
        feature_shift(sae, 0, coefficient=1)
    assert feature_shift(sae, 0, coefficient=1, layer=3).layer == 3
    sae.cfg.metadata.hook_name = "blocks.0.hook_resid_pre"
    with pytest.raises(ValueError, match="not the output of a layer"):
        hook_layer(sae)
    sae.cfg.metadata.hook_name = "blocks.3.hook_mlp_out"
    with pytest.raises(ValueError, match="reads blocks.3.hook_mlp_out; take one of hook_resid"):
        feature_shift(sae, 0, coefficient=1, layer=3)
    with pytest.raises(ValueError, match="hook_mlp_out"):
        feature_activity(sae, states)


def test_shift_is_the_coefficient_times_the_row(sae):
    row = sae.W_dec[3].detach().numpy()
    raw = feature_shift(sae, 3, coefficient=-2.5)
    unit = feature_shift(sae, 3, coefficient=-2.5, convention="unit")
    assert raw.layer == unit.layer == 2
    assert np.allclose(raw.vector, -2.5 * row)
    assert np.allclose(unit.vector, raw.vector / np.linalg.norm(row))
    assert np.linalg.norm(unit.vector) == pytest.approx(2.5)
    assert {raw.origin["convention"], unit.origin["convention"]} == set(CONVENTIONS)
    sae.W_dec.data.zero_()
    assert raw.vector.any()  # the row was copied


def test_the_name_tells_what_is_not_the_default(sae):
    shift = feature_shift(sae, 1, coefficient=2, layer=0, where="prompt", convention="unit")
    assert shift.name == "feature 1 x 2 unit, layer 0, prompt"
    assert (shift.layer, shift.where, shift.origin["feature"]) == (0, "prompt", 1)
    assert feature_shift(sae, 1, coefficient=2, layer=2).name == "feature 1 x 2"


def test_activity_and_description_are_those_of_the_formula(sae, states):
    activity, missed = by_hand(sae, states)
    assert np.allclose(feature_activity(sae, states), activity, rtol=1e-4, atol=1e-4)
    found = describe_sae(sae, states)
    assert found["unexplained"] == pytest.approx(missed, rel=1e-4)
    assert (found["layer"], found["width"], found["features"]) == (2, 6, 4)
    assert found["l0"] == pytest.approx((activity > 0).sum() / len(states))
    assert found["alive"] == (activity > 0).any(axis=0).sum()
    assert found["row_norm"] == pytest.approx(np.linalg.norm(sae.W_dec.detach(), axis=1).mean())


def test_folding_equals_scaling_the_states_by_hand(normalised, states, tmp_path):
    activity, missed = by_hand(normalised, states, SCALE)
    before = 100 * normalised.W_dec[2].detach().numpy().copy()
    folded = fold_activation_norm(normalised, states)
    assert np.allclose(feature_activity(folded, states), activity, rtol=1e-4, atol=1e-5)
    assert describe_sae(folded, states)["unexplained"] == pytest.approx(missed, rel=1e-4)
    # A coefficient means something else afterwards.
    assert np.allclose(feature_shift(folded, 2, coefficient=100).vector, before / SCALE, rtol=1e-5)
    folded.save_model(tmp_path)
    again = load_sae(tmp_path)
    assert again.cfg.metadata.activation_norm == pytest.approx(SCALE)
    assert np.array_equal(feature_activity(again, states), feature_activity(folded, states))


@pytest.mark.parametrize(
    ("how", "way"),
    [("expected_average_only_in", "call fold_activation_norm"), ("layer_norm", "take another")],
)
def test_nothing_is_read_in_other_units_than_the_model_s(small_sae, states, how, way):
    sae = small_sae(normalize_activations=how)
    with pytest.raises(ValueError, match=way):
        feature_activity(sae, states)
    with pytest.raises(ValueError, match=way):
        feature_shift(sae, 0, coefficient=1)


def test_what_does_not_fit_is_refused(sae, states):
    for feature in (-1, 4):
        with pytest.raises(ValueError, match=f"no feature {feature} of 4"):
            feature_shift(sae, feature, coefficient=1)
    with pytest.raises(ValueError, match="'row' in .'raw row', 'unit'"):
        feature_shift(sae, 0, coefficient=1, convention="row")
    with pytest.raises(ValueError, match=r"shape \(n, 6\); got \(50, 5\)"):
        feature_activity(sae, states[:, :5])
    with pytest.raises(ValueError, match="no activation norm"):
        fold_activation_norm(sae, states)
