"""Figures that several pages need, in one style; what a single page shows is drawn on that page.

``draw_...`` draw into axes that are there, so that a page can put panels side by side inside
:func:`valuegraph.style.figure_in_style`; ``plot_...`` return a whole figure. Tables of intervals
have the columns ``estimate`` (or ``effect``), ``low`` and ``high``.
"""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from valuegraph import style
from valuegraph.effects import effect_matrix

#: Colour and mark of each of several tables; filled and open ones differ in grey, too.
_SERIES = [*zip((*style.PAIR_COLOURS, style.GREEN, style.PINK, style.DARK), "os^Dv", strict=True)]
_NULL = {"color": style.ROLE_COLOURS["null"], "linewidth": 1}
_TRUTH = {"color": style.ROLE_COLOURS["truth"], "linewidth": 1, "markersize": 8, "mfc": "none"}


def plot_scores(scores: pd.DataFrame, *, unit: str = "score (log-odds)") -> Figure:
    """Show how scores spread over roles: a violin for each value, with lines at the quartiles.

    Parameters
    ----------
    scores : pandas.DataFrame
        One row a role, one column a value.
    unit : str
        What a score is, for the axis.
    """
    values = style.in_circular_order(scores.columns)
    # No density beyond the scores themselves.
    look = {"inner": "quart", "cut": 0, "density_norm": "width", "alpha": 0.6, "linewidth": 1}
    look |= {"orient": "h", "palette": [style.value_colour(value) for value in values]}
    with style.figure_in_style(figsize=(6.4, 1.2 + 0.32 * len(values))) as (figure, axes):
        axes.axvline(0, **_NULL, zorder=0)
        sns.violinplot(scores[values], ax=axes, legend=False, **look)
        axes.set(xlabel=unit, ylabel="", title=f"{len(scores)} roles")
        axes.set_yticks(range(len(values)), style.names_of(values))
    return figure


def plot_correlation(correlation: pd.DataFrame, *, title: str = "") -> Figure:
    """Show correlations as a heat map, values in circular order: blue negative, red positive.

    Parameters
    ----------
    correlation : pandas.DataFrame
        The same values on both sides; up to 12 get their numbers written into the cells.
    title : str
        Shown over the map.
    """
    values = style.in_circular_order(correlation.columns)
    side, ones = 2.2 + 0.42 * len(values), np.eye(len(values))  # nothing to see on the diagonal
    with style.figure_in_style(figsize=(side + 0.8, side)) as (figure, axes):
        cells = {"mask": ones, "annot": len(values) <= 12, "fmt": ".2f"}
        bar = {"label": "correlation r", "shrink": 0.8}
        _heat(axes, correlation.loc[values, values], 1, cbar_kws=bar, **cells)
        axes.set_title(title)
    return figure


def _heat(axes, table: pd.DataFrame, most: float, **options) -> None:
    look = {"vmin": -most, "vmax": most, "cmap": style.DIVERGING_MAP, "annot_kws": {"size": 8}}
    sns.heatmap(table.astype(float), ax=axes, **look, **options)
    axes.set(xlabel="", ylabel="")
    axes.tick_params(length=0, labelrotation=0)


def draw_intervals(axes, tables, *, truth=None, xlabel: str = "") -> None:
    """Draw estimates with their intervals into axes, a row for each label.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    tables : Mapping of str to pandas.DataFrame
        Up to five tables by their names in the legend; the index labels the rows. Tables with rows
        in common stand side by side.
    truth : pandas.Series or sequence of float, optional
        What is true of each row, by label or in order: open diamonds.
    xlabel : str
        What is shown, with its unit.
    """
    labels = list(dict.fromkeys(label for table in tables.values() for label in table.index))
    apart = 0.24 if len(labels) < sum(map(len, tables.values())) else 0.0
    series = zip(tables.items(), _SERIES[: len(tables)], strict=True)
    for k, ((name, table), (colour, mark)) in enumerate(series):
        y = np.array([labels.index(x) for x in table.index]) + apart * (k - (len(tables) - 1) / 2)
        x = table["effect" if "effect" in table else "estimate"]
        low, high = table.reindex(columns=["low", "high"]).to_numpy(dtype=float).T
        axes.hlines(y, low, high, color=colour, linewidth=1.4)
        axes.plot(x, y, mark, color=colour, mfc=("white", colour)[k % 2 == 0], ms=5, label=name)
    if truth is not None:
        axes.plot(pd.Series(truth, labels), range(len(labels)), "D", label="true", **_TRUTH)
    axes.axvline(0, **_NULL, zorder=0)
    axes.set(xlabel=xlabel, ylim=(len(labels) - 0.4, -0.6))
    axes.set_yticks(range(len(labels)), style.names_of(labels))


def plot_intervals(tables, **options) -> Figure:
    """Show one or several tables of estimates in a figure; see :func:`draw_intervals`."""
    tables = {"measured, with interval": tables} if isinstance(tables, pd.DataFrame) else tables
    rows = {label for table in tables.values() for label in table.index}
    with style.figure_in_style(figsize=(6.4, 1.4 + 0.3 * len(rows))) as (figure, axes):
        draw_intervals(axes, tables, **options)
        figure.legend(loc="outside lower center", ncols=5, frameon=False)
    return figure


def plot_heatmap(
    effects: pd.DataFrame, *, predicted=None, unit="change of score (log-odds)", numbers=True
) -> Figure:
    """Show effects as a heat map, interventions by values: blue down, red up, white for 0.

    Parameters
    ----------
    effects : pandas.DataFrame
        Columns ``intervention``, ``value``, ``effect``, ``low``, ``high``. A dot marks a cell whose
        interval holds 0.
    predicted : pandas.DataFrame, optional
        Interventions by values, in the same unit: a second panel on the same scale. Cells that are
        NaN stay grey.
    unit : str
        What an effect is, for the colour bar.
    numbers : bool
        Whether effects are written into the cells, if there are at most 20 rows.
    """
    low, high, shown = (effect_matrix(effects, column) for column in ("low", "high", "effect"))
    values, numbers = style.in_circular_order(shown.columns), numbers and len(shown) <= 20
    panels = {"measured": shown[values]}
    if predicted is not None:
        panels["predicted"] = predicted.loc[shown.index, values]
    most = max(panel.abs().max(axis=None) for panel in panels.values()) or 1.0
    cell, right, down = (0.46, 0.86, 0.18) if numbers else (0.3, 0.5, 0.5)  # inches; where dots are
    size = (2.8 + cell * len(values) * len(panels), 1.5 + 0.3 * len(shown))
    options = {"ncols": len(panels), "sharey": True, "squeeze": False, "figsize": size}
    with style.figure_in_style(**options) as (figure, grid):
        for axes, (title, panel) in zip(grid[0], panels.items(), strict=True):
            # A minus zero would look like an effect.
            text = panel.map(lambda x: f"{x:.1f}".replace("-0.0", "0.0").replace("-", "−"))
            axes.set_facecolor("#DDDDDD")
            _heat(axes, panel, most, cbar=False, annot=text if numbers else None, fmt="")
            axes.set_title(title if len(panels) > 1 else "")
        row, column = np.nonzero(((low <= 0) & (high >= 0))[values].to_numpy())
        grid[0, 0].plot(column + right, row + down, ".", color=style.DARK, markersize=3.5)
        figure.colorbar(grid[0, 0].collections[0], ax=list(grid[0]), label=unit, fraction=0.05)
        figure.supxlabel("dot: the interval holds 0" if len(row) else "", fontsize="small")
    return figure
