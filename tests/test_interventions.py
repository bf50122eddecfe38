"""Interventions are plain data: what they shift, what they tell, and what is refused."""

import numpy as np
import pytest

from valuegraph.interventions import AT_SITE, PLACES, Combination, Sentence, Shift

UP, DOWN = Shift("up", 0, [1, 2]), Shift("down", 3, [-1, 0], "everywhere")
KIND, RICH = Sentence("kind", "You are kind."), Sentence("rich", " You are rich.\n")


def test_a_vector_may_be_any_sequence_of_numbers():
    vector = Shift("up", 0, [1, 2]).vector
    assert vector.dtype == np.float32
    assert vector.tolist() == [1, 2]


@pytest.mark.parametrize(
    "vector", [[[1.0, 2.0]], 1.0, [1.0, np.nan], [np.inf]], ids=["2d", "0d", "nan", "inf"]
)
def test_a_vector_of_another_shape_or_not_finite_is_refused(vector):
    with pytest.raises(ValueError, match="vector of shift 'up' must be one-dimensional and finite"):
        Shift("up", 0, vector)


@pytest.mark.parametrize("where", ["site end", "", None])
def test_a_place_that_does_not_exist_is_refused(where):
    with pytest.raises(ValueError, match="cannot act at .*; places are site-end, site, prompt, ev"):
        Shift("up", 0, [1.0], where)


def test_a_shift_acts_at_the_end_of_the_site_unless_told_otherwise():
    assert UP.where == "site-end"
    assert set(AT_SITE) < set(PLACES)


@pytest.mark.parametrize("text", ["", " \n", None])
def test_who_tells_nothing_is_refused(text):
    with pytest.raises(ValueError, match="sentence 'kind' has the text"):
        Sentence("kind", text)


def test_each_kind_knows_what_it_shifts_and_what_it_tells():
    assert UP.shifts == (UP,) and UP.text == ""
    assert KIND.shifts == () and KIND.text == "You are kind."


def test_a_combination_does_all_that_its_parts_do_in_their_order():
    inner = Combination("inner", [RICH, DOWN])
    both = Combination("both", [UP, KIND, inner])
    assert both.shifts == (UP, DOWN)
    assert both.text == "You are kind. You are rich."
    assert Combination("one", [UP]).text == ""
    assert both.parts == (UP, KIND, inner)


def test_a_combination_of_nothing_is_refused():
    with pytest.raises(ValueError, match="combination 'both' has no parts; None stands for"):
        Combination("both", [])
