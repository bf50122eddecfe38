"""Dose-response curves and useful ranges."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.interventions import Shift
from valuegraph.roles import sample_roles
from valuegraph.steering.costs import COSTS
from valuegraph.steering.doses import dose_response, scaled, useful_range
from valuegraph.steering.effects import effects


@pytest.fixture(scope="module")
def roles(bank):
    return sample_roles(bank, 4, seed=5)


@pytest.fixture(scope="module")
def direction():
    return Shift("way", 1, np.cos(np.arange(40)) / 3, origin={"feature": 3})


@pytest.fixture(scope="module")
def measured(organism, few_items, roles, direction):
    return dose_response(organism, few_items, roles, direction, [2, -1, 0.5], draws=100)


def test_effects_and_doses_are_those_of_the_multiples(
    measured, organism, few_items, roles, direction
):
    assert measured["coefficient"].unique().tolist() == [-1, 0, 0.5, 2]
    pushes = [Shift("x", 1, c * direction.vector) for c in (0.5,)]
    alone = effects(organism, few_items, roles, pushes, draws=100)
    rows = measured[measured["coefficient"] == 0.5]
    for column in ("effect", "low", "high", "up", "unchanged"):
        assert np.allclose(rows[column], alone[column], atol=1e-5)
    dose = measured.drop_duplicates("coefficient").set_index("coefficient")["dose"]
    assert dose[2] == pytest.approx(4 * dose[0.5]) == pytest.approx(2 * dose[-1])
    assert dose[0] == 0 < dose[-1]


def test_nothing_happens_at_zero(measured):
    rows = measured[measured["coefficient"] == 0]
    assert (rows[["effect", "low", "high", "growth", "dose", "log_loss", "outside"]] == 0).all(
        axis=None
    )
    assert (rows["unchanged"] == 1).all()
    assert measured[list(COSTS)[:3]].notna().all(axis=None)


def test_growth_is_the_step_between_neighbours(measured):
    for _, rows in measured.groupby("value"):
        by = rows.set_index("coefficient")
        assert by.loc[2, "growth"] == pytest.approx(by.loc[2, "effect"] - by.loc[0.5, "effect"])
        assert by.loc[0.5, "growth"] == pytest.approx(by.loc[0.5, "effect"])
        assert by.loc[-1, "growth"] == pytest.approx(by.loc[-1, "effect"])
        assert (by["growth_low"] <= by["growth"] + 1e-12).all()


def test_coefficients_must_be_a_grid(organism, few_items, roles, direction):
    for grid in ([], [0], [1, 1], [np.nan]):
        with pytest.raises(ValueError, match="coefficients must be finite and different"):
            dose_response(organism, few_items, roles, direction, grid)


def test_multiples_keep_what_they_were_made_of(direction):
    double = scaled(direction, -2)
    assert np.allclose(double.vector, -2 * direction.vector)
    assert double.name == "way, times -2"
    assert double.origin == {"feature": 3, "times": -2}
    assert (double.layer, double.where) == (direction.layer, direction.where)


def curve(effect, *, width=0.05, **cost):
    """Doses of one value on a grid of -4 ... 4, with intervals of a known width."""
    grid = np.arange(-4.0, 5.0)
    effects = np.array([effect(c) for c in grid])
    inner = np.array([effect(c - np.sign(c)) for c in grid])
    table = {"coefficient": grid, "dose": abs(grid) / 2, "value": "SE"}
    for name, x in (("effect", effects), ("growth", effects - inner)):
        table |= {name: x, f"{name}_low": x - width, f"{name}_high": x + width}
    table |= {name: [f(c) for c in grid] for name, f in cost.items()}
    return pd.DataFrame(table).rename(columns={"effect_low": "low", "effect_high": "high"})


def ends(table, **options):
    found = useful_range(table, "SE", **options)
    return (found.low, found.low_reason), (found.high, found.high_reason)


def test_a_straight_line_is_useful_to_the_end_of_the_grid():
    assert ends(curve(lambda c: c)) == ((-4, "end of grid"), (4, "end of grid"))
    found = useful_range(curve(lambda c: -2 * c), "SE")
    assert (found.low_effect, found.high_effect) == (8, -8)
    assert (found.low_dose, found.high_dose) == (2, 2)


def test_a_curve_that_turns_back_is_useful_up_to_its_top():
    found = ends(curve(lambda c: c if c < 2.5 else 4.5 - c))
    assert found == ((-4, "end of grid"), (2, "effect turns back"))


def test_a_curve_that_levels_off_is_useful_while_it_grows():
    table = curve(lambda c: np.clip(c, -1, 3) + 0.1 * c)
    assert ends(table) == ((-1, "effect levels off"), (3, "effect levels off"))
    assert ends(table, least_growth=0.01) == ((-4, "end of grid"), (4, "end of grid"))


def test_an_even_curve_moves_the_value_the_same_way_on_both_sides():
    assert ends(curve(abs)) == ((-4, "end of grid"), (4, "end of grid"))


def test_costs_end_a_range():
    table = curve(lambda c: c, log_loss=lambda c: 0.3 * max(c, 0), outside=lambda c: 0.04 * abs(c))
    assert ends(table) == ((-2, "outside above 0.1"), (1, "log_loss above 0.5"))
    assert ends(table, most={"log_loss": 1.0}) == ((-4, "end of grid"), (3, "log_loss above 1"))
    # Who cannot read loses nothing by reading worse, unless one says so.
    unread = table.assign(reads=False)
    assert ends(unread) == ((-2, "outside above 0.1"), (2, "outside above 0.1"))
    assert ends(unread, most={"log_loss": 1.0})[1] == (3, "log_loss above 1")
    unmeasured = table.assign(log_loss=np.nan, outside=np.nan)
    assert ends(unmeasured) == ((-4, "end of grid"), (4, "end of grid"))


def test_what_cannot_be_told_from_nothing_has_no_range():
    found = ends(curve(lambda c: 0.01 * c))
    assert found == ((0, "no effect"), (0, "no effect"))
    # Small steps that add up to an effect.
    found = ends(curve(lambda c: 0.03 * c))
    assert found == ((-4, "end of grid"), (4, "end of grid"))


def test_bad_questions_are_refused():
    with pytest.raises(ValueError, match="no value 'XX' in doses; there are SE"):
        useful_range(curve(lambda c: c), "XX")
    with pytest.raises(ValueError, match="no cost is called 'pain'"):
        useful_range(curve(lambda c: c), "SE", most={"pain": 1.0})
    with pytest.raises(ValueError, match="growth_low is missing"):
        useful_range(curve(lambda c: c).drop(columns="growth_low"), "SE")
