"""SVG pieces for drawings of graphs: lines, heads, labels, and the page around them.

Points are ``(x, y)`` in SVG user units (about CSS pixels), ``y`` downwards. Lines and text have the
one grey that reads on white and on near-black, so the background stays transparent.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from valuegraph.palette import INK

LETTER_WIDTH = 6.7  # of a sans-serif letter at 12 units, on average

Point = tuple[float, float]


@dataclass(frozen=True)
class Drawing:
    """An SVG image that notebooks display.

    Attributes
    ----------
    svg
        The markup, with a title and a description for screen readers.
    """

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> Path:
        """Write the image to a file and return its path."""
        path = Path(path)
        path.write_text(self.svg, encoding="utf-8")
        return path


def page(
    shapes: Sequence[str],
    box: tuple[float, float, float, float],
    *,
    title: str,
    description: str,
    captions: Sequence[str] = (),
) -> Drawing:
    """Put shapes on a page.

    Parameters
    ----------
    shapes
        Markup of the shapes, back to front.
    box
        ``x, y, width, height`` of what is drawn; the page grows to hold the captions.
    title, description
        What the image shows, for screen readers: in a few words, and in full.
    captions
        Lines under the drawing; empty ones are left out.
    """
    x, y, width, height = box
    captions = [line for line in captions if line]
    wider = max([width, *(LETTER_WIDTH * len(line) + 16 for line in captions)])
    x, width = x - (wider - width) / 2, wider
    lines = []
    for caption in captions:
        lines.append(text((x + width / 2, y + height + 8), caption))
        height += 20
    content = "\n".join([*shapes, *lines])
    # Several drawings may stand on one page: ids must differ, yet not change from build to build.
    key = "vg" + hashlib.sha256((description + content).encode()).hexdigest()[:10]
    return Drawing(
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{key}t {key}d" '
        f'width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{x:.1f} {y:.1f} {width:.1f} {height:.1f}" '
        f'font-family="Helvetica, Arial, sans-serif">\n'
        f'<title id="{key}t">{escape(title)}</title>\n'
        f'<desc id="{key}d">{escape(description)}</desc>\n'
        f"{content}\n</svg>"
    )


def line(start: Point, end: Point, *, width: float = 2, opacity: float = 1) -> str:
    """Return a straight line."""
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
        f'stroke="{INK}" stroke-width="{width:.3g}"{_pale("stroke", opacity)}/>'
    )


def curve(path: Sequence[Point], *, width: float = 2, opacity: float = 1) -> str:
    """Return a smooth line from Bézier points: a start, then three points a piece."""
    bends = " ".join(f"{x:.1f},{y:.1f}" for x, y in path[1:])
    start = f"{path[0][0]:.1f},{path[0][1]:.1f}"
    return (
        f'<path d="M {start} C {bends}" fill="none" stroke="{INK}" '
        f'stroke-width="{width:.3g}"{_pale("stroke", opacity)}/>'
    )


def ring(centre: Point, radius: float, *, opacity: float = 1) -> str:
    """Return a small open circle: the mark of an end about which nothing is known."""
    return (
        f'<circle cx="{centre[0]:.1f}" cy="{centre[1]:.1f}" r="{radius}" fill="none" '
        f'stroke="{INK}" stroke-width="1.5"{_pale("stroke", opacity)}/>'
    )


def head(base: Point, tip: Point, *, opacity: float = 1) -> str:
    """Return an arrow head between two points."""
    across = ((tip[1] - base[1]) * 0.45, (base[0] - tip[0]) * 0.45)
    corners = [
        tip,
        (base[0] + across[0], base[1] + across[1]),
        (base[0] - across[0], base[1] - across[1]),
    ]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    return f'<polygon points="{points}" fill="{INK}"{_pale("fill", opacity)}/>'


def text(
    at: Point, words: str, *, fill: str = INK, anchor: str = "middle", weight: str = "normal"
) -> str:
    """Return a label, centred vertically on the point."""
    return (
        f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" fill="{fill}" font-size="12" '
        f'font-weight="{weight}" text-anchor="{anchor}" dy="0.35em">{escape(words)}</text>'
    )


def towards(start: Point, end: Point, length: float) -> Point:
    """Return the point ``length`` away from ``start`` on the way to ``end``."""
    reach = length / (math.dist(start, end) or 1)
    return (start[0] + reach * (end[0] - start[0]), start[1] + reach * (end[1] - start[1]))


def _pale(what: str, opacity: float) -> str:
    """Return the attribute of an opacity; nothing for what is solid."""
    return "" if opacity >= 1 else f' {what}-opacity="{opacity:.2f}"'
