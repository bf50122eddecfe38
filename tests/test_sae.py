"""Autoencoders by name or folder, and shifts by their features."""

import json

import numpy as np
import pytest

from valuegraph.elicitation import elicit
from valuegraph.roles import sample_roles
from valuegraph.steering.sae import (
    DIRECTIONS,
    decoder_rows,
    feature_shift,
    hook_layer,
    load_sae,
    neuronpedia_url,
    sae_name,
)


@pytest.fixture
def sae(small_sae):
    return small_sae()


def test_an_organism_has_its_own_autoencoder(human):
    sae = load_sae("organism-human")
    assert (sae_name(sae), hook_layer(sae), sae.cfg.d_in) == ("organism-human", 2, human.width)


def test_the_plain_organism_has_none():
    with pytest.raises(ValueError, match="organism-plain has no sparse autoencoder.*difference_of"):
        load_sae("organism-plain")


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
    assert sae_name(again) == str(tmp_path)
    assert np.array_equal(again.W_dec.detach(), sae.W_dec.detach())


def test_what_is_no_autoencoder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cfg\.json is missing"):
        load_sae(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no sparse autoencoder in .*nowhere"):
        load_sae(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="unknown sparse autoencoder 'gemma'.*gemma-2b-it-res-jb"):
        load_sae("gemma")


def test_a_hook_that_is_no_layer_needs_one(sae):
    sae.cfg.metadata.hook_name = "blocks.3.attn.hook_z"
    with pytest.raises(ValueError, match="not the output of a layer"):
        feature_shift(sae, 0, coefficient=1)
    assert feature_shift(sae, 0, coefficient=1, layer=3).layer == 3


def test_shift_is_the_coefficient_times_the_direction(sae):
    row = sae.W_dec[3].detach().numpy()
    raw = feature_shift(sae, 3, coefficient=-2.5)
    unit = feature_shift(sae, 3, coefficient=-2.5, direction="unit")
    assert raw.layer == unit.layer == 2
    np.testing.assert_allclose(raw.vector, -2.5 * row, rtol=1e-6)
    np.testing.assert_allclose(unit.vector, raw.vector / np.linalg.norm(row), rtol=1e-5)
    assert np.linalg.norm(unit.vector) == pytest.approx(2.5)
    assert {raw.origin["direction"], unit.origin["direction"]} == set(DIRECTIONS)


def test_origin_and_name_tell_everything(sae):
    shift = feature_shift(sae, 1, coefficient=2, layer=0, where="prompt", direction="unit")
    assert shift.origin == {
        "sae": sae_name(sae),
        "feature": 1,
        "coefficient": 2.0,
        "direction": "unit",
        "layer": 0,
        "where": "prompt",
    }
    assert (shift.layer, shift.where) == (0, "prompt")
    assert shift.name == "feature 1 x 2 unit, layer 0, prompt"
    assert feature_shift(sae, 1, coefficient=2, layer=2).name == "feature 1 x 2"


def test_rows_alone_do_for_steering(sae):
    rows = decoder_rows(sae, [3, 1])
    whole = feature_shift(sae, 3, coefficient=2, where="site")
    kept = feature_shift(rows, 3, coefficient=2, where="site")
    assert (kept.name, kept.layer, kept.origin) == (whole.name, whole.layer, whole.origin)
    assert np.array_equal(kept.vector, whole.vector)
    sae.W_dec.data.zero_()  # the rows are copies
    assert feature_shift(rows, 3, coefficient=1).vector.any()
    with pytest.raises(ValueError, match="feature 2 is not among the rows .* 3, 1"):
        feature_shift(rows, 2, coefficient=1)


def test_what_cannot_be_shifted_is_refused(sae):
    for feature in (-1, 4):
        with pytest.raises(ValueError, match=rf"feature {feature} does not exist.*0 \.\.\. 3"):
            feature_shift(sae, feature, coefficient=1)
    with pytest.raises(ValueError, match="direction is 'row'; there are raw row, unit"):
        feature_shift(sae, 0, coefficient=1, direction="row")
    with pytest.raises(ValueError, match="cannot act at 'nowhere'"):
        feature_shift(sae, 0, coefficient=1, where="nowhere")
    sae.W_dec.data[0] = 0
    with pytest.raises(ValueError, match="row of feature 0 is zero"):
        feature_shift(sae, 0, coefficient=1, direction="unit")


def test_the_model_refuses_what_does_not_fit_it(sae, organism, few_items):
    with pytest.raises(ValueError, match="6 coordinates, but the residual stream of organism has"):
        elicit(organism, few_items, [None], interventions=[feature_shift(sae, 0, coefficient=1)])
    site = load_sae("organism-human")
    deep = feature_shift(site, 0, coefficient=1, layer=7)
    with pytest.raises(ValueError, match="layer 7, which does not exist"):
        elicit(organism, few_items, [None], interventions=[deep])


def test_coefficient_zero_changes_nothing_and_one_does(human, bank, few_items):
    site = load_sae("organism-human")
    shifts = [feature_shift(site, 57, coefficient=c) for c in (0, 1)]
    answers = elicit(human, few_items, sample_roles(bank, 2, seed=3), interventions=[None, *shifts])
    by_name = dict(list(answers.groupby("intervention")["log_odds"]))
    assert np.array_equal(by_name["none"], by_name["feature 57 x 0"])
    assert abs(by_name["none"].to_numpy() - by_name["feature 57 x 1"].to_numpy()).max() > 0.1


def test_only_public_autoencoders_have_a_page(sae):
    assert neuronpedia_url(sae, 3) is None
    sae.cfg.metadata.source = "gemma-2b-it-res-jb"
    page = "https://www.neuronpedia.org/gemma-2b-it/12-res-jb/3"
    assert neuronpedia_url(sae, 3) == neuronpedia_url(decoder_rows(sae, [3]), 3) == page
