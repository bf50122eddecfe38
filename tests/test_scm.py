"""Structural models: total effects, interventions and equivalence classes worked out by hand."""

import itertools
import json

import numpy as np
import pytest

from valuegraph.graphs.graph import cpdag_of
from valuegraph.organisms.scm import StructuralModel
from valuegraph.organisms.variances import topological_order, unit_variance_noise

ABC = ("A", "B", "C")
CHAIN = [("A", "B", 0.5), ("B", "C", 0.4)]
FORK = [("B", "A", 0.5), ("B", "C", 0.4)]
COLLIDER = [("A", "B", 0.5), ("C", "B", 0.4)]


def small(edges, noise_sd=None) -> StructuralModel:
    return StructuralModel.from_edges(edges, noise_sd, values=ABC)


def draw(n, d=10, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


# ------------------------------------------------------------------------------------ total effects


def test_values_are_total_effects_of_the_exogenous_terms(structure):
    u = draw(20)
    np.testing.assert_allclose(structure.evaluate(u), u @ structure.total_effects.T)


def test_values_solve_their_own_equations(structure):
    u = draw(20)
    v = structure.evaluate(u)
    np.testing.assert_allclose(v, v @ structure.weights.T + u)


def test_total_effects_are_sums_over_paths(structure):
    paths = sum(np.linalg.matrix_power(structure.weights, k) for k in range(10))
    np.testing.assert_allclose(structure.total_effects, paths, atol=1e-12)


def test_total_effects_of_a_chain():
    np.testing.assert_allclose(
        small(CHAIN).total_effects, [[1, 0, 0], [0.5, 1, 0], [0.2, 0.4, 1]], atol=1e-12
    )


# ------------------------------------------------------------------------------------ interventions


@pytest.mark.parametrize(
    ("edges", "expected"),
    [(CHAIN, [0, 2, 0.8]), (FORK, [1, 2, 0.8]), (COLLIDER, [0, 2, 0])],
    ids=["chain", "fork", "collider"],
)
def test_do_moves_descendants_and_nothing_else(edges, expected):
    np.testing.assert_allclose(small(edges).do({"B": 2.0}), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        (CHAIN, [1, -1, 1 + 0.4 * -1]),
        (FORK, [1 + 0.5 * -1, -1, 1 + 0.4 * -1]),
        (COLLIDER, [1, -1, 1]),
    ],
    ids=["chain", "fork", "collider"],
)
def test_do_cuts_what_comes_in(edges, expected):
    fixed = [np.nan, -1, np.nan]
    np.testing.assert_allclose(small(edges).evaluate(np.ones(3), fixed=fixed), [expected])


def test_a_single_do_is_a_shift_along_its_total_effects(structure):
    u, c = draw(5), 1.7
    total = structure.total_effects
    free = structure.evaluate(u)
    for k in range(10):
        fixed = np.full(10, np.nan)
        fixed[k] = c
        expected = free + (c - free[:, [k]]) * total[:, k]
        np.testing.assert_allclose(structure.evaluate(u, fixed=fixed), expected, atol=1e-12)


def test_doing_what_is_the_case_anyway_changes_nothing(structure):
    u = draw(8)
    values = structure.evaluate(u)
    fixed = np.where(draw(8, seed=1) > 0, values, np.nan)
    np.testing.assert_allclose(structure.evaluate(u, fixed=fixed), values, atol=1e-12)


def test_without_interventions_fixed_may_be_all_nan_or_absent(structure):
    u = draw(4)
    fixed = np.full((4, 10), np.nan)
    np.testing.assert_allclose(structure.evaluate(u, fixed=fixed), structure.evaluate(u))


def test_each_person_has_interventions_of_their_own(structure):
    u = draw(30)
    fixed = np.where(draw(30, seed=1) > 0.8, draw(30, seed=2), np.nan)
    alone = [structure.evaluate(a, fixed=b)[0] for a, b in zip(u, fixed, strict=True)]
    np.testing.assert_allclose(structure.evaluate(u, fixed=fixed), alone, atol=1e-12)


