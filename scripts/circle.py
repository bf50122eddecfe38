"""Pieces of SVG for the pictures of the landing page and the icon: values on a circle, arrows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from html import escape

from valuegraph.inventory import SCHWARTZ_ORDER

INK = "#7A7A7A"  # reads on white and on near-black

Point = tuple[float, float]


def circle_positions(values: Sequence[str]) -> dict[str, Point]:
    """Place of each of Schwartz's values on the unit circle, y upwards (Schwartz 1992)."""
    turns = {value: SCHWARTZ_ORDER.index(value) / 10 - 0.25 for value in values}
    return {v: (math.cos(math.tau * t), math.sin(math.tau * t)) for v, t in turns.items()}


def page(
    shapes: Sequence[str], box: tuple[float, float, float, float], title: str, description: str
) -> str:
    """Shapes on a page with a title and a description for screen readers."""
    x, y, width, height = box
    content = "\n".join(shapes)
    # Several drawings may stand on one page: ids must differ, yet not change from build to build.
    key = "vg" + hashlib.sha256((description + content).encode()).hexdigest()[:10]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{key}t {key}d" '
        f'width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{x:.1f} {y:.1f} {width:.1f} {height:.1f}" '
        f'font-family="Helvetica, Arial, sans-serif">\n'
        f'<title id="{key}t">{escape(title)}</title>\n'
        f'<desc id="{key}d">{escape(description)}</desc>\n'
        f"{content}\n</svg>"
    )


def arrow(start: Point, end: Point, gap: float, colour: str = INK) -> str:
    """A line with a head, which leaves a gap at either end."""
    tail, tip = towards(start, end, gap), towards(end, start, gap)
    base = towards(tip, tail, 9)
    across = ((tip[1] - base[1]) * 0.45, (base[0] - tip[0]) * 0.45)
    corners = [tip, *((base[0] + s * across[0], base[1] + s * across[1]) for s in (1, -1))]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    return (
        f'<line x1="{tail[0]:.1f}" y1="{tail[1]:.1f}" x2="{base[0]:.1f}" y2="{base[1]:.1f}" '
        f'stroke="{colour}" stroke-width="1.8"/><polygon points="{points}" fill="{colour}"/>'
    )


def text(at: Point, words: str, *, anchor: str, size: int) -> str:
    """A label, centred vertically on the point."""
    return (
        f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" fill="currentColor" font-size="{size}" '
        f'font-weight="normal" text-anchor="{anchor}" dy="0.35em">{escape(words)}</text>'
    )


def towards(start: Point, end: Point, length: float) -> Point:
    """The point `length` away from `start` on the way to `end`."""
    reach = length / (math.dist(start, end) or 1)
    return (start[0] + reach * (end[0] - start[0]), start[1] + reach * (end[1] - start[1]))
