"""Effects of graded interventions: what each value does as the same thing is said more strongly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from valuegraph.palette import PAIR_COLOURS, ROLE_COLOURS
from valuegraph.style import figure_in_style, in_circular_order
from valuegraph.tables import require_columns

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NEEDED = ("level", "value", "effect", "low", "high")


def plot_levels(
    effects: Mapping[str, pd.DataFrame],
    *,
    truth: Mapping[str, pd.DataFrame] | None = None,
    marked: Collection[str] = (),
    xlabel: str = "level",
    unit: str = "change of score (log-odds)",
) -> Figure:
    """Show the effect of one or two graded interventions on each value, over their levels.

    Parameters
    ----------
    effects
        Name of a kind of intervention -> columns ``level``, ``value``, ``effect``, ``low``,
        ``high``; one row for each level and value. One or two kinds.
    truth
        Name of a kind -> true effects, levels by values, drawn as dashed lines.
    marked
        Values whose titles are printed bold, such as those that the push should reach.
    xlabel, unit
        What levels and effects are, for the axes.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a value in circular order, five in a row, all with the same axes; lines with their
        intervals as bands.

    Raises
    ------
    ValueError
        If there are no kinds or more than two, a column is missing, a level and value stand twice,
        or kinds differ in their values.
    """
    if not 1 <= len(effects) <= 2:
        raise ValueError(f"one or two kinds of interventions can be drawn, got {len(effects)}")
    for kind, table in effects.items():
        require_columns(table, _NEEDED, f"effects of {kind!r}")
        if table.duplicated(["level", "value"]).any():
            row = table[table.duplicated(["level", "value"])].iloc[0]
            raise ValueError(f"{kind!r} has two effects on {row['value']} at level {row['level']}")
    every = [set(table["value"]) for table in effects.values()]
    if every[0] != every[-1]:
        raise ValueError(f"the kinds {' and '.join(effects)} have effects on different values")
    values = in_circular_order(next(iter(effects.values()))["value"].unique())
    rows = -(-len(values) // 5)
    options = {"nrows": rows, "ncols": min(5, len(values)), "squeeze": False}
    size = (7.2, 0.9 + 1.6 * rows)
    with figure_in_style(figsize=size, sharex=True, sharey=True, **options) as (figure, panels):
        for axes, value in zip(panels.flat, values, strict=False):
            axes.axhline(0, color=ROLE_COLOURS["null"], linewidth=0.8, zorder=0)
            axes.axvline(0, color=ROLE_COLOURS["null"], linewidth=0.8, zorder=0)
            for (kind, table), colour, mark in zip(
                effects.items(), PAIR_COLOURS, "os", strict=False
            ):
                one = table[table["value"] == value].sort_values("level")
                axes.fill_between(
                    one["level"], one["low"], one["high"], color=colour, alpha=0.2, linewidth=0
                )
                axes.plot(one["level"], one["effect"], mark, color=colour, markersize=4, label=kind)
                if truth is not None and kind in truth:
                    line = truth[kind][value].sort_index()
                    style = {"color": ROLE_COLOURS["truth"], "linewidth": 1.0}
                    axes.plot(line, "--", label="true effect", **style)
            weight = "bold" if value in marked else "normal"
            axes.set_title(value, fontweight=weight)
        for axes in panels.flat[len(values) :]:
            axes.set_axis_off()
        figure.supxlabel(xlabel, fontsize="medium")
        figure.supylabel(unit, fontsize="medium")
        handles, labels = panels[0, 0].get_legend_handles_labels()
        named = dict(zip(labels, handles, strict=True))  # the truth once
        figure.legend(
            named.values(), named.keys(), loc="outside upper center", ncols=3, frameon=False
        )
    return figure
