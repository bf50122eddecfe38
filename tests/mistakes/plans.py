"""Typical wrong answers to the exercises of *Planning without side effects*."""

import numpy as np
from scipy.optimize import linprog, minimize


def lets_changes_cancel(effects, doses, target):
    change = doses @ effects
    share = change @ target / (target @ target)
    return share, abs(change[target == 0].mean()) / share


def forgets_the_equal_target(effects, doses, target):
    change = doses @ effects
    return change @ target / (target @ target), np.abs(change[target == 0]).mean()


def counts_the_targets_too(effects, doses, target):
    change = doses @ effects
    share = change @ target / (target @ target)
    return share, np.abs(change - target).mean() / share


def forgets_the_penalty(effects, target, penalty):
    return np.linalg.pinv(effects.T) @ target


def squares_the_penalty(effects, target, penalty):
    square = effects @ effects.T + penalty**2 * np.eye(len(effects))
    return np.linalg.pinv(square) @ effects @ target


def penalises_one_dose(effects, target, penalty):
    square = effects @ effects.T
    square[0, 0] += penalty
    return np.linalg.pinv(square) @ effects @ target


def programme(effects, target, bounds):
    held = target == 0
    n, h = len(effects), held.sum()
    spilled, u = effects[:, held].T, np.eye(h)
    below = np.block([[spilled, -u], [-spilled, -u]])
    meets = np.hstack([effects[:, ~held].T, np.zeros((len(target) - h, h))])
    cost = np.repeat([0.0, 1.0], [n, h])
    bounds = [bounds] * n + [(0, None)] * h
    return linprog(cost, below, np.zeros(2 * h), meets, target[~held], bounds).x[:n]


def pushes_up_only(effects, target, limit):
    return programme(effects, target, (0, limit))


def forgets_the_limit(effects, target, limit):
    return programme(effects, target, (None, None))


def makes_squares_smallest(effects, target, limit):
    held = target == 0
    meets = {"type": "eq", "fun": lambda x: (x @ effects - target)[~held]}
    options = {"bounds": [(-limit, limit)] * len(effects), "constraints": meets}
    start = np.zeros(len(effects))
    return minimize(lambda x: ((x @ effects)[held] ** 2).sum(), start, **options).x


def trades_targets_for_cleanness(effects, target, limit):
    return np.clip(np.linalg.lstsq(effects.T, target, rcond=None)[0], -limit, limit)


MISTAKES = {
    "collateral": [lets_changes_cancel, forgets_the_equal_target, counts_the_targets_too],
    "squares": [forgets_the_penalty, squares_the_penalty, penalises_one_dose],
    "programme": [
        pushes_up_only,
        forgets_the_limit,
        makes_squares_smallest,
        trades_targets_for_cleanness,
    ],
}
