"""Exercises of *Quickstart*."""

from __future__ import annotations

import numpy as np
import pandas as pd
from book_support.exercises import differs


def _paired(before, after):
    difference = np.asarray(after) - np.asarray(before)
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    mean = difference.mean()
    return mean, mean - 1.96 * error, mean + 1.96 * error


def paired(answer) -> str | None:
    """`answer(before, after)`: mean change of a score with its 95 % interval over roles."""
    rng = np.random.default_rng(5)
    before = pd.Series(rng.normal(0, 2, 40))
    after = before + rng.normal(0.5, 0.4, 40)
    given, n = answer(before, after), len(before)
    said = "forty roles that differ much and change alike: "
    if np.shape(given) != (3,):
        return said + "three numbers are asked for: the mean change, and both ends of the interval"
    mean, low, high = _paired(before, after)
    if np.isclose(given[0], -mean):
        return said + "the scores rose, but your change is negative"
    width = (given[2] - given[1]) / 2 / 1.96
    if np.isclose(width, np.sqrt((before.var() + after.var()) / n)):
        return said + (
            "your interval is as wide as if other roles had been asked before and after; "
            "each role is to be compared with itself"
        )
    if np.isclose(width, (after - before).std()):
        return said + "that is how much single roles differ; how sure is their mean?"
    cases = {
        "forty roles that differ much and change alike": (before, after),
        "five roles": (pd.Series(rng.normal(size=5)), pd.Series(rng.normal(size=5))),
    }
    return differs(answer, _paired, cases, tolerance=1e-3)


def _along(arrows, pushed):
    """What arrows lead to, in any number of steps."""
    found, new = set(), {pushed}
    while new:
        new = {b for a, b in arrows if a in new} - found
        found |= new
    return found - {pushed}


_ARROWS = [("ST", "AC"), ("AC", "PO"), ("PO", "SE"), ("UN", "BE"), ("BE", "AC")]


def along(answer) -> str | None:
    """`answer(arrows, pushed)`: the set of values that move if one is pushed."""
    cases = {
        "ST to AC to PO to SE, UN to BE to AC, with ST pushed": (_ARROWS, "ST"),
        "the same arrows with AC pushed": (_ARROWS, "AC"),
        "the same arrows with SE pushed": (_ARROWS, "SE"),
        "three values in a circle": ([("A", "B"), ("B", "C"), ("C", "A")], "A"),
    }
    for case, arguments in cases.items():
        pushed, given, right = arguments[1], set(answer(*arguments)), _along(*arguments)
        if pushed in given:
            return f"{case}: {pushed} itself was pushed, and the *others* are asked for"
        if missing := sorted(right - given):
            return f"{case}: {missing[0]} moves as well; by way of what?"
        if extra := sorted(given - right):
            return f"{case}: {extra[0]} does not move: an arrow passes a push on in one direction"
    return None
