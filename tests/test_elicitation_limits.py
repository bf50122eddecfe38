"""What asking leaves behind, what it refuses and what it warns of."""

import warnings
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch

from valuegraph import prompts
from valuegraph.answers import NO_INTERVENTION, score_answers, yes_bias
from valuegraph.elicitation import CONTENT_FREE, DoubtfulAnswers, elicit
from valuegraph.forward import Rows
from valuegraph.interventions import PLACES, Combination, Sentence, Shift
from valuegraph.models import Respondent, load_model
from valuegraph.organisms import ORGANISMS
from valuegraph.probing import states
from valuegraph.prompts import PromptFormat
from valuegraph.roles import NO_ROLE, Role, sample_roles

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


# ---------------------------------------------------------------------- the model is left as it was


def ask_in_every_way(respondent, items):
    interventions = [None, shift(respondent, "push", 0), shift(respondent, "pull", 1)]
    elicit(respondent, items, ROLES, interventions=interventions)
    elicit(respondent, items, ROLES, interventions=interventions, mode="generate", max_new_tokens=3)


@pytest.mark.parametrize("name", ["organism", "gemma2"])  # sharing prefixes or not
def test_nothing_stays_behind_in_the_model(request, relative, few_items, name):
    respondent = relative(name) if name in NOT_SHARING else request.getfixturevalue(name)
    before, stood = elicit(respondent, few_items, ROLES), standing(respondent)
    ask_in_every_way(respondent, few_items)
    states(respondent, ROLES, layer=1)
    assert standing(respondent) == stood
    assert elicit(respondent, few_items, ROLES).equals(before)


@pytest.mark.parametrize("name", ["organism", "gemma2"])
@pytest.mark.parametrize("passes", [1, 2, 3, 4])  # the prefixes, the questions, what is written
def test_nothing_stays_behind_after_an_error(request, relative, few_items, name, passes):
    respondent = relative(name) if name in NOT_SHARING else request.getfixturevalue(name)
    before, stood = elicit(respondent, few_items, ROLES), standing(respondent)
    seen = []

    def break_down(module, inputs):
        seen.append(module)
        if len(seen) == passes:
            raise RuntimeError("midway")

    handle = respondent.model.base_model.layers[2].register_forward_pre_hook(break_down)
    try:
        with pytest.raises(RuntimeError, match="midway"):
            ask_in_every_way(respondent, few_items)
    finally:
        handle.remove()
    assert standing(respondent) == stood
    assert elicit(respondent, few_items, ROLES).equals(before)


def test_the_way_of_attending_that_was_chosen_is_given_back(llama, few_items):
    chosen = Respondent("chosen", deepcopy(llama.model), llama.tokenizer)
    chosen.model.set_attn_implementation("eager")
    assert_equal(
        elicit(chosen, few_items, ROLES).drop(columns="model"),
        elicit(llama, few_items, ROLES).drop(columns="model"),
    )
    assert chosen.model.config._attn_implementation == "eager"


# -------------------------------------------------------------------------------------------- prior


def test_the_prior_is_what_is_said_without_a_role_to_questions_without_content(
    ask_alone, respondent, few_items
):
    interventions = [None, shift(respondent, "push", 1)]
    plain = elicit(respondent, few_items, ROLES, interventions=interventions)
    answers = elicit(respondent, few_items, ROLES, interventions=interventions, prior=True)
    np.testing.assert_allclose(answers["log_odds"] + answers["prior"], plain["log_odds"], atol=1e-5)
    np.testing.assert_allclose(answers["mass"], plain["mass"], atol=1e-5)
    expected = [
        np.mean([ask_alone(respondent, q, None, i)[0] for q in CONTENT_FREE]) for i in interventions
    ] * len(ROLES)
    told = [Combination("both", [interventions[1], Sentence("told", ROLES[2].text)])]
    both = elicit(respondent, few_items, ROLES[:1], interventions=told, prior=True)
    np.testing.assert_allclose(both["prior"], expected[1], atol=1e-5)  # nothing is told before it
    by_cell = answers.groupby(["role", "intervention"], sort=False)["prior"]
    assert (by_cell.nunique() == 1).all()
    np.testing.assert_allclose(by_cell.first(), expected, atol=1e-5)


