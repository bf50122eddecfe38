"""Figures in one style: axes labelled, colours safe for colour-blind readers, white background.

Every function takes tables or graphs and returns a matplotlib ``Figure``, already closed in pyplot:
a notebook shows it once, as the value of its cell, and no figure is left behind. Graphs draw
themselves (:meth:`valuegraph.graph.ValueGraph.draw`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.drawing import all_codes, circle_positions
from valuegraph.graph import ValueGraph
from valuegraph.graph_comparison import compare_graphs
from valuegraph.palette import EDGE_COLOURS, ROLE_COLOURS, value_colour
from valuegraph.style import figure_in_style, in_circular_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EDGE_LINES = {"shared": "-", "turned": "-.", "missing": "--", "extra": ":"}
"""Line styles that go with the edge colours of the palette, for print in grey."""


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
            cmap="RdBu_r",
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


def plot_graph_comparison(
    truth: ValueGraph,
    guess: ValueGraph,
    *,
    names: tuple[str, str] = ("truth", "guess"),
) -> Figure:
    """Show two graphs side by side on the circle, and where their edges agree.

    Parameters
    ----------
    truth, guess
        Graphs over the same values.
    names
        What the two graphs are, for their titles.

    Returns
    -------
    matplotlib.figure.Figure
        Shared edges are dark and solid, edges only of the left graph dashed, edges only of the
        right graph dotted; an edge that both have, but with another direction, is dash-dotted.

    Raises
    ------
    ValueError
        If the graphs are over different values.
    """
    from matplotlib.lines import Line2D

    comparison = compare_graphs(truth, guess)
    kinds = {frozenset(edge): "missing" for edge in comparison.missing}
    kinds |= {frozenset(edge): "extra" for edge in comparison.extra}
    kinds |= {frozenset(edge): "shared" for edge in comparison.agreed}
    turned = (*comparison.reversed, *comparison.undirected, *comparison.directed)
    kinds |= {frozenset(edge): "turned" for edge in turned}
    labels = {
        "shared": "in both",
        "turned": "in both, direction differs",
        "missing": f"only in {names[0]}",
        "extra": f"only in {names[1]}",
    }
    width = 8.6 if all_codes(truth.values) else 11.0
    with figure_in_style(ncols=2, figsize=(width, 4.9)) as (figure, both_axes):
        for axes, graph, name in zip(both_axes, (truth, guess), names, strict=True):
            _draw_on(axes, graph, kinds)
            axes.set_title(f"{name}: {graph.n_edges} edges")
        handles = [
            Line2D([], [], color=EDGE_COLOURS[kind], linestyle=EDGE_LINES[kind], linewidth=2,
                   label=f"{label} ({sum(found == kind for found in kinds.values())})")
            for kind, label in labels.items()
        ]  # fmt: skip
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    return figure


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


def _draw_on(axes: Axes, graph: ValueGraph, kinds: Mapping[frozenset[str], str]) -> None:
    """Draw a graph on the circle with edges styled by their kind."""
    from matplotlib.patches import FancyArrowPatch

    places = circle_positions(graph.values)
    short = all_codes(graph.values)
    gap = 12 if short else 5
    for edges, head in ((graph.undirected_edges, 0), (graph.directed_edges, 6)):
        for a, b in edges:
            kind = kinds[frozenset((a, b))]
            ends = {"posA": places[a], "posB": places[b], "color": EDGE_COLOURS[kind]}
            axes.add_patch(
                FancyArrowPatch(
                    **ends,
                    arrowstyle="-",
                    linewidth=1.6,
                    linestyle=EDGE_LINES[kind],
                    shrinkA=gap,
                    shrinkB=gap + head,
                )
            )
            if head:
                # A patch of its own: the dots of the line would fray the head.
                axes.add_patch(
                    FancyArrowPatch(
                        **ends,
                        arrowstyle="-|>",
                        mutation_scale=17,
                        linewidth=0,
                        shrinkA=gap,
                        shrinkB=gap,
                    )
                )
    for value, (x, y) in places.items():
        # Pale: here colour speaks of edges, not of groups.
        axes.plot(x, y, "o", color="#E4E4E4", markersize=22 if short else 8)
        if short:
            axes.text(x, y, value, ha="center", va="center", size=9, weight="bold")
        else:
            side = "center" if abs(x) < 0.05 else "left" if x > 0 else "right"
            axes.text(1.1 * x, 1.1 * y, value, ha=side, va="center", size=7)
    reach = 1.2 if short else 1.9
    axes.set(xlim=(-reach, reach), ylim=(-1.2, 1.2), aspect="equal")
    axes.axis("off")
