"""Predicting side effects: the truth does it, nothing leaks, and units play no part."""

import numpy as np
import pandas as pd
import pytest

from studies import side_effects as by
from studies.side_effects import CEILING, Predictor, predict_side_effects
from valuegraph.answers import NO_INTERVENTION
from valuegraph.graph import ValueGraph, reached
from valuegraph.organisms import load_truth

TRUTH = load_truth("organism-alien")
VALUES = list(TRUTH.values)
QUICK = {"draws": 50, "permutations": 0}
PUSHES = np.concatenate([np.eye(10), -0.5 * np.eye(10)])


def steered(roles, directions, *, seed, noise=0.02):
    """Scores of roles under pushes of the exogenous terms, one row of `directions` each."""
    baseline = TRUTH.sample(roles, seed=seed)
    baseline.index = [f"role{seed}-{i}" for i in range(roles)]
    rng = np.random.default_rng((seed, 1))
    frames = {NO_INTERVENTION: baseline}
    for number, u in enumerate(directions):
        change = TRUTH.evaluate(u) + noise * rng.standard_normal((roles, 10))
        frames[f"push {number}"] = baseline + change
    return pd.concat(frames, names=["intervention", "role"])


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
    known = ValueGraph.from_adjacency(TRUTH.values, TRUTH.adjacency)
    return {
        "graph": by.by_graph(known, baseline),
        "truth": by.by_truth(TRUTH),
        "adjustment": by.by_adjustment(known, baseline),
        "reach": by.by_reach(reached(known), baseline),
        "correlation": by.by_correlations(baseline),
        "partial": by.by_partial_correlations(baseline),
        "circle": by.by_circle(VALUES),
        "people": by.by_people(VALUES),
        "base rates": by.by_base_rates(VALUES),
        "mean effect": by.by_base_rates(VALUES, per_push=False),
        "nothing": by.by_nothing(VALUES),
    }


@pytest.fixture(scope="module")
def result(sides, predictors, baseline):
    return predict_side_effects(
        *sides, predictors, baseline=baseline, draws=200, permutations=99, seed=3
    )


def test_the_truth_predicts_and_correlations_expect_too_much(result):
    skill = result.skill["skill"]
    assert skill["truth"] > 0.99 and skill[CEILING] > 0.99 and skill["graph"] > 0.97
    assert result.skill.loc["truth", "scale"] == pytest.approx(1, abs=0.02)
    assert skill["nothing"] == 0 and skill["correlation"] < 0.6
    assert skill["circle"] < skill["correlation"] < skill["reach"] < skill["graph"]
    row = result.skill.loc["correlation"]
    assert row["lead"] == pytest.approx(skill["graph"] - skill["correlation"])
    assert row["lead_low"] > 0
    assert (result.skill.loc["graph", ["lead", "lead_low", "lead_high"]] == 0).all()


def test_a_push_along_covariances_is_predicted_by_correlations(baseline, predictors):
    # The exogenous terms that go with a value, as in a difference of means over roles.
    along = TRUTH.total_effects.to_numpy().T * TRUTH.noise_sd**2 * 0.8
    train, test = steered(10, along, seed=1), steered(10, along, seed=2)
    skill = predict_side_effects(train, test, predictors, baseline=baseline, **QUICK).skill
    assert skill.loc["correlation", "skill"] > 0.97
    assert skill.loc["correlation", "lead_high"] < 0


def test_targets_and_measurements_are_those_of_the_pushes(result, sides, baseline):
    pairs = result.pairs.set_index(["intervention", "value"])
    expected = {"reference": "graph", "n_interventions": 20, "n_targets": 10}
    assert result.skill.attrs == expected | {"n_train": 10, "n_test": 10}
    assert (result.pairs["target"] != result.pairs["value"]).all()
    for number, u in enumerate(PUSHES):
        assert (pairs.loc[f"push {number}", "target"] == VALUES[np.abs(u).argmax()]).all()
    change = sides[1].loc["push 3"] - sides[1].loc[NO_INTERVENTION]
    measured = (change.mean() / baseline.std()).drop("BE")
    assert np.allclose(pairs.loc["push 3", "measured"], measured[pairs.loc["push 3"].index])


