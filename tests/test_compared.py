"""Pushes side by side: the table says what effects say."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.interventions import Shift
from valuegraph.roles import sample_roles
from valuegraph.steering.compared import compare_pushes
from valuegraph.steering.effects import cosine, effect_matrix, effects


def test_table_agrees_with_the_effects(human, few_items, bank):
    roles = sample_roles(bank, 2, seed=5)
    rng = np.random.default_rng(0)
    a, b = (Shift(name, 2, rng.standard_normal(human.width) / 5) for name in "ab")
    nothing = Shift("nothing", 2, np.zeros(human.width))
    # The same shift may serve two values.
    ways = {"one": {"SE": a, "ST": a}, "two": {"ST": b}, "three": {"SE": nothing}}
    expected = pd.DataFrame([[1, 0.5], [0, 1]], ["SE", "ST"], ["SE", "ST"])
    table = compare_pushes(human, few_items, roles, ways, expected=expected)
    assert table[["way", "value"]].to_numpy().tolist() == [
        ["one", "SE"],
        ["one", "ST"],
        ["two", "ST"],
        ["three", "SE"],
    ]
    m = effect_matrix(effects(human, few_items, roles, [a, b], draws=1))
    wanted = [m.at["a", "SE"], m.at["a", "ST"], m.at["b", "ST"], 0]
    np.testing.assert_allclose(table["effect"], wanted, atol=1e-5)
    others = np.abs([m.at["a", "ST"], m.at["a", "SE"], m.at["b", "SE"], 0])
    np.testing.assert_allclose(table["others"], others, atol=1e-5)
    cosines = [cosine(m.loc["a"], [1, 0.5]), cosine(m.loc["a"], [0, 1]), cosine(m.loc["b"], [0, 1])]
    np.testing.assert_allclose(table["cosine"], [*cosines, np.nan], atol=1e-5)
    norms = [np.linalg.norm(s.vector) for s in (a, a, b, nothing)]
    np.testing.assert_allclose(table["norm"], norms)


def test_pushes_of_nothing_or_of_what_is_not_asked_are_refused(human, few_items):
    with pytest.raises(ValueError, match="no push to compare"):
        compare_pushes(human, few_items, [None], {"one": {}})
    shift = Shift("a", 2, np.zeros(human.width))
    with pytest.raises(ValueError, match="unknown values XX; asked are SE, ST"):
        compare_pushes(human, few_items, [None], {"one": {"XX": shift}})
