"""Where the values of a drawing stand: on the circle, or in layers.

One painter for everything, in plain Python, so that a page looks the same on every machine. What
changes is the layout: :func:`draw_circle` gives every value its fixed place, :func:`draw_layers`
asks Graphviz' ``dot`` for layers with causes above effects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from valuegraph.graphs import svg
from valuegraph.graphs.drawn_edges import DrawnEdge, bent, legend, straight
from valuegraph.graphs.svg import LETTER_WIDTH, Drawing, Point
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.palette import (
    GROUP_COLOURS,
    schwartz_groups,
    schwartz_labels,
    text_on,
    value_colour,
)

NODE_RADIUS = 19
LONGEST_CODE = 3  # longer names do not fit into a circle
POINTS_PER_INCH = 72
_DOT = {"tail": "none", "head": "normal", "circle": "odot"}
NO_DOT = "layers need a working Graphviz (program `dot`); drawn on the circle"


def circle_positions(values: Sequence[str]) -> dict[str, Point]:
    """Return the fixed place of each value on the unit circle.

    Schwartz's ten values, or some of them, stand where his figure has them (Schwartz 1992):
    Security at the bottom, then anticlockwise in circular order, Self-Direction at the top. Other
    values are spread evenly in the order given, clockwise from the top.

    Returns
    -------
    dict
        Value -> ``(x, y)`` with ``x`` to the right and ``y`` upwards.
    """
    if set(values) <= set(SCHWARTZ_ORDER):
        turns = {value: i / 10 - 0.25 for i, value in enumerate(SCHWARTZ_ORDER)}
    else:
        turns = {value: 0.25 - i / len(values) for i, value in enumerate(values)}
    return {
        value: (math.cos(math.tau * turns[value]), math.sin(math.tau * turns[value]))
        for value in values
    }


def all_codes(values: Sequence[str]) -> bool:
    """Return whether every name is short enough to stand inside its circle."""
    return all(len(value) <= LONGEST_CODE for value in values)


def draw(
    values: Sequence[str], edges: Sequence[DrawnEdge], *, layout: str, caption: str = ""
) -> Drawing:
    """Draw a graph in one of the layouts ``"circle"`` and ``"layers"``.

    Raises
    ------
    ValueError
        If the layout is neither of the two.
    """
    painters = {"circle": draw_circle, "layers": draw_layers}
    if layout not in painters:
        raise ValueError(f"unknown layout {layout!r}; choose one of {', '.join(painters)}")
    return painters[layout](values, edges, caption=caption)


def draw_circle(
    values: Sequence[str],
    edges: Sequence[DrawnEdge],
    *,
    caption: str = "",
    hint: str = "",
) -> Drawing:
    """Draw a graph with every value at its fixed place on the circle.

    Parameters
    ----------
    values
        All values.
    edges
        What :func:`valuegraph.graphs.drawn_edges.drawn_edges` makes of arrows and lines.
    caption, hint
        Lines under the drawing.
    """
    short = all_codes(values)
    radius = 128 if short else 150
    size = NODE_RADIUS if short else 7
    places = {v: (radius * x, -radius * y) for v, (x, y) in circle_positions(values).items()}
    shapes = []
    for edge in edges:
        shapes += straight(edge, places[edge.a], places[edge.b], size)
    for value, (x, y) in places.items():
        colour = value_colour(value)
        node = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}"/>'
        if short:
            node += svg.text((x, y), value, fill=text_on(colour), weight="bold")
        else:
            node += svg.text(_outwards((x, y), 15), value, anchor=_anchor(x / radius))
        shapes.append(_named(value, node))
    groups = _group_places() if set(values) <= set(SCHWARTZ_ORDER) else {}
    for group, (x, y) in groups.items():
        at = _outwards((radius * x, -radius * y), 34)
        colour = GROUP_COLOURS[group]
        shapes.append(svg.text(at, group, fill=colour, anchor=_anchor(x), weight="bold"))
    words = list(groups) if short else values
    side = radius + 34 + LETTER_WIDTH * max((len(word) for word in words), default=0)
    box = (-side, -radius - 45, 2 * side, 2 * radius + 90)
    return _page(shapes, box, values, edges, captions=(caption, hint))


def draw_layers(
    values: Sequence[str],
    edges: Sequence[DrawnEdge],
    *,
    caption: str = "",
) -> Drawing:
    """Draw a graph in layers, causes above effects, with the layout of Graphviz' ``dot``.

    Undirected edges say nothing about above and below, so they do not move their values. Takes what
    :func:`draw_circle` takes; where the program ``dot`` is missing or fails, that is what it draws,
    with a hint.
    """
    import graphviz

    dot = graphviz.Digraph(graph_attr={"rankdir": "TB", "nodesep": "0.3", "ranksep": "0.45"})
    short = {value: len(value) <= LONGEST_CODE for value in values}
    widths = {v: 2 * NODE_RADIUS if short[v] else 16 + 1.15 * LETTER_WIDTH * len(v) for v in values}
    # Numbers as names: a value's own name may hold what `dot` reads as syntax.
    names = {value: str(i) for i, value in enumerate(values)}
    for value, name in names.items():
        dot.node(
            name,
            label="",
            shape="circle" if short[value] else "box",
            fixedsize="true",
            width=f"{widths[value] / POINTS_PER_INCH:.3f}",
            height=f"{2 * NODE_RADIUS / POINTS_PER_INCH:.3f}",
        )
    for edge in edges:
        # Graphviz leaves room where it would draw a head itself.
        ends = {"dir": "both", "arrowtail": _DOT[edge.at_a], "arrowhead": _DOT[edge.at_b]}
        if (edge.at_a, edge.at_b) != ("tail", "head"):
            ends["constraint"] = "false"
        dot.edge(names[edge.a], names[edge.b], **ends)
    try:
        plain = dot.pipe(format="plain", encoding="utf-8")
    except (graphviz.ExecutableNotFound, graphviz.CalledProcessError):
        return draw_circle(values, edges, caption=caption, hint=NO_DOT)

    shapes, nodes = [], []
    width = height = 0.0
    by_ends = {(names[edge.a], names[edge.b]): edge for edge in edges}
    for row in map(str.split, plain.splitlines()):
        if row[0] == "graph":
            width, height = (POINTS_PER_INCH * float(entry) for entry in row[2:4])
        elif row[0] == "node":
            (centre,) = _points(row[2:4], height)
            value = values[int(row[1])]
            nodes.append(_named(value, _box(value, centre, widths[value])))
        elif row[0] == "edge":
            path = _points(row[4 : 4 + 2 * int(row[3])], height)
            shapes += bent(by_ends[row[1], row[2]], path)
    box = (-12, -12, width + 24, height + 24)
    return _page([*shapes, *nodes], box, values, edges, captions=(caption,))


def _page(
    shapes: Sequence[str],
    box: tuple[float, float, float, float],
    values: Sequence[str],
    edges: Sequence[DrawnEdge],
    *,
    captions: Sequence[str],
) -> Drawing:
    """Put the shapes of a graph on a page that says in words what they show."""
    arrows_first = sorted(edges, key=lambda edge: (edge.at_a, edge.at_b) == ("tail", "tail"))
    listed = "; ".join(edge.words for edge in arrows_first)
    said = [line for line in captions if line]
    said.append(f"Arrows have a direction, lines have none: {listed or 'no edges'}")
    if any("circle" in (edge.at_a, edge.at_b) for edge in edges):
        said.append("A small circle means that this end may be either; heads at both ends mean a")
        said[-1] += " hidden common cause"
    x, y, width, height = box
    key = legend(edges, (x + width / 2, y + height + 8))
    box = (x, y, width, height + 22 * bool(key))
    shapes = [*shapes, *key]
    return svg.page(
        shapes,
        box,
        title=f"Value graph: {len(edges)} edges over {len(values)} values",
        description=". ".join(said) + ".",
        captions=captions,
    )


def _named(value: str, node: str) -> str:
    """Return a node that shows name and group of its value under the pointer."""
    name = value
    if value in schwartz_labels():
        name = f"{schwartz_labels()[value]} ({schwartz_groups()[value]})"
    return f"<g><title>{escape(name)}</title>{node}</g>"


def _box(value: str, centre: Point, width: float) -> str:
    """Return a value as a circle or a rounded box around its name."""
    colour = value_colour(value)
    corner = NODE_RADIUS if len(value) <= LONGEST_CODE else 6
    return (
        f'<rect x="{centre[0] - width / 2:.1f}" y="{centre[1] - NODE_RADIUS:.1f}" '
        f'width="{width:.1f}" height="{2 * NODE_RADIUS}" rx="{corner}" fill="{colour}"/>'
        f"{svg.text(centre, value, fill=text_on(colour), weight='bold')}"
    )


def _group_places() -> dict[str, Point]:
    """Return the direction in which each of Schwartz's groups lies."""
    at = circle_positions(SCHWARTZ_ORDER)
    places = {}
    for group in GROUP_COLOURS:
        members = [at[value] for value, own in schwartz_groups().items() if own == group]
        x, y = (sum(axis) / len(members) for axis in zip(*members, strict=True))
        places[group] = (x / math.hypot(x, y), y / math.hypot(x, y))
    return places


def _outwards(point: Point, length: float) -> Point:
    """Return the point moved ``length`` away from the centre."""
    return svg.towards(point, (0.0, 0.0), -length)


def _anchor(x: float) -> str:
    """Return how a label outside the circle is aligned, given its direction's cosine."""
    return "middle" if abs(x) < 0.05 else "start" if x > 0 else "end"


def _points(numbers: Sequence[str], height: float) -> list[Point]:
    """Turn Graphviz' inches, y upwards, into SVG units, y downwards."""
    scaled = [POINTS_PER_INCH * float(number) for number in numbers]
    return [(x, height - y) for x, y in zip(scaled[::2], scaled[1::2], strict=True)]
