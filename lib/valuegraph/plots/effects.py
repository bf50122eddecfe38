"""Effects of an intervention, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.palette import ROLE_COLOURS
from valuegraph.style import figure_in_style, in_circular_order

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_effects(
    effects: pd.DataFrame,
    *,
    truth: Mapping[str, float] | pd.Series | None = None,
    unit: str = "effect on score",
) -> Figure:
    """Show the effect of an intervention on each value with its interval.

    Parameters
    ----------
    effects
        Columns ``value``, ``effect``, ``low``, ``high`` (ends of the interval), one row per value.
    truth
        True effect by value, drawn as open diamonds where given.
    unit
        What an effect is, for the axis.

    Returns
    -------
    matplotlib.figure.Figure
        One point and interval a value.

    Raises
    ------
    ValueError
        If a column is missing, a value appears twice, or an interval does not hold its effect.
    """
    missing = {"value", "effect", "low", "high"} - set(effects.columns)
    if missing:
        raise ValueError(
            f"effects lack {', '.join(sorted(missing))}; needed are value, effect, low, high"
        )
    if effects["value"].duplicated().any():
        twice = effects["value"][effects["value"].duplicated()].iloc[0]
        raise ValueError(f"value {twice!r} has several rows; plot one intervention at a time")
    outside = ~effects["effect"].between(effects["low"], effects["high"])
    if outside.any():
        row = effects[outside].iloc[0]
        raise ValueError(
            f"the effect on {row['value']}, {row['effect']:.3g}, is not inside its interval "
            f"[{row['low']:.3g}, {row['high']:.3g}]"
        )
    table = effects.set_index("value").loc[in_circular_order(effects["value"])]
    places = np.arange(len(table))
    with figure_in_style(figsize=(6.4, 1.4 + 0.3 * len(table))) as (figure, axes):
        axes.axvline(0, color=ROLE_COLOURS["null"], linewidth=1, zorder=0)
        axes.errorbar(
            table["effect"],
            places,
            fmt="o",
            color=ROLE_COLOURS["estimate"],
            capsize=3,
            xerr=[table["effect"] - table["low"], table["high"] - table["effect"]],
            label="measured, with interval",
        )
        if truth is not None:
            true = pd.Series(truth, dtype=float).reindex(table.index)
            axes.plot(
                true,
                places,
                "D",
                color=ROLE_COLOURS["truth"],
                markerfacecolor="none",
                markersize=8,
                label="true effect",
            )
        axes.set(xlabel=unit, yticks=places, yticklabels=table.index)
        axes.invert_yaxis()
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure
