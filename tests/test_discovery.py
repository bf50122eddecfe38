"""Discovery: known truths are found, order plays no part, bad input is named."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.discovery import discover, discover_from_correlation
from valuegraph.graphs.graph import ValueGraph, cpdag_of
from valuegraph.graphs.metrics import arrow_precision, arrow_recall, skeleton_f1
from valuegraph.humans import load_human
from valuegraph.search.fisher_z import fisher_z_pvalue, partial_correlation

VALUES = tuple("abcdefghij")
METHODS = ["pc", "pc-plain"]


def random_weights(rng, d=10, density=0.3, low=0.3, high=0.6, signs=(-1, 1)):
    """Direct effects `[child, parent]` of a random linear model."""
    order = rng.permutation(d)
    parents = np.tril(rng.random((d, d)) < density, -1)[np.ix_(order, order)]
    return np.where(parents, rng.uniform(low, high, (d, d)) * rng.choice(signs, (d, d)), 0.0)


def sample(rng, weights, n):
    d = len(weights)
    noise = rng.standard_normal((n, d))
    return pd.DataFrame(noise @ np.linalg.inv(np.eye(d) - weights).T, columns=VALUES[:d])


def implied_correlation(weights):
    total = np.linalg.inv(np.eye(len(weights)) - weights)
    covariance = total @ total.T
    sd = np.sqrt(np.diag(covariance))
    names = VALUES[: len(weights)]
    return pd.DataFrame(covariance / np.outer(sd, sd), names, names)


def truth_of(weights):
    return cpdag_of((weights != 0).T, VALUES[: len(weights)])


@pytest.fixture(scope="module")
def scores():
    """2,000 roles from a sparse model whose every edge is strong."""
    weights = np.zeros((6, 6))
    for parent, child, weight in [(0, 2, 0.6), (1, 2, 0.6), (2, 3, 0.6), (3, 4, -0.5), (0, 5, 0.5)]:
        weights[child, parent] = weight
    return sample(np.random.default_rng(0), weights, 2000)


# known truth


@pytest.mark.parametrize("method", METHODS)
def test_with_endless_data_the_class_of_the_truth_is_found(method):
    rng = np.random.default_rng(0)
    for _ in range(25):
        weights = random_weights(rng, high=0.9)
        found = discover_from_correlation(
            implied_correlation(weights), 10**12, method=method, null_draws=0
        )
        assert found == truth_of(weights)
        assert (found.info["conflicts"], found.info["cycles"]) == (0, 0)


@pytest.mark.parametrize("method", METHODS)
def test_two_thousand_roles_are_enough_for_strong_effects(method, scores):
    found = discover(scores, method=method, alpha=0.001, null_draws=0)
    assert found.directed_edges == [("a", "c"), ("b", "c"), ("c", "d"), ("d", "e")]
    assert found.undirected_edges == [("a", "f")]


def test_the_conservative_rule_gets_more_arrows_right_than_the_plain_one():
    rng = np.random.default_rng(1)
    precision, recall = {m: [] for m in METHODS}, {m: [] for m in METHODS}
    for _ in range(20):
        weights = random_weights(rng, low=0.18, high=0.5)
        scores = sample(rng, weights, 2000)
        for method in METHODS:
            found = discover(scores, method=method, null_draws=0)
            precision[method].append(arrow_precision(truth_of(weights), found))
            recall[method].append(arrow_recall(truth_of(weights), found))
    assert np.mean(precision["pc"]) > np.mean(precision["pc-plain"])
    assert np.mean(recall["pc"]) > np.mean(recall["pc-plain"])


def test_few_edges_are_found_where_there_are_none_and_the_null_says_so():
    # 45 pairs at alpha = .01: .45 edges are expected by chance.
    rng = np.random.default_rng(2)
    edges, null = [], []
    for seed in range(10):
        scores = sample(rng, np.zeros((10, 10)), 300)
        found = discover(scores, null_draws=10, seed=seed)
        edges.append(found.n_edges)
        null.append(found.info["null_edges"])
    assert np.mean(null) == pytest.approx(0.45, abs=0.25)
    assert np.mean(edges) == pytest.approx(np.mean(null), abs=0.8)


# agreement with causal-learn


def test_tests_agree_with_causal_learn(scores):
    from causallearn.utils.cit import CIT

    theirs = CIT(scores.to_numpy(), "fisherz")
    correlation = np.corrcoef(scores.to_numpy().T)

    def ours(i, j, given):
        return fisher_z_pvalue(partial_correlation(correlation, i, j, given), 2000, len(given))

    for i, j, given in [(0, 1, ()), (0, 3, (2,)), (3, 0, (2,)), (1, 4, (5, 0)), (2, 5, (0, 1, 3))]:
        assert ours(i, j, given) == pytest.approx(theirs(i, j, given), abs=1e-12)


def test_a_partial_correlation_is_that_of_the_residuals(scores):
    data = (scores - scores.mean()).to_numpy()
    given = data[:, [1, 4]]
    residuals = data - given @ np.linalg.lstsq(given, data, rcond=None)[0]
    expected = np.corrcoef(residuals[:, 0], residuals[:, 2])[0, 1]
    assert partial_correlation(np.corrcoef(data.T), 0, 2, (1, 4)) == pytest.approx(expected)


def test_a_perfect_correlation_has_p_zero():
    assert fisher_z_pvalue(1.0, 100, 0) == 0.0
    assert fisher_z_pvalue(0.0, 100, 5) == 1.0


@pytest.mark.parametrize("method", METHODS)
def test_the_skeleton_is_that_of_causal_learn(method):
    from causallearn.search.ConstraintBased.PC import pc

    rng = np.random.default_rng(3)
    same = 0
    for _ in range(10):
        scores = sample(rng, random_weights(rng, density=0.15, low=0.1), 500)
        theirs = pc(scores.to_numpy(), 0.05, "fisherz", show_progress=False).G.graph
        ours = discover(scores, method=method, alpha=0.05, null_draws=0)
        assert (ours.skeleton == (theirs != 0)).all()
        if method == "pc-plain" and not ours.info["conflicts"] + ours.info["cycles"]:
            # Where nothing had to be settled, the arrows are the same too: -1 is a tail.
            assert (ours.adjacency == (theirs == -1)).all()
            same += 1
    assert same > 0 or method == "pc"


# identities


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_columns_changes_nothing(method):
    rng = np.random.default_rng(4)
    # Noise on top makes the tests disagree, so that there are conflicts to be settled.
    scores = sample(rng, random_weights(rng, density=0.5), 300)
    first = discover(scores, method=method, alpha=0.05, null_draws=3)
    for _ in range(30):
        shuffled = discover(
            scores[rng.permutation(scores.columns)], method=method, alpha=0.05, null_draws=3
        )
        assert shuffled == first
        assert shuffled.info == first.info


def test_scores_and_their_correlations_give_the_same_graph(scores):
    from_scores = discover(scores, null_draws=0)
    from_correlation = discover_from_correlation(scores.corr(), len(scores), null_draws=0)
    assert from_scores == from_correlation
    assert from_scores.info == from_correlation.info


def test_units_and_order_of_roles_change_nothing(scores):
    found = discover(scores, null_draws=0)
    other = scores.sample(frac=1, random_state=0) * [1, 10, 0.1, 3, 7, 1e3] + 5
    assert discover(other, null_draws=0) == found


def test_the_same_seed_gives_the_same_null(scores):
    first, again, other = (discover(scores, alpha=0.2, seed=s).info for s in (1, 1, 2))
    assert first == again
    assert first["null_edges"] != other["null_edges"]


def test_both_nulls_tell_the_same(scores):
    permuted = discover(scores, alpha=0.1, null_draws=200).info["null_edges"]
    drawn = discover_from_correlation(scores.corr(), 2000, alpha=0.1, null_draws=200)
    assert permuted == pytest.approx(1.5, abs=0.3)  # 15 pairs at .1
    assert drawn.info["null_edges"] == pytest.approx(permuted, abs=0.4)


def test_a_graph_carries_what_has_to_be_known(scores):
    info = discover(scores, null_draws=5, seed=3).info
    assert info["method"] == "pc" and info["test"] == "Fisher z" and info["alpha"] == 0.01
    assert info["n"] == 2000 and info["null_draws"] == 5 and info["seed"] == 3
    assert {"null_edges", "null_sd", "conflicts", "cycles"} <= set(info)
    assert "null_edges" not in discover(scores, null_draws=0).info


def test_no_graph_has_a_directed_cycle_even_from_tiny_noisy_samples():
    rng = np.random.default_rng(5)
    repaired = 0
    for _ in range(60):
        scores = sample(rng, random_weights(rng, density=0.6, low=0.1), 80)
        found = discover(scores, method="pc", alpha=0.2, null_draws=0)
        ValueGraph(found.values, found.adjacency)  # refuses a cycle
        repaired += found.info["cycles"]
    assert repaired > 0  # there were cycles to repair


def test_people_can_be_searched_by_their_correlations():
    people = load_human("ess11")
    found = discover_from_correlation(people.correlation, 400, null_draws=5)
    assert found.values == people.values
    assert 10 <= found.n_edges <= 20
    assert skeleton_f1(found, found) == 1


def test_a_single_intervention_may_be_named(scores):
    index = pd.MultiIndex.from_product([["none"], scores.index], names=["intervention", "role"])
    assert discover(scores.set_axis(index), null_draws=0) == discover(scores, null_draws=0)


# bad input


def with_entry(scores, entry):
    scores = scores.copy()
    scores.loc[7, "c"] = entry
    return scores


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda s: with_entry(s, np.nan),
            "column c: 1 of 2000 entries are missing, first at row 7",
        ),
        (lambda s: with_entry(s, np.inf), "column c: the score at row 7 is infinite"),
        (lambda s: s.assign(c=1.5), r"scores of c do not vary over roles.*drop\(columns=\['c'\]\)"),
        (lambda s: s.assign(c=0.1 + 1e-17 * s["a"]), "scores of c do not vary"),
        (lambda s: s.assign(c=s["c"].map(str)), "column c holds .*not numbers"),
        (lambda s: s.assign(c=s["c"] > 0), "column c holds bool"),
        (lambda s: s.set_axis(list("abcdea"), axis=1), "columns a appear more than once"),
        (lambda s: s.set_axis(range(6), axis=1), "names of values, got 0"),
        (lambda s: s[["a"]], "at least 2 values, got 1"),
        (lambda s: s.head(7), "7 rows are too few for 6 values: .* at least 8"),
        (lambda s: s.head(0), "no rows"),
        (lambda s: s.to_numpy(), "must be a DataFrame.*got ndarray"),
        (lambda s: s.sub(s.mean(axis=1), axis=0), "a, b, c, d, e, f are linearly dependent.*raw"),
        (lambda s: s.assign(c=2 * s["a"]), "a, c are linearly dependent"),
        (lambda s: pd.concat([s, s.head(1)]), "role 0 has more than one row"),
        (
            lambda s: pd.concat({"none": s, "f1": s}, names=["intervention", "role"]),
            "pool 2 interventions.*not independent.*'none', level='intervention'",
        ),
        (
            lambda s: pd.concat({"x": s, "y": s}, names=["batch", "role"]),
            "role 0 has more than one row",
        ),
    ],
)
def test_bad_scores_are_named(scores, spoil, message):
    with pytest.raises(ValueError, match=message):
        discover(spoil(scores))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0}, "alpha must lie between 0 and 1.*got 0"),
        ({"alpha": 1.0}, "alpha must lie between 0 and 1.*got 1.0"),
        ({"alpha": float("nan")}, "alpha must lie between 0 and 1.*got nan"),
        ({"method": "cd"}, "unknown method 'cd'; choose one of pc, pc-plain, fci, ges, lingam"),
        ({"null_draws": -1}, "null_draws must be 0"),
    ],
)
def test_options_out_of_range_are_named(scores, options, message):
    with pytest.raises(ValueError, match=message):
        discover(scores, **options)
    with pytest.raises(ValueError, match=message):
        discover_from_correlation(scores.corr(), 2000, **options)


@pytest.mark.parametrize(
    ("spoil", "n", "message"),
    [
        (lambda r: r, 7, "7 rows are too few"),
        (lambda r: r, 100.5, "whole number of rows, got 100.5"),
        (lambda r: 2 * r, 100, "are they covariances"),
        (lambda r: r.where(np.tri(6, dtype=bool), 0.0), 100, "symmetric"),
        (lambda r: r.set_axis(list("abcdex")), 100, "same values on both sides"),
        (lambda r: r.mask(r < 0), 100, "entries are missing"),
        (lambda r: r * 0 + 1, 100, "linearly dependent"),
        (
            lambda r: pd.DataFrame(np.eye(6) * 2 - 1, r.index, r.columns),
            100,
            "no correlation matrix: its smallest eigenvalue is -4",
        ),
    ],
)
def test_bad_correlations_are_named(scores, spoil, n, message):
    with pytest.raises(ValueError, match=message):
        discover_from_correlation(spoil(scores.corr()), n)
