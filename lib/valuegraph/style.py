"""Colours and style of all figures: safe for colour-blind readers, white behind, quiet axes.

The hues are those of Okabe and Ito (2008), https://jfly.uni-koeln.de/color/. The four colours of
groups have a contrast of 3 : 1 or better on white and on near-black, ``INK`` one of 4.2 : 1.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

from valuegraph.inventory import SCHWARTZ_ORDER, load_inventory

BLUE, GREEN, ORANGE, PINK, DARK = "#0072B2", "#009E73", "#D55E00", "#CC79A7", "#333333"
#: Schwartz's higher-order groups. Hedonism, on a border, counts as Openness, as in his scoring.
GROUP_COLOURS = {"Conservation": BLUE, "Self-Transcendence": GREEN}
GROUP_COLOURS |= {"Openness": ORANGE, "Self-Enhancement": PINK}
OTHER_COLOUR = "#5A8FB0"  # values that belong to none of the groups
#: What is true, what was measured, what chance gives, and what people do.
ROLE_COLOURS = {"truth": DARK, "estimate": BLUE, "null": "#999999", "people": GREEN}
PAIR_COLOURS = (BLUE, ORANGE)  # two things in one panel
#: How an edge of one graph stands to another graph; figures add a dash of its own to each.
EDGE_COLOURS = {"shared": DARK, "turned": PINK, "missing": ORANGE, "extra": BLUE}
DIVERGING_MAP = "RdBu_r"  # blue below 0, white at 0, red above
INK = "#7A7A7A"  # lines and text on a transparent background

#: Settings of matplotlib inside :func:`figure_in_style`. White stays readable on a dark page.
STYLE = dict.fromkeys(("figure.facecolor", "savefig.facecolor", "axes.facecolor"), "white")
STYLE |= dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), "black")
STYLE |= {"axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": "medium"}
STYLE |= {"figure.dpi": 100, "figure.constrained_layout.use": True, "font.size": 10}


@contextmanager
def figure_in_style(**options) -> Iterator[tuple]:
    """Make figure and axes by ``plt.subplots(**options)``; pyplot forgets the figure afterwards.

    A notebook shows the figure once, as the value of its cell.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(**options)
        try:
            yield figure, axes
            figure.canvas.draw()  # lays out while the style holds
        finally:
            plt.close(figure)


def in_circular_order(values: Iterable[str]) -> list[str]:
    """Return values in Schwartz's circular order, others behind them in the order given."""
    return sorted(values, key=lambda value: [*SCHWARTZ_ORDER, value].index(value))


@cache
def value_colour(value: str) -> str:
    """Return the colour of a value: that of its group, or ``OTHER_COLOUR``."""
    return GROUP_COLOURS.get(load_inventory().values["group"].get(value), OTHER_COLOUR)


def names_of(values: Sequence[str]) -> list[str]:
    """Return the names of values, for where there is room; of unknown ones, the codes."""
    return list(map(load_inventory().values["label"].to_dict().get, values, values))


def text_on(background: str) -> str:
    """Return black or white, whichever has the higher contrast to a colour after WCAG 2."""
    rgb = np.array(to_rgb(background))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return "#000000" if luminance > np.sqrt(1.05 * 0.05) - 0.05 else "#FFFFFF"
