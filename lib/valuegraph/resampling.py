"""Intervals by resampling roles, the units of independence.

A resample is a row of weights: how often each role was drawn. The first row, in which each counts
once, gives the estimate, so that one matrix product gives a figure with all its resamples.

References
----------
Efron, B., Tibshirani, R. J. (1993). An Introduction to the Bootstrap. Chapman & Hall, chapter 13.
"""

import warnings

import numpy as np

from valuegraph.tables import generator, require_whole


def role_weights(n_roles: int, draws: int, *, seed: int) -> np.ndarray:
    """Draw how often each role stands in each resample.

    Returns
    -------
    numpy.ndarray
        Shape (1 + draws, n_roles); the first row is all ones, every row sums to `n_roles`.
    """
    require_whole(draws, 0, "number of resamples")
    drawn = generator(seed).multinomial(n_roles, np.full(n_roles, 1 / n_roles), draws)
    return np.vstack([np.ones(n_roles), drawn])


def resampled_mean(data: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Means over roles: `data` (roles, ...), `weights` (resamples, roles) -> (resamples, ...)."""
    return np.tensordot(weights, data, axes=1) / len(data)


def resampled_covariance(data: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Covariances over roles: `data` (roles, k), `weights` -> (resamples, k, k).

    What is constant in a resample has exactly 0 there.
    """
    n, k = data.shape
    centred = data - data.mean(axis=0)
    # Rounding leaves something of a constant column, which would pass for variance.
    centred[:, np.abs(centred).max(axis=0) <= 1e-9 * np.abs(data).max(axis=0)] = 0.0
    mean = weights @ centred / n
    products = (centred[:, :, None] * centred[:, None, :]).reshape(n, k * k)
    covariance = (weights @ products).reshape(-1, k, k) / n
    covariance = (covariance - mean[:, :, None] * mean[:, None, :]) * (n / (n - 1))
    constant = np.diagonal(covariance, axis1=1, axis2=2) <= 1e-12 * centred.var(axis=0)
    return np.where(constant[:, :, None] | constant[:, None, :], 0.0, covariance)


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; NaN where the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, np.divide(numerator, denominator))


def finite_mean(figures: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is not NaN; NaN if there is nothing else."""
    known = ~np.isnan(figures)
    return ratio(np.where(known, figures, 0.0).sum(axis=-1), known.sum(axis=-1))


def intervals(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return estimates and the ends of their percentile intervals (95 %).

    Parameters
    ----------
    draws : numpy.ndarray
        Figures of all resamples, shape (1 + draws, ...), the estimate first; NaN ones are left out.

    Returns
    -------
    estimate, low, high : numpy.ndarray
        Shape (...); NaN without an estimate, or without resamples.
    """
    resamples = draws[1:] if len(draws) > 1 else draws * np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN
        low, high = np.nanquantile(resamples, [0.025, 0.975], axis=0)
    unknown = np.isnan(draws[0])
    return draws[0], np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)
