"""Pooled interventions: calibrated under the null, and help with directions."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.confidence import bootstrap
from valuegraph.contexts import effective_rows, pooled_rows
from valuegraph.discovery import discover


def pooled(seed=0, weights=None, roles=80, interventions=4, d=5, between=0.6, shift=0.8):
    """Scores of a linear model; intervention k moves value k, and `between` stays with a role."""
    rng = np.random.default_rng(seed)
    if weights is None:
        weights = np.triu(0.5 * (rng.random((d, d)) < 0.5), 1)
    d = len(weights)
    own = np.sqrt(between) * rng.standard_normal((roles, d))
    frames = {}
    for k in range(interventions + 1):
        noise = own + np.sqrt(1 - between) * rng.standard_normal((roles, d))
        if k:
            noise[:, (k - 1) % d] += shift
        rows = noise @ np.linalg.inv(np.eye(d) - weights)
        names = [f"v{i:02d}" for i in range(d)]
        index = [f"role {i}" for i in range(roles)]
        frames[f"f{k}" if k else "none"] = pd.DataFrame(rows, index, names)
    return pd.concat(frames, names=["intervention", "role"])


def test_equally_correlated_rows_give_the_textbook_design_effect():
    rng = np.random.default_rng(0)
    roles, m = 20_000, 5
    for r in (0.5, 0):
        rows = np.sqrt(r) * rng.standard_normal((roles, 1, 2))
        rows = rows + np.sqrt(1 - r) * rng.standard_normal((roles, m, 2))
        expected = (roles * m - (m - 1)) / (1 + (m - 1) * r * r)
        assert effective_rows(rows)[0, 1] == pytest.approx(expected, rel=0.03)


def test_false_edges_stay_near_alpha_where_naive_rows_give_many():
    honest, naive, reached = [], [], []
    for seed in range(40):
        scores = pooled(seed, np.zeros((8, 8)), 60, interventions=8, between=0.7, shift=0)
        graph = discover(scores, contexts=True, alpha=0.05, null_draws=0)
        honest.append(graph.among(list(scores)).n_edges / 28)
        reached.append(graph.info["context_edges"] / 64)
        naive.append(discover(scores.reset_index(drop=True), alpha=0.05, null_draws=0).n_edges / 28)
    assert np.mean(honest) < 0.075 and np.mean(reached) < 0.075 and np.mean(naive) > 0.2


def test_interventions_are_causes_only_and_are_not_joined():
    scores = pooled(shift=1.5)
    graph = discover(scores, contexts=True, null_draws=5)
    contexts = ("do(f1)", "do(f2)", "do(f3)", "do(f4)")
    assert graph.values == (*scores.columns, *contexts) and graph.info["contexts"] == contexts
    assert graph.info["context_edges"] > 0
    assert not any(effect in contexts for _, effect in graph.directed_edges)
    assert not any(a in contexts for edge in graph.undirected_edges for a in edge)
    assert graph.info["n_effective"] < graph.info["n"] == 400
    assert "effective n = " in graph.caption and "null" in graph.caption


def test_an_intervention_tells_the_direction_of_an_edge():
    # a -> b alone: no correlation can direct it, an intervention on either value can.
    for seed in range(6):
        weights = np.array([[0, 0.8], [0, 0]])
        scores = pooled(seed, weights, roles=400, interventions=1 + seed % 2, between=0.3, shift=1)
        assert ("v00", "v01") in discover(scores, contexts=True, null_draws=0).directed_edges


def test_order_of_columns_and_rows_changes_nothing():
    scores = pooled()
    first = discover(scores, contexts=True, null_draws=3)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(scores.columns)
        shuffled = scores[order].sample(frac=1, random_state=1)
        other = discover(shuffled, contexts=True, null_draws=3)
        assert other == first and other.info == first.info
    counts = {"n_resamples": 60, "null_draws": 2, "null_resamples": 10}
    options = {"method": "pc", "contexts": True, **counts}
    one = bootstrap(scores, **options)
    two = bootstrap(scores.sample(frac=1, random_state=2), **options)
    assert (one.directions == two.directions).all() and (one.null == two.null).all()
    assert one.null[:, 5:].sum() == 0 and "null" in one.graph().caption


def test_rows_stand_by_role_with_no_intervention_first():
    scores = pooled().sample(frac=1, random_state=0)
    rows, n, facts = pooled_rows(scores)
    assert rows.shape == (80, 5, 5) and n.shape == (5, 5) and facts["roles"] == 80
    roles = sorted(set(scores.index.get_level_values("role")))
    assert (rows[:, 0] == scores.xs("none").loc[roles].to_numpy()).all()
    assert (rows[:, 3] == scores.xs("f3").loc[roles].to_numpy()).all()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s.reset_index(drop=True), "levels 'intervention' and 'role'"),
        (lambda s: s.drop("none", level="intervention"), "contexts need every role without"),
        (lambda s: s.xs("none", drop_level=False), "no row for any intervention"),
        (lambda s: s.iloc[:-1], "no row for .'f4', 'role 79'"),
        (lambda s: pd.concat([s, s.head(1)]), "'none', 'role 0'. has more than one row"),
        (lambda s: s.assign(v00=1.0), "v00 hardly vary"),
        (lambda s: s.assign(v00=2 * s["v01"]), "v00, v01 are linearly dependent"),
        (lambda s: s.rename(columns={"v00": "do(f1)"}), "the name of an intervention"),
        (lambda s: s[s.index.get_level_values("role") < "role 12"], "is [0-9]+; a whole number"),
    ],
)
def test_scores_that_cannot_be_pooled_are_named(spoil, message):
    with pytest.raises(ValueError, match=message):
        discover(spoil(pooled()), contexts=True)
