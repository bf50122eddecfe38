"""Discovery: truths are found, results are sound, orders change nothing, bad data are named."""

import warnings

import numpy as np
import pandas as pd
import pytest
from causallearn.search.FCMBased.lingam import DirectLiNGAM

from valuegraph.discovery import Correlations, discover, draw_correlations
from valuegraph.graph import HEAD, TAIL, ValueGraph
from valuegraph.pc import reachable

METHODS = ["pc", "exact", "pc-plain", "fci", "lingam"]


def random_weights(rng, d, share=0.35):
    order = rng.permutation(d)
    sizes = rng.uniform(0.4, 0.8, (d, d)) * rng.choice([-1, 1], (d, d))
    return np.triu(sizes * (rng.random((d, d)) < share), 1)[np.ix_(order, order)]


def names_of(d):
    return [f"v{k:02d}" for k in range(d)]


def rows_of(rng, weights, n, noise="standard_normal"):
    d = len(weights)
    rows = getattr(rng, noise)(size=(n, d)) @ np.linalg.inv(np.eye(d) - weights)
    return pd.DataFrame(rows, columns=names_of(d))


def implied(weights, n=10**12):
    total = np.linalg.inv(np.eye(len(weights)) - weights)
    covariance, names = total.T @ total, names_of(len(weights))
    sd = np.sqrt(np.diag(covariance))
    return Correlations(pd.DataFrame(covariance / np.outer(sd, sd), names, names), n)


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(0)
    return rows_of(rng, random_weights(rng, 8), 200, "exponential")


@pytest.mark.parametrize("method", ["pc", "exact", "pc-plain"])
def test_with_endless_data_the_class_of_the_truth_is_found(method):
    rng = np.random.default_rng(1)
    for _ in range(5):
        weights = random_weights(rng, 6)
        found = discover(implied(weights), method=method)
        assert found == ValueGraph.from_adjacency(names_of(6), weights != 0).cpdag()


def test_with_endless_data_fci_claims_nothing_false_in_spite_of_hidden_causes():
    rng = np.random.default_rng(2)
    tails = heads = 0
    for case in range(30):
        weights = random_weights(rng, 8)
        matrix = implied(weights).matrix.iloc[:6, :6]
        causes = reachable(weights != 0)[:6, :6]
        first = [
            name for name, caused in zip(matrix, causes.any(axis=0), strict=True) if not caused
        ]
        tiers = [first] if case % 2 and first else None
        found = discover(Correlations(matrix, 10**13), method="fci", tiers=tiers, null_draws=0)
        # [i, j] is the mark at j: with a head j is no cause of i, with a tail it is one.
        assert not (causes.T & (found.marks == HEAD)).any()
        assert not (~causes.T & (found.marks == TAIL)).any()
        tails, heads = tails + (found.marks == TAIL).sum(), heads + (found.marks == HEAD).sum()
    assert tails > 0 and heads > 0


def test_noisy_graphs_are_sound_and_say_nothing_else(capsys):
    rng = np.random.default_rng(3)
    conflicts = 0
    for _ in range(12):
        rows = rows_of(rng, random_weights(rng, 8, 0.6), 60)
        for method in ("pc", "pc-plain", "fci"):
            found = discover(rows, method=method, alpha=0.2, null_draws=0)
            conflicts += found.info["conflicts"]
            assert isinstance(found, ValueGraph)  # which refuses contradictions
            assert method != "fci" or not found.undirected_edges
    assert conflicts > 0 and capsys.readouterr().out == ""


def test_lingam_finds_the_whole_dag_in_the_order_of_causal_learn():
    rng = np.random.default_rng(4)
    for _ in range(2):
        weights = random_weights(rng, 6)
        rows = rows_of(rng, weights, 3000, "exponential")
        found = discover(rows, method="lingam", alpha=0.001, null_draws=0)
        assert (found.adjacency == (weights != 0)).all()
        order = DirectLiNGAM().fit(rows.to_numpy()).causal_order_
        assert not np.tril(found.adjacency[np.ix_(order, order)]).any()


