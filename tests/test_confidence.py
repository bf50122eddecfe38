"""The bootstrap: frequencies add up, seeds decide, firm graphs are sound and mostly right."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from valuegraph.confidence import bootstrap, bootstrap_from_correlation
from valuegraph.discovery import discover
from valuegraph.graphs.pag import PartialAncestralGraph
from valuegraph.organisms.shipped import load_truth
from valuegraph.search.resampling import CHUNK
from valuegraph.simulation import random_model


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(0)
    return random_model(6, rng, degree=2.5).scores(150, rng).xs("none")


def same(a, b):
    return all(
        (getattr(a, name) == getattr(b, name)).all()
        for name in ("adjacencies", "directions", "heads", "ancestors", "null")
    )


@pytest.mark.parametrize("method", ["pc", "pc-plain", "fci"])
def test_frequencies_are_those_of_single_searches(scores, method):
    options = {"method": method, "alpha": 0.05, "n_resamples": 30, "null_draws": 0, "seed": 4}
    found = bootstrap(scores, **options)
    ordered = scores[sorted(scores.columns)].reset_index(drop=True)
    edges = np.zeros((6, 6))
    for seed in np.random.SeedSequence(4).spawn(2)[0].spawn(30):
        rows = np.random.default_rng(seed).integers(150, size=150)
        drawn = ordered.iloc[rows].reset_index(drop=True)
        edges += discover(drawn, method=method, alpha=0.05, null_draws=0).skeleton
    assert np.allclose(found.adjacencies, edges / 30)


def test_neither_workers_nor_columns_nor_progress_change_anything(scores):
    options = {"n_resamples": 2 * CHUNK + 7, "null_draws": 2, "null_resamples": 10, "seed": 3}
    first = bootstrap(scores, **options)
    assert same(first, bootstrap(scores, n_jobs=2, **options))
    assert not same(first, bootstrap(scores, **(options | {"seed": 4})))
    turned = list(scores.columns[::-1])
    other = bootstrap(scores[turned], progress=True, **options)
    assert (other.adjacencies[::-1, ::-1] == first.adjacencies).all()
    assert other.graph() == first.graph()
    assert other.graph().info["null_edges"] == first.graph().info["null_edges"]


def test_frequencies_are_shares_and_agree_with_each_other(scores):
    found = bootstrap(scores, n_resamples=40, null_draws=2, null_resamples=10)
    assert (found.adjacencies == found.adjacencies.T).all()
    assert (found.directions + found.directions.T <= found.adjacencies + 1e-12).all()
    assert (found.directions <= found.ancestors).all()
    table = found.table()
    assert (table["edge"].diff().dropna() <= 0).all()
    row = table.iloc[0]
    i, j = found.values.index(row["a"]), found.values.index(row["b"])
    assert (row["edge"], row["a_to_b"]) == (found.adjacencies[i, j], found.directions[i, j])
    assert len(table) == (np.triu(found.adjacencies) > 0).sum()


def test_a_firm_graph_holds_what_is_at_or_above_the_threshold(scores):
    found = bootstrap(scores, n_resamples=50, null_draws=3, null_resamples=20)
    for threshold in (0.6, 0.8, 1.0):
        graph = found.graph(threshold=threshold)
        assert (graph.skeleton == (found.adjacencies >= threshold - 1e-9)).all()
        for a, b in graph.directed_edges:
            assert (
                found.directions[found.values.index(a), found.values.index(b)] >= threshold - 1e-9
            )
        null = (found.null >= threshold - 1e-9).sum(axis=(1, 2)) / 2
        assert graph.info["null_edges"] == null.mean()
        assert f"in {threshold:.0%} of 50 resamples" in graph.caption
        assert "null" in graph.caption
        assert set(graph.info["edge_frequency"].values()) <= set(found.adjacencies.flat)


def test_firm_arrows_that_close_a_cycle_lose_their_direction():
    found = bootstrap(
        random_model(6, np.random.default_rng(1)).scores(100, np.random.default_rng(1)).xs("none"),
        n_resamples=5,
        null_draws=0,
    )
    ring = 0.8 * np.roll(np.eye(6), 1, axis=1)  # five of six arrows in each resample, as can be
    forced = replace(
        found, adjacencies=ring + ring.T, directions=ring, heads=ring, ancestors=ring
    ).graph()
    assert forced.n_edges == 6 and forced.directed_edges == []
    assert forced.info["cycles"] == 6


def test_fci_keeps_the_marks_that_are_firm(scores):
    found = bootstrap(scores, method="fci", alpha=0.05, n_resamples=30, null_draws=0)
    graph = found.graph()
    assert isinstance(graph, PartialAncestralGraph)
    for a, b in graph.directed_edges:
        assert found.directions[found.values.index(a), found.values.index(b)] >= 0.8


@pytest.mark.parametrize("name", ["human", "alien"])
def test_firm_edges_and_arrows_of_an_organism_are_right(name):
    truth = load_truth(f"organism-{name}")
    firm = bootstrap(truth.sample(2000, seed=5), n_resamples=100, null_draws=2).graph()
    both = truth.adjacency | truth.adjacency.T
    assert (both | ~firm.skeleton).all()
    assert firm.n_edges >= 16
    right = [truth.adjacency[truth.index(a), truth.index(b)] for a, b in firm.directed_edges]
    assert all(right)
    assert len(right) >= (8 if name == "alien" else 0)
    assert firm.info["null_edges"] < 1


def test_correlations_alone_give_nearly_the_same_frequencies(scores):
    own = bootstrap(scores, n_resamples=200, null_draws=2, null_resamples=10)
    drawn = bootstrap_from_correlation(
        scores.corr(), 150, n_resamples=200, null_draws=2, null_resamples=10
    )
    assert np.abs(own.adjacencies - drawn.adjacencies).max() < 0.2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_resamples": 0}, "at least one resample is needed, got n_resamples 0"),
        ({"null_draws": -1}, "null_draws must be 0"),
        ({"method": "cd"}, "unknown method 'cd'"),
    ],
)
def test_options_out_of_range_are_named(scores, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap(scores, **options)


def test_a_threshold_of_half_or_less_is_refused(scores):
    found = bootstrap(scores, n_resamples=2, null_draws=0)
    for threshold in (0.5, 1.1, float("nan")):
        with pytest.raises(ValueError, match="above 0.5 and at most at 1"):
            found.graph(threshold=threshold)


def test_too_few_roles_for_resamples_are_named():
    rows = pd.DataFrame(np.eye(6)[:, :4] + [0.0, 0.1, 0.2, 0.3], columns=list("abcd"))
    with pytest.raises(ValueError, match="twenty resamples of 6 rows in a row"):
        bootstrap(rows, n_resamples=2000, null_draws=0)
