"""Figures of changes on a graph."""

import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex

from valuegraph.palette import DIVERGING_MAP
from valuegraph.plots.on_graph import plot_on_graph

EDGES = [("AC", "PO"), ("SE", "AC")]
CHANGES = {
    "seen": pd.Series({"SE": 1.0, "AC": 2.0, "PO": -1.0}),
    "set": pd.Series({"AC": 2.0, "SE": 0.0, "PO": -0.04}),
}


def arrows(axes):
    """Line styles of the arrows."""
    drawn = [text.arrow_patch for text in axes.texts if getattr(text, "arrow_patch", None)]
    return [patch.get_linestyle() for patch in drawn]


def test_every_value_carries_its_change():
    figure = plot_on_graph(CHANGES, EDGES)
    seen, later = figure.axes[:2]
    assert [axes.get_title() for axes in (seen, later)] == ["seen", "set"]
    said = {text.get_text() for text in seen.texts}
    assert {"SE", "AC", "PO", "+1.0", "+2.0", "−1.0"} <= said
    assert "0" in {text.get_text() for text in later.texts}
    assert not any("0.0" in text.get_text() for text in later.texts)


def test_colours_are_on_one_scale_with_white_at_zero():
    figure = plot_on_graph(CHANGES, EDGES)
    colours = [[to_hex(p.get_facecolor()) for p in axes.patches] for axes in figure.axes[:2]]
    # Nodes are drawn in the order of the first panel's values.
    first, second = (dict(zip(CHANGES["seen"].index, shown, strict=True)) for shown in colours)
    assert first["AC"] == second["AC"]  # 2 in both
    assert second["SE"] == to_hex(colormaps[DIVERGING_MAP](0.5))
    assert len({first["SE"], first["AC"], first["PO"]}) == 3
    assert figure.axes[-1].get_ylabel() == "change (log-odds)"


def test_arrows_to_a_value_that_is_set_are_dashed():
    figure = plot_on_graph(CHANGES, EDGES, held={"set": "AC"})
    assert arrows(figure.axes[0]) == ["-", "-"]
    assert arrows(figure.axes[1]) == ["-", ":"]
    rings = [patch.get_linewidth() for patch in figure.axes[1].patches]
    assert rings.count(3.0) == 1


@pytest.mark.parametrize(
    ("changes", "edges", "held", "message"),
    [
        ({}, EDGES, {}, "nothing to draw"),
        (CHANGES | {"third": pd.Series({"SE": 1.0})}, EDGES, {}, "third.*other values"),
        (CHANGES, [("AC", "XX")], {}, "'XX' is none of the values"),
        (CHANGES, EDGES, {"set": "XX"}, "'XX' is none of the values"),
        (CHANGES, EDGES, {"sat": "AC"}, "'sat' is the title of no panel"),
    ],
)
def test_what_cannot_be_drawn_is_refused(changes, edges, held, message):
    with pytest.raises(ValueError, match=message):
        plot_on_graph(changes, edges, held=held)