def test_do_is_evaluation_at_zero(structure):
    fixed = np.full(10, np.nan)
    fixed[[structure.index("CO"), structure.index("BE")]] = 1.0, -2.0
    expected = structure.evaluate(np.zeros(10), fixed=fixed)[0]
    np.testing.assert_allclose(structure.do({"CO": 1.0, "BE": -2.0}), expected)
    np.testing.assert_array_equal(structure.do({}), np.zeros(10))


# ---------------------------------------------------------------------------------- what it implies


def test_samples_have_the_implied_moments(structure):
    sample = structure.sample(200_000, seed=0)
    assert tuple(sample.columns) == structure.values
    np.testing.assert_allclose(np.cov(sample.T), structure.covariance, atol=0.015)
    np.testing.assert_allclose(sample.corr(), structure.correlation, atol=0.015)
    np.testing.assert_allclose(sample.mean(), 0, atol=0.015)


def test_a_seed_names_a_sample(structure):
    assert structure.sample(5, seed=1).equals(structure.sample(5, seed=1))
    assert not structure.sample(5, seed=1).equals(structure.sample(5, seed=2))


def test_covariance_of_a_collider_with_its_own_noise():
    covariance = small(COLLIDER, [1.0, 0.5, 2.0]).covariance
    b = 0.25 * 1 + 0.16 * 4 + 0.25
    np.testing.assert_allclose(covariance, [[1, 0.5, 0], [0.5, b, 1.6], [0, 1.6, 4]])


def test_by_default_every_value_has_variance_one(structure):
    np.testing.assert_allclose(np.diag(structure.covariance), 1)
    np.testing.assert_allclose(structure.covariance, structure.correlation)


def test_edges_point_from_parent_to_child(structure):
    adjacency = structure.adjacency
    assert adjacency[structure.index("SE"), structure.index("CO")]
    assert not adjacency[structure.index("CO"), structure.index("SE")]
    assert ("BE", "PO", -0.4) in structure.edges
    again = StructuralModel.from_edges(structure.edges)
    np.testing.assert_array_equal(again.weights, structure.weights)


@pytest.mark.parametrize(
    ("edges", "directed"),
    [(CHAIN, []), (FORK, []), (COLLIDER, [("A", "B"), ("C", "B")])],
    ids=["chain", "fork", "collider"],
)
def test_the_equivalence_class_knows_colliders_alone(edges, directed):
    cpdag = small(edges).cpdag()
    assert cpdag.directed_edges == directed
    assert len(cpdag.undirected_edges) == 2 - len(directed)


def test_the_equivalence_class_is_that_of_the_adjacency(structure):
    assert structure.cpdag() == cpdag_of(structure.adjacency, structure.values)


def test_parents_come_first_and_then_the_smallest_index():
    weights = np.zeros((4, 4))
    weights[0, 3] = weights[1, 0] = 1.0  # 3 -> 0 -> 1, and 2 alone
    assert topological_order(weights) == [2, 3, 0, 1]


def test_every_order_of_the_values_gives_the_same_noise():
    edges = {("A", "B"): 0.6, ("B", "C"): 0.5, ("A", "C"): 0.3}
    expected = dict(zip(ABC, small([(*e, w) for e, w in edges.items()]).noise_sd, strict=True))
    for values in itertools.permutations(ABC):
        model = StructuralModel.from_edges([(*e, w) for e, w in edges.items()], values=values)
        assert dict(zip(values, model.noise_sd, strict=True)) == pytest.approx(expected)


# ------------------------------------------------------------------------------------ save and load


