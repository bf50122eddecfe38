"""Exercises of *Acting*."""

from __future__ import annotations

import numpy as np
from book_support.exercises import differs

from valuegraph.direct_effects import Changes, fit


def _close(a, b) -> bool:
    return np.shape(a) == np.shape(b) and np.allclose(a, b, atol=1e-6)


def _pushed(seed: int, feedback: float):
    """Noise-free changes of four values under eighteen pushes, and what each is about."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((4, 4))
    weights[0, 1], weights[1, 2], weights[1, 3], weights[2, 0] = 0.6, 0.5, -0.4, feedback
    about = np.array([*np.repeat(range(4), 4), -1, -1])
    own = np.full((len(about), 4), [0.3, -0.2, 0.1, 0.4])  # what any sentence does
    own[np.arange(16), about[:16]] += rng.uniform(1, 3, 16) * rng.choice([-1, 1], 16)
    return own @ np.linalg.inv(np.eye(4) - weights), about


def _library(change, about):
    """The weights that the library finds in changes without noise."""
    d = change.shape[1]
    cube = np.repeat(np.repeat(change, 2, axis=1)[:, None], 2, axis=1)
    group = np.zeros(len(about), dtype=int)
    changes = Changes(cube, np.repeat(range(d), 2), about, group, group.astype(str))
    with np.errstate(invalid="ignore"):  # without noise, errors are zero over zero
        return fit(changes, d).weights


def _least_squares(change, about, *, intercept=True, all_rows=False):
    """The same in the ways in which it goes wrong."""
    d = change.shape[1]
    weights = np.zeros((d, d))
    for w in range(d):
        rows = change if all_rows else change[about != w]
        rows = rows - rows.mean(axis=0) if intercept else rows
        others = np.arange(d) != w
        weights[others, w] = np.linalg.lstsq(rows[:, others], rows[:, w], rcond=None)[0]
    return weights


def regression(answer) -> str | None:
    """`answer(change, about)`: direct effects by one regression for each value."""
    change, about = _pushed(1, 0.0)
    given, right = answer(change, about), _library(change, about)
    if _close(given, _least_squares(change, about, all_rows=True)):
        return (
            "eighteen pushes of four values: the pushes that are about a value have to be left "
            "out of its own equation"
        )
    if _close(given, _least_squares(change, about, intercept=False)):
        return (
            "eighteen pushes of four values: every sentence moves all values a little here, "
            "whatever it is about; what takes that up?"
        )
    if _close(given, right.T):
        return "eighteen pushes of four values: rows are to be causes, columns are to be effects"
    cases = {
        "eighteen pushes of four values": (change, about),
        "four values with feedback": _pushed(2, 0.3),
    }
    return differs(answer, _library, cases)


_CHAIN = np.array([[0, 0.5, 0], [0, 0, 0.4], [0, 0, 0]])


def total(answer) -> str | None:
    """`answer(weights)`: total effects from direct ones."""
    given, one = answer(_CHAIN), np.eye(3)
    said = "a chain of three values, 0.5 and then 0.4: "
    right = np.linalg.inv(one - _CHAIN)
    if _close(given, _CHAIN) or _close(given, one + _CHAIN):
        return said + "how does the third value learn of a push of the first?"
    if _close(given, right - one):
        return said + "a value that is pushed by one moves by one itself, too"
    if _close(given, right.T):
        return said + "rows are to be causes, columns are to be effects"
    cases = {
        "a chain of three values": (_CHAIN,),
        "no arrows": (np.zeros((4, 4)),),
        "two values that move each other": (np.array([[0, 0.5], [0.8, 0]]),),
        "ten values": (np.random.default_rng(3).normal(0, 0.15, (10, 10)) * (1 - np.eye(10)),),
    }
    return differs(answer, lambda weights: np.linalg.inv(np.eye(len(weights)) - weights), cases)


def target(answer) -> str | None:
    """`answer(changes, weights)`: what a push does to each value itself."""
    pushed = np.array([2.0, 0, 0])
    changes = pushed @ np.linalg.inv(np.eye(3) - _CHAIN)
    given = answer(changes, _CHAIN)
    said = "a push of the first of three values: "
    if _close(given, changes):
        return said + "the changes of the two others followed from it, and are still there"
    if _close(given, changes - _CHAIN @ changes):
        return said + "`weights[j, w]` is what j passes on to w: which index has to be summed over?"
    if _close(given, changes @ _CHAIN):
        return said + "that is what is passed on; it has to be taken out of the changes"
    rng = np.random.default_rng(4)
    cases = {
        "a push of the first of three values": (changes, _CHAIN),
        "five pushes at once": (rng.normal(size=(5, 3)), _CHAIN),
        "ten values": (rng.normal(size=10), rng.normal(0, 0.2, (10, 10))),
    }
    return differs(answer, lambda changes, weights: changes - changes @ weights, cases)
