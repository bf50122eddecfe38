"""What pushes do to their target and to other values, against tables of their effects."""

import numpy as np
import pandas as pd
import pytest
from book_support import target_and_collateral
from respondents import scores_of

from valuegraph.effects import cosine, effect_matrix, effects_of


def test_target_and_collateral_are_those_of_the_effects():
    rng = np.random.default_rng(1)
    scores = scores_of({name: rng.standard_normal((9, 2)) + 1 for name in "abc"})
    wide = effect_matrix(effects_of(scores))
    alike = target_and_collateral(scores, "CO", truth={"SE": 2.0, "CO": 1.0})
    assert np.allclose(alike["target"], wide["CO"])
    assert np.allclose(alike["collateral"], wide["SE"].abs())
    assert np.allclose(alike["cosine"], [cosine(row, [2, 1]) for row in wide.to_numpy()])
    for figure in ("target", "collateral", "cosine"):
        assert (alike[f"{figure}_low"] <= alike[figure]).all()
        assert (alike[figure] <= alike[f"{figure}_high"]).all()
    # Each its own target, and with it its own truth.
    truth = pd.DataFrame([[1, 0.5], [0, 1]], ["SE", "CO"], ["SE", "CO"])
    own = target_and_collateral(scores, {"c": "SE", "a": "CO"}, truth=truth)
    assert own["intervention"].tolist() == ["c", "a"]
    assert np.allclose(own["target"], [wide.loc["c", "SE"], wide.loc["a", "CO"]])
    expected = [cosine(wide.loc["c"], [1, 0.5]), cosine(wide.loc["a"], [0, 1])]
    assert np.allclose(own["cosine"], expected)
    still = scores_of({"null": np.zeros((3, 2))})
    assert target_and_collateral(still, "SE", truth={"SE": 1, "CO": 0})["cosine"].isna().all()


@pytest.mark.parametrize(
    ("targets", "message"),
    [("XX", "no value 'XX'; values are SE, CO"), ({"poke": "SE"}, "lacks answers .* under 'poke'")],
)
def test_what_was_not_measured_is_refused(targets, message):
    with pytest.raises(ValueError, match=message):
        target_and_collateral(scores_of({"push": [(1, 0), (0, 1)]}), targets)
