"""Effects of many interventions on all values, beside what was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.palette import DIVERGING_MAP, text_on
from valuegraph.steering.effects import effect_matrix
from valuegraph.style import figure_in_style, in_circular_order
from valuegraph.tables import require_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Wider maps get numbers in no cell: they could not be read.
_MOST_NUMBERS = 20

_ENDS = ("low", "high")


def plot_effect_map(
    effects: pd.DataFrame,
    *,
    predicted: pd.DataFrame | None = None,
    unit: str = "change of score (log-odds)",
    numbers: bool = True,
) -> Figure:
    """Draw a heat map of effects, interventions by values.

    Parameters
    ----------
    effects
        Table of `valuegraph.steering.effects.effects_of`: columns ``intervention``, ``value``,
        ``effect``, ``low``, ``high``.
    predicted
        Interventions by values, in the same unit: what a graph says of the same pushes. It is
        drawn as a second panel on the same scale; cells that are NaN stay grey.
    unit
        What an effect is, for the colour bar.
    numbers
        Whether effects are written into the cells, if there are not too many.

    Returns
    -------
    matplotlib.figure.Figure
        Blue for down, red for up, white for 0. A dot marks a cell whose interval holds 0.

    Raises
    ------
    ValueError
        If a column or a cell is missing, or `predicted` is of other interventions or values.
    """
    require_columns(effects, ("intervention", "value", "effect", "low", "high"), "effects")
    shown = effect_matrix(effects)
    shown = shown[in_circular_order(shown.columns)]
    low, high = (effect_matrix(effects, end).loc[shown.index, shown.columns] for end in _ENDS)
    unclear = (low <= 0) & (high >= 0)
    panels = [("measured", shown)]
    if predicted is not None:
        if set(predicted.index) != set(shown.index) or set(predicted.columns) != set(shown.columns):
            raise ValueError(
                "predicted must hold the interventions and values of the effects; it is of shape "
                f"{predicted.shape}, the effects are {shown.shape}"
            )
        panels.append(("predicted", predicted.loc[shown.index, shown.columns]))
    most = max(np.nanmax(np.abs(panel.to_numpy(float))) for _, panel in panels) or 1.0
    rows, columns = shown.shape
    size = (1.9 + 0.46 * columns * len(panels) + 0.9, 1.5 + 0.3 * rows)
    options = {"ncols": len(panels), "sharey": True, "squeeze": False, "figsize": size}
    with figure_in_style(**options) as (figure, grid):
        for axes, (title, panel) in zip(grid[0], panels, strict=True):
            image = _heat(axes, panel, most)
            if len(panels) > 1:
                axes.set_title(title)
            if numbers and rows <= _MOST_NUMBERS:
                _write(axes, panel, image)
        _mark(grid[0, 0], unclear, corner=numbers and rows <= _MOST_NUMBERS)
        figure.colorbar(image, ax=list(grid[0]), label=unit, fraction=0.05, pad=0.02)
        if unclear.any(axis=None):
            figure.supxlabel("dot: the interval holds 0", fontsize="small")
    return figure


def _heat(axes: Axes, panel: pd.DataFrame, most: float):
    axes.set_facecolor("#DDDDDD")
    image = axes.imshow(panel.to_numpy(float), cmap=DIVERGING_MAP, vmin=-most, vmax=most)
    axes.set_aspect("auto")
    axes.set(
        xticks=range(panel.shape[1]),
        xticklabels=panel.columns,
        yticks=range(panel.shape[0]),
        yticklabels=panel.index,
    )
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image


def _write(axes: Axes, panel: pd.DataFrame, image) -> None:
    from matplotlib.colors import to_hex

    for (i, j), number in np.ndenumerate(panel.to_numpy(float)):
        if np.isfinite(number):
            colour = text_on(to_hex(image.cmap(image.norm(number))).upper())
            # A minus zero would look like an effect.
            text = f"{number:.1f}".replace("-0.0", "0.0").replace("-", "−")
            axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=7.5)


def _mark(axes: Axes, unclear: pd.DataFrame, *, corner: bool) -> None:
    """Mark cells by a dot: in the corner where numbers stand in the middle."""
    rows, columns = np.nonzero(unclear.to_numpy())
    shift = (0.36, -0.32) if corner else (0.0, 0.0)
    axes.plot(columns + shift[0], rows + shift[1], ".", color="#333333", markersize=3.5)
