"""Scores are means of keyed log-odds; a liking for yes cancels; flat answers are refused."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.answers import (
    COLUMNS,
    NO_INTERVENTION,
    check_spread,
    require_spread,
    score_answers,
    yes_bias,
)
from valuegraph.discovery import discover
from valuegraph.prompts import PromptFormat
from valuegraph.roles import NO_ROLE, sample_roles


def table(log_odds, intervention=NO_INTERVENTION, model="m"):
    """Answers to two items of Y (keyed both ways) and one of X, by role."""
    items = [("Y", "Y1", 1), ("Y", "Y2", -1), ("X", "X1", 1)]
    rows = [
        (model, role, intervention, "answer, yes first", *item, np.sign(x), x, 0.9)
        for role, answers in log_odds.items()
        for item, x in zip(items, answers, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


ANSWERS = table({"zoe": (2.0, -1.0, 0.5), NO_ROLE: (0.2, 0.4, -3.0), "abe": (-1.0, 1.0, 0.0)})


def test_a_score_is_the_mean_of_keyed_log_odds_in_order_of_appearance():
    scores = score_answers(ANSWERS)
    assert list(scores.index) == ["zoe", NO_ROLE, "abe"] and list(scores.columns) == ["Y", "X"]
    np.testing.assert_allclose(scores, [[1.5, 0.5], [-0.1, -3.0], [-1.0, 0.0]])
    by_answer = score_answers(ANSWERS, by="answer")
    np.testing.assert_allclose(by_answer, [[1, 1], [0, -1], [-1, 0]])


def test_formats_are_averaged_and_interventions_are_not():
    other = ANSWERS.assign(format="say, yes first", log_odds=ANSWERS["log_odds"] + 1)
    scores = score_answers(pd.concat([ANSWERS, other]))
    np.testing.assert_allclose(scores["X"], score_answers(ANSWERS)["X"] + 0.5)
    np.testing.assert_allclose(scores["Y"], score_answers(ANSWERS)["Y"])  # keyed both ways
    both = score_answers(pd.concat([ANSWERS, table({"zoe": (1.0, 1.0, 1.0)}, "push")]))
    assert both.index.names == ["intervention", "role"]
    assert both.loc[("push", "zoe")].tolist() == [0.0, 1.0]


def test_a_liking_for_yes_cancels_in_scores_and_is_measured(simulate):
    answers = simulate()
    more = answers.assign(log_odds=answers["log_odds"] + 2.0)
    np.testing.assert_allclose(score_answers(more), score_answers(answers))
    np.testing.assert_allclose(yes_bias(more), yes_bias(answers) + 2.0)
    thin = answers[~answers["item"].isin(["SE1", "SE2"])]  # keys and values weigh alike
    assert yes_bias(thin).mean() == pytest.approx(0.4 - 0.25, abs=0.15)


@pytest.mark.parametrize(
    ("answers", "by", "message"),
    [
        (ANSWERS, "mass", "unknown by 'mass'; known are log_odds, answer"),
        (ANSWERS.drop(columns="key"), "answer", "answers lacks the columns key"),
        (ANSWERS[:0], "answer", "answers lacks rows"),
        (pd.concat([ANSWERS, ANSWERS.assign(model="n")]), "answer", "several models"),
        (
            ANSWERS.assign(log_odds=np.nan),
            "log_odds",
            "missing or infinite for .*'zoe'.*by='answer'",
        ),
        (
            ANSWERS.replace({"log_odds": {ANSWERS["log_odds"][0]: np.inf}}),
            "log_odds",
            "infinite for",
        ),
        (pd.concat([ANSWERS, ANSWERS[:1]]), "answer", "answered twice: .*'zoe'.*each answer once"),
    ],
)
def test_answers_that_make_no_scores_are_refused(answers, by, message):
    with pytest.raises(ValueError, match=message):
        score_answers(answers, by=by)


def test_items_keyed_one_way_show_no_liking_for_yes():
    with pytest.raises(ValueError, match="keyed one way confound"):
        yes_bias(ANSWERS[ANSWERS["key"] == 1])


def liking_yes(answers, *, spread=1.5, uneven=0.6, values=("CO", "UN"), seed=0):
    """Let roles differ in their liking for yes, which some values' positive items show more."""
    roles = answers["role"].unique()
    liking = pd.Series(spread * np.random.default_rng(seed).standard_normal(len(roles)), roles)
    share = 1 + uneven * answers["key"] * answers["value"].isin(values)
    return with_log_odds(answers, answers["log_odds"] + answers["role"].map(liking) * share)


