"""A plan builder: a value, a change, the actions that are allowed; and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from valuegraph.plots.plan_ways import draw_way
from valuegraph.steering.plan_checks import check_of_changes
from valuegraph.style import figure_in_style
from valuegraph.widgets import Slides, words_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from valuegraph.steering.plans import Plan


def plan_builder(
    plans: Mapping[tuple[str, float, str], Plan],
    changes: Mapping[tuple[str, float, str], pd.DataFrame],
    *,
    title: str,
    start: Mapping[str, object] | None = None,
    unit: str = "change of score (log-odds)",
) -> Slides:
    """Lead through plans that were made and carried out beforehand.

    Parameters
    ----------
    plans
        By value, change and what was allowed, each plan for that change of that value alone; every
        combination.
    changes
        By the same keys: change of every role's scores, as from
        `valuegraph.steering.plan_checks.carry_out`. Plans that do nothing are left out.
    title
        What the pictures show.
    start
        Where the sliders ``value``, ``change`` and ``allowed`` stand at first.
    unit
        What a change is, for the axis.

    Returns
    -------
    valuegraph.widgets.Slides
        All pictures have the same axis.

    Raises
    ------
    ValueError
        If a combination is missing, or a plan that does something was not carried out.
    """
    values, sizes, allowed = (list(dict.fromkeys(key[i] for key in plans)) for i in range(3))
    places = [(v, s, a) for v in values for s in sizes for a in allowed]
    lost = [at for at in places if at not in plans]
    if lost:
        raise ValueError(f"there is no plan for {lost[0]}; every combination needs one")
    tables, figures = {}, {}
    for at, one in plans.items():
        if not one.coefficients.empty and at not in changes:
            raise ValueError(f"the plan for {at} was not carried out")
        index = pd.RangeIndex(2)  # doing nothing changes nothing
        idle = pd.DataFrame(0.0, index=index, columns=one.effects.values)
        check = check_of_changes({"plan": one}, {"plan": changes.get(at, idle)})
        tables[at], figures[at] = check.table, check.summary.loc["plan"]
    ends = [t[["target", "predicted", "low", "high"]].abs().max(axis=None) for t in tables.values()]
    reach = 1.05 * max(ends)

    def draw(value: str, change: float, allowed: str) -> tuple[Figure, str]:
        at = (value, change, allowed)
        with figure_in_style(figsize=(5.4, 3.4)) as (figure, axes):
            draw_way(axes, tables[at])
            axes.set(xlabel=unit, xlim=(-reach, reach))
            axes.invert_yaxis()
        return figure, _words(plans[at], figures[at], tables[at], allowed)

    steps = {"value": values, "change": sizes, "allowed": allowed}
    return Slides(draw, steps, title=title, start=start or {})


def _words(plan: Plan, found: pd.Series, table: pd.DataFrame, allowed: str) -> str:
    """Say what one picture shows."""
    value, size = next(iter(plan.targets.items()))
    if plan.coefficients.empty:
        return f"{value} {size:+g} by {allowed}: nothing is done. {plan.reason}.".replace("-", "−")
    achieved = table.set_index("value").loc[value, "achieved"]
    n = len(plan.coefficients)
    parts = ", ".join(
        action if action_is_told else f"{action} × {words_of(round(dose, 2))}"
        for action, dose, action_is_told in _doses(plan)
    )
    text = (
        f"{value} {size:+g} by {allowed}: {n} action{'s' if n > 1 else ''} ({parts}). Achieved "
        f"{achieved:+.2f}; the held values change by {found['collateral']:.3f} on average"
    )
    if not plan.feasible:
        text += f". The plan had said that it cannot: {plan.reason}"
    return text.replace("-", "−") + "."


def _doses(plan: Plan) -> list[tuple[str, float, bool]]:
    told = {action.name: action.told for action in plan.effects.actions}
    return [(name, dose, told[name]) for name, dose in plan.coefficients.items()]
