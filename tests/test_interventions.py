"""Interventions are plain data: what they shift, what they add, and what is refused."""

import numpy as np
import pytest

from valuegraph.interventions import AT_SITE, PLACES, Combination, Sentence, Shift, combine

UP, DOWN = Shift("up", 0, [1, 2]), Shift("down", 3, [-1, 0], "everywhere")
KIND, RICH = Sentence("kind", "You are kind."), Sentence("rich", " You are rich.\n")


def test_each_kind_has_its_shifts_and_its_text():
    assert UP.shifts == (UP,) and UP.text == ""
    assert KIND.shifts == () and KIND.text == "You are kind."
    assert UP.vector.dtype == np.float32 and UP.where == "site-end"
    assert set(AT_SITE) < set(PLACES)


def test_a_combination_is_all_of_its_parts_in_their_order():
    inner = Combination("inner", [RICH, DOWN])
    both = Combination("both", [UP, KIND, inner])
    assert both.parts == (UP, KIND, inner)
    assert both.shifts == (UP, DOWN)
    assert both.text == "You are kind. You are rich."


def test_a_shift_can_be_scaled():
    shift = Shift("love", 2, [1.0, -2.0], "prompt", {"feature": 7}) * -1.5
    assert shift.name == "love x -1.5"
    assert shift.vector.tolist() == [-1.5, 3.0]
    assert (shift.layer, shift.where) == (2, "prompt")
    assert shift.origin == {"feature": 7, "coefficient": -1.5}


def test_shifts_of_one_layer_and_place_become_one():
    one = combine("one", [UP, UP * 2.0])
    assert isinstance(one, Shift) and one.name == "one"
    assert one.vector.tolist() == [3, 6]
    several = combine("all", [UP, KIND, DOWN, UP])
    assert several.name == "all" and several.text == "You are kind."
    sums = [(s.layer, s.where, s.vector.tolist()) for s in several.shifts]
    assert sums == [(0, "site-end", [2, 4]), (3, "everywhere", [-1, 0])]
    assert combine("text", [KIND]).text == "You are kind."


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Shift("up", 0, [[1.0, 2.0]]), "shift 'up' needs a finite vector"),
        (lambda: Shift("up", 0, [1.0, np.nan]), "shift 'up' needs a finite vector"),
        (
            lambda: Shift("up", 0, [1.0], "end"),
            "unknown place of shift 'up' 'end'; known are site-end",
        ),
        (lambda: Sentence("kind", " \n"), "sentence 'kind' has the text"),
        (lambda: Sentence("kind", None), "sentence 'kind' has the text None; write one"),
        (lambda: Combination("both", []), "combination 'both' has no parts; None stands for"),
        (lambda: combine("both", []), "combination 'both' has no parts"),
    ],
)
def test_what_is_no_intervention_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
