"""What happens to each value, drawn on the graph along which it happens."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.graphs.drawing import circle_positions
from valuegraph.palette import DIVERGING_MAP, ROLE_COLOURS, text_on
from valuegraph.style import figure_in_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RADIUS = 0.21
_CUT = "#BBBBBB"


def plot_on_graph(
    changes: Mapping[str, pd.Series],
    edges: Collection[tuple[str, str]],
    *,
    held: Mapping[str, str] | None = None,
    unit: str = "change (log-odds)",
) -> Figure:
    """Draw changes of values as colours and numbers on the nodes of a directed graph.

    Parameters
    ----------
    changes
        Title of a panel -> change by value. All panels have the same values and share a scale.
    edges
        Arrows as ``(cause, effect)``.
    held
        Title of a panel -> the value that is set there: it gets a ring, and the arrows that lead to
        it are dashed, since its causes no longer matter.
    unit
        What a change is, for the colour bar.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a title, values at their places on the circle; blue for down, red for up.

    Raises
    ------
    ValueError
        If there is no panel, panels differ in their values, or an edge or a held value is none of
        them.
    """
    held = held or {}
    if not changes:
        raise ValueError("there is nothing to draw; give the changes of at least one panel")
    values = list(next(iter(changes.values())).index)
    for title, change in changes.items():
        if set(change.index) != set(values):
            raise ValueError(f"panel {title!r} has other values than the first one")
    unknown = {name for edge in edges for name in edge} | set(held.values())
    if unknown - set(values):
        raise ValueError(
            f"{sorted(unknown - set(values))[0]!r} is none of the values {', '.join(values)}"
        )
    if set(held) - set(changes):
        raise ValueError(f"{sorted(set(held) - set(changes))[0]!r} is the title of no panel")
    most = max(np.nanmax(np.abs(change.to_numpy(float))) for change in changes.values()) or 1.0
    places = circle_positions(values)
    options = {"ncols": len(changes), "squeeze": False, "figsize": (2.25 * len(changes) + 0.6, 2.6)}
    with figure_in_style(**options) as (figure, grid):
        for axes, (title, change) in zip(grid[0], changes.items(), strict=True):
            _arrows(axes, places, edges, held.get(title))
            image = _nodes(axes, places, change, most, held.get(title))
            axes.set_title(title)
        figure.colorbar(image, ax=list(grid[0]), label=unit, fraction=0.03, pad=0.02)
    return figure


def _arrows(
    axes: Axes,
    places: Mapping[str, tuple[float, float]],
    edges: Collection[tuple[str, str]],
    held: str | None,
) -> None:
    for cause, effect in edges:
        start, end = np.array(places[cause]), np.array(places[effect])
        along = (end - start) / np.linalg.norm(end - start)
        cut = effect == held
        axes.annotate(
            "",
            xy=end - 1.1 * _RADIUS * along,
            xytext=start + 1.1 * _RADIUS * along,
            arrowprops={
                "arrowstyle": "-|>",
                "linestyle": ":" if cut else "-",
                "color": _CUT if cut else ROLE_COLOURS["truth"],
                "linewidth": 1.0,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )


def _nodes(
    axes: Axes,
    places: Mapping[str, tuple[float, float]],
    change: pd.Series,
    most: float,
    held: str | None,
):
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize, to_hex
    from matplotlib.patches import Circle

    scale = ScalarMappable(Normalize(-most, most), colormaps[DIVERGING_MAP])
    for value, (x, y) in places.items():
        colour = to_hex(scale.to_rgba(float(change[value]))).upper()
        axes.add_patch(
            Circle(
                (x, y),
                _RADIUS,
                facecolor=colour,
                edgecolor=ROLE_COLOURS["truth"],
                linewidth=3.0 if value == held else 0.8,
                zorder=3,
            )
        )
        # A minus zero would look like an effect.
        number = f"{change[value]:+.1f}".replace("-0.0", "0").replace("+0.0", "0")
        ink = {"ha": "center", "va": "center", "color": text_on(colour), "zorder": 4}
        axes.text(x, y + 0.055, value, fontsize=8, fontweight="bold", **ink)
        axes.text(x, y - 0.075, number.replace("-", "−"), fontsize=7, **ink)
    axes.set(xlim=(-1.23, 1.23), ylim=(-1.23, 1.23), aspect="equal")
    axes.set_axis_off()
    return scale
