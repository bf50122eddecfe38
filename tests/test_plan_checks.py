"""Plans on an organism whose structure is known, and the figures that judge them."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.answers import NO_INTERVENTION
from valuegraph.interventions import Shift, Told
from valuegraph.organisms.shipped import load_check, organism_folder
from valuegraph.roles import sample_roles
from valuegraph.steering.action_effects import effects_from_changes
from valuegraph.steering.action_measuring import ask_scores, measure_actions
from valuegraph.steering.actions import feature_actions, shift_action, told_actions
from valuegraph.steering.plan_checks import carry_out, check_of_changes, figures, refine, verify
from valuegraph.steering.plan_rivals import best_prompt, best_single
from valuegraph.steering.plans import plan
from valuegraph.steering.sae import load_sae

VALUES = ["A", "B", "C"]


def effects_of_rows(rows, *, told=(), limit=2.0):
    rows = np.asarray(rows, dtype=float)
    noise = 1e-7 * np.random.default_rng(0).standard_normal((len(rows), 6, 3))
    actions = []
    for i in range(len(rows)):
        if i in told:
            actions += told_actions([Told(f"{told[i]}: {i}", f"S {i}.", {"value": told[i]})])
        else:
            actions.append(shift_action(Shift(f"s{i}", 1, np.eye(8)[i]), limit=limit))
    return effects_from_changes(actions, rows[:, None] + noise, VALUES)


def test_figures_are_what_they_are_said_to_be():
    change = pd.Series({"A": 0.4, "B": -0.3, "C": 0.1})
    found = figures(change, pd.Series({"A": 0.5}), ["B", "C"])
    assert found["miss"] == pytest.approx(0.2)
    assert found["share"] == pytest.approx(0.8)
    assert found["collateral"] == pytest.approx(0.2)
    assert found["at_equal_target"] == pytest.approx(0.25)
    assert figures(-change, pd.Series({"A": 0.5}), ["B"])["at_equal_target"] == np.inf


def test_the_best_single_action_is_the_one_with_least_collateral_at_equal_target():
    effects = effects_of_rows([[2.0, 1.0, 0.0], [0.5, 0.1, 0.0], [0.1, 0.0, 0.0]])
    found = best_single(effects, {"A": -0.8})
    # The third is without collateral but cannot reach half the target in its range.
    assert found.coefficients.to_dict() == pytest.approx({"s1": -1.6}, rel=1e-5)
    assert found.collateral == pytest.approx(0.08, rel=1e-4)
    assert found.feasible


def test_the_best_prompt_has_a_stance_for_each_target():
    rows = [[0.4, 0, 0], [0.9, 0, 0], [0, 0.5, 0], [0, -0.6, 0], [0.9, -0.6, 0]]
    effects = effects_of_rows(rows, told={0: "A", 1: "A", 2: "B", 3: "B", 4: "C"})
    found = best_prompt(effects, {"A": 1.0, "B": -0.6})
    assert list(found.coefficients.index) == ["A: 1", "B: 3"]
    with pytest.raises(ValueError, match="no stance about C"):
        best_prompt(effects.choose(["A: 0"]), {"C": 1.0})


def test_a_check_tells_ratios_against_the_first_way():
    effects = effects_of_rows([[1, 0.5, 0], [0, 1, 0]])
    plans = {"plan": plan(effects, {"A": 1.0}), "single": best_single(effects, {"A": 1.0})}
    rng = np.random.default_rng(1)
    changes = {
        way: pd.DataFrame(mean + 0.01 * rng.standard_normal((50, 3)), columns=VALUES)
        for way, mean in (("plan", [1.0, 0.1, 0.0]), ("single", [0.5, 0.25, 0.0]))
    }
    check = check_of_changes(plans, changes)
    assert check.summary.loc["plan", "ratio"] == 1
    assert check.summary.loc["single", "ratio"] == pytest.approx(0.05 / 0.25, rel=0.1)
    assert check.summary["n_actions"].to_dict() == {"plan": 2, "single": 1}
    rows = check.table[check.table["way"] == "plan"].set_index("value")
    assert (rows["low"] < rows["achieved"]).all() and (rows["achieved"] < rows["high"]).all()
    assert rows.loc["B", "part"] == "hold" and check.n_roles == 50


def test_plans_for_other_targets_or_without_actions_are_refused(human, inventory, bank):
    effects = effects_of_rows([[1, 0.5, 0], [0, 1, 0]])
    roles = sample_roles(bank, 2, seed=0)
    one, other = plan(effects, {"A": 1.0}), plan(effects, {"B": 1.0})
    with pytest.raises(ValueError, match="'other' has other targets"):
        verify(human, inventory, roles, {"plan": one, "other": other})
    nothing = plan(effects, {"C": 1.0})
    with pytest.raises(ValueError, match="does nothing.*no action moves C"):
        verify(human, inventory, roles, nothing)
    with pytest.raises(ValueError, match="2 roles"):
        verify(human, inventory, roles[:1], one)


@pytest.fixture(scope="module")
def measured(human, inventory, bank):
    """Effects of the ten features that stand for one value each, on four roles."""
    best = load_check("organism-human")["sae"]["best"]
    sae = load_sae(organism_folder("organism-human") / "sae")
    actions = feature_actions(sae, [best[v]["feature"] for v in inventory.codes], limit=2.0)
    return measure_actions(human, inventory, sample_roles(bank, 4, seed=1), actions)


def test_a_plan_keeps_its_promise_in_other_roles(human, inventory, bank, measured):
    targets = {"SD": 0.8, "PO": -0.5}
    ways = {"plan": plan(measured, targets), "single": best_single(measured, targets)}
    check = verify(human, inventory, sample_roles(bank, 8, seed=2), ways)
    assert ways["plan"].feasible
    assert check.summary.loc["plan", "miss"] < 0.15  # of few roles
    assert check.summary.loc["single", "ratio"] < 0.5


def test_one_correction_brings_large_changes_nearer(human, inventory, bank, measured):
    roles = sample_roles(bank, 4, seed=1)
    first = plan(measured, {"ST": 1.8})
    second = refine(human, inventory, roles, first)
    misses = [
        verify(human, inventory, roles, one).summary.loc["plan", "miss"] for one in (first, second)
    ]
    assert misses[1] < misses[0]
    assert misses[1] < 0.03


def test_the_summed_shift_is_the_combination_of_its_parts(human, inventory, bank, measured):
    from valuegraph.interventions import Combination

    found = plan(measured, {"SD": 0.8})
    makers = {action.name: action.make for action in measured.actions}
    parts = tuple(makers[name](dose) for name, dose in found.coefficients.items())
    scores = ask_scores(
        human,
        inventory,
        sample_roles(bank, 1, seed=3),
        [found.intervention, Combination("parts", parts)],
    )
    assert set(scores) == {NO_INTERVENTION, found.intervention.name, "parts"}
    assert np.allclose(scores["parts"], scores[found.intervention.name], atol=1e-4)


def test_plans_of_other_targets_are_carried_out_together(human, inventory, bank, measured):
    plans = {("SD", 1): plan(measured, {"SD": 0.4}), "PO down": plan(measured, {"PO": -0.4})}
    roles = sample_roles(bank, 2, seed=4)
    changes = carry_out(human, inventory, roles, plans)
    assert list(changes) == list(plans)
    alone = verify(human, inventory, roles, plans["PO down"]).table.set_index("value")["achieved"]
    assert np.allclose(changes["PO down"].mean()[alone.index], alone, atol=1e-4)
    with pytest.raises(ValueError, match="one kind of scores"):
        carry_out(human, inventory, roles, {})


def test_effects_as_a_table_are_those_of_the_frame(measured):
    table = measured.table
    wide = table.pivot(index="intervention", columns="value", values="effect")
    assert np.allclose(wide.loc[measured.effect.index, measured.values], measured.effect)
    assert (table["low"] < table["effect"]).all() and (table["effect"] < table["high"]).all()
