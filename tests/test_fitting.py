"""A known structure is recovered from its correlations; the human one is as strong as it claims."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.graphs.graph import cpdag_of
from valuegraph.humans import load_human
from valuegraph.organisms.fitting import (
    consistent_extension,
    correlation_rmse,
    fit_structural_model,
)
from valuegraph.organisms.scm import StructuralModel


def random_dag(d, *, p, rng) -> np.ndarray:
    """Edges [parent, child] along a random order of the values."""
    order = rng.permutation(d)
    edges = np.triu(rng.random((d, d)) < p, 1)
    return edges[np.ix_(order, order)]


# ----------------------------------------------------------------------------- from classes to DAGs


@pytest.mark.parametrize("seed", range(30))
def test_an_extension_is_a_member_of_its_class(seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 11))
    names = [f"v{i}" for i in range(d)]
    pattern = cpdag_of(random_dag(d, p=rng.uniform(0.1, 0.8), rng=rng), names)
    dag = consistent_extension(pattern.adjacency)
    assert not (dag & dag.T).any()
    np.testing.assert_array_equal(dag | dag.T, pattern.skeleton)
    # cpdag_of refuses cycles; two DAGs have one class if they share skeleton and colliders.
    assert cpdag_of(dag, names) == pattern


def test_an_extension_leaves_the_pattern_as_it_is():
    pattern = np.array([[False, True], [True, False]])
    consistent_extension(pattern)
    assert pattern.sum() == 2


def test_a_pattern_without_extension_is_refused():
    ring = np.zeros((4, 4), dtype=bool)
    for i in range(4):
        ring[i, (i + 1) % 4] = ring[(i + 1) % 4, i] = True
    with pytest.raises(ValueError, match="no consistent extension"):
        consistent_extension(ring)


# ------------------------------------------------------------------------------------------ fitting


@pytest.mark.parametrize(
    "edges",
    [
        [("A", "C", 0.5), ("B", "C", 0.5), ("C", "D", 0.5), ("B", "E", -0.4)],
        [("A", "B", 0.4), ("B", "C", -0.5), ("C", "D", 0.3), ("D", "E", 0.6)],
        [("A", "B", 0.4), ("A", "C", 0.5), ("B", "D", 0.4), ("C", "D", 0.4), ("D", "E", -0.5)],
    ],
)
def test_a_known_structure_is_recovered_from_its_correlations(edges):
    truth = StructuralModel.from_edges(edges, values=tuple("ABCDE"))
    fitted = fit_structural_model(truth.correlation, n=20_000, min_weight=0.05)
    assert fitted.cpdag() == truth.cpdag()
    np.testing.assert_allclose(fitted.correlation, truth.correlation, atol=1e-3)
    np.testing.assert_allclose(np.diag(fitted.covariance), 1)


def test_weak_weights_are_raised_and_the_others_make_up_for_it():
    truth = StructuralModel.from_edges([("A", "B", 0.1), ("B", "C", -0.6)], values=tuple("ABC"))
    fitted = fit_structural_model(truth.correlation, n=5000, min_weight=0.25, description="raised")
    strengths = sorted(abs(weight) for *_, weight in fitted.edges)
    # With a at .25, the best b minimises (b - .6)^2 + (.25 b - .1 * .6)^2.
    np.testing.assert_allclose(strengths, [0.25, (0.6 + 0.25 * 0.06) / (1 + 0.25**2)], atol=1e-4)
    np.testing.assert_allclose(np.diag(fitted.covariance), 1)
    assert fitted.description == "raised"


def test_a_smaller_nominal_sample_keeps_fewer_edges():
    truth = StructuralModel.from_edges([("A", "B", 0.1), ("B", "C", -0.6)], values=tuple("ABC"))
    fitted = fit_structural_model(truth.correlation, n=100, min_weight=0.05)
    assert [{a, b} for a, b, _ in fitted.edges] == [{"B", "C"}]


def test_independent_values_have_no_edges():
    names = list("ABC")
    fitted = fit_structural_model(pd.DataFrame(np.eye(3), names, names), n=400, min_weight=0.1)
    assert fitted.edges == []
    np.testing.assert_array_equal(fitted.noise_sd, np.ones(3))


def test_the_human_structure_is_as_near_to_people_as_the_specification_says():
    human = load_human("ess11").correlation
    fitted = fit_structural_model(human, n=400, min_weight=0.12)
    assert len(fitted.edges) == 19
    assert correlation_rmse(fitted.correlation, human) < 0.047
    assert min(abs(weight) for *_, weight in fitted.edges) >= 0.12
    np.testing.assert_allclose(np.diag(fitted.covariance), 1)


def test_distance_of_correlations_counts_each_pair_once_whatever_the_order():
    a = pd.DataFrame([[1, 0.3, 0.1], [0.3, 1, 0], [0.1, 0, 1]], list("ABC"), list("ABC"))
    b = pd.DataFrame(np.eye(3), list("ABC"), list("ABC"))
    assert correlation_rmse(a, b) == pytest.approx(np.sqrt((0.09 + 0.01) / 3))
    assert correlation_rmse(a, a.loc[list("CAB"), list("CAB")]) == 0


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (np.nan, "column A: 1 of 3 entries are missing"),
        (0.9, "symmetric"),
        (np.inf, "is infinite"),
    ],
)
def test_correlations_that_are_none_are_refused(entry, message):
    table = pd.DataFrame(np.eye(3), list("ABC"), list("ABC"))
    table.loc["B", "A"] = entry
    with pytest.raises(ValueError, match=message):
        fit_structural_model(table, n=400, min_weight=0.1)


def test_a_sample_or_a_weight_that_makes_no_sense_is_refused():
    table = pd.DataFrame(np.eye(3), list("ABC"), list("ABC"))
    with pytest.raises(ValueError, match="n must be larger than the number of values, 3; got 3"):
        fit_structural_model(table, n=3, min_weight=0.1)
    with pytest.raises(ValueError, match=r"min_weight must lie in \[0, 0\.9\), got 0\.95"):
        fit_structural_model(table, n=400, min_weight=0.95)
