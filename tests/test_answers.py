"""Scores are means of keyed log-odds; a liking for yes cancels in them and is measured apart."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.answers import COLUMNS, NO_INTERVENTION, score_answers, yes_bias
from valuegraph.organisms.answer_model import AnswerModel
from valuegraph.roles import NO_ROLE


def table(
    log_odds: dict, *, intervention=NO_INTERVENTION, model="m", fmt="answer, yes first"
) -> pd.DataFrame:
    """Answers to two items of Y (keyed both ways) and one of X, by role."""
    items = [("Y", "Y1", 1), ("Y", "Y2", -1), ("X", "X1", 1)]
    rows = [
        (model, role, intervention, fmt, *item, np.sign(given), given, 0.9)
        for role, answers in log_odds.items()
        for item, given in zip(items, answers, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


ANSWERS = table({"zoe": (2.0, -1.0, 0.5), NO_ROLE: (0.2, 0.4, -3.0), "abe": (-1.0, 1.0, 0.0)})


def test_a_score_is_the_mean_of_keyed_log_odds_in_order_of_appearance():
    scores = score_answers(ANSWERS)
    assert list(scores.index) == ["zoe", NO_ROLE, "abe"]
    assert list(scores.columns) == ["Y", "X"]
    np.testing.assert_allclose(scores, [[1.5, 0.5], [-0.1, -3.0], [-1.0, 0.0]])


def test_the_order_of_the_rows_changes_the_order_of_the_scores_alone():
    mixed = score_answers(ANSWERS.sample(frac=1, random_state=1))
    before = score_answers(ANSWERS)
    pd.testing.assert_frame_equal(mixed.loc[before.index, before.columns], before)


def test_several_interventions_become_a_level_of_the_index():
    pushed = table({"zoe": (1.0, 1.0, 1.0), "abe": (3.0, 1.0, 2.0)}, intervention="a push")
    scores = score_answers(pd.concat([ANSWERS, pushed]))
    assert scores.index.names == ["intervention", "role"]
    assert list(scores.index) == [
        (NO_INTERVENTION, "zoe"),
        (NO_INTERVENTION, NO_ROLE),
        (NO_INTERVENTION, "abe"),
        ("a push", "zoe"),
        ("a push", "abe"),
    ]
    pd.testing.assert_frame_equal(scores.loc[NO_INTERVENTION], score_answers(ANSWERS))
    pd.testing.assert_frame_equal(scores.loc["a push"], score_answers(pushed))


@pytest.fixture
def known(inventory):
    """Answers of five roles with known values, and these values."""
    answers = AnswerModel(gain=1.5, yes_bias=0.4, order_bias=0.25)
    roles = [f"r{i}" for i in range(5)]
    values = pd.DataFrame(
        np.random.default_rng(0).standard_normal((5, 10)), roles, list(inventory.codes)
    )
    table = inventory.items.merge(pd.DataFrame({"role": roles}), how="cross")
    own = [values.loc[role, value] for _, role, value in table[["role", "value"]].itertuples()]
    table = table.assign(
        model="m",
        intervention=NO_INTERVENTION,
        format="answer, yes first",
        answer=1,
        log_odds=answers.log_odds(own, table["key"], True),
        mass=1.0,
    )
    return table[list(COLUMNS)], values, answers


def test_known_values_and_a_known_liking_for_yes_are_recovered(known):
    table, values, answers = known
    scores = score_answers(table)
    np.testing.assert_allclose(scores, answers.gain * values, atol=1e-12)
    np.testing.assert_allclose(yes_bias(table), answers.yes_bias - answers.order_bias, atol=1e-12)


def test_a_liking_for_yes_is_told_by_role(known):
    table, _, _ = known
    liking = pd.Series({role: i for i, role in enumerate(table["role"].unique())})
    moved = table.assign(log_odds=table["log_odds"] + table["role"].map(liking))
    pd.testing.assert_frame_equal(score_answers(moved), score_answers(table))
    pd.testing.assert_series_equal(
        yes_bias(moved) - yes_bias(table), liking.astype(float), check_names=False
    )


def test_both_directions_weigh_alike_in_the_liking_for_yes(known):
    table, _, answers = known
    # Only one positively keyed item of each value is left, all values at zero.
    flat = table.assign(log_odds=0.5 * table["key"] + 0.3)
    thin = flat.drop(flat.index[(flat["key"] == 1) & ~flat["item"].str.endswith("1")])
    # One value has no negatively keyed item at all.
    thin = thin.drop(thin.index[(thin["key"] == -1) & (thin["value"] == "SE")])
    assert set(thin.loc[thin["value"] == "SE", "key"]) == {1}
    np.testing.assert_allclose(yes_bias(thin), 0.3)


# ------------------------------------------------------------------------------ tables out of order


def test_generated_answers_are_scored_as_they_stand_and_unsure_counts_nothing():
    generated = ANSWERS.assign(answer=[1, -1, 0, 1, 1, -1, 0, 0, 1], log_odds=np.nan)
    scores = score_answers(generated, by="answer")
    np.testing.assert_allclose(scores, [[1, 0], [0, -1], [0, 1]])
    with pytest.raises(ValueError, match="log_odds is missing.*by='answer'"):
        score_answers(generated)
    with pytest.raises(ValueError, match="by is 'mass'; a score is made from 'log_odds' or 'ans"):
        score_answers(ANSWERS, by="mass")


def test_a_score_is_the_mean_over_formats():
    other = table({"zoe": (0.0, 1.0, 1.5)}, fmt="say, no first")
    scores = score_answers(pd.concat([ANSWERS, other]))
    np.testing.assert_allclose(scores.loc["zoe"], [0.5, 1.0])
    np.testing.assert_allclose(scores.loc["abe"], [-1.0, 0.0])


@pytest.mark.parametrize("measure", [score_answers, yes_bias])
def test_tables_that_cannot_be_scored_are_refused(measure):
    with pytest.raises(ValueError, match="answers: column key is missing"):
        measure(ANSWERS.drop(columns="key"))
    with pytest.raises(ValueError, match="answers: the table is empty"):
        measure(ANSWERS.iloc[:0])
    with pytest.raises(ValueError, match=r"several models \(m, n\)"):
        measure(pd.concat([ANSWERS, table({"zoe": (1, 1, 1)}, model="n")]))
    holed = ANSWERS.copy()
    holed.loc[4, "log_odds"] = np.nan
    with pytest.raises(
        ValueError, match="log_odds is missing, first for role 'no role', item 'Y2'"
    ):
        measure(holed)


def test_a_liking_for_yes_needs_items_keyed_both_ways():
    with pytest.raises(ValueError, match=r"all items are keyed \+1.*keyed both ways"):
        yes_bias(ANSWERS[ANSWERS["key"] == 1])
    with pytest.raises(ValueError, match="all items are keyed -1"):
        yes_bias(ANSWERS[ANSWERS["key"] == -1])
