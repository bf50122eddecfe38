"""Draws the book's icon and the picture that shows where a page of it is linked.

    python scripts/draw_emblem.py

writes `favicon.svg` and `social_card.png` into `book/static/`: the structure planted into
organism-human, its ten values at their fixed places on the circle.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

from circle import circle_positions

from valuegraph.organisms import load_truth
from valuegraph.style import figure_in_style, text_on, value_colour

STATIC = Path(__file__).resolve().parents[1] / "book" / "static"
PAPER, DARK = "#FFFFFF", "#222832"
LINE = "#8A94A3"


def planted() -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """The values, and the arrows between them."""
    truth = load_truth("organism-human")
    return truth.values, [(cause, effect) for cause, effect, _ in truth.edges]


def favicon() -> str:
    """Dots and lines on a dark disc: at 16 pixels nothing more can be told apart."""
    values, arrows = planted()
    at = {v: (32 + 22 * x, 32 - 22 * y) for v, (x, y) in circle_positions(values).items()}
    lines = [
        f'<path d="M{at[a][0]:.1f} {at[a][1]:.1f}L{at[b][0]:.1f} {at[b][1]:.1f}"/>'
        for a, b in arrows
    ]
    dots = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{value_colour(value)}"/>'
        for value, (x, y) in at.items()
    ]
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">',
            f'<circle cx="32" cy="32" r="32" fill="{DARK}"/>',
            f'<g stroke="{LINE}" stroke-width="1.5">',
            *lines,
            "</g>",
            *dots,
            "</svg>\n",
        ]
    )


def social_card(path: Path) -> None:
    """The graph beside the title, 1200 by 630 pixels as social networks want it."""
    values, arrows = planted()
    at = circle_positions(values)
    with figure_in_style(figsize=(12, 6.3), layout="none") as (figure, axes):
        figure.set_facecolor(PAPER)
        axes.set_position((0.47, 0.02, 0.52, 0.96))
        axes.set(xlim=(-1.3, 1.3), ylim=(-1.26, 1.26), aspect="equal")
        axes.axis("off")
        for cause, effect in arrows:
            (x0, y0), (x1, y1) = at[cause], at[effect]
            gap = 0.19 / math.hypot(x1 - x0, y1 - y0)
            ends = [(x0 + (x1 - x0) * t, y0 + (y1 - y0) * t) for t in (gap, 1 - gap)]
            arrow = {"arrowstyle": "-|>,head_width=0.3,head_length=0.6", "color": "#5F6875"}
            axes.annotate("", ends[1], ends[0], arrowprops=arrow | {"lw": 2, "shrinkA": 0})
        for value, (x, y) in at.items():
            colour = value_colour(value)
            axes.plot(x, y, "o", markersize=42, color=colour)
            style = {"ha": "center", "va": "center_baseline", "weight": "bold", "size": 15}
            axes.text(x, y, value, color=text_on(colour), **style)
        figure.text(0.05, 0.50, "Causal\nvalue\ngraphs", size=50, weight="bold", va="bottom")
        words = (
            "What lies under the values that\n"
            "language models report -\n"
            "and with what error we know it"
        )
        figure.text(0.05, 0.40, words, size=19, va="top", color="#444444", linespacing=1.4)
        # Nothing of the day or the version: the same picture is the same file.
        figure.savefig(path, dpi=100, metadata={"Software": None})


def main() -> None:
    """Write both files."""
    STATIC.mkdir(exist_ok=True)
    (STATIC / "favicon.svg").write_text(favicon(), encoding="utf-8")
    social_card(STATIC / "social_card.png")


if __name__ == "__main__":
    sys.exit(main())
