"""Directions from states and scores: what they hold is known where the states are made by hand."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.asking.states import place_norms, site_states
from valuegraph.interventions import Shift
from valuegraph.roles import sample_roles
from valuegraph.steering.directions import (
    difference_of_means,
    direction_shift,
    mean_norm,
    random_directions,
    regression_directions,
    relative_dose,
    shift_dose,
    with_norm,
)
from valuegraph.steering.effects import cosine

WIDTH, N = 12, 4000


@pytest.fixture(scope="module")
def made(structure):
    """States that hold every exogenous term along an axis of its own, and the exact scores."""
    rng = np.random.default_rng(0)
    u = rng.standard_normal((N, len(structure.values))) * structure.noise_sd
    axes = np.linalg.qr(rng.standard_normal((WIDTH, u.shape[1])))[0].T
    scores = pd.DataFrame(u @ structure.total_effects.T, columns=list(structure.values))
    return u @ axes + 5, scores, axes


def test_difference_of_means_by_hand():
    states = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 3.0], [7.0, 9.0]])
    scores = pd.DataFrame({"SE": [3.0, 1.0, 4.0, 2.0]})
    assert difference_of_means(states, scores, "SE").tolist() == [2.0 - 4.5, 2.0 - 5.0]
    assert difference_of_means(states, scores, "SE", share=0.25).tolist() == [2.0, 2.0]
    assert difference_of_means(states, scores, "SE", share=0.49).tolist() == [2.0, 2.0]


def test_a_push_along_it_moves_values_along_their_covariances(made, structure):
    """What the docstring says of linear systems: cov(v) e_v, not T e_v."""
    states, scores, axes = made
    total = structure.total_effects
    covariance = scores.cov().to_numpy()
    for k, value in enumerate(structure.values):
        moved = total @ (axes @ difference_of_means(states, scores, value))
        assert cosine(moved, covariance[:, k]) > 0.995
    downstream = structure.index("TR")
    moved = total @ (axes @ difference_of_means(states, scores, "TR"))
    assert cosine(moved, total[:, downstream]) < 0.95


def test_a_push_along_a_regression_moves_one_value_alone(made, structure):
    states, scores, axes = made
    directions = regression_directions(states, scores)
    moved = directions.to_numpy() @ axes.T @ structure.total_effects.T
    np.testing.assert_allclose(moved, np.eye(len(moved)), atol=1e-8)
    assert list(directions.index) == list(structure.values)


def test_directions_need_states_and_scores_of_the_same_roles(made):
    states, scores, _ = made
    with pytest.raises(ValueError, match="states of 10 roles and scores of 9"):
        difference_of_means(states[:10], scores[:9], "SE")
    with pytest.raises(ValueError, match="states of 10 roles and scores of 9"):
        regression_directions(states[:10], scores[:9])
    with pytest.raises(ValueError, match="unknown value 'XX'; scores hold SE, CO"):
        difference_of_means(states, scores, "XX")
    for share in (0, 0.6):
        with pytest.raises(ValueError, match=f"share must lie between 0 and 0.5, got {share}"):
            difference_of_means(states, scores, "SE", share=share)
    with pytest.raises(ValueError, match="a share of 0.1 of 9 roles is none"):
        difference_of_means(states[:9], scores[:9], "SE", share=0.1)
    with pytest.raises(ValueError, match="all roles score 1 on SE"):
        difference_of_means(states, 0 * scores + 1, "SE")
    for use in (
        lambda s: difference_of_means(states, s, "SE"),
        lambda s: regression_directions(states, s),
    ):
        with pytest.raises(ValueError, match="missing for some roles"):
            use(scores.mask(scores > 2.5))
    with pytest.raises(ValueError, match="11 roles cannot tell 10 values apart"):
        regression_directions(states[:11], scores[:11])
    with pytest.raises(ValueError, match="centred scores sum to zero"):
        regression_directions(states, scores.sub(scores.mean(axis=1), axis=0))
    with pytest.raises(ValueError, match=r"finite matrix \(n, width\), got shape \(12,\)"):
        difference_of_means(states[0], scores, "SE")


def test_random_directions_are_as_long_and_go_everywhere():
    like = np.arange(300.0)
    drawn = random_directions(like, 40, seed=1)
    assert drawn.shape == (40, 300)
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), np.linalg.norm(like))
    assert abs(np.corrcoef(drawn) - np.eye(40)).max() < 0.3
    assert np.array_equal(drawn, random_directions(like, 40, seed=1))
    assert not np.array_equal(drawn, random_directions(like, 40, seed=2))
    with pytest.raises(ValueError, match="n is 0"):
        random_directions(like, 0, seed=1)


def test_dose_is_told_relative_to_the_states():
    states = np.array([[3.0, 4.0], [0.0, 1.0]])
    assert mean_norm(states) == 3.0
    assert relative_dose(np.array([0.0, 1.5]), states) == 0.5
    assert relative_dose(with_norm(np.array([2.0, 1.0]), 6), states) == pytest.approx(2)
    with pytest.raises(ValueError, match=r"shape \(3,\), but the states have width 2"):
        relative_dose(np.ones(3), states)
    with pytest.raises(ValueError, match="no length to stretch"):
        with_norm(np.zeros(2), 1)


def test_dose_of_a_shift_is_measured_where_it_acts(organism, bank):
    roles = [None, *sample_roles(bank, 2, seed=1)]
    at_end = Shift("a", 1, np.ones(organism.width))
    states = site_states(organism, roles, layer=1)
    assert shift_dose(organism, roles, at_end) == pytest.approx(
        relative_dose(at_end.vector, states)
    )
    everywhere = Shift("b", 1, np.ones(organism.width), "prompt")
    norms = place_norms(organism, roles, layer=1, where="prompt")
    wanted = np.sqrt(organism.width) / norms.mean()
    assert shift_dose(organism, roles, everywhere) == pytest.approx(wanted)
    with pytest.raises(ValueError, match="'c' has 3 coordinates, but the residual stream of"):
        shift_dose(organism, roles, Shift("c", 1, np.ones(3)))


def test_shift_of_a_direction_tells_what_it_was_made_of():
    shift = direction_shift(np.array([1.0, 2.0]), "mean AC", layer=3, coefficient=-2, where="site")
    assert shift.vector.tolist() == [-2.0, -4.0]
    assert (shift.layer, shift.where) == (3, "site")
    assert shift.name == "mean AC x -2, layer 3, site"
    assert shift.origin == {
        "direction": "mean AC",
        "coefficient": -2.0,
        "layer": 3,
        "where": "site",
    }
