"""The gate: who answers everything alike is told and refused, who has values passes with ease."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.answers import score_answers
from valuegraph.asking.prompts import PromptFormat
from valuegraph.discovery import discover
from valuegraph.gating import SpreadThresholds, check_spread, require_spread

BOTH_ORDERS = [PromptFormat(), PromptFormat(yes_first=False)]


@pytest.fixture(scope="module")
def answers(simulate):
    return simulate(formats=BOTH_ORDERS)


def with_log_odds(answers, log_odds):
    return answers.assign(log_odds=log_odds, answer=np.sign(log_odds).astype(np.int8))


def flat(answers):
    return with_log_odds(answers, np.full(len(answers), 2.0))


def nearly_flat(answers):
    """Write yes throughout, with a little noise."""
    return with_log_odds(answers, 2 + 0.05 * np.random.default_rng(0).standard_normal(len(answers)))


def deaf_to_roles(answers):
    """Answer every item in its own way, whoever asks."""
    items = pd.Series(
        2 * np.random.default_rng(0).standard_normal(answers["item"].nunique()),
        answers["item"].unique(),
    )
    return with_log_odds(answers, answers["item"].map(items))


def same_to_99_percent(answers):
    """Say yes to all but one item in a hundred, however sure."""
    rng = np.random.default_rng(0)
    log_odds = 2 + np.abs(rng.standard_normal(len(answers)))
    return with_log_odds(answers, np.where(rng.random(len(answers)) < 0.01, -1.0, log_odds))


def often_unsure(answers):
    """Leave every third answer open."""
    return answers.assign(answer=answers["answer"] * (np.arange(len(answers)) % 3 > 0))


# who passes


@pytest.mark.parametrize("name", ["organism-human", "organism-alien"])
def test_organisms_pass_by_a_wide_margin(name, few_items, bank):
    from valuegraph.elicitation import elicit
    from valuegraph.models import load_model
    from valuegraph.roles import sample_roles

    answers = elicit(load_model(name), few_items, sample_roles(bank, 24, seed=4))
    preset = SpreadThresholds()
    figures = check_spread(answers).checks["figure"]
    assert figures["same_answer"] < 0.8
    assert figures["item_spread"] > 2 * preset.item_spread
    assert figures["role_spread"] > 4 * preset.role_spread
    assert figures["low_mass"] == figures["unsure"] == 0
    by_answer = check_spread(answers, by="answer")
    assert by_answer.passed
    assert by_answer.checks.loc["role_spread", "figure"] > 8 * preset.role_spread_of_answers
    assert require_spread(answers) is answers


@pytest.mark.filterwarnings("ignore::UserWarning")  # asking them warns, too
def test_random_weights_are_refused(respondent, few_items, bank):
    from valuegraph.elicitation import elicit
    from valuegraph.roles import sample_roles

    verdict = check_spread(elicit(respondent, few_items, sample_roles(bank, 20, seed=5)))
    assert {"item_spread", "low_mass"} <= set(verdict.failed)


# who does not


@pytest.mark.parametrize(
    ("respond", "by", "failed"),
    [
        (flat, "log_odds", {"same_answer", "item_spread", "role_spread"}),
        (flat, "answer", {"same_answer", "role_spread"}),
        (nearly_flat, "log_odds", {"same_answer", "item_spread", "role_spread"}),
        (nearly_flat, "answer", {"same_answer", "role_spread"}),
        (deaf_to_roles, "log_odds", {"role_spread"}),
        (deaf_to_roles, "answer", {"role_spread"}),
        (same_to_99_percent, "log_odds", {"same_answer", "role_spread"}),
        (same_to_99_percent, "answer", {"same_answer", "role_spread"}),
        (lambda a: a.assign(mass=0.1), "log_odds", {"low_mass"}),
        (often_unsure, "answer", {"unsure"}),
    ],
)  # fmt: skip
def test_respondents_without_answers_are_told(answers, respond, by, failed):
    verdict = check_spread(respond(answers), by=by)
    assert set(verdict.failed) == failed and not verdict.passed
    with pytest.raises(ValueError, match="no graph should be drawn from these answers of simul"):
        require_spread(respond(answers), by=by)


def test_the_message_names_figures_values_and_the_way_out(answers):
    one_flat = answers.assign(log_odds=answers["log_odds"].where(answers["value"] != "TR", 0.4))
    with pytest.raises(ValueError) as error:
        require_spread(one_flat)
    message = str(error.value)
    assert (
        "role_spread is 0, at least 0.2 is wanted (roles hardly move the scores of TR)" in message
    )
    assert "thresholds=SpreadThresholds(role_spread=...)" in message
    assert require_spread(one_flat, thresholds=SpreadThresholds(role_spread=0)) is one_flat
    with pytest.raises(ValueError, match=r"SpreadThresholds\(same_answer=..., role_spread_of_answ"):
        require_spread(flat(answers), by="answer")


# figures


def test_figures_by_hand(answers):
    grid = answers.set_index(["role", "format", "item"])
    verdict = check_spread(answers)
    figures = verdict.checks["figure"]
    commonest = answers.groupby("role")["answer"].agg(
        lambda a: a.value_counts(normalize=True).max()
    )
    assert figures["same_answer"] == pytest.approx(commonest.mean())
    over_items = grid["log_odds"].groupby(["role", "format"]).std()
    assert figures["item_spread"] == pytest.approx(over_items.mean())
    over_roles = score_answers(answers).std()
    pd.testing.assert_series_equal(verdict.role_spread, over_roles, check_names=False)
    assert figures["role_spread"] == pytest.approx(over_roles.min())


def test_the_order_of_the_rows_changes_nothing(answers):
    first, again = check_spread(answers), check_spread(answers.sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(first.checks, again.checks)


def test_generated_answers_are_judged_by_what_they_tell(answers):
    generated = answers.assign(log_odds=np.nan, mass=np.nan)
    verdict = check_spread(generated, by="answer")
    assert verdict.passed
    passed = verdict.checks["passed"]
    assert passed["item_spread"] is None and passed["low_mass"] is None
    assert passed["same_answer"] is passed["role_spread"] is passed["unsure"] is True
    with pytest.raises(ValueError, match="log_odds is missing"):
        check_spread(generated)


def test_a_verdict_can_be_read(answers):
    text = repr(check_spread(flat(answers)))
    assert "failed (same_answer, item_spread, role_spread); 40 roles, 80 items" in text
    assert text.count("FAILED") == 3 and text.count("passed") == 2
    generated = repr(check_spread(answers.assign(mass=np.nan), by="answer"))
    assert "passed; 40 roles" in generated and generated.count("not told") == 2
    assert "<table" in check_spread(answers)._repr_html_()


def test_thresholds_and_tables_out_of_range_are_refused(answers):
    with pytest.raises(ValueError, match="threshold unsure must be 0 or more, got -1"):
        SpreadThresholds(unsure=-1)
    with pytest.raises(ValueError, match=r"those of 1 role\(s\); this needs at least 2"):
        check_spread(answers[answers["role"] == "role000"])
    with pytest.raises(ValueError, match="several interventions"):
        check_spread(pd.concat([answers, answers.assign(intervention="push")]))


# the gate that scores pass through


def test_scores_of_a_flat_respondent_are_refused_by_discovery(answers):
    for respond in (nearly_flat, deaf_to_roles):
        with pytest.raises(ValueError, match="hardly vary over roles|do not vary over roles"):
            discover(score_answers(respond(answers)))
    scores = score_answers(nearly_flat(answers))
    with pytest.raises(ValueError, match=r"SE \(SD 0\.01\d\), .*at least 0.05.*check_spread"):
        discover(scores)
    assert discover(score_answers(answers), null_draws=0).n_edges >= 0


def test_a_loosened_gate_is_remembered_by_the_graph(answers):
    scores = score_answers(nearly_flat(answers))
    assert discover(scores, null_draws=0, min_spread=0).info["min_spread"] == 0
    assert "min_spread" not in discover(score_answers(answers), null_draws=0).info
    # The search itself knows no unit.
    assert discover(scores, null_draws=0, min_spread=0) == discover(scores * 100, null_draws=0)
    for bound in (-1, float("nan")):
        with pytest.raises(ValueError, match=f"min_spread must be 0 .* got {bound}"):
            discover(scores, min_spread=bound)
