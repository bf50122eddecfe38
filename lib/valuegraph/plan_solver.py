"""The programme behind a plan: doses that meet the targets, then disturb as little as they can."""

from collections import namedtuple
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

_OPTIONS = {"mip_rel_gap": 0.05}  # within a twentieth of the best, found in a fraction of the time
_SLACK = 1e-6  # what the second programme may give up of the first one's miss, for rounding
_MET = 1e-4  # what fewer actions may miss of a target beyond what all do, as a share
_LEAST_DOSE = 1e-7  # as a share of the limit; below is rounding
_TIED = 0.999  # cosine of two targets' effects from which all actions move them in one proportion
_BEYOND = 0.01  # share that no dose at all would reach of a target beyond every combination

_FIELDS = "on_targets on_held penalty worth whole group target scale start enough"


class Programme(namedtuple("Programme", _FIELDS)):
    """What a plan asks for, in numbers: of ``a`` actions, ``t`` targets and ``h`` held values.

    Attributes
    ----------
    on_targets, on_held
        Effects of a full dose, shapes ``(a, t)`` and ``(a, h)``.
    penalty, worth
        What a full dose adds to the goal, and what an action must save of it; shape ``(a,)``.
    whole, group
        Whether an action is taken or not, without doses between; label of the group of which one at
        most is taken; shape ``(a,)``.
    target, scale, start
        Change that the doses are to make, what its miss is a share of, shape ``(t,)``; change of
        the held values before any dose, shape ``(h,)``.
    enough
        Share by which targets may be missed where all actions are whole, and so come in steps.
    """

    def choose(self, at: np.ndarray) -> "Programme":
        """Keep some actions, by index."""
        return Programme(*(field[at] for field in self[:6]), *self[6:])

    def goal(self, doses: np.ndarray) -> float:
        """Return what the second programme makes smallest."""
        change = np.abs(self.start + doses @ self.on_held)
        return (change.mean() if len(change) else 0.0) + np.abs(doses) @ self.penalty


