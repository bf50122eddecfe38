"""Graphs with hidden common causes: what is one, and how it is drawn."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from valuegraph.graphs.drawn_edges import DrawnEdge, legend
from valuegraph.graphs.graph import ValueGraph
from valuegraph.graphs.pag import PartialAncestralGraph

SVG = "{http://www.w3.org/2000/svg}"
EDGES = [("a", "->", "b"), ("b", "<->", "c"), ("c", "o->", "d"), ("d", "o-o", "e")]


@pytest.fixture
def graph():
    return PartialAncestralGraph.from_edges(list("abcde"), EDGES)


def test_edges_survive_the_round_trip(graph):
    assert graph.directed_edges == [("a", "b")]
    assert graph.bidirected_edges == [("b", "c")]
    assert graph.half_directed_edges == [("c", "d")]
    assert graph.undirected_edges == [("d", "e")]
    assert graph.n_edges == 4
    assert graph.marks[0, 1] == 2 and graph.marks[1, 0] == 3
    assert not graph.marks.flags.writeable


def test_a_reordered_graph_is_the_same_graph(graph):
    other = graph.reordered(list("edcba"))
    assert other == graph and hash(other) == hash(graph)
    assert other != PartialAncestralGraph.from_edges(list("abcde"), EDGES[:3])


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([("a", "->", "b"), ("b", "->", "c"), ("c", "->", "a")], "directed cycle through a"),
        ([("a", "->", "b"), ("b", "->", "c"), ("a", "<->", "c")], "path of arrows leads from a to"),
        ([("a", "--", "b")], "unknown edge '--'; choose one of o-o, o->, ->, <->"),
        ([("a", "->", "x")], "names a value that is none of a, b, c"),
        ([("a", "->", "b"), ("b", "o-o", "a")], "more than once"),
    ],
)
def test_edges_that_contradict_themselves_are_refused(edges, message):
    with pytest.raises(ValueError, match=message):
        PartialAncestralGraph.from_edges(list("abc"), edges)


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ([[0, 2], [0, 0]], "a mark at one end only"),
        ([[0, 3], [3, 0]], "needs a head"),
        ([[0, 3], [1, 0]], "needs a head"),
        ([[0, 4], [4, 0]], "0 \\(no edge\\), 1"),
        ([[1, 0], [0, 0]], "edge to itself: a"),
        (np.zeros((3, 3)), "shape \\(2, 2\\)"),
    ],
)
def test_marks_that_make_no_sense_are_refused(marks, message):
    with pytest.raises(ValueError, match=message):
        PartialAncestralGraph(("a", "b"), marks)


def test_every_mark_is_drawn_and_said(graph):
    picture = ElementTree.fromstring(graph._repr_svg_())
    assert len(picture.findall(f"{SVG}line")) == 4
    assert len(picture.findall(f"{SVG}polygon")) == 1 + 2 + 1
    assert len(picture.findall(f"{SVG}circle")) == 1 + 2  # nodes stand in groups
    words = picture.find(f"{SVG}desc").text
    for each in ("a → b", "b ↔ c", "c o→ d", "d o—o e", "hidden common cause"):
        assert each in words


def test_frequency_sets_width_and_opacity_and_has_a_legend():
    often = {("a", "b"): 1.0, ("c", "b"): 0.8}
    graph = ValueGraph.from_edges(
        list("abc"), directed=[("a", "b")], undirected=[("b", "c")], info={"edge_frequency": often}
    )
    picture = ElementTree.fromstring(graph._repr_svg_())
    lines = picture.findall(f"{SVG}line")
    thin, thick = lines[0], lines[1]  # undirected first
    assert float(thick.get("stroke-width")) == 4 and thick.get("stroke-opacity") is None
    assert float(thin.get("stroke-width")) == pytest.approx(2.8)
    assert float(thin.get("stroke-opacity")) == pytest.approx(0.76)
    texts = {text.text for text in picture.iter(f"{SVG}text")}
    assert {"found in resamples:", "80%", "90%", "100%"} <= texts
    assert len(lines) == 2 + 3  # the key has a line per level
    assert "a → b (100%)" in picture.find(f"{SVG}desc").text


def test_without_frequencies_there_is_no_legend():
    assert legend([DrawnEdge("a", "b")], (0, 0)) == []
    assert DrawnEdge("a", "b").width == 2 and DrawnEdge("a", "b").opacity == 1
    widths = [DrawnEdge("a", "b", frequency=f).width for f in (0.3, 0.5, 0.7, 1.0)]
    assert widths == sorted(widths) and widths[0] == widths[1] < widths[2] < widths[3]


def test_some_of_the_values_keep_their_edges():
    graph = ValueGraph.from_edges(list("abc"), directed=[("a", "b")], undirected=[("b", "c")])
    assert graph.among(["b", "a"]).directed_edges == [("a", "b")]
    with pytest.raises(ValueError, match="'x' is none of the values a, b, c"):
        graph.among(["x"])
