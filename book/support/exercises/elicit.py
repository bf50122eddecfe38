"""Exercises of *Eliciting values*."""

from __future__ import annotations

import numpy as np
from book_support.exercises import NOT_YET, differs


def score(answer) -> str | None:
    """`answer(agreement, keys)`: the score of a value, with questions keyed against it turned."""
    yes, keys = np.ones(4), np.array([1, 1, -1, -1])
    if answer(yes, keys) is None:
        return NOT_YET
    if np.isclose(answer(yes, keys), 1):
        return "who says yes to everything gets 1: what does yes to a question keyed -1 mean?"
    rng = np.random.default_rng(7)
    cases = {
        "yes to everything, two keys of each kind": (yes, keys),
        "yes to three questions, keyed 1": (np.ones(3), np.ones(3)),
        "no to two questions keyed -1": (-np.ones(2), -np.ones(2)),
        "seven graded answers": (rng.uniform(-1, 1, 7), rng.choice([-1, 1], 7)),
    }
    return differs(answer, lambda agreement, keys: np.mean(agreement * keys), cases)
