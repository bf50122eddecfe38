"""Answers are those of asking every question by itself, however the asking is arranged."""

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch

from valuegraph import elicitation as cells
from valuegraph.answers import COLUMNS, NO_INTERVENTION
from valuegraph.elicitation import elicit
from valuegraph.interventions import PLACES, Combination, Sentence, Shift
from valuegraph.inventory import Inventory
from valuegraph.models import Respondent
from valuegraph.prompts import PromptFormat
from valuegraph.roles import NO_ROLE, Role
from valuegraph.shared_prefix import can_share

ROLES = [
    None,
    Role("singer", "You often leave your keys in the car."),
    Role("guard", "Your home and car are both uninsured. You sleep with every door wide open."),
]
FIGURES = ["log_odds", "mass"]
SHARING = ["qwen2", "qwen3", "mistral"]
NOT_SHARING = ["mistral-sliding", "gemma2"]


def shift(respondent, name, layer, *, size=1.0, seed=0, where="site-end") -> Shift:
    vector = np.random.default_rng(seed).standard_normal(respondent.width)
    return Shift(name, layer, size * vector, where)


def pushes(respondent) -> list:
    """No shift, and one at each of three layers."""
    return [None, *(shift(respondent, f"push {k}", k, seed=k) for k in (2, 0, 1))]


def every_kind(respondent) -> list:
    """None, a shift at each place, something told, and a combination of all that."""
    shifts = [
        shift(respondent, where, layer, seed=seed, where=where)
        for seed, (where, layer) in enumerate(zip(PLACES, (1, 0, 1, 0), strict=True))
    ]
    told = Sentence("told", "You sleep with every door wide open.")
    again = Sentence("again", "Your home and car are both uninsured.")
    return [None, *shifts, told, Combination("all", [*shifts[::-1], told, again])]


def assert_equal(answers, others):
    """Figures up to rounding, all else exactly."""
    np.testing.assert_allclose(answers[FIGURES], others[FIGURES], rtol=0, atol=1e-5)
    pd.testing.assert_frame_equal(answers.drop(columns=FIGURES), others.drop(columns=FIGURES))


def standing(respondent) -> tuple:
    """What a pass may change in a model for a while: hooks and the way of attending.

    transformers keeps some hooks of its own there once asked for states.
    """
    model = respondent.model
    hooks = [
        [*part._forward_hooks, *part._forward_pre_hooks]
        for layer in model.base_model.layers
        for part in (layer, layer.mlp)
    ]
    layers = [id(layer) for layer in model.base_model.layers]
    return hooks, layers, model.config._attn_implementation


# ------------------------------------------------------------------------ together as if one by one


def assert_asked_as_alone(ask_alone, respondent, items, interventions, fmt=None, roles=ROLES):
    answers = elicit(respondent, items, roles, interventions=interventions, formats=fmt)
    alone = [
        ask_alone(respondent, question, role, intervention, fmt)
        for role in roles
        for intervention in interventions
        for question in items.items["text"]
    ]
    np.testing.assert_allclose(answers[FIGURES], alone, rtol=0, atol=1e-5)
    assert answers["log_odds"].std() > 0.01  # the answers differ, so that the agreement tells
    assert list(answers["answer"]) == list(np.sign([log_odds for log_odds, _ in alone]))


@pytest.mark.parametrize("fmt", [None, PromptFormat("reply", yes_first=False, think=True)])
def test_asking_together_is_asking_each_question_alone(ask_alone, respondent, few_items, fmt):
    assert_asked_as_alone(ask_alone, respondent, few_items, every_kind(respondent), fmt)


@pytest.mark.parametrize("name", SHARING + NOT_SHARING)
def test_so_it_is_for_other_architectures(ask_alone, relative, few_items, name):
    respondent = relative(name)
    assert can_share(respondent.model) == (name in SHARING)
    assert_asked_as_alone(ask_alone, respondent, few_items, every_kind(respondent))


def test_so_it_is_where_tokens_are_joined_over_the_seam(ask_alone, seam, few_items):
    begins = few_items.items["text"].str.startswith("Do ")
    assert not begins.iloc[0] and begins.any()  # joined for some questions only
    assert_asked_as_alone(ask_alone, seam, few_items, every_kind(seam))


