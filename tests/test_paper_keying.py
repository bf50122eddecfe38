"""Keys of the questions, and a liking for yes where it was planted and where it was not."""

import os

import numpy as np
import pandas as pd
import pytest

from valuegraph import datasets
from valuegraph.paper.keying import positive_share, yes_saying
from valuegraph.paper.recorded import choices

VALUES = [f"v{i}" for i in range(10)]


def scores(liking, rng):
    table = pd.DataFrame(rng.normal(size=(300, 10)), columns=VALUES)
    table[VALUES[:4]] += liking * rng.normal(size=(300, 1))
    return table


def test_a_planted_liking_for_yes_is_found():
    found = yes_saying(scores(1.0, np.random.default_rng(0)), VALUES[:4])
    assert found.one_sided == pytest.approx(0.5, abs=0.1)
    assert abs(found.others) < 0.05
    assert found.p_value < 0.01


def test_without_one_p_values_are_flat():
    rng = np.random.default_rng(1)
    found = [yes_saying(scores(0.0, rng), VALUES[:4], draws=99).p_value for _ in range(60)]
    assert 0.35 < np.mean(found) < 0.65


@pytest.mark.parametrize("one_sided", [VALUES[:1], VALUES])
def test_too_few_values_on_a_side_are_refused(one_sided):
    with pytest.raises(ValueError, match="at least two of the values, and not all"):
        yes_saying(scores(0, np.random.default_rng(0)), one_sided)


def test_eight_of_the_seventeen_are_asked_from_one_side():
    here = datasets.available("value_orientation.csv")
    if not here and datasets.FOLDER_VARIABLE not in os.environ:
        pytest.skip("ValueBench may not lie in the repository and is absent here")
    shares = positive_share(choices()["values"])
    assert (shares == 1).sum() == 8
    assert (shares > 0).all()
    with pytest.raises(ValueError, match="no value 'Joy' with 20 or more"):
        positive_share(["Joy"])
