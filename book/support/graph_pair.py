"""Two graphs beside each other, with the edges marked on which they agree and differ."""

import re
from html import escape

import numpy as np

from valuegraph import compare_graphs, style
from valuegraph.drawing import Drawing
from valuegraph.graph import ValueGraph

_DASHES = {"shared": "none", "turned": "9,3,2,3", "missing": "7,4", "extra": "2,3"}
_EDGE = re.compile(r'<g class="edge">\s<title>(.*?)(?: \(\d+%\))?</title>.*?</g>', re.DOTALL)
#: White behind two graphs, and pale values: colour speaks of edges, not of groups. Letters can
#: be read on a telephone, which leaves no room for the captions of the graphs.
_PALE = """<rect width="100%" height="100%" fill="white"/><style>.pair > text {font: 18px Helvetica}
.pair .node :not(text) {fill: #e4e4e4} .pair .node text {fill: black}
.pair .graph > text {display: none} .pair {max-width: 100%; height: auto}</style>"""


def plot_graph_comparison(
    truth: ValueGraph, guess: ValueGraph, *, names: tuple[str, str] = ("truth", "guess")
) -> Drawing:
    """Show two graphs side by side on the circle, and where their edges agree.

    Parameters
    ----------
    truth, guess : ValueGraph
        Graphs over the same values.
    names : tuple of str
        What the two graphs are, for their titles.
    """
    found, graphs = compare_graphs(truth, guess), (truth, guess.among(truth.values))
    turned = (*found.reversed, *found.undirected, *found.directed)
    edges = dict(zip(_DASHES, (found.agreed, turned, found.missing, found.extra), strict=True))
    only = [f"only in {escape(name)}" for name in names]
    texts = ["in both", "in both, direction differs", *only]
    kinds = {frozenset(edge): kind for kind, some in edges.items() for edge in some}
    every = [edge for graph in graphs for edge in graph.edges]
    titles = {escape(f"{a} {link} {b}"): kinds[frozenset((a, b))] for a, link, b in every}

    def styled(edge: re.Match) -> str:
        """Give an edge of a drawing the colour and the dashes of its kind."""
        kind = titles[edge[1]]
        line = edge[0].replace(style.INK.lower(), style.EDGE_COLOURS[kind])
        return line.replace("<path ", f'<path stroke-dasharray="{_DASHES[kind]}" ')

    drawings = [_EDGE.sub(styled, graph.draw().svg).replace('pt"', '"', 2) for graph in graphs]
    drawings = [svg.replace('font-size="12.00"', 'font-size="18"') for svg in drawings]
    sizes = [re.search(r'width="(\d+)" height="(\d+)"', svg).groups() for svg in drawings]
    sizes, parts = np.array(sizes, dtype=int), []
    width, height = np.maximum(sizes.max(axis=0) + (12, 30), 320)
    for k, (name, graph, svg) in enumerate(zip(names, graphs, drawings, strict=True)):
        middle, title = width * (k + 0.5), f"{escape(name)}: {graph.n_edges} edges"
        parts.append(f'<text x="{middle}" y="18" text-anchor="middle">{title}</text>')
        parts.append(svg.replace("<svg ", f'<svg x="{middle - sizes[k, 0] / 2}" y="24" ', 1))
    for k, (kind, text) in enumerate(zip(edges, texts, strict=True)):
        x, y, colour = width * 0.6, height + 18 + 24 * k, style.EDGE_COLOURS[kind]
        line = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{_DASHES[kind]}"'
        parts.append(f'<path d="M{x},{y - 4}h44" {line}/><text x="{x + 52}" y="{y}">{text} ')
        parts.append(f"({len(edges[kind])})</text>")
    size = f'viewBox="0 0 {2 * width} {height + 102}" width="{2 * width}" height="{height + 102}"'
    label = f'role="group" aria-label="{escape(" beside ".join(names))}" class="pair"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {label}>{_PALE}'
    return Drawing(f"{head}{''.join(parts)}</svg>")
