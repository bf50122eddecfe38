"""The two structures: the human one is fitted, the alien one is rewired where documented."""

import numpy as np

from valuegraph.humans import load_human
from valuegraph.organisms.fitting import correlation_rmse
from valuegraph.organisms.structures import (
    ALIEN_MIN_WEIGHT,
    ALIEN_MOVES,
    MIN_WEIGHT,
    alien_structure,
    human_structure,
)


def test_alien_structure_is_the_human_one_rewired_in_the_documented_places():
    human = {(a, b) for a, b, _ in human_structure().edges}
    alien = {(a, b) for a, b, _ in alien_structure().edges}
    assert human - alien == set(ALIEN_MOVES)
    assert alien - human == {(a, b) for a, b, _ in ALIEN_MOVES.values()}
    assert np.allclose(np.diag(alien_structure().covariance), 1, atol=1e-4)


def test_human_structure_is_nearer_to_the_pooled_correlations_than_countries_are():
    """Countries lie .039 to .144 from the pool; the fit is as near as the nearer ones."""
    model, human = human_structure(), load_human("ess11").correlation
    assert correlation_rmse(model.correlation, human) < 0.06
    assert min(abs(w) for _, _, w in model.edges) >= MIN_WEIGHT - 1e-6


def test_alien_structure_is_far_from_people_and_has_no_faint_effects():
    model, human = alien_structure(), load_human("ess11").correlation
    assert correlation_rmse(model.correlation, human) > 0.15
    assert min(abs(w) for _, _, w in model.edges) >= ALIEN_MIN_WEIGHT
