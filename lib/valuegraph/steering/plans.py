"""Plans: change some values by given amounts, and hold the others.

A plan doses actions whose effects were measured (`valuegraph.steering.action_measuring`). It meets
the targets as exactly as the actions' ranges allow, and among all ways to do so takes the one that
is predicted to disturb the held values least (`valuegraph.steering.plan_programme`). Where it
cannot meet them it says so, and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.interventions import Intervention
from valuegraph.steering.action_effects import ActionEffects
from valuegraph.steering.actions import combine
from valuegraph.steering.plan_limits import why_not
from valuegraph.steering.plan_programme import Programme, solve_sparsely

#: Share of a target by which a plan may miss it.
TOLERANCE = 0.1


@dataclass(frozen=True, eq=False)
class Plan:
    """How much of which actions, and what is predicted to come of it.

    Attributes
    ----------
    effects
        What the plan was made from.
    targets
        Change that is asked for, by value.
    held
        Values to hold.
    coefficients
        By action; only those that are taken.
    departure
        What is added to the prediction, by value, because it was measured (`refine`).
    feasible
        Whether the targets are predicted to be met within the tolerance.
    reason
        Why not, or how.
    rule
        How the actions were chosen.
    """

    effects: ActionEffects
    targets: pd.Series
    held: tuple[str, ...]
    coefficients: pd.Series
    departure: pd.Series
    feasible: bool
    reason: str
    rule: str

    @property
    def name(self) -> str:
        """The targets in words, such as ``"SD +0.8, PO -0.5"``."""
        return ", ".join(f"{value} {size:+.3g}" for value, size in self.targets.items())

    @property
    def table(self) -> pd.DataFrame:
        """What is predicted, by value.

        Index value; columns part (``target``, ``hold`` or ``free``), target (change asked for, 0
        for a held value, NaN for a free one), predicted, low and high (95 % interval of the mean
        over roles like those measured).
        """
        table = self.effects.change(self.coefficients).add(self.departure, axis=0)
        part = pd.Series("free", table.index)
        part[list(self.held)] = "hold"
        part[self.targets.index] = "target"
        target = self.targets.reindex(table.index)
        target[list(self.held)] = 0.0
        table.insert(0, "part", part)
        table.insert(1, "target", target)
        return table

    @property
    def collateral(self) -> float:
        """Mean absolute change that is predicted for the held values; 0 if none are held."""
        predicted = self.table.loc[list(self.held), "predicted"]
        return float(predicted.abs().mean()) if self.held else 0.0

    @property
    def intervention(self) -> Intervention | None:
        """The plan as one intervention that `valuegraph.elicitation.elicit` takes.

        Shifts of one layer and place are summed, which is exact. None if nothing is to be done.
        """
        makers = {action.name: action.make for action in self.effects.actions}
        made = [makers[name](c) for name, c in self.coefficients.items()]
        return combine(f"plan: {self.name}", made) if made else None


def plan(
    effects: ActionEffects,
    targets: Mapping[str, float] | Iterable[tuple[str, float]],
    *,
    hold: Sequence[str] | None = None,
    tolerance: float = TOLERANCE,
    caution: float = 1.0,
    sparsity: float = 0.005,
    departure: pd.Series | None = None,
) -> Plan:
    """Choose and dose actions for target changes with the least predicted collateral.

    Only actions are taken that move at least one value (`ActionEffects.moves`).

    Parameters
    ----------
    effects
        Measured effects of the actions that are open to the plan.
    targets
        Change of each targeted value, in the unit of the scores.
    hold
        Values whose change is to be small; by default all that are not targeted. The others are
        free.
    tolerance
        A plan is feasible if each target is predicted to be met within this share of it. Targets
        are met exactly wherever the actions allow. What is told comes in steps: a plan from it
        alone is chosen by collateral among those within the tolerance.
    caution
        By how many standard errors each effect may be wrong for the collateral that is made
        smallest.
    sparsity
        Collateral that an action of cost 1 must save to be taken, as a share of the mean size of
        the targets.
    departure
        What is known of the change beyond the actions' effects, by value; see
        `valuegraph.steering.plan_checks.refine`.

    Returns
    -------
    Plan
        Also where the targets cannot be met: it then says why, and its actions are those that come
        nearest.

    Raises
    ------
    ValueError
        If targets contradict each other or what is held, a target is zero or not finite, a value is
        unknown, or an option is out of range.
    """
    asked = check_targets(effects, targets)
    held = check_held(effects, asked, hold)
    for what, number in (("tolerance", tolerance), ("caution", caution), ("sparsity", sparsity)):
        if not 0 <= number < np.inf:
            raise ValueError(f"{what} must be finite and at least 0, got {number}")
    start = pd.Series(0.0, effects.values) if departure is None else departure[effects.values]
    usable = effects.choose(list(effects.effect.index[effects.moves.any(axis=1)]))
    limits = np.array([action.limit for action in usable.actions])
    full = usable.effect.mul(limits, axis=0)
    risk = usable.error.mul(limits, axis=0)[[*asked.index, *held]].mean(axis=1).to_numpy()
    costs = np.array([action.cost for action in usable.actions])
    groups: dict[str, list[int]] = {}
    for i, action in enumerate(usable.actions):
        if action.group:
            groups.setdefault(action.group, []).append(i)
    programme = Programme(
        target_effect=full[asked.index].to_numpy(),
        target=(asked - start[asked.index]).to_numpy(),
        scale=asked.abs().to_numpy(),
        held_effect=full[held].to_numpy(),
        held_start=start[held].to_numpy(),
        penalty=caution * risk,
        worth=sparsity * asked.abs().mean() * costs,
        told=np.array([action.told for action in usable.actions], dtype=bool),
        enough=tolerance,
        groups=[group for group in groups.values() if len(group) > 1],
    )
    doses = solve_sparsely(programme)
    coefficients = pd.Series(doses * limits, usable.effect.index, name="coefficient")
    coefficients = coefficients[coefficients != 0]
    reached = usable.change(coefficients)["predicted"] + start
    missed = [v for v in asked.index if abs(reached[v] / asked[v] - 1) > tolerance + 1e-6]
    if missed:
        reason = why_not(effects, usable, programme, asked, reached, missed)
    else:
        reason = f"the targets are met by {len(coefficients)} of {len(effects.actions)} actions"
    rule = (
        f"of {len(effects.actions)} actions, {len(usable.actions)} move at least one value "
        "(t-tests at .05, Bonferroni over actions and values); of all ways to meet the targets as "
        "exactly as their ranges allow, the one with the least mean absolute change of the held "
        f"values, each effect taken to be wrong by {caution:g} standard errors; then without "
        f"actions that save less than {sparsity:g} of the mean target"
    )
    return Plan(effects, asked, tuple(held), coefficients, start, not missed, reason, rule)


def check_targets(
    effects: ActionEffects, targets: Mapping[str, float] | Iterable[tuple[str, float]]
) -> pd.Series:
    """Refuse targets that contradict each other or make no sense; return them by value."""
    pairs = list(targets.items() if isinstance(targets, Mapping | pd.Series) else targets)
    if not pairs:
        raise ValueError("there are no targets; name at least one value and its change")
    asked: dict[str, float] = {}
    for value, size in pairs:
        if value not in effects.values:
            raise ValueError(
                f"unknown value {value!r} among the targets; effects were measured on "
                f"{', '.join(effects.values)}"
            )
        if value in asked and asked[value] != size:
            raise ValueError(
                f"the targets for {value} contradict each other: {asked[value]:+g} and {size:+g}"
            )
        if not np.isfinite(size) or size == 0:
            raise ValueError(
                f"the target for {value} is {size}; it must be finite and not 0 "
                "(a value that should not change is one to hold)"
            )
        asked[value] = float(size)
    return pd.Series(asked, name="target")


def check_held(effects: ActionEffects, targets: pd.Series, hold: Sequence[str] | None) -> list[str]:
    """Refuse values to hold that are unknown or targeted; by default hold all others."""
    if hold is None:
        return [value for value in effects.values if value not in targets.index]
    if isinstance(hold, str):
        raise ValueError(f"hold is the text {hold!r}; give a list of values, such as [{hold!r}]")
    for value in hold:
        if value not in effects.values:
            raise ValueError(
                f"unknown value {value!r} among those to hold; effects were measured on "
                f"{', '.join(effects.values)}"
            )
        if value in targets.index:
            raise ValueError(
                f"{value} should both change by {targets[value]:+g} and be held; choose one"
            )
    return list(dict.fromkeys(hold))
