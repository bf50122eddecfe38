"""Plans: what they meet, what they spare, and what they refuse."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from valuegraph.interventions import Combination, Shift, Told
from valuegraph.steering.action_effects import effects_from_changes
from valuegraph.steering.action_measuring import effects_from_scores
from valuegraph.steering.actions import Action, combine, shift_action, told_actions
from valuegraph.steering.plans import plan

VALUES = ["A", "B", "C", "D"]


def effects_of_rows(rows, *, told=(), groups=None, noise=1e-6, n=8, limit=2.0, seed=0):
    """Effects with given rows; those in `told` are told, the others shift coordinate i."""
    rows = np.asarray(rows, dtype=float)
    noisy = noise * np.random.default_rng(seed).standard_normal((len(rows), n, rows.shape[1]))
    actions = []
    for i in range(len(rows)):
        if i in told:
            origin = {"value": (groups or {}).get(i, "")}
            actions += told_actions([Told(f"tell {i}", f"Sentence {i}.", origin)])
        else:
            actions.append(shift_action(Shift(f"shift {i}", 1, np.eye(8)[i % 8]), limit=limit))
    return effects_from_changes(actions, rows[:, None, :] + noisy, VALUES)


CHAIN = [[1.0, 0.5, 0.25, 0.0], [0.0, 1.0, 0.5, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]


def test_with_an_action_for_each_value_a_plan_inverts_the_effects():
    effects = effects_of_rows(CHAIN)
    found = plan(effects, {"A": 0.8}, sparsity=0, caution=0)
    assert found.feasible
    doses = found.coefficients.reindex(effects.effect.index, fill_value=0).to_numpy()
    expected = np.linalg.solve(np.array(CHAIN).T, [0.8, 0, 0, 0])
    assert np.allclose(doses, expected, atol=1e-4)
    assert found.collateral < 1e-4


def test_collateral_is_that_of_a_linear_programme_of_another_form():
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((3, 4))
    effects = effects_of_rows(rows, limit=5)
    found = plan(effects, {"A": 0.5}, sparsity=0, caution=0)
    # Three doses of either sign and three held values; minimise the sum of absolute changes.
    matrix = effects.effect.to_numpy()
    goal = [0, 0, 0, 1, 1, 1]
    above = np.hstack([matrix[:, 1:].T, -np.eye(3)])
    below = np.hstack([-matrix[:, 1:].T, -np.eye(3)])
    other = linprog(
        goal,
        A_ub=np.vstack([above, below]),
        b_ub=np.zeros(6),
        A_eq=[[*matrix[:, 0], 0, 0, 0]],
        b_eq=[0.5],
        bounds=[(-5, 5)] * 3 + [(0, None)] * 3,
    )
    assert found.collateral == pytest.approx(other.fun / 3, abs=1e-5)


def test_either_sign_and_several_targets_are_met():
    found = plan(effects_of_rows(CHAIN), {"A": -0.6, "D": 0.7})
    assert found.feasible
    predicted = found.table["predicted"]
    assert predicted["A"] == pytest.approx(-0.6, abs=1e-4)
    assert predicted["D"] == pytest.approx(0.7, abs=1e-4)


def test_free_values_are_neither_met_nor_spared():
    found = plan(effects_of_rows(CHAIN), {"A": 0.8}, hold=["D"])
    assert list(found.coefficients.index) == ["shift 0"]
    assert dict(found.table["part"]) == {"A": "target", "B": "free", "C": "free", "D": "hold"}
    assert found.table["target"].isna().sum() == 2


def test_sparsity_trades_collateral_for_fewer_actions():
    rows = [[1.0, 0.05, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    effects = effects_of_rows(rows)
    assert len(plan(effects, {"A": 1.0}, sparsity=0).coefficients) == 2
    assert len(plan(effects, {"A": 1.0}, sparsity=5.0).coefficients) == 1


def test_caution_prefers_effects_that_were_measured_well():
    rng = np.random.default_rng(0)
    rows = np.array([[1.0, 0.02, 0, 0], [1.0, 0.0, 0, 0]])
    noise = np.array([0.001, 0.3])[:, None, None] * rng.standard_normal((2, 30, 4))
    noise -= noise.mean(axis=1, keepdims=True)
    actions = [shift_action(Shift(f"s{i}", 0, np.ones(2)), limit=2) for i in range(2)]
    effects = effects_from_changes(actions, rows[:, None, :] + noise, VALUES)
    assert list(plan(effects, {"A": 1.0}, sparsity=0, caution=0).coefficients.index) == ["s1"]
    assert list(plan(effects, {"A": 1.0}, sparsity=0, caution=1).coefficients.index) == ["s0"]


def test_what_is_told_is_told_or_not_and_once_a_value():
    rows = [[0.5, 0, 0, 0], [0.4, 0, 0, 0], [1.0, 0, 0.3, 0]]
    effects = effects_of_rows(rows, told=(0, 1, 2), groups={0: "A", 1: "A", 2: "C"})
    found = plan(effects, {"A": 0.92})
    assert set(found.coefficients) == {1.0}
    assert list(found.coefficients.index) == ["tell 2"]
    both = plan(effects_of_rows(rows[:2], told=(0, 1)), {"A": 0.9})
    assert list(both.coefficients.index) == ["tell 0", "tell 1"] and both.feasible


def test_shifts_fill_up_what_told_steps_leave():
    rows = [[0.5, 0.0, 0, 0], [1.0, 0.8, 0, 0]]
    found = plan(effects_of_rows(rows, told=(0,), limit=1), {"A": 0.6})
    assert found.feasible
    assert found.coefficients["tell 0"] == 1
    assert found.coefficients["shift 1"] == pytest.approx(0.1, abs=1e-3)


def test_the_intervention_sums_shifts_exactly_and_keeps_what_is_told():
    found = plan(effects_of_rows(CHAIN), {"A": 0.8})
    shift = found.intervention
    assert isinstance(shift, Shift) and shift.layer == 1
    assert np.allclose(shift.vector[:4], found.coefficients.reindex(
        [f"shift {i}" for i in range(4)], fill_value=0
    ))  # fmt: skip
    mixed = combine("x", [shift, Shift("other", 2, np.ones(8)), Told("t", "You sing.")])
    assert isinstance(mixed, Combination) and mixed.text == "You sing."
    assert sorted(s.layer for s in mixed.shifts) == [1, 2]


def test_the_interval_narrows_with_the_root_of_roles():
    wide = [
        plan(effects_of_rows(CHAIN, noise=0.2, n=n, seed=n), {"A": 0.8}).table for n in (20, 320)
    ]
    widths = [float((t["high"] - t["low"]).mean()) for t in wide]
    assert 2.5 < widths[0] / widths[1] < 6.5


def test_noise_alone_moves_nothing_and_the_plan_says_that_it_cannot():
    effects = effects_of_rows(np.zeros((20, 4)), noise=0.3, n=20)
    assert not effects.moves.to_numpy().any()
    found = plan(effects, {"A": 0.5})
    assert not found.feasible and found.intervention is None
    assert "no action moves A" in found.reason and "20 effects" in found.reason


def test_effects_that_are_certain_but_tiny_do_not_suffice():
    found = plan(effects_of_rows(np.eye(4) * 0.002), {"A": 0.5})
    assert not found.feasible
    assert "+0.004 at most" in found.reason


def test_ties_are_named():
    found = plan(effects_of_rows([[1, 0.5, 0, 0], [-2, -1, 0, 0.3]]), {"A": 0.5, "B": -0.5})
    assert not found.feasible
    assert "A and B are tied" in found.reason and "+0.5" in found.reason


def test_combinations_that_do_not_exist_and_those_out_of_range_are_told_apart():
    rows = [[1, 0, 1, 0], [0, 1, 1, 0]]  # C is always A + B
    never = plan(effects_of_rows(rows), {"A": 0.5, "B": 0.5, "C": -1.0})
    assert not never.feasible and "no combination" in never.reason
    rows = [[1, 0.9, 0, 0], [1, 1.1, 0, 0]]
    far = plan(effects_of_rows(rows, limit=3), {"A": 2.0, "B": -2.0})
    assert not far.feasible and "outside the actions' ranges" in far.reason
    steps = plan(effects_of_rows([[0.4, 0, 0, 0]], told=(0,)), {"A": 0.3})
    assert not steps.feasible and "steps" in steps.reason


def test_the_nearest_change_is_offered_where_targets_are_missed():
    found = plan(effects_of_rows(CHAIN, limit=0.5), {"A": 0.8, "D": 0.4})
    assert not found.feasible
    assert found.table.loc["A", "predicted"] == pytest.approx(0.5, abs=1e-3)
    assert found.table.loc["D", "predicted"] == pytest.approx(0.4, abs=1e-3)


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        ({}, {}, "no targets"),
        ({"X": 1.0}, {}, "unknown value 'X'"),
        ({"A": 0.0}, {}, "not 0"),
        ({"A": float("nan")}, {}, "finite"),
        ([("A", 0.5), ("A", -0.5)], {}, "contradict each other: [+]0.5 and -0.5"),
        ({"A": 0.5}, {"hold": ["A", "B"]}, "both change by [+]0.5 and be held"),
        ({"A": 0.5}, {"hold": ["Y"]}, "unknown value 'Y'"),
        ({"A": 0.5}, {"hold": "B"}, "list of values"),
        ({"A": 0.5}, {"tolerance": -1}, "tolerance"),
        ({"A": 0.5}, {"caution": float("inf")}, "caution"),
    ],
)
def test_what_makes_no_sense_is_refused(targets, options, message):
    with pytest.raises(ValueError, match=message):
        plan(effects_of_rows(CHAIN), targets, **options)


def test_a_departure_is_made_up_for():
    effects = effects_of_rows(CHAIN)
    departure = pd.Series({"A": -0.2, "B": 0.1, "C": 0.0, "D": 0.05})
    found = plan(effects, {"A": 0.8}, departure=departure, sparsity=0)
    assert found.table.loc["A", "predicted"] == pytest.approx(0.8, abs=1e-4)
    assert found.collateral < 1e-3
    assert effects.change(found.coefficients)["predicted"]["A"] == pytest.approx(1.0, abs=1e-3)


def test_shifts_are_measured_as_slopes_that_cancel_what_both_sides_share():
    start = pd.DataFrame(np.random.default_rng(0).standard_normal((5, 4)), columns=VALUES)
    slope, both = np.array([0.5, 0, -1, 2]), np.array([0.3, 0.1, 0, 0])
    action = shift_action(Shift("s", 0, np.ones(2)), limit=4)
    scores = {"none": start, "s x 2": start + 2 * slope + both, "s x -2": start - 2 * slope + both}
    effects = effects_from_scores([action], scores)
    assert np.allclose(effects.effect, slope)
    with pytest.raises(ValueError, match="no scores under 's x -2'"):
        effects_from_scores([action], {k: v for k, v in scores.items() if k != "s x -2"})


def test_actions_and_effects_are_checked():
    with pytest.raises(ValueError, match="limit"):
        Action("a", lambda c: Told("a", "x"), limit=0)
    with pytest.raises(ValueError, match="1 for what is told"):
        Action("a", lambda c: Told("a", "x"), limit=2, told=True)
    with pytest.raises(ValueError, match="at least 2 roles"):
        effects_of_rows(CHAIN, n=1)
    twice = [shift_action(Shift("s", 0, np.ones(2)), limit=1)] * 2
    with pytest.raises(ValueError, match="two actions are called 's'"):
        effects_from_changes(twice, np.ones((2, 3, 4)), VALUES)
    with pytest.raises(ValueError, match="no action is called"):
        effects_of_rows(CHAIN).choose(["nothing"])