def test_a_liking_for_yes_that_roles_differ_in_can_be_taken_out(simulate):
    true = score_answers(simulate(n=200, noise=0.3))
    answers = liking_yes(simulate(n=200, noise=0.3), uneven=1.0)
    confounded, clean = score_answers(answers), score_answers(answers, without_yes=True)
    assert discover(true, null_draws=0).n_edges <= 1
    assert ("CO", "UN") in discover(confounded, null_draws=0).undirected_edges
    assert discover(clean, null_draws=0) == discover(true, null_draws=0)
    assert clean.corrwith(true).min() > 0.95 > 0.8 > confounded.corrwith(true).min()
    assert clean.corrwith(yes_bias(answers)).abs().max() < 1e-9
    np.testing.assert_allclose(clean.mean(), confounded.mean())
    flat_yes = answers.assign(log_odds=answers["key"])
    assert (score_answers(flat_yes, without_yes=True) == score_answers(flat_yes)).all(axis=None)
    by_answer = score_answers(answers, by="answer", without_yes=True)
    assert by_answer.corrwith(yes_bias(answers, by="answer")).abs().max() < 1e-9


def test_what_an_intervention_does_stays(simulate):
    before = liking_yes(simulate(n=60))
    pushed = before.assign(
        intervention="push", log_odds=before["log_odds"] + 0.5 * before["key"] + 1.0
    )
    both = score_answers(pd.concat([before, pushed]), without_yes=True)
    alone = score_answers(before, without_yes=True)
    np.testing.assert_allclose(both.loc["none"], alone)
    np.testing.assert_allclose(both.loc["push"], alone + 0.5)


# spread


@pytest.fixture(scope="module")
def varied(simulate):
    return simulate(formats=[PromptFormat(), PromptFormat(yes_first=False)])


def with_log_odds(answers, log_odds):
    return answers.assign(log_odds=log_odds, answer=np.sign(log_odds).astype(np.int8))


def flat(answers):
    return with_log_odds(answers, 2.0)


def nearly_flat(answers):
    noise = np.random.default_rng(0).standard_normal(len(answers))
    return with_log_odds(answers, 2 + 0.05 * noise)


def deaf_to_roles(answers):
    items = answers["item"].unique()
    level = 2 * np.random.default_rng(0).standard_normal(len(items))
    return with_log_odds(answers, answers["item"].map(dict(zip(items, level, strict=True))))


def same_to_99_percent(answers):
    rng = np.random.default_rng(0)
    log_odds = 2 + np.abs(rng.standard_normal(len(answers)))
    return with_log_odds(answers, np.where(rng.random(len(answers)) < 0.01, -1.0, log_odds))


def often_unsure(answers):
    return answers.assign(answer=answers["answer"] * (np.arange(len(answers)) % 3 > 0))


@pytest.mark.parametrize(
    ("respond", "by", "failed"),
    [
        (flat, "log_odds", {"same_answer", "item_spread", "role_spread"}),
        (flat, "answer", {"same_answer", "role_spread"}),
        (nearly_flat, "log_odds", {"same_answer", "item_spread", "role_spread"}),
        (deaf_to_roles, "log_odds", {"role_spread"}),
        (deaf_to_roles, "answer", {"role_spread"}),
        (same_to_99_percent, "log_odds", {"same_answer", "role_spread"}),
        (lambda a: a.assign(mass=0.1), "log_odds", {"low_mass"}),
        (often_unsure, "answer", {"unsure"}),
        (lambda a: a[a["role"] == "role000"], "log_odds", {"role_spread"}),
    ],
)
def test_respondents_without_answers_are_refused(varied, respond, by, failed):
    verdict = check_spread(respond(varied), by=by)
    assert set(verdict.failed) == failed and not verdict.passed
    with pytest.raises(ValueError, match="no graph should be drawn from these answers of simul"):
        require_spread(respond(varied), by=by)


def test_organisms_pass_by_a_wide_margin(human, few_items, bank):
    from valuegraph.elicitation import elicit

    answers = elicit(human, few_items, sample_roles(bank, 24, seed=4))
    checks = check_spread(answers).checks
    assert checks["figure"]["same_answer"] < 0.8
    assert checks["figure"]["item_spread"] > 2 * checks["threshold"]["item_spread"]
    assert checks["figure"]["role_spread"] > 4 * checks["threshold"]["role_spread"]
    assert checks["figure"]["yes_confound"] < 0.6
    assert checks["figure"]["low_mass"] == checks["figure"]["unsure"] == 0
    assert check_spread(answers, by="answer").passed and require_spread(answers) is answers


