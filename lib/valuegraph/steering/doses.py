"""Dose and response: how effects and costs of a direction grow with its coefficient.

The *dose* is the length of what is added, relative to the states that it is added to. A *useful
range* is found by a stated rule: from 0 outwards, as long as the target still moves with the
coefficient and nothing else breaks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.interventions import Shift
from valuegraph.psychometrics.resampling import LEVEL, resampled_mean, role_weights
from valuegraph.steering.changes import changes_of
from valuegraph.steering.costs import COSTS, ask_with_and_without, costs
from valuegraph.steering.directions import relative_dose
from valuegraph.steering.effects import TOLERANCES, effects_of
from valuegraph.tables import require_columns

if TYPE_CHECKING:
    from valuegraph.asking.prompts import PromptFormat
    from valuegraph.inventory import Inventory
    from valuegraph.models import Respondent
    from valuegraph.roles import Role

#: Largest mean cost in a useful range. A log-loss of half a nat makes text 1.6 times as surprising,
#: word by word. It is not looked at where the respondent cannot read, as organisms cannot.
MOST = {"log_loss": 0.5, "outside": 0.1, "unparsed": 0.1}

_NEEDED = ("coefficient", "dose", "value", "effect", "low", "high", "growth_low", "growth_high")


def dose_response(
    respondent: Respondent,
    inventory: Inventory,
    roles: Sequence[Role | None],
    shift: Shift,
    coefficients: Sequence[float],
    *,
    with_costs: bool = True,
    texts: Sequence[str] | None = None,
    written: int = 0,
    by: str = "log_odds",
    fmt: PromptFormat | None = None,
    draws: int = 1000,
    level: float = LEVEL,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Measure effects and costs of a direction over a grid of coefficients.

    Parameters
    ----------
    respondent, inventory, roles, fmt, progress
        As for `valuegraph.elicitation.elicit`.
    shift
        What a coefficient of 1 adds: of a feature (`valuegraph.steering.sae.feature_shift` with
        ``coefficient=1``), or of any direction (`valuegraph.steering.directions`).
    coefficients
        Multiples of the shift, of either sign. Zero need not be among them.
    with_costs, texts, written
        Whether costs are measured, and how; see `valuegraph.steering.costs.costs`.
    by
        What scores are made from, as for `valuegraph.answers.score_answers`.
    draws, level, seed
        As for `valuegraph.steering.effects.effects_of`.

    Returns
    -------
    pandas.DataFrame
        One row for each coefficient, in ascending order and with 0, and value. Columns

        - ``coefficient``; ``dose``: length of what is added, over the mean length of the roles'
          states after that layer at the site's last token;
        - ``value``, ``effect``, ``low``, ``high``, ``up``, ``down``, ``unchanged``, ``n_roles``: as
          of `valuegraph.steering.effects.effects_of`;
        - ``growth``, ``growth_low``, ``growth_high``: change of the effect since the next
          coefficient nearer to 0, with its interval over the same roles;
        - each cost of `COSTS` with its interval, if asked for; the same for all values.

        At coefficient 0 nothing is added, and all of these are 0 by definition.

    Raises
    ------
    ValueError
        If there are no coefficients, or two are the same.
    """
    from valuegraph.asking.states import site_states

    grid = sorted(float(c) for c in coefficients if c != 0)
    if not grid or len(set(grid)) < len(grid) or not np.isfinite(grid).all():
        raise ValueError(
            f"coefficients must be finite and different, one at least not 0, got {coefficients}"
        )
    shifts = [scaled(shift, c) for c in grid]
    answers = ask_with_and_without(respondent, inventory, roles, shifts, fmt=fmt, progress=progress)
    names = {s.name: c for s, c in zip(shifts, grid, strict=True)}
    options = {"draws": draws, "level": level, "seed": seed}
    table = effects_of(answers, by=by, tolerance=TOLERANCES[by], **options)
    table = table.assign(coefficient=table["intervention"].map(names)).drop(columns="base_rate")
    changes = {names[name]: change for name, change in changes_of(answers, by=by).items()}
    table = table.merge(_growth(changes, **options), on=["coefficient", "value"])
    if with_costs:
        told = costs(
            respondent,
            inventory,
            roles,
            shifts,
            answers=answers,
            texts=texts,
            written=written,
            fmt=fmt,
            progress=progress,
            **options,
        )
        table = table.merge(told.drop(columns="n_roles"), on="intervention")
    states = site_states(respondent, roles, layer=shift.layer, fmt=fmt)
    dose = relative_dose(shift.vector, states)
    table = pd.concat([table, _nothing(table)]).sort_values("coefficient", kind="stable")
    table.insert(0, "dose", table["coefficient"].abs() * dose)
    first = ["coefficient", "dose", "value"]
    rest = [c for c in table.columns if c not in {*first, "intervention"}]
    return table[first + rest].reset_index(drop=True)


def scaled(shift: Shift, coefficient: float) -> Shift:
    """Multiply a shift.

    Parameters
    ----------
    shift
        What a coefficient of 1 adds.
    coefficient
        Of either sign.

    Returns
    -------
    Shift
        Named after both; its origin tells the multiple as ``times``.
    """
    return replace(
        shift,
        name=f"{shift.name}, times {coefficient:g}",
        vector=coefficient * shift.vector,
        origin={**shift.origin, "times": coefficient},
    )


