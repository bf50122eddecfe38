"""Answers are those of asking every question by itself, however the asking is arranged."""

import warnings
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from valuegraph.answers import COLUMNS, NO_INTERVENTION, score_answers, yes_bias
from valuegraph.elicitation import CONTENT_FREE, DoubtfulAnswers, elicit
from valuegraph.interventions import PLACES, Combination, Sentence, Shift
from valuegraph.inventory import Inventory
from valuegraph.models import load_model
from valuegraph.organisms import ORGANISMS
from valuegraph.prompts import PromptFormat
from valuegraph.reading import AnswerReader
from valuegraph.roles import NO_ROLE, Role, sample_roles
from valuegraph.shared_prefix import can_share

ROLES = [
    None,
    Role("singer", "You often leave your keys in the car."),
    Role("guard", "Your home and car are both uninsured. You sleep with every door wide open."),
]
FIGURES = ["log_odds", "mass"]
SHARING, NOT_SHARING = ["qwen2", "qwen3", "mistral", "gemma3"], ["mistral-sliding", "gemma2"]


def shift(respondent, name, layer, *, size=1.0, seed=0, where="site-end") -> Shift:
    vector = np.random.default_rng(seed).standard_normal(respondent.width)
    return Shift(name, layer, size * vector, where)


def every_kind(respondent) -> list:
    """None, a shift at each place, a sentence, and a combination of all that."""
    shifts = [
        shift(respondent, where, layer, seed=seed, where=where)
        for seed, (where, layer) in enumerate(zip(PLACES, (1, 0, 1, 0), strict=True))
    ]
    one = Sentence("one", "You sleep with every door wide open.")
    again = Sentence("again", "Your home and car are both uninsured.")
    return [None, *shifts, one, Combination("all", [*shifts[::-1], one, again])]


def assert_equal(answers, others):
    """Figures up to rounding, all else exactly."""
    np.testing.assert_allclose(answers[FIGURES], others[FIGURES], rtol=0, atol=1e-5)
    pd.testing.assert_frame_equal(answers.drop(columns=FIGURES), others.drop(columns=FIGURES))


# ---- together as if one by one


def assert_asked_as_alone(ask_alone, respondent, items, fmt=None, roles=ROLES):
    interventions = every_kind(respondent)
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
    assert_asked_as_alone(ask_alone, respondent, few_items, fmt)


@pytest.mark.parametrize("name", SHARING + NOT_SHARING)
def test_so_it_is_for_other_architectures(ask_alone, relative, few_items, name):
    assert can_share(relative(name).model, 512) == (name in SHARING)
    assert_asked_as_alone(ask_alone, relative(name), few_items)


def test_so_it_is_where_tokens_are_joined_over_the_seam(ask_alone, seam, few_items):
    begins = few_items.items["text"].str.startswith("Do ")
    assert not begins.iloc[0] and begins.any()  # joined for some questions only
    assert_asked_as_alone(ask_alone, seam, few_items)


@pytest.mark.parametrize(("name", "layout"), [("gemma", "kang-plain"), ("llama", "kang-headers")])
def test_so_it_is_in_the_layouts_of_kang(ask_alone, request, few_items, name, layout):
    fmt = PromptFormat("say", think=True, layout=layout)
    roles = [None, Role("preacher", "Your values are your values.")]  # the site's words, too
    assert_asked_as_alone(ask_alone, request.getfixturevalue(name), few_items, fmt, roles)


def test_in_bfloat16_an_answer_is_as_exact_as_one_asked_alone(ask_alone, respondent, few_items):
    exact = elicit(respondent, few_items, ROLES)["log_odds"]
    half = replace(respondent, model=deepcopy(respondent.model).to(torch.bfloat16))
    ours = elicit(half, few_items, ROLES)["log_odds"]
    alone = [ask_alone(half, q, role)[0] for role in ROLES for q in few_items.items["text"]]

    def error(guess):
        return np.sqrt(((guess - exact) ** 2).mean())

    assert 0 < error(ours) < 2 * error(alone)
    assert error(ours) < 0.1 * exact.std()