def test_scores_that_show_the_liking_for_yes_are_refused(simulate, varied):
    honest = check_spread(liking_yes(varied, uneven=0)).checks.loc["yes_confound"]
    assert honest["passed"] and honest["figure"] < 0.6
    answers = liking_yes(simulate(n=200), uneven=1.5)
    scores = score_answers(answers)
    assert check_spread(answers).failed == ("yes_confound",)
    largest = scores.corrwith(yes_bias(answers)).abs().max()
    assert check_spread(answers).checks["figure"]["yes_confound"] == pytest.approx(largest)
    with pytest.raises(ValueError, match="yes_confound 0.* score them without_yes=True"):
        require_spread(answers)
    one_way = answers[answers["key"] == 1]
    few = answers[answers["role"].isin(answers["role"].unique()[:19])]
    for unknown in (one_way, few):
        assert np.isnan(check_spread(unknown).checks["figure"]["yes_confound"])
    enough = answers[answers["role"].isin(answers["role"].unique()[:20])]
    assert check_spread(enough).checks["figure"]["yes_confound"] > 0


@pytest.mark.parametrize("name", ["organism", "gemma", "llama"])
def test_random_weights_do_not_confound_more_than_organisms(name, few_items, bank, request):
    from valuegraph.elicitation import elicit

    model = request.getfixturevalue(name)
    answers = elicit(model, few_items, sample_roles(bank, 40, seed=4))
    assert check_spread(answers).checks["figure"]["yes_confound"] < 0.65


def test_figures_are_those_of_the_answers(varied):
    figure = check_spread(varied).checks["figure"]
    scores = score_answers(varied)
    assert figure["role_spread"] == pytest.approx(scores.std().min())
    by_cell = varied.pivot(index=["role", "format"], columns="item", values="log_odds")
    assert figure["item_spread"] == pytest.approx(by_cell.std(axis=1).mean())
    yes = (varied["answer"] == 1).groupby(varied["role"]).mean()
    assert figure["same_answer"] == pytest.approx(np.maximum(yes, 1 - yes).mean())


def test_a_figure_that_just_reaches_its_threshold_passes(varied):
    assert check_spread(varied, thresholds={"unsure": 0, "low_mass": 0}).passed


def test_differences_of_rounding_are_no_spread(varied):
    rounded = 1e6 * varied["key"] + 1e-5 * varied["log_odds"]  # by key, or it cancels
    assert check_spread(varied.assign(log_odds=rounded)).checks["figure"]["role_spread"] == 0


def test_a_refusal_names_figures_values_and_the_way_out(varied):
    one_flat = varied.assign(log_odds=varied["log_odds"].where(varied["value"] != "TR", 0.4))
    reason = r"role_spread 0, not at least 0.2 \(roles hardly move the scores of TR\)"
    with pytest.raises(ValueError, match=f"{reason}.*thresholds="):
        require_spread(one_flat)
    assert require_spread(one_flat, thresholds={"role_spread": 0}) is one_flat
    text = repr(check_spread(one_flat))
    assert text.startswith("Spread of the answers of simulated, 40 roles, by log_odds: failed")
    assert "role_spread" in text and "False" in text


def test_what_is_not_recorded_does_not_fail(varied):
    generated = varied.assign(log_odds=np.nan, mass=np.nan)
    verdict = check_spread(generated, by="answer")
    assert verdict.passed and verdict.checks["figure"].isna().sum() == 2
    assert verdict.checks["figure"]["yes_confound"] < 0.5


def test_spread_is_that_of_one_intervention_and_known_thresholds(varied):
    with pytest.raises(ValueError, match="several interventions"):
        check_spread(pd.concat([varied, varied.assign(intervention="push")]))
    with pytest.raises(ValueError, match="known are same_answer, item_spread"):
        check_spread(varied, thresholds={"spread": 1})


@pytest.mark.parametrize("key", [2, 0, np.nan, "1"])
def test_keys_are_one_or_minus_one(key):
    with pytest.raises(ValueError, match="keys are .*; use 1 and -1"):
        score_answers(ANSWERS.assign(key=key))
