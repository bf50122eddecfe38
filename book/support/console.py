"""A steering console: a list of pushes, a slider for the size, ten values that answer."""

import pandas as pd
from book_support.slides import Slides, words_of

from valuegraph.style import (
    ROLE_COLOURS,
    figure_in_style,
    in_circular_order,
    names_of,
    value_colour,
)
from valuegraph.tables import require_columns


def steering_console(
    effects: pd.DataFrame, *, title: str, truth=None, start=None, unit="change of score (log-odds)"
) -> Slides:
    """Lead through effects that were measured beforehand, by push and coefficient.

    `effects` has the columns ``push`` and ``coefficient`` (what the controls say), ``value``,
    ``effect``, ``low``, ``high``; `truth`, by push and coefficient, true effects by value, drawn as
    open diamonds; `start` is where the controls stand at first.
    """
    keys = ["push", "coefficient", "value"]
    require_columns(effects, [*keys, "effect", "low", "high"], "effects")
    table = effects.set_index(keys)[["effect", "low", "high"]].sort_index()
    pushes, grid, values = (list(effects[key].unique()) for key in keys)
    steps, values = {"push": pushes, "coefficient": sorted(grid)}, in_circular_order(values)
    if table.index.has_duplicates or len(table) != len(pushes) * len(grid) * len(values):
        raise ValueError("effects need one row for every push, coefficient and value")
    reach = max(0.01, table.abs().max(axis=None), *(max(abs(t)) for t in (truth or {}).values()))

    def draw(push: str, coefficient: float) -> tuple:
        rows = table.loc[push, coefficient].reindex(values)
        ink, places = ROLE_COLOURS["truth"], range(len(rows))
        with figure_in_style(figsize=(5.0, 1.1 + 0.24 * len(rows))) as (figure, axes):
            axes.barh(places, rows["effect"], 0.62, color=list(map(value_colour, rows.index)))
            axes.hlines(places, rows["low"], rows["high"], color=ink, linewidth=1.4)
            if truth and (push, coefficient) in truth:
                true = truth[push, coefficient][rows.index]
                axes.plot(true, places, "D", color=ink, markerfacecolor="none", markersize=7)
            axes.axvline(0, color=ROLE_COLOURS["null"], linewidth=1)
            axes.set(xlabel=unit, xlim=(-1.05 * reach, 1.05 * reach))
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_yticks(places, names_of(rows.index))
        return figure, _words(f"{push}, coefficient {words_of(coefficient)}", rows["effect"])

    return Slides(draw, steps, title=title, start=start or {})


def _words(push: str, effect: pd.Series) -> str:
    """Say what one picture shows: the three largest effects, and how small the others are."""
    if not effect.any():
        return f"{push}: nothing changes."
    most = effect.loc[effect.abs().sort_values(ascending=False, kind="stable").index]
    three = zip(names_of(most.index[:3]), most.head(3), strict=True)
    named = ", ".join(f"{value} {x:+.2f}" for value, x in three)
    rest = (
        f"; every other value by {most.iloc[3:].abs().max():.2f} at most" if len(most) > 3 else ""
    )
    return f"{push}: {named.replace('-', '−')}{rest}."
