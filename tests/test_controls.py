"""Controls of a feature's effect."""

import numpy as np
import pytest

from valuegraph.interventions import Shift
from valuegraph.organisms.shipped import load_check, load_truth
from valuegraph.roles import sample_roles
from valuegraph.steering.controls import KINDS, compare_controls, control_shifts
from valuegraph.steering.costs import some_items
from valuegraph.steering.effects import effects
from valuegraph.steering.sae import feature_shift, load_sae


@pytest.fixture(scope="module")
def push():
    return Shift("push", 1, np.cos(np.arange(40)), where="site")


def test_all_controls_are_as_long_and_act_at_the_same_place(push):
    made = control_shifts(push, n_random=3, layers=[0, 2], difference=np.ones(40), seed=1)
    assert len({s.name for s in made}) == len(made) == 7
    norms = [np.linalg.norm(s.vector) for s in made]
    assert np.allclose(norms, np.linalg.norm(push.vector), rtol=1e-5)
    assert {s.where for s in made} == {"site"}
    by_kind = {kind: [s for s in made if s.origin["control"] == kind] for kind in KINDS}
    assert [s.layer for s in by_kind["other layer"]] == [0, 2]
    assert all(np.array_equal(s.vector, push.vector) for s in by_kind["other layer"])
    along, against = by_kind["difference of means"]
    assert np.allclose(along.vector, along.vector[0])
    assert np.allclose(along.vector, -against.vector)


def test_random_directions_follow_the_seed(push):
    one, same, other = (control_shifts(push, n_random=2, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one[0].vector, same[0].vector)
    assert not np.array_equal(one[0].vector, other[0].vector)


def test_nothing_can_be_compared_with_no_push(push):
    with pytest.raises(ValueError, match="'null' is zero"):
        control_shifts(Shift("null", 1, np.zeros(40)))
    with pytest.raises(ValueError, match="layer 1 is the shift's own"):
        control_shifts(push, layers=[1])


@pytest.fixture(scope="module")
def short(inventory):
    return some_items(inventory, 2)


@pytest.fixture(scope="module")
def table(human, short, bank):
    found = load_check("organism-human")["sae"]["best"]["AC"]
    sae = load_sae("organism-human")
    truth = load_truth("organism-human")
    shift = feature_shift(sae, found["feature"], coefficient=1.5 * found["sign"])
    return compare_controls(
        human,
        short,
        sample_roles(bank, 3, seed=9),
        shift,
        "AC",
        bank=bank,
        n_random=2,
        layers=[4],
        difference=-shift.vector,  # away from the value: the other sign must be taken
        truth=dict(zip(truth.values, truth.total_effects[:, truth.index("AC")], strict=True)),
        draws=100,
    ), shift


def test_a_feature_stands_out_from_its_controls(table):
    table, shift = table
    by_kind = table.set_index("kind")
    feature = by_kind.loc["feature"]
    assert table["kind"].tolist() == [
        "feature",
        "random",
        "random",
        "other layer",
        "difference of means",
        "stance",
    ]
    assert feature["cosine"] > 0.98
    assert feature["target"] > 3 * by_kind.loc["random", "target"].abs().max()
    # The last layer's site is read by nobody.
    assert by_kind.loc["other layer", "target"] == pytest.approx(0, abs=1e-5)
    twin = by_kind.loc["difference of means"]
    assert twin["intervention"] == "difference of means, away"
    for column in ("target", "collateral", "cosine", "dose", "divergence"):
        assert twin[column] == pytest.approx(feature[column], rel=1e-3)


def test_stance_is_the_one_with_the_nearest_effect(table, human, short, bank):
    from valuegraph.steering.prompts import stances

    by_kind = table[0].set_index("kind")
    roles = sample_roles(bank, 3, seed=9)
    told = effects(human, short, roles, stances(short, bank, values=["AC"]), draws=10)
    on_target = told[told["value"] == "AC"].set_index("intervention")["effect"]
    nearest = (on_target - by_kind.loc["feature", "target"]).abs().idxmin()
    assert by_kind.loc["stance", "intervention"] == nearest
    assert by_kind.loc["stance", "target"] == pytest.approx(on_target[nearest], abs=1e-5)
    assert np.isnan(by_kind.loc["stance", "dose"])


def test_figures_are_those_of_the_effects(table, human, short, bank):
    table, shift = table
    row = table.iloc[0]
    measured = effects(human, short, sample_roles(bank, 3, seed=9), [shift], draws=10)
    by_value = measured.set_index("value")["effect"]
    assert row["target"] == pytest.approx(by_value["AC"], abs=1e-5)
    others = by_value.drop("AC")
    assert row["collateral"] == pytest.approx(np.abs(others).mean(), abs=1e-5)
    assert row["target_low"] <= row["target"] <= row["target_high"]


def test_unknown_value_is_refused(organism, inventory, bank, push):
    with pytest.raises(ValueError, match="no value 'XX'"):
        compare_controls(organism, inventory, [None], push, "XX", bank=bank)
