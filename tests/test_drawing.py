"""Drawings: every value and edge is drawn, and told in words."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from valuegraph.drawing import circle_positions, draw
from valuegraph.inventory import SCHWARTZ_ORDER

EDGES = [("SE", "→", "CO"), ("CO", "—", "BE"), ("PO", "o→", "AC"), ("AC", "o—o", "HE")]
EDGES += [("ST", "↔", "HE")]


@pytest.mark.parametrize("layout", ["circle", "layers"])
def test_values_edges_and_marks_are_drawn_and_told(layout):
    svg = draw(SCHWARTZ_ORDER, EDGES, layout, "a caption").svg
    root = ElementTree.fromstring(svg)
    label = root.get("aria-label")
    assert (
        root.get("role") == "img" and "5 edges over 10 values. a caption. Edges: SE → CO" in label
    )
    titles = re.findall("<title>(.*?)</title>", svg)
    assert {"SE → CO", "CO — BE", "PO o→ AC", "ST ↔ HE", "Security (Conservation)"} <= set(titles)
    assert svg.count("<polygon") == 4 and svg.count("<ellipse") == 10 + 3  # heads; values, circles
    assert " id=" not in svg and ">a caption</text>" in svg
    assert svg == draw(SCHWARTZ_ORDER, EDGES, layout, "a caption").svg


def test_the_width_of_a_line_is_how_often_it_was_found():
    svg = draw(
        ("a", "b", "c"),
        [("a", "→", "b"), ("c", "—", "b")],
        frequency={("b", "a"): 1, ("b", "c"): 0.75},
    ).svg
    assert "a → b (100%)" in svg and "c — b (75%)" in svg
    widths = re.findall('<path.*?stroke-width="(.*?)".*?/>', svg)
    assert sorted(map(float, widths)) == [2.5, 4]


def test_schwartz_values_keep_their_places():
    all_ten, few = circle_positions(SCHWARTZ_ORDER), circle_positions(("PO", "SE"))
    assert few["PO"] == all_ten["PO"] and few["SE"] == pytest.approx((0, -1))
    assert circle_positions(("x", "y"))["x"] == pytest.approx((0, 1))
    assert np.allclose([np.hypot(*place) for place in all_ten.values()], 1)


def test_odd_names_are_drawn_as_they_are():
    svg = draw(("do(a:b)", "x<y", "long name"), [("do(a:b)", "→", "x<y")]).svg
    assert "do(a:b) → x&lt;y" in ElementTree.fromstring(svg).get("aria-label").replace("<", "&lt;")
    assert ">x&lt;y</text>" in svg and ">do(a:b)</text>" in svg


def test_without_graphviz_the_edges_are_told_with_a_hint(monkeypatch):
    monkeypatch.setenv("PATH", "")
    svg = draw(("a", "b"), [("a", "→", "b")])._repr_svg_()
    assert "a → b" in svg and "install the program Graphviz" in svg
    ElementTree.fromstring(svg)


def test_an_unknown_layout_is_refused():
    with pytest.raises(ValueError, match="unknown layout 'tree'"):
        draw(("a", "b"), [], "tree")
