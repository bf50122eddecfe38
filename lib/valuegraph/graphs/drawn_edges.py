"""Edges of a drawing: their marks, how often they were found, and the words for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from valuegraph.graphs import svg
from valuegraph.graphs.svg import Point

ARROW_LENGTH = 10
CIRCLE_RADIUS = 3.5
PLAIN_WIDTH = 2.0
RAREST = 0.5
"""Frequency at and below which a line is as thin and pale as lines get."""


@dataclass(frozen=True)
class DrawnEdge:
    """An edge as it is drawn.

    Attributes
    ----------
    a, b
        The two values.
    at_a, at_b
        Marks at the two ends: ``"tail"`` (nothing), ``"head"`` or ``"circle"``.
    frequency
        Share of resamples with this edge, which sets width and opacity; None for a plain line.
    """

    a: str
    b: str
    at_a: str = "tail"
    at_b: str = "tail"
    frequency: float | None = None

    @property
    def words(self) -> str:
        """The edge as text: ``a → b``, ``a — b``, ``a ↔ b``, ``a o→ b`` or ``a o—o b``."""
        match self.at_a, self.at_b:
            case "tail", "tail":
                link = "—"
            case "tail", "head":
                link = "→"
            case "head", "tail":
                link = "←"
            case "head", "head":
                link = "↔"
            case "circle", "head":
                link = "o→"
            case "head", "circle":
                link = "←o"
            case _:
                link = f"{'o' * (self.at_a == 'circle')}—{'o' * (self.at_b == 'circle')}"
        often = "" if self.frequency is None else f" ({self.frequency:.0%})"
        return f"{self.a} {link} {self.b}{often}"

    @property
    def width(self) -> float:
        """Stroke width in SVG units: 1 for rare edges, 4 for those found always."""
        return PLAIN_WIDTH if self.frequency is None else 1 + 3 * _firmness(self.frequency)

    @property
    def opacity(self) -> float:
        """Opacity: .4 for rare edges, 1 for those found always."""
        return 1.0 if self.frequency is None else 0.4 + 0.6 * _firmness(self.frequency)


def drawn_edges(
    directed: Sequence[tuple[str, str]],
    undirected: Sequence[tuple[str, str]],
    frequency: Mapping[tuple[str, str], float] | None = None,
) -> list[DrawnEdge]:
    """Return arrows and lines as drawn edges, lines first so that heads lie on top.

    Parameters
    ----------
    directed, undirected
        Edges as pairs of values; arrows point from the first to the second.
    frequency
        Share of resamples with each edge, by pair in either order.
    """
    return [
        DrawnEdge(a, b, "tail", mark, frequency_of(a, b, frequency))
        for edges, mark in ((undirected, "tail"), (directed, "head"))
        for a, b in edges
    ]


def frequency_of(a: str, b: str, frequency: Mapping[tuple[str, str], float] | None) -> float | None:
    """Return the frequency of an edge that is stored under either order of its ends."""
    if frequency is None:
        return None
    return frequency[a, b] if (a, b) in frequency else frequency[b, a]


def straight(edge: DrawnEdge, start: Point, end: Point, size: float) -> list[str]:
    """Return the shapes of an edge between two nodes of radius ``size``.

    Parameters
    ----------
    edge
        The edge.
    start, end
        Centres of the nodes of ``a`` and ``b``.
    size
        Radius of a node.
    """
    from_a, marks_a = _ended(edge, edge.at_a, start, end, size)
    from_b, marks_b = _ended(edge, edge.at_b, end, start, size)
    line = svg.line(from_a, from_b, width=edge.width, opacity=edge.opacity)
    return [line, *marks_a, *marks_b]


def bent(edge: DrawnEdge, path: Sequence[Point]) -> list[str]:
    """Return the shapes of an edge along a path that leaves room for its heads.

    Parameters
    ----------
    edge
        The edge; ``path`` runs from ``a`` to ``b``.
    path
        Bezier points: a start, then three points a piece.
    """
    shapes = [svg.curve(path, width=edge.width, opacity=edge.opacity)]
    for mark, at, before in ((edge.at_a, path[0], path[1]), (edge.at_b, path[-1], path[-2])):
        if mark == "head":
            tip = svg.towards(at, before, -ARROW_LENGTH)
            shapes.append(svg.head(at, tip, opacity=edge.opacity))
        elif mark == "circle":
            centre = svg.towards(at, before, -CIRCLE_RADIUS)
            shapes.append(svg.ring(centre, CIRCLE_RADIUS, opacity=edge.opacity))
    return shapes


def legend(edges: Sequence[DrawnEdge], centre: Point) -> list[str]:
    """Return a key of widths around a point; nothing if no edge has a frequency."""
    if all(edge.frequency is None for edge in edges):
        return []
    lowest = min(edge.frequency for edge in edges if edge.frequency is not None)
    shown = [level for level in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0) if level > lowest - 0.1]
    x, y = centre[0] - (128 + 62 * len(shown)) / 2, centre[1]
    shapes = [svg.text((x, y), "found in resamples:", anchor="start")]
    x += 128
    for level in shown:
        key = DrawnEdge("", "", frequency=level)
        shapes.append(svg.line((x, y), (x + 20, y), width=key.width, opacity=key.opacity))
        shapes.append(svg.text((x + 24, y), f"{level:.0%}", anchor="start"))
        x += 62
    return shapes


def _firmness(frequency: float) -> float:
    """Return where a frequency lies between ``RAREST`` and always, in [0, 1]."""
    return min(1.0, max(0.0, (frequency - RAREST) / (1 - RAREST)))


def _ended(
    edge: DrawnEdge, mark: str, own: Point, other: Point, size: float
) -> tuple[Point, list[str]]:
    """Return where the line begins at one of its ends, and the shapes of the mark there."""
    if mark == "head":
        tip = svg.towards(own, other, size + 1)
        base = svg.towards(tip, other, ARROW_LENGTH)
        return base, [svg.head(base, tip, opacity=edge.opacity)]
    if mark == "circle":
        centre = svg.towards(own, other, size + CIRCLE_RADIUS + 1)
        start = svg.towards(centre, other, CIRCLE_RADIUS)
        return start, [svg.ring(centre, CIRCLE_RADIUS, opacity=edge.opacity)]
    return svg.towards(own, other, size), []
