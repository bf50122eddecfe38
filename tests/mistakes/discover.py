"""Typical wrong answers to the exercises of *Discovering graphs*."""

from itertools import combinations

import numpy as np

import valuegraph as vg


def holds_nothing(r, i, j, held):
    return r[i, j]


def forgets_the_sign(r, i, j, held):
    p = np.linalg.inv(r[np.ix_([i, j, *held], [i, j, *held])])
    return p[0, 1] / np.sqrt(p[0, 0] * p[1, 1])


def holds_every_other_value(r, i, j, held):
    p = np.linalg.inv(r)
    return -p[i, j] / np.sqrt(p[i, i] * p[j, j])


def forgets_the_diagonal(r, i, j, held):
    return -np.linalg.inv(r[np.ix_([i, j, *held], [i, j, *held])])[0, 1]


def holds_fixed_from_one_side_only(r, i, j, held):
    chosen, others = list(held), np.ix_(held, held)
    left = np.linalg.solve(r[others], r[chosen, i]) if held else np.zeros(0)
    return (r[i, j] - left @ r[chosen, j]) / np.sqrt(1 - left @ r[chosen, i])


def searched(r, n, alpha, *, most=None, at_once=False, whose="own", sets=None):
    """PC's skeleton with one thing done wrong."""
    joined = ~np.eye(len(r), dtype=bool)
    for k in range(len(r) - 1 if most is None else most + 1):
        before = joined if at_once else joined.copy()
        least = vg.pc.critical_correlation(alpha, n, k)
        for i, j in np.argwhere(before):
            if whose == "first" and i > j:
                continue
            near = range(len(r)) if sets == "any" else np.flatnonzero(before[i])
            for held in combinations(sorted({*near} - {i, j}), k):
                p = np.linalg.inv(r[np.ix_([i, j, *held], [i, j, *held])])
                if abs(p[0, 1]) / np.sqrt(p[0, 0] * p[1, 1]) < least:
                    joined[i, j] = joined[j, i] = False
    return joined


def looks_at_plain_correlations(r, n, alpha):
    return searched(r, n, alpha, most=0)


def holds_all_others(r, n, alpha):
    least = vg.pc.critical_correlation(alpha, n, len(r) - 2)
    return ~np.eye(len(r), dtype=bool) & (abs(vg.correlations.partial(r)) >= least)


def holds_one_at_most(r, n, alpha):
    return searched(r, n, alpha, most=1)


def holds_neighbours_of_the_first_only(r, n, alpha):
    return searched(r, n, alpha, whose="first")


def removes_at_once(r, n, alpha):
    return searched(r, n, alpha, at_once=True)


def holds_any_set(r, n, alpha):
    return searched(r, n, alpha, sets="any")


def keeps_the_diagonal(r, n, alpha):
    return searched(r, n, alpha) | np.eye(len(r), dtype=bool)


def removes_one_end(r, n, alpha):
    return np.triu(searched(r, n, alpha))


def mean_of(scores, count_edges, draws, shuffled):
    return np.mean([count_edges(shuffled()) for _ in range(draws)])


def moves_whole_rows(scores, count_edges, draws, rng):
    return mean_of(scores, count_edges, draws, lambda: scores.iloc[rng.permutation(len(scores))])


def lets_pandas_put_rows_back(scores, count_edges, draws, rng):
    def shuffled():
        return scores.apply(lambda column: column.sample(frac=1, random_state=rng))

    return mean_of(scores, count_edges, draws, shuffled)


def draws_with_replacement(scores, count_edges, draws, rng):
    def shuffled():
        return scores.apply(lambda column: rng.choice(column, len(column)))

    return mean_of(scores, count_edges, draws, shuffled)


def apart(scores, rng):
    return scores.apply(rng.permutation)


def shuffles_once(scores, count_edges, draws, rng):
    table = apart(scores, rng)
    return mean_of(scores, count_edges, draws, lambda: table)


def adds_up(scores, count_edges, draws, rng):
    return sum(count_edges(apart(scores, rng)) for _ in range(draws))


def searches_once(scores, count_edges, draws, rng):
    return count_edges(apart(scores, rng))


def spoils_the_scores(scores, count_edges, draws, rng):
    def shuffled():
        for name in scores:
            scores[name] = rng.permutation(scores[name])
        return scores

    return mean_of(scores, count_edges, draws, shuffled)


MISTAKES = {
    "partial": [
        *[holds_nothing, forgets_the_sign, holds_every_other_value, forgets_the_diagonal],
        holds_fixed_from_one_side_only,
    ],
    "skeleton": [
        *[looks_at_plain_correlations, holds_all_others, holds_one_at_most],
        *[holds_neighbours_of_the_first_only, removes_at_once, holds_any_set],
        *[keeps_the_diagonal, removes_one_end],
    ],
    "null": [
        *[moves_whole_rows, lets_pandas_put_rows_back, draws_with_replacement, shuffles_once],
        *[adds_up, searches_once, spoils_the_scores],
    ],
}
