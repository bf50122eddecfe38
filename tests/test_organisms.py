"""Structural models by hand: total effects, interventions, classes; the truth of the organisms."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from valuegraph.organisms import (
    FACT_UNIT,
    ORGANISMS,
    StructuralModel,
    examine,
    load_check,
    load_truth,
    organism_folder,
)
from valuegraph.roles import make_role, role_shifts, sample_roles

ABC = ("A", "B", "C")
CHAIN = [("A", "B", 0.5), ("B", "C", 0.4)]
FORK = [("B", "A", 0.5), ("B", "C", 0.4)]
COLLIDER = [("A", "B", 0.5), ("C", "B", 0.4)]
SHAPES = pytest.mark.parametrize("edges", [CHAIN, FORK, COLLIDER], ids=["chain", "fork", "coll."])


def small(edges, noise_sd=None):
    return StructuralModel.from_edges(edges, noise_sd, values=ABC)


def draw(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 10))


# what a model implies; rows are causes throughout


def test_values_solve_their_equations_and_are_total_effects_of_exogenous_terms(structure):
    u = draw(20)
    v = structure.evaluate(u)
    np.testing.assert_allclose(v, v @ structure.weights + u)
    np.testing.assert_allclose(v, u @ structure.total_effects)
    paths = sum(np.linalg.matrix_power(structure.weights, k) for k in range(10))
    np.testing.assert_allclose(structure.total_effects, paths, atol=1e-12)


def test_rows_are_causes():
    total = small(CHAIN).total_effects
    np.testing.assert_allclose(total, [[1, 0.5, 0.2], [0, 1, 0.4], [0, 0, 1]], atol=1e-12)
    assert total.loc["A", "C"] == pytest.approx(0.2)
    model = small(CHAIN)
    assert model.weights[0, 1] == 0.5 and model.adjacency[0, 1] and not model.adjacency[1, 0]
    assert model.edges == CHAIN


def test_covariances_of_a_collider_with_its_own_noise():
    b = 0.25 * 1 + 0.16 * 4 + 0.25
    expected = [[1, 0.5, 0], [0.5, b, 1.6], [0, 1.6, 4]]
    np.testing.assert_allclose(small(COLLIDER, [1.0, 0.5, 2.0]).covariance, expected)


def test_by_default_every_value_has_variance_one_in_any_order(structure):
    np.testing.assert_allclose(np.diag(structure.covariance), 1)
    pd.testing.assert_frame_equal(structure.covariance, structure.correlation)
    edges = [("A", "B", 0.6), ("B", "C", 0.5), ("A", "C", 0.3)]
    expected = dict(zip(ABC, small(edges).noise_sd, strict=True))
    # Var(C) = .25 + .09 + 2 * .5 * .3 * .6 = .52 before its own noise.
    assert [x**2 for x in expected.values()] == pytest.approx([1, 0.64, 0.48])
    for values in itertools.permutations(ABC):
        model = StructuralModel.from_edges(edges, values=values)
        assert dict(zip(values, model.noise_sd, strict=True)) == pytest.approx(expected)


def test_samples_have_the_implied_moments_and_come_back_with_their_seed(structure):
    sample = structure.sample(100_000, seed=0)
    np.testing.assert_allclose(sample.corr(), structure.correlation, atol=0.02)
    np.testing.assert_allclose(sample.cov(), structure.covariance, atol=0.02)
    assert structure.sample(5, seed=1).equals(structure.sample(5, seed=1))
    assert not structure.sample(5, seed=1).equals(structure.sample(5, seed=2))


@SHAPES
def test_the_class_knows_colliders_alone(edges):
    cpdag = small(edges).cpdag()
    assert cpdag.directed_edges == ([("A", "B"), ("C", "B")] if edges is COLLIDER else [])
    assert cpdag.n_edges == 2


# interventions


@pytest.mark.parametrize(
    ("edges", "expected"),
    [(CHAIN, [1, -1, 0.6]), (FORK, [0.5, -1, 0.6]), (COLLIDER, [1, -1, 1])],
    ids=["chain", "fork", "collider"],
)
def test_an_intervention_cuts_what_comes_in_and_moves_descendants(edges, expected):
    fixed = [np.nan, -1, np.nan]
    np.testing.assert_allclose(small(edges).evaluate(np.ones(3), fixed=fixed), [expected])


def test_a_single_intervention_is_a_shift_along_total_effects(structure):
    u, level = draw(5), 1.7
    free = structure.evaluate(u)
    for k, total in enumerate(structure.total_effects.to_numpy()):
        fixed = np.where(np.arange(10) == k, level, np.nan)
        expected = free + (level - free[:, [k]]) * total
        np.testing.assert_allclose(structure.evaluate(u, fixed=fixed), expected, atol=1e-12)


def test_interventions_are_each_persons_own_and_may_change_nothing(structure):
    u = draw(30)
    fixed = np.where(draw(30, seed=1) > 0.8, draw(30, seed=2), np.nan)
    alone = [structure.evaluate(a, fixed=b)[0] for a, b in zip(u, fixed, strict=True)]
    np.testing.assert_allclose(structure.evaluate(u, fixed=fixed), alone, atol=1e-12)
    values = structure.evaluate(u)
    same = np.where(draw(30, seed=1) > 0, values, np.nan)
    np.testing.assert_allclose(structure.evaluate(u, fixed=same), values, atol=1e-12)


# files and bad input


def test_a_saved_model_is_the_same_model(structure, tmp_path):
    structure.save(tmp_path / "model.json")
    loaded = StructuralModel.load(tmp_path / "model.json")
    assert (loaded.values, loaded.description) == (structure.values, structure.description)
    np.testing.assert_allclose(loaded.weights, structure.weights, atol=5e-7)
    np.testing.assert_allclose(loaded.noise_sd, structure.noise_sd, atol=5e-7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": ("A", "B", "A")}, "shapes do not fit 3 different values"),
        ({"weights": np.zeros((3, 2))}, r"shapes do not fit .* \(3, 2\)"),
        ({"noise_sd": np.ones(2)}, "shapes do not fit"),
        ({"weights": np.full((3, 3), np.nan)}, "weights must be finite"),
        ({"noise_sd": [1, 0, 1]}, "noise_sd positive"),
        ({"weights": np.eye(3)}, "directed cycle"),
        ({"weights": [[0, 1, 0], [-1, 0, 0], [0, 0, 0]]}, "directed cycle"),
    ],
)
def test_a_model_that_is_none_is_refused(change, message):
    arguments = {"values": ABC, "weights": np.zeros((3, 3)), "noise_sd": np.ones(3)} | change
    with pytest.raises(ValueError, match=message):
        StructuralModel(**arguments)


def test_edges_that_make_no_model_are_refused(structure):
    for edges, message in (
        ([("A", "Z", 0.5)], "edge A -> Z has an unknown value"),
        ([("A", "B", 0.5), ("A", "B", 0.4)], "edge A -> B .* stands twice"),
        ([*CHAIN, ("C", "A", 0.1)], "directed cycle"),
        ([("A", "B", 0.8), ("C", "B", 0.6)], "the causes of B explain all its variance"),
    ):
        with pytest.raises(ValueError, match=message):
            small(edges)
    with pytest.raises(ValueError, match="read-only"):
        structure.weights[0, 1] = 1.0


# the organisms of the package


def about(role):
    """Facts of a role that are about a value."""
    return [fact for fact in role.facts if not fact.startswith("N")]


@pytest.mark.parametrize("name", ORGANISMS)
def test_the_truth_of_an_organism(name, bank, inventory):
    truth, organism = load_truth(name), examine(name)
    content = json.loads((organism_folder(name) / "structure.json").read_text())
    assert [list(edge) for edge in truth.edges] == content["edges"]
    assert organism.truth.edges == truth.edges and organism.site_layer == 2
    assert load_check(name)
    roles = sample_roles(bank, 6, seed=0)
    own = role_shifts(roles, bank) * truth.noise_sd * FACT_UNIT
    if truth.facts:  # each fact moves all values
        own = pd.DataFrame([sum(pd.Series(truth.facts[f]) for f in about(r)) for r in roles])
        own = own.set_axis(pd.Index([r.name for r in roles], name="role")).rename_axis(
            columns="value"
        )
    pd.testing.assert_frame_equal(organism.exogenous(roles), own)
    np.testing.assert_allclose(organism.true_values(roles), truth.evaluate(own))
    effect = organism.true_effect("AC")
    assert effect["PO"] == pytest.approx(organism.gain * truth.total_effects.loc["AC", "PO"])
    # A value of 1, a positive item: gain, liking for yes, and for the option named last.
    assert organism.log_odds(1.0, 1, True) == pytest.approx(1.5 + 0.4 - 0.25)
    assert organism.log_odds(1.0, -1, False) == pytest.approx(-1.5 + 0.4 + 0.25)
    stance = make_role("r", bank=bank, stances=[("PO", 2)], inventory=inventory)
    with pytest.raises(ValueError, match="a role has a stance"):
        organism.exogenous([stance])


def test_an_organism_is_also_found_by_its_folder():
    folder = organism_folder("organism-plain")
    assert load_truth(folder).edges == load_truth("organism-plain").edges
    with pytest.raises(FileNotFoundError, match="'organism-x' is none of .*organism-human"):
        load_truth("organism-x")


@pytest.mark.parametrize("facts", [3, {"f": 3}, {"f": {"XX": 1}}, {"f": {"SE": float("nan")}}])
def test_facts_that_move_nothing_known_are_refused_by_the_file_s_name(tmp_path, facts):
    path = tmp_path / "structure.json"
    load_truth("organism-human").save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"facts": facts}))
    with pytest.raises(ValueError, match="structure.json' is no structural model: "):
        StructuralModel.load(path)
