"""Typical wrong answers to the exercises of *A real model*."""

import numpy as np
from book_support.exercises import real


def one_sided(effects):
    return real._signs(effects, two_sided=False)


def without_the_signs_as_they_are(effects):
    return real._signs(effects, strict=True)


def shuffles(effects):
    rng = np.random.default_rng(0)
    null = [rng.permutation(effects).mean() for _ in range(200)]
    return np.mean(np.abs(null) >= abs(np.mean(effects)) - 1e-9)


def bonferroni(p):
    return np.minimum(p * len(p), 1)


def sorted_ones(p):
    return np.sort(real._holm(p))


def steps_alone(p):
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.sort(p) * np.arange(len(p), 0, -1)
    return adjusted


def above_one(p):
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(np.sort(p) * np.arange(len(p), 0, -1))
    return adjusted


def weakens(r, first, second):
    return r * np.sqrt(first * second)


def no_root(r, first, second):
    return r / (first * second)


def mean_reliability(r, first, second):
    return r / ((first + second) / 2)


MISTAKES = {
    "signs": [one_sided, without_the_signs_as_they_are, shuffles],
    "holm": [bonferroni, sorted_ones, steps_alone, above_one],
    "attenuation": [weakens, no_root, mean_reliability],
}
