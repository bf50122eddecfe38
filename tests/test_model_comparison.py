"""Models against models: known cases, exchange that keeps its level, what is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from valuegraph.matrices import mantel
from valuegraph.model_comparison import compare_models
from valuegraph.organisms.shipped import load_truth


def sample(name, n, seed, start=0):
    table = load_truth(f"organism-{name}").sample(n, seed=seed)
    return table.set_axis([f"role {start + i}" for i in range(n)])


def test_two_samples_of_one_model_are_alike():
    first, second = sample("human", 300, 0), sample("human", 300, 1, start=1000)
    found = compare_models(first, second)
    assert found.verdict == "alike"
    assert not found.paired
    assert found.agreement == pytest.approx(mantel(first.corr(), second.corr()))
    assert found.low < found.agreement < found.high
    assert found.agreement == pytest.approx(found.ceiling, abs=0.15)


def test_the_human_and_the_alien_organism_are_different():
    found = compare_models(
        sample("human", 300, 0), sample("alien", 300, 1), names=("human", "alien")
    )
    assert found.verdict == "different"
    assert found.paired  # the same names of roles
    assert repr(found).startswith("human and alien: different.")
    assert "different" in found._repr_html_()


def test_a_model_that_shares_half_of_its_structure_is_alike_but_not_the_same():
    first = sample("human", 900, 0)
    second = sample("human", 900, 1, start=2000)
    second = second.assign(PO=np.random.default_rng(0).standard_normal(900))
    assert compare_models(first, second).verdict == "alike, not the same"


def test_noise_cannot_be_told():
    rng = np.random.default_rng(3)
    one, other = (pd.DataFrame(rng.standard_normal((80, 10))).add_prefix("v") for _ in range(2))
    found = compare_models(one, other)
    assert found.verdict == "cannot tell"
    assert found.ceiling < 0.5


@pytest.mark.parametrize("paired", [True, False])
def test_the_same_model_is_called_different_at_the_rate_of_alpha(paired):
    p = []
    for seed in range(30):
        first = sample("human", 60, 2 * seed)
        # The same roles share part of what they say, as two models that read the same role do.
        second = sample("human", 60, 2 * seed + 1, start=0 if paired else 100)
        if paired:
            first, second = first + second.to_numpy(), second + 0.5 * first
        found = compare_models(first, second, draws=39, alpha=0.05)
        assert found.paired == paired
        p.append(found.p_differ)
    assert np.mean(np.array(p) <= 0.25) == pytest.approx(0.25, abs=0.22)


def test_the_larger_table_is_cut_to_equal_n():
    found = compare_models(sample("human", 200, 0), sample("human", 50, 1, start=500), draws=199)
    assert found.n == 50
    again = compare_models(sample("human", 200, 0), sample("human", 50, 1, start=500), draws=199)
    assert found.to_dict() == again.to_dict()
    assert json.loads(json.dumps(found.to_dict()))["first"] == "first"


def test_what_cannot_be_compared_is_refused():
    first, second = sample("human", 50, 0), sample("human", 50, 1)
    with pytest.raises(ValueError, match="only one has Empathy, SE"):
        compare_models(first, second.rename(columns={"SE": "Empathy"}))
    with pytest.raises(ValueError, match="20 roles are too few"):
        compare_models(first, second.iloc[:20])
    with pytest.raises(ValueError, match="alpha must lie between"):
        compare_models(first, second, draws=50)
