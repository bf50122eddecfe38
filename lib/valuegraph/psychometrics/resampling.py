"""Intervals by resampling roles: the role is the unit of independence.

A resample is a row of weights, which say how often each role was drawn. Means and covariances of
all resamples are then matrix products, and the first row, in which every role counts once, gives
the estimate itself: one code for both.

References
----------
Efron, B., Tibshirani, R. J. (1993). An Introduction to the Bootstrap. Chapman & Hall, chapter 13.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

LEVEL = 0.95
"""Coverage of the intervals."""


def role_weights(n_roles: int, n_boot: int, *, seed: int) -> np.ndarray:
    """Draw how often each role stands in each resample.

    Parameters
    ----------
    n_roles
        Number of roles.
    n_boot
        Number of resamples; 0 for the estimate alone.
    seed
        Seed of the draws.

    Returns
    -------
    numpy.ndarray
        Shape ``(1 + n_boot, n_roles)``; the first row is all ones, every row sums to `n_roles`.

    Raises
    ------
    ValueError
        If `n_boot` is negative.
    """
    if n_boot < 0:
        raise ValueError(f"n_boot must be 0 (no intervals) or more, got {n_boot!r}")
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_roles, np.full(n_roles, 1 / n_roles), size=n_boot)
    return np.vstack([np.ones(n_roles), drawn])


def resampled_mean(data: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return means over roles.

    Parameters
    ----------
    data
        Shape ``(roles, ...)``.
    weights
        From `role_weights`, shape ``(resamples, roles)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(resamples, ...)``.
    """
    return np.tensordot(weights, data, axes=1) / len(data)


def resampled_covariance(data: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return covariances over roles, with n - 1 in the denominator.

    Parameters
    ----------
    data
        Shape ``(roles, k)``.
    weights
        From `role_weights`, shape ``(resamples, roles)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(resamples, k, k)``. A column that is constant in a resample has exactly 0 there.
    """
    n, k = data.shape
    centred = data - data.mean(axis=0)
    # Rounding leaves something of a constant column, which would pass for variance.
    centred[:, np.abs(centred).max(axis=0) <= 1e-9 * np.abs(data).max(axis=0)] = 0.0
    mean = weights @ centred / n
    products = (centred[:, :, None] * centred[:, None, :]).reshape(n, k * k)
    covariance = (weights @ products).reshape(-1, k, k) / n
    covariance = (covariance - mean[:, :, None] * mean[:, None, :]) * (n / (n - 1))
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    constant = variance <= 1e-12 * centred.var(axis=0)
    covariance[constant[:, :, None] | constant[:, None, :]] = 0.0
    return covariance


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; NaN where the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, np.divide(numerator, denominator))


def correlation_of(covariance: np.ndarray) -> np.ndarray:
    """Return correlations, shape ``(..., k, k)``; NaN for what does not vary."""
    sd = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    return ratio(covariance, sd[..., :, None] * sd[..., None, :])


def with_interval(name: str, draws: np.ndarray, *, level: float = LEVEL) -> dict[str, float]:
    """Tell a figure with its percentile interval.

    Parameters
    ----------
    name
        What the figure is called.
    draws
        The estimate, then the figure in each resample. Resamples that leave it undefined (NaN)
        are left out.
    level
        Coverage of the interval.

    Returns
    -------
    dict
        `name`, and `name` with ``_low`` and ``_high``; NaN where there is nothing to tell.

    Raises
    ------
    ValueError
        If `level` does not lie between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, like 0.95, got {level!r}")
    estimate = float(draws[0])
    low = high = np.nan
    resampled = draws[1:][np.isfinite(draws[1:])]
    if np.isfinite(estimate) and len(resampled):
        low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return {name: estimate, f"{name}_low": float(low), f"{name}_high": float(high)}


def interval_table(figures: Mapping[str, np.ndarray], *, level: float = LEVEL) -> pd.DataFrame:
    """Tell figures with their percentile intervals in a table.

    Parameters
    ----------
    figures
        Name -> estimate, then the figure in each resample, as for `with_interval`.
    level
        Coverage of the intervals.

    Returns
    -------
    pandas.DataFrame
        Index ``figure``, columns ``estimate``, ``low``, ``high``.
    """
    rows = [
        list(with_interval(name, draws, level=level).values()) for name, draws in figures.items()
    ]
    index = pd.Index(figures, name="figure")
    return pd.DataFrame(rows, index, columns=["estimate", "low", "high"])