@pytest.mark.parametrize("think", [True, False])
@pytest.mark.parametrize(("name", "layout"), [("gemma", "kang-plain"), ("llama", "kang-headers")])
def test_so_it_is_in_the_layouts_of_kang(ask_alone, request, few_items, name, layout, think):
    respondent = request.getfixturevalue(name)
    fmt = PromptFormat("say", think=think, layout=layout)
    roles = [None, Role("preacher", "Your values are your values.")]  # the site's words, too
    assert_asked_as_alone(ask_alone, respondent, few_items, every_kind(respondent), fmt, roles)


@pytest.mark.parametrize("mode", ["logit", "generate"])
@pytest.mark.parametrize("name", ["organism", "llama", "gemma", *SHARING])
def test_sharing_a_prefix_changes_no_answer(monkeypatch, request, relative, few_items, name, mode):
    respondent = relative(name) if name in SHARING else request.getfixturevalue(name)
    settings = {"mode": mode, "max_new_tokens": 6, "interventions": every_kind(respondent)}
    assert can_share(respondent.model)
    shared = elicit(respondent, few_items, ROLES, **settings)
    monkeypatch.setattr(cells, "can_share", lambda model: False)
    monkeypatch.setattr(cells, "run_prefixes", None)  # not to be called
    monkeypatch.setattr(cells, "SplitForward", None)
    assert_equal(shared, elicit(respondent, few_items, ROLES, **settings))


def test_in_bfloat16_an_answer_is_as_exact_as_one_asked_alone(ask_alone, respondent, few_items):
    exact = elicit(respondent, few_items, ROLES)["log_odds"]
    half = Respondent("half", deepcopy(respondent.model).to(torch.bfloat16), respondent.tokenizer)
    ours = elicit(half, few_items, ROLES)["log_odds"]
    alone = [ask_alone(half, q, role)[0] for role in ROLES for q in few_items.items["text"]]

    def error(guess):
        return np.sqrt(((guess - exact) ** 2).mean())

    assert 0 < error(ours) < 2 * error(alone)
    assert error(ours) < 0.1 * exact.std()


@pytest.mark.parametrize("mode", ["logit", "generate"])
@pytest.mark.parametrize("batch_tokens", [1, 70, 10_000])
@pytest.mark.parametrize("name", ["organism", "gemma", "gemma2"])
def test_the_size_of_a_batch_plays_no_part(request, relative, few_items, name, batch_tokens, mode):
    respondent = relative(name) if name in NOT_SHARING else request.getfixturevalue(name)
    settings = {"interventions": pushes(respondent)[1:3], "mode": mode, "max_new_tokens": 4}
    answers, others = (
        elicit(respondent, few_items, ROLES[1:], batch_tokens=n, **settings)
        for n in (None, batch_tokens)
    )
    assert_equal(answers, others)


def test_the_order_of_roles_and_items_plays_no_part(organism, few_items):
    backwards = Inventory("backwards", few_items.items[::-1], few_items.values[::-1])
    answers = elicit(organism, few_items, ROLES).set_index(["role", "item"])
    others = elicit(organism, backwards, ROLES[::-1]).set_index(["role", "item"])
    np.testing.assert_allclose(others.loc[answers.index, FIGURES], answers[FIGURES], atol=1e-5)


def test_asking_again_gives_the_same_bytes(respondent, few_items):
    settings = {"interventions": pushes(respondent), "mode": "generate", "max_new_tokens": 5}
    answers, others = (elicit(respondent, few_items, ROLES, **settings) for _ in range(2))
    assert answers.equals(others)


def test_a_progress_bar_changes_no_answer(organism, few_items, capsys):
    shown = elicit(organism, few_items, ROLES, progress=True)
    assert "asking" in capsys.readouterr().out
    assert shown.equals(elicit(organism, few_items, ROLES))
    assert not capsys.readouterr().out


def test_what_is_asked_how_matters(organism, few_items):
    plain = elicit(organism, few_items, [None])["log_odds"]
    other = elicit(organism, few_items, [None], formats=PromptFormat(yes_first=False))["log_odds"]
    assert (plain != other).all()


# ------------------------------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("settings", "extra"),
    [({}, []), ({"prior": True}, ["prior"]), ({"mode": "generate", "max_new_tokens": 2}, ["text"])],
)
def test_every_answer_is_labelled_with_what_was_asked(organism, few_items, settings, extra):
    interventions = [None, shift(organism, "push", 0), shift(organism, "pull", 1)]
    answers = elicit(organism, few_items, ROLES, interventions=interventions, **settings)
    assert list(answers.columns) == [*COLUMNS, *extra]
    assert (answers["model"] == "organism").all()
    assert list(answers["role"].unique()) == [NO_ROLE, "singer", "guard"]
    assert list(answers["intervention"].unique()) == [NO_INTERVENTION, "push", "pull"]
    for _, cell in answers.groupby(["role", "intervention"]):
        for column in ("item", "value", "key"):
            assert list(cell[column]) == list(few_items.items[column])
    assert answers["answer"].dtype == np.int8
    assert answers["log_odds"].dtype == answers["mass"].dtype == np.float64


