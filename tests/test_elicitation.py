"""Answers are those of asking every question by itself, however the asking is arranged."""

import numpy as np
import pandas as pd
import pytest
import torch

from valuegraph.answers import COLUMNS, NO_INTERVENTION
from valuegraph.asking.prompts import PromptFormat, render_parts, render_prompt, site_position
from valuegraph.asking.readout import AnswerReader
from valuegraph.elicitation import elicit, site_states
from valuegraph.hooks import SiteShift
from valuegraph.models import Respondent
from valuegraph.roles import NO_ROLE, Role

ROLES = [
    None,
    Role("singer", "You sing."),
    Role("guard", "Your home and car are both uninsured. You sleep with every door wide open."),
]
FIGURES = ["log_odds", "mass"]


def shift(respondent, name, layer, *, size=1.0, seed=0) -> SiteShift:
    vector = np.random.default_rng(seed).standard_normal(respondent.width)
    return SiteShift(name, layer, size * vector)


def hooks(respondent) -> list:
    """All hooks on the layers; transformers keeps some of its own there once asked for states."""
    return [list(layer._forward_hooks) for layer in respondent.model.base_model.layers]


@torch.no_grad()
def ask_alone(respondent, question, role, intervention, fmt):
    """One prompt through the whole model, with a hook of its own; log-odds and mass of yes, no."""
    tokenizer, model = respondent.tokenizer, respondent.model
    text = render_prompt(tokenizer, question, role, fmt=fmt)
    prefix = render_parts(tokenizer, [question], role, fmt=fmt)[0][0]
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    handle = None
    if intervention is not None:
        site = site_position(tokenizer, prefix)

        def add(module, inputs, output):
            moved = output.clone()
            moved[0, site] += torch.from_numpy(intervention.vector)
            return moved

        handle = model.model.layers[intervention.layer].register_forward_hook(add)
    p = model(ids).logits[0, -1].double().softmax(-1)
    if handle:
        handle.remove()
    words = [tokenizer.decode(i).strip().lower() for i in range(len(p))]
    yes, no = (sum(p[i] for i, w in enumerate(words) if w == word) for word in ("yes", "no"))
    return float((yes / no).log()), float(yes + no)


@pytest.mark.parametrize("fmt", [None, PromptFormat("reply", yes_first=False, think=True)])
def test_asking_together_is_asking_each_question_alone(respondent, few_items, fmt):
    interventions = [None, shift(respondent, "push", 1)]
    answers = elicit(respondent, few_items, ROLES, interventions=interventions, fmt=fmt)
    alone = [
        ask_alone(respondent, question, role, intervention, fmt)
        for role in ROLES
        for intervention in interventions
        for question in few_items.items["text"]
    ]
    np.testing.assert_allclose(answers[FIGURES], alone, atol=1e-5)
    assert answers["log_odds"].std() > 0.01  # the answers differ, so that the agreement tells


def test_every_answer_is_labelled_with_what_was_asked(organism, few_items):
    interventions = [None, shift(organism, "push", 0), shift(organism, "pull", 1)]
    answers = elicit(organism, few_items, ROLES, interventions=interventions)
    assert list(answers.columns) == list(COLUMNS)
    assert (answers["model"] == "organism").all()
    assert list(answers["role"].unique()) == [NO_ROLE, "singer", "guard"]
    assert list(answers["intervention"].unique()) == [NO_INTERVENTION, "push", "pull"]
    for _, cell in answers.groupby(["role", "intervention"]):
        for column in ("item", "value", "key"):
            assert list(cell[column]) == list(few_items.items[column])


@pytest.mark.parametrize("cells_per_batch", [1, 2, 100])
def test_the_size_of_a_batch_plays_no_part(respondent, few_items, cells_per_batch):
    interventions = [None, shift(respondent, "push", 1)]
    answers, others = (
        elicit(respondent, few_items, ROLES, interventions=interventions, cells_per_batch=n)
        for n in (4, cells_per_batch)
    )
    np.testing.assert_allclose(answers[FIGURES], others[FIGURES], atol=1e-5)
    pd.testing.assert_frame_equal(answers.drop(columns=FIGURES), others.drop(columns=FIGURES))


def test_the_order_of_roles_and_items_plays_no_part(organism, inventory, few_items):
    from valuegraph.inventory import Inventory

    backwards = Inventory("backwards", few_items.items[::-1], few_items.values[::-1])
    answers = elicit(organism, few_items, ROLES).set_index(["role", "item"])
    others = elicit(organism, backwards, ROLES[::-1]).set_index(["role", "item"])
    np.testing.assert_allclose(others.loc[answers.index, FIGURES], answers[FIGURES], atol=1e-5)


def test_a_progress_bar_changes_no_answer(organism, few_items, capsys):
    shown = elicit(organism, few_items, ROLES, progress=True)
    assert "asking" in capsys.readouterr().out
    assert shown.equals(elicit(organism, few_items, ROLES))
    assert not capsys.readouterr().out


def test_what_is_asked_how_matters(organism, few_items):
    plain = elicit(organism, few_items, [None])["log_odds"]
    other = elicit(organism, few_items, [None], fmt=PromptFormat(yes_first=False))["log_odds"]
    assert (plain != other).all()


# ------------------------------------------------------------------------------------------- shifts


def test_a_zero_shift_changes_nothing_and_another_one_everything(respondent, few_items):
    def ask(size):
        interventions = [shift(respondent, "push", 1, size=size)]
        return elicit(respondent, few_items, ROLES, interventions=interventions)["log_odds"]

    baseline = elicit(respondent, few_items, ROLES)["log_odds"]
    assert ask(0.0).equals(baseline)
    assert (ask(1.0) != baseline).all()