@dataclass(frozen=True)
class UsefulRange:
    """Coefficients that move a value without breaking anything.

    Attributes
    ----------
    value
        The target.
    low, high
        Ends of the range, both on the grid; 0 where nothing on that side is useful.
    low_reason, high_reason
        Why the range ends there.
    low_effect, high_effect
        Effects on the target at the ends.
    low_dose, high_dose
        Doses at the ends.
    """

    value: str
    low: float
    high: float
    low_reason: str
    high_reason: str
    low_effect: float
    high_effect: float
    low_dose: float
    high_dose: float


def useful_range(
    doses: pd.DataFrame,
    value: str,
    *,
    least_growth: float = 0.25,
    most: Mapping[str, float] | None = None,
) -> UsefulRange:
    """Find the largest range of coefficients around 0 in which a push still does something.

    On each side of 0, the grid is walked outwards. The range goes as far as every step up to there

    - keeps all costs within their limits: otherwise it ends with the name of the cost;
    - does not lead back: otherwise, if the interval of the step's growth lies wholly on the side
      against the effect, "effect turns back";
    - still gives something: a step whose growth per unit of the coefficient is less than
      `least_growth` times the largest so far ends it, "effect levels off";

    or to the "end of grid". If no step on a side has an interval that leaves out 0 before it ends,
    the side has "no effect". The first step with such an interval says which way the effect goes
    on that side.

    Parameters
    ----------
    doses
        Table of `dose_response`.
    value
        The target.
    least_growth
        Smallest growth of a step, as a share of the steepest step before it on the same side.
    most
        Largest mean of each cost (a key of `COSTS`) that is allowed; by default `MOST`, without the
        log-loss of a respondent that cannot read (``reads`` is False). Costs that were not measured
        are not looked at.

    Returns
    -------
    UsefulRange
        The range, and the reason at each end.

    Raises
    ------
    ValueError
        If a column or the value is missing, or a limit is of no known cost.
    """
    require_columns(doses, _NEEDED, "doses")
    if most is None:
        reads = "reads" not in doses.columns or bool(doses["reads"].all())
        most = {cost: limit for cost, limit in MOST.items() if reads or cost != "log_loss"}
    unknown = set(most) - set(COSTS)
    if unknown:
        raise ValueError(f"no cost is called {sorted(unknown)[0]!r}; known are {', '.join(COSTS)}")
    rows = doses[doses["value"] == value].sort_values("coefficient")
    if rows.empty:
        known = ", ".join(doses["value"].unique())
        raise ValueError(f"no value {value!r} in doses; there are {known}")
    ends = {}
    for side, sign in (("low", -1), ("high", 1)):
        outwards = rows[rows["coefficient"] * sign > 0].sort_values("coefficient", key=abs)
        last, reason = _walk(outwards, least_growth, most)
        at = (0.0, 0.0, 0.0)
        if last is not None:
            at = tuple(float(last[c]) for c in ("coefficient", "effect", "dose"))
        ends |= dict(zip((side, f"{side}_effect", f"{side}_dose"), at, strict=True))
        ends[f"{side}_reason"] = reason
    return UsefulRange(value, **ends)


def _walk(
    rows: pd.DataFrame, least_growth: float, most: Mapping[str, float]
) -> tuple[pd.Series | None, str]:
    """Walk one side outwards; return the last useful row, and why it is the last."""
    direction, steepest, before, useful = 0.0, 0.0, 0.0, None
    for _, row in rows.iterrows():
        for cost, limit in most.items():
            if cost in row and row[cost] > limit:
                return useful, f"{cost} above {limit:g}"
        if not direction and (row["low"] > 0 or row["high"] < 0):
            direction = float(np.sign(row["effect"]))
        if direction and max(direction * row["growth_low"], direction * row["growth_high"]) < 0:
            return useful, "effect turns back"
        slope = direction * row["growth"] / (abs(row["coefficient"]) - before)
        if steepest and slope < least_growth * steepest:
            return useful, "effect levels off"
        steepest, before = max(steepest, slope), abs(row["coefficient"])
        useful = row if direction else None
    if useful is None:
        return None, "no effect"
    return useful, "end of grid"


def _growth(
    changes: Mapping[float, pd.DataFrame], *, draws: int, level: float, seed: int
) -> pd.DataFrame:
    """Tell how much the effect changes from each coefficient to the next farther from 0."""
    n_roles = len(next(iter(changes.values())))
    weights = role_weights(n_roles, draws, seed=seed)[1:]
    tables = []
    for sign in (-1, 1):
        nearer = 0.0
        for c in sorted((c for c in changes if c * sign > 0), key=abs):
            step = changes[c] - nearer
            again = resampled_mean(step.to_numpy(), weights)
            low, high = np.quantile(again, [(1 - level) / 2, (1 + level) / 2], axis=0)
            figures = {"growth": step.mean().to_numpy(), "growth_low": low, "growth_high": high}
            tables.append(pd.DataFrame({"coefficient": c, "value": step.columns, **figures}))
            nearer = changes[c]
    return pd.concat(tables, ignore_index=True)


def _nothing(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the coefficient 0: all figures are 0, and every role is unchanged."""
    rows = table.groupby("value", sort=False).head(1).copy()
    kept = ["value", "n_roles", "intervention", "reads"]
    measured = rows.columns[rows.notna().any()].difference(kept)
    rows[measured] = 0.0
    rows["unchanged"] = 1.0
    return rows
