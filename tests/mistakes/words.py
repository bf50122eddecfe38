"""Typical wrong answers to the exercises of *Steering with roles*."""

import numpy as np


def correlates(before, after):
    return np.corrcoef(before, after)[0, 1]


def foretells_the_past(before, after):
    return np.polyfit(after, before, 1)[0]


def compares_spreads(before, after):
    return np.std(after) / np.std(before)


def through_zero(before, after):
    return np.sum(before * after) / np.sum(before**2)


def ends(drawn):
    return np.quantile(drawn, [0.025, 0.975])


def does_not_pair(before, after, draws=1000, seed=0):
    rng = np.random.default_rng(seed)
    n, first, second = len(before), before.mean(axis=1), after.mean(axis=1)
    one, other = rng.integers(n, size=(2, draws, n))
    low, high = ends(second[other].mean(axis=1) - first[one].mean(axis=1))
    return second.mean() - first.mean(), low, high


def draws_single_answers(before, after, draws=1000, seed=0):
    change = (after - before).ravel()
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(change), size=(draws, len(change)))
    return change.mean(), *ends(change[drawn].mean(axis=1))


def takes_the_spread_of_roles(before, after, draws=1000, seed=0):
    change = (after - before).mean(axis=1)
    return change.mean(), *ends(change)


def takes_it_the_wrong_way_round(before, after, draws=1000, seed=0):
    change = (before - after).mean(axis=1)
    return change.mean(), *ends(change)


def counts_itself(changed):
    share = np.mean(changed, axis=1)
    return share - share.mean(axis=0)


def takes_other_values(changed):
    share = np.mean(changed, axis=1)
    others = (share.sum(axis=1, keepdims=True) - share) / (share.shape[1] - 1)
    return share - others


def mean_over_the_wrong_axis(changed):
    return np.mean(changed, axis=0)


MISTAKES = {
    "slope": [correlates, foretells_the_past, compares_spreads, through_zero],
    "paired": [
        does_not_pair,
        draws_single_answers,
        takes_the_spread_of_roles,
        takes_it_the_wrong_way_round,
    ],
    "base": [counts_itself, takes_other_values, mean_over_the_wrong_axis],
}
