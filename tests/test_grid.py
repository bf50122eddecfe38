"""Grids: the same answers in another shape, and tables that are not whole are refused."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.answers import score_answers
from valuegraph.asking.prompts import PromptFormat
from valuegraph.psychometrics.facets import format_facets
from valuegraph.psychometrics.grid import answer_grid

FORMATS = [PromptFormat(), PromptFormat(yes_first=False), PromptFormat("say")]


@pytest.fixture(scope="module")
def answers(simulate, few_items):
    return simulate(few_items.items, n=5, formats=FORMATS)


def test_every_answer_has_its_place(answers):
    grid = answer_grid(answers)
    assert grid.log_odds.shape == (5, 3, 8)
    for _, row in answers.sample(30, random_state=0).iterrows():
        place = (
            grid.roles.index(row["role"]),
            grid.formats.index(row["format"]),
            grid.items.index.get_loc(row["item"]),
        )
        assert grid.log_odds[place] == row["log_odds"]
        assert grid.answer[place] == row["answer"]
        assert grid.mass[place] == row["mass"]
        assert tuple(grid.items.loc[row["item"]]) == (row["value"], row["key"])


def test_the_order_of_the_rows_means_nothing(answers):
    grid = answer_grid(answers)
    mixed = answers.sample(frac=1, random_state=1)
    same_values = pd.concat([mixed[mixed["value"] == value] for value in grid.values])
    again = answer_grid(same_values)
    assert again.roles == grid.roles and again.formats == grid.formats
    pd.testing.assert_frame_equal(again.items, grid.items)
    assert (again.log_odds == grid.log_odds).all()


def test_text_may_be_stored_as_categories(answers):
    stored = answers.astype(dict.fromkeys(["model", "role", "format", "value", "item"], "category"))
    again, grid = answer_grid(stored), answer_grid(answers)
    assert (again.log_odds == grid.log_odds).all() and again.values == grid.values


@pytest.mark.parametrize("by", ["log_odds", "answer"])
def test_scores_are_those_of_score_answers(answers, by):
    grid, scores = answer_grid(answers, by=by), score_answers(answers, by=by)
    for value in grid.values:
        ours = pd.Series(grid.scores(value, by).mean(axis=1), grid.roles)
        np.testing.assert_allclose(ours[scores.index], scores[value])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: a.drop(columns="key"), "column key is missing"),
        (lambda a: a.head(0), "the table is empty"),
        (
            lambda a: pd.concat([a, a.assign(model="other")]),
            r"several models \(simulated, other\); take one.*answers\['model'\] == 'simulated'",
        ),
        (
            lambda a: pd.concat([a, a.assign(intervention="push")]),
            r"several interventions \(none, push\)",
        ),
        (
            lambda a: a.drop(a.index[(a["role"] == "role002") & (a["item"] == "ST1")]),
            "3 of 120 answers are missing, first that of role 'role002' to item 'ST1' in format "
            "'answer, no first'",
        ),
        (
            lambda a: pd.concat([a, a.head(2)]),
            "2 of 120 answers are there more than once, first that of role 'role000'",
        ),
        (lambda a: a.assign(key=a["key"].where(a.index > 0, 5)), "'SE1' has several values or key"),
        (lambda a: a.assign(key=2 * a["key"]), "item 'SE1' has key 2; a key is 1"),
        (
            lambda a: a.assign(log_odds=a["log_odds"].where(a["role"] != "role001")),
            "log_odds is missing in 24 of 120 answers, first for role 'role001'.*by='answer'",
        ),
    ],
)
def test_tables_that_are_not_whole_are_refused(answers, spoil, message):
    with pytest.raises(ValueError, match=message):
        answer_grid(spoil(answers))


def test_options_out_of_range_are_named(answers):
    with pytest.raises(ValueError, match="by is 'mass'; answers are read by 'log_odds' or by"):
        answer_grid(answers, by="mass")
    with pytest.raises(ValueError, match=r"those of 5 role\(s\); this needs at least 6"):
        answer_grid(answers, least_roles=6)


# which formats differ in one thing alone


def names(*formats):
    return [fmt.name for fmt in formats]


def test_pairs_differ_in_one_thing_alone():
    yes, no = PromptFormat(), PromptFormat(yes_first=False)
    say, say_no = PromptFormat("say"), PromptFormat("say", yes_first=False)
    thinking = PromptFormat("reply", think=True)
    facets = format_facets(names(no, say, yes, thinking, say_no))
    assert set(facets.wording_pairs) == {(0, 4), (1, 2)}
    assert set(facets.order_pairs) == {(2, 0), (1, 4)}  # yes first stands first
    assert set(facets.wording_groups) == {(0, 4), (1, 2)}
    assert facets.foreign == ()


def test_three_wordings_make_one_group_and_three_pairs():
    facets = format_facets(names(*(PromptFormat(w) for w in ("answer", "say", "reply"))))
    assert len(facets.wording_pairs) == 3 and facets.wording_groups == ((0, 1, 2),)
    assert facets.order_pairs == ()
    assert "no two formats differ in order alone;" in facets.reason("order")


def test_names_of_other_formats_are_in_no_pair():
    facets = format_facets(["my own", PromptFormat().name, "another"])
    assert facets.wording_pairs == facets.order_pairs == facets.wording_groups == ()
    assert "not known: 'my own', 'another'" in facets.reason("wording")
