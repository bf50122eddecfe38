"""Effects and costs told from answers: by hand, against each other, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from respondents import scores_of

from valuegraph.answers import COLUMNS, NO_INTERVENTION, score_answers
from valuegraph.effects import COSTS, changes, cosine, costs, effect_matrix, effects_of


def answers_with_effect(effects, *, n_roles=30):
    """Answers in which each intervention adds its effects to the keyed log-odds of the values."""
    rng = np.random.default_rng(0)
    rows = []
    for role in range(n_roles):
        base = rng.standard_normal(2)
        for name, effect in {NO_INTERVENTION: (0.0, 0.0), **effects}.items():
            for v, value in enumerate(("SE", "CO")):
                for key in (1, -1):
                    score = base[v] + effect[v]
                    cell = ("m", f"r{role}", name, "answer, yes first")
                    item = (value, f"{value}{key}", key)
                    rows.append((*cell, *item, np.sign(key * score), key * score, 1.0))
    return pd.DataFrame(rows, columns=list(COLUMNS))


ANSWERS = answers_with_effect({"push": (0.5, -0.25), "pull": (-1.0, 0.0)})
PUSHED = ANSWERS["intervention"] == "push"
FIRST = ANSWERS["role"] == "r3"


def test_effects_are_the_mean_changes_whatever_the_order_of_rows():
    table = effects_of(ANSWERS)
    cells = [["push", "SE"], ["push", "CO"], ["pull", "SE"], ["pull", "CO"]]
    assert table[["intervention", "value"]].to_numpy().tolist() == cells
    assert np.allclose(table["effect"], [0.5, -0.25, -1.0, 0.0])
    assert np.allclose(table["low"], table["effect"])  # the same change in every role
    assert np.allclose(table["high"], table["effect"])
    assert table.equals(effects_of(score_answers(ANSWERS)))
    one, two = changes(ANSWERS), changes(ANSWERS.sample(frac=1, random_state=0))
    assert np.allclose(one, two.loc[one.index, one.columns])


def test_intervals_cover_the_true_effect_about_as_often_as_they_say():
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(100):
        scores = scores_of({"push": 0.3 + rng.standard_normal((25, 2))})
        row = effects_of(scores, draws=300, seed=trial).iloc[0]
        covered += row["low"] <= 0.3 <= row["high"]
    assert 85 <= covered <= 99


def test_shares_and_base_rates_by_hand():
    scores = scores_of(
        {
            "a": [(1, 0), (1, 0), (-1, 0), (0.05, 0)],
            "b": [(1, 0), (0, 0), (0, 0), (0, 0)],
            "c": [(0, 0.2), (0, 0), (0, 0), (0, 0)],
        }
    )
    table = effects_of(scores).set_index(["intervention", "value"])
    assert table.loc[("a", "SE"), ["up", "down", "unchanged"]].tolist() == [0.5, 0.25, 0.25]
    # How often the other two change it: (1/4 + 0)/2, (3/4 + 0)/2, (3/4 + 1/4)/2.
    assert table.xs("SE", level=1)["base_rate"].tolist() == [0.125, 0.375, 0.5]
    assert table.xs("CO", level=1)["base_rate"].tolist() == [0.125, 0.125, 0.0]
    assert (table["n_roles"] == 4).all()
    strict = effects_of(scores, tolerance=0.0).set_index(["intervention", "value"])
    assert strict.loc[("a", "SE"), "unchanged"] == 0
    assert effects_of(scores.loc[[NO_INTERVENTION, "a"]])["base_rate"].isna().all()


def test_the_same_resamples_serve_every_intervention():
    change = np.random.default_rng(3).standard_normal((20, 2))
    table = effects_of(scores_of({"once": change, "twice": 2 * change}))
    once, twice = (table[table["intervention"] == name] for name in ("once", "twice"))
    for column in ("effect", "low", "high"):
        assert np.allclose(2 * once[column].to_numpy(), twice[column])


def test_scores_from_answers_move_in_steps():
    table = effects_of(answers_with_effect({"push": (50.0, 0.0)}), by="answer")
    assert 0 < table["effect"].iloc[0] <= 2  # in [-1, 1] no score can rise by more
    assert table["effect"].iloc[1] == 0 and table["unchanged"].iloc[1] == 1


def test_matrix_holds_the_cells_of_the_table():
    table = effects_of(ANSWERS)
    wide = effect_matrix(table)
    assert (list(wide.index), list(wide.columns)) == (["push", "pull"], ["SE", "CO"])
    assert np.allclose(wide, [[0.5, -0.25], [-1.0, 0.0]])
    assert np.allclose(effect_matrix(table, "n_roles"), 30)
    with pytest.raises(ValueError, match="duplicate entries"):
        effect_matrix(pd.concat([table, table]))


def test_cosine():
    assert cosine([1, 0], [1, 1]) == pytest.approx(np.sqrt(0.5))
    assert cosine([2, -4], [-1, 2]) == pytest.approx(-1)
    with pytest.raises(ValueError, match="no direction"):
        cosine([0, 0], [1, 1])


def test_costs_by_hand():
    cells = pd.DataFrame(
        [(r, name, "SE", f"i{i}") for r in "ab" for name in ("none", "push") for i in range(2)],
        columns=["role", "intervention", "value", "item"],
    )
    answers = cells.assign(mass=[0.9, 0.7, 0.5, 0.5, 1.0, 1.0, 1.0, 0.9])
    written = cells.assign(answer=[1, 0, 0, 0, 1, -1, 1, 1])
    readings = pd.DataFrame(
        {
            "intervention": "push",
            "role": ["a", "b"],
            "log_loss": [-0.5, 1.5],
            "divergence": [0.1, 0.3],
            "reads": False,
        }
    )
    (row,) = costs(answers, readings, written).itertuples()
    assert row.outside == pytest.approx((0.3 + 0.05) / 2)
    assert row.unparsed == pytest.approx((0.5 + 0.0) / 2)
    assert (row.log_loss, row.divergence) == pytest.approx((0.5, 0.2))
    assert row.log_loss_low == -0.5 and row.log_loss_high == 1.5
    assert (row.n_roles, row.reads) == (2, False)
    alone = costs(answers)
    assert alone[[c for c in COSTS if c != "outside"]].isna().all(axis=None)
    assert "reads" not in alone
    with pytest.raises(ValueError, match="effects need the baseline 'none'"):
        costs(answers[answers["intervention"] == "push"])
    with pytest.raises(ValueError, match="lacks answers or figures under"):
        costs(answers, readings.iloc[:1].assign(role="b", divergence=np.nan))


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: effects_of(ANSWERS[PUSHED]), "need the baseline 'none'"),
        (lambda: effects_of(ANSWERS[~(PUSHED & FIRST)]), "'r3' lacks answers .* 'push'"),
        (lambda: effects_of(ANSWERS[FIRST]), "need 2 roles and 1 draw"),
        (lambda: effects_of(ANSWERS, draws=0), "1 draw"),
        (lambda: effects_of(ANSWERS, tolerance=-1), "tolerance must be 0 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(use, message):
    with pytest.raises(ValueError, match=message):
        use()
