"""Draws the picture of the landing page: two structures of values, one of them like people's.

    python scripts/draw_landing.py

writes `two_human.svg` and `two_alien.svg` into `book/pictures/`. The page holds them as they are,
so that words take the colour of the page's own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from circle import INK, arrow, circle_positions, page, text, towards

from valuegraph.inventory import load_inventory
from valuegraph.organisms import load_truth
from valuegraph.style import PAIR_COLOURS, value_colour

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


def listed(edges: list[tuple[str, str]]) -> str:
    """The arrows in words."""
    names = load_inventory().values["label"]
    return ", ".join(f"{names[a]} to {names[b]}" for a, b in edges)


def picture(name: str, other: str) -> str:
    """One structure on the circle; arrows that the other has not are in a colour of their own."""
    own, shared = arrows(name), set(arrows(other))
    colour = PAIR_COLOURS[list(WORDS).index(name)]
    values = load_truth(f"organism-{name}").values
    at = {v: (RADIUS * x, -RADIUS * y) for v, (x, y) in circle_positions(values).items()}
    # Those of its own last, on top.
    ordered = sorted(own, key=lambda edge: edge not in shared)
    shapes = [arrow(at[a], at[b], DOT + 2, INK if (a, b) in shared else colour) for a, b in ordered]
    for value, (x, y) in at.items():
        shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{DOT}" fill="{value_colour(value)}"/>')
        place = towards((0, 0), (x, y), RADIUS + LABEL)
        anchor = "middle" if abs(x) < 1 else "start" if x > 0 else "end"
        label = load_inventory().values.loc[value, "label"]
        shapes.append(text(place, label, anchor=anchor, size=LETTERS))
    heading, called = WORDS[name]
    alone = listed([edge for edge in own if edge not in shared])
    return page(
        shapes,
        (-236, -RADIUS - 34, 472, 2 * RADIUS + 68),
        title=f"{heading}: ten values on a circle, joined by {len(own)} arrows",
        description=f"In {called}, arrows that only this structure has: {alone}. "
        f"In grey, arrows of both: {listed([edge for edge in own if edge in shared])}.",
    )


def drawn() -> dict[str, str]:
    """The pictures by file name."""
    pairs = {"human": "alien", "alien": "human"}
    fitting = '<svg style="max-width: 100%; height: auto" '  # on a phone
    return {
        f"two_{name}.svg": picture(name, other).replace("<svg ", fitting, 1) + "\n"
        for name, other in pairs.items()
    }


def main() -> None:
    """Write both files."""
    PICTURES.mkdir(exist_ok=True)
    for name, markup in drawn().items():
        (PICTURES / name).write_text(markup, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
