"""Checking a plan: predicted against achieved on other roles, and beside simpler ways.

The *miss* is the largest relative error over the targets, the *collateral* the mean absolute change
of the held values. A simpler way seldom meets the targets exactly, so that its collateral is told
at equal target: divided by the *share* of the targets that it achieved, ``<achieved, target> /
<target, target>``.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from valuegraph.answers import NO_INTERVENTION
from valuegraph.steering.action_measuring import ask_scores
from valuegraph.steering.plans import Plan, plan

if TYPE_CHECKING:
    from valuegraph.asking.prompts import PromptFormat
    from valuegraph.interventions import Intervention
    from valuegraph.inventory import Inventory
    from valuegraph.models import Respondent
    from valuegraph.roles import Role


@dataclass(frozen=True, eq=False)
class PlanCheck:
    """What plans achieved.

    Attributes
    ----------
    table
        One row for each plan (column ``way``) and value; columns value, part, target, predicted,
        predicted_low, predicted_high, achieved, low, high. Intervals of 95 % of means over roles.
    summary
        Index way; columns miss, share, collateral, at_equal_target (collateral divided by share;
        infinite if nothing is achieved), ratio (of the first plan's collateral at equal target to
        this one's) and n_actions.
    n_roles
        Number of roles asked.
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    n_roles: int


def verify(
    respondent: Respondent,
    inventory: Inventory,
    roles: Sequence[Role | None],
    plans: Plan | Mapping[str, Plan],
    *,
    fmt: PromptFormat | None = None,
    progress: bool = False,
) -> PlanCheck:
    """Carry plans out on roles, and compare with what was predicted.

    Parameters
    ----------
    respondent, inventory, roles, fmt, progress
        As for `valuegraph.elicitation.elicit`; roles on which the effects were not measured.
    plans
        A plan, or several by name (the way that each goes), such as the plan itself and what
        `valuegraph.steering.plan_rivals` chose for the same targets.

    Returns
    -------
    PlanCheck
        Predicted and achieved changes, and figures to compare.

    Raises
    ------
    ValueError
        If a plan does nothing, there are fewer than two roles, or plans have other targets or
        scores than the first.
    """
    plans = {"plan": plans} if isinstance(plans, Plan) else dict(plans)
    if not plans or len(roles) < 2:
        raise ValueError(f"needed are a plan and 2 roles, got {len(plans)} and {len(roles)}")
    first = next(iter(plans.values()))
    for way, one in plans.items():
        if not (one.targets.equals(first.targets) and one.held == first.held):
            raise ValueError(f"{way!r} has other targets or held values than the first plan")
        if one.effects.by != first.effects.by or one.effects.values != first.effects.values:
            raise ValueError(f"{way!r} was made from other scores than the first plan")
    changes = carry_out(respondent, inventory, roles, plans, fmt=fmt, progress=progress)
    return check_of_changes(plans, changes)


def carry_out(
    respondent: Respondent,
    inventory: Inventory,
    roles: Sequence[Role | None],
    plans: Mapping[Hashable, Plan],
    *,
    fmt: PromptFormat | None = None,
    progress: bool = False,
) -> dict[Hashable, pd.DataFrame]:
    """Carry plans out on roles; they may have different targets.

    Parameters
    ----------
    respondent, inventory, roles, fmt, progress
        As for `valuegraph.elicitation.elicit`.
    plans
        By any name; all from the same kind of scores.

    Returns
    -------
    dict
        Change of every role's scores, roles by values, by the plan's name.

    Raises
    ------
    ValueError
        If there is no plan, one does nothing, or they are from different scores.
    """
    units = {one.effects.by for one in plans.values()}
    if len(units) != 1:
        raise ValueError(f"needed are plans from one kind of scores, got {sorted(units)}")
    (by,) = units
    for name, one in plans.items():
        if one.intervention is None:
            raise ValueError(f"{name!r} does nothing, so there is nothing to verify: {one.reason}")
    # By what is told: shifts of one text share all that lies below them.
    told = {name: bool(one.intervention.text) for name, one in plans.items()}
    changes = {}
    for kind in (False, True):
        named = {
            name: _renamed(one.intervention, str(name))
            for name, one in plans.items()
            if told[name] == kind
        }
        if not named:
            continue
        asked = list(named.values())
        options = {"by": by, "fmt": fmt, "progress": progress}
        scores = ask_scores(respondent, inventory, roles, asked, **options)
        start = scores[NO_INTERVENTION]
        changes |= {name: scores[one.name] - start for name, one in named.items()}
    return {name: changes[name] for name in plans}


def check_of_changes(plans: Mapping[str, Plan], changes: Mapping[str, pd.DataFrame]) -> PlanCheck:
    """Compare plans with the changes that they made.

    Parameters
    ----------
    plans
        By way.
    changes
        Change of every role's scores, roles by values, by way.
    """
    tables, rows = [], {}
    for way, one in plans.items():
        table = one.table.rename(columns={"low": "predicted_low", "high": "predicted_high"})
        change = changes[way][table.index]
        n = len(change)
        half = stats.t.ppf(0.975, n - 1) * change.std(ddof=1) / np.sqrt(n)
        mean = change.mean()
        table = table.assign(achieved=mean, low=mean - half, high=mean + half)
        tables.append(table.reset_index().assign(way=way))
        rows[way] = {**figures(mean, one.targets, one.held), "n_actions": len(one.coefficients)}
    summary = pd.DataFrame(rows).T.astype({"n_actions": int})
    summary.index.name = "way"
    equal = summary["at_equal_target"]
    summary.insert(4, "ratio", equal.iloc[0] / equal)
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "way", table.pop("way"))
    return PlanCheck(table, summary, len(next(iter(changes.values()))))


