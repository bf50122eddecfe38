"""The common style of figures: white background, quiet axes, values in circular order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from valuegraph.inventory import SCHWARTZ_ORDER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE = {
    "figure.facecolor": "white",  # stays readable on a dark page
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": "medium",
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "text.color": "black",
    "axes.labelcolor": "black",
    "xtick.color": "black",
    "ytick.color": "black",
}
"""Settings of matplotlib that hold inside :func:`figure_in_style`."""


@contextmanager
def figure_in_style(**options: object) -> Iterator[tuple[Figure, Axes]]:
    """Make figure and axes in the common style, and close the figure in pyplot afterwards."""
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(**options)
        try:
            yield figure, axes
            # Lays out while the style holds; later saving would use the user's own settings.
            figure.canvas.draw()
        finally:
            plt.close(figure)


def in_circular_order(values: Iterable[str]) -> list[str]:
    """Return values in Schwartz's circular order, others behind them in the order given."""
    present = list(values)
    known = [value for value in SCHWARTZ_ORDER if value in present]
    return known + [value for value in present if value not in known]
