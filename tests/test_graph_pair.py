"""Two graphs beside each other differ where they do."""

from xml.etree import ElementTree

import numpy as np
import pytest
from book_support import plot_graph_comparison

from valuegraph.graph import ValueGraph
from valuegraph.style import EDGE_COLOURS

VALUES = ["PO", "AC", "SE", "ST"]


def two_graphs():
    a = np.array([[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]])
    b = np.array([[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]])
    return (ValueGraph.from_adjacency(tuple(VALUES), x) for x in (a, b))


def test_edges_of_two_graphs_have_the_colour_of_their_kind():
    truth, guess = two_graphs()  # PO -> AC in both; PO -> SE; SE -> ST; AC - ST and ST -> AC
    drawing = plot_graph_comparison(truth, guess, names=("R & D", "found"))
    root = ElementTree.fromstring(drawing._repr_svg_())
    svg = "{http://www.w3.org/2000/svg}"
    kinds = {}
    for graph in root.findall(svg + "svg"):
        for group in graph.iter(svg + "g"):
            if group.get("class") == "edge":
                kinds[group.find(svg + "title").text] = group.find(svg + "path").get("stroke")
    assert kinds == {
        "PO → AC": EDGE_COLOURS["shared"],
        "PO → SE": EDGE_COLOURS["missing"],
        "SE → ST": EDGE_COLOURS["extra"],
        "AC — ST": EDGE_COLOURS["turned"],
        "ST → AC": EDGE_COLOURS["turned"],
    }
    texts = [text.text for text in root.findall(svg + "text")]
    assert texts[:2] == ["R & D: 3 edges", "found: 3 edges"]
    assert "in both (1)" in texts and "only in R & D (1)" in texts
    with pytest.raises(ValueError, match="same values"):
        plot_graph_comparison(truth, guess.among(VALUES[:2]))


def test_a_graph_beside_itself_differs_nowhere():
    graph, _ = two_graphs()
    svg = plot_graph_comparison(graph, graph.among(sorted(VALUES))).svg
    for text in ("in both", "in both, direction differs", "only in truth", "only in guess"):
        assert f">{text} ({3 if text == 'in both' else 0})<" in svg
