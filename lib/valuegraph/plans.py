"""Plans: change some values by given amounts, and hold the others.

A plan doses actions whose effects were measured. Among all ways to meet its targets as exactly as
the actions' ranges allow, it is the one that is predicted to disturb the held values least. Effects
are taken to be proportional to the coefficient and to add up; `check_plan` tells how far they do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from valuegraph.effects import changes
from valuegraph.interventions import Intervention, Sentence, Shift, combine
from valuegraph.plan_solver import Programme, solve_sparsely, why_not
from valuegraph.sae import feature_shift

#: Where effects are measured, as a share of the largest coefficient: there the error of a straight
#: line is about as large on the near side as on the far side.
MEASURED_AT = 0.5

#: The variance of an effect over few roles is itself uncertain. It is averaged with the mean
#: variance of the action's effects on all values, which counts as that of so many roles more.
BORROWED_ROLES = 4

_TOLERANCE = 0.1  # share of a target by which a simpler way may miss it
_FAIR_SHARES = (0.5, 2.0)  # of the targets, between which simpler ways are compared


def shift_actions(shifts: Sequence[Shift], *, limit: float | Sequence[float]) -> pd.DataFrame:
    """Make actions of shifts, dosed by coefficients of either sign up to a limit, or one each.

    Actions are a table, index ``action`` (the name), with columns ``intervention`` (a sentence, or
    what a coefficient of 1 adds), ``limit`` (largest absolute coefficient that is useful),
    ``whole`` (taken or not, as sentences are) and ``group`` (of which a plan takes one at most).
    """
    index = pd.Index([one.name for one in shifts], name="action")
    table = pd.DataFrame({"intervention": list(shifts), "limit": limit}, index)
    if not table["limit"].between(0, np.inf, inclusive="neither").all() or not index.is_unique:
        raise ValueError(f"limits must be positive and names differ, got {limit} for {list(index)}")
    return table.assign(whole=False, group="")


def feature_actions(sae, features: Sequence[int], *, limit, **options) -> pd.DataFrame:
    """Make actions of features; `options` are those of `valuegraph.feature_shift`."""
    rows = {f"feature {f}": feature_shift(sae, f, coefficient=1.0, **options) for f in features}
    return shift_actions([replace(row, name=name) for name, row in rows.items()], limit=limit)


def sentence_actions(sentences: Sequence[Sentence]) -> pd.DataFrame:
    """Make actions of sentences; of those about one value, by origin, a plan takes one at most."""
    groups = [str(one.origin.get("value", "")) for one in sentences]
    return shift_actions(sentences, limit=1.0).assign(whole=True, group=groups)


def pushes_of(what: pd.DataFrame | Mapping) -> list[Intervention]:
    """List the interventions to elicit answers under, beside None.

    Give actions that are to be measured (`action_effects`), or plans by way (`check_plan`).
    """
    if isinstance(what, pd.DataFrame):
        return [made for action in what.itertuples() for made in _measured(action).values()]
    for way, one in what.items():
        if one.intervention is None:
            raise ValueError(f"{way!r} does nothing, so there is nothing to check: {one.reason}")
    return [replace(one.intervention, name=str(way)) for way, one in what.items()]


@dataclass(frozen=True, eq=False)
class ActionEffects:
    """What a unit of each action does to each value.

    Attributes
    ----------
    actions
        Table of the actions, in the order of the rows.
    effect, error
        Mean change of the scores per unit, and its standard error; frames, actions by values.
    correlation
        Of the errors of the actions, shape ``(actions, actions)``.
    n_roles, by
        Number of roles measured; what the scores were made from.
    """

    actions: pd.DataFrame
    effect: pd.DataFrame
    error: pd.DataFrame
    correlation: np.ndarray
    n_roles: int
    by: str = "log_odds"

    @property
    def moves(self) -> pd.DataFrame:
        """Whether an action moves a value: t-tests at .05 over all of them (Bonferroni)."""
        return self.effect.abs() > self._t(0.025 / self.effect.size) * self.error

    @property
    def table(self) -> pd.DataFrame:
        """Effects of a unit: columns intervention, value, effect, low, high (95 % interval)."""
        ends = {"effect": 0.0, "low": -self._t(0.025), "high": self._t(0.025)}
        table = pd.DataFrame({k: (self.effect + t * self.error).stack() for k, t in ends.items()})
        return table.rename_axis(["intervention", "value"]).reset_index()

    def choose(self, names: Sequence[str]) -> "ActionEffects":
        """Keep some actions, in the order given."""
        at = [self.effect.index.get_loc(name) for name in names]
        kept = [table.iloc[at] for table in (self.actions, self.effect, self.error)]
        return ActionEffects(*kept, self.correlation[np.ix_(at, at)], self.n_roles, self.by)

    def change(self, coefficients: pd.Series) -> pd.DataFrame:
        """Predict changes for coefficients by action; columns predicted, low, high (95 %)."""
        c = coefficients.reindex(self.effect.index, fill_value=0.0)
        errors, mean = self.error.mul(c, axis=0).to_numpy(), c @ self.effect
        variance = np.einsum("av,ab,bv->v", errors, self.correlation, errors)
        half = self._t(0.025) * np.sqrt(np.maximum(variance, 0))
        return pd.DataFrame({"predicted": mean, "low": mean - half, "high": mean + half})

    def _t(self, tail: float) -> float:
        return stats.t.ppf(1 - tail, self.n_roles - 1 + BORROWED_ROLES)


def action_effects(actions: pd.DataFrame, answers, *, by="log_odds") -> ActionEffects:
    """Tell from answers what a unit of each action does.

    The effect of a unit of a shift is the slope between both sides: what they do alike cancels.

    Parameters
    ----------
    actions, by
        Table of the actions; what answers are scored by.
    answers : pandas.DataFrame
        Answers, or scores by intervention and role, under no intervention and all of `pushes_of`.
    """
    change = changes(answers, by=by, under=[one.name for one in pushes_of(actions)])
    doses = [_measured(action) for action in actions.itertuples()]
    slopes = [np.mean([change.loc[m.name] / c for c, m in d.items()], axis=0) for d in doses]
    return effects_from_changes(actions, np.stack(slopes), change.columns, by=by)


def effects_from_changes(actions, per_unit: np.ndarray, values, *, by="log_odds") -> ActionEffects:
    """Make effects from changes of single roles per unit, shape ``(actions, roles, values)``."""
    n = per_unit.shape[1]
    if n < 2 or not actions.index.is_unique:
        raise ValueError(f"effects need 2 roles, got {n}, and actions of different names")
    own = per_unit.var(axis=1, ddof=1)
    borrowed = BORROWED_ROLES * own.mean(axis=1, keepdims=True)
    error = np.sqrt(((n - 1) * own + borrowed) / (n - 1 + BORROWED_ROLES) / n)
    away = (per_unit - per_unit.mean(axis=1, keepdims=True)).reshape(len(actions), -1)
    with np.errstate(invalid="ignore"):  # an action without any error
        correlation = np.nan_to_num(np.atleast_2d(np.corrcoef(away)))
    frame = {"index": actions.index, "columns": pd.Index(values, name="value")}
    frames = [pd.DataFrame(x, **frame) for x in (per_unit.mean(axis=1), error)]
    return ActionEffects(actions, *frames, correlation, n, by)


def _measured(action) -> dict[float, Intervention]:
    """Return the coefficients at which an action is measured, and what they make of it."""
    if action.whole:
        return {1.0: action.intervention}
    dose = MEASURED_AT * action.limit
    return {-dose: action.intervention * -dose, dose: action.intervention * dose}


@dataclass(frozen=True, eq=False)
class Plan:
    """How much of which actions, and what is predicted to come of it.

    Attributes
    ----------
    effects, departure
        What the plan was made from; change by value that is known beyond them (`refine`).
    targets, held
        Change that is asked for, by value; values to hold.
    coefficients
        By action; only those that are taken.
    feasible, reason
        Whether the targets are predicted to be met within the tolerance, and why not, or how.
    """

    effects: ActionEffects
    targets: pd.Series
    held: tuple[str, ...]
    coefficients: pd.Series
    departure: pd.Series
    feasible: bool
    reason: str

    @property
    def name(self) -> str:
        """The targets in words, such as ``"SD +0.8, PO -0.5"``."""
        return ", ".join(f"{value} {size:+.3g}" for value, size in self.targets.items())

    @property
    def table(self) -> pd.DataFrame:
        """What is predicted, by value: part, target (NaN if free), predicted, low, high (95 %)."""
        table = self.effects.change(self.coefficients).add(self.departure, axis=0)
        target = pd.concat([self.targets, pd.Series(0.0, list(self.held))]).reindex(table.index)
        part = np.where(target.isna(), "free", np.where(target == 0, "hold", "target"))
        return pd.DataFrame({"part": part, "target": target}).join(table)

    @property
    def collateral(self) -> float:
        """Mean absolute change that is predicted for the held values; 0 if none are held."""
        return plan_figures(self.table["predicted"], self.targets, self.held)["collateral"]

    @property
    def intervention(self) -> Intervention | None:
        """The plan as one intervention, its shifts summed up; None if nothing is to be done."""
        taken = self.effects.actions.loc[self.coefficients.index].assign(c=self.coefficients)
        made = [a.intervention if a.whole else a.intervention * a.c for a in taken.itertuples()]
        return combine(f"plan: {self.name}", made) if made else None


def plan(
    effects, targets, *, hold=None, tolerance=0.1, caution=1.0, sparsity=0.005, departure=None
) -> Plan:
    """Choose and dose actions for target changes with the least predicted collateral.

    Only actions are taken that move at least one value for sure (`ActionEffects.moves`).

    Parameters
    ----------
    effects : ActionEffects
        Measured effects of the actions that are open to the plan.
    targets : mapping or pairs
        Change of each targeted value, in the unit of the scores. Where they cannot be met, the plan
        says why, and its actions are those that come nearest.
    hold : sequence of str, optional
        Values whose change is to be small; by default all that are not targeted.
    tolerance : float
        Share of a target by which a feasible plan may miss it. Targets are met exactly wherever the
        actions allow; sentences come in steps, and are chosen by collateral within the tolerance.
    caution : float
        Standard errors by which each effect may be wrong for the collateral that is made smallest.
    sparsity : float
        Collateral that an action must save to be taken, as a share of the mean size of the targets.
    departure : pandas.Series, optional
        Change by value that is known beyond the actions' effects; see `refine`.
    """
    asked, held = _aims(effects, targets, hold)
    if not all(0 <= number < np.inf for number in (tolerance, caution, sparsity)):
        raise ValueError("tolerance, caution and sparsity must be finite and at least 0")
    start = pd.Series(0.0, effects.effect.columns) if departure is None else departure
    usable = effects.choose(effects.effect.index[effects.moves.any(axis=1)])
    limits, groups = usable.actions["limit"], usable.actions["group"]
    full, risk = usable.effect.mul(limits, axis=0), usable.error.mul(limits, axis=0)
    penalty = caution * risk[[*asked.index, *held]].mean(axis=1)
    worth = pd.Series(sparsity * asked.abs().mean(), full.index)
    groups = groups.where(groups != "", "only " + groups.index)
    by_action = (full[asked.index], full[held], penalty, worth, usable.actions["whole"], groups)
    by_value = (asked - start[asked.index], asked.abs(), start[held])
    p = Programme(*(numbers.to_numpy() for numbers in by_action + by_value), tolerance)
    coefficients = (solve_sparsely(p) * limits).rename("coefficient")
    coefficients = coefficients[coefficients != 0]
    reached = usable.change(coefficients)["predicted"] + start
    missed = [v for v in asked.index if abs(reached[v] / asked[v] - 1) > tolerance + 1e-6]
    met = f"the targets are met by {len(coefficients)} of {len(effects.actions)} actions"
    reason = why_not(effects, usable, p, asked, reached, missed) if missed else met
    return Plan(effects, asked, tuple(held), coefficients, start, not missed, reason)


def _aims(effects: ActionEffects, targets, hold) -> tuple[pd.Series, list[str]]:
    """Return targets by value and values to hold, by default all others, if they make sense."""
    values = list(effects.effect)
    pairs = list(targets.items() if hasattr(targets, "items") else targets)
    asked = pd.Series(dict(pairs), dtype=float, name="target")
    held = [v for v in values if v not in asked] if hold is None else list(dict.fromkeys(hold))
    if not pairs or not {*asked.index, *held} <= set(values):
        raise ValueError(f"targets {pairs} and hold {held} need values of {', '.join(values)}")
    for value in asked.index:
        sizes = [size for v, size in pairs if v == value] + [0.0] * (value in held)
        if len(set(sizes)) > 1 or not np.isfinite(sizes[0]) or not sizes[0]:
            contradiction = f"{value} is to change by {' and by '.join(f'{x:+g}' for x in sizes)}"
            raise ValueError(f"{contradiction}; give one finite target, or hold the value")
    return asked, held


def plan_figures(change: pd.Series, targets: pd.Series, held: Sequence[str]) -> dict[str, float]:
    """Judge a mean change by value.

    ``miss`` is the largest relative error over the targets; ``share``, how much of the targets was
    achieved, ``<change, target> / <target, target>``; ``collateral``, the mean absolute change of
    the held values; ``at_equal_target``, the same divided by the share.
    """
    share = float(change[targets.index] @ targets / (targets @ targets))
    collateral = float(change[list(held)].abs().mean()) if len(held) else 0.0
    miss = float((change[targets.index] / targets - 1).abs().max())
    equal = collateral / share if share > 0 else np.inf
    return {"miss": miss, "share": share, "collateral": collateral, "at_equal_target": equal}


def check_plan(plans: Mapping[str, Plan], answers) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare what plans achieved with what was predicted, and with each other.

    Parameters
    ----------
    plans
        By way, for the same targets, such as a plan and `best_single`.
    answers : pandas.DataFrame
        Answers under no intervention and `pushes_of` the plans, of roles on which the effects were
        not measured.

    Returns
    -------
    table : pandas.DataFrame
        One row for each way and value: ``way``, ``value``, ``part``, ``target``, ``predicted``,
        ``predicted_low``, ``predicted_high``, ``achieved``, ``low``, ``high``.
    summary : pandas.DataFrame
        Index way; `plan_figures`, ``ratio`` (of the first way's collateral at equal target to this
        one's) and ``n_actions``.
    """
    first = next(iter(plans.values()))
    change = changes(answers, by=first.effects.by)
    tables, rows = {}, {}
    for way, one in plans.items():
        way, same = str(way), one.targets.equals(first.targets) and one.held == first.held
        if not same or way not in change.index:
            raise ValueError(f"{way!r} has other targets than the first way, or no answers")
        made = change.loc[way]
        mean, half = made.mean(), stats.t.ppf(0.975, len(made) - 1) * made.sem()
        table = one.table.rename(columns={"low": "predicted_low", "high": "predicted_high"})
        tables[way] = table.assign(achieved=mean, low=mean - half, high=mean + half)
        rows[way] = plan_figures(mean, one.targets, one.held) | {"n_actions": len(one.coefficients)}
    summary = pd.DataFrame.from_dict(rows, orient="index").rename_axis("way")
    summary.insert(4, "ratio", summary["at_equal_target"].iloc[0] / summary["at_equal_target"])
    return pd.concat(tables, names=["way"]).reset_index(), summary


