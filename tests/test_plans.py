"""Plans: what they meet, what they spare, what they must beat, and what they refuse."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from valuegraph.answers import NO_INTERVENTION
from valuegraph.interventions import Combination, Sentence, Shift
from valuegraph.plan_solver import Programme, solve
from valuegraph.plans import (
    action_effects,
    best_prompt,
    best_single,
    check_plan,
    effects_from_changes,
    plan,
    plan_figures,
    pushes_of,
    refine,
    sentence_actions,
    shift_actions,
)

VALUES = ["A", "B", "C", "D"]
CHAIN = [[1.0, 0.5, 0.25, 0.0], [0.0, 1.0, 0.5, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]


def effects_of_rows(rows, *, about=None, noise=1e-6, n=8, limit=2.0, seed=0):
    """Effects with given rows; those in `about` (row: value) are sentences, others shifts."""
    rows, about = np.asarray(rows, dtype=float), about or {}
    noisy = noise * np.random.default_rng(seed).standard_normal((len(rows), n, rows.shape[1]))
    actions = pd.concat(
        sentence_actions([Sentence(f"say {i}", f"S {i}.", {"value": about[i]})])
        if i in about
        else shift_actions([Shift(f"shift {i}", 1, np.eye(8)[i % 8])], limit=limit)
        for i in range(len(rows))
    )
    return effects_from_changes(actions, rows[:, None, :] + noisy, VALUES)


def scores_under(changes, *, n=6, noise=0.0, seed=0):
    """Scores of roles by intervention and role that change by given amounts."""
    rng = np.random.default_rng(seed)
    start = rng.standard_normal((n, len(VALUES)))
    frames = {NO_INTERVENTION: start}
    frames |= {k: start + np.asarray(x) + noise * rng.normal(size=start.shape) for k, x in changes}
    roles = [f"r{i}" for i in range(n)]
    tables = {name: pd.DataFrame(x, roles, VALUES) for name, x in frames.items()}
    return pd.concat(tables, names=["intervention", "role"])


def test_with_an_action_for_each_value_a_plan_inverts_the_effects():
    effects = effects_of_rows(CHAIN)
    found = plan(effects, {"A": 0.8}, sparsity=0, caution=0)
    doses = found.coefficients.reindex(effects.effect.index, fill_value=0)
    assert np.allclose(doses, np.linalg.solve(np.array(CHAIN).T, [0.8, 0, 0, 0]), atol=1e-4)
    assert found.feasible and found.collateral < 1e-4
    assert "met by 3 of 4 actions" in found.reason and found.name == "A +0.8"


def test_collateral_is_that_of_a_linear_programme_of_another_form():
    effects = effects_of_rows(np.random.default_rng(3).standard_normal((3, 4)), limit=5)
    found = plan(effects, {"A": 0.5}, sparsity=0, caution=0)
    # Three doses of either sign and three held values; minimise the sum of absolute changes.
    matrix = effects.effect.to_numpy()
    other = linprog(
        [0, 0, 0, 1, 1, 1],
        A_ub=np.block([[matrix[:, 1:].T, -np.eye(3)], [-matrix[:, 1:].T, -np.eye(3)]]),
        b_ub=np.zeros(6),
        A_eq=[[*matrix[:, 0], 0, 0, 0]],
        b_eq=[0.5],
        bounds=[(-5, 5)] * 3 + [(0, None)] * 3,
    )
    assert found.collateral == pytest.approx(other.fun / 3, abs=1e-5)


def test_sentences_are_chosen_as_by_trying_every_set_of_them():
    rng = np.random.default_rng(0)
    group = np.array(["x", "x", "y", "z", "v", "w"])
    for _ in range(10):
        p = Programme(
            on_targets=rng.normal(size=(6, 1)),
            on_held=0.3 * rng.normal(size=(6, 3)),
            penalty=np.full(6, 0.01),
            worth=np.zeros(6),
            whole=np.ones(6, dtype=bool),
            group=group,
            target=np.array([1.0]),
            scale=np.array([1.0]),
            start=np.zeros(3),
            enough=0.1,
        )
        tried = [np.array(x) for x in product((0.0, 1.0), repeat=6) if x[0] + x[1] < 2]
        miss = [max(0.0, float(abs(x @ p.on_targets - 1)[0]) - 0.1) for x in tried]
        nearest = [x for x, m in zip(tried, miss, strict=True) if m <= min(miss) + 1e-6]
        best = min(p.goal(x) for x in nearest)
        assert p.goal(solve(p)[0]) <= best * 1.06  # the solver stops within a twentieth


def test_either_sign_several_targets_and_free_values():
    found = plan(effects_of_rows(CHAIN), {"A": -0.6, "D": 0.7})
    assert found.feasible
    assert np.allclose(found.table["predicted"][["A", "D"]], [-0.6, 0.7], atol=1e-4)
    free = plan(effects_of_rows(CHAIN), {"A": 0.8}, hold=["D"])
    assert list(free.coefficients.index) == ["shift 0"]
    assert dict(free.table["part"]) == {"A": "target", "B": "free", "C": "free", "D": "hold"}
    assert free.table["target"].isna().sum() == 2


def test_sparsity_trades_collateral_for_fewer_actions():
    effects = effects_of_rows([[1.0, 0.05, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    assert len(plan(effects, {"A": 1.0}, sparsity=0).coefficients) == 2
    assert len(plan(effects, {"A": 1.0}, sparsity=5.0).coefficients) == 1


def test_caution_prefers_effects_that_were_measured_well():
    noise = np.array([0.001, 0.3])[:, None, None] * np.random.default_rng(0).normal(size=(2, 30, 4))
    noise -= noise.mean(axis=1, keepdims=True)
    rows = np.array([[1.0, 0.02, 0, 0], [1.0, 0.0, 0, 0]])[:, None, :] + noise
    actions = shift_actions([Shift(f"s{i}", 0, np.ones(2)) for i in range(2)], limit=2)
    effects = effects_from_changes(actions, rows, VALUES)
    for caution, name in ((0, "s1"), (1, "s0")):
        found = plan(effects, {"A": 1.0}, sparsity=0, caution=caution)
        assert list(found.coefficients.index) == [name]


def test_sentences_are_taken_whole_once_a_value_and_shifts_fill_up_the_steps():
    rows = [[0.5, 0, 0, 0], [0.4, 0, 0, 0], [1.0, 0, 0.3, 0]]
    found = plan(effects_of_rows(rows, about={0: "A", 1: "A", 2: "C"}), {"A": 0.92})
    assert found.coefficients.to_dict() == {"say 2": 1.0}
    both = plan(effects_of_rows(rows[:2], about={0: "", 1: ""}), {"A": 0.9})
    assert list(both.coefficients.index) == ["say 0", "say 1"] and both.feasible
    rows = [[0.5, 0.0, 0, 0], [1.0, 0.8, 0, 0]]
    mixed = plan(effects_of_rows(rows, about={0: "B"}, limit=1), {"A": 0.6})
    assert mixed.coefficients["say 0"] == 1
    assert mixed.coefficients["shift 1"] == pytest.approx(0.1, abs=1e-3)
    assert isinstance(mixed.intervention, Combination) and mixed.intervention.text == "S 0."


def test_the_intervention_sums_shifts_exactly():
    found = plan(effects_of_rows(CHAIN), {"A": 0.8})
    doses = found.coefficients.reindex([f"shift {i}" for i in range(4)], fill_value=0)
    assert isinstance(found.intervention, Shift) and found.intervention.layer == 1
    assert np.allclose(found.intervention.vector[:4], doses)


def test_the_interval_narrows_with_the_root_of_roles():
    tables = [
        plan(effects_of_rows(CHAIN, noise=0.2, n=n, seed=n), {"A": 0.8}).table for n in (20, 320)
    ]
    few, many = (float((t["high"] - t["low"]).mean()) for t in tables)
    assert 2.5 < few / many < 6.5


def test_shifts_are_measured_as_slopes_that_cancel_what_both_sides_share():
    actions = pd.concat(
        [
            shift_actions([Shift("s", 0, np.ones(2))], limit=4),
            sentence_actions([Sentence("t", "T.", {"value": "A"})]),
        ]
    )
    slope, both = np.array([0.5, 0, -1, 2]), np.array([0.3, 0.1, 0, 0])
    assert [one.name for one in pushes_of(actions)] == ["s x -2", "s x 2", "t"]
    made = [("s x -2", -2 * slope + both), ("s x 2", 2 * slope + both), ("t", both)]
    effects = action_effects(actions, scores_under(made))
    assert np.allclose(effects.effect, [slope, both])
    table = effects.table.set_index(["intervention", "value"])["effect"]
    assert table["s", "D"] == pytest.approx(2)
    with pytest.raises(ValueError, match="lacks answers .* under 's x -2'"):
        action_effects(actions, scores_under(made[1:]))


def test_figures_judge_a_change_and_rivals_are_judged_at_equal_target():
    change = pd.Series({"A": 0.4, "B": -0.3, "C": 0.1})
    found = plan_figures(change, pd.Series({"A": 0.5}), ["B", "C"])
    wanted = {"miss": 0.2, "share": 0.8, "collateral": 0.2, "at_equal_target": 0.25}
    assert found == pytest.approx(wanted)
    assert plan_figures(-change, pd.Series({"A": 0.5}), ["B"])["at_equal_target"] == np.inf
    effects = effects_of_rows([[2.0, 1.0, 0, 0], [0.5, 0.1, 0, 0], [0.1, 0.0, 0, 0]])
    single = best_single(effects, {"A": -0.8})
    # The third is without collateral but cannot reach half the target in its range.
    assert single.coefficients.to_dict() == pytest.approx({"shift 1": -1.6}, rel=1e-5)
    rows = [[0.4, 0, 0, 0], [0.9, 0, 0, 0], [0, 0.5, 0, 0], [0, -0.6, 0, 0], [0.9, -0.6, 0, 0]]
    words = effects_of_rows(rows, about={0: "A", 1: "A", 2: "B", 3: "B", 4: "C"})
    prompt = best_prompt(words, {"B": -0.6, "A": 1.0})
    assert list(prompt.coefficients.index) == ["say 3", "say 1"]
    with pytest.raises(ValueError, match="no sentence was measured on one of"):
        best_prompt(words, {"D": 1.0})


def test_a_check_compares_ways_with_the_first():
    effects = effects_of_rows([[1, 0.5, 0, 0], [0, 1, 0, 0]])
    plans = {"plan": plan(effects, {"A": 1.0}), "single": best_single(effects, {"A": 1.0})}
    assert [one.name for one in pushes_of(plans)] == ["plan", "single"]
    made = [("plan", [1.0, 0.1, 0, 0]), ("single", [0.5, 0.25, 0, 0])]
    table, summary = check_plan(plans, scores_under(made, noise=0.001, n=50))
    assert summary.loc["plan", "ratio"] == 1
    assert summary.loc["single", "ratio"] == pytest.approx(0.1 / 0.5, rel=0.02)
    assert summary["n_actions"].to_dict() == {"plan": 2, "single": 1}
    rows = table[table["way"] == "plan"].set_index("value")
    assert (rows["low"] < rows["achieved"]).all() and (rows["achieved"] < rows["high"]).all()
    assert rows.loc["B", "part"] == "hold"
    keyed, _ = check_plan({("A", 1): plans["plan"]}, scores_under([("('A', 1)", 1)]))
    assert set(keyed["way"]) == {"('A', 1)"}
    with pytest.raises(ValueError, match="'other' has other targets"):
        check_plan(plans | {"other": plan(effects, {"B": 1.0})}, scores_under(made))
    with pytest.raises(ValueError, match="'idle' does nothing.*no action moves C"):
        pushes_of({"idle": plan(effects, {"C": 1.0})})


def test_refining_makes_up_for_what_was_not_foreseen():
    effects = effects_of_rows(CHAIN)
    first = plan(effects, {"A": 0.8}, sparsity=0)
    found = refine(first, scores_under([("plan", [0.6, 0.1, 0, 0.05])]), sparsity=0)
    assert found.table.loc["A", "predicted"] == pytest.approx(0.8, abs=1e-4)
    assert found.collateral < 1e-3
    straight = effects.change(found.coefficients)["predicted"]
    assert straight["A"] == pytest.approx(1.0, abs=1e-3)
    with pytest.raises(ValueError, match="under one plan"):
        refine(first, scores_under([("a", 1), ("b", 2)]))


NOISE = effects_of_rows(np.zeros((20, 4)), noise=0.3, n=20)


@pytest.mark.parametrize(
    ("effects", "targets", "reason"),
    [
        (NOISE, {"A": 0.5}, "no action moves A: none of 20 effects"),
        (effects_of_rows(np.eye(4) * 0.002), {"A": 0.5}, "by +0.004 at most"),
        (
            effects_of_rows([[1, 0.5, 0, 0], [-2, -1, 0, 0.3]]),
            {"A": 0.5, "B": -0.5},
            "A and B are tied: every action that moves A by 1 moves B by about +0.5",
        ),
        (
            effects_of_rows([[1, 0, 1, 0], [0, 1, 1, 0]]),  # C is always A + B
            {"A": 0.5, "B": 0.5, "C": -1.0},
            "no combination",
        ),
        (
            effects_of_rows([[1, 0.9, 0, 0], [1, 1.1, 0, 0]], limit=3),
            {"A": 2.0, "B": -2.0},
            "outside the actions' ranges",
        ),
        (effects_of_rows([[0.4, 0, 0, 0]], about={0: "A"}), {"A": 0.3}, "come in steps"),
    ],
)
def test_a_plan_that_cannot_meet_its_targets_says_why(effects, targets, reason):
    found = plan(effects, targets)
    assert not found.feasible and reason in found.reason


def test_what_comes_nearest_is_offered_where_targets_are_missed():
    found = plan(effects_of_rows(CHAIN, limit=0.5), {"A": 0.8, "D": 0.4})
    assert np.allclose(found.table.loc[["A", "D"], "predicted"], [0.5, 0.4], atol=1e-3)
    assert plan(NOISE, {"A": 0.5}).intervention is None


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        ({}, {}, "need values of A, B, C, D"),
        ({"X": 1.0}, {}, "'X', 1.0"),
        ({"A": 0.0}, {}, "A is to change by [+]0; give one finite target"),
        ({"A": float("nan")}, {}, "[+]nan"),
        ([("A", 0.5), ("A", -0.5)], {}, "A is to change by [+]0.5 and by -0.5"),
        ({"A": 0.5}, {"hold": ["A", "B"]}, "A is to change by [+]0.5 and by [+]0"),
        ({"A": 0.5}, {"hold": ["Y"]}, "'Y'"),
        ({"A": 0.5}, {"tolerance": -1}, "tolerance"),
        ({"A": 0.5}, {"caution": float("inf")}, "caution"),
    ],
)
def test_what_makes_no_sense_is_refused(targets, options, message):
    with pytest.raises(ValueError, match=message):
        plan(effects_of_rows(CHAIN), targets, **options)


def test_actions_and_effects_are_checked():
    shift = Shift("s", 0, np.ones(2))
    for shifts, limit in (([shift], 0), ([shift, shift], 1)):
        with pytest.raises(ValueError, match="limits must be positive and names differ"):
            shift_actions(shifts, limit=limit)
    with pytest.raises(ValueError, match="need 2 roles, got 1"):
        effects_of_rows(CHAIN, n=1)
    twice = pd.concat([shift_actions([shift], limit=1)] * 2)
    with pytest.raises(ValueError, match="different names"):
        effects_from_changes(twice, np.ones((2, 3, 4)), VALUES)
    with pytest.raises(KeyError, match="nothing"):
        effects_of_rows(CHAIN).choose(["nothing"])