def test_a_saved_model_is_the_same_model(structure, tmp_path):
    structure.save(tmp_path / "scm.json")
    loaded = StructuralModel.load(str(tmp_path / "scm.json"))
    assert loaded.values == structure.values
    assert loaded.description == structure.description
    np.testing.assert_allclose(loaded.weights, structure.weights, atol=5e-7)
    np.testing.assert_allclose(loaded.noise_sd, structure.noise_sd, atol=5e-7)
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "scm.json").read_bytes()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no structural model at .*nowhere\.json"):
        StructuralModel.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["edges"].append(["A", "Z", 0.1]), r"edge A -> Z names unknown values \['Z'\]"),
        (lambda c: c["edges"].append(["C", "A", 0.1]), "directed cycle"),
        (lambda c: c["noise_sd"].pop("B"), "values A, B, C, but has noise_sd of A, C"),
        (lambda c: c["noise_sd"].update(Z=1.0), "has noise_sd of A, B, C, Z"),
        (lambda c: c["noise_sd"].update(B=0.0), "noise_sd must be positive"),
    ],
)
def test_a_file_that_is_not_in_order_is_refused(tmp_path, change, message):
    path = tmp_path / "scm.json"
    small(CHAIN).save(path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        StructuralModel.load(path)


# ---------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": ("A", "B", "A")}, "values must be distinct"),
        ({"values": ("A", "B")}, r"2 values need weights of shape \(2, 2\)"),
        ({"weights": np.zeros((3, 2))}, r"got \(3, 2\) and \(3,\)"),
        ({"noise_sd": np.ones(2)}, r"got \(3, 3\) and \(2,\)"),
        ({"weights": np.full((3, 3), np.nan)}, "weights hold NaN"),
        ({"noise_sd": [1, 0, 1]}, r"noise_sd must be positive and finite, got \[1\.0, 0\.0"),
        ({"noise_sd": [1, -1, 1]}, "noise_sd must be positive"),
        ({"noise_sd": [1, np.nan, 1]}, "noise_sd must be positive"),
        ({"weights": np.eye(3)}, "directed cycle"),
        ({"weights": np.roll(np.eye(3), 1, axis=0)}, "directed cycle"),
        ({"weights": [[0, 1, 0], [-1, 0, 0], [0, 0, 0]]}, "directed cycle"),
    ],
)
def test_a_model_that_is_none_is_refused(change, message):
    arguments = {"values": ABC, "weights": np.zeros((3, 3)), "noise_sd": np.ones(3)} | change
    with pytest.raises(ValueError, match=message):
        StructuralModel(**arguments)


def test_edges_that_make_no_model_are_refused():
    with pytest.raises(ValueError, match=r"edge A -> Z names unknown values \['Z'\]"):
        small([("A", "Z", 0.5)])
    with pytest.raises(ValueError, match="edge A -> B is given twice"):
        small([("A", "B", 0.5), ("A", "B", 0.4)])
    with pytest.raises(ValueError, match="directed cycle"):
        small([*CHAIN, ("C", "A", 0.1)])
    with pytest.raises(ValueError, match=r"parents of B explain 1\.00 of its variance"):
        small([("A", "B", 0.8), ("C", "B", 0.6)])


def test_noise_for_variance_one_takes_covariances_of_parents_into_account():
    weights = np.array([[0, 0, 0], [0.6, 0, 0], [0.5, 0.5, 0]])
    # Var(C) = .25 + .25 + 2 * .25 * .6 = .8 before its own noise.
    np.testing.assert_allclose(unit_variance_noise(weights, ABC) ** 2, [1, 0.64, 0.2])


def test_an_unknown_value_is_refused_with_the_known_ones(structure):
    for ask in (structure.index, lambda value: structure.do({value: 1.0})):
        with pytest.raises(ValueError, match="unknown value 'XX'; this model has SE, CO"):
            ask("XX")


def test_exogenous_terms_of_another_number_are_refused(structure):
    with pytest.raises(ValueError, match="exogenous has 3 columns, the model has 10 values"):
        structure.evaluate(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="shape"):
        structure.evaluate(np.zeros((2, 10)), fixed=np.zeros((3, 10)))
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        structure.sample(0, seed=0)


def test_a_model_cannot_be_changed(structure):
    with pytest.raises(ValueError, match="read-only"):
        structure.weights[0, 1] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        structure.noise_sd[0] = 2.0
