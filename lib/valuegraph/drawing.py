"""Drawings of graphs of values, by Graphviz; readable on light and on dark pages."""

import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import graphviz

from valuegraph.inventory import SCHWARTZ_ORDER, load_inventory
from valuegraph.style import INK, text_on, value_colour

_RADIUS = 1.8  # of the circle, in inches; more where names are long


@dataclass(frozen=True)
class Drawing:
    """An SVG image that notebooks display, with a title and a description in words."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg


def circle_positions(values: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the fixed place of each value on the unit circle, x to the right and y upwards.

    Schwartz's ten values, or some of them, stand where his figure has them: Security at the bottom,
    then anticlockwise. Others are spread evenly, clockwise from the top.
    """
    turns = {value: 0.25 - k / len(values) for k, value in enumerate(values)}
    if set(values) <= set(SCHWARTZ_ORDER):
        turns = {value: SCHWARTZ_ORDER.index(value) / 10 - 0.25 for value in values}
    return {v: (math.cos(math.tau * t), math.sin(math.tau * t)) for v, t in turns.items()}


def draw(values, edges, layout="circle", caption="", frequency=None) -> Drawing:
    """Draw a graph of values.

    Parameters
    ----------
    values : sequence of str
        Names of the values.
    edges : sequence of tuple
        ``(a, link, b)``, see :attr:`valuegraph.graph.ValueGraph.edges`.
    layout : str
        ``"circle"``, or ``"layers"`` with causes above effects.
    caption : str
        Line under the drawing.
    frequency : Mapping, optional
        Share of resamples by pair, in either order: sets the width and opacity of lines.
    """
    if layout not in ("circle", "layers"):
        raise ValueError(f"unknown layout {layout!r}; choose 'circle' or 'layers'")
    g = graphviz.Digraph(engine="neato" if layout == "circle" else "dot")
    font = {"fontname": "Helvetica", "fontsize": "12"}
    label = textwrap.fill(f"{caption} (wider lines: in more)" if frequency else caption, 60)
    radius = _RADIUS if max(map(len, values), default=0) < 4 else 2 * _RADIUS
    g.attr(bgcolor="transparent", outputorder="edgesfirst", label=label, fontcolor=INK, **font)
    g.attr("node", shape="circle", style="rounded,filled", penwidth="0", margin="0.08", **font)
    g.attr("edge", dir="both", arrowsize="0.8")
    titles, words = {}, []
    labels = {v: f"{row.label} ({row.group})" for v, row in load_inventory().values.iterrows()}
    for k, (value, (x, y)) in enumerate(circle_positions(values).items()):
        size = {"width": "0.53", "fixedsize": "true"} if len(value) < 4 else {"shape": "box"}
        at = {"pos": f"{radius * x:.3f},{radius * y:.3f}!", "fillcolor": value_colour(value)}
        g.node(str(k), value, fontcolor=text_on(value_colour(value)), **at, **size)
        titles[str(k)] = labels.get(value, value)
    for a, link, b in edges:
        share = frequency.get((a, b), frequency.get((b, a))) if frequency else None
        firm = 1 / 3 if share is None else max(0, 2 * share - 1)
        opacity = 255 if share is None else 102 + round(153 * firm)
        look = {"penwidth": f"{1 + 3 * firm:.2f}", "color": f"{INK}{opacity:02X}"}
        look["arrowtail"] = {"o": "odot", "↔": "normal"}.get(link[0], "none")
        look["arrowhead"] = {"o": "odot", "—": "none"}.get(link[-1], "normal")
        words.append(f"{a} {link} {b}" + ("" if share is None else f" ({share:.0%})"))
        i, j = str(values.index(a)), str(values.index(b))
        # Only arrows put one value above another.
        g.edge(i, j, constraint=str(link == "→").lower(), **look)
        titles[f"{i}&#45;&gt;{j}"] = words[-1]
    description = escape(f"{caption + '. ' if caption else ''}Edges: {'; '.join(words) or 'none'}.")
    try:
        svg = g.pipe(format="svg", encoding="utf-8")
    except graphviz.ExecutableNotFound:
        lines = textwrap.wrap(f"{description} To see it drawn, install the program Graphviz.", 80)
        rows = "".join(f'<text y="{20 * k}">{line}</text>' for k, line in enumerate(lines, 1))
        size = f'xmlns="http://www.w3.org/2000/svg" width="640" height="{20 * len(lines) + 9}"'
        svg = f'<svg {size} fill="{INK}">{rows}</svg>'
    # Several drawings may stand on one page: no ids. Titles and description tell what is shown.
    svg = re.sub('<!--.*?-->| id="[^"]*"', "", svg[svg.index("<svg") :], flags=re.DOTALL)
    name = f"Value graph: {len(edges)} edges over {len(values)} values"
    svg = re.sub("(?<=<title>)(.*?)(?=<)", lambda t: escape(titles.get(t[1], name)), svg)
    svg = svg.replace("</title>", f"</title><desc>{description}</desc>", 1)
    return Drawing(svg.replace("<svg", f'<svg role="img" aria-label="{name}. {description}"', 1))
