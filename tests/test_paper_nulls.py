"""The null of the paper's search on rows of which it is known what there is to find."""

import numpy as np
import pytest

from valuegraph.paper.clustering import effective_rows
from valuegraph.paper.nulls import EdgesAgainstNull, edges_against_null
from valuegraph.paper.pooled import PooledScores
from valuegraph.simulation import random_model


def pooled_of(*, effects, between, seed=0, shift=0.0):
    rng = np.random.default_rng(seed)
    model = random_model(10, rng, degree=4, low=0.4)
    model = model if effects else model.without_effects()
    scores = model.scores(80, rng, interventions=8, between=between, shift=shift)
    return PooledScores.from_scores(scores)


def test_clusters_alone_make_edges_and_the_null_knows_it():
    found = [pooled_of(effects=False, between=0.7, seed=seed) for seed in range(8)]
    results = [edges_against_null(each, draws=99, seed=1) for each in found]
    assert np.mean([each.found for each in results]) > 10  # of 45 pairs, at level .05
    assert np.mean([each.mean for each in results]) == pytest.approx(
        np.mean([each.found for each in results]), rel=0.15
    )
    assert np.mean([each.p_value for each in results]) > 0.2


def test_rows_dealt_one_by_one_give_what_the_level_promises():
    pooled = pooled_of(effects=False, between=0.7)
    plain = edges_against_null(pooled, null="rows", draws=200)
    assert 0.5 < plain.mean / (0.05 * 45) < 1.2


def test_an_effective_number_of_rows_keeps_the_level():
    pooled = pooled_of(effects=False, between=0.7)
    honest = edges_against_null(pooled, n=effective_rows(pooled), draws=200)
    assert 0.5 < honest.mean / (0.05 * 45) < 1.3


def test_a_graph_stands_out_of_its_null():
    honest = edges_against_null(pooled_of(effects=True, between=0.3, seed=1), draws=99)
    assert honest.found > honest.mean + 3 * honest.sd
    assert honest.p_value == 0.01


def test_interventions_in_step_are_a_cause_that_one_null_keeps():
    pooled = pooled_of(effects=False, between=0.2)
    moved = pooled.array.copy()
    moved[:, 1:, :] += np.linspace(-1.5, 1.5, 8)[None, :, None]  # each moves all values alike
    pooled = PooledScores(pooled.values, pooled.interventions, pooled.roles, moved)
    apart = edges_against_null(pooled, null="clusters", draws=60)
    in_step = edges_against_null(pooled, null="in step", draws=60)
    assert apart.found > apart.mean + apart.sd
    assert abs(in_step.found - in_step.mean) < 3 * in_step.sd


def test_the_same_seed_gives_the_same_draws():
    pooled = pooled_of(effects=True, between=0.5)
    one, two, other = (edges_against_null(pooled, draws=30, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.null, two.null)
    assert (one.null != other.null).any()


def test_p_value_by_hand():
    edges = EdgesAgainstNull(5, np.array([3, 5, 6, 2]))
    assert edges.p_value == 3 / 5
    assert repr(edges) == "<5 edges; null 4.0 ± 1.6 in 4 draws, p = 0.6>"


def test_no_draw_is_refused():
    with pytest.raises(ValueError, match="at least one draw, got 0"):
        edges_against_null(pooled_of(effects=False, between=0.5), draws=0)