def test_a_corrected_answer_is_the_sign_of_the_corrected_log_odds(human, inventory):
    plain, corrected = (elicit(human, inventory, ROLES, prior=prior) for prior in (False, True))
    assert list(plain["answer"]) == list(np.sign(plain["log_odds"]))
    assert list(corrected["answer"]) == list(np.sign(corrected["log_odds"]))
    assert (corrected["answer"] != plain["answer"]).any()


def test_the_prior_cancels_in_scores_of_items_keyed_both_ways(organism, few_items):
    plain, corrected = (elicit(organism, few_items, ROLES, prior=p) for p in (False, True))
    assert (corrected["prior"].abs() > 0.01).all()
    np.testing.assert_allclose(score_answers(plain), score_answers(corrected), atol=1e-5)


@pytest.mark.parametrize("name", ORGANISMS)
def test_the_prior_takes_most_of_the_liking_for_yes_out(name, inventory, bank):
    roles = sample_roles(bank, 20, seed=0)
    answers = elicit(load_model(name), inventory, roles, prior=True)
    # With yes named first, a liking of .40 - .25 is planted.
    assert answers["prior"].iloc[0] == pytest.approx(0.15, abs=0.06)
    assert abs(yes_bias(answers).mean()) < 0.06


def test_the_prior_takes_out_what_the_order_of_the_options_adds(human, inventory):
    """The order moves an organism's answers by 0.5 by design; see `AnswerModel`."""

    def bias(yes_first, prior):
        fmt = PromptFormat(yes_first=yes_first)
        return float(yes_bias(elicit(human, inventory, ROLES, formats=fmt, prior=prior)).mean())

    assert bias(False, False) - bias(True, False) == pytest.approx(0.5, abs=0.05)
    assert bias(False, True) == pytest.approx(bias(True, True), abs=0.05)


# ----------------------------------------------------------------------------------------- warnings


def with_mass(monkeypatch, mass):
    """Let every answer have some mass on yes and no."""

    def read(reader, logits):
        return torch.ones(len(logits)), torch.full((len(logits),), mass)

    monkeypatch.setattr("valuegraph.reading.AnswerReader.read", read)


def test_log_odds_with_little_behind_them_are_doubted(monkeypatch, organism, few_items):
    with_mass(monkeypatch, 0.49)
    doubt = "100% of the answers of organism have less than 0.5 of their probability on yes and no"
    with pytest.warns(DoubtfulAnswers, match=doubt) as told:
        elicit(organism, few_items, [None])
    assert [warning.filename for warning in told] == [__file__]