def refine(first: Plan, answers, **options) -> Plan:
    """Plan again with what a plan did beyond the prediction.

    Effects bend at large doses and do not quite add up. By how much a plan departs from their sum
    is taken to stay about the same for the small corrections that follow.

    Parameters
    ----------
    first, options
        The plan, and the options of `plan` that it was made with.
    answers : pandas.DataFrame
        Answers under no intervention and the plan, of the roles on which the effects were measured;
        never of those on which the plan is checked.
    """
    achieved = changes(answers, by=first.effects.by)
    if achieved.index.unique(0).size > 1:
        raise ValueError(f"answers under one plan are needed, got {list(achieved.index.unique(0))}")
    departure = achieved.mean() - first.effects.change(first.coefficients)["predicted"]
    return plan(first.effects, first.targets, hold=first.held, departure=departure, **options)


def best_single(effects: ActionEffects, targets, *, hold=None) -> Plan:
    """Choose the single action that comes nearest to the targets: what a plan must beat.

    A shift is dosed until its share of the targets is 1, within its range. Of all actions that
    achieve between half and twice the target, the one is taken whose change, brought to equal
    target, is nearest to what is asked for (sum of absolute deviations of targets and held values).
    Parameters are those of `plan`.
    """
    asked, held = _aims(effects, targets, hold)
    share = effects.effect[asked.index] @ asked / (asked @ asked)
    limits, whole = effects.actions["limit"], effects.actions["whole"]
    doses = (1 / share.where(share != 0)).fillna(0.0).clip(-limits, limits).mask(whole, 1.0)
    return _nearest(effects, [pd.Series({name: c}) for name, c in doses.items()], asked, held)


