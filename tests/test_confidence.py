"""The bootstrap: frequencies add up, seeds decide, firm graphs are sound and mostly right."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from valuegraph.confidence import CHUNK, Confidence, bootstrap
from valuegraph.discovery import Correlations, discover

FIELDS = ("adjacencies", "directions", "heads", "ancestors", "null")


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(0)
    weights = np.triu(0.6 * (rng.random((6, 6)) < 0.5), 1)
    rows = rng.standard_normal((150, 6)) @ np.linalg.inv(np.eye(6) - weights)
    return pd.DataFrame(rows, columns=list("fbdace"))


@pytest.mark.parametrize("method", ["pc", "fci"])
def test_frequencies_are_those_of_single_searches(scores, method):
    options = {"method": method, "alpha": 0.05}
    found = bootstrap(scores, n_resamples=20, null_draws=0, seed=4, **options)
    ordered = scores[sorted(scores)]
    edges, arrows = np.zeros((2, 6, 6))
    for seed in np.random.SeedSequence(4).spawn(2)[0].spawn(20):
        drawn = ordered.iloc[np.random.default_rng(seed).integers(150, size=150)]
        graph = discover(drawn.reset_index(drop=True), null_draws=0, **options)
        graph = graph.among(scores.columns)
        edges += graph.skeleton
        arrows += graph.adjacency & ~graph.adjacency.T
    assert np.allclose(found.adjacencies, edges / 20)
    assert np.allclose(found.directions, arrows / 20)


def test_the_seed_fixes_everything_and_the_order_of_columns_changes_nothing(scores):
    options = {"n_resamples": 2 * CHUNK + 7, "null_draws": 2, "null_resamples": 10}
    first = bootstrap(scores, **options)
    again = bootstrap(scores, **options)
    assert all((getattr(first, name) == getattr(again, name)).all() for name in FIELDS)
    assert (bootstrap(scores, seed=1, **options).directions != first.directions).any()
    other = bootstrap(scores[scores.columns[::-1]], **options)
    assert (other.adjacencies[::-1, ::-1] == first.adjacencies).all()
    assert other.graph() == first.graph() and other.graph().info["null_edges"] >= 0


def test_frequencies_are_shares_and_agree_with_each_other(scores):
    found = bootstrap(scores, n_resamples=40, null_draws=2, null_resamples=10, tiers=[["f"]])
    assert (found.adjacencies == found.adjacencies.T).all() and found.null.shape == (2, 6, 6)
    assert (found.directions + found.directions.T <= found.adjacencies + 1e-12).all()
    assert (found.directions <= found.ancestors).all() and (found.heads == found.directions).all()
    assert not found.directions[:, 0].any()
    table = found.table()
    assert len(table) == (np.triu(found.adjacencies) > 0).sum()
    assert table["edge"].is_monotonic_decreasing
    a, b = (list(scores).index(table[end][0]) for end in "ab")
    row = table.loc[0, ["edge", "a_to_b", "b_to_a", "a_before_b", "b_before_a"]].tolist()
    both = [(a, b), (b, a)]
    assert row == [
        found.adjacencies[a, b],
        *(found.directions[pair] for pair in both),
        *(found.ancestors[pair] for pair in both),
    ]


def test_a_firm_graph_holds_what_is_firm(scores):
    found = bootstrap(scores, n_resamples=60, null_draws=3, null_resamples=20)
    loose, firm = found.graph(threshold=0.55), found.graph(threshold=0.95)
    assert not (firm.skeleton & ~loose.skeleton).any()
    assert (firm.skeleton == (found.adjacencies >= 0.95)).all()
    assert set(firm.directed_edges) <= set(loose.directed_edges)
    frequency = firm.info["edge_frequency"]
    assert len(frequency) == firm.n_edges and min(frequency.values()) >= 0.95
    assert firm.info["null_edges"] <= 0.5 and "in 95% of 60 resamples" in firm.caption
    assert "Confidence over 6 values" in repr(found) and "80% of 60" in repr(found)
    with pytest.raises(ValueError, match="above 0.5"):
        found.graph(threshold=0.5)


def test_firm_arrows_on_a_cycle_lose_their_direction_and_fci_keeps_marks():
    cycle = np.roll(np.eye(3), 1, axis=1) * 0.9
    info = {"method": "pc", "alpha": 0.01, "n": 9, "n_resamples": 5, "seed": 0}
    parts = (cycle + cycle.T, cycle, cycle, cycle, np.zeros((0, 3, 3)))
    found = Confidence(tuple("abc"), *parts, info)
    graph = found.graph()
    assert len(graph.undirected_edges) == 3 and graph.info["cycles"] == 3
    heads = np.array([[0, 0.9, 0.3], [0.9, 0, 0], [0.2, 0.9, 0]])
    arrow = np.zeros((3, 3))
    arrow[2, 1] = 0.85
    found = replace(found, heads=heads, directions=arrow, info={**info, "method": "fci"})
    expected = [("c", "→", "b"), ("a", "o—o", "c"), ("a", "↔", "b")]
    assert found.graph().edges == expected


def test_where_only_correlations_are_known_resamples_are_drawn(scores):
    people = Correlations(scores.corr(), 150)
    drawn = bootstrap(people, n_resamples=150, null_draws=2, null_resamples=20)
    taken = bootstrap(scores, n_resamples=150, null_draws=0)
    assert abs(drawn.adjacencies - taken.adjacencies).max() < 0.25
    assert drawn.info["n"] == 150 and drawn.null.mean() < 0.1


def test_options_out_of_range_are_named(scores):
    with pytest.raises(ValueError, match="n_resamples is 0"):
        bootstrap(scores, n_resamples=0)
    with pytest.raises(ValueError, match="needs scores, not correlations"):
        bootstrap(Correlations(scores.corr(), 150), method="lingam")
    rare = pd.DataFrame(np.vstack([5 * np.eye(8), np.zeros((60, 8))]), columns=list("abcdefgh"))
    with pytest.raises(ValueError, match="resamples of 68 roles are linearly dependent"):
        bootstrap(rare, n_resamples=50, null_draws=0)
