"""What steering costs, on texts, on yes and no, and in writing."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.elicitation import elicit
from valuegraph.interventions import Shift
from valuegraph.roles import sample_roles
from valuegraph.steering.costs import (
    COSTS,
    cost_table,
    costs,
    outside_changes,
    some_items,
    unparsed_changes,
)

LAYER = 1


@pytest.fixture(scope="module")
def roles(bank):
    return sample_roles(bank, 3, seed=5)


def push(respondent, size, where="site-end", name=None):
    vector = np.cos(np.arange(respondent.width)) * size
    return Shift(name or f"{size:g} {where}", LAYER, vector, where=where)


def test_no_push_costs_nothing_and_a_huge_one_much(human, roles, inventory):
    pushes = [push(human, 0), push(human, 0.02), push(human, 50, "everywhere", "huge")]
    table = costs(human, some_items(inventory, 1), roles, pushes).set_index("intervention")
    measured = [cost for cost in COSTS if cost != "unparsed"]
    assert (table.loc["0 site-end", measured] == 0).all()
    assert 0 < table.loc["0.02 site-end", "divergence"] < 0.1
    assert table.loc["huge", "divergence_low"] > 1
    assert table["unparsed"].isna().all()
    assert not table["reads"].any()  # an organism was not taught to
    assert (table["n_roles"] == 3).all()


def test_answers_that_were_given_already_are_taken(organism, few_items, roles):
    pushes = [push(organism, 1), push(organism, 2)]
    answers = elicit(organism, few_items, roles, interventions=[None, *pushes])
    table = costs(organism, few_items, roles, pushes, answers=answers)
    assert table.equals(costs(organism, few_items, roles, pushes))
    mass = answers.groupby(["intervention", "role"])["mass"].mean()
    expected = (mass["none"] - mass["1 site-end"]).mean()
    assert table["outside"].iloc[0] == pytest.approx(expected)
    with pytest.raises(ValueError, match="needed are 2 roles under"):
        costs(organism, few_items, roles[:2], pushes, answers=answers)


def test_answers_are_written_if_asked_for(organism, few_items, roles):
    table = costs(organism, few_items, roles[:2], [push(organism, 1)], written=1, max_new_tokens=2)
    assert table["unparsed"].between(-1, 1).all()
    with pytest.raises(ValueError, match="written must lie between 0 and 8, got 9"):
        costs(organism, few_items, roles, [push(organism, 1)], written=9)


def cells(column, figures):
    """Answers of two roles under the baseline and a push, two items each."""
    rows = [
        {"role": role, "intervention": name, column: figure}
        for (role, name), pair in figures.items()
        for figure in pair
    ]
    return pd.DataFrame(rows)


def test_changes_by_hand():
    mass = {("a", "none"): (0.9, 0.7), ("a", "push"): (0.5, 0.5)}
    mass |= {("b", "none"): (1.0, 1.0), ("b", "push"): (1.0, 0.9)}
    assert outside_changes(cells("mass", mass))["push"].tolist() == pytest.approx([0.3, 0.05])
    said = {("a", "none"): (1, 0), ("a", "push"): (0, 0)}
    said |= {("b", "none"): (1, -1), ("b", "push"): (1, 1)}
    assert unparsed_changes(cells("answer", said))["push"].tolist() == [0.5, 0.0]
    with pytest.raises(ValueError, match="told against 'none'"):
        outside_changes(cells("mass", {("a", "push"): (1.0, 1.0)}))


def test_table_is_the_mean_over_roles_with_an_interval():
    by_role = np.random.default_rng(0).standard_normal((30, 2, 4))
    table = cost_table(["x", "y"], by_role, draws=200)
    assert np.allclose(table[list(COSTS)], by_role.mean(axis=0))
    for cost in COSTS:
        assert (table[f"{cost}_low"] < table[cost]).all()
        assert (table[cost] < table[f"{cost}_high"]).all()
    with pytest.raises(ValueError, match="at least 2 roles"):
        cost_table(["x", "y"], by_role[:1])


def test_items_are_taken_by_turns(inventory):
    for n in (1, 3, 4):
        kept = some_items(inventory, n)
        assert (kept.items["value"].value_counts() == n).all()
        difference = (kept.keying["positive"] - kept.keying["negative"]).abs()
        assert (difference == n % 2).all()