def test_the_order_plays_no_part_and_asking_again_gives_the_same_bytes(organism, few_items, capsys):
    backwards = Inventory("backwards", few_items.items[::-1], few_items.values[::-1])
    answers = elicit(organism, few_items, ROLES)
    assert not capsys.readouterr().out
    assert answers.equals(elicit(organism, few_items, ROLES, progress=True))
    assert "asking" in capsys.readouterr().out
    answers = answers.set_index(["role", "item"])
    others = elicit(organism, backwards, ROLES[::-1]).set_index(["role", "item"])
    np.testing.assert_allclose(others.loc[answers.index, FIGURES], answers[FIGURES], atol=1e-5)


# ---- labels


@pytest.mark.parametrize(
    ("settings", "extra"),
    [({}, []), ({"prior": True}, ["prior"]), ({"mode": "generate", "max_new_tokens": 1}, ["text"])],
)
def test_answers_are_labelled_by_format_role_intervention_and_item(
    organism, few_items, settings, extra
):
    formats = [PromptFormat("say", False), PromptFormat("reply")]
    pushes = [shift(organism, "push", 1), None]
    answers = elicit(
        organism, few_items, ROLES[:2], interventions=pushes, formats=formats, **settings
    )
    assert list(answers) == [*COLUMNS, *extra]
    assert list(answers.index) == list(range(2 * 2 * 2 * 8))
    assert (answers["model"] == "organism").all()
    labels = ["format", "role", "intervention", "item"]
    expected = [[f.name for f in formats], [NO_ROLE, "singer"], ["push", NO_INTERVENTION]]
    index = pd.MultiIndex.from_product([*expected, few_items.items["item"]], names=labels)
    pd.testing.assert_frame_equal(answers[labels], index.to_frame(index=False))
    of_item = few_items.items.set_index("item").loc[answers["item"], ["value", "key"]]
    assert (answers[["value", "key"]].to_numpy() == of_item.to_numpy()).all()
    assert answers["answer"].dtype == np.int8


def test_several_formats_are_asked_one_after_the_other(organism, few_items):
    formats = [PromptFormat(), PromptFormat(yes_first=False)]
    together = elicit(organism, few_items, ROLES, formats=formats, prior=True)
    alone = [elicit(organism, few_items, ROLES, formats=fmt, prior=True) for fmt in formats]
    assert together.equals(pd.concat(alone, ignore_index=True))
    assert (alone[0]["log_odds"] != alone[1]["log_odds"]).all()


# ---- interventions


def test_a_sentence_stands_at_the_end_of_the_role(organism, few_items):
    text = "You sleep with every door wide open."
    answers = elicit(organism, few_items, ROLES[:2], interventions=[Sentence("open", f" {text} ")])
    written = elicit(
        organism, few_items, [Role(NO_ROLE, text), Role("singer", f"{ROLES[1].text} {text}")]
    )
    assert (answers.pop("intervention") == "open").all()
    assert_equal(answers, written.drop(columns="intervention"))


@pytest.mark.parametrize("name", ["organism", "gemma2"])
def test_shifts_in_one_call_are_those_of_separate_calls(request, relative, few_items, name):
    respondent = relative(name) if name in NOT_SHARING else request.getfixturevalue(name)
    pushes = [None, *(shift(respondent, f"push {k}", k, seed=k) for k in (2, 0, 1))]
    together = elicit(respondent, few_items, ROLES, interventions=pushes, batch_tokens=300)
    separate = [elicit(respondent, few_items, ROLES, interventions=[one]) for one in pushes]
    index = ["role", "intervention", "item"]
    together, separate = together.set_index(index), pd.concat(separate).set_index(index)
    np.testing.assert_allclose(together[FIGURES], separate.loc[together.index, FIGURES], atol=1e-5)
    moved = together["log_odds"].unstack("intervention")
    assert moved.drop(columns="push 2").std(axis=1).min() > 1e-4
    both = Combination("both", [pushes[2], pushes[2]])
    twice = elicit(respondent, few_items, [None], interventions=[both])
    doubled = elicit(respondent, few_items, [None], interventions=[pushes[2] * 2.0])
    np.testing.assert_allclose(twice[FIGURES], doubled[FIGURES], rtol=0, atol=1e-5)


