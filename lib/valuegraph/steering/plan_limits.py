"""Why a plan cannot meet its targets, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.steering.plan_programme import Programme, solve

if TYPE_CHECKING:
    from valuegraph.steering.action_effects import ActionEffects

# Two targets are tied where all actions move them in a proportion so constant (cosine).
_TIED = 0.999

# What no dose at all would miss of a target, as a share, before it is beyond every combination.
_BEYOND = 0.01


def why_not(
    effects: ActionEffects,
    usable: ActionEffects,
    programme: Programme,
    targets: pd.Series,
    reached: pd.Series,
    missed: Sequence[str],
) -> str:
    """Say why targets are missed.

    Parameters
    ----------
    effects, usable
        Effects of all actions, and of those that move at least one value.
    programme
        What was asked of the usable ones.
    targets
        Change asked for, by value.
    reached
        Change predicted for the nearest plan, by value.
    missed
        Values whose target is missed by more than the tolerance.

    Returns
    -------
    str
        One sentence per cause.
    """
    reasons = []
    unmoved = [value for value in missed if not effects.moves[value].any()]
    for value in unmoved:
        best = effects.effect[value].abs().idxmax()
        effect, error = effects.effect.loc[best, value], effects.error.loc[best, value]
        reasons.append(
            f"no action moves {value}: of {len(effects.actions)} effects on it none can be told "
            f"from zero; the largest, of {best}, is {effect:+.2g} per unit with a standard error "
            f"of {error:.2g}"
        )
    short = []
    for value in [v for v in missed if v not in unmoved]:
        most = most_reached(usable, value, np.sign(targets[value]))
        if most < abs(targets[value]):
            short.append(value)
            reasons.append(
                f"all actions together move {value} by {most * np.sign(targets[value]):+.2g} at "
                f"most within their ranges, and {targets[value]:+.2g} is asked for"
            )
    rest = [v for v in missed if v not in unmoved and v not in short]
    if not rest:
        return "; ".join(reasons)
    nearest = ", ".join(f"{v} {reached[v]:+.2g} of {targets[v]:+.2g}" for v in rest)
    pair = _tied(usable, targets, rest)
    if pair is not None:
        one, other, slope = pair
        reasons.append(
            f"{one} and {other} are tied: every action that moves {one} by 1 moves {other} by "
            f"about {slope:+.2g}, and the targets ask for {targets[one]:+.2g} and "
            f"{targets[other]:+.2g}; nearest is {nearest}"
        )
    elif programme.told.all():
        reasons.append(f"what is told comes in steps; nearest is {nearest}")
    elif solve(replace(programme, groups=()), bounded=False)[1].max() > _BEYOND:
        reasons.append(
            f"no combination of the actions, at any dose, makes these changes together; nearest is "
            f"{nearest}"
        )
    else:
        reasons.append(
            f"the doses that these changes need together lie outside the actions' ranges; nearest "
            f"is {nearest}"
        )
    return "; ".join(reasons)


def most_reached(effects: ActionEffects, value: str, sign: float) -> float:
    """Sum up how far all actions together can move a value in one direction, in their ranges."""
    total, told = 0.0, {}
    for action, effect in zip(effects.actions, effects.effect[value], strict=True):
        if not action.told:
            total += action.limit * abs(effect)
        elif sign * effect > 0:
            group = action.group or action.name
            told[group] = max(told.get(group, 0.0), sign * effect)
    return total + sum(told.values())


def _tied(
    effects: ActionEffects, targets: pd.Series, missed: Sequence[str]
) -> tuple[str, str, float] | None:
    """Find two targets, one of them missed, that every action moves in the same proportion."""
    for one, other in combinations(targets.index, 2):
        if one not in missed and other not in missed:
            continue
        a, b = effects.effect[one].to_numpy(), effects.effect[other].to_numpy()
        norms = np.linalg.norm(a) * np.linalg.norm(b)
        if norms > 0 and abs(a @ b) / norms > _TIED:
            return one, other, float(a @ b / (a @ a))
    return None