@pytest.mark.parametrize("method", METHODS)
def test_nothing_causes_what_is_in_an_earlier_tier(method, scores):
    early, late = list(scores)[:3], list(scores)[3:]
    found = discover(scores, method=method, alpha=0.1, tiers=[early], null_draws=0)
    assert found.info["tiers"] == (tuple(early),)
    at_late = found.among([*early, *late]).marks[:3, 3:]
    assert set(np.unique(at_late)) == {0, HEAD}


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_columns_changes_nothing(method, scores):
    options = {"method": method, "alpha": 0.1, "null_draws": 2}
    first = discover(scores, **options)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(scores.columns)
        other = discover(scores[order], **options)
        assert other == first and other.info == first.info and other.values == tuple(order)


@pytest.mark.parametrize("method", ["pc", "fci"])
def test_scores_in_any_unit_and_their_correlations_give_the_same_graph(method, scores):
    first = discover(scores, method=method, null_draws=0)
    shuffled = (100 * scores + 3).sample(frac=1, random_state=0)
    assert discover(shuffled, method=method, null_draws=0) == first
    assert discover(Correlations(scores.corr(), 200), method=method, null_draws=0) == first


def test_few_edges_are_found_where_there_are_none_and_both_nulls_say_so(scores):
    apart = pd.DataFrame(np.random.default_rng(5).permuted(scores, axis=0), columns=list(scores))
    empty = discover(apart, alpha=0.05)
    assert empty.n_edges <= 5
    of_rows = discover(scores, alpha=0.05, null_draws=100).info["null_edges"]
    of_normals = discover(Correlations(scores.corr(), 200), alpha=0.05, null_draws=100).info
    assert of_rows == pytest.approx(28 * 0.05, abs=0.5) == of_normals["null_edges"]
    assert discover(scores, seed=3).info == discover(scores, seed=3).info


def test_a_graph_carries_what_has_to_be_known(scores):
    info = discover(scores, min_spread=0.01).info
    expected = {"method": "pc", "test": "Fisher z", "alpha": 0.01, "n": 200, "null_draws": 20}
    assert expected.items() <= info.items() and {"null_sd", "conflicts", "cycles"} <= set(info)
    assert info["seed"] == 0 and info["min_spread"] == 0.01
    assert "null_edges" not in discover(scores, null_draws=0).info


def test_drawn_correlations_are_those_of_normal_rows():
    root = np.linalg.cholesky([[1, 0.6], [0.6, 1]])
    rng = np.random.default_rng(6)
    drawn = draw_correlations(root @ root.T, 30, draws=4000, rng=rng)[:, 0, 1]
    rows = root @ rng.standard_normal((4000, 2, 30))
    real = [np.corrcoef(pair)[0, 1] for pair in rows]
    assert np.quantile(drawn, [0.1, 0.5, 0.9]) == pytest.approx(
        np.quantile(real, [0.1, 0.5, 0.9]), abs=0.02
    )


def as_roles(table, *interventions):
    index = pd.MultiIndex.from_product([interventions, table.index], names=["intervention", "role"])
    return pd.concat([table] * len(interventions)).set_axis(index)


def test_a_single_intervention_may_be_named(scores):
    assert discover(as_roles(scores, "x"), null_draws=0) == discover(scores, null_draws=0)


