"""Figures of effects over levels."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.plots.levels import plot_levels

LEVELS = (-1.0, 0.5, 2.0)


def table(slopes):
    rows = [
        {"level": x, "value": value, "effect": s * x, "low": s * x - 0.1, "high": s * x + 0.1}
        for value, s in slopes.items()
        for x in LEVELS
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def effects():
    return {"set": table({"AC": 1.5, "SE": 0.0}), "nudged": table({"AC": 0.5, "SE": 0.1})}


def test_each_value_has_a_panel_with_both_kinds(effects):
    figure = plot_levels(effects, marked=["AC"])
    shown = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in shown] == ["SE", "AC"]
    assert [axes.title.get_fontweight() for axes in shown] == ["normal", "bold"]
    points = {line.get_label(): line.get_ydata() for line in shown[1].lines}
    assert np.allclose(points["set"], [-1.5, 0.75, 3.0])
    assert np.allclose(points["nudged"], [-0.5, 0.25, 1.0])


def test_the_truth_is_a_line_of_the_kind_that_has_one(effects):
    truth = pd.DataFrame({"AC": [-2.0, 4.0], "SE": [0.0, 0.0]}, index=[-1.0, 2.0])
    figure = plot_levels(effects, truth={"set": truth})
    lines = [line for line in figure.axes[1].lines if line.get_label() == "true effect"]
    assert len(lines) == 1
    assert np.allclose(lines[0].get_xydata(), [[-1, -2], [2, 4]])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["set", "true effect", "nudged"]


def test_what_cannot_be_drawn_is_refused(effects):
    one = effects["set"]
    with pytest.raises(ValueError, match="one or two kinds .* got 0"):
        plot_levels({})
    with pytest.raises(ValueError, match="two effects on AC at level -1.0"):
        plot_levels({"set": pd.concat([one, one])})
    with pytest.raises(ValueError, match="set and nudged have effects on different values"):
        plot_levels({"set": one, "nudged": one[one["value"] == "AC"]})
    with pytest.raises(ValueError, match="low"):
        plot_levels({"set": one.drop(columns="low")})