def best_prompt(effects: ActionEffects, targets, *, hold=None) -> Plan:
    """Choose the best prompt, one sentence about each targeted value: what a plan must beat.

    Chosen like the best single action, from all combinations of measured sentences, which form a
    group for each value. Parameters are those of `plan`.
    """
    asked, held = _aims(effects, targets, hold)
    groups = effects.actions.query("whole").groupby("group").groups
    if not set(asked.index) <= set(groups):
        raise ValueError(f"no sentence was measured on one of {list(asked.index)}: {list(groups)}")
    rows = [pd.Series(1.0, list(names)) for names in product(*(groups[v] for v in asked.index))]
    return _nearest(effects, rows, asked, held)


def _nearest(effects: ActionEffects, candidates, asked: pd.Series, held) -> Plan:
    """Take the coefficients that are nearest to what is asked for when brought to equal target."""
    change = pd.DataFrame([effects.change(one)["predicted"] for one in candidates])
    change = change.reset_index(drop=True)
    share = change[asked.index] @ asked / (asked @ asked)
    equal = change.div(share.where(share > 0), axis=0)
    off = (equal[asked.index] - asked).abs().sum(axis=1) + equal[held].abs().sum(axis=1)
    fair = share.between(*_FAIR_SHARES)
    best = off[fair].idxmin() if fair.any() else (share - 1).abs().idxmin()
    miss = plan_figures(change.loc[best], asked, held)["miss"]
    reason = f"misses the targets by {miss:.0%} at most"
    start, taken = pd.Series(0.0, effects.effect.columns), candidates[best].rename("coefficient")
    taken = taken[taken != 0]
    return Plan(effects, asked, tuple(held), taken, start, bool(miss <= _TOLERANCE), reason)
