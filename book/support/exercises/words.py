"""Exercises of *Steering with roles*."""

from __future__ import annotations

import numpy as np
from book_support.exercises import differs


def slope(answer) -> str | None:
    """`answer(before, after)`: how much of a difference between two roles a sentence leaves."""
    rng = np.random.default_rng(4)
    before = rng.normal(1, 2, 30)
    fifth = answer(before, 3 + before / 5)
    said = "if every role keeps a fifth of its score and gets 3, you say"
    if np.isclose(fifth, 1):
        return f"{said} 1, which tells how closely the two go together, not how much is left"
    if np.isclose(fifth, 5):
        return f"{said} 5: which of the two is to be foretold from the other?"
    turned = answer(before, -before / 2)
    if np.isclose(turned, 0.5):
        return "if the roles change places (after is minus half of before), you still say 0.5"
    cases = {
        "every role gets 1 more (a nudge)": (before, before + 1),
        "every role gets 2 (set)": (before, np.full(30, 2.0)),
        "every role keeps a fifth of its score and gets 3": (before, 3 + before / 5),
        "thirty noisy roles": (before, 0.4 * before + rng.normal(0, 1, 30)),
    }
    return differs(answer, lambda x, y: np.polyfit(x, y, 1)[0], cases)


def paired(answer) -> str | None:
    """`answer(before, after)`: mean change, and its interval from resampled roles."""
    rng = np.random.default_rng(5)
    n, questions = 40, 6
    change = rng.normal(0.5, 0.2, (n, 1)) + rng.normal(0, 0.05, (n, questions))
    alike, unlike = np.zeros((n, questions)), rng.normal(0, 3, (n, 1)) + np.zeros(questions)
    given = answer(alike, alike + change)
    effect, low, high = given
    if not np.isclose(effect, change.mean()):
        where = "before is 0 everywhere, and after is about 0.5"
        return f"{where}: a mean change of {effect:.2f} is not right"
    if not low < effect < high:
        return f"the effect {effect:.2f} does not lie between the ends {low:.2f} and {high:.2f}"
    right = 2 * 1.96 * change.mean(axis=1).std() / np.sqrt(n)
    all_alike = (
        f"forty roles that are alike before: the interval is {high - low:.2f} wide, which is"
    )
    if high - low > 1.4 * right:
        return f"{all_alike} how far single roles lie apart, and not how well their mean is known"
    if high - low < 0.7 * right:
        return f"{all_alike} too narrow: do six questions to one role count as six roles?"
    _, low, high = answer(unlike, unlike + change)
    if high - low > 1.4 * right:
        return (
            "forty roles that differ by far more than the sentence moves any of them: the interval "
            f"is {high - low:.2f} wide, because a role's after met another role's before"
        )
    if high - low < 0.7 * right:
        return "forty roles that differ from the start: the interval is too narrow"
    return None


def base(answer) -> str | None:
    """`answer(changed)`: share of roles that changed, less that under the other interventions."""
    alone = np.zeros((4, 10, 3), dtype=bool)
    alone[0, :, 0] = True  # one value, under one of four interventions
    given = answer(alone)
    given = np.asarray(given, dtype=float)
    if given.shape != (4, 3):
        return f"4 interventions, 10 roles and 3 values: shape {given.shape} comes back, not (4, 3)"
    told = "a value that changes in all roles under one of four interventions, and never else"
    if np.isclose(given[0, 0], 0.75):
        return f"{told}, is 0.75 above its base rate: is that intervention among the others?"
    if np.isclose(given[0, 0], 1) and not np.isclose(given[1, 0], -1 / 3):
        return (
            f"{told}, gets {given[1, 0]:.2f} under the second one: "
            "are you averaging over the other interventions, or over the other values?"
        )
    rng = np.random.default_rng(6)
    cases = {
        told: (alone,),
        "five interventions, eight roles, four values": (rng.random((5, 8, 4)) < 0.4,),
    }

    def right(changed):
        share = np.mean(changed, axis=1)
        return share - (share.sum(axis=0) - share) / (len(share) - 1)

    return differs(answer, right, cases)
