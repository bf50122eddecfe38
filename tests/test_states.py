"""States, reading and next words are those of each prompt alone."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from valuegraph.interventions import PLACES, Combination, Sentence, Shift
from valuegraph.probing import next_words, read_texts, states
from valuegraph.prompts import PromptFormat, render_parts, site_tokens
from valuegraph.roles import NO_ROLE, Role, neutral_texts, sample_roles

ROLES = [
    None,
    Role("singer", "You often leave your keys in the car."),
    Role("guard", "Your home and car are both uninsured. You sleep with every door wide open."),
]
QUESTIONS = ["Would you pray?", "Do you often leave the house unlocked at night?"]
PLAIN = PromptFormat()


@torch.no_grad()
def states_alone(respondent, layer, where, questions, fmt):
    """As the model itself reports them; its last layer comes after the norm."""
    tokenizer, found = respondent.tokenizer, []
    for role in ROLES:
        for question in questions or ["Would you?"]:
            prefix, suffix = render_parts(tokenizer, [question], role, fmt=fmt)[0]
            text = prefix + suffix if questions else prefix
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
            hidden = respondent.model(ids, output_hidden_states=True).hidden_states[layer + 1][0]
            site = site_tokens(tokenizer, prefix, fmt=fmt)
            places = {"site": site, "site-end": site[-1:]}
            found.append(hidden[list(places.get(where, range(1, len(hidden))))].numpy())
    return np.concatenate(found)


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize(
    ("questions", "fmt"), [([], PLAIN), (QUESTIONS, PromptFormat("say", think=True))]
)
def test_states_are_the_hidden_states_of_each_prompt(respondent, fmt, where, questions):
    options = {"layer": 1, "where": where, "questions": questions, "fmt": fmt}
    found = states(respondent, ROLES, **options)
    np.testing.assert_allclose(found, states_alone(respondent, **options), atol=1e-5)
    if where == "site-end":
        assert found.shape == (len(ROLES) * max(1, len(questions)), respondent.width)


@pytest.mark.parametrize("name", ["qwen3", "mistral-sliding", "gemma2"])
def test_so_it_is_for_other_architectures(relative, name):
    expected = states_alone(relative(name), 1, "site-end", [], PLAIN)
    np.testing.assert_allclose(states(relative(name), ROLES, layer=1), expected, atol=1e-5)


def test_no_layer_above_is_run_and_the_last_one_is_read_before_the_norm(organism):
    """Shifts are added there, so states are compared there."""
    model, ran = organism.model, []
    layers = model.base_model.layers
    handles = [x.register_forward_hook(lambda *_, k=k: ran.append(k)) for k, x in enumerate(layers)]
    states(organism, ROLES, layer=1)
    for handle in handles:
        handle.remove()
    assert set(ran) == {0, 1}
    last = states(organism, ROLES, layer=2)
    normed = model.model.norm(torch.tensor(last)).detach()
    expected = states_alone(organism, 2, "site-end", [], PLAIN)
    np.testing.assert_allclose(normed, expected, atol=1e-5)
    assert not np.allclose(last, normed, atol=0.01)


def test_a_site_before_the_role_does_not_know_it(gemma):
    found = states(gemma, ROLES, layer=1, fmt=PromptFormat(layout="kang-plain"))
    np.testing.assert_allclose(found, found[[0, 0, 0]], atol=1e-5)
    chat = states(gemma, ROLES, layer=1)
    assert (abs(chat[1:] - chat[0]) > 0.01).any(axis=1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": 3}, "layer 3 does not exist"),
        ({"where": "end"}, "'end' must be one of .*'site-end', 'site', 'prompt', 'everywhere'"),
        ({"roles": []}, "there must be roles"),
    ],
)
def test_states_that_cannot_be_read_are_refused(organism, change, message):
    with pytest.raises(ValueError, match=message):
        states(organism, **{"roles": ROLES, "layer": 1, **change})


# ---- next words


def test_the_next_words_are_those_of_the_prompt_alone(respondent, ask_alone):
    question = "Would you pay extra for a stronger lock on the door?"
    words = next_words(respondent, question, ROLES[1], n=len(respondent.tokenizer))
    assert words.sum() == pytest.approx(1, abs=1e-5)
    assert words.is_monotonic_decreasing
    spelled = words.index.str.lower()
    log_odds, mass = ask_alone(respondent, question, ROLES[1])
    yes, no = (words[spelled == word].sum() for word in ("yes", "no"))
    assert np.log(yes / no) == pytest.approx(log_odds, abs=1e-4)
    assert yes + no == pytest.approx(mass, abs=1e-6)
    assert list(next_words(respondent, question, ROLES[1], n=3).index) == list(words.index[:3])


# ---- reading of text


@pytest.fixture(scope="module")
def roles(bank):
    return [None, *sample_roles(bank, 2, seed=5)]


@pytest.fixture(scope="module")
def texts(bank):
    return neutral_texts(bank, n=2, sentences=3)


def push(respondent, size, where="site-end"):
    vector = np.cos(np.arange(respondent.width)) * size
    return Shift(f"{size:g} {where}", 1, vector, where=where)


def read_alone(respondent, text, role, shift, added=""):
    """Log-probabilities of all words at the text's tokens, and those tokens, with an own hook."""
    if added:
        role = Role("r", f"{role.text} {added}" if role else added)
    prefix = render_parts(respondent.tokenizer, [text], role, fmt=PLAIN)[0][0]

    def encode(t):
        return respondent.tokenizer(t, add_special_tokens=False)["input_ids"]

    ids, own = encode(f"{prefix} {text}"), len(encode(f" {text}"))
    before_full_stop = prefix[: prefix.rindex(PLAIN.instruction) + len(PLAIN.instruction) - 1]
    end = len(encode(before_full_stop))
    start = len(encode(before_full_stop.removesuffix(" your values")))
    places = {"site-end": slice(end - 1, end), "site": slice(start, end)}

    def add(module, inputs, output):
        moved = output.clone()
        moved[0, places.get(shift.where, slice(None))] += torch.from_numpy(shift.vector)
        return moved

    handle = respondent.model.model.layers[1].register_forward_hook(add) if shift else None
    with torch.no_grad():
        logits = respondent.model(torch.tensor([ids])).logits[0, -own - 1 : -1]
    if handle:
        handle.remove()
    return logits.double().log_softmax(-1), torch.tensor(ids[-own:])


