"""Figures of side effects: what is shown is what was found, and nothing is left behind."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

from valuegraph.palette import ROLE_COLOURS
from valuegraph.plots.side_effects import (
    KINDS,
    kind_of,
    plot_predicted,
    plot_skill,
    plot_skill_by_size,
)
from valuegraph.steering.side_effects import CEILING


@pytest.fixture
def skills():
    one = pd.DataFrame(
        {"skill": [0.9, 0.5, -3.0, 0.0, 0.95], "low": [0.8, 0.3, -4.0, 0.0, 0.9]},
        ["true effects", "graph", "correlation", "nothing", CEILING],
    )
    one["high"] = one["skill"] + 0.05
    return {"one": one, "two": one.drop(index=["true effects", CEILING])}


@pytest.fixture
def pairs():
    return pd.DataFrame(
        {
            "target": ["a", "a", "b"],
            "value": ["b", "c", "a"],
            "measured": [0.5, 0.2, 0.0],
            "graph": [0.4, 0.2, 0.0],
            "correlation": [0.5, 0.2, 0.5],
        }
    )


def marks(axes, marker):
    return [line for line in axes.get_lines() if line.get_marker() == marker]


def test_each_row_is_a_predictor_with_its_skill_and_interval(skills):
    figure = plot_skill(skills)
    first, second = figure.axes[:2]
    assert [label.get_text() for label in first.get_yticklabels()] == [
        "true effects",
        "graph",
        "correlation",
    ]
    (truth,) = marks(first, KINDS["true"][2])
    assert (truth.get_xdata()[0], truth.get_ydata()[0]) == (0.9, 0)
    (graph,) = marks(second, KINDS["graph"][2])
    assert (graph.get_xdata()[0], graph.get_ydata()[0]) == (0.5, 1)
    ends = [tuple(bar.get_segments()[0][:, 0]) for bar in first.collections]
    assert (0.3, 0.55) in ends
    assert not marks(second, KINDS["true"][2])


def test_skill_off_the_page_is_an_arrow_and_the_ceiling_a_line(skills):
    first, second = plot_skill(skills).axes[:2]
    (arrow,) = marks(first, "<")
    assert arrow.get_xdata()[0] == first.get_xlim()[0] + 0.05

    def dotted(axes):
        return [line for line in axes.get_lines() if line.get_linestyle() == ":"]

    assert dotted(first)[0].get_xdata() == [0.95, 0.95] and not dotted(second)
    told = {text.get_text() for text in first.figure.legends[0].get_texts()}
    assert told == {*(label for label, _, _ in KINDS.values()), CEILING}


def test_predictors_can_be_chosen_and_named(skills):
    axes = plot_skill(skills, predictors={"correlation": "r", "graph": "G"}).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["r", "G"]


def test_points_are_crosses_where_nothing_follows(pairs):
    descends = pd.DataFrame(np.triu(np.ones((3, 3)), 1) > 0, list("abc"), list("abc"))
    figure = plot_predicted(pairs, descends=descends)
    graph, correlation = figure.axes[:2]
    follows, other = correlation.collections
    assert follows.get_offsets().tolist() == [[0.5, 0.5], [0.2, 0.2]]
    assert other.get_offsets().tolist() == [[0.5, 0.0]]
    assert graph.get_title() == "graph"
    (all_points,) = plot_predicted(pairs).axes[0].collections
    assert len(all_points.get_offsets()) == 3


def test_skill_by_size_has_a_line_and_a_band_for_each_predictor():
    sizes = pd.DataFrame(
        {
            "respondent": "one",
            "n": [1000, 100, 100, 1000],
            "predictor": ["graph", "graph", "correlation", "correlation"],
            "skill": [0.6, 0.2, 0.3, 0.3],
            "low": [0.5, 0.1, 0.2, 0.2],
            "high": [0.7, 0.4, 0.4, 0.4],
        }
    )
    axes = plot_skill_by_size(sizes).axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines["graph"].get_xdata()) == [100, 1000]
    assert list(lines["graph"].get_ydata()) == [0.2, 0.6]
    assert len(axes.collections) == 2
    assert lines["graph"].get_color() == ROLE_COLOURS["estimate"]


def test_kinds_follow_from_names():
    assert [kind_of(name) for name in ("true class", "LiNGAM graph", "people")] == list(KINDS)


def test_no_figure_is_left_behind(skills, pairs):
    import matplotlib.pyplot as plt

    plot_skill(skills)
    plot_predicted(pairs)
    assert plt.get_fignums() == []


def test_without_anything_to_show_there_is_no_figure(skills, pairs):
    with pytest.raises(ValueError, match="no skill to plot"):
        plot_skill({})
    with pytest.raises(ValueError, match="'one' has none of the predictors map"):
        plot_skill(skills, predictors=["map"])
    with pytest.raises(ValueError, match="no predictor map"):
        plot_predicted(pairs, ["map"])
    empty = pd.DataFrame(columns=["respondent", "n", "predictor", "skill", "low", "high"])
    with pytest.raises(ValueError, match="no skills of graph"):
        plot_skill_by_size(empty, ["graph"])
