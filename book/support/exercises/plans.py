"""Exercises of *Planning without side effects*."""

from __future__ import annotations

import numpy as np
import pandas as pd
from book_support.exercises import differs

from valuegraph.plan_solver import Programme, solve
from valuegraph.plans import plan_figures


def collateral(answer) -> str | None:
    """`answer(effects, doses, target)`: the share achieved, and the collateral at equal target."""
    both_ways = np.array([[1.0, 0.2, -0.2]]), np.ones(1), np.array([1.0, 0, 0])
    if np.isclose(answer(*both_ways)[1], 0):
        return "held values that change by 0.2 and -0.2 get collateral 0: do these two cancel?"
    short = np.array([[0.5, 0.1, 0.1]]), np.ones(1), np.array([1.0, 0, 0])
    if np.isclose(answer(*short)[1], 0.1):
        return "half of the target, and held values that change by 0.1, get 0.1 at equal target"
    rng = np.random.default_rng(7)
    cases = {
        "one action, held values up and down": both_ways,
        "one action, half of the target": short,
        "three actions, two targets, four held values": (
            rng.normal(size=(3, 6)),
            np.array([1.0, -0.5, 2.0]),
            np.array([0, 0.8, 0, 0, -0.6, 0]),
        ),
    }
    return differs(answer, _judged, cases)


def _judged(effects, doses, target) -> tuple[float, float]:
    change, targets = pd.Series(doses @ effects), pd.Series(target)
    asked = targets[targets != 0]
    figures = plan_figures(change, asked, list(targets.index.difference(asked.index)))
    return figures["share"], figures["at_equal_target"]


def squares(answer) -> str | None:
    """`answer(effects, target, penalty)`: doses by least squares with a ridge."""
    rng = np.random.default_rng(7)
    few = rng.normal(size=(3, 5)), np.array([1.0, 0, 0, 0, 0])
    many = rng.normal(size=(8, 3)), np.array([0, 0.5, -0.5])
    if np.allclose(answer(*few, 1.0), answer(*few, 100.0)):
        return "three actions: a penalty of 100 leaves the doses as they are at 1"
    cases = {
        "one action with effect 2, target 2, penalty 4": (np.array([[2.0]]), np.array([2.0]), 4.0),
        "three actions, five values, no penalty": (*few, 0.0),
        "three actions, five values, penalty 0.5": (*few, 0.5),
        "eight actions, three values, penalty 0.1": (*many, 0.1),
        "eight actions, three values, no penalty, the smallest doses": (*many, 0.0),
    }
    return differs(answer, _ridge, cases)


def _ridge(effects, target, penalty) -> np.ndarray:
    # A ridge is least squares with one more row for each action.
    n = len(effects)
    rows = np.vstack([effects.T, np.sqrt(penalty) * np.eye(n)])
    return np.linalg.lstsq(rows, np.concatenate([target, np.zeros(n)]), rcond=None)[0]


def programme(answer) -> str | None:
    """`answer(effects, target, limit)`: doses that meet targets and disturb least."""
    rng = np.random.default_rng(7)
    mended = np.array([[1.0, 0.5], [0.0, 0.5]]), np.array([1.0, 0.0]), 2.0
    cases = {
        "one action to meet the target, one to take back its side effect": mended,
        "the same, with doses up to 1.2 and target 1.2": (mended[0], 1.2 * mended[1], 1.2),
        "six actions, five values": (rng.normal(size=(6, 5)), np.array([0, 1.0, 0, 0, 0]), 0.5),
        "six actions, six values, two targets": (
            rng.normal(size=(6, 6)),
            np.array([0.5, 0, 0, -0.5, 0, 0]),
            0.6,
        ),
    }
    for description, (effects, target, limit) in cases.items():
        doses = answer(effects, target, limit)
        doses = np.asarray(doses, dtype=float)
        if doses.shape != (len(effects),):
            return f"{description}: one dose for each of {len(effects)} actions is asked for"
        problem = _worse(doses, effects, target, limit)
        if problem:
            return f"{description}: {problem}"
    return None


def _worse(doses, effects, target, limit) -> str | None:
    """What is wrong with doses, if anything is."""
    held, change = target == 0, doses @ effects
    missed = np.abs(change - target)[~held].max()
    if missed > 1e-5:
        return f"the doses miss a target by {missed:.3f}"
    if np.abs(doses).max() > limit + 1e-5:
        return f"a dose of {np.abs(doses).max():.2f} is beyond the limit of {limit}"
    spilled, least = (
        np.abs(x @ effects)[held].mean() for x in (doses, _best(effects, target, limit))
    )
    if spilled < least + 1e-5:
        return None
    if (doses >= -1e-9).all():
        return "other doses disturb less. May a dose be negative?"
    return "the targets are met within the limits, but other doses disturb less on average"


def _best(effects, target, limit) -> np.ndarray:
    """What the library finds."""
    held, none = target == 0, np.zeros(len(effects))
    full, whole = limit * effects, none.astype(bool)
    by_action = full[:, ~held], full[:, held], none, none, whole, np.arange(len(none))
    by_value = target[~held], np.abs(target[~held]), np.zeros(held.sum())
    return limit * solve(Programme(*by_action, *by_value, 0.0))[0]
