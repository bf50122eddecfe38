"""Agreement: equal answers agree, known disagreement is found, other cells are refused."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.agreement import AGREEMENT_FIGURES, agreement_report
from valuegraph.answers import score_answers
from valuegraph.asking.prompts import PromptFormat

BOTH_ORDERS = [PromptFormat(), PromptFormat(yes_first=False)]


@pytest.fixture(scope="module")
def read(simulate):
    return simulate(formats=BOTH_ORDERS)


def generated(read, answer, **columns):
    """Answers of the other mode in the same cells: no log-odds, and a thought asked for."""
    return read.assign(
        answer=np.asarray(answer, np.int8), log_odds=np.nan, format=read["format"] + ", think"
    ).assign(**columns)


@pytest.fixture(scope="module")
def said(read):
    """One answer in ten is the opposite, one in twenty unsure."""
    rng = np.random.default_rng(0)
    other = np.where(rng.random(len(read)) < 0.1, -read["answer"], read["answer"])
    return generated(read, np.where(rng.random(len(read)) < 0.05, 0, other))


@pytest.fixture(scope="module")
def report(read, said):
    return agreement_report(read, said, n_boot=200)


def test_the_same_answers_agree_in_everything(read):
    report = agreement_report(read, generated(read, read["answer"]), n_boot=20)
    assert (report.values[["sign_differs", "unsure"]] == 0).all(axis=None)
    np.testing.assert_allclose(report.values["kappa"], 1)
    assert (report.values["score_correlation"] > 0.85).all()
    assert report.unknown.empty


def test_opposite_answers_disagree_in_everything(read):
    report = agreement_report(read, generated(read, -read["answer"]), n_boot=0)
    assert (report.values["sign_differs"] == 1).all() and (report.values["kappa"] < -0.8).all()
    assert (report.values["score_correlation"] < -0.85).all()
    assert (report.values["answer_correlation"] < -0.5).all()


def test_known_disagreement_is_found(report):
    assert report.whole.loc["sign_differs", "estimate"] == pytest.approx(0.1, abs=0.01)
    assert report.whole.loc["unsure", "estimate"] == pytest.approx(0.05, abs=0.01)
    for name in ("sign_differs", "unsure"):
        row = report.whole.loc[name]
        assert row["low"] < row["estimate"] < row["high"] < row["low"] + 0.03


def test_independent_answers_have_kappa_near_zero(read):
    coins = np.random.default_rng(1).choice([-1, 1], len(read))
    whole = agreement_report(read, generated(read, coins), n_boot=200).whole
    for name in ("kappa", "answer_correlation"):
        assert whole.loc[name, "low"] < 0.02 and whole.loc[name, "high"] > -0.02


def test_figures_are_those_of_the_textbook(read, said, report):
    for value in ("SE", "PO"):
        a, b = (table[table["value"] == value] for table in (read, said))
        row = report.values.loc[value]
        cells = ["role", "item", "order"]
        a = a.assign(order=a["format"]).set_index(cells)
        b = b.assign(order=b["format"].str.removesuffix(", think")).set_index(cells)
        first, second = a["answer"], b["answer"].loc[a.index]
        log_odds = a["log_odds"]
        assert row["answer_correlation"] == pytest.approx(np.corrcoef(log_odds, second)[0, 1])
        sure = second != 0
        table = pd.crosstab(first[sure], second[sure], normalize=True).to_numpy()
        by_chance = table.sum(axis=0) @ table.sum(axis=1)
        assert row["sign_differs"] == pytest.approx(1 - np.trace(table))
        assert row["kappa"] == pytest.approx((np.trace(table) - by_chance) / (1 - by_chance))
        assert row["unsure"] == pytest.approx(1 - sure.mean())
        scores = [score_answers(read), score_answers(said, by="answer").loc[read["role"].unique()]]
        r = np.corrcoef(scores[0][value], scores[1][value])[0, 1]
        assert row["score_correlation"] == pytest.approx(r)
    mean = report.values["score_correlation"].mean()
    assert report.whole.loc["score_correlation", "estimate"] == pytest.approx(mean)


def test_order_of_rows_and_name_of_the_format_change_nothing(read, said, report):
    mixed = said.assign(format=said["format"].str.removesuffix(", think")).sample(
        frac=1, random_state=0
    )
    again = agreement_report(read.sample(frac=1, random_state=1), mixed, n_boot=200)
    pd.testing.assert_frame_equal(again.values.loc[report.values.index], report.values)
    assert again.formats == report.formats


def test_a_single_answer_to_everything_leaves_much_untold(read):
    report = agreement_report(read, generated(read, np.ones(len(read))), n_boot=20)
    assert report.values["score_correlation"].isna().all()
    assert report.values["answer_correlation"].isna().all()
    np.testing.assert_allclose(report.values["kappa"], 0, atol=1e-12)
    assert set(report.unknown["figure"]) == {"score_correlation", "answer_correlation"}
    assert len(report.unknown) == 2 * 11
    all_yes = agreement_report(
        read.assign(answer=1), generated(read, np.ones(len(read))), n_boot=20
    )
    assert all_yes.values["kappa"].isna().all() and (all_yes.values["sign_differs"] == 0).all()
    none = agreement_report(read, generated(read, np.zeros(len(read))), n_boot=20)
    assert none.values["sign_differs"].isna().all() and (none.values["unsure"] == 1).all()
    assert "no answer of which both kinds are sure" in repr(none)


def test_reports_can_be_read(report):
    text = repr(report)
    assert text.startswith(
        "Log-odds against generated answers of simulated: 40 roles, 6400 answers"
    )
    assert all(name in text for name in AGREEMENT_FIGURES.values()) and "-0.00" not in text
    assert report._repr_html_().count("<table") == 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda g: g[g["role"] != "role007"],
            r"generated answers lack 1 role\(s\), first 'role007'",
        ),
        (
            lambda g: g[~g["item"].isin(["ST3", "ST4"])],
            r"generated answers lack 2 item\(s\), first 'ST3'",
        ),
        (
            lambda g: g[g["format"] == "answer, no first, think"],
            r"generated answers lack 1 format\(s\), first 'answer, yes first'",
        ),
        (
            lambda g: pd.concat([g, g[g["item"] == "ST1"].assign(item="ST9")]),
            r"log-odds lack 1 item\(s\), first 'ST9'",
        ),
        (
            lambda g: g.assign(key=g["key"].where(g["item"] != "SE2", -g["key"])),
            "item 'SE2' has another value or key",
        ),
        (lambda g: g.assign(model="other"), "log-odds are those of simulated, .* those of other"),
        (lambda g: g.drop(g.index[5]), "1 of 6400 answers are missing"),
        (lambda g: g.drop(columns="answer"), "column answer is missing"),
    ],
)
def test_other_cells_are_refused(read, said, spoil, message):
    with pytest.raises(ValueError, match=message):
        agreement_report(read, spoil(said))


def test_log_odds_must_be_there(read, said):
    with pytest.raises(ValueError, match="log_odds is missing in 6400 of 6400"):
        agreement_report(said, said)


def test_formats_that_differ_only_in_the_thought_cannot_be_matched(read, said):
    both = pd.concat([read, read.assign(format=read["format"] + ", think")])
    with pytest.raises(ValueError, match="differ only in the thought.*one format at a time"):
        agreement_report(both, said)
    # Where the names are the same, there is nothing to match.
    assert len(agreement_report(both, both, n_boot=0).formats) == 4