@pytest.mark.parametrize("where", PLACES)
def test_reading_is_that_of_each_text_alone(respondent, roles, texts, where):
    shift = push(respondent, 0.7, where)
    fact = Sentence("fact", "You live near a railway bridge.")
    table = read_texts(respondent, texts, roles, [shift, Combination("both", (shift, fact))])
    names = [NO_ROLE, *(role.name for role in roles[1:])]
    assert list(table["role"]) == [name for name in names for _ in range(2)]
    assert list(table["intervention"]) == [shift.name, "both"] * len(roles)
    for row, (role, added) in enumerate((r, a) for r in roles for a in ("", fact.text)):
        log_loss, divergence, tokens = 0.0, 0.0, 0
        for text in texts:
            p, own = read_alone(respondent, text, role, None)
            q, _ = read_alone(respondent, text, role, shift, added)
            log_loss += (p - q).gather(1, own[:, None]).sum().item()
            divergence += (p.exp() * (p - q)).sum().item()
            tokens += len(own)
        assert table["log_loss"][row] == pytest.approx(log_loss / tokens, abs=2e-5)
        assert table["divergence"][row] == pytest.approx(divergence / tokens, abs=2e-5)
    assert table["reads"].dtype == bool and table["reads"].nunique() == 1


def test_batches_do_not_change_what_is_read(llama, roles, texts):
    pushes = [push(llama, size) for size in (0.5, 1, 2)]
    at_once = read_texts(llama, texts, roles, pushes)
    alone = read_texts(llama, texts, roles, pushes, batch_tokens=1)
    figures = ["log_loss", "divergence"]
    np.testing.assert_allclose(at_once[figures], alone[figures], atol=1e-5)


def test_numbers_that_are_not_finite_are_refused(llama, roles, texts):
    broken = replace(llama, model=deepcopy(llama.model))
    with torch.no_grad():
        broken.model.model.layers[1].mlp.up_proj.weight[3] = torch.inf
    for call in (
        lambda: states(broken, roles, layer=1),
        lambda: next_words(broken, "Would you pray?"),
        lambda: read_texts(broken, texts, roles, [None]),
    ):
        with pytest.raises(ValueError, match="llama computes numbers that are not finite in torch"):
            call()


def test_texts_that_cannot_be_read_are_refused(organism, roles):
    for text, shift, message in (
        (" ", push(organism, 1), "must be given and not be blank"),
        ("You like photosynthesis.", push(organism, 1), "does not know 'photosynthesis'"),
        ("You own a round wooden table.", Shift("x", 1, np.ones(3)), "has 3 coordinates"),
    ):
        with pytest.raises(ValueError, match=message):
            read_texts(organism, [text], roles, [shift])
