"""Reliability and agreement: known biases and reliabilities are found, textbooks agree."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.answers import score_answers, yes_bias
from valuegraph.correlations import as_correlation
from valuegraph.inventory import Inventory
from valuegraph.organisms import examine
from valuegraph.prompts import WORDINGS, PromptFormat
from valuegraph.psychometrics import agreement, reliability
from valuegraph.resampling import (
    finite_mean,
    intervals,
    ratio,
    resampled_covariance,
    resampled_mean,
    role_weights,
)
from valuegraph.roles import sample_roles

SIX = [PromptFormat(wording, yes_first) for wording in WORDINGS for yes_first in (True, False)]


@pytest.fixture(scope="module")
def answers(simulate):
    return simulate(formats=SIX, role_format=0.3)


@pytest.fixture(scope="module")
def table(answers):
    return reliability(answers, n_boot=200)


def of_values(table, figure):
    """Estimates of a figure, one per value."""
    return table["estimate"].xs(figure, level="figure").drop("all", errors="ignore")


# resampling


def test_weights_give_what_a_resample_gives():
    data = np.random.default_rng(0).standard_normal((12, 3)) + [0, 100, -5]
    weights = role_weights(12, 20, seed=3)
    assert (weights[0] == 1).all() and (weights.sum(axis=1) == 12).all()
    means, covariances = resampled_mean(data, weights), resampled_covariance(data, weights)
    for row, mean, covariance in zip(weights, means, covariances, strict=True):
        resample = np.repeat(data, row.astype(int), axis=0)
        np.testing.assert_allclose(mean, resample.mean(axis=0))
        np.testing.assert_allclose(covariance, np.cov(resample, rowvar=False), atol=1e-12)
    np.testing.assert_allclose(as_correlation(covariances[0]), np.corrcoef(data, rowvar=False))


def test_what_is_constant_has_exactly_no_variance():
    rare, constant = np.eye(12)[4], 0.1 + 1e-17 * np.arange(12)
    weights = role_weights(12, 200, seed=0)
    covariance = resampled_covariance(np.stack([rare, constant], axis=1), weights)
    assert ((covariance[:, 0, 0] > 0) == (weights[:, 4] > 0)).all()
    assert (covariance[:, 1] == 0).all()
    assert np.isnan(as_correlation(covariance)[:, 0, 1]).all()
    np.testing.assert_array_equal(ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])), [0.5, np.nan])


def test_what_a_resample_lacks_varies_with_nothing_and_means_leave_it_out():
    rows = np.stack([np.eye(12)[4] + 0.1, np.random.default_rng(2).standard_normal(12)], axis=1)
    weights = role_weights(12, 200, seed=0)
    lacking = weights[:, 4] == 0
    assert lacking.any() and (resampled_covariance(rows, weights)[lacking, 0, 1] == 0).all()
    assert finite_mean(np.array([[1.0, np.nan], [2.0, 4.0]])).tolist() == [1, 3]
    assert np.isnan(finite_mean(np.full(2, np.nan)))


def test_intervals_are_quantiles_of_the_resamples_that_have_the_figure():
    draws = np.stack([[5.0, *range(101), np.nan], [np.nan, *range(102)]], axis=1)
    estimate, low, high = intervals(draws)
    assert (estimate[0], low[0], high[0]) == pytest.approx((5.0, 2.5, 97.5))
    assert np.isnan([low[1], high[1]]).all()
    assert np.isnan(intervals(np.array([2.0]))[1:]).all()


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng, covered = np.random.default_rng(1), 0
    for seed in range(200):
        draws = resampled_mean(rng.standard_normal(60), role_weights(60, 200, seed=seed))
        _, low, high = intervals(draws)
        covered += low <= 0 <= high
    assert covered / 200 == pytest.approx(0.95, abs=0.05)


# known truth


def test_planted_biases_of_an_organism_are_found(human, inventory, bank):
    from valuegraph.elicitation import elicit

    one_each_way = inventory.items.groupby(["value", "key"]).head(1)
    few = Inventory("few", one_each_way, inventory.values)
    formats = [PromptFormat(yes_first=False), *map(PromptFormat, WORDINGS)]
    answers = elicit(human, few, sample_roles(bank, 16, seed=3), formats=formats)
    table, truth = reliability(answers, n_boot=50), examine("organism-human")
    whole = table["estimate"]["all"]
    # Three formats in four name yes first, and so lower yes.
    expected = truth.yes_bias - truth.order_bias / 2
    assert whole["acquiescence"] == pytest.approx(expected, abs=0.05)
    assert whole["order_bias"] == pytest.approx(truth.order_bias, abs=0.03)
    assert whole["paraphrase_effect"] < 0.03 and whole["role_share"] > 0.99
    assert whole["unsure"] == whole["low_mass"] == 0
    for figure in ("alpha", "split_half", "retest_wording", "retest_order"):
        assert (of_values(table, figure) > 0.97).all()


def test_known_biases_are_inside_their_intervals(simulate):
    planted = {"yes_bias": -0.7, "order_bias": 0.2}
    whole = reliability(simulate(formats=SIX, n=80, **planted), n_boot=300).loc["all"]
    for figure, true in (("acquiescence", -0.7), ("order_bias", 0.2)):
        low, high = whole.loc[figure, ["low", "high"]]
        assert low < true < high < low + 0.1


def test_a_wording_that_moves_yes_is_found(answers):
    moved = 0.6 * answers["format"].str.startswith("say")
    table = reliability(answers.assign(log_odds=answers["log_odds"] + moved), n_boot=0)
    # Means of 0, 0.6 and 0 have a standard deviation of .6 / sqrt(3).
    effect = table.loc[("all", "paraphrase_effect"), "estimate"]
    assert effect == pytest.approx(0.6 / np.sqrt(3), abs=0.05)


def test_reliability_is_what_the_noise_leaves(simulate):
    # Each item: variance 1.5^2 of the role, 4.5^2 of its own; 8 of them are stepped up.
    table = reliability(simulate(n=1500, noise=4.5), n_boot=0, n_splits=20)
    for figure in ("alpha", "split_half"):
        assert of_values(table, figure).mean() == pytest.approx(8 / 17, abs=0.03)
    np.testing.assert_allclose(of_values(table, "item_correlation"), 1 / 10, atol=0.02)


def test_no_consistency_is_told_of_a_respondent_that_says_no_to_everything(answers):
    """Its items go against each other by their keys: an alpha of -40, which no one should read."""
    roles, noise = answers["role"].factorize()[0], np.random.default_rng(0)
    likes = -4.0 + noise.normal(size=roles.max() + 1)[roles]
    same = answers.assign(log_odds=likes + 0.2 * noise.normal(size=len(answers)), answer=-1)
    with pytest.warns(UserWarning, match="not told: consistency of .*SE.*, whose items go against"):
        table = reliability(same, n_boot=20)
    assert unknown(table) >= {"alpha", "split_half"}
    assert table.loc["all"].drop(index="low_mass")["estimate"].notna().any()


def test_test_retest_is_the_share_that_formats_have_in_common(simulate):
    answers = simulate(n=600, noise=0.0, role_format=0.5, formats=SIX)
    table = reliability(answers, n_boot=0, n_splits=1)
    for figure in ("retest_wording", "retest_order", "role_share"):
        np.testing.assert_allclose(of_values(table, figure), 1 / 1.25, atol=0.04)
    np.testing.assert_allclose(of_values(table, "role_format_share"), 0.25 / 1.25, atol=0.04)
    np.testing.assert_allclose(of_values(table, "alpha"), 1)


# agreement with other ways to compute the same


def test_figures_of_reliability_are_those_of_the_textbook(table, answers):
    keyed = answers.assign(keyed=answers["key"] * answers["log_odds"])
    wide = keyed[keyed["value"] == "SE"].pivot(
        index="role", columns=["format", "item"], values="keyed"
    )
    by_format = [wide[fmt.name] for fmt in SIX]
    alphas = [8 / 7 * (1 - f.var().sum() / f.sum(axis=1).var()) for f in by_format]
    assert table.loc[("SE", "alpha"), "estimate"] == pytest.approx(np.mean(alphas))
    scores = pd.DataFrame({fmt.name: f.mean(axis=1) for fmt, f in zip(SIX, by_format, strict=True)})
    r = scores.corr()
    order = [r.loc[f"{wording}, yes first", f"{wording}, no first"] for wording in WORDINGS]
    assert table.loc[("SE", "retest_order"), "estimate"] == pytest.approx(np.mean(order))
    wording = [
        r.loc[f"{a}, {order}", f"{b}, {order}"]
        for order in ("yes first", "no first")
        for a, b in (("answer", "say"), ("answer", "reply"), ("say", "reply"))
    ]
    assert table.loc[("SE", "retest_wording"), "estimate"] == pytest.approx(np.mean(wording))
    assert table.loc[("SE", "spread"), "estimate"] == pytest.approx(scores.mean(axis=1).std())
    liking = table.loc[("all", "acquiescence"), "estimate"]
    assert liking == pytest.approx(yes_bias(answers).mean())


def test_the_order_of_rows_changes_nothing_and_the_seed_only_intervals(table, answers):
    mixed = reliability(answers.sample(frac=1, random_state=0), n_boot=200)
    pd.testing.assert_frame_equal(mixed.sort_index(), table.sort_index())
    other = reliability(answers, n_boot=200, seed=1)
    alpha, again = (t.xs("alpha", level="figure") for t in (table, other))
    assert (alpha["estimate"] == again["estimate"]).all() and (alpha["low"] != again["low"]).all()
    assert ((alpha["low"] < alpha["estimate"]) & (alpha["estimate"] < alpha["high"])).all()
    without = reliability(answers, n_boot=0)
    assert without[["low", "high"]].isna().all(axis=None)
    assert table.attrs == {"model": "simulated", "n_roles": 40}


def test_yes_and_no_exchanged_turn_the_liking_round(answers, table):
    columns = ["key", "log_odds", "answer"]
    turned = reliability(answers.assign(**-answers[columns]), n_boot=200)
    for figure in ("acquiescence", "order_bias"):
        there, back = table.loc[("all", figure)], turned.loc[("all", figure)]
        assert back["estimate"] == pytest.approx(-there["estimate"])
        assert back["low"] == pytest.approx(-there["high"])
    np.testing.assert_allclose(of_values(turned, "alpha"), of_values(table, "alpha"))


# what answers cannot show, and what is refused


def unknown(table):
    """Names of the figures without an estimate."""
    return set(table.index[table["estimate"].isna()].get_level_values("figure"))


@pytest.mark.parametrize(
    ("spoil", "figures"),
    [
        (lambda a: a, set()),
        (lambda a: a[a["format"] == SIX[0].name],
         {"retest_wording", "paraphrase_effect", "retest_order", "order_bias", "role_share",
          "format_share", "role_format_share"}),
        (lambda a: a.assign(format=a["format"].map(lambda name: f"mine {name}")),
         {"retest_wording", "paraphrase_effect", "retest_order", "order_bias"}),
        (lambda a: a[a["key"] == 1], {"acquiescence", "yes_share"}),
        (lambda a: a[a["item"].isin(["SE1", "CO1", "CO5"])],
         {"alpha", "split_half", "item_correlation", "acquiescence", "yes_share"}),
        (lambda a: a.assign(log_odds=0.3, answer=1),
         {"alpha", "split_half", "item_correlation", "retest_wording", "retest_order",
          "role_share", "format_share", "role_format_share"}),
        (lambda a: a.assign(mass=np.nan), {"low_mass"}),
    ],
)  # fmt: skip
def test_what_answers_cannot_show_is_nan(answers, spoil, figures):
    assert unknown(reliability(spoil(answers), n_boot=5)) == figures


def test_generated_answers_can_be_unsure_and_have_no_log_odds(answers):
    unsure = np.random.default_rng(0).random(len(answers)) < 0.2
    generated = answers.assign(answer=answers["answer"].mask(unsure, 0), log_odds=np.nan)
    table = reliability(generated, by="answer", n_boot=0)
    assert table.loc[("all", "unsure"), "estimate"] == pytest.approx(unsure.mean())
    with pytest.raises(ValueError, match="log_odds is missing or infinite for"):
        reliability(generated)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: a[a["role"].isin(["role000", "role001"])], "answers of 2 roles; at least 3"),
        (lambda a: pd.concat([a, a.assign(intervention="push")]), "several interventions"),
        (lambda a: a.drop(a.index[9]), r"\('role009', 'answer, yes first', 'SE1'\) is missing"),
        (lambda a: pd.concat([a, a[:2]]), "answered twice: .*'SE1'"),
    ],
)
def test_answers_that_are_not_whole_are_refused(answers, spoil, message):
    with pytest.raises(ValueError, match=message):
        reliability(spoil(answers))


# log-odds against generated answers


def generated(read, answer):
    """Answers of the other mode in the same cells: no log-odds, and a thought wanted."""
    fmt = read["format"] + ", think"
    return read.assign(answer=np.asarray(answer, np.int8), log_odds=np.nan, format=fmt)


@pytest.fixture(scope="module")
def read(simulate):
    return simulate(formats=SIX[:2])


@pytest.fixture(scope="module")
def written(read):
    """One answer in ten is the opposite, one in twenty unsure."""
    rng = np.random.default_rng(0)
    other = np.where(rng.random(len(read)) < 0.1, -read["answer"], read["answer"])
    return generated(read, np.where(rng.random(len(read)) < 0.05, 0, other))


def test_equal_and_opposite_answers(read):
    same, opposite = (agreement(read, generated(read, s * read["answer"])) for s in (1, -1))
    assert (of_values(same, "sign_differs") == 0).all() and not unknown(same)
    np.testing.assert_allclose(of_values(same, "kappa"), 1)
    assert (of_values(opposite, "sign_differs") == 1).all()
    for figure in ("score_correlation", "answer_correlation", "kappa"):
        assert (of_values(opposite, figure) < -0.5).all()


def test_figures_of_agreement_are_those_of_the_textbook(read, written):
    table = agreement(read, written, n_boot=200)
    whole = table.loc["all"]
    assert whole.loc["sign_differs", "estimate"] == pytest.approx(0.1, abs=0.01)
    assert whole.loc["unsure", "estimate"] == pytest.approx(0.05, abs=0.01)
    here = (read["value"] == "PO").to_numpy()
    row, log_odds = table["estimate"]["PO"], read["log_odds"][here]
    first, second = read["answer"][here], written["answer"][here]
    assert row["answer_correlation"] == pytest.approx(np.corrcoef(log_odds, second)[0, 1])
    sure = second != 0
    cells = pd.crosstab(first[sure], second[sure], normalize=True).to_numpy()
    chance = cells.sum(axis=0) @ cells.sum(axis=1)
    assert row["sign_differs"] == pytest.approx(1 - np.trace(cells))
    assert row["kappa"] == pytest.approx((np.trace(cells) - chance) / (1 - chance))
    scores = [score_answers(read)["PO"], score_answers(written, by="answer")["PO"]]
    assert row["score_correlation"] == pytest.approx(np.corrcoef(scores)[0, 1])
    mean = of_values(table, "score_correlation").mean()
    assert whole.loc["score_correlation", "estimate"] == pytest.approx(mean)
    mixed = written.sample(frac=1, random_state=0)
    plain = mixed.assign(format=mixed["format"].str.removesuffix(", think"))
    pd.testing.assert_frame_equal(agreement(read, plain, n_boot=200), table)


def test_a_single_answer_to_everything_leaves_much_unknown(read):
    yes, none = np.ones(len(read)), np.zeros(len(read))
    table = agreement(read, generated(read, yes), n_boot=20)
    assert unknown(table) == {"score_correlation", "answer_correlation"}
    np.testing.assert_allclose(of_values(table, "kappa"), 0, atol=1e-12)
    table = agreement(read.assign(answer=1), generated(read, yes), n_boot=20)
    assert {"kappa", "sign_differs"} <= unknown(table)
    table = agreement(read, generated(read, none), n_boot=20)
    assert "sign_differs" in unknown(table) and (of_values(table, "unsure") == 1).all()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda w: w[w["role"] != "role007"], "different answers: .*'role007'"),
        (lambda w: w[w["item"] != "ST3"], "different answers: .*'ST3'"),
        (lambda w: w[w["format"] == "answer, no first, think"], "different answers: .*yes first"),
        (lambda w: w.assign(key=w["key"].where(w["item"] != "SE2", -w["key"])), "keys differ"),
        (lambda w: w.assign(model="other"), "models or keys differ"),
    ],
)
def test_other_answers_are_refused(read, written, spoil, message):
    with pytest.raises(ValueError, match=message):
        agreement(read, spoil(written))
