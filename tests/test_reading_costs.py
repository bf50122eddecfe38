"""Reading neutral text with and without interventions."""

import numpy as np
import pytest
import torch

from valuegraph.asking.prompts import PromptFormat, render_parts
from valuegraph.interventions import PLACES, Combination, Shift, Told
from valuegraph.roles import Role, sample_roles
from valuegraph.steering.reading_costs import neutral_texts, text_costs

LAYER = 1


@pytest.fixture(scope="module")
def roles(bank):
    return sample_roles(bank, 3, seed=5)


@pytest.fixture(scope="module")
def texts(bank):
    return neutral_texts(bank, n=2, sentences=3)


def push(respondent, size, where="site-end", name=None):
    vector = np.cos(np.arange(respondent.width)) * size
    return Shift(name or f"{size:g} {where}", LAYER, vector, where=where)


def read_alone(respondent, text, role, shift, told=""):
    """Log-probabilities of all words at the text's tokens, and those tokens, with an own hook."""
    fmt = PromptFormat()
    if told:
        role = Role("r", f"{role.text} {told}")
    prefix = render_parts(respondent.tokenizer, [text], role, fmt=fmt)[0][0]

    def encode(t):
        return respondent.tokenizer(t, add_special_tokens=False)["input_ids"]

    ids, own = encode(f"{prefix} {text}"), len(encode(f" {text}"))
    before_full_stop = prefix[: prefix.rindex(fmt.instruction) + len(fmt.instruction) - 1]
    end = len(encode(before_full_stop))
    start = len(encode(before_full_stop.removesuffix(" your values")))
    places = {"site-end": slice(end - 1, end), "site": slice(start, end)}

    def add(module, inputs, output):
        moved = output.clone()
        moved[0, places.get(shift.where, slice(None))] += torch.from_numpy(shift.vector)
        return moved

    handle = respondent.model.model.layers[LAYER].register_forward_hook(add) if shift else None
    with torch.no_grad():
        logits = respondent.model(torch.tensor([ids])).logits[0, -own - 1 : -1]
    if handle:
        handle.remove()
    return logits.double().log_softmax(-1), torch.tensor(ids[-own:])


@pytest.mark.parametrize("where", PLACES)
def test_reading_is_that_of_each_text_alone(respondent, roles, texts, where):
    shift, fact = push(respondent, 0.7, where), Told("fact", "You live near a railway bridge.")
    both = Combination("both", (shift, fact))
    found = text_costs(respondent, texts, roles, [shift, both])
    for i, (told, role) in enumerate((t, r) for r in roles for t in ("", fact.text)):
        log_loss, divergence, tokens = 0.0, 0.0, 0
        for text in texts:
            p, said = read_alone(respondent, text, role, None)
            q, again = read_alone(respondent, text, role, shift, told)
            assert said.equal(again)
            log_loss += (p - q).gather(1, said[:, None]).sum().item()
            divergence += (p.exp() * (p - q)).sum().item()
            tokens += len(said)
        assert found.log_loss[i // 2, i % 2] == pytest.approx(log_loss / tokens, abs=2e-5)
        assert found.divergence[i // 2, i % 2] == pytest.approx(divergence / tokens, abs=2e-5)


def test_batches_do_not_change_what_is_read(llama, roles, texts):
    pushes = [push(llama, size) for size in (0.5, 1, 2)]
    at_once = text_costs(llama, texts, roles, pushes)
    alone = text_costs(llama, texts, roles, pushes, batch_tokens=1)
    assert np.allclose(at_once[:2], alone[:2], atol=1e-5)


def test_texts_are_of_different_sentences(bank, tokenizer):
    texts = neutral_texts(bank, n=3, sentences=16)
    sentences = [s for text in texts for s in text.rstrip(".").split(". ")]
    assert len(sentences) == len(set(sentences)) == 48
    with pytest.raises(ValueError, match="4 texts of 16 sentences cannot be made of 48"):
        neutral_texts(bank, n=4, sentences=16)


def test_texts_that_cannot_be_read_are_refused(organism, roles):
    with pytest.raises(ValueError, match="must be given and not be blank"):
        text_costs(organism, [" "], roles, [push(organism, 1)])
    with pytest.raises(ValueError, match="does not know 'photosynthesis'"):
        text_costs(organism, ["You like photosynthesis."], roles, [push(organism, 1)])
    with pytest.raises(ValueError, match="has 3 coordinates"):
        text_costs(organism, ["You own a round wooden table."], roles, [Shift("x", 1, np.ones(3))])
