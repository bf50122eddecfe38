"""Panels with a row per value, and in it figures with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.palette import PAIR_COLOURS, ROLE_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def interval_rows(
    axes: Axes,
    table: pd.DataFrame,
    names: Mapping[str, str],
    *,
    xlabel: str,
    span: tuple[float, float],
    floor: float = -np.inf,
) -> None:
    """Draw one or two figures with their intervals, a row per value, from top to bottom.

    Parameters
    ----------
    axes
        Where to draw.
    table
        One row per value; columns ``x``, ``x_low`` and ``x_high`` for every figure ``x``.
    names
        Figures to draw, and what they are called in the legend above the panel.
    xlabel
        Of the axis.
    span
        What the axis shows at least.
    floor
        What lies below is not shown; a figure there is drawn as an arrow on the edge.

    Notes
    -----
    What could not be told of any value is left out, also of the legend.
    """
    drawn = table[[f"{name}{end}" for name in names for end in ("", "_low", "_high")]]
    low = max(np.nanmin([span[0], *drawn.to_numpy(float).ravel()]), floor)
    high = np.nanmax([span[1], *drawn.to_numpy(float).ravel()])
    axes.axvline(0, color=ROLE_COLOURS["null"], linewidth=1, zorder=0)
    shifts = (0.0,) if len(names) == 1 else (-0.16, 0.16)
    marks = zip(names.items(), shifts, PAIR_COLOURS, "os", strict=False)
    for (name, label), shift, colour, marker in marks:
        estimate, *ends = table[[name, f"{name}_low", f"{name}_high"]].to_numpy(float).T
        if np.isnan(estimate).all():
            continue
        places = np.arange(len(table)) + shift
        # The first is filled and the second open, so that they differ in grey, too.
        style = {"color": colour, "markersize": 5, "linestyle": "none", "zorder": 3}
        style["markerfacecolor"] = colour if marker == "o" else "white"
        axes.hlines(places, *(np.maximum(end, low) for end in ends), color=colour, linewidth=1.4)
        shown = estimate >= low
        axes.plot(estimate[shown], places[shown], marker, label=label, **style)
        below = estimate < low
        axes.plot(np.full(below.sum(), low), places[below], "<", **style)
    axes.set(
        xlabel=xlabel,
        xlim=(low - 0.05 * (high - low), high + 0.05 * (high - low)),
        ylim=(len(table) - 0.4, -0.6),
        yticks=np.arange(len(table)),
        yticklabels=table.index,
    )
    axes.locator_params(axis="x", nbins=4)
    if table[list(names)].isna().all(axis=None):
        axes.text(0.5, 0.5, "not told", transform=axes.transAxes, ha="center", size=9)
        return
    axes.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        frameon=False,
        handletextpad=0.2,
        borderpad=0.1,
        fontsize=9,
    )
