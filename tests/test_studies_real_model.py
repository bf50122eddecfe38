"""The registered study: what is recorded is what its code asks."""

import pytest

from studies import real_model

MODEL = "qwen2.5-coder-1.5b-instruct"


@pytest.mark.parametrize("part", ["words", "watched", "written"])
def test_recorded_answers_are_those_of_the_sweep(part):
    sweep, answers = real_model.sweep(part, MODEL), real_model.load_answers(part)
    names = ["none" if one is None else one.name for one in sweep.interventions]
    assert list(answers["intervention"].unique()) == names
    assert list(answers["role"].unique()) == [role.name for role in sweep.roles]
    assert list(answers["item"].unique()) == list(sweep.inventory.items["item"])
    assert len(answers) == len(names) * len(sweep.roles) * len(sweep.inventory.items)


def test_every_value_is_pushed_inside_up_and_down():
    answers = real_model.load_answers("inside")
    values = real_model.questions()[1].codes
    ways = [
        f"{v}: layer {n} {w}" for n in real_model.LAYERS for v in values for w in ("up", "down")
    ]
    assert list(answers["intervention"].unique()) == ["none", *ways]
    assert answers["role"].nunique() == 2


def test_the_pilot_and_the_study_share_no_question():
    pilot, asked = (set(part.items["item"]) for part in real_model.questions())
    assert len(pilot) == len(asked) == 40 and not pilot & asked


def test_an_unknown_part_is_named():
    with pytest.raises(ValueError, match="unknown part 'wrods'; choose one of words, inside"):
        real_model.sweep("wrods", MODEL)