def test_log_odds_with_enough_behind_them_are_not(monkeypatch, organism, few_items):
    with_mass(monkeypatch, 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        elicit(organism, few_items, [None])


@pytest.mark.parametrize(("doubtful", "told"), [(4, 0), (5, 1)])
def test_one_doubtful_answer_in_twenty_is_tolerated(
    monkeypatch, organism, inventory, doubtful, told
):
    given = iter([0.1] * doubtful + [0.9] * (len(inventory.items) - doubtful))
    assert len(inventory.items) == 80

    def read(reader, logits):
        return torch.ones(len(logits)), torch.tensor([next(given) for _ in logits])

    monkeypatch.setattr("valuegraph.reading.AnswerReader.read", read)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        elicit(organism, inventory, [None])
    assert [w.category for w in warned] == [DoubtfulAnswers] * told


def test_texts_without_an_answer_are_doubted(organism, few_items):
    with pytest.warns(DoubtfulAnswers, match="100% of the answers of organism hold no answer"):
        answers = elicit(organism, few_items, [None], mode="generate", max_new_tokens=2)
    assert (answers["answer"] == 0).all()
    assert answers[FIGURES].isna().all(axis=None)


@pytest.mark.parametrize("mode", ["logit", "generate"])
def test_an_organism_that_has_learnt_to_answer_is_not_doubted(human, few_items, mode):
    with warnings.catch_warnings():
        warnings.simplefilter("error", DoubtfulAnswers)
        answers = elicit(human, few_items, ROLES, mode=mode, max_new_tokens=40)
    assert (answers["answer"] != 0).all()
    assert (answers["mass"] > 0.99).all()


def test_both_modes_agree_on_an_organism_that_has_learnt_to_answer(human, inventory):
    read = elicit(human, inventory, ROLES)
    written = elicit(human, inventory, ROLES, mode="generate", max_new_tokens=40)
    assert (written["answer"] == np.sign(written["log_odds"])).all()
    assert np.corrcoef(read["log_odds"], written["log_odds"])[0, 1] > 0.5


# ----------------------------------------------------------------------------- memory that runs out


def test_where_memory_runs_out_fewer_are_asked_at_a_time(monkeypatch, respondent, few_items):
    settings = {"interventions": pushes(respondent)[:2]}
    expected = elicit(respondent, few_items, ROLES, **settings)
    read, sizes = Rows.read, []

    def read_little(rows, **options):
        sizes.append(rows._ids.numel())
        if sizes[-1] > 150:
            raise torch.OutOfMemoryError("fake")
        return read(rows, **options)

    monkeypatch.setattr(Rows, "read", read_little)
    answers = elicit(respondent, few_items, ROLES, batch_tokens=5000, **settings)
    assert_equal(answers, expected)
    assert sizes[0] > 150
    assert sum(size > 150 for size in sizes) < 8  # what was too much is not tried for every batch


def test_where_memory_runs_out_while_writing_fewer_write(monkeypatch, llama, few_items):
    settings = {"mode": "generate", "max_new_tokens": 4}
    expected = elicit(llama, few_items, ROLES, **settings)
    read, most = Rows.read, []

    def read_little(rows, **options):
        n, columns = rows._mask.shape
        most.append(n)
        if n > 5 and rows._ids.shape[1] == 1:  # only once something was written
            raise torch.OutOfMemoryError("fake")
        return read(rows, **options)

    monkeypatch.setattr(Rows, "read", read_little)
    assert_equal(elicit(llama, few_items, ROLES, batch_tokens=5000, **settings), expected)
    assert max(most) > 5


def test_where_memory_is_too_small_for_one_prompt_the_way_out_is_told(
    monkeypatch, llama, few_items
):
    def read(rows, **options):
        raise torch.OutOfMemoryError("fake")

    monkeypatch.setattr(Rows, "read", read)
    with pytest.raises(MemoryError, match='does not suffice for one prompt.*quantize="4bit"'):
        elicit(llama, few_items, ROLES)


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
        (
            {"interventions": [Shift("up", 9, np.zeros(40))]},
            r"shift 'up' acts after layer 9, which does not exist; organism has layers 0 \.\.\. 2",
        ),
        (
            {"interventions": [Combination("both", [Shift("up", -1, np.zeros(40))])]},
            "shift 'up' acts after layer -1, which does not exist",
        ),
        (
            {"interventions": [Combination("both", [Shift("up", 1, np.zeros(4))])]},
            "shift 'up' has 4 coordinates, but the residual stream of organism has 40",
        ),
        (
            {"interventions": [Sentence("x", "You sing."), Shift("x", 1, np.zeros(40))]},
            "two interventions are called 'x'",
        ),
        (
            {"interventions": [None, Sentence("whaler", "You hunt whales.")]},
            r"organism does not know 'hunt', 'whales' in .*You hunt whales\.",
        ),
        (
            {"interventions": [Shift("up", 0, np.zeros(7))]},
            "shift 'up' has 7 coordinates, but the residual stream of organism has 40",
        ),
        ({"batch_tokens": 0}, "batch_tokens must be at least 1, got 0"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1, got 0"),
        ({"mode": "shout"}, "unknown mode 'shout'; known are logit, generate"),
        (
            {"mode": "generate", "prior": True},
            "a prior can be subtracted from log-odds only; use mode='logit'",
        ),
        (
            {"roles": [None, Role("whaler", "You hunt whales, often.")]},
            r"organism does not know 'hunt', 'whales' in .*You hunt whales, often\.",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(organism, few_items, change, message):
    arguments = {"roles": ROLES} | change
    with pytest.raises(ValueError, match=message):
        elicit(organism, few_items, arguments.pop("roles"), **arguments)


def test_what_is_no_intervention_is_refused(organism, few_items):
    with pytest.raises(TypeError, match="'up' is no intervention; give a Shift, a Sentence"):
        elicit(organism, few_items, [None], interventions=[None, "up"])


def test_a_prompt_without_a_site_can_be_shifted_elsewhere(monkeypatch, organism, few_items):
    monkeypatch.setattr(prompts, "SITE", "your beliefs")
    with pytest.raises(ValueError, match="the prompt does not hold the site's words 'your belie"):
        elicit(organism, few_items, ROLES, interventions=[shift(organism, "push", 1)])
    push = shift(organism, "push", 1, where="prompt")
    pushed = elicit(organism, few_items, ROLES, interventions=[None, push])
    assert pushed["log_odds"].groupby(pushed["intervention"]).mean().nunique() == 2