def figures(change: pd.Series, targets: pd.Series, held: Sequence[str]) -> dict[str, float]:
    """Return miss, share, collateral and collateral at equal target of a mean change by value."""
    on_target = change[targets.index]
    share = float(on_target @ targets / (targets @ targets))
    collateral = float(change[list(held)].abs().mean()) if len(held) else 0.0
    return {
        "miss": float((on_target / targets - 1).abs().max()),
        "share": share,
        "collateral": collateral,
        "at_equal_target": collateral / share if share > 0 else np.inf,
    }


def refine(
    respondent: Respondent,
    inventory: Inventory,
    roles: Sequence[Role | None],
    first: Plan,
    *,
    fmt: PromptFormat | None = None,
    **options: object,
) -> Plan:
    """Carry a plan out, and plan again with what it did beyond the prediction.

    Effects bend at large doses and do not quite add up. What a plan as a whole departs from their
    sum is measured once, on the roles on which the effects were measured, and taken to stay about
    the same for the small corrections that follow.

    Parameters
    ----------
    respondent, inventory, roles, fmt
        As for `valuegraph.elicitation.elicit`; never the roles on which the plan is verified.
    first
        The plan.
    options
        As for `valuegraph.steering.plans.plan`: those that the first plan was made with.

    Returns
    -------
    Plan
        For the same targets.

    Raises
    ------
    ValueError
        As from `verify`.
    """
    table = verify(respondent, inventory, roles, first, fmt=fmt).table.set_index("value")
    return with_departure(first, table["achieved"], **options)


def with_departure(first: Plan, achieved: pd.Series, **options: object) -> Plan:
    """Plan again, given what a first plan achieved; see `refine`.

    Parameters
    ----------
    first
        The plan.
    achieved
        Mean change of each value that it made.
    options
        As for `refine`.
    """
    straight = first.effects.change(first.coefficients)["predicted"]
    departure = (achieved[straight.index] - straight).rename("departure")
    return plan(first.effects, first.targets, hold=first.held, departure=departure, **options)


def _renamed(intervention: Intervention, name: str) -> Intervention:
    """Name an intervention after its way, so that names differ."""
    return replace(intervention, name=name)
