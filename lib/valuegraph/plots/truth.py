"""Measured scores against true values, where these are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from valuegraph.palette import ROLE_COLOURS, value_colour
from valuegraph.style import figure_in_style, in_circular_order

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_against_truth(
    scores: pd.DataFrame, truth: pd.DataFrame, *, slope: float | None = None
) -> Figure:
    """Show the scores of each value against its true size, one point a role.

    Parameters
    ----------
    scores
        Roles by values, in log-odds.
    truth
        The same roles and values, in standard deviations.
    slope
        True slope in log-odds per standard deviation, drawn as a line through zero where given.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a value, five in a row, with the correlation in it.

    Raises
    ------
    ValueError
        If a role or a value stands on one side only.
    """
    import seaborn as sns

    for axis, what in ((0, "role"), (1, "value")):
        apart = scores.axes[axis].symmetric_difference(truth.axes[axis])
        if len(apart):
            raise ValueError(
                f"{what} {apart[0]!r} stands in the scores or in the truth only; give both the same"
            )
    values = in_circular_order(scores.columns)
    rows = -(-len(values) // 5)
    with figure_in_style(
        nrows=rows, ncols=5, sharex=True, sharey=True, figsize=(7.0, 1.7 * rows), squeeze=False
    ) as (figure, panels):
        for axes, value in zip(panels.flat, values, strict=False):
            pair = pd.DataFrame({"x": truth[value], "y": scores[value]})
            sns.scatterplot(
                pair, x="x", y="y", ax=axes, s=7, color=value_colour(value), linewidth=0, alpha=0.6
            )
            if slope is not None:
                axes.axline((0, 0), slope=slope, color=ROLE_COLOURS["truth"], linewidth=1, ls="--")
            axes.set(xlabel="", ylabel="")
            axes.set_title(f"{value}   r = {pair['x'].corr(pair['y']):.3f}", fontsize="small")
        for axes in panels.flat[len(values) :]:
            axes.set_axis_off()
        figure.supxlabel("true value (standard deviations)", fontsize="medium")
        figure.supylabel("score (log-odds)", fontsize="medium")
    return figure
