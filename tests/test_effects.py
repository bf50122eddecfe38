"""Effects of interventions: mean changes, shares, base rates and intervals."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.answers import COLUMNS, NO_INTERVENTION
from valuegraph.elicitation import elicit
from valuegraph.interventions import Shift, Told
from valuegraph.paper.tables import signatures
from valuegraph.roles import sample_roles
from valuegraph.steering.effects import (
    cosine,
    effect_matrix,
    effects,
    effects_of,
    effects_of_scores,
)


def answers_with_effect(effects, *, n_roles=30, noise=0.0):
    """Answers in which each intervention adds its effects to the keyed log-odds of the values."""
    rng = np.random.default_rng(0)
    rows = []
    for role in range(n_roles):
        base = rng.standard_normal(2)
        for name, effect in {NO_INTERVENTION: (0.0, 0.0), **effects}.items():
            for v, value in enumerate(("SE", "CO")):
                for key in (1, -1):
                    score = base[v] + effect[v] + noise * rng.standard_normal()
                    cell = ("m", f"r{role}", name, "answer, yes first")
                    item = (value, f"{value}{key}", key)
                    rows.append((*cell, *item, np.sign(key * score), key * score, 1.0))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_effects_are_the_mean_changes():
    table = effects_of(answers_with_effect({"push": (0.5, -0.25), "pull": (-1.0, 0.0)}))
    assert table[["intervention", "value"]].to_numpy().tolist() == [
        ["push", "SE"],
        ["push", "CO"],
        ["pull", "SE"],
        ["pull", "CO"],
    ]
    assert np.allclose(table["effect"], [0.5, -0.25, -1.0, 0.0])
    assert np.allclose(table["low"], table["effect"])  # the same change in every role
    assert np.allclose(table["high"], table["effect"])


def test_intervals_cover_the_true_effect_about_as_often_as_they_say():
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(100):
        scores = frame_of({"push": 0.3 + rng.standard_normal((25, 2))})
        row = effects_of_scores(scores, tolerance=0.0, draws=300, seed=trial).iloc[0]
        covered += row["low"] <= 0.3 <= row["high"]
    assert 85 <= covered <= 99


def test_effects_need_a_baseline_and_every_role():
    answers = answers_with_effect({"push": (1.0, 0.0)})
    with pytest.raises(ValueError, match="need the baseline 'none'"):
        effects_of(answers[answers["intervention"] == "push"])
    lost = (answers["intervention"] == "push") & (answers["role"] == "r3")
    with pytest.raises(ValueError, match="not every role .* 'push'"):
        effects_of(answers[~lost])
    lost = (answers["intervention"] == NO_INTERVENTION) & (answers["role"] == "r3")
    with pytest.raises(ValueError, match="'r3' lacks answers"):
        effects_of(answers[~lost])
    with pytest.raises(ValueError, match="there are answers under none"):
        effects_of(answers[answers["intervention"] == NO_INTERVENTION])
    with pytest.raises(ValueError, match="at least 2 roles"):
        effects_of(answers[answers["role"] == "r3"])
    with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
        effects_of(answers, draws=0)
    with pytest.raises(ValueError, match="level must lie between 0 and 1, got 95"):
        effects_of(answers, level=95)


def frame_of(changes):
    """Scores of two values, given by intervention and role; the baseline is zero everywhere."""
    n = len(next(iter(changes.values())))
    roles = [f"r{i}" for i in range(n)]
    table = {NO_INTERVENTION: [(0.0, 0.0)] * n, **changes}
    return pd.concat(
        {name: pd.DataFrame(rows, roles, ["SE", "CO"]) for name, rows in table.items()},
        names=["intervention", "role"],
    )


def test_shares_and_base_rates_by_hand():
    scores = frame_of(
        {
            "a": [(1, 0), (1, 0), (-1, 0), (0.05, 0)],
            "b": [(1, 0), (0, 0), (0, 0), (0, 0)],
            "c": [(0, 0.2), (0, 0), (0, 0), (0, 0)],
        }
    )
    table = effects_of_scores(scores, tolerance=0.1).set_index(["intervention", "value"])
    assert table.loc[("a", "SE"), ["up", "down", "unchanged"]].tolist() == [0.5, 0.25, 0.25]
    assert table.loc[("b", "SE"), ["up", "down", "unchanged"]].tolist() == [0.25, 0.0, 0.75]
    # How often the other two change it: (1/4 + 0)/2, (3/4 + 0)/2, (3/4 + 1/4)/2.
    assert table.xs("SE", level=1)["base_rate"].tolist() == [0.125, 0.375, 0.5]
    assert table.xs("CO", level=1)["base_rate"].tolist() == [0.125, 0.125, 0.0]
    assert (table["n_roles"] == 4).all()
    strict = effects_of_scores(scores, tolerance=0.0).set_index(["intervention", "value"])
    assert strict.loc[("a", "SE"), "unchanged"] == 0
    alone = effects_of_scores(scores.loc[[NO_INTERVENTION, "a"]], tolerance=0.1)
    assert alone["base_rate"].isna().all()


def test_shares_agree_with_the_signatures_of_the_paper():
    rng = np.random.default_rng(2)
    scores = frame_of({name: rng.integers(-1, 2, (40, 2)) / 8 for name in "abc"})
    table = effects_of_scores(scores, tolerance=0.0).set_index(["intervention", "value"])
    counts = signatures(scores)
    for ours, theirs in (("up", "up"), ("down", "down"), ("unchanged", "same")):
        assert np.allclose(table[ours] * 40, counts.loc[table.index, theirs])


def test_same_resamples_for_every_intervention():
    rng = np.random.default_rng(3)
    change = rng.standard_normal((20, 2))
    table = effects_of_scores(frame_of({"once": change, "twice": 2 * change}), tolerance=0.0)
    once, twice = (table[table["intervention"] == name] for name in ("once", "twice"))
    for column in ("effect", "low", "high"):
        assert np.allclose(2 * once[column].to_numpy(), twice[column])


def test_effects_of_roles_that_are_alike_have_no_width():
    table = effects_of_scores(frame_of({"a": [(0.3, -0.7)] * 9}), tolerance=0.0)
    assert np.allclose(table["effect"], [0.3, -0.7])
    assert (table["low"] <= table["effect"]).all()
    assert np.allclose(table["high"] - table["low"], 0)


def test_answers_and_log_odds_are_two_tables():
    answers = answers_with_effect({"push": (50.0, 0.0)})
    table = effects_of(answers, by="answer")
    # In [-1, 1] the score of a value cannot rise by more than 2.
    assert 0 < table["effect"].iloc[0] <= 2
    assert table["effect"].iloc[1] == 0
    assert table["unchanged"].iloc[1] == 1
    with pytest.raises(ValueError, match="tolerance must be 0 or more"):
        effects_of(answers, tolerance=-1)


def test_asking_gives_the_effects_of_the_answers(organism, few_items, bank):
    roles = sample_roles(bank, 3, seed=5)
    pushes = [Shift("push", 1, np.linspace(-1, 1, 40)), Told("fact", bank.texts["SE_f1"])]
    table = effects(organism, few_items, roles, pushes, draws=50, seed=7)
    answers = elicit(organism, few_items, roles, interventions=[None, *pushes])
    assert table.equals(effects_of(answers, draws=50, seed=7))
    assert table["effect"].abs().min() > 0


def test_matrix_holds_the_cells_of_the_table():
    table = effects_of(answers_with_effect({"push": (0.5, -0.25), "pull": (-1.0, 0.0)}))
    wide = effect_matrix(table)
    assert wide.index.tolist() == ["push", "pull"]
    assert wide.columns.tolist() == ["SE", "CO"]
    assert np.allclose(wide, [[0.5, -0.25], [-1.0, 0.0]])
    assert np.allclose(effect_matrix(table, "n_roles"), 30)
    with pytest.raises(ValueError, match="no column 'size'"):
        effect_matrix(table, "size")
    with pytest.raises(ValueError, match="'push' has several rows for SE"):
        effect_matrix(pd.concat([table, table]))
    with pytest.raises(ValueError, match="lack the effect"):
        effect_matrix(table.iloc[1:])


def test_cosine():
    assert cosine([1, 0], [1, 1]) == pytest.approx(np.sqrt(0.5))
    assert cosine([2, -4], [-1, 2]) == pytest.approx(-1)
    with pytest.raises(ValueError, match="no direction"):
        cosine([0, 0], [1, 1])
