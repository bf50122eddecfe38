"""A plan builder: a value, a change, the actions that are allowed; and what comes of it."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd
from book_support.slides import Slides, words_of

from valuegraph.style import (
    PAIR_COLOURS,
    ROLE_COLOURS,
    figure_in_style,
    in_circular_order,
    names_of,
)

Place = tuple[str, float, str]  # value, change, what is allowed


def plan_builder(
    plans: Mapping[Place, object],
    outcomes: Mapping[Place, tuple[pd.DataFrame, pd.DataFrame]],
    *,
    title: str,
    start: Mapping[str, object] | None = None,
    unit: str = "change of score (log-odds)",
) -> Slides:
    """Lead through plans that were made and carried out beforehand.

    `plans` holds one for every value, change and what was allowed; `outcomes`, by the same keys,
    what ``vg.check_plan({key: plan}, answers)`` told, but of plans that do nothing.
    """
    steps = [list(dict.fromkeys(at[i] for at in plans)) for i in range(3)]
    tables = {}
    for at in product(*steps):
        if at not in plans or (len(plans[at].coefficients) and at not in outcomes):
            raise ValueError(f"there is no plan for {at}, or it was not carried out")
        idle = plans[at].table.rename_axis("value").reset_index().assign(achieved=0.0)
        tables[at] = outcomes[at][0] if at in outcomes else idle
    ends = ["target", "predicted", "low", "high"]
    reach = 1.05 * max(table[ends].abs().max(axis=None) for table in tables.values())

    def draw(value: str, change: float, allowed: str) -> tuple:
        at = (value, change, allowed)
        with figure_in_style(figsize=(5.0, 3.4)) as (figure, axes):
            draw_way(axes, tables[at])
            axes.set(xlabel=unit, xlim=(-reach, reach))
        said = _words(plans[at], outcomes.get(at), value)
        words = f"{change:+g} by {allowed}: {said}".replace("-", "−")
        return figure, f"{words_of(value)} {words}"

    controls = dict(zip(("value", "change", "allowed"), steps, strict=True))
    return Slides(draw, controls, title=title, start=start or {})


def draw_way(axes, table: pd.DataFrame) -> None:
    """Draw one way of ``check_plan``: bars achieved, squares predicted, upright marks targets."""
    parts = [table.loc[table["part"] == part, "value"] for part in ("target", "hold", "free")]
    rows = table.set_index("value").loc[[v for part in parts for v in in_circular_order(part)]]
    at, asked, ink = np.arange(len(rows)), rows["part"].eq("target"), ROLE_COLOURS["truth"]
    bars = {"achieved": (asked, PAIR_COLOURS[0]), "collateral": (~asked, PAIR_COLOURS[1])}
    for label, (which, colour) in bars.items():
        axes.barh(at[which], rows.loc[which, "achieved"], 0.6, color=colour, label=label)
    axes.hlines(at, rows["low"], rows["high"], color=ink, linewidth=1.2)
    squares = {"color": ink, "markerfacecolor": "white", "markersize": 4, "label": "predicted"}
    axes.plot(rows["predicted"], at, "s", **squares)
    stroke = {"color": ink, "markersize": 18, "markeredgewidth": 2, "label": "target"}
    axes.plot(rows.loc[asked, "target"], at[asked], "|", **stroke)
    axes.axvline(0, color=ROLE_COLOURS["null"], linewidth=1)
    axes.set_yticks(at, names_of(rows.index))
    axes.set_ylim(len(rows) - 0.5, -0.5)


def _words(plan, outcome: tuple | None, value: str) -> str:
    """Say what one picture shows."""
    if outcome is None:
        return f"nothing is done. {plan.reason}."
    (table, summary), n = outcome, len(plan.coefficients)
    whole, doses = plan.effects.actions["whole"], plan.coefficients.items()
    parts = ", ".join(a if whole[a] else f"{a} × {words_of(round(x, 2))}" for a, x in doses)
    achieved = table.set_index("value").loc[value, "achieved"]
    text = f"{n} action{'s' if n > 1 else ''} ({parts}). Achieved {achieved:+.2f}; the held values "
    text += f"change by {summary['collateral'].iloc[0]:.3f} on average"
    return f"{text}." if plan.feasible else f"{text}. The plan said that it cannot: {plan.reason}."
