"""Several ways to the same targets, side by side; and how the steps of a plan add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.palette import PAIR_COLOURS, ROLE_COLOURS
from valuegraph.style import figure_in_style, in_circular_order
from valuegraph.tables import require_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from valuegraph.steering.plans import Plan

_NEEDED = ["way", "value", "part", "target", "predicted", "achieved", "low", "high"]


def plot_ways(table: pd.DataFrame, *, unit: str = "change of score (log-odds)") -> Figure:
    """Show what several ways to the same targets did to each value.

    Parameters
    ----------
    table
        Of `valuegraph.steering.plan_checks.PlanCheck`.
    unit
        What a change is, for the axis.

    Returns
    -------
    matplotlib.figure.Figure
        A panel a way, on one axis; values to change stand first.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    require_columns(table, _NEEDED, "check of plans")
    ways = list(table["way"].unique())
    ends = table[["target", "predicted", "low", "high"]]
    low, high = min(0.0, ends.min(axis=None)), max(0.0, ends.max(axis=None))
    spare = 0.06 * (high - low)
    rows = 1.4 + 0.25 * table["value"].nunique()
    options = {"ncols": len(ways), "squeeze": False, "sharex": True, "sharey": True}
    size = (2.5 * len(ways) + 1.2, rows)
    with figure_in_style(figsize=size, **options) as (figure, panels):
        for axes, way in zip(panels[0], ways, strict=True):
            draw_way(axes, table[table["way"] == way])
            axes.set(title=way, xlabel=unit)
        panels[0][0].set_xlim(low - spare, high + spare)
        panels[0][0].invert_yaxis()
        handles, labels = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def draw_way(axes: Axes, table: pd.DataFrame) -> None:
    """Draw one way into axes: bars for what was achieved, squares for what was predicted.

    Parameters
    ----------
    axes
        Of matplotlib.
    table
        Rows of one way, a row a value.
    """
    order = [
        value
        for part in ("target", "hold", "free")
        for value in in_circular_order(table.loc[table["part"] == part, "value"])
    ]
    rows = table.set_index("value").loc[order]
    at = np.arange(len(rows))
    asked = (rows["part"] == "target").to_numpy()
    for which, colour, label in (
        (asked, PAIR_COLOURS[0], "achieved"),
        (~asked, PAIR_COLOURS[1], "collateral"),
    ):
        axes.barh(at[which], rows.loc[which, "achieved"], 0.6, color=colour, label=label)
    ink = ROLE_COLOURS["truth"]
    axes.hlines(at, rows["low"], rows["high"], color=ink, linewidth=1.2)
    axes.plot(
        rows["predicted"],
        at,
        "s",
        color=ink,
        markerfacecolor="white",
        markersize=4,
        label="predicted",
    )
    axes.plot(
        rows.loc[asked, "target"],
        at[asked],
        "|",
        color=ink,
        markersize=18,
        markeredgewidth=2,
        label="target",
    )
    axes.axvline(0, color=ROLE_COLOURS["null"], linewidth=1)
    axes.set(yticks=at, yticklabels=order)


def plot_steps(plan: Plan, value: str, beside: str, *, single: Plan | None = None) -> Figure:
    """Show how the steps of a plan add up, in the plane of two values.

    Parameters
    ----------
    plan
        The plan; each of its actions is an arrow, laid end to end, the longest first.
    value, beside
        Codes of the values along and across.
    single
        A plan of one action, drawn as a dashed arrow.

    Returns
    -------
    matplotlib.figure.Figure
        Arrows from no change to what is predicted.

    Raises
    ------
    ValueError
        If a value is unknown, or the plan does nothing.
    """
    values = plan.effects.values
    for one in (value, beside):
        if one not in values:
            raise ValueError(f"unknown value {one!r}; effects were measured on {', '.join(values)}")
    if plan.coefficients.empty:
        raise ValueError(f"the plan does nothing, so there are no steps: {plan.reason}")

    def steps(of: Plan) -> pd.DataFrame:
        doses = of.coefficients
        made = of.effects.effect.loc[doses.index, [value, beside]].mul(doses, axis=0)
        return made.loc[(-(made**2).sum(axis=1)).sort_values(kind="stable").index]

    with figure_in_style(figsize=(6.6, 3.8)) as (figure, axes):
        axes.axhline(0, color=ROLE_COLOURS["null"], linewidth=1)
        if single is not None:
            (name, end), *_ = steps(single).iterrows()
            _arrow(axes, np.zeros(2), end.to_numpy(), PAIR_COLOURS[1], "--")
            axes.annotate(f"{name} alone", end, (4, 5), textcoords="offset points", ha="right")
        place = np.zeros(2)
        moves = steps(plan)
        for name, move in moves.iterrows():
            end = place + move.to_numpy()
            _arrow(axes, place, end, PAIR_COLOURS[0], "-")
            # Labels of short arrows would lie on each other.
            if np.abs(move).max() > 0.06 * np.abs(moves.to_numpy()).max():
                where = {"xytext": (8, 3 if move[beside] < 0 else -9)}
                where |= {"textcoords": "offset points"}
                axes.annotate(name, (place + end) / 2, **where, fontsize="small")
            place = end
        goal = plan.targets.get(value, 0.0), plan.targets.get(beside, 0.0)
        style = {"color": ROLE_COLOURS["truth"], "markersize": 9, "markeredgewidth": 2}
        axes.plot(*goal, "x", **style)
        axes.annotate("target", goal, (9, -13), textcoords="offset points")
        axes.set(xlabel=f"predicted change of {value}", ylabel=f"predicted change of {beside}")
        axes.margins(0.12)
    return figure


def _arrow(axes: Axes, start: np.ndarray, end: np.ndarray, colour: str, line: str) -> None:
    style = {"arrowstyle": "-|>", "color": colour, "linestyle": line, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)
    axes.plot(*np.stack([start, end]).T, alpha=0)  # so that the axes reach as far
