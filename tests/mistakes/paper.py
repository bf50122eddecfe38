"""Typical wrong answers to the exercises of *The paper under the microscope*."""

import numpy as np


def deals_single_rows(rows, rng):
    flat = rows.reshape(-1, rows.shape[2])
    return rng.permuted(flat, axis=0).reshape(rows.shape)


def deals_whole_roles(rows, rng):
    return rows[rng.permutation(len(rows))]


def deals_features_too(rows, rng):
    dealt = np.empty_like(rows)
    for k in range(rows.shape[2]):
        dealt[:, :, k] = rows[rng.permutation(len(rows)), :, k][:, rng.permutation(rows.shape[1])]
    return dealt


def draws_roles(rows, rng):
    dealt = np.empty_like(rows)
    for k in range(rows.shape[2]):
        dealt[:, :, k] = rows[rng.integers(len(rows), size=len(rows)), :, k]
    return dealt


def deals_in_place(rows, rng):
    for k in range(rows.shape[2]):
        rows[:, :, k] = rows[rng.permutation(len(rows)), :, k]
    return rows


def means(scores, roles, draws, rng, *, replace=True, units=None):
    names = np.unique(roles)
    rows_of = [np.flatnonzero(roles == name) for name in names]
    found = []
    for _ in range(draws):
        drawn = rng.choice(len(names), size=len(names), replace=replace)
        found.append(scores[np.concatenate([rows_of[k] for k in drawn])].mean())
    return np.array(found)


def draws_rows(scores, roles, draws, rng):
    n = len(scores)
    return np.std([scores[rng.integers(n, size=n)].mean() for _ in range(draws)])


def deals_without_replacement(scores, roles, draws, rng):
    return means(scores, roles, draws, rng, replace=False).std()


def divides_by_the_draws(scores, roles, draws, rng):
    return means(scores, roles, draws, rng).std() / np.sqrt(draws)


def takes_rows_as_sorted(scores, roles, draws, rng):
    blocks = np.array_split(scores, len(np.unique(roles)))
    found = []
    for _ in range(draws):
        drawn = rng.integers(len(blocks), size=len(blocks))
        found.append(np.concatenate([blocks[k] for k in drawn]).mean())
    return np.std(found)


def gap(rates, reach, itself=False):
    others = np.ones_like(reach) if itself else ~np.eye(len(reach), dtype=bool)
    sides = []
    for chosen in (reach & others, ~reach & others):
        rows = [rates[v, chosen[v]].mean() for v in range(len(reach)) if chosen[v].any()]
        sides.append(np.mean(rows))
    return sides[0] - sides[1]


def rates(changed):
    changed = np.asarray(changed, dtype=float)
    return changed.T @ changed / changed.sum(axis=0)[:, None], changed.mean(axis=0)


def forgets_base_rates(changed, reach):
    return gap(rates(changed)[0], reach)


def counts_the_value_itself(changed, reach):
    together, base = rates(changed)
    return gap(together - base, reach, itself=True)


def turns_the_condition_round(changed, reach):
    together, base = rates(changed)
    return gap(together.T - base[:, None], reach)


def averages_over_pairs(changed, reach):
    together, base = rates(changed)
    apart, others = together - base, ~np.eye(len(reach), dtype=bool)
    return apart[reach & others].mean() - apart[~reach & others].mean()


MISTAKES = {
    "null": [deals_single_rows, deals_whole_roles, deals_features_too, draws_roles, deals_in_place],
    "clusters": [draws_rows, deals_without_replacement, divides_by_the_draws, takes_rows_as_sorted],
    "beyond": [
        forgets_base_rates,
        counts_the_value_itself,
        averages_over_pairs,
        turns_the_condition_round,
    ],
}
