"""Typical wrong answers to the exercises of *Comparing with humans*."""

import numpy as np
from scipy import stats


def counts_entries(a, b):
    return (a != b).sum()


def counts_half_the_entries(a, b):
    return (a != b).sum() / 2


def ignores_directions(a, b):
    return ((a | a.T) != (b | b.T)).sum() / 2


def looks_above_the_diagonal_only(a, b):
    return np.triu(a != b).sum()


def agreement_of(a, b):
    pairs = np.triu_indices(len(a), 1)
    return np.corrcoef(a[pairs], b[pairs])[0, 1]


def agreements(model, people, orders):
    return np.array([agreement_of(model[np.ix_(o, o)], people) for o in orders])


def forgets_the_order_as_it_is(model, people, orders):
    return np.mean(agreements(model, people, orders) >= agreement_of(model, people))


def counts_only_what_is_better(model, people, orders):
    better = agreements(model, people, orders) > agreement_of(model, people) + 1e-12
    return (1 + better.sum()) / (1 + len(orders))


def permutes_rows_only(model, people, orders):
    others = np.array([agreement_of(model[order], people) for order in orders])
    return (1 + (others >= agreement_of(model, people)).sum()) / (1 + len(orders))


def counts_the_other_side(model, people, orders):
    worse = agreements(model, people, orders) <= agreement_of(model, people)
    return (1 + worse.sum()) / (1 + len(orders))


def compares_one_column(model, people, orders):
    mixed = [model[np.ix_(order, order)] for order in orders]
    others = np.array([np.corrcoef(m[:, 0], people[:, 0])[0, 1] for m in mixed])
    found = np.corrcoef(model[:, 0], people[:, 0])[0, 1]
    return (1 + (others >= found - 1e-12).sum()) / (1 + len(orders))


def z_of(agreement, countries):
    z = np.arctanh(countries)
    return np.arctanh(agreement) - z.mean(), z.std(ddof=1), len(z)


def takes_the_error_of_the_mean(agreement, countries):
    far, sd, k = z_of(agreement, countries)
    return stats.t.cdf(far / (sd / np.sqrt(k)), k - 1)


def believes_the_mean(agreement, countries):
    far, sd, k = z_of(agreement, countries)
    return stats.t.cdf(far / sd, k - 1)


def takes_the_normal_distribution(agreement, countries):
    far, sd, k = z_of(agreement, countries)
    return stats.norm.cdf(far / (sd * np.sqrt(1 + 1 / k)))


def forgets_fisher(agreement, countries):
    k = len(countries)
    far, sd = agreement - np.mean(countries), np.std(countries, ddof=1)
    return stats.t.cdf(far / (sd * np.sqrt(1 + 1 / k)), k - 1)


def takes_the_upper_tail(agreement, countries):
    far, sd, k = z_of(agreement, countries)
    return stats.t.sf(far / (sd * np.sqrt(1 + 1 / k)), k - 1)


def ranks_the_model(agreement, countries):
    return np.mean(countries <= agreement)


MISTAKES = {
    "shd": [
        *[counts_entries, counts_half_the_entries, ignores_directions],
        looks_above_the_diagonal_only,
    ],
    "null": [
        *[forgets_the_order_as_it_is, counts_only_what_is_better, permutes_rows_only],
        *[counts_the_other_side, compares_one_column],
    ],
    "spread": [
        *[takes_the_error_of_the_mean, believes_the_mean, takes_the_normal_distribution],
        *[forgets_fisher, takes_the_upper_tail, ranks_the_model],
    ],
}
