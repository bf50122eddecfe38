"""The colours of the project, in one place: safe for colour-blind readers, on light and dark pages.

The hues are those of Okabe and Ito (2008), https://jfly.uni-koeln.de/color/. Of their eight, the
four group colours have a contrast of 3 : 1 or better on both white and near-black; ``INK`` reaches
4.2 : 1 on both, so that lines and text need no background of their own.
"""

from __future__ import annotations

from functools import cache

from valuegraph.inventory import load_inventory

GROUP_COLOURS = {
    "Conservation": "#0072B2",
    "Self-Transcendence": "#009E73",
    "Openness": "#D55E00",
    "Self-Enhancement": "#CC79A7",
}
"""One colour for each of Schwartz's higher-order groups."""

ROLE_COLOURS = {"truth": "#333333", "estimate": "#0072B2", "null": "#999999"}
"""What a mark stands for: what is true, what was measured, what chance gives."""

PAIR_COLOURS = ("#0072B2", "#D55E00")
"""Two things in one panel."""

EDGE_COLOURS = {
    "shared": "#333333",
    "turned": "#CC79A7",
    "missing": "#D55E00",
    "extra": "#0072B2",
}
"""How an edge of one graph stands to another graph."""

OTHER_COLOUR = "#5A8FB0"
"""Values that belong to none of the groups."""

DIVERGING_MAP = "RdBu_r"
"""Matplotlib's map for figures of either sign: blue below 0, white at 0, red above."""

INK = "#7A7A7A"
"""Lines and text on a transparent background."""


@cache
def schwartz_groups() -> dict[str, str]:
    """Return the higher-order group of each of Schwartz's ten values, by code.

    Hedonism stands on the border of Openness and Self-Enhancement; it is counted as Openness, as
    the scoring instructions of Schwartz's revised questionnaire do.
    """
    return load_inventory().values["group"].to_dict()


@cache
def schwartz_labels() -> dict[str, str]:
    """Return the full name of each of Schwartz's ten values, by code."""
    return load_inventory().values["label"].to_dict()


def value_colour(value: str) -> str:
    """Return the colour of a value: that of its group, or ``OTHER_COLOUR``."""
    return GROUP_COLOURS.get(schwartz_groups().get(value, ""), OTHER_COLOUR)


def luminance(colour: str) -> float:
    """Return the relative luminance of a ``#rrggbb`` colour, 0 (black) to 1 (white; WCAG 2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(colour: str, background: str) -> float:
    """Return the contrast ratio of two ``#rrggbb`` colours, 1 to 21, after WCAG 2."""
    light, dark = sorted((luminance(colour), luminance(background)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def text_on(background: str) -> str:
    """Return black or white, whichever reads better on the background."""
    return max("#000000", "#FFFFFF", key=lambda text: contrast(text, background))
