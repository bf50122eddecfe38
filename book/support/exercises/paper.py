"""Exercises of *The paper under the microscope*."""

from __future__ import annotations

import numpy as np
from book_support.exercises import differs

from studies.paper.tables import change_rates, gap_of


def null(answer) -> str | None:
    """`answer(rows, rng)`: for each value other roles, each with all its rows."""
    roles, repeats, values = 12, 5, 4
    # Hundreds tell the role, units the row, thousands the value.
    tens = 100 * np.arange(roles)[:, None] + np.arange(repeats)
    rows = tens[:, :, None] + 1000.0 * np.arange(values)
    given = rows.copy()
    dealt = answer(given, np.random.default_rng(7))
    if not np.array_equal(given, rows):
        return "the scores that went in are changed afterwards: deal the roles in a copy"
    dealt = np.asarray(dealt)
    if dealt.shape != rows.shape:
        return f"scores of shape {rows.shape} come back with shape {dealt.shape}"
    if not np.array_equal(*(np.sort(x.reshape(-1, values), axis=0) for x in (dealt, rows))):
        return "some scores of a value are lost or come more than once: roles are dealt, not drawn"
    from_roles = dealt % 1000 // 100
    if (from_roles != from_roles[:, :1]).any():
        return "a role's rows are torn apart, so the clusters are gone from this null"
    if (dealt % 100 != rows % 100).any():
        return "rows of a role have changed places, so features are no longer in step"
    orders = from_roles[:, 0]
    if (orders == np.arange(roles)[:, None]).all():
        return "nothing has moved"
    if (orders == orders[:, :1]).all():
        return "all values get the same roles, so they depend on each other as before"
    return None


def clusters(answer) -> str | None:
    """`answer(scores, roles, draws, rng)`: standard error of a mean, over roles."""
    rng = np.random.default_rng(7)
    scores, roles = np.repeat(rng.normal(size=40), 11), np.repeat(np.arange(40), 11)
    error = answer(scores, roles, 400, np.random.default_rng(0))
    case = "40 roles with eleven equal rows each"
    by_rows, by_roles = (scores.std() / np.sqrt(n) for n in (440, 40))
    if abs(error) < 1e-9:
        return f"{case}: the error is 0. Can a role be drawn twice, and another not at all?"
    if np.isclose(error, by_rows, rtol=0.25):
        return f"{case}: {error:.3f} would be right for 440 independent rows"
    more = answer(scores, roles, 1600, np.random.default_rng(0))
    if more < 0.7 * error:
        return f"{case}: four times the draws make the error smaller, but they add no roles"
    if not np.isclose(error, by_roles, rtol=0.15):
        return f"{case}: {error:.3f} is not right"
    sizes = rng.integers(1, 20, size=30)
    roles = rng.permutation(np.repeat([f"role {k}" for k in range(30)], sizes))
    scores = np.array([float(len(name) + int(name[5:]) % 5) for name in roles])
    scores += rng.normal(size=len(scores))
    # The error of a ratio, sum of scores by number of rows, both over roles.
    names, at = np.unique(roles, return_inverse=True)
    away = np.bincount(at, scores - scores.mean())
    right = np.sqrt((away**2).sum()) / len(scores)
    error = answer(scores, roles, 800, np.random.default_rng(0))
    if not np.isclose(error, right, rtol=0.15):
        return f"{len(names)} roles with 1 to 19 rows, in mixed order: {error:.3f} is not right"
    return None


def beyond(answer) -> str | None:
    """`answer(changed, reach)`: the gap of table 2 beyond base rates."""
    # Every combination of changes that have nothing to do with each other.
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3)
    apart = grid < [2, 3, 1]
    to_volatile = np.array([[0, 1, 0], [1, 0, 0], [0, 1, 0]], dtype=bool)
    given = answer(apart, to_volatile)
    raw, _ = change_rates(apart.astype(float))
    if np.isclose(given, gap_of(raw, to_volatile)):
        return (
            "three values that change without regard to each other, and arrows to the volatile "
            f"ones: the graph knows nothing, and gets {given:.2f}"
        )
    rng = np.random.default_rng(7)
    shared = rng.random((60, 1)) < 0.4
    changed = (rng.random((60, 5)) < [0.2, 0.8, 0.5, 0.4, 0.6]) | (shared & [1, 0, 1, 0, 1])
    reach = rng.random((5, 5)) < 0.5
    np.fill_diagonal(reach, False)
    sink, cycle = reach.copy(), reach.copy()
    sink[2] = False
    np.fill_diagonal(cycle, True)
    cases = {
        "three values that change without regard to each other": (apart, to_volatile),
        "five values, some of which change together": (changed, reach),
        "the same, with a value that reaches none": (changed, sink),
        "the same, with paths from each value back to itself": (changed, cycle),
    }
    return differs(answer, _beyond, cases)


def _beyond(changed, reach) -> float:
    together, base = change_rates(np.asarray(changed, dtype=float))
    return gap_of(together - base, reach)
