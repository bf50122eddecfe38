"""All features of a small autoencoder at once: what each reads, and what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.palette import DIVERGING_MAP
from valuegraph.style import figure_in_style, in_circular_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 200
"""More features than these would be columns that nobody can see."""


def plot_features(
    reads: pd.DataFrame,
    does: pd.DataFrame,
    *,
    reads_unit: str = "correlation with score",
    does_unit: str = "change of score (log-odds)",
) -> Figure:
    """Draw features by values twice: what a feature goes along with, and what a push of it does.

    Parameters
    ----------
    reads
        Features by values: such as the correlations of a feature's activity with the scores over
        roles. NaN, as for a feature that never fires, stays grey.
    does
        Features by values: the mean effects of pushes by each feature.
    reads_unit, does_unit
        What the numbers are, for the colour bars.

    Returns
    -------
    matplotlib.figure.Figure
        Two maps, one above the other, a column a feature in the same order (`feature_order`); blue
        for negative, red for positive, white for 0.

    Raises
    ------
    ValueError
        If the two are of different features or values, or of too many features.
    """
    if set(reads.index) != set(does.index) or set(reads.columns) != set(does.columns):
        raise ValueError(
            f"reads and does must hold the same features and values; they are of shapes "
            f"{reads.shape} and {does.shape}"
        )
    if len(does) > _MOST:
        raise ValueError(f"{len(does)} features cannot be drawn at once; choose {_MOST} at most")
    values = in_circular_order(does.columns)
    order = feature_order(does[values])
    panels = (
        ("What it reads", reads, reads_unit),
        ("What it does", does, does_unit),
    )
    size = (1.6 + max(0.115 * len(order), 4.4), 1.5 + 0.42 * len(values))
    with figure_in_style(nrows=2, sharex=True, figsize=size) as (figure, grid):
        for axes, (title, table, unit) in zip(grid, panels, strict=True):
            image = _map(axes, table.loc[order, values].T)
            axes.set_title(title, loc="left")
            figure.colorbar(image, ax=axes, label=unit, fraction=0.03, pad=0.01)
        grid[1].set_xticks(range(len(order)), order, rotation=90, fontsize=5.5)
        grid[1].set_xlabel("feature")
    return figure


def feature_order(does: pd.DataFrame) -> list:
    """Return features by the value that they move most, the strongest of each value first.

    Parameters
    ----------
    does
        Features by values, effects; those of one value stand together in the order of the columns.
    """
    size = does.abs()
    place = size.to_numpy().argmax(axis=1)
    return list(does.index[np.lexsort((-size.max(axis=1).to_numpy(), place))])


def _map(axes: Axes, table: pd.DataFrame):
    """Draw values by features, on a scale of its own that is white at 0."""
    most = np.nanmax(np.abs(table.to_numpy(float))) or 1.0
    axes.set_facecolor("#DDDDDD")
    image = axes.imshow(table.to_numpy(float), cmap=DIVERGING_MAP, vmin=-most, vmax=most)
    axes.set_aspect("auto")
    axes.set_yticks(range(len(table)), table.index, fontsize="small")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image
