"""Candidates and ranks, on numbers small enough to work out by hand."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.steering.ranking import axes_of, candidates_by_activity, rank_pushes

ACTIVITY = np.array(
    [
        # always, strong but rare, half the time, never, always but weak
        [1.0, 9.0, 0.0, 0.0, 0.1],
        [1.0, 0.0, 4.0, 0.0, 0.1],
        [1.0, 0.0, 0.0, 0.0, 0.1],
        [3.0, 0.0, 2.0, 0.0, 0.1],
    ]
)


def test_candidates_are_the_most_active_of_those_that_fire_often():
    found = candidates_by_activity(ACTIVITY, n_candidates=10, min_rate=0.5)
    assert found.index.tolist() == [0, 2, 4]
    assert found["rate"].tolist() == [1.0, 0.5, 1.0]
    np.testing.assert_allclose(found["activity"], [1.5, 1.5, 0.1])
    np.testing.assert_allclose(found["typical"], [1.5, 3.0, 0.1])
    everything = candidates_by_activity(ACTIVITY, n_candidates=10, min_rate=0)
    assert everything.index.tolist() == [1, 0, 2, 4]  # what never fires has no activation
    assert candidates_by_activity(ACTIVITY, n_candidates=1, min_rate=0).index.tolist() == [1]


def test_nothing_fires_often_enough():
    with pytest.raises(ValueError, match="no feature fires on 90%.*frequent one does on 50%"):
        candidates_by_activity(ACTIVITY[:, 1:4], n_candidates=3, min_rate=0.9)


def pushed(effects, *, axes=None, spread=(1.0, 2.0)):
    effects = np.array(effects, dtype=float)
    pushes = pd.DataFrame({"feature": range(len(effects))})
    axes = np.eye(2) if axes is None else np.array(axes, dtype=float)
    return rank_pushes(pushes, effects, pd.Series(spread, ["SE", "CO"]), axes)


def test_rank_is_by_size_times_specificity():
    table = pushed([[3, 0], [3, 8], [-3, 0], [0, 2]])
    first = table[table["value"] == "SE"].set_index("feature")
    assert first["size"].tolist() == [3, 3, -3, 0]
    np.testing.assert_allclose(first["specificity"], [1, 3 / 5, -1, 0])  # 8 of CO is 4 deviations
    np.testing.assert_allclose(first["score"], [3, 9 / 5, -3, 0])
    assert first["rank"].tolist() == [1, 2, 4, 3]
    second = table[table["value"] == "CO"].set_index("feature")
    np.testing.assert_allclose(second["score"], [0, 4 * 4 / 5, 0, 1])
    assert second["rank"].tolist() == [3, 1, 4, 2]


def test_what_is_expected_to_follow_is_no_fault():
    effects = [[2, 0], [2, 4]]
    assert pushed(effects).query("value == 'SE'")["rank"].tolist() == [1, 2]
    causes = pushed(effects, axes=[[1, 2], [0, 1]])  # a push of SE moves CO twice as much
    of_cause = causes.query("value == 'SE'")
    np.testing.assert_allclose(of_cause["specificity"], [np.sqrt(0.5), 1])
    assert of_cause["rank"].tolist() == [2, 1]


def test_a_push_that_fits_but_lowers_the_value_stands_last():
    table = pushed([[-1, 6], [1, 0], [1, -6]], axes=[[1, 3], [0, 1]], spread=(1.0, 1.0))
    of_first = table.query("value == 'SE'")
    assert (of_first["specificity"] > 0).tolist() == [True, True, False]
    assert of_first["rank"].tolist()[1] == 1
    assert (of_first["score"] < 0).tolist() == [True, False, True]


def test_axes_are_put_in_order_and_checked():
    frame = pd.DataFrame([[1, 2], [3, 4]], ["CO", "SE"], ["CO", "SE"])
    assert axes_of(frame, ("SE", "CO")).tolist() == [[4, 3], [2, 1]]
    assert axes_of(None, ("SE", "CO")).tolist() == [[1, 0], [0, 1]]
    with pytest.raises(ValueError, match="no row and column for TR"):
        axes_of(frame, ("SE", "TR"))
    with pytest.raises(ValueError, match="NaN or infinite"):
        axes_of(frame.where(frame > 1), ("SE", "CO"))