def test_shifts_of_several_layers_in_one_call_are_those_of_separate_calls(respondent, few_items):
    shifts = [None, *(shift(respondent, f"push {k}", k, seed=k) for k in (2, 0, 1))]
    together = elicit(respondent, few_items, ROLES, interventions=shifts, cells_per_batch=5)
    separate = [elicit(respondent, few_items, ROLES, interventions=[s]) for s in shifts]
    index = ["role", "intervention", "item"]
    separate = pd.concat(separate).set_index(index)
    together = together.set_index(index)
    np.testing.assert_allclose(together[FIGURES], separate.loc[together.index, FIGURES], atol=1e-5)
    assert together["log_odds"].unstack("intervention").std(axis=1).min() > 1e-4


def test_no_hook_stays_behind(organism, few_items):
    interventions = [None, shift(organism, "push", 0), shift(organism, "pull", 1)]
    before, standing = elicit(organism, few_items, ROLES), hooks(organism)
    elicit(organism, few_items, ROLES, interventions=interventions)
    site_states(organism, ROLES, layer=1)
    assert hooks(organism) == standing

    def break_down(module, inputs):
        raise RuntimeError("midway")

    handle = organism.model.base_model.layers[2].register_forward_pre_hook(break_down)
    try:
        with pytest.raises(RuntimeError, match="midway"):
            elicit(organism, few_items, ROLES, interventions=interventions)
        with pytest.raises(RuntimeError, match="midway"):
            site_states(organism, ROLES, layer=1)
    finally:
        handle.remove()
    assert hooks(organism) == standing
    assert elicit(organism, few_items, ROLES).equals(before)


# -------------------------------------------------------------------------------------- site states


@torch.no_grad()
@pytest.mark.parametrize("layer", [0, 1])  # the model reports its last layer after the norm
@pytest.mark.parametrize("fmt", [None, PromptFormat("say", think=True)])
def test_site_states_are_the_hidden_states_at_the_site(respondent, layer, fmt):
    states = site_states(respondent, ROLES, layer=layer, fmt=fmt)
    assert states.shape == (len(ROLES), respondent.width)
    tokenizer = respondent.tokenizer
    for role, state in zip(ROLES, states, strict=True):
        prefix = render_parts(tokenizer, ["Would you pray?"], role, fmt=fmt)[0][0]
        ids = tokenizer(prefix, add_special_tokens=False, return_tensors="pt")["input_ids"]
        hidden = respondent.model(ids, output_hidden_states=True).hidden_states[layer + 1]
        expected = hidden[0, site_position(tokenizer, prefix)]
        np.testing.assert_allclose(state, expected, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_site_states_do_not_depend_on_the_batch(respondent, batch_size):
    states = site_states(respondent, ROLES, layer=1, batch_size=batch_size)
    np.testing.assert_allclose(states, site_states(respondent, ROLES, layer=1), atol=1e-5)


# ------------------------------------------------------------------------------------------ reading


def test_all_spellings_of_yes_and_no_are_read_and_nothing_else(respondent):
    tokenizer = respondent.tokenizer
    reader = AnswerReader.for_tokenizer(tokenizer)
    for word, ids in (("yes", reader.yes_ids), ("no", reader.no_ids)):
        same = {i for i in range(len(tokenizer)) if tokenizer.decode(i).strip().lower() == word}
        assert set(ids) == same


def test_log_odds_and_mass_are_those_of_the_probabilities():
    p = torch.tensor([[0.1, 0.2, 0.3, 0.25, 0.15], [0.5, 0.1, 0.1, 0.1, 0.2]])
    reader = AnswerReader(yes_ids=(0, 3), no_ids=(2,))
    log_odds, mass = reader.read(p.log() + torch.tensor([[3.0], [-2.0]]))  # any constant
    np.testing.assert_allclose(log_odds, np.log([0.35 / 0.3, 0.6 / 0.1]), rtol=1e-5)
    np.testing.assert_allclose(mass, [0.65, 0.7], rtol=1e-5)


@pytest.mark.parametrize("missing", ["yes", "no"])
def test_a_tokenizer_without_yes_or_no_is_refused(missing, few_items, organism):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [word for word in ("<unk>", "yes", "no") if word != missing]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    mute = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")
    with pytest.raises(ValueError, match=f"no single token for '{missing}'"):
        elicit(Respondent("mute", organism.model, mute), few_items, [None])


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"roles": []}, r"no roles given; give at least one \(None stands for no role\)"),
        ({"interventions": []}, "no interventions given"),
        ({"roles": [None, None]}, f"two roles are called '{NO_ROLE}'"),
        ({"roles": [None, Role(NO_ROLE, "You sing.")]}, f"two roles are called '{NO_ROLE}'"),
        ({"roles": [ROLES[1], Role("singer", "You hum.")]}, "two roles are called 'singer'"),
        ({"interventions": [None, None]}, f"two interventions are called '{NO_INTERVENTION}'"),
        ({"interventions": [SiteShift("up", 9, np.zeros(40))]}, "layer 9 does not exist"),
        (
            {"interventions": [SiteShift("up", 0, np.zeros(7))]},
            "shift 'up' has 7 coordinates, but the residual stream of organism has 40",
        ),
        ({"cells_per_batch": 0}, "cells_per_batch must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_asked_is_refused(organism, few_items, change, message):
    arguments = {"roles": ROLES} | change
    with pytest.raises(ValueError, match=message):
        elicit(organism, few_items, arguments.pop("roles"), **arguments)


def test_sites_that_cannot_be_read_are_refused(organism):
    with pytest.raises(ValueError, match="layer 3 does not exist"):
        site_states(organism, ROLES, layer=3)
    with pytest.raises(ValueError, match="no roles given"):
        site_states(organism, [], layer=1)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        site_states(organism, ROLES, layer=1, batch_size=0)