def solve(p: Programme, *, bounded: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Find the doses by two linear programmes, over doses ``x`` as shares of each action's limit.

    The first makes the miss of the targets as small as the ranges allow, summed over targets and
    relative to each; the second keeps that miss and makes smallest ::

        mean over held values of |change|  +  caution * sum_a error_a |x_a|

    The second term is the robust counterpart of the first (Soyster, 1973; Ben-Tal & Nemirovski,
    1999): the most that effects, each wrong by ``caution`` standard errors, could add. A sentence
    is used or not: with sentences the programme is a mixed-integer one. Both kinds are solved by
    HiGHS (Huangfu & Hall, 2018) in SciPy.

    Parameters
    ----------
    p
        What is asked for.
    bounded
        Whether shifts keep to their range; without, the miss tells what no dose could reach.

    Returns
    -------
    doses, miss
        Doses as shares of the limits, shape ``(a,)``; what they miss of each target, as a share of
        it, shape ``(t,)``.

    References
    ----------
    Ben-Tal, A., & Nemirovski, A. (1999). Robust solutions of uncertain linear programs. Operations
    Research Letters, 25(1), 1-13.

    Huangfu, Q., & Hall, J. A. J. (2018). Parallelizing the dual revised simplex method.
    Mathematical Programming Computation, 10(1), 119-142.

    Soyster, A. L. (1973). Convex programming with set-inclusive constraints and applications to
    inexact linear programming. Operations Research, 21(5), 1154-1157.
    """
    (n, t), h = p.on_targets.shape, p.on_held.shape[1]
    groups = [p.group == label for label in dict.fromkeys(p.group)]
    groups = [group for group in groups if group.sum() > 1]
    groups = np.reshape(groups, (len(groups), n))
    # Variables: doses up, doses down, miss by target, absolute change by held value.
    up, down, miss, _ = np.split(np.arange(2 * n + t + h), np.cumsum([n, n, t]))
    on_targets, on_held, size = p.on_targets.T, p.on_held.T, np.diag(p.scale)
    rows = [[on_targets, -on_targets, sign * size, np.zeros((t, h))] for sign in (1, -1)]
    rows += [[on_held, -on_held, np.zeros((h, t)), sign * np.eye(h)] for sign in (1, -1)]
    rows += [[groups, np.zeros((len(groups), n + t + h))]]
    near = p.enough * p.scale if p.whole.all() else 0.0
    inf_t, inf_h, none = np.full(t, np.inf), np.full(h, np.inf), np.zeros(len(groups))
    low = np.concatenate([p.target - near, -inf_t, -p.start, -inf_h, none])
    high = np.concatenate([inf_t, p.target + near, inf_h, -p.start, none + 1])
    most, whole = np.full(2 * n + t + h, np.inf), np.zeros(2 * n + t + h)
    most[up] = np.where(p.whole | bounded, 1.0, np.inf)
    most[down] = np.where(p.whole, 0.0, most[up])
    whole[up] = p.whole
    common = {"integrality": whole, "constraints": LinearConstraint(np.block(rows), low, high)}

    def minimise(*goal: np.ndarray) -> np.ndarray:
        result = milp(np.concatenate(goal), bounds=Bounds(0, most), options=_OPTIONS, **common)
        if result.x is None:
            raise RuntimeError(f"the solver gave up on the plan: {result.message}")
        return result.x

    most[miss] = minimise(np.zeros(2 * n), np.ones(t), np.zeros(h))[miss] + _SLACK
    x = minimise(p.penalty, p.penalty, np.zeros(t), np.full(h, 1 / max(h, 1)))
    doses = x[up] - x[down]
    doses[np.abs(doses) < _LEAST_DOSE] = 0.0
    doses[p.whole] = np.round(doses[p.whole])
    return doses, np.abs(doses @ p.on_targets - p.target) / p.scale


def solve_sparsely(p: Programme) -> np.ndarray:
    """Find the doses, then leave out actions that are not worth taking; shape ``(a,)``.

    Actions are left out one by one, the smallest dose first, as long as the targets are met as well
    and the goal grows by no more than an action is said to be worth.
    """
    doses, miss = solve(p)
    allowed = np.maximum(miss, p.enough if p.whole.all() else 0.0) + _MET
    tried = None
    while tried is not doses:
        tried, taken = doses, np.flatnonzero(doses)
        for action in taken[np.argsort(np.abs(doses[taken]), kind="stable")]:
            rest, fewer = taken[taken != action], np.zeros(len(doses))
            if len(rest):
                fewer[rest], missed = solve(p.choose(rest))
                saved = p.goal(fewer) - p.goal(doses)
                if (missed <= allowed).all() and saved <= p.worth[action]:
                    doses = fewer
                    break
    return doses


def why_not(effects, usable, p: Programme, targets, reached, missed) -> str:
    """Say why targets are missed, one sentence per cause.

    Parameters
    ----------
    effects, usable : ActionEffects
        Effects of all actions, and of those that move at least one value.
    p
        What was asked of the usable ones.
    targets, reached : pandas.Series
        Change asked for, and predicted for the nearest plan, by value.
    missed : list of str
        Values whose target is missed by more than the tolerance.
    """
    reasons, rest = [], []
    for value in missed:
        column, sign = effects.effect[value], np.sign(targets[value])
        on_value = sign * p.on_targets[:, targets.index.get_loc(value)]
        reach = pd.Series(np.where(p.whole, np.maximum(on_value, 0), np.abs(on_value)))
        most = sign * reach.groupby(p.group).max().sum()
        if not effects.moves[value].any():
            best = column.abs().idxmax()
            none = f"none of {len(column)} effects on it can be told from zero"
            error = effects.error.loc[best, value]
            largest = f"the largest is {column[best]:+.2g} per unit (standard error {error:.2g})"
            reasons.append(f"no action moves {value}: {none}; {largest}, of {best}")
        elif abs(most) < abs(targets[value]):
            together = f"all actions in their ranges move {value} by {most:+.2g} at most"
            reasons.append(f"{together}, and {targets[value]:+.2g} is asked for")
        else:
            rest.append(value)
    if rest:
        nearest = ", ".join(f"{v} {reached[v]:+.2g} of {targets[v]:+.2g}" for v in rest)
        reasons.append(f"{_in_the_way(usable, p, targets, rest)}; nearest is {nearest}")
    return "; ".join(reasons)


def _in_the_way(usable, p: Programme, targets, missed) -> str:
    """Say what keeps targets from being met together that could be met alone."""
    for one, other in combinations(targets.index, 2):
        a, b = usable.effect[one].to_numpy(), usable.effect[other].to_numpy()
        norms = np.linalg.norm(a) * np.linalg.norm(b)
        if {one, other} & set(missed) and norms and abs(a @ b) / norms > _TIED:
            every = f"every action that moves {one} by 1 moves {other} by about"
            return f"{one} and {other} are tied: {every} {a @ b / (a @ a):+.2g}"
    if p.whole.all():
        return "sentences come in steps"
    if solve(p._replace(group=np.arange(len(p.group))), bounded=False)[1].max() > _BEYOND:
        return "no combination of the actions, at any dose, makes these changes together"
    return "the doses that these changes need together lie outside the actions' ranges"
