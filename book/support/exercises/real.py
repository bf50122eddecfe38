"""Exercises of *A real model*."""

from __future__ import annotations

import numpy as np
from book_support.exercises import differs

from valuegraph.correlations import disattenuated


def _signs(effects, *, strict=False, two_sided=True):
    effects = np.asarray(effects, dtype=float)
    n = len(effects)
    signs = 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    means, mean = (signs * effects).mean(axis=1), effects.mean()
    means, mean = (abs(means), abs(mean)) if two_sided else (means, mean)
    return float(np.mean(means > mean + 1e-9 if strict else means >= mean - 1e-9))


def signs(answer) -> str | None:
    """`answer(effects)`: exact two-sided p-value of the mean, all signs turned."""
    same = np.array([0.1, 0.2, 0.3, 0.4])
    given = answer(same)
    said = "four effects, all of them positive: "
    if np.isclose(given, _signs(same, two_sided=False)):
        return said + "a mean as far *below* zero would have surprised you as much"
    if np.isclose(given, _signs(same, strict=True)):
        return said + "a p-value of 0? The signs as they are belong to all signs"
    if np.isclose(given, 1):
        return said + "what you change leaves the mean as it is; shuffling does"
    cases = {
        "four effects, all of them positive": (same,),
        "six effects, two of them negative": (np.array([0.5, -0.1, 0.4, 0.3, -0.2, 0.6]),),
        "ten effects around zero": (np.random.default_rng(2).normal(size=10),),
    }
    return differs(answer, _signs, cases)


def _holm(p):
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def holm(answer) -> str | None:
    """`answer(p)`: Holm's adjusted p-values, in the order in which they were given."""
    p = np.array([0.04, 0.001, 0.03, 0.012])
    given = answer(p)
    said = "four p-values, 0.04, 0.001, 0.03 and 0.012: "
    if np.shape(given) == (4,):
        if np.allclose(given, np.sort(_holm(p))):
            return said + "they come back sorted; give each its own place again"
        if np.allclose(given, p * 4):
            return said + "that is Bonferroni's way, in which even the largest pays for all four"
        steps = np.empty(4)
        steps[np.argsort(p)] = np.sort(p) * np.arange(4, 0, -1)
        if np.allclose(given, steps):
            return said + "a larger p-value must not end up below a smaller one"
    cases = {
        "four p-values, 0.04, 0.001, 0.03 and 0.012": (p,),
        "three p-values, of which the largest is 0.9": (np.array([0.9, 0.6, 0.3]),),
        "one p-value": (np.array([0.03]),),
        "twelve p-values": (np.random.default_rng(8).uniform(0, 0.2, 12),),
    }
    return differs(answer, _holm, cases)


def _corrected(r, first, second):
    both = disattenuated(np.array([[1.0, r], [r, 1.0]]), np.array([first, second]))
    return float(both[0, 1])


def attenuation(answer) -> str | None:
    """`answer(r, first, second)`: a correlation as it would be without measurement error."""
    given, said = answer(0.3, 0.6, 0.7), "r = 0.3 with reliabilities of 0.6 and 0.7: "
    if np.isclose(given, 0.3 * np.sqrt(0.42)):
        return said + "error weakens a correlation; without error it must be stronger"
    if np.isclose(given, 0.3 / 0.42):
        return said + (
            "too much. A reliability is a share of *variance*, and a correlation is made of "
            "standard deviations"
        )
    if np.isclose(given, 0.3 / 0.65):
        return said + "close, but the mean of both reliabilities is not what error leaves over"
    cases = {
        "r = 0.3 with reliabilities of 0.6 and 0.7": (0.3, 0.6, 0.7),
        "r = -0.5 with one perfect score": (-0.5, 1.0, 0.49),
        "no correlation": (0.0, 0.4, 0.9),
    }
    return differs(answer, _corrected, cases)
