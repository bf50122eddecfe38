"""Recovery of a known graph by number of roles."""

import pytest

from valuegraph.organisms.recovery import RECOVERY_METHODS, recovery_runs
from valuegraph.organisms.structures import human_structure


@pytest.fixture(scope="module")
def runs():
    model = human_structure()
    samples = ((seed, model.sample(6000, seed=seed)) for seed in (0, 1, 2))
    return recovery_runs(model.cpdag(), samples, sizes=(50, 6000), alpha=0.01)


def test_one_row_per_sample_size_and_method(runs):
    assert len(runs) == 3 * 2 * len(RECOVERY_METHODS)
    assert not runs.duplicated(["seed", "n", "method"]).any()


def test_more_roles_find_more_edges_and_exact_means_all_of_them(runs):
    recall = runs.groupby("n")["skeleton_recall"].mean()
    assert recall[50] < 0.8 and recall[6000] > 0.99
    perfect = (runs["skeleton_recall"] == 1) & (runs["skeleton_precision"] == 1)
    assert (runs["exact"] == perfect).all()


def test_too_small_a_sample_is_refused():
    model = human_structure()
    with pytest.raises(ValueError, match="seed 4 has 30 roles, size 40 needs more"):
        recovery_runs(model.cpdag(), [(4, model.sample(30, seed=0))], sizes=(20, 40), alpha=0.05)


def test_no_sample_is_refused():
    with pytest.raises(ValueError, match="no sample to search in"):
        recovery_runs(human_structure().cpdag(), [], sizes=(20,), alpha=0.05)


def test_precision_of_arrows_is_missing_exactly_where_none_is_claimed(runs):
    claimed = ~((runs["arrow_recall"] == 0) & runs["arrow_precision"].isna())
    assert runs["arrow_precision"].notna().equals(claimed)
