"""Plans: what was asked for, predicted and achieved; and how much less they disturb."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.palette import PAIR_COLOURS, ROLE_COLOURS
from valuegraph.style import figure_in_style, in_circular_order
from valuegraph.tables import require_columns

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PARTS = {"target": "to change", "hold": "to hold", "free": "free"}


def plot_plan(table: pd.DataFrame, *, unit: str = "change of score") -> Figure:
    """Show what a plan predicts for each value, and what it achieved where that was measured.

    Parameters
    ----------
    table
        Of `valuegraph.steering.plans.Plan`, or rows of one way from the table of
        `valuegraph.steering.plan_checks.PlanCheck`.
    unit
        What a change is, for the axis.

    Returns
    -------
    matplotlib.figure.Figure
        One row a value: those to change, those to hold, those left free.

    Raises
    ------
    ValueError
        If a column is missing, or the rows are of several ways.
    """
    if "value" not in table.columns:
        table = table.rename_axis("value").reset_index()
    if "way" in table.columns and table["way"].nunique() > 1:
        raise ValueError(
            f"the table holds several ways ({', '.join(table['way'].unique())}); plot one at a time"
        )
    if "predicted_low" not in table.columns:
        table = table.rename(columns={"low": "predicted_low", "high": "predicted_high"})
    required = ["value", "part", "target", "predicted", "predicted_low", "predicted_high"]
    require_columns(table, required, "plan")
    checked = "achieved" in table.columns
    places, ticks, place = {}, [], 0.0
    for part in _PARTS:
        values = in_circular_order(table.loc[table["part"] == part, "value"])
        for value in values:
            places[value] = place
            place += 1
        ticks.append((part, values))
        place += 0.7 if values else 0.0
    rows = table.set_index("value").loc[list(places)]
    at = np.array(list(places.values()))
    with figure_in_style(figsize=(6.6, 1.5 + 0.3 * place)) as (figure, axes):
        axes.axvline(0, color=ROLE_COLOURS["null"], linewidth=1, zorder=0)
        asked = rows["part"] == "target"
        axes.plot(
            rows.loc[asked, "target"],
            at[asked],
            "|",
            color=ROLE_COLOURS["truth"],
            markersize=22,
            markeredgewidth=2,
            label="target",
        )
        shift = 0.14 if checked else 0.0
        drawn = [("predicted", "predicted_", "s", PAIR_COLOURS[1], -shift)]
        if checked:
            drawn.append(("achieved", "", "o", PAIR_COLOURS[0], shift))
        for name, ends, marker, colour, moved in drawn:
            mean, low, high = rows[name], rows[f"{ends}low"], rows[f"{ends}high"]
            axes.errorbar(
                mean,
                at + moved,
                xerr=[mean - low, high - mean],
                fmt=marker,
                color=colour,
                markerfacecolor="white" if marker == "s" else colour,
                markersize=5,
                capsize=2,
                label=name if checked else "predicted, with interval",
            )
        axes.set(xlabel=unit, yticks=at, yticklabels=rows.index)
        axes.set_ylim(at[-1] + 0.7, -0.7)
        for part, values in ticks:
            if values:
                middle = np.mean([places[value] for value in values])
                axes.text(
                    1.01,
                    middle,
                    _PARTS[part],
                    transform=axes.get_yaxis_transform(),
                    rotation=-90 if len(values) > 2 else 0,
                    va="center",
                )
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def plot_plan_study(
    study: pd.DataFrame, *, ways: tuple[str, ...] = ("single feature", "prompt")
) -> Figure:
    """Show collateral at equal target, of plans and of simpler ways, target by target.

    Parameters
    ----------
    study
        Of ``load_study("plans")``: columns organism, number, way and at_equal_target.
    ways
        What the way ``"plan"`` is compared with.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each of `ways`: one point a target; below the dashed line the plan disturbs
        held values at most half as much.

    Raises
    ------
    ValueError
        If a column or way is missing.
    """
    require_columns(study, ["organism", "number", "way", "at_equal_target"], "study of plans")
    missing = [way for way in ("plan", *ways) if way not in set(study["way"])]
    if missing:
        raise ValueError(
            f"the study lacks the way {missing[0]!r}; it has {', '.join(study['way'].unique())}"
        )
    wide = study.pivot(index=["organism", "number"], columns="way", values="at_equal_target")
    shown = wide[["plan", *ways]].replace(np.inf, np.nan).to_numpy()
    low, high = np.nanmin(shown) / 1.5, np.nanmax(shown) * 1.5
    line = np.array([low, high])
    size = (3.3 * len(ways) + 0.6, 3.9)
    with figure_in_style(ncols=len(ways), figsize=size, squeeze=False, sharey=True) as (
        figure,
        rows,
    ):
        for axes, way in zip(rows[0], ways, strict=True):
            axes.plot(line, line, color=ROLE_COLOURS["null"], linewidth=1)
            axes.plot(line, line / 2, color=ROLE_COLOURS["null"], linewidth=1, linestyle="--")
            marks = zip(wide.index.unique("organism"), PAIR_COLOURS, "os", strict=False)
            for organism, colour, marker in marks:
                axes.plot(
                    wide.loc[organism, way],
                    wide.loc[organism, "plan"],
                    marker,
                    color=colour,
                    markerfacecolor=colour if marker == "o" else "white",
                    markersize=5,
                    linestyle="none",
                    label=organism if axes is rows[0][0] else None,
                )
            axes.set(
                xscale="log",
                yscale="log",
                xlim=(low, high),
                ylim=(low, high),
                xlabel=f"collateral of the {way}",
            )
            axes.set_aspect("equal")
        rows[0][0].set_ylabel("collateral of the plan")
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def plot_prior_study(study: pd.DataFrame, *, noise: float) -> Figure:
    """Show where a graph as prior knowledge lowers the collateral of plans.

    Parameters
    ----------
    study
        Of ``load_study("plans_prior")``.
    noise
        Which noise by role to show, one of those in the study.

    Returns
    -------
    matplotlib.figure.Figure
        A panel an organism: median collateral by number of roles measured, a line a prior. Numbers
        of roles at which no action was found to move anything are left out.

    Raises
    ------
    ValueError
        If a column is missing or the study lacks the noise.
    """
    from matplotlib.ticker import LogLocator

    needed = ["organism", "noise", "n_roles", "prior", "usable", "median_collateral"]
    require_columns(study, needed, "study of the prior")
    if noise not in set(study["noise"]):
        known = ", ".join(f"{x:g}" for x in study["noise"].unique())
        raise ValueError(f"the study has no noise {noise:g}; it has {known}")
    shown = study[(study["noise"] == noise) & (study["usable"] > 0)]
    organisms, priors = shown["organism"].unique(), shown["prior"].unique()
    styles = {"none": ("o-", ROLE_COLOURS["truth"]), "true graph": ("s-", PAIR_COLOURS[0])}
    others = iter([("^--", PAIR_COLOURS[1]), ("v--", ROLE_COLOURS["null"])])
    styles |= {prior: next(others) for prior in priors if prior not in styles}
    size = (3.4 * len(organisms) + 0.6, 3.4)
    with figure_in_style(ncols=len(organisms), figsize=size, squeeze=False, sharey=True) as (
        figure,
        rows,
    ):
        for axes, organism in zip(rows[0], organisms, strict=True):
            for prior in priors:
                one = shown[(shown["organism"] == organism) & (shown["prior"] == prior)]
                mark, colour = styles[prior]
                axes.plot(
                    one["n_roles"],
                    one["median_collateral"],
                    mark,
                    color=colour,
                    markersize=5,
                    label=prior if axes is rows[0][0] else None,
                )
            ticks = sorted(shown["n_roles"].unique())
            axes.set(xscale="log", yscale="log", xlabel="roles measured", title=organism)
            axes.set_xticks(ticks, [f"{n:g}" for n in ticks])
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(lambda size, _: f"{size:g}")
            axes.minorticks_off()
        rows[0][0].set_ylabel("collateral at equal target")
        figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure
