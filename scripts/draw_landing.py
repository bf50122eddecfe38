"""Draws the picture of the landing page: two structures of values, one of them like people's.

    python scripts/draw_landing.py

writes `two_human.svg` and `two_alien.svg` into `book/pictures/`. The page holds them as they are,
so that words take the colour of the page's own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from valuegraph.graphs import svg
from valuegraph.graphs.drawing import circle_positions
from valuegraph.organisms.shipped import load_truth
from valuegraph.palette import INK, PAIR_COLOURS, schwartz_labels, value_colour

PICTURES = Path(__file__).resolve().parents[1] / "book" / "pictures"
RADIUS, DOT, LABEL = 106, 9, 18
LETTERS = 16  # half as large again as in a chapter: two pictures share the width of the page
WORDS = {
    "human": ("A structure like people's", "blue"),
    "alien": ("A stranger's structure", "orange"),
}


def arrows(name: str) -> list[tuple[str, str]]:
    """The arrows of a planted structure, cause first."""
    return [(cause, effect) for cause, effect, _ in load_truth(f"organism-{name}").edges]


def arrow(start: svg.Point, end: svg.Point, colour: str) -> str:
    """A line with a head, in one colour."""
    tail, tip = svg.towards(start, end, DOT + 2), svg.towards(end, start, DOT + 2)
    base = svg.towards(tip, tail, 9)
    return (svg.line(tail, base, width=1.8) + svg.head(base, tip)).replace(INK, colour)


def listed(edges: list[tuple[str, str]]) -> str:
    """The arrows in words."""
    names = schwartz_labels()
    return ", ".join(f"{names[a]} to {names[b]}" for a, b in edges)


def picture(name: str, other: str) -> svg.Drawing:
    """One structure on the circle; arrows that the other has not are in a colour of their own."""
    own, shared = arrows(name), set(arrows(other))
    colour = PAIR_COLOURS[list(WORDS).index(name)]
    values = load_truth(f"organism-{name}").values
    at = {v: (RADIUS * x, -RADIUS * y) for v, (x, y) in circle_positions(values).items()}
    # Those of its own last, on top.
    ordered = sorted(own, key=lambda edge: edge not in shared)
    shapes = [arrow(at[a], at[b], INK if (a, b) in shared else colour) for a, b in ordered]
    for value, (x, y) in at.items():
        shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{DOT}" fill="{value_colour(value)}"/>')
        place = svg.towards((0, 0), (x, y), RADIUS + LABEL)
        anchor = "middle" if abs(x) < 1 else "start" if x > 0 else "end"
        label = schwartz_labels()[value]
        words = svg.text(place, label, fill="currentColor", anchor=anchor)
        shapes.append(words.replace('font-size="12"', f'font-size="{LETTERS}"'))
    heading, called = WORDS[name]
    told = listed([edge for edge in own if edge not in shared])
    return svg.page(
        shapes,
        (-236, -RADIUS - 34, 472, 2 * RADIUS + 68),
        title=f"{heading}: ten values on a circle, joined by {len(own)} arrows",
        description=f"In {called}, arrows that only this structure has: {told}. "
        f"In grey, arrows of both: {listed([edge for edge in own if edge in shared])}.",
    )


def drawn() -> dict[str, str]:
    """The pictures by file name."""
    pairs = {"human": "alien", "alien": "human"}
    fitting = '<svg style="max-width: 100%; height: auto" '  # on a phone
    return {
        f"two_{name}.svg": picture(name, other).svg.replace("<svg ", fitting, 1) + "\n"
        for name, other in pairs.items()
    }


def main() -> None:
    """Write both files."""
    PICTURES.mkdir(exist_ok=True)
    for name, markup in drawn().items():
        (PICTURES / name).write_text(markup, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