def spoilt(table, row, entry):
    return table.assign(v01=[*table["v01"][:row], entry, *table["v01"][row + 1 :]])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s.to_numpy(), "must be a DataFrame with one row a role"),
        (lambda s: s.head(0), "must be a DataFrame with one row a role"),
        (lambda s: spoilt(s, 3, np.nan), "column v01 is missing or infinite 1 times, .* row 3"),
        (lambda s: spoilt(s, 3, np.inf), "column v01 is missing or infinite"),
        (lambda s: spoilt(s, 3, "x"), "column v01 holds (object|str)"),
        (lambda s: s.assign(v01=0.1 + 0.2), "v01 hardly vary over roles .SD 5.6e-17"),
        (lambda s: s.assign(v01=0.01 * s["v01"]), "v01 hardly vary over roles .SD .*drop these"),
        (lambda s: s.rename(columns={"v01": "v00"}), "all different, got .'v00', 'v00'"),
        (lambda s: s.rename(columns={"v01": 1}), "columns must be names"),
        (lambda s: s[["v00"]], "at least 2 values"),
        (lambda s: s.sub(s.mean(axis=1), axis=0), "are linearly dependent, as ipsatised scores"),
        (lambda s: s.head(9), "n, the number of independent rows, is 9; .* at least 10"),
        (lambda s: pd.concat([s, s.head(1)]), "give one row a role"),
        (lambda s: as_roles(s, "none", "x"), "like scores.xs.'none'.; .* are for acted_graph"),
    ],
)
def test_bad_scores_are_named(scores, spoil, message):
    with pytest.raises(ValueError, match=message):
        discover(spoil(scores))


@pytest.fixture(scope="module")
def unrelated():
    """Items of a survey, answered 1 to 6 at random."""
    table = np.random.default_rng(3).integers(1, 7, (400, 21))
    return pd.DataFrame(table, columns=names_of(21)).astype(float)


@pytest.mark.parametrize("decimals", [1, 2])
def test_what_is_nearly_dependent_is_warned_of(unrelated, decimals):
    rounded = unrelated.sub(unrelated.mean(axis=1), axis=0).round(decimals)
    assert np.linalg.eigvalsh(rounded.corr())[0] > 1e-5
    with pytest.warns(UserWarning, match=r"v20 are nearly dependent .smallest eigenvalue"):
        discover(rounded, null_draws=0)
    with pytest.warns(UserWarning, match="are nearly dependent"):
        Correlations(rounded.corr(), 400)


def test_tests_that_do_not_hold_are_told_by_their_null_and_codes_by_the_table(unrelated):
    codes = unrelated.mask(np.random.default_rng(4).random(unrelated.shape) < 0.01, 88.0)
    with pytest.warns(UserWarning) as told:
        graph = discover(codes)
    doubt, alarm = (str(warning.message) for warning in told)
    assert doubt.startswith("88 (") and "like a code of missing answers; drop or mend" in doubt
    null = graph.info["null_edges"]
    assert null > 6 and alarm.startswith(
        f"{null:.1f} edges without dependence, where 2.1 are chance"
    )


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_warned_of_where_scores_are_sound(scores, unrelated, method):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        discover(scores, method=method, null_draws=5)
        discover(unrelated.iloc[:, :8], method=method, null_draws=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "magic"}, "'magic'; known are pc, exact, pc-plain, fci, lingam"),
        ({"alpha": 1}, "alpha is 1; a number between 0 and 1"),
        ({"alpha": "low"}, "alpha is 'low'"),
        ({"min_spread": None}, "min_spread is None"),
        ({"seed": "x"}, "seed is 'x'; a whole number"),
        ({"null_draws": -1}, "null_draws is -1"),
        ({"tiers": [["age"]]}, "tiers name 'age'"),
    ],
)
def test_options_out_of_range_are_named(scores, options, message):
    with pytest.raises(ValueError, match=message):
        discover(scores, **options)


@pytest.mark.parametrize(
    ("spoil", "n", "message"),
    [
        (lambda c: c, 9, "is 9; a whole number of at least 10"),
        (lambda c: c, 10.5, "is 10.5; a whole number"),
        (lambda c: c * 2, 200, "with a diagonal of ones"),
        (lambda c: c + np.triu(0.1 * np.ones((8, 8)), 1), 200, "must be symmetric"),
        (lambda c: c.iloc[::-1], 200, "labels included"),
        (lambda c: c * 0 + 1, 200, "linearly dependent"),
    ],
)
def test_bad_correlations_are_named(scores, spoil, n, message):
    with pytest.raises(ValueError, match=message):
        Correlations(spoil(scores.corr()), n)


def test_lingam_needs_scores(scores):
    with pytest.raises(ValueError, match="'lingam' needs scores, not correlations"):
        discover(Correlations(scores.corr(), 200), method="lingam")
