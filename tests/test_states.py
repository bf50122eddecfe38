"""States of the site are the hidden states that the model reports there."""

import numpy as np
import pytest
import torch

from valuegraph.probing import states as read_states
from valuegraph.prompts import PromptFormat, render_parts, site_tokens
from valuegraph.roles import Role

ROLES = [
    None,
    Role("singer", "You often leave your keys in the car."),
    Role("guard", "Your home and car are both uninsured. You sleep with every door wide open."),
]


@torch.no_grad()
def states_alone(respondent, layer, fmt=None):
    tokenizer, states = respondent.tokenizer, []
    for role in ROLES:
        prefix = render_parts(tokenizer, ["Would you pray?"], role, fmt=fmt)[0][0]
        ids = tokenizer(prefix, add_special_tokens=False, return_tensors="pt")["input_ids"]
        hidden = respondent.model(ids, output_hidden_states=True).hidden_states[layer + 1]
        states.append(hidden[0, site_tokens(tokenizer, prefix, fmt=fmt)[-1]].numpy())
    return np.stack(states)


@pytest.mark.parametrize("layer", [0, 1])  # the model reports its last layer after the norm
@pytest.mark.parametrize("fmt", [None, PromptFormat("say", think=True)])
def test_states_are_the_hidden_states_at_the_site(respondent, layer, fmt):
    states = read_states(respondent, ROLES, layer=layer, fmt=fmt)
    assert states.shape == (len(ROLES), respondent.width)
    np.testing.assert_allclose(states, states_alone(respondent, layer, fmt), atol=1e-5)


@pytest.mark.parametrize("name", ["qwen3", "mistral-sliding", "gemma2"])
def test_so_it_is_for_other_architectures(relative, name):
    states = read_states(relative(name), ROLES, layer=1)
    np.testing.assert_allclose(states, states_alone(relative(name), 1), atol=1e-5)


def test_a_site_before_the_role_knows_nothing_of_it(gemma):
    fmt = PromptFormat(layout="kang-plain")
    states = read_states(gemma, ROLES, layer=1, fmt=fmt)
    np.testing.assert_allclose(states, states_alone(gemma, 1, fmt), atol=1e-5)
    np.testing.assert_allclose(states, states[[0, 0, 0]], atol=1e-5)
    chat = read_states(gemma, ROLES, layer=1)
    assert (abs(chat[1:] - chat[0]) > 0.01).any(axis=1).all()


def test_the_last_layer_is_recorded_before_the_norm(organism):
    """Shifts are added there, so states are compared there."""
    states = read_states(organism, ROLES, layer=2)
    normed = organism.model.model.norm(torch.tensor(states)).detach()
    np.testing.assert_allclose(normed, states_alone(organism, 2), atol=1e-5)
    assert not np.allclose(states, normed, atol=0.01)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_states_do_not_depend_on_the_batch(respondent, batch_size):
    states = read_states(respondent, ROLES, layer=1, batch_size=batch_size)
    np.testing.assert_allclose(states, read_states(respondent, ROLES, layer=1), atol=1e-5)


def test_sites_that_cannot_be_read_are_refused(organism):
    with pytest.raises(ValueError, match="layer 3 does not exist"):
        read_states(organism, ROLES, layer=3)
    with pytest.raises(ValueError, match="no roles given"):
        read_states(organism, [], layer=1)


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_prompt_states_are_those_of_all_tokens_but_the_first(respondent, batch_size):
    tokenizer, alone = respondent.tokenizer, []
    for role in ROLES:
        prefix = render_parts(tokenizer, ["Would you pray?"], role, fmt=PromptFormat())[0][0]
        ids = tokenizer(prefix, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            hidden = respondent.model(ids, output_hidden_states=True).hidden_states[2]
        alone.append(hidden[0, 1:].numpy())
    states = read_states(respondent, ROLES, layer=1, where="prompt", batch_size=batch_size)
    np.testing.assert_allclose(states, np.concatenate(alone), atol=1e-5)
