"""Typical wrong answers to the exercises of *Quickstart*."""

import numpy as np


def as_if_unpaired(before, after):
    mean = after.mean() - before.mean()
    error = np.sqrt(before.var() / len(before) + after.var() / len(after))
    return mean, mean - 1.96 * error, mean + 1.96 * error


def spread_of_single_roles(before, after):
    change = after - before
    mean = change.mean()
    return mean, mean - 1.96 * change.std(), mean + 1.96 * change.std()


def the_wrong_way_round(before, after):
    change = before - after
    error = 1.96 * change.std() / np.sqrt(len(change))
    return change.mean(), change.mean() - error, change.mean() + error


def one_step(arrows, pushed):
    return {effect for cause, effect in arrows if cause == pushed}


def either_direction(arrows, pushed):
    found = {pushed}
    for _ in arrows:
        found |= {b for a, b in arrows if a in found} | {a for a, b in arrows if b in found}
    return found - {pushed}


def with_itself(arrows, pushed):
    found = {pushed}
    for _ in arrows:
        found |= {b for a, b in arrows if a in found}
    return found


MISTAKES = {
    "paired": [as_if_unpaired, spread_of_single_roles, the_wrong_way_round],
    "along": [one_step, either_direction, with_itself],
}
