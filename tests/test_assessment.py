"""Assessment: exact p-values, intervals that cover, nothing that hangs on the workers."""

import itertools

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config

from valuegraph.assessment import assess, permutation_test
from valuegraph.graphs.causal_distances import CAUSAL_DISTANCES, sid
from valuegraph.graphs.graph import ValueGraph
from valuegraph.graphs.metrics import METRICS, shd, skeleton_f1
from valuegraph.humans import load_human
from valuegraph.matrices import circle_distances, circular_fit, draw_correlations, mantel
from valuegraph.organisms.shipped import load_truth

ESS = load_human("ess11").correlation
ALL = {**METRICS, **CAUSAL_DISTANCES}


@pytest.fixture(scope="module")
def scores():
    return load_truth("organism-human").sample(150, seed=0)


@pytest.fixture(scope="module")
def truth():
    return load_truth("organism-human").cpdag()


@pytest.mark.parametrize("name", [name for name in ALL if name != "sid"])
def test_a_graph_is_closer_to_itself_than_relabelled(name, truth):
    test = permutation_test(ALL[name], truth, truth, draws=99)
    assert test.p_value <= 0.02  # a labelling may by chance turn no arrow
    assert test.value in (0, 1)
    assert test.value != test.null_mean


def test_p_values_agree_with_all_permutations():
    truth = ValueGraph.from_edges(tuple("abcd"), directed=[("a", "b"), ("c", "b"), ("b", "d")])
    guess = ValueGraph.from_edges(tuple("abcd"), directed=[("a", "b"), ("c", "d"), ("b", "d")])
    every = [
        sid(truth, ValueGraph(truth.values, guess.adjacency[np.ix_(order, order)]))
        for order in itertools.permutations(range(4))
    ]
    exact = np.mean(np.array(every) <= sid(truth, guess) + 1e-12)
    test = permutation_test(sid, truth, guess, draws=4000)
    assert test.p_value == pytest.approx(exact, abs=0.03)
    assert test.null_mean == pytest.approx(np.mean(every), abs=0.02)


def test_p_values_of_unrelated_matrices_are_uniform():
    rng = np.random.default_rng(0)
    values = tuple("abcdef")
    draws = draw_correlations(np.eye(6), 30, draws=300, rng=rng)
    p = [
        permutation_test(mantel, *(pd.DataFrame(m, values, values) for m in pair), draws=19).p_value
        for pair in zip(draws[::2], draws[1::2], strict=True)
    ]
    assert min(p) == 0.05  # 1 / 20: never zero
    assert np.mean(np.array(p) <= 0.25) == pytest.approx(0.25, abs=0.1)


def test_people_follow_the_circle_beyond_chance():
    assert permutation_test(circular_fit, circle_distances(), ESS, draws=199).p_value == 0.005


def test_nothing_hangs_on_the_number_of_workers(truth, scores):
    with parallel_config(backend="threading"):  # starting processes would take longer than the work
        one, two = (
            assess(skeleton_f1, truth, scores, draws=60, resamples=10, seed=3, n_jobs=n)
            for n in (1, 2)
        )
    assert one == two
    other = assess(skeleton_f1, truth, scores, draws=60, resamples=10, seed=4)
    assert other != one


def test_a_found_graph_is_assessed(truth, scores):
    result = assess(shd, truth, scores, draws=99, resamples=20)
    assert 0 <= result.low <= result.value <= result.high
    assert result.value < result.null_mean and result.p_value == 0.01
    assert f"shd {result.value:.3g}" in repr(result) and "p = 0.01" in repr(result)


def test_intervals_cover_the_agreement_expected_at_this_number_of_roles():
    model = load_truth("organism-human")
    n = 150
    expected = np.mean(
        [mantel(ESS, model.sample(n, seed=10_000 + seed).corr()) for seed in range(300)]
    )
    covered = 0
    for seed in range(60):
        result = assess(
            mantel, ESS, model.sample(n, seed=seed), draws=1, resamples=60, level=0.8, seed=seed
        )
        covered += result.low <= expected <= result.high
    assert 0.65 <= covered / 60 <= 0.95


def test_a_metric_of_ones_own_has_to_tell_its_direction(truth, scores):
    def rmse(a, b):
        return float(np.sqrt(((a - b) ** 2).to_numpy().mean()))

    with pytest.raises(ValueError, match="more or less of rmse is better.*larger_is_closer"):
        permutation_test(rmse, ESS, ESS)
    assert permutation_test(rmse, ESS, ESS, draws=99, larger_is_closer=False).p_value == 0.01
    found = assess(rmse, ESS, scores, draws=99, resamples=10, larger_is_closer=False)
    assert found.low < found.value < found.high


def test_options_out_of_range_are_refused(truth, scores):
    with pytest.raises(ValueError, match="at least 1 draw"):
        permutation_test(shd, truth, truth, draws=0)
    with pytest.raises(ValueError, match="at least 2 resamples, got 1"):
        assess(shd, truth, scores, resamples=1)
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        assess(shd, truth, scores, level=95)
    with pytest.raises(ValueError, match="first at row 3"):
        assess(shd, truth, scores.mask(scores["SE"] == scores.loc[3, "SE"]))
