"""Figures hold the numbers of their tables, in the right place."""

import numpy as np
import pandas as pd
import pytest

from valuegraph import plots
from valuegraph.style import figure_in_style

VALUES = ["PO", "AC", "SE", "ST"]  # SE, ST, AC, PO on the circle


@pytest.fixture
def scores():
    return pd.DataFrame(np.random.default_rng(0).standard_normal((60, 4)), columns=VALUES)


def table(*estimates, index=tuple("abcd"), half=0.5):
    estimates = np.array(estimates, dtype=float)
    columns = {"estimate": estimates, "low": estimates - half, "high": estimates + half}
    return pd.DataFrame(columns, list(index)[: len(estimates)])


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def points(axes, label):
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return line.get_xydata()


def test_scores_have_a_violin_a_value(scores):
    (axes,) = plots.plot_scores(scores, unit="logits").axes
    assert labels(axes.yaxis) == ["Security", "Stimulation", "Achievement", "Power"]
    assert (axes.get_xlabel(), axes.get_title()) == ("logits", "60 roles")
    violin = axes.collections[2].get_paths()[0].vertices[:, 0]
    assert violin.max() == pytest.approx(scores["AC"].max())  # none beyond the scores


def test_correlations_stand_in_their_cells(scores):
    axes, bar = plots.plot_correlation(scores.corr(), title="all").axes
    assert labels(axes.xaxis) == labels(axes.yaxis) == ["SE", "ST", "AC", "PO"]
    written = {t.get_position(): t.get_text() for t in axes.texts if t.get_text()}
    assert len(written) == 12 and (0.5, 0.5) not in written
    assert written[1.5, 0.5] == f"{scores.corr().loc['SE', 'ST']:.2f}"
    assert axes.get_title() == "all" and "r" in bar.get_ylabel()


def test_intervals_stand_in_rows_with_the_truth_by_label():
    truth = pd.Series({"c": 3.1, "a": 0.9, "b": 2.2, "elsewhere": 7})
    figure = plots.plot_intervals(table(1, 2, 3), truth=truth, xlabel="SD")
    (axes,) = figure.axes
    assert points(axes, "measured, with interval").tolist() == [[1, 0], [2, 1], [3, 2]]
    assert points(axes, "true").tolist() == [[0.9, 0], [2.2, 1], [3.1, 2]]
    assert axes.collections[0].get_segments()[1].tolist() == [[1.5, 1], [2.5, 1]]
    assert labels(axes.yaxis) == ["a", "b", "c"] and axes.get_xlabel() == "SD"
    assert axes.yaxis_inverted()
    in_order = plots.plot_intervals(table(1, 2, 3), truth=[0.9, 2.2, 3.1]).axes[0]
    assert (points(in_order, "true") == points(axes, "true")).all()


def test_tables_with_common_rows_stand_side_by_side_others_below_each_other():
    with figure_in_style() as (_, axes):
        plots.draw_intervals(axes, {"one": table(1, 2), "two": table(3, 4)})
    one, two = points(axes, "one"), points(axes, "two")
    assert (two[:, 1] - one[:, 1]).tolist() == pytest.approx([0.24, 0.24])
    with figure_in_style() as (_, axes):
        plots.draw_intervals(axes, {"one": table(1, 2), "two": table(3, index="z")})
    assert points(axes, "two").tolist() == [[3, 2]] and labels(axes.yaxis) == ["a", "b", "z"]


def test_more_tables_than_colours_and_tables_without_estimates_are_refused():
    with figure_in_style() as (_, axes):
        with pytest.raises(ValueError, match="shorter"):
            plots.draw_intervals(axes, {str(k): table(k) for k in range(6)})
        with pytest.raises(KeyError, match="estimate"):
            plots.draw_intervals(axes, {"": table(1)[["low", "high"]]})


@pytest.fixture
def effects():
    rows = [(i, v, k - 3) for k, (i, v) in enumerate((i, v) for i in "pq" for v in VALUES)]
    effects = pd.DataFrame(rows, columns=["intervention", "value", "effect"])
    return effects.assign(low=effects["effect"] - 0.9, high=effects["effect"] + 0.9)


def test_a_heat_map_shows_effects_predictions_and_intervals_that_hold_0(effects):
    predicted = pd.DataFrame(-9.0, ["q", "p"], VALUES).mask(np.eye(2, 4, dtype=bool))
    figure = plots.plot_heatmap(effects, predicted=predicted, unit="points")
    measured, beside, bar = figure.axes
    assert [axes.get_title() for axes in (measured, beside)] == ["measured", "predicted"]
    assert labels(measured.xaxis) == ["SE", "ST", "AC", "PO"]
    assert labels(measured.yaxis) == ["p", "q"] and bar.get_ylabel() == "points"
    written = {t.get_position(): t.get_text() for t in measured.texts}
    assert written[0.5, 0.5] == "−1.0" and written[1.5, 0.5] == "0.0"  # p: SE, ST
    (dots,) = measured.lines
    assert dots.get_xydata().astype(int).tolist() == [[1, 0]]
    assert len([t for t in beside.texts if t.get_text()]) == 6  # two are not known
    assert measured.collections[0].get_clim() == beside.collections[0].get_clim() == (-9, 9)
    assert len(plots.plot_heatmap(effects, numbers=False).axes[0].texts) == 0