def test_p_values_and_intervals(result):
    table, p = result.skill, result.skill["p_value"]
    assert p["graph"] == p["truth"] == 0.01
    label_free = ["base rates", "mean effect", "nothing", CEILING]
    assert p[label_free].isna().all() and p.drop(label_free).between(0.01, 1).all()
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
    again = predict_side_effects(train, other, predictors, baseline=baseline, **QUICK).pairs
    assert np.allclose(again[names], result.pairs[names])
    # Whatever pushes of SE do to other values, pushes of SE are predicted the same.
    changed = train.copy()
    of_se = changed.index.get_level_values(0).isin(["push 0", "push 10"])
    changed.loc[of_se, VALUES[1:]] += 0.1
    again = predict_side_effects(changed, test, predictors, baseline=baseline, **QUICK).pairs
    on_se = result.pairs["target"] == "SE"
    assert (again["target"] == result.pairs["target"]).all()
    assert np.allclose(again.loc[on_se, names], result.pairs.loc[on_se, names])
    assert not np.allclose(again.loc[~on_se, names], result.pairs.loc[~on_se, names])


def test_units_and_the_order_of_values_play_no_part(sides, predictors, baseline, result):
    units = pd.Series(np.linspace(0.5, 3, 10), VALUES)
    train, test, scores = ((table * units)[VALUES[::-1]] for table in (*sides, baseline))
    options = {"draws": 200, "permutations": 0, "seed": 3}
    again = predict_side_effects(train, test, predictors, baseline=scores, **options)
    assert np.allclose(again.skill[["skill", "rank"]], result.skill[["skill", "rank"]])


def test_predictors_are_what_they_say(baseline):
    from statsmodels.api import OLS

    z = (baseline - baseline.mean()) / baseline.std()
    fit = OLS(z["SD"], z.drop(columns="SD")).fit()
    matrix = by.by_partial_correlations(baseline).matrices[0]
    slopes = pd.Series(matrix[:, VALUES.index("SD")], VALUES).drop("SD")
    assert np.allclose(slopes, fit.params[slopes.index])
    circle = by.by_circle(VALUES)
    assert circle.matrices.shape == (5, 10, 10)
    assert np.array_equal(circle.matrices.sum(axis=0), 1 - np.eye(10))
    rates = by.by_base_rates(VALUES).matrices
    assert all(np.array_equal(rates[i], np.tile(np.eye(10)[i], (10, 1))) for i in range(10))
    turned = by.by_truth(TRUTH).permuted(np.roll(np.arange(10), 1)).matrices[0]
    assert turned[0, 1] == by.by_truth(TRUTH).matrices[0, 9, 0]
    empty = ValueGraph.from_adjacency(VALUES, np.zeros((10, 10)))
    assert not by.by_graph(empty, baseline).matrices.any()
    assert np.allclose(by.by_adjustment(empty, baseline).matrices[0], baseline.corr())


def test_what_is_no_test_out_of_sample_is_refused(sides, predictors, baseline):
    train, test = sides

    def refused(message, first=train, second=test, *, scores=baseline, **options):
        with pytest.raises(ValueError, match=message):
            predict_side_effects(first, second, predictors, baseline=scores, **QUICK | options)

    refused("'role1-0' is a test role and a training role", second=train)
    refused("'role2-0' is a test role and a baseline role", scores=test.loc[NO_INTERVENTION])
    refused(r"differ in \['push 19'\]", second=test.drop(index="push 19", level=0))
    refused("test scores have other values", second=test.drop(columns="SE"))
    refused("reference 'map' is none of graph, truth", reference="map")
    one = train[train.index.get_level_values(1) == "role1-0"]
    refused("at least 2 training roles", first=one)
    few = [NO_INTERVENTION, "push 0", "push 10"]
    refused("all interventions move SE", train.loc[few], test.loc[few])
    for matrices in (np.eye(10)[None, :9], np.full((1, 10, 10), np.nan)):
        with pytest.raises(ValueError, match="need finite matrices"):
            Predictor(tuple(VALUES), matrices)
