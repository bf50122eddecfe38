"""Clusters of known size: shares of variance, and the number of rows that they are worth."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.paper.clustering import clustering, effective_n, effective_rows
from valuegraph.paper.pooled import PooledScores
from valuegraph.search.contexts import effective_rows as effective_within


def made(by_role, by_intervention, *, roles=60, interventions=8, values=3, seed=0):
    """Scores with known shares of variance; the rest is noise."""
    rng = np.random.default_rng(seed)
    rest = np.sqrt(1 - by_role - by_intervention)
    array = (
        np.sqrt(by_role) * rng.standard_normal((roles, 1, values))
        + np.sqrt(by_intervention) * rng.standard_normal((1, interventions, values))
        + rest * rng.standard_normal((roles, interventions, values))
    )
    names = (range(values), range(interventions), range(roles))
    return PooledScores(*(tuple(map(str, each)) for each in names), array)


def test_planted_shares_come_out():
    table = clustering(made(0.5, 0.2, roles=400, interventions=200, values=4))
    assert table["role"].mean() == pytest.approx(0.5, abs=0.03)
    assert table["intervention"].mean() == pytest.approx(0.2, abs=0.03)
    assert table["icc"].mean() == pytest.approx(0.5 / 0.8, abs=0.03)
    np.testing.assert_allclose(table[["role", "intervention", "rest"]].sum(axis=1), 1)


def test_icc_by_hand():
    # Rows of a role differ by 0 and 2 from its mean 1, 3, 5, ... in the first value, no noise.
    array = np.array([[[1.0, 0], [1, 1]], [[3, 0], [3, 0]], [[5, 1], [5, 0]]])
    table = clustering(PooledScores(("a", "b"), ("x", "y"), ("i", "j", "k"), array))
    assert table.loc["a"].tolist() == [1, 0, 0, 1]
    assert table.loc["b", "icc"] == 0


def test_independent_rows_are_worth_themselves():
    worth = [effective_n(made(0, 0, seed=seed)) for seed in range(20)]
    assert np.mean(worth) == pytest.approx(480, rel=0.05)


def test_rows_that_only_repeat_roles_are_worth_as_many_as_there_are_roles():
    rng = np.random.default_rng(1)
    array = np.repeat(rng.standard_normal((50, 1, 3)), 7, axis=1)
    pooled = PooledScores(tuple("abc"), tuple("tuvwxyz"), tuple(map(str, range(50))), array)
    np.testing.assert_allclose(effective_rows(pooled), 50)


@pytest.mark.parametrize(("by_role", "by_intervention"), [(0.6, 0.0), (0.4, 0.3)])
def test_it_is_the_variance_of_correlations_where_nothing_depends(by_role, by_intervention):
    pooled = made(by_role, by_intervention)
    rng = np.random.default_rng(2)
    drawn = [pooled.without_dependence(rng).correlation[pooled.pairs] for _ in range(4000)]
    expected = 1 / (effective_rows(pooled)[pooled.pairs] - 1)
    # The variance of 4000 draws has a standard error of about 2.2 % of itself.
    np.testing.assert_allclose(np.var(drawn, axis=0), expected, rtol=0.1)


def test_one_number_is_that_of_the_mean_variance():
    pooled = made(0.5, 0.2, values=5)
    pairs = effective_rows(pooled)[pooled.pairs]
    assert 1 / (effective_n(pooled) - 1) == pytest.approx(np.mean(1 / (pairs - 1)))
    assert pairs.min() < effective_n(pooled) < pairs.max()


def test_without_shared_interventions_it_comes_near_the_number_of_the_contexts():
    pooled = made(0.6, 0.0, roles=300)
    with_means, within = effective_rows(pooled), effective_within(pooled.array)
    np.testing.assert_allclose(with_means[pooled.pairs], within[pooled.pairs], rtol=0.05)
    shared = made(0.3, 0.4, roles=300)
    assert (effective_rows(shared) < effective_within(shared.array))[shared.pairs].all()


def test_one_role_is_refused():
    index = pd.MultiIndex.from_product([["none", "f"], ["a"]], names=["intervention", "role"])
    lone = PooledScores.from_scores(pd.DataFrame({"v": [0.0, 1.0], "w": [1.0, 0.5]}, index))
    with pytest.raises(ValueError, match="at least 2 roles and 2 interventions, got 1 and 2"):
        clustering(lone)
