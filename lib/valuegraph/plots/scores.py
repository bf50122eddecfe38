"""How scores are distributed over roles, and how they correlate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.palette import DIVERGING_MAP, ROLE_COLOURS, value_colour
from valuegraph.style import figure_in_style, in_circular_order

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_scores(scores: pd.DataFrame, *, unit: str = "score (mean keyed log-odds)") -> Figure:
    """Show how the scores of each value are distributed over roles.

    Parameters
    ----------
    scores
        One row per role, one column per value.
    unit
        What a score is, for the axis.

    Returns
    -------
    matplotlib.figure.Figure
        One violin a value with lines at the quartiles, in the colour of the value's group.

    Raises
    ------
    ValueError
        If there are no scores.
    """
    import seaborn as sns

    if scores.empty:
        raise ValueError("there are no scores to plot: the frame has no rows or no columns")
    values = in_circular_order(scores.columns)
    tall = pd.DataFrame(
        {"value": np.repeat(values, len(scores)), "score": scores[values].to_numpy().T.ravel()}
    )
    colours = {value: value_colour(value) for value in values}
    with figure_in_style(figsize=(6.4, 1.2 + 0.32 * len(values))) as (figure, axes):
        axes.axvline(0, color=ROLE_COLOURS["null"], linewidth=1, zorder=0)
        sns.violinplot(
            data=tall,
            x="score",
            y="value",
            hue="value",
            palette=colours,
            inner="quart",  # lines at the quartiles
            cut=0,  # no density beyond the scores themselves
            density_norm="width",
            alpha=0.6,
            linewidth=1,
            legend=False,
            ax=axes,
        )
        axes.set(xlabel=unit, ylabel="", title=f"{len(scores)} roles")
    return figure


def plot_correlation(correlation: pd.DataFrame, *, title: str = "") -> Figure:
    """Show correlations as a heat map, values in circular order.

    Parameters
    ----------
    correlation
        Symmetric frame with the same values on both sides.
    title
        Shown over the map.

    Returns
    -------
    matplotlib.figure.Figure
        Blue is negative, red positive, with the number in each cell if there are at most 12 values.

    Raises
    ------
    ValueError
        If the two sides of the frame hold different values.
    """
    import seaborn as sns

    if sorted(correlation.index) != sorted(correlation.columns):
        raise ValueError(
            f"correlations need the same values on both sides; rows are {list(correlation.index)}, "
            f"columns {list(correlation.columns)}"
        )
    values = in_circular_order(correlation.columns)
    table = correlation.loc[values, values]
    side = 2.2 + 0.42 * len(values)
    with figure_in_style(figsize=(side + 0.8, side)) as (figure, axes):
        sns.heatmap(
            table,
            vmin=-1,
            vmax=1,
            cmap=DIVERGING_MAP,
            square=True,
            ax=axes,
            mask=np.eye(len(values), dtype=bool),  # ones by definition, nothing to see
            annot=len(values) <= 12,
            fmt=".2f",
            annot_kws={"size": 8},
            linewidths=0.5,
            cbar_kws={"label": "correlation r", "shrink": 0.8},
        )
        axes.set(title=title, xlabel="", ylabel="")
        axes.tick_params(axis="y", rotation=0)
    return figure
