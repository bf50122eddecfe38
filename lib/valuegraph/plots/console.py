"""A steering console: one slider for the push, one for its size, ten values that answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.palette import ROLE_COLOURS, value_colour
from valuegraph.style import figure_in_style, in_circular_order
from valuegraph.tables import require_columns
from valuegraph.widgets import Slides, words_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NEEDED = ("push", "coefficient", "value", "effect", "low", "high")
_TOLD = 3
"""How many values the words under a picture name."""


def steering_console(
    effects: pd.DataFrame,
    *,
    title: str,
    truth: Mapping[tuple[str, float], pd.Series] | None = None,
    start: Mapping[str, object] | None = None,
    unit: str = "change of score (log-odds)",
) -> Slides:
    """Lead through effects that were measured beforehand, by push and coefficient.

    Parameters
    ----------
    effects
        Columns ``push`` (what the first slider says), ``coefficient`` (what the second one says),
        ``value``, ``effect``, ``low``, ``high``; a row for every push, coefficient and value.
    title
        What the pictures show.
    truth
        By push and coefficient: the true effect by value, drawn as open diamonds. Places that are
        left out have none.
    start
        Where the sliders ``push`` and ``coefficient`` stand at first.
    unit
        What an effect is, for the axis.

    Returns
    -------
    valuegraph.widgets.Slides
        All pictures have the same axis.

    Raises
    ------
    ValueError
        If a column is missing, or a push lacks a coefficient or a value.
    """
    require_columns(effects, _NEEDED, "effects")
    pushes = list(effects["push"].unique())
    grid = sorted(effects["coefficient"].unique())
    values = in_circular_order(effects["value"].unique())
    wanted = len(pushes) * len(grid) * len(values)
    keys = effects.set_index(["push", "coefficient", "value"]).index
    if keys.has_duplicates or len(keys) != wanted:
        raise ValueError(
            f"{len(pushes)} pushes at {len(grid)} coefficients need {wanted} different rows, one "
            f"for each of {len(values)} values; there are {keys.nunique()} in {len(keys)} rows"
        )
    tables = dict(list(effects.groupby(["push", "coefficient"])))
    draw = _drawing(tables, values, truth or {}, unit)
    return Slides(draw, {"push": pushes, "coefficient": grid}, title=title, start=start or {})


def _drawing(
    tables: Mapping[tuple[str, float], pd.DataFrame],
    values: list[str],
    truth: Mapping[tuple[str, float], pd.Series],
    unit: str,
) -> Callable[..., tuple[Figure, str]]:
    """Return what draws one picture, with the axis of all."""
    ends = [table[["low", "high"]].to_numpy(float) for table in tables.values()]
    ends += [np.asarray(true, dtype=float) for true in truth.values()]
    reach = 1.05 * max(np.abs(each).max() for each in ends)

    def draw(push: str, coefficient: float) -> tuple[Figure, str]:
        table = tables[push, coefficient].set_index("value").loc[values]
        true = truth.get((push, coefficient))
        figure = _bars(table, true, reach or 1.0, unit)
        return figure, _words(push, coefficient, table["effect"])

    return draw


def _bars(table: pd.DataFrame, true: pd.Series | None, reach: float, unit: str) -> Figure:
    """Draw a bar with its interval for each value."""
    places = np.arange(len(table))
    with figure_in_style(figsize=(5.6, 1.1 + 0.24 * len(table))) as (figure, axes):
        axes.barh(places, table["effect"], 0.62, color=[value_colour(v) for v in table.index])
        axes.hlines(places, table["low"], table["high"], color=ROLE_COLOURS["truth"], linewidth=1.4)
        if true is not None:
            axes.plot(
                true.loc[list(table.index)],
                places,
                "D",
                color=ROLE_COLOURS["truth"],
                markerfacecolor="none",
                markersize=7,
            )
        axes.axvline(0, color=ROLE_COLOURS["null"], linewidth=1)
        axes.set(xlabel=unit, xlim=(-reach, reach), yticks=places, yticklabels=table.index)
        axes.invert_yaxis()
    return figure


def _words(push: str, coefficient: float, effect: pd.Series) -> str:
    """Say what one picture shows."""
    if not effect.any():
        return f"{push}, coefficient {words_of(coefficient)}: nothing changes."
    most = effect[effect.abs().sort_values(ascending=False).index]
    told = ", ".join(f"{value} {x:+.2f}" for value, x in most.head(_TOLD).items())
    rest = most.iloc[_TOLD:].abs()
    end = f"; every other value by {rest.max():.2f} at most" if len(rest) else ""
    return f"{push}, coefficient {words_of(coefficient)}: {told.replace('-', '−')}{end}."
