"""Figures of plans show what the tables hold."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.plots.plans import plot_plan, plot_plan_study


def table(checked=True):
    frame = pd.DataFrame(
        {
            "value": ["SE", "SD", "PO", "HE"],
            "part": ["hold", "target", "target", "free"],
            "target": [0.0, 0.8, -0.5, np.nan],
            "predicted": [0.01, 0.8, -0.5, 0.2],
            "predicted_low": [-0.02, 0.7, -0.6, 0.1],
            "predicted_high": [0.04, 0.9, -0.4, 0.3],
        }
    )
    if checked:
        frame = frame.assign(
            way="plan",
            achieved=[0.03, 0.77, -0.48, 0.15],
            low=[0, 0.7, -0.5, 0.1],
            high=[0.05, 0.8, -0.4, 0.2],
        )
    return frame


def labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_targets_come_first_and_hold_their_mark():
    axes = plot_plan(table()).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["SD", "PO", "SE", "HE"]
    marks = next(line for line in axes.lines if line.get_marker() == "|")
    assert list(marks.get_xdata()) == [0.8, -0.5]
    assert [t.get_text() for t in axes.texts] == ["to change", "to hold", "free"]


def test_a_plan_can_be_shown_before_it_is_checked():
    assert labels(plot_plan(table())) == ["target", "predicted", "achieved"]
    plain = table(checked=False).set_index("value")
    plain = plain.rename(columns={"predicted_low": "low", "predicted_high": "high"})
    assert labels(plot_plan(plain)) == ["target", "predicted, with interval"]


def test_several_ways_and_missing_columns_are_refused():
    two = pd.concat([table(), table().assign(way="prompt")])
    with pytest.raises(ValueError, match="several ways"):
        plot_plan(two)
    with pytest.raises(ValueError, match="part"):
        plot_plan(table().drop(columns="part"))


def test_the_study_has_one_point_a_target():
    ways = ("plan", "single feature", "prompt")
    rows = [
        {
            "organism": o,
            "number": i,
            "way": w,
            "at_equal_target": (i + 1) * (1 if w == "plan" else 10),
        }
        for o in ("organism-human", "organism-alien")
        for i in range(5)
        for w in ways
    ]
    figure = plot_plan_study(pd.DataFrame(rows))
    left, right = figure.axes
    points = [line for line in left.lines if line.get_marker() in ("o", "s")]
    assert [len(line.get_xdata()) for line in points] == [5, 5]
    assert np.allclose(points[0].get_xdata() / points[0].get_ydata(), 10)
    assert right.get_xlabel() == "collateral of the prompt"
    with pytest.raises(ValueError, match="lacks the way 'prompt'"):
        plot_plan_study(pd.DataFrame(rows).query("way != 'prompt'"))