@pytest.mark.parametrize("fmt", [PromptFormat("say"), PromptFormat("reply", False, True)])
def test_answers_name_their_format(organism, few_items, fmt):
    answers = elicit(organism, few_items, [None], formats=fmt)
    assert (answers["format"] == fmt.name).all()


def test_a_thought_is_asked_for_where_one_can_be_written(organism, few_items):
    read = elicit(organism, few_items, [None])
    written = elicit(organism, few_items, [None], mode="generate", max_new_tokens=1)
    assert (read["format"] == PromptFormat().name).all()
    assert (written["format"] == PromptFormat(think=True).name).all()


# ------------------------------------------------------------------------------------------- shifts


def test_a_zero_shift_changes_nothing_and_another_one_everything(respondent, few_items):
    def ask(size):
        interventions = [shift(respondent, "push", 1, size=size)]
        return elicit(respondent, few_items, ROLES, interventions=interventions)["log_odds"]

    baseline = elicit(respondent, few_items, ROLES)["log_odds"]
    assert ask(0.0).equals(baseline)
    assert (ask(1.0) != baseline).all()


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("mode", ["logit", "generate"])
def test_so_it_is_at_every_place(llama, few_items, where, mode):
    def ask(size):
        shifts = [shift(llama, "push", 1, size=size, where=where)]
        settings = {"interventions": shifts, "mode": mode, "max_new_tokens": 3}
        answers = elicit(llama, few_items, ROLES, **settings).drop(columns="intervention")
        return answers["text"] if mode == "generate" else answers["log_odds"]

    baseline = elicit(llama, few_items, ROLES, mode=mode, max_new_tokens=3)
    baseline = baseline["text"] if mode == "generate" else baseline["log_odds"]
    assert ask(0.0).equals(baseline)
    assert (ask(20.0) != baseline).any()


def test_what_is_told_stands_at_the_end_of_the_role(organism, few_items):
    text = "You sleep with every door wide open."
    told = elicit(organism, few_items, ROLES[:2], interventions=[Sentence("open", f" {text} ")])
    roles = [Role(NO_ROLE, text), Role("singer", f"{ROLES[1].text} {text}")]
    written = elicit(organism, few_items, roles)
    assert (told.pop("intervention") == "open").all()
    assert_equal(told, written.drop(columns="intervention"))


def test_a_combination_of_shifts_and_texts_is_both_at_once(organism, few_items):
    text, push = ROLES[2].text, shift(organism, "push", 1)
    both = Combination("both", [push, Sentence("told", text)])
    together = elicit(organism, few_items, [None], interventions=[None, push, both])
    alone = elicit(organism, few_items, [Role(NO_ROLE, text)], interventions=[push])
    at = together["intervention"] == "both"
    np.testing.assert_allclose(together.loc[at, FIGURES], alone[FIGURES], rtol=0, atol=1e-5)
    doubled = Combination("doubled", [push, push])
    twice = elicit(organism, few_items, [None], interventions=[doubled])
    stronger = elicit(organism, few_items, [None], interventions=[shift(organism, "p", 1, size=2)])
    np.testing.assert_allclose(twice[FIGURES], stronger[FIGURES], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["organism", "llama", "gemma", "gemma2"])
def test_shifts_of_several_layers_in_one_call_are_those_of_separate_calls(
    request, relative, few_items, name
):
    respondent = relative(name) if name in NOT_SHARING else request.getfixturevalue(name)
    shifts = pushes(respondent)
    together = elicit(respondent, few_items, ROLES, interventions=shifts, batch_tokens=300)
    separate = [elicit(respondent, few_items, ROLES, interventions=[s]) for s in shifts]
    index = ["role", "intervention", "item"]
    separate = pd.concat(separate).set_index(index)
    together = together.set_index(index)
    np.testing.assert_allclose(together[FIGURES], separate.loc[together.index, FIGURES], atol=1e-5)
    moved = together["log_odds"].unstack("intervention")
    # The site is not where the answer is read: what is added after the last layer is not seen.
    assert np.allclose(moved["push 2"], moved[NO_INTERVENTION], atol=1e-5)
    assert moved.drop(columns="push 2").std(axis=1).min() > 1e-4
