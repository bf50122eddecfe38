"""Changes of scores, role by role."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.answers import NO_INTERVENTION, score_answers
from valuegraph.steering.changes import changes_of, changes_of_scores, scores_under


@pytest.fixture
def answers(few_items, simulate):
    """Answers under no intervention, and under one that adds 1 to every log-odds for a value."""
    base = simulate(few_items.items, n=5)
    pushed = base.assign(
        intervention="push",
        log_odds=base["log_odds"] + base["key"] * (base["value"] == "SE"),
    )
    return pd.concat([base, pushed])


def test_each_role_is_compared_with_itself(answers):
    (change,) = changes_of(answers).values()
    assert change.shape == (5, 2)
    assert np.allclose(change["SE"], 1)
    assert np.allclose(change["ST"], 0)


def test_order_of_rows_does_not_matter(answers):
    shuffled = answers.sample(frac=1, random_state=0)
    (one,), (two,) = changes_of(answers).values(), changes_of(shuffled).values()
    assert np.allclose(one, two.loc[one.index, one.columns])


def test_scores_have_two_levels_even_of_one_intervention(answers):
    base = answers[answers["intervention"] == NO_INTERVENTION]
    scores = scores_under(base)
    assert scores.index.nlevels == 2
    assert np.allclose(scores.loc[NO_INTERVENTION], score_answers(base))
    with pytest.raises(ValueError, match="need the baseline 'none' and an intervention"):
        changes_of_scores(scores)


def test_a_role_that_is_missing_is_named(answers):
    scores = scores_under(answers).drop(index=("push", "role003"))
    with pytest.raises(ValueError, match="'role003' lacks answers"):
        changes_of_scores(scores)
