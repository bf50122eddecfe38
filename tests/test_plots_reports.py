"""Figures of reports: what was measured is what is shown, and nothing is clipped."""

import io

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from valuegraph import plots
from valuegraph.agreement import agreement_report
from valuegraph.asking.prompts import WORDINGS, PromptFormat
from valuegraph.gating import check_spread
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.palette import PAIR_COLOURS, contrast
from valuegraph.reliability import reliability_report

SIX = [PromptFormat(w, yes_first) for w in WORDINGS for yes_first in (True, False)]
LONG = dict.fromkeys(("SE", "ST"), "Breadth of Interest") | {"ST": "Uncertainty Avoidance"}


@pytest.fixture(scope="module")
def answers(simulate):
    return simulate(formats=SIX, role_format=0.3, noise=2.0).iloc[::-1]


@pytest.fixture(scope="module")
def report(answers):
    return reliability_report(answers, n_boot=50)


@pytest.fixture(scope="module")
def every_figure(answers, report):
    long = answers[answers["value"].isin(LONG)]
    long = long.assign(value=long["value"].map(LONG), model="meta-llama/Meta-Llama-3-8B-Instruct")
    long_report = reliability_report(long, by="answer", n_boot=50)
    one_format = reliability_report(answers[answers["format"] == SIX[0].name], n_boot=50)
    return {
        "reliability": plots.plot_reliability(report),
        "reliability, long names": plots.plot_reliability(long_report),
        "reliability, one format": plots.plot_reliability(one_format),
        "variance shares": plots.plot_variance_shares(report),
        "biases": plots.plot_biases(report, truth={"acquiescence": 0.4, "order_bias": 0.25}),
        "agreement": plots.plot_agreement(agreement_report(answers, answers, n_boot=50)),
        "spread": plots.plot_spread(check_spread(answers)),
        "spread, by answer": plots.plot_spread(check_spread(long, by="answer")),
    }


def test_figures_are_as_wide_as_a_page_and_nothing_is_cut_off(every_figure):
    for name, figure in every_figure.items():
        width, _ = figure.get_size_inches() * figure.dpi
        assert width <= 700, name
        file = io.BytesIO()
        figure.savefig(file, format="rgba")
        picture = np.frombuffer(file.getvalue(), dtype=np.uint8).reshape(-1, round(width), 4)
        edge = [picture[0], picture[-1], picture[:, 0], picture[:, -1]]
        assert all((side == 255).all() for side in edge), name
        assert (picture[..., :3].max(axis=2) < 100).sum() > 100, name


def test_no_figure_is_left_behind(every_figure):
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []


def test_every_axis_is_labelled(every_figure):
    for name, figure in every_figure.items():
        assert all(axes.get_xlabel() for axes in figure.axes), name
    panels = every_figure["reliability"].axes
    assert [axes.get_xlabel() for axes in panels] == [
        "consistency of items",
        "retest correlation r",
        "log-odds",
    ]


def points(axes, label):
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return line.get_xdata()


def test_points_stand_where_the_report_has_them(every_figure, report):
    rows = list(SCHWARTZ_ORDER)  # whatever the order of the answers
    panels = every_figure["reliability"].axes
    assert [tick.get_text() for tick in panels[0].get_yticklabels()] == rows
    np.testing.assert_allclose(points(panels[0], "split half"), report.values["split_half"][rows])
    np.testing.assert_allclose(
        points(panels[1], "other order"), report.values["retest_order"][rows]
    )
    (bars,) = [c for c in every_figure["variance shares"].axes[0].containers
               if c.get_label() == "role"]  # fmt: skip
    np.testing.assert_allclose([bar.get_width() for bar in bars], report.values["role_share"][rows])
    biases = every_figure["biases"].axes[0]
    np.testing.assert_allclose(
        points(biases, "measured, with interval"),
        report.whole["estimate"][["acquiescence", "order_bias", "paraphrase_effect"]],
    )
    np.testing.assert_allclose(points(biases, "true bias"), [0.4, 0.25, np.nan])


def test_intervals_are_drawn_from_end_to_end(every_figure, report):
    lines = every_figure["reliability"].axes[2].collections[0].get_segments()
    ends = np.array([[segment[0][0], segment[1][0]] for segment in lines])
    expected = report.values.loc[list(SCHWARTZ_ORDER), ["acquiescence_low", "acquiescence_high"]]
    np.testing.assert_allclose(ends, expected)


def test_what_could_not_be_told_is_left_out(every_figure, answers):
    retest = every_figure["reliability, one format"].axes[1]
    assert [text.get_text() for text in retest.texts] == ["not told"]
    one_format = reliability_report(answers[answers["format"] == SIX[0].name], n_boot=0)
    with pytest.raises(ValueError, match="ask the same roles in several formats"):
        plots.plot_variance_shares(one_format)


def test_coefficients_far_below_zero_become_arrows(report):
    from dataclasses import replace

    values = report.values.copy()
    values.loc["SE", ["alpha_low", "alpha", "alpha_high"]] = [-9, -3, -2]
    axes = plots.plot_reliability(replace(report, values=values)).axes[0]
    (arrow,) = [line for line in axes.lines if line.get_marker() == "<" and len(line.get_xdata())]
    assert arrow.get_xdata() == [-1] and axes.get_xlim()[0] > -1.2
    assert len(points(axes, "Cronbach's alpha")) == 9


def test_a_failed_check_has_another_mark(answers):
    faint = answers.assign(log_odds=answers["log_odds"].where(answers["value"] != "TR", 0.1))
    left, right = plots.plot_spread(check_spread(faint)).axes
    np.testing.assert_allclose(points(left, "failed"), [0])
    assert len(points(left, "passed")) == 10 and len(points(right, "passed")) == 3


def test_the_two_colours_of_a_panel_stand_out():
    assert all(contrast(colour, "#FFFFFF") >= 3 for colour in PAIR_COLOURS)
    assert len(set(PAIR_COLOURS)) == 2
