"""Recovery of a known graph by number of roles."""

import json

import numpy as np
import pandas as pd
import pytest

from valuegraph.confidence import bootstrap
from valuegraph.discovery import discover
from valuegraph.graphs.metrics import skeleton_precision
from valuegraph.organisms.recovery import (
    FIRM_ALPHAS,
    FIRM_RESAMPLES,
    RECOVERY_METHODS,
    firm_runs,
    recovery_figures,
    recovery_runs,
)
from valuegraph.organisms.structures import alien_structure, human_structure

SIZES = (50, 6000)


@pytest.fixture(scope="module")
def samples():
    return [(seed, human_structure().sample(6000, seed=seed)) for seed in (0, 1, 2)]


@pytest.fixture(scope="module")
def runs(samples):
    return recovery_runs(human_structure().cpdag(), iter(samples), sizes=SIZES, alpha=0.01)


@pytest.fixture(scope="module")
def alien_firm():
    model = alien_structure()
    return model, firm_runs(model.cpdag(), [(0, model.sample(6000, seed=0))], sizes=SIZES)


def test_one_row_per_sample_size_and_method(runs):
    assert len(runs) == 3 * 2 * len(RECOVERY_METHODS)
    assert not runs.duplicated(["seed", "n", "method"]).any()


def test_more_roles_find_more_edges_and_exact_means_all_of_them(runs):
    recall = runs.groupby("n")["skeleton_recall"].mean()
    assert recall[50] < 0.8 and recall[6000] > 0.99
    perfect = (runs["skeleton_recall"] == 1) & (runs["skeleton_precision"] == 1)
    assert (runs["exact"] == perfect).all()


def test_too_small_a_sample_is_refused():
    model = human_structure()
    with pytest.raises(ValueError, match="seed 4 has 30 roles, size 40 needs more"):
        recovery_runs(model.cpdag(), [(4, model.sample(30, seed=0))], sizes=(20, 40), alpha=0.05)


def test_no_sample_is_refused():
    with pytest.raises(ValueError, match="no sample to search in"):
        recovery_runs(human_structure().cpdag(), [], sizes=(20,), alpha=0.05)


def test_precision_of_arrows_is_missing_exactly_where_none_is_claimed(runs):
    claimed = ~((runs["arrow_recall"] == 0) & runs["arrow_precision"].isna())
    assert runs["arrow_precision"].notna().equals(claimed)


def test_counts_of_arrows_agree_with_their_metrics(runs):
    claimed = runs[runs["arrows"] > 0]
    assert len(claimed) and runs.loc[runs["arrows"] == 0, "arrow_precision"].isna().all()
    assert np.allclose(claimed["arrow_precision"], claimed["arrows_right"] / claimed["arrows"])


def test_firm_arrows_of_many_roles_are_right_and_those_of_few_are_fewer(alien_firm):
    _, firm = alien_firm
    few, many = (firm[firm["n"] == n] for n in SIZES)
    assert (many["arrows"] > 5).all() and (many["arrows"] == many["arrows_right"]).all()
    assert few["arrows"].max() < many["arrows"].min()
    assert (firm["edges_right"] <= firm["edges"]).all() and set(firm["alpha"]) == set(FIRM_ALPHAS)


def test_firm_counts_are_those_of_the_bootstrap(alien_firm):
    model, firm = alien_firm
    scores = model.sample(6000, seed=0)
    guess = bootstrap(
        scores.iloc[:50], alpha=0.05, n_resamples=FIRM_RESAMPLES, null_draws=0, seed=0
    ).graph()
    row = firm.set_index(["n", "alpha"]).loc[(50, 0.05)]
    assert (row["edges"], row["arrows"]) == (guess.n_edges, len(guess.directed_edges))
    assert row["edges_right"] == round(skeleton_precision(model.cpdag(), guess) * guess.n_edges)


def test_figures_hold_both_studies_and_go_through_json(samples, runs):
    truth = human_structure().cpdag()
    figures = recovery_figures(truth, iter(samples), sizes=SIZES, alpha=0.01)
    again = json.loads(json.dumps(figures, allow_nan=False))
    assert again == figures
    told = pd.DataFrame(again["runs"]).astype(runs.dtypes)
    pd.testing.assert_frame_equal(told, runs)
    assert len(again["firm"]["runs"]) == len(samples) * len(SIZES) * len(FIRM_ALPHAS)
    assert again["seeds"] == [0, 1, 2] and again["methods"] == RECOVERY_METHODS
    exact = [r["n"] for r in again["runs"] if r["method"] == "pc" and r["exact"]]
    assert again["exact_skeletons"] == {str(n): exact.count(n) for n in SIZES}


def test_the_first_roles_of_a_sample_are_the_ones_searched(samples, runs):
    seed, scores = samples[1]
    graph = discover(scores.head(50), alpha=0.01, null_draws=0)
    row = runs.query("seed == @seed and n == 50 and method == 'pc'").iloc[0]
    assert row["arrows"] == len(graph.directed_edges)
    assert row["skeleton_precision"] == skeleton_precision(human_structure().cpdag(), graph)