# ---- the model is left as it was


def standing(respondent) -> tuple:
    """What a pass may change in a model for a while: hooks, layers and the way of attending."""
    model = respondent.model
    hooks = [
        [*part._forward_hooks, *part._forward_pre_hooks]
        for layer in model.base_model.layers
        for part in (layer, layer.mlp)
    ]
    layers = [id(layer) for layer in model.base_model.layers]
    return hooks, layers, model.config._attn_implementation


@pytest.mark.parametrize("name", ["organism", "gemma2"])  # sharing prefixes or not
@pytest.mark.parametrize("passes", [1, 2, 3, 4, None])  # None: there is no error
def test_nothing_stays_behind(request, relative, few_items, name, passes):
    respondent = relative(name) if name in NOT_SHARING else request.getfixturevalue(name)
    before, stood, seen = elicit(respondent, few_items, ROLES), standing(respondent), []

    def break_down(module, inputs):
        seen.append(module)
        if len(seen) == passes:
            raise RuntimeError("midway")

    pushes = [None, shift(respondent, "push", 0), shift(respondent, "pull", 1)]
    handle = respondent.model.base_model.layers[2].register_forward_pre_hook(break_down)
    try:
        for mode in ("logit", "generate"):
            options = {"interventions": pushes, "mode": mode, "max_new_tokens": 3}
            elicit(respondent, few_items, ROLES, **options)
    except RuntimeError:
        assert len(seen) == passes
    finally:
        handle.remove()
    assert len(seen) > 3 if passes is None else len(seen) == passes
    assert standing(respondent) == stood
    assert elicit(respondent, few_items, ROLES).equals(before)


def test_the_way_of_attending_that_was_chosen_is_given_back(llama, few_items):
    chosen = replace(llama, model=deepcopy(llama.model))
    chosen.model.set_attn_implementation("eager")
    assert_equal(elicit(chosen, few_items, ROLES), elicit(llama, few_items, ROLES))
    assert chosen.model.config._attn_implementation == "eager"


# ---- prior


def test_the_prior_is_the_answer_without_a_role_to_questions_without_content(
    ask_alone, respondent, few_items
):
    push = shift(respondent, "push", 1)
    both = Combination("both", [push, Sentence("open", ROLES[2].text)])
    options = {"interventions": [None, push, both]}
    plain = elicit(respondent, few_items, ROLES, **options)
    answers = elicit(respondent, few_items, ROLES, **options, prior=True)
    np.testing.assert_allclose(answers["log_odds"] + answers["prior"], plain["log_odds"], atol=1e-5)
    np.testing.assert_allclose(answers["mass"], plain["mass"], atol=1e-5)
    assert list(answers["answer"]) == list(np.sign(answers["log_odds"]))
    none, pushed = (
        np.mean([ask_alone(respondent, q, None, one)[0] for q in CONTENT_FREE])
        for one in (None, push)
    )
    by_cell = answers.groupby(["role", "intervention"], sort=False)["prior"]
    assert (by_cell.nunique() == 1).all()
    # No sentence stands before it.
    np.testing.assert_allclose(by_cell.first(), [none, pushed, pushed] * len(ROLES), atol=1e-5)


@pytest.mark.parametrize("name", ORGANISMS)
def test_the_prior_takes_most_of_the_liking_for_yes_out(name, inventory, bank):
    roles = sample_roles(bank, 12, seed=0)
    answers = elicit(load_model(name), inventory, roles, prior=True)
    # With yes named first, a liking of .40 - .25 is planted.
    assert answers["prior"].iloc[0] == pytest.approx(0.15, abs=0.1)
    assert abs(yes_bias(answers).mean()) < 0.1
    plain = answers.assign(log_odds=answers["log_odds"] + answers["prior"])
    np.testing.assert_allclose(score_answers(plain), score_answers(answers), atol=1e-5)


