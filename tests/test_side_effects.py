"""Predicting side effects: the truth does it, nothing leaks, and units play no part."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.answers import NO_INTERVENTION
from valuegraph.graphs.graph import ValueGraph
from valuegraph.graphs.total_effects import reached
from valuegraph.organisms.shipped import load_truth
from valuegraph.steering import predictors as by
from valuegraph.steering.predictors import Predictor
from valuegraph.steering.pushes import standard_changes
from valuegraph.steering.side_effects import CEILING, predict_side_effects

TRUTH = load_truth("organism-alien")
VALUES = list(TRUTH.values)
QUICK = {"draws": 50, "permutations": 0}


def steered(roles, directions, *, seed, noise=0.02):
    """Scores of roles under pushes of the exogenous terms, one row of `directions` each."""
    baseline = TRUTH.sample(roles, seed=seed)
    baseline.index = [f"role{seed}-{i}" for i in range(roles)]
    rng = np.random.default_rng((seed, 1))
    frames = {NO_INTERVENTION: baseline}
    for number, u in enumerate(directions):
        change = TRUTH.total_effects @ u + noise * rng.standard_normal((roles, 10))
        frames[f"push {number}"] = baseline + change
    return pd.concat(frames, names=["intervention", "role"])


PUSHES = np.concatenate([np.eye(10), -0.5 * np.eye(10)])


@pytest.fixture(scope="module")
def baseline():
    scores = TRUTH.sample(2000, seed=0)
    scores.index = [f"baseline-{i}" for i in range(2000)]
    return scores


@pytest.fixture(scope="module")
def sides():
    return steered(10, PUSHES, seed=1), steered(10, PUSHES, seed=2)


@pytest.fixture(scope="module")
def predictors(baseline):
    known = ValueGraph(TRUTH.values, TRUTH.adjacency)
    return {
        "graph": by.from_graph(known, baseline),
        "truth": by.from_truth(TRUTH),
        "adjustment": by.from_adjustment(known, baseline),
        "reach": by.from_reach(reached(known), baseline),
        "correlation": by.from_correlations(baseline),
        "partial": by.from_partial_correlations(baseline),
        "circle": by.from_circle(VALUES),
        "people": by.from_people(VALUES),
        "base rates": by.from_base_rates(VALUES),
        "mean effect": by.from_base_rates(VALUES, per_push=False),
        "nothing": by.from_nothing(VALUES),
    }


@pytest.fixture(scope="module")
def result(sides, predictors, baseline):
    return predict_side_effects(
        *sides, predictors, baseline=baseline, draws=200, permutations=99, seed=3
    )


def test_the_truth_predicts_and_a_known_graph_does_nearly_as_well(result):
    skill = result.skill["skill"]
    assert skill["truth"] > 0.99 and skill[CEILING] > 0.99
    assert skill["graph"] > 0.97
    assert result.skill.loc["truth", "scale"] == pytest.approx(1, abs=0.02)
    assert skill["nothing"] == 0


def test_correlations_do_worse_since_causes_and_siblings_stay_where_they_are(result):
    skill = result.skill["skill"]
    assert skill["correlation"] < 0.6
    assert skill["circle"] < skill["correlation"] < skill["reach"] < skill["graph"]
    row = result.skill.loc["correlation"]
    assert row["lead"] == pytest.approx(skill["graph"] - skill["correlation"])
    assert row["lead_low"] > 0
    own = result.skill.loc["graph", ["lead", "lead_low", "lead_high"]]
    assert (own == 0).all()


def test_a_push_along_covariances_is_predicted_by_correlations(baseline, predictors):
    # The exogenous terms that go with a value, as in a difference of means over roles.
    along = (TRUTH.total_effects * TRUTH.noise_sd**2) * 0.8
    train, test = steered(10, along, seed=1), steered(10, along, seed=2)
    found = predict_side_effects(train, test, predictors, baseline=baseline, **QUICK)
    assert found.skill.loc["correlation", "skill"] > 0.97
    assert found.skill.loc["correlation", "lead_high"] < 0


def test_targets_and_measurements_are_those_of_the_pushes(result, sides, baseline):
    pairs = result.pairs.set_index(["intervention", "value"])
    assert (result.n_interventions, result.n_targets) == (20, 10)
    assert (result.pairs["target"] != result.pairs["value"]).all()
    for number, u in enumerate(PUSHES):
        assert (pairs.loc[f"push {number}", "target"] == VALUES[np.abs(u).argmax()]).all()
    change = sides[1].loc["push 3"] - sides[1].loc[NO_INTERVENTION]
    measured = (change.mean() / baseline.std()).drop("BE")
    assert np.allclose(pairs.loc["push 3", "measured"], measured[pairs.loc["push 3"].index])


def test_p_values_tell_labels_apart_and_are_left_out_where_labels_play_no_part(result):
    p = result.skill["p_value"]
    assert p["graph"] == p["truth"] == 0.01
    assert p[["base rates", "mean effect", "nothing", CEILING]].isna().all()
    assert p.drop(["base rates", "mean effect", "nothing", CEILING]).between(0.01, 1).all()


def test_intervals_hold_their_estimate(result):
    table = result.skill
    for name, ends in (("skill", ""), ("rank", "rank_"), ("lead", "lead_")):
        assert (table[f"{ends}low"] <= table[name]).all()
        assert (table[name] <= table[f"{ends}high"]).all()
    assert table["rank"].between(-1, 1).all()
    assert table.loc["nothing", "rank"] == 0 and table.loc["truth", "rank"] > 0.6


def test_predictions_know_neither_test_roles_nor_pushes_of_the_same_target(
    sides, predictors, baseline, result
):
    train, test = sides
    other = steered(10, PUSHES[::-1], seed=9)
    other.index = test.index
    names = list(predictors)
    again = predict_side_effects(train, other, predictors, baseline=baseline, **QUICK)
    assert np.allclose(again.pairs[names], result.pairs[names])
    # Whatever pushes of SE do to other values, pushes of SE are predicted the same.
    changed = train.copy()
    of_se = changed.index.get_level_values(0).isin(["push 0", "push 10"])
    changed.loc[of_se, VALUES[1:]] += 0.1
    again = predict_side_effects(changed, test, predictors, baseline=baseline, **QUICK)
    on_se = result.pairs["target"] == "SE"
    assert (again.pairs["target"] == result.pairs["target"]).all()
    assert np.allclose(again.pairs.loc[on_se, names], result.pairs.loc[on_se, names])
    assert not np.allclose(again.pairs.loc[~on_se, names], result.pairs.loc[~on_se, names])


def test_units_and_the_order_of_values_play_no_part(sides, predictors, baseline, result):
    units = pd.Series(np.linspace(0.5, 3, 10), VALUES)
    turned = VALUES[::-1]
    train, test, scores = ((table * units)[turned] for table in (*sides, baseline))
    again = predict_side_effects(
        train, test, predictors, baseline=scores, draws=200, permutations=0, seed=3
    )
    assert np.allclose(again.skill["skill"], result.skill["skill"])
    assert np.allclose(again.skill["rank"], result.skill["rank"])


def test_changes_are_differences_in_standard_deviations(sides, baseline):
    names, changes = standard_changes(sides[0], baseline.std())
    assert names == [f"push {i}" for i in range(20)] and changes.shape == (10, 20, 10)
    change = sides[0].loc["push 4"] - sides[0].loc[NO_INTERVENTION]
    assert np.allclose(changes[:, 4], change / baseline.std())


def test_the_slopes_of_partial_correlations_are_those_of_regressions(baseline):
    from statsmodels.api import OLS

    z = (baseline - baseline.mean()) / baseline.std()
    fit = OLS(z["SD"], z.drop(columns="SD")).fit()
    matrix = by.from_partial_correlations(baseline).matrices[0]
    slopes = pd.Series(matrix[:, VALUES.index("SD")], VALUES).drop("SD")
    assert np.allclose(slopes, fit.params[slopes.index])


def test_predictors_are_what_they_say(baseline):
    circle = by.from_circle(VALUES)
    assert circle.matrices.shape == (5, 10, 10)
    assert np.array_equal(circle.matrices.sum(axis=0), 1 - np.eye(10))
    rates = by.from_base_rates(VALUES).matrices
    assert all(np.array_equal(rates[i], np.tile(np.eye(10)[i], (10, 1))) for i in range(10))
    order = np.roll(np.arange(10), 1)
    turned = by.from_truth(TRUTH).relabelled(order).matrices[0]
    assert turned[0, 1] == by.from_truth(TRUTH).matrices[0, 9, 0]
    empty = ValueGraph.from_edges(VALUES)
    assert not by.from_graph(empty, baseline).matrices.any()
    assert np.allclose(by.from_adjustment(empty, baseline).matrices[0], baseline.corr())


def test_what_is_no_test_out_of_sample_is_refused(sides, predictors, baseline):
    train, test = sides

    def refused(message, first=train, second=test, *, scores=baseline, **options):
        with pytest.raises(ValueError, match=message):
            predict_side_effects(first, second, predictors, baseline=scores, **QUICK | options)

    refused("'role1-0' is a test role and a training role", second=train)
    unsteered = test.loc[NO_INTERVENTION]
    refused("'role2-0' is a test role and a baseline role", scores=unsteered)
    refused("'push 19' was asked of one of the two", second=test.drop(index="push 19", level=0))
    refused("test scores have other values", second=test.drop(columns="SE"))
    refused("reference 'map' is none of the predictors", reference="map")
    one = train[train.index.get_level_values(1) == "role1-0"]
    refused("at least 2 training roles", first=one)
    few = [NO_INTERVENTION, "push 0", "push 10"]
    refused("all interventions have the target SE", train.loc[few], test.loc[few])
    with pytest.raises(ValueError, match="need matrices"):
        Predictor(tuple(VALUES), np.eye(10))
    with pytest.raises(ValueError, match="finite numbers"):
        Predictor(("a", "b"), np.full((1, 2, 2), np.nan))
