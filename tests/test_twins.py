"""A feature's twin is the most similar feature of another seed, and its push is as long."""

import numpy as np
import pytest
import torch
from book_support.twins import match_twins, twin_pushes

from studies.stored import load_study
from valuegraph.organisms import organism_folder
from valuegraph.sae import feature_shift, load_sae


@pytest.fixture
def pair(small_sae):
    """An autoencoder of four features, and one with the same in another order, one turned round."""
    sae, twin = small_sae(), small_sae()
    order = [2, 0, 3, 1]
    twin.W_dec.data = 3 * sae.W_dec.data[order]
    twin.W_enc.data, twin.b_enc.data = sae.W_enc.data[:, order], sae.b_enc.data[order]
    return sae, twin, [order.index(f) for f in range(4)]


def test_the_twin_is_found_whatever_its_place_and_length(pair):
    sae, twin, places = pair
    states = np.random.default_rng(0).standard_normal((50, sae.cfg.d_in))
    table = match_twins(sae, twin, [3, 1], states)
    assert list(table["feature"]) == [3, 1]
    assert list(table["twin"]) == [places[3], places[1]]
    np.testing.assert_allclose(table["cosine"], 1, atol=1e-6)
    np.testing.assert_allclose(table["correlation"], 1, atol=1e-5)
    assert "correlation" not in match_twins(sae, twin, [0])


def test_an_opposite_row_is_no_twin(pair):
    sae, twin, places = pair
    twin.W_dec.data[places[1]] *= -1
    (one,) = match_twins(sae, twin, [1]).itertuples()
    assert one.twin != places[1] and one.cosine < 0.99


def test_other_layers_are_refused(pair):
    sae, twin, _ = pair
    twin.cfg.metadata.hook_name = "blocks.7.hook_resid_post"
    with pytest.raises(ValueError, match="read different states"):
        match_twins(sae, twin, [0])


@pytest.mark.parametrize("coefficient", [2.0, -3.0])
def test_the_push_along_the_twin_is_as_long_and_has_the_same_sign(pair, coefficient):
    sae, twin, _ = pair
    push = feature_shift(sae, 1, coefficient=coefficient, where="prompt")
    (other,) = twin_pushes([push], match_twins(sae, twin, [0, 1]), twin)
    np.testing.assert_allclose(other.vector, push.vector, rtol=1e-5)
    assert (other.layer, other.where) == (push.layer, push.where)
    assert other.name == f"{push.name}, twin" and other.origin["control"] == "twin"


@pytest.mark.parametrize("name", ["organism-human", "organism-alien"])
def test_the_stored_twins_are_those_that_are_shipped(name):
    table = load_study("twins").query("organism == @name")
    sae, twin = load_sae(name), load_sae(organism_folder(name) / "sae_seed_1")
    assert not torch.equal(sae.W_dec, twin.W_dec)
    matched = match_twins(sae, twin, table["feature"])
    assert list(matched["twin"]) == list(table["twin"])
    np.testing.assert_allclose(matched["cosine"], table["cosine"], atol=1e-4)


def test_what_comes_back_from_another_seed_does_the_same():
    table = load_study("twins")
    close = table["cosine"] > 0.99
    assert (table[close]["same"] > 0.99).all()
    assert table[close]["size"].min() > table[~close]["size"].max()
