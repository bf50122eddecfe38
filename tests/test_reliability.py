"""Reliability: known biases and reliabilities are found, and what cannot be told says why."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from valuegraph.answers import score_answers, yes_bias
from valuegraph.asking.prompts import WORDINGS, PromptFormat
from valuegraph.organisms.answer_model import AnswerModel
from valuegraph.psychometrics.coefficients import spearman_brown
from valuegraph.reliability import VALUE_FIGURES, WHOLE_FIGURES, reliability_report

SIX = [PromptFormat(w, yes_first) for w in WORDINGS for yes_first in (True, False)]


@pytest.fixture(scope="module")
def answers(simulate):
    return simulate(formats=SIX, role_format=0.3)


@pytest.fixture(scope="module")
def report(answers):
    return reliability_report(answers, n_boot=200)


def same(first, second, **tolerance):
    """Compare two reports, values in any order."""
    columns = [name for name in first.values if name not in ("positive", "negative")]
    pd.testing.assert_frame_equal(
        first.values.loc[second.values.index, columns], second.values[columns], **tolerance
    )
    pd.testing.assert_frame_equal(first.whole, second.whole, **tolerance)


# known truth


def test_the_planted_biases_of_an_organism_are_found(inventory, bank):
    from valuegraph.elicitation import elicit
    from valuegraph.inventory import Inventory
    from valuegraph.models import load_model
    from valuegraph.roles import sample_roles

    one_each_way = inventory.items.groupby(["value", "key"]).head(1)
    few = Inventory("few", one_each_way, inventory.values)
    organism, roles = load_model("organism-human"), sample_roles(bank, 24, seed=3)
    formats = [PromptFormat(yes_first=False), *(PromptFormat(wording) for wording in WORDINGS)]
    answers = pd.concat([elicit(organism, few, roles, fmt=fmt) for fmt in formats])
    report = reliability_report(answers, n_boot=200)
    planted = AnswerModel()
    estimate = report.whole["estimate"]
    # Three formats in four name yes first, and so lower yes.
    expected = planted.yes_bias - planted.order_bias / 2
    assert estimate["acquiescence"] == pytest.approx(expected, abs=0.05)
    assert estimate["order_bias"] == pytest.approx(planted.order_bias, abs=0.03)
    assert estimate["paraphrase_effect"] < 0.03
    assert estimate["role_share"] > 0.99 and estimate["unsure"] == estimate["low_mass"] == 0
    assert (report.values[["alpha", "split_half", "retest_wording", "retest_order"]] > 0.97).all(
        axis=None
    )
    by_answer = reliability_report(answers, by="answer", n_boot=0).whole["estimate"]
    assert by_answer["yes_share"] == pytest.approx(estimate["yes_share"])
    assert by_answer["acquiescence"] == pytest.approx(2 * by_answer["yes_share"] - 1)
    assert 0.52 < by_answer["yes_share"] < 0.65
    assert by_answer["order_bias"] > 0.05


def test_known_biases_are_inside_their_intervals(simulate):
    model = AnswerModel(gain=1.0, yes_bias=-0.7, order_bias=0.2)
    whole = reliability_report(simulate(model=model, formats=SIX, n=80), n_boot=300).whole
    for figure, true in (("acquiescence", -0.7), ("order_bias", 0.2)):
        row = whole.loc[figure]
        assert row["low"] < true < row["high"]
        assert row["high"] - row["low"] < 0.1


def test_a_wording_that_moves_yes_is_found(answers):
    moved = answers.assign(
        log_odds=answers["log_odds"] + 0.6 * answers["format"].str.startswith("say")
    )
    estimate = reliability_report(moved, n_boot=0).whole["estimate"]
    # Means of 0, 0.6 and 0 have a standard deviation of .6 / sqrt(3).
    assert estimate["paraphrase_effect"] == pytest.approx(0.6 / np.sqrt(3), abs=0.05)


def test_reliability_is_what_the_noise_leaves(simulate):
    # A score of 8 items: variance gain^2 of the role, noise^2 / 8 of the items.
    answers = simulate(n=3000, noise=3.0, model=AnswerModel(gain=1.0))
    values = reliability_report(answers, n_boot=0, n_splits=20).values
    expected = spearman_brown(1 / 10, factor=8)
    for figure in ("alpha", "split_half"):
        np.testing.assert_allclose(values[figure], expected, atol=0.06)
        assert values[figure].mean() == pytest.approx(expected, abs=0.02)
    np.testing.assert_allclose(values["item_correlation"], 1 / 10, atol=0.02)
    np.testing.assert_allclose(values["spread"], np.sqrt(1 + 9 / 8), atol=0.06)


def test_test_retest_is_the_share_that_formats_have_in_common(simulate):
    answers = simulate(n=2000, noise=0.0, role_format=0.5, formats=SIX, model=AnswerModel(gain=2.0))
    values = reliability_report(answers, n_boot=0, n_splits=1).values
    for figure in ("retest_wording", "retest_order", "role_share"):
        np.testing.assert_allclose(values[figure], 1 / 1.25, atol=0.02)
    np.testing.assert_allclose(values["role_format_share"], 0.25 / 1.25, atol=0.02)
    # The items of one format agree to the last digit all the same.
    np.testing.assert_allclose(values["alpha"], 1)


# agreement with other ways to compute the same


def test_alpha_is_that_of_the_textbook(report, answers):
    by_format = []
    for _, rows in answers[answers["value"] == "SE"].groupby("format"):
        keyed = rows.assign(keyed=rows["key"] * rows["log_odds"])
        table = keyed.pivot(index="role", columns="item", values="keyed")
        k, total = table.shape[1], table.sum(axis=1).var()
        by_format.append(k / (k - 1) * (1 - table.var().sum() / total))
    assert report.values.loc["SE", "alpha"] == pytest.approx(np.mean(by_format))


def test_retest_and_spread_are_those_of_the_scores(report, answers):
    scores = {fmt.name: score_answers(answers[answers["format"] == fmt.name]) for fmt in SIX}
    for value in ("SE", "PO"):
        r = pd.DataFrame({name: frame[value] for name, frame in scores.items()}).corr()
        order = [r.loc[f"{w}, yes first", f"{w}, no first"] for w in WORDINGS]
        wording = [
            r.loc[f"{a}, {order}", f"{b}, {order}"]
            for order in ("yes first", "no first")
            for a, b in (("answer", "say"), ("answer", "reply"), ("say", "reply"))
        ]
        row = report.values.loc[value]
        assert row["retest_order"] == pytest.approx(np.mean(order))
        assert row["retest_wording"] == pytest.approx(np.mean(wording))
        assert row["spread"] == pytest.approx(score_answers(answers)[value].std())


def test_acquiescence_is_the_mean_liking_for_yes_of_the_roles(report, answers):
    assert report.whole.loc["acquiescence", "estimate"] == pytest.approx(yes_bias(answers).mean())
    thin = answers[~answers["item"].isin(["SE1", "SE2", "CO5"])]
    whole = reliability_report(thin, n_boot=0).whole
    assert whole.loc["acquiescence", "estimate"] == pytest.approx(yes_bias(thin).mean())


# invariances


def test_the_order_of_the_rows_changes_nothing_not_even_intervals(report, answers):
    same(reliability_report(answers.sample(frac=1, random_state=0), n_boot=200), report)


def test_a_question_turned_round_with_its_answer_is_the_same_question(report, answers):
    turn = answers["item"].str.endswith(("1", "4", "7")).map({True: -1, False: 1})
    # Without a liking for yes or an order, turning an item is a change of words alone.
    turned = answers.assign(
        key=turn * answers["key"],
        log_odds=turn * answers["log_odds"],
        answer=turn * answers["answer"],
    )
    again = reliability_report(turned, n_boot=200)
    kept = ["alpha", "item_correlation", "retest_wording", "retest_order", "role_share", "spread"]
    kept = [f"{name}{end}" for name in kept for end in ("", "_low", "_high")]
    pd.testing.assert_frame_equal(again.values[kept], report.values[kept])


def test_yes_and_no_exchanged_turn_the_liking_round(answers, report):
    exchanged = answers.assign(
        key=-answers["key"], log_odds=-answers["log_odds"], answer=-answers["answer"]
    )
    again = reliability_report(exchanged, n_boot=200)
    for name in ("acquiescence", "order_bias"):
        assert again.whole.loc[name, "estimate"] == pytest.approx(
            -report.whole.loc[name, "estimate"]
        )
        assert again.whole.loc[name, "low"] == pytest.approx(-report.whole.loc[name, "high"])
    assert again.whole.loc["yes_share", "estimate"] == pytest.approx(
        1 - report.whole.loc["yes_share", "estimate"]
    )
    np.testing.assert_allclose(again.values["alpha"], report.values["alpha"])


def test_the_same_seed_gives_the_same_intervals(answers, report):
    same(reliability_report(answers, n_boot=200), report)
    other = reliability_report(answers, n_boot=200, seed=1)
    assert (other.values["alpha"] == report.values["alpha"]).all()
    assert (other.values["alpha_low"] != report.values["alpha_low"]).all()
    narrow = reliability_report(answers, n_boot=200, level=0.5)
    assert (narrow.values["alpha_low"] > report.values["alpha_low"]).all()


def test_intervals_hold_their_estimate_and_can_be_left_out(answers, report):
    for name in ("alpha", "split_half", "retest_order", "spread", "acquiescence"):
        row = report.values[[f"{name}_low", name, f"{name}_high"]].to_numpy()
        assert (np.diff(row, axis=1) > 0).all()
    without = reliability_report(answers, n_boot=0)
    assert without.values[[f"{name}_low" for name in VALUE_FIGURES]].isna().all(axis=None)
    assert without.whole["low"].isna().all()
    np.testing.assert_allclose(without.values["alpha"], report.values["alpha"])


# generated answers


def test_generated_answers_can_be_unsure_and_have_no_log_odds(answers):
    unsure = np.random.default_rng(0).random(len(answers)) < 0.2
    generated = answers.assign(
        answer=answers["answer"].mask(unsure, 0),
        log_odds=np.nan,
        mass=answers["mass"].mask(unsure),
        format=answers["format"] + ", think",
    )
    report = reliability_report(generated, by="answer", n_boot=100)
    whole = report.whole
    assert report.unknown.empty
    assert whole.loc["unsure", "estimate"] == pytest.approx(unsure.mean())
    assert whole.loc["low_mass", "estimate"] == 0
    assert whole.loc["acquiescence", "unit"] == "share of yes less share of no"
    assert (report.values["alpha"] < reliability_report(answers, by="answer").values["alpha"]).all()
    with pytest.raises(ValueError, match="log_odds is missing.*by='answer'"):
        reliability_report(generated)


def test_low_mass_is_a_share_of_what_was_measured(answers):
    mass = np.where(np.arange(len(answers)) % 4 == 0, 0.2, 0.9)
    mass[::2] = np.nan  # of what is left, none is low
    assert reliability_report(answers.assign(mass=mass), n_boot=0).whole.loc[
        "low_mass", "estimate"
    ] == pytest.approx(0)
    mass[1::4] = 0.1
    assert reliability_report(answers.assign(mass=mass), n_boot=0).whole.loc[
        "low_mass", "estimate"
    ] == pytest.approx(0.5)


# what cannot be told


def gaps(report):
    """Return reasons by figure, and check that just what is NaN has one."""
    for name in VALUE_FIGURES:
        told = set(report.unknown.query("figure == @name and value != ''")["value"])
        assert told == set(report.values.index[report.values[name].isna()])
    whole = set(report.unknown.query("value == ''")["figure"])
    assert whole == set(report.whole.index[report.whole["estimate"].isna()])
    return report.unknown.groupby("figure")["reason"].first().to_dict()


def test_one_format_tells_nothing_of_formats(answers):
    report = reliability_report(answers[answers["format"] == SIX[0].name], n_boot=50)
    reasons = gaps(report)
    assert "PromptFormat('say')" in reasons["retest_wording"] == reasons["paraphrase_effect"]
    assert "PromptFormat(yes_first=False)" in reasons["retest_order"] == reasons["order_bias"]
    assert "one format only" in reasons["role_share"]
    assert set(reasons) == {
        *("retest_wording", "paraphrase_effect", "retest_order", "order_bias"),
        *("role_share", "format_share", "role_format_share"),
    }


def test_items_keyed_one_way_tell_nothing_of_a_liking_for_yes(answers):
    report = reliability_report(answers[answers["key"] == 1], n_boot=50)
    reasons = gaps(report)
    assert set(reasons) == {"acquiescence", "yes_share"}
    assert "keyed one way" in reasons["acquiescence"]
    # A single such value is a gap of its own; the whole instrument is told from the others.
    part = answers[(answers["value"] != "SE") | (answers["key"] == 1)]
    report = reliability_report(part, n_boot=50)
    assert set(report.unknown["value"]) == {"SE"}
    assert report.values.loc["SE", ["positive", "negative"]].tolist() == [4, 0]


def test_a_single_item_has_no_consistency(answers):
    report = reliability_report(answers[answers["item"].isin(["SE1", "CO1", "CO5"])], n_boot=50)
    assert {"alpha", "split_half", "item_correlation"} <= set(gaps(report))
    assert "single item" in gaps(report)["alpha"]
    assert report.values["alpha"].isna().to_dict() == {"SE": True, "CO": False}
    assert report.values.loc["SE", "retest_order"] > 0


def test_a_flat_respondent_has_spread_zero_and_no_correlations(answers):
    report = reliability_report(answers.assign(log_odds=0.3, answer=1), n_boot=50)
    assert (report.values["spread"] == 0).all()
    assert {"alpha", "split_half", "retest_wording", "role_share"} <= set(gaps(report))
    assert "do not vary over roles" in gaps(report)["alpha"]
    assert report.whole.loc["acquiescence", "estimate"] == pytest.approx(0.3)


def test_formats_of_others_are_told_apart_but_not_explained(answers):
    renamed = answers.assign(format=answers["format"].map({f.name: f"mine {i}" for i, f in
                                                           enumerate(SIX)}))  # fmt: skip
    report = reliability_report(renamed, n_boot=50)
    assert "'mine 0'" in gaps(report)["retest_order"]
    assert report.whole.loc["role_share", "estimate"] > 0.5


def test_answers_without_mass_leave_it_untold(answers):
    report = reliability_report(answers.assign(mass=np.nan), n_boot=50)
    assert gaps(report) == {"low_mass": "no mass was recorded"}


# the table, and what is refused


def test_reports_can_be_read(report, answers):
    text = repr(report)
    assert text.startswith("Reliability of simulated: 40 roles, 80 items, 6 format(s)")
    assert "order bias" in text and "not told" not in text
    assert max(map(len, text.splitlines())) <= 120
    html = report._repr_html_()
    assert html.count("<table") == 2 and "<small>" in html
    one = reliability_report(answers[answers["format"] == SIX[0].name], n_boot=50)
    assert "not told: retest order, order bias" in repr(one)
    assert "<li>not told: retest order" in one._repr_html_()
    assert list(report.whole.index) == list(WHOLE_FIGURES)


def test_what_cannot_be_measured_is_refused(answers):
    with pytest.raises(ValueError, match=r"those of 2 role\(s\); this needs at least 3"):
        reliability_report(answers[answers["role"].isin(["role000", "role001"])])
    with pytest.raises(ValueError, match="several models"):
        reliability_report(pd.concat([answers, answers.assign(model="other")]))
    with pytest.raises(ValueError, match="several interventions"):
        reliability_report(pd.concat([answers, answers.assign(intervention="push")]))
    with pytest.raises(ValueError, match="by is 'logits'"):
        reliability_report(answers, by="logits")


def test_statistics_of_answers_wait_for_no_model_library():
    names = ("reliability", "agreement", "gating", "plots")
    code = (
        f"import sys, {', '.join(f'valuegraph.{name}' for name in names)};"
        "print({'torch', 'transformers', 'seaborn', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