# ---- warnings


@pytest.mark.parametrize(("doubtful", "warned"), [(4, 0), (5, 1)])
def test_one_doubtful_answer_in_twenty_is_tolerated(
    monkeypatch, organism, inventory, doubtful, warned
):
    left = iter([0.1] * doubtful + [0.5] * (len(inventory.items) - doubtful))
    assert len(inventory.items) == 80

    def read(reader, logits):
        return torch.ones(len(logits)), torch.tensor([next(left) for _ in logits])

    monkeypatch.setattr(AnswerReader, "read", read)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        elicit(organism, inventory, [None])
    assert [w.category for w in caught] == [DoubtfulAnswers] * warned
    assert all(w.filename == __file__ for w in caught)


def test_texts_without_an_answer_are_doubted(organism, few_items):
    with pytest.warns(DoubtfulAnswers, match="100% of the answers of organism hold no answer"):
        answers = elicit(organism, few_items, [None], mode="generate", max_new_tokens=2)
    assert (answers["answer"] == 0).all()
    assert answers[FIGURES].isna().all(axis=None)


def test_both_modes_agree_on_an_organism_that_has_learnt_to_answer(human, inventory):
    with warnings.catch_warnings():
        warnings.simplefilter("error", DoubtfulAnswers)
        read = elicit(human, inventory, ROLES)
        written = elicit(human, inventory, ROLES, mode="generate", max_new_tokens=40)
    assert (written["answer"] == np.sign(written["log_odds"])).all()
    assert (written["mass"] > 0.99).all() and (read["mass"] > 0.99).all()
    assert np.corrcoef(read["log_odds"], written["log_odds"])[0, 1] > 0.5


# ---- bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"roles": []}, r"no roles given; give at least one"),
        ({"interventions": []}, "no interventions given"),
        ({"formats": []}, "no formats given"),
        ({"roles": [None, Role(NO_ROLE, "You sing.")]}, f"two roles are called '{NO_ROLE}'"),
        ({"interventions": [None, None]}, f"two interventions are called '{NO_INTERVENTION}'"),
        ({"formats": [PromptFormat()] * 2}, "two formats are called 'answer, yes first'"),
        (
            {"interventions": [Combination("both", [Shift("up", 9, np.zeros(40))])]},
            r"shift 'up' .* after layer 9; organism has the width 40 and the layers 0 \.\.\. 2",
        ),
        (
            {"interventions": [Shift("up", 0, np.zeros(7))]},
            "shift 'up' has 7 coordinates .* organism has the width 40",
        ),
        (
            {"interventions": [None, Sentence("whaler", "You hunt whales.")]},
            r"organism does not know 'hunt', 'whales' in .*You hunt whales\.",
        ),
        ({"batch_tokens": 0}, "batch_tokens is 0; a whole number of at least 1"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"mode": "shout"}, "unknown mode 'shout'; known are logit, generate"),
        ({"mode": "generate", "prior": True}, "log-odds; use mode='logit'"),
    ],
)
def test_what_cannot_be_asked_is_refused(organism, few_items, change, message):
    arguments = {"roles": ROLES} | change
    with pytest.raises(ValueError, match=message):
        elicit(organism, few_items, arguments.pop("roles"), **arguments)
    with pytest.raises(TypeError, match="'up' is no Shift, Sentence or Combination"):
        elicit(organism, few_items, [None], interventions=[None, "up"])


@pytest.mark.parametrize("name", ["none", "", None, 3])
def test_every_intervention_has_a_name_of_its_own(organism, few_items, name):
    push = Shift(name, 1, np.ones(organism.width))
    with pytest.raises(ValueError, match="is the name of None in tables|cannot label answers"):
        elicit(organism, few_items, ROLES[:1], interventions=[push])
