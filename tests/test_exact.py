"""Exact search: the best of all graphs, what it claims of its class, and what it refuses."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from studies.simulation import random_model
from valuegraph.confidence import bootstrap
from valuegraph.discovery import Correlations, discover
from valuegraph.exact import MAX_VALUES, best_dags, local_scores, search_exactly
from valuegraph.pc import reachable

PENALTY = 3.3


def all_dags(d):
    """Return every graph without cycles over d values."""
    pairs = [(i, j) for i in range(d) for j in range(i)]
    dags = np.zeros((3 ** len(pairs), d, d), dtype=bool)
    for dag, links in zip(dags, product(range(3), repeat=len(pairs)), strict=True):
        for (i, j), link in zip(pairs, links, strict=True):
            dag[i, j], dag[j, i] = link == 1, link == 2
    return dags[~np.einsum("kii->ki", reachable(dags)).any(axis=1)]


def score(dag, correlation, n):
    """Score a graph by one regression a value."""
    total = 0.0
    for value, parents in enumerate(dag.T):
        held = correlation[np.ix_(parents, parents)]
        slopes = np.linalg.solve(held, correlation[parents, value])
        left = 1 - correlation[parents, value] @ slopes
        total -= n / 2 * np.log(left) + PENALTY * parents.sum()
    return total


def correlations(b, d, n=60):
    rng = np.random.default_rng(b)
    rows = [random_model(d, rng).scores(n, rng).to_numpy() for _ in range(b)]
    return np.stack([np.corrcoef(sample.T) for sample in rows])


@pytest.mark.parametrize("tier", [(0, 0, 0, 0), (1, 0, 1, 0)])
def test_no_graph_is_better(tier):
    tier, every = np.array(tier), all_dags(4)
    assert len(every) == 543  # that many there are
    every = every[~(every & (tier[:, None] > tier)).any(axis=(1, 2))]
    samples = correlations(12, 4)
    found = best_dags(local_scores(samples, 60, PENALTY, tier))
    for dag, sample in zip(found, samples, strict=True):
        assert any((dag == other).all() for other in every)
        best = max(score(other, sample, 60) for other in every)
        assert score(dag, sample, 60) == pytest.approx(best)


def test_the_class_holds_the_arrows_that_all_of_its_best_graphs_share():
    every = all_dags(4)
    for tier in (np.zeros(4, dtype=int), np.array([1, 0, 1, 0])):
        samples = correlations(6, 4)
        adjacency = search_exactly(samples, 60, 0.01, tier)
        penalty = 6.634897 / 2  # chi-squared, one degree of freedom, .99
        allowed = every[~(every & (tier[:, None] > tier)).any(axis=(1, 2))]
        for found, sample in zip(adjacency, samples, strict=True):
            shift = [(PENALTY - penalty) * dag.sum() for dag in allowed]
            scores = [score(dag, sample, 60) for dag in allowed] + np.array(shift)
            best = allowed[scores > scores.max() - 1e-6]
            assert (found == best.any(axis=0)).all()


def test_a_parent_is_added_where_the_likelihood_ratio_test_would_add_it():
    n, names = 400, ["a", "b"]
    critical = np.sqrt(1 - np.exp(-3.841459 / n))  # likelihood ratio at .05
    for r, edges in ((critical * 1.01, 1), (critical * 0.99, 0)):
        two = Correlations(pd.DataFrame([[1, r], [r, 1]], names, names), n)
        found = discover(two, method="exact", alpha=0.05, null_draws=0)
        assert found.n_edges == edges and not found.directed_edges


def test_what_time_and_the_class_leave_open_is_not_claimed():
    names = list("abc")
    chain = pd.DataFrame([[1, 0.6, 0.36], [0.6, 1, 0.6], [0.36, 0.6, 1]], names, names)
    options = {"method": "exact", "null_draws": 0}
    assert not discover(Correlations(chain, 500), **options).directed_edges
    known = discover(Correlations(chain, 500), tiers=[["a"]], **options)
    assert known.directed_edges == [("a", "b"), ("b", "c")]


def test_all_samples_are_searched_as_each_alone():
    samples, tier = correlations(5, 7), np.zeros(7, dtype=int)
    together = search_exactly(samples, 60, 0.05, tier)
    alone = [search_exactly(sample[None], 60, 0.05, tier)[0] for sample in samples]
    assert (together == alone).all()


def test_firm_arrows_are_right_and_more_than_by_pc():
    arrows = {"exact": np.zeros(2), "pc": np.zeros(2)}
    for seed in range(6):
        rng = np.random.default_rng(seed)
        model = random_model(10, rng)
        scores = model.scores(1000, rng).xs("none")
        for method, counts in arrows.items():
            firm = bootstrap(scores, method=method, n_resamples=40, null_draws=0).graph()
            firm = firm.adjacency & ~firm.adjacency.T
            counts += [(firm & model.adjacency).sum(), firm.sum()]
    right, claimed = arrows["exact"]
    assert right > 1.5 * arrows["pc"][0] and right > 0.9 * claimed


def test_too_many_values_are_named_with_the_way_out():
    names = [f"v{k:02d}" for k in range(MAX_VALUES + 1)]
    many = Correlations(pd.DataFrame(np.eye(len(names)), names, names), 100)
    with pytest.raises(ValueError, match="at most 12 values; these are 13: .* by method 'pc'"):
        discover(many, method="exact")
    assert discover(many, method="pc").n_edges == 0
