"""Draws the pictures of the landing page: what a real model did, and two planted structures.

    python scripts/draw_landing.py

writes `real_model.svg`, `two_human.svg` and `two_alien.svg` into `book/pictures/`. The page holds
them as they are, so that words take the colour of the page's own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from circle import INK, arrow, circle_positions, page, text, towards

from studies import real_model
from valuegraph.effects import changes
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


def by_distance(mean: pd.DataFrame, kinds: Sequence[str], high: str, low: str) -> np.ndarray:
    """Mean effect on other values by steps on the circle, what any push does taken out."""
    effects = [
        [mean.loc[f"{value}: {kind} {high}"] - mean.loc[f"{value}: {kind} {low}"] for value in mean]
        for kind in kinds
    ]
    half = np.mean(effects, axis=0) / 2
    half -= half.mean(axis=0)
    steps = np.abs(np.subtract.outer(range(10), range(10)))
    steps = np.minimum(steps, 10 - steps)
    return np.array([half[steps == k].mean() for k in range(6)])


def model_picture() -> str:
    """What a real model does to the neighbours and the opposites of a value that it is told."""
    mean = changes(real_model.load_answers("words")).groupby("intervention").mean()
    lines = {
        "told in three wordings": by_distance(mean, list(real_model.WORDINGS), "high", "low"),
        "told by a hard prompt": by_distance(mean, ["hard prompt"], "for", "against"),
    }
    left, right, scale = 70, 430, 130 / max(np.abs(line).max() for line in lines.values())
    at = [left + (right - left) * k / 5 for k in range(6)]
    shapes = [f'<line x1="{left - 12}" y1="0" x2="{right + 12}" y2="0" stroke="{INK}"/>']
    for place, x in zip(["itself", *"12345"], at, strict=True):
        shapes.append(text((x, 74), place, anchor="middle", size=LETTERS))
    shapes.append(
        text((250, 100), "steps away on Schwartz's circle", anchor="middle", size=LETTERS)
    )
    for (name, line), colour, y in zip(lines.items(), PAIR_COLOURS, (-120, -96), strict=False):
        points = [(x, -scale * effect) for x, effect in zip(at, line, strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        shapes.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>' for x, y in points]
        for (x, height), effect, anchor in (
            (points[0], line[0], "end"),
            (points[5], line[5], "start"),
        ):
            place = (x - 10 if anchor == "end" else x + 10, height)
            shapes.append(text(place, f"{effect:+.3f}", anchor=anchor, size=LETTERS))
        shapes.append(f'<circle cx="200" cy="{y}" r="5" fill="{colour}"/>')
        shapes.append(text((214, y), name, anchor="start", size=LETTERS))
    said = "; ".join(
        f"{name}: " + ", ".join(f"{effect:+.3f}" for effect in line) for name, line in lines.items()
    )
    return page(
        shapes,
        (-10, -150, 520, 268),
        title="A real model, told to hold a value high: effect by distance on Schwartz's circle",
        description=f"Change of scores in log-odds at 0 to 5 steps. {said}.",
    )


def drawn() -> dict[str, str]:
    """The pictures by file name."""
    pairs = {"human": "alien", "alien": "human"}
    fitting = '<svg style="max-width: 100%; height: auto" '  # on a phone
    pictures = {f"two_{name}.svg": picture(name, other) for name, other in pairs.items()}
    pictures["real_model.svg"] = model_picture()
    return {name: p.replace("<svg ", fitting, 1) + "\n" for name, p in pictures.items()}


def main() -> None:
    """Write all files."""
    PICTURES.mkdir(exist_ok=True)
    for name, markup in drawn().items():
        (PICTURES / name).write_text(markup, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
