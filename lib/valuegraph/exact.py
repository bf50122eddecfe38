"""Exact search: the best of all graphs without cycles, found by going through subsets.

The score of a graph is its Gaussian likelihood less a penalty for each parent. It is a sum over
values, so that the best graph of a set of values consists of a last value with its best parents in
the set, and of the best graph of the others: a step for each of the ``2**d`` sets.
"""

import numpy as np
from scipy.special import chdtri

from valuegraph.pc import class_of

MAX_VALUES = 12  # memory and time double with each more


def search_exactly(correlations, n, alpha, tier) -> np.ndarray:
    """Find the best graph, and return what all graphs that fit as well have in common.

    Parameters
    ----------
    correlations : numpy.ndarray
        Shape ``(b, d, d)``, each positive definite.
    n : int
        Number of independent rows behind each.
    alpha : float
        Sets the penalty, half the chi-squared quantile a parent: a parent is added where the
        likelihood-ratio test at this level would add it.
    tier : numpy.ndarray
        Whole numbers ``(d,)``: nothing causes what has a smaller one.

    Returns
    -------
    numpy.ndarray
        The class of the best graph, boolean ``(b, d, d)``: arrows that all of its graphs share, all
        of which score alike, and edges both ways.

    References
    ----------
    Silander, T., Myllymäki, P. (2006). A simple approach for finding the globally optimal Bayesian
    network structure. UAI 22.
    """
    penalty = float(chdtri(1, alpha)) / 2
    return class_of(best_dags(local_scores(correlations, n, penalty, tier)), tier)


def local_scores(correlations, n, penalty, tier) -> np.ndarray:
    """Score every value with every set of parents.

    Parameters
    ----------
    correlations, n, tier
        As for :func:`search_exactly`.
    penalty : float
        What a parent costs, in units of the log-likelihood.

    Returns
    -------
    numpy.ndarray
        Shape ``(b, d, 2**d)``: bit k of the last index says that value k is a parent. Minus
        infinity where a value would be its own parent, or one that comes later would be.
    """
    d = len(tier)
    held, left = _bits(d), np.empty((len(correlations), d, 2**d))
    for scores, correlation in zip(left, correlations, strict=True):
        given = correlation[None]  # covariances with the values of a set held fixed, a set a row
        for k in range(d):
            with_k = given[:, :, k]
            explained = with_k[:, :, None] * with_k[:, None] / with_k[:, k, None, None]
            given = np.concatenate([given, given - explained])
        scores[:] = np.einsum("sjj->js", given)
    forbidden = np.eye(d, dtype=bool) | (tier[:, None] < tier)  # [value, parent]
    never = (held[None] & forbidden[:, None]).any(axis=2)
    scores = -n / 2 * np.log(np.where(never, 1.0, left)) - penalty * held.sum(axis=1)
    return np.where(never, -np.inf, scores)


def best_dags(scores: np.ndarray) -> np.ndarray:
    """Put the best graph together from local scores ``(b, d, 2**d)``; boolean ``(b, d, d)``."""
    b, d = scores.shape[:2]
    held, every, graph = _bits(d), np.arange(2**d), np.arange(b)
    # The best parents that a set holds: all of it, or the best of the set without one member.
    best, parents = scores.copy(), np.broadcast_to(every, scores.shape).copy()
    for k in range(d):
        has = every[held[:, k]]
        better = best[..., has ^ 1 << k] >= best[..., has]
        best[..., has] = np.where(better, best[..., has ^ 1 << k], best[..., has])
        parents[..., has] = np.where(better, parents[..., has ^ 1 << k], parents[..., has])
    total, last = np.zeros((b, 2**d)), np.zeros((b, 2**d), dtype=int)
    for size in range(1, d + 1):
        sets = every[held.sum(axis=1) == size]
        member = np.nonzero(held[sets])[1].reshape(-1, size)
        others = sets[:, None] ^ 1 << member
        options = total[:, others] + best[:, member, others]
        chosen, total[:, sets] = options.argmax(axis=2), options.max(axis=2)
        last[:, sets] = member[np.arange(len(sets)), chosen]
    dags, rest = np.zeros((b, d, d), dtype=bool), np.full(b, 2**d - 1)
    for _ in range(d):
        value = last[graph, rest]
        rest ^= 1 << value
        dags[graph, :, value] = held[parents[graph, value, rest]]
    return dags


def search_pushes(changes: np.ndarray, errors: np.ndarray, alpha: float) -> np.ndarray:
    """Tell what every intervention moves by itself, if nobody knows what it is about.

    Of all graphs without cycles, that one is taken by which the fewest changes are left over: a
    change that follows from those of a value's causes costs what noise makes of it, any other the
    price of a push. Feedback is not searched for.

    Parameters
    ----------
    changes, errors : numpy.ndarray
        Mean changes, interventions by values ``(m, d)``, and their standard errors by value.
    alpha : float
        Sets both prices: of an arrow as in :func:`search_exactly`, and of a push, for which each
        of the values is tried.

    Returns
    -------
    numpy.ndarray
        Shape ``(m, d)``: what is left of a change, in standard errors.

    References
    ----------
    Squires, C., Wang, Y., Uhler, C. (2020). Permutation-based causal structure learning with
    unknown intervention targets. UAI 36. (Of all orders the right one needs the fewest targets.)
    """
    m, d = changes.shape
    held, price = _bits(d), chdtri(1, np.array([alpha, alpha / d]))
    scores, left = np.full((1, d, 2**d), -np.inf), np.empty((d, 2**d, m))
    for j in range(d):
        sets = np.flatnonzero(~held[:, j])
        use, counted = held[sets], np.ones((len(sets), m))
        ridge = np.eye(d) * np.where(use, 1e-9, 1)[:, None]
        x, y = changes / errors[j], changes[:, j] / errors[j]
        # Least squares without what stands out, by a bound that is drawn in step by step.
        for bound in [*np.geomspace(64, 1, 8), 1, 1, 1, 1]:
            gram = np.einsum("sm,mi,mk->sik", counted, x, x, optimize=True)
            gram = gram * use[:, :, None] * use[:, None] + ridge
            weights = np.linalg.solve(gram, (counted * y @ x * use)[..., None])[..., 0]
            variance = 1 + weights**2 @ (errors / errors[j]) ** 2
            squares = (y - weights @ x.T) ** 2 / variance[:, None]
            counted = squares < bound * price[1]
        lost = np.minimum(squares, price[1]).sum(axis=1) + price[0] * use.sum(axis=1)
        scores[0, j, sets], left[j, sets] = -lost / 2, np.sqrt(squares)
    return left[np.arange(d), best_dags(scores)[0].T @ (1 << np.arange(d))].T


def _bits(d: int) -> np.ndarray:
    """Return which values each set holds, boolean ``(2**d, d)``; refuse too many values."""
    if d > MAX_VALUES:
        tried = f"all sets of values are tried, of at most {MAX_VALUES} values; these are {d}"
        raise ValueError(f"{tried}: take fewer, or discover by method 'pc'")
    return (np.arange(2**d)[:, None] >> np.arange(d) & 1).astype(bool)
