"""How reliable a sum of items is: coefficients of classical test theory.

All take covariances of keyed answers over roles, of shape ``(..., k, k)`` for ``k`` items (or
formats), and return one figure for each matrix of the stack; NaN where it is not defined. Nothing
here knows of models.

References
----------
Brown, W. (1910). Some experimental results in the correlation of mental abilities. British Journal
of Psychology, 3, 296-322.
Cronbach, L. J. (1951). Coefficient alpha and the internal structure of tests. Psychometrika, 16,
297-334.
Shavelson, R. J., Webb, N. M. (1991). Generalizability Theory: A Primer. Sage.
Spearman, C. (1910). Correlation calculated from faulty data. British Journal of Psychology, 3,
271-295.
"""

from __future__ import annotations

import numpy as np

from valuegraph.psychometrics.resampling import correlation_of, ratio


def cronbach_alpha(covariance: np.ndarray) -> np.ndarray:
    """Return Cronbach's alpha of the sum of items.

    ``k / (k - 1) * (1 - sum of the items' variances / variance of their sum)`` (Cronbach, 1951).

    Parameters
    ----------
    covariance
        Of the keyed items, shape ``(..., k, k)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(...)``; NaN for one item, or where the sum does not vary.
    """
    k = covariance.shape[-1]
    if k < 2:
        return np.full(covariance.shape[:-2], np.nan)
    items = np.trace(covariance, axis1=-2, axis2=-1)
    return k / (k - 1) * (1 - ratio(items, covariance.sum(axis=(-2, -1))))


def item_correlation(covariance: np.ndarray) -> np.ndarray:
    """Return the mean correlation between different items.

    Parameters
    ----------
    covariance
        Of the keyed items, shape ``(..., k, k)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(...)``: mean over the pairs of items that both vary; NaN if there is no such pair.
    """
    return mean_of_pairs(
        correlation_of(covariance), [*zip(*np.triu_indices(covariance.shape[-1], 1), strict=True)]
    )


def mean_of_pairs(correlation: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Return the mean of some entries of correlation matrices, NaN ones left out.

    Parameters
    ----------
    correlation
        Shape ``(..., k, k)``.
    pairs
        Row and column of each entry.

    Returns
    -------
    numpy.ndarray
        Shape ``(...)``; NaN if there is no entry.
    """
    if not pairs:
        return np.full(correlation.shape[:-2], np.nan)
    rows, columns = np.transpose(pairs)
    return finite_mean(correlation[..., rows, columns])


def finite_mean(figures: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis of what is not NaN; NaN if there is nothing else."""
    told = ~np.isnan(figures)
    return ratio(np.where(told, figures, 0.0).sum(axis=-1), told.sum(axis=-1))


def random_halves(keys: np.ndarray, n_splits: int, *, seed: int) -> np.ndarray:
    """Draw splits of items into two halves that share out each key as evenly as can be.

    Parameters
    ----------
    keys
        Key of each item, shape ``(k,)``.
    n_splits
        How many splits.
    seed
        Seed of the draws.

    Returns
    -------
    numpy.ndarray
        Boolean, shape ``(n_splits, k)``: which items are in the first half. Halves differ by at
        most one item, and so do the items of one key in them.

    Raises
    ------
    ValueError
        If `n_splits` is less than 1.
    """
    if n_splits < 1:
        raise ValueError(f"n_splits must be at least 1, got {n_splits!r}")
    rng = np.random.default_rng(seed)
    halves = np.zeros((n_splits, len(keys)), dtype=bool)
    for half in halves:
        shuffled = rng.permutation(len(keys))
        by_key = shuffled[np.argsort(keys[shuffled], kind="stable")]
        half[by_key[rng.integers(2) :: 2]] = (
            True  # every other item, through one key, then the next
        )
    return halves


def split_half(covariance: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """Return the split-half reliability of the sum of items.

    The correlation between the sums of the two halves, averaged over the splits, is stepped up to
    the full length by `spearman_brown`. It is averaged before, since the formula has a pole at -1.
    Where items of opposite keys differ in what they measure, as coarse answers with a liking for
    yes do, this lies above Cronbach's alpha: its halves share out the keys, alpha's do not.

    Parameters
    ----------
    covariance
        Of the keyed items, shape ``(..., k, k)``.
    halves
        From `random_halves`, shape ``(splits, k)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(...)``; NaN for one item, or where in no split both halves vary. With an odd number
        of items it is a little too low, as the halves are not equally long.
    """
    if covariance.shape[-1] < 2:
        return np.full(covariance.shape[:-2], np.nan)
    a, b = halves.astype(float).T, (~halves).astype(float).T  # (k, splits)
    to_a, to_b = covariance @ a, covariance @ b
    within = (a * to_a).sum(axis=-2) * (b * to_b).sum(axis=-2)
    # Rounding can push the variance of a half that does not vary below 0.
    correlation = ratio((a * to_b).sum(axis=-2), np.sqrt(np.maximum(within, 0.0)))
    return spearman_brown(finite_mean(correlation))


def spearman_brown(correlation: np.ndarray, *, factor: float = 2.0) -> np.ndarray:
    """Predict the reliability of a test that is longer than the one measured.

    ``factor * r / (1 + (factor - 1) * r)`` (Brown, 1910; Spearman, 1910).

    Parameters
    ----------
    correlation
        Reliability ``r`` of the test measured.
    factor
        How many times as long the other test is.

    Returns
    -------
    numpy.ndarray
        Its reliability, shape of `correlation`.
    """
    return ratio(factor * correlation, 1 + (factor - 1) * correlation)


def variance_shares(
    mean: np.ndarray, covariance: np.ndarray, n_roles: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share out the variance of scores over roles and formats (a G-study of one facet).

    Scores are ``S[r, f] = mu + role + format + (role x format, with error)``, crossed, one score a
    cell. From the mean squares, ``var(role x format) = MS_rf``,
    ``var(role) = (MS_r - MS_rf) / n_formats``, ``var(format) = (MS_f - MS_rf) / n_roles``
    (Shavelson & Webb, 1991); negative estimates count as 0.

    Parameters
    ----------
    mean
        Mean scores over roles in each format, shape ``(..., formats)``.
    covariance
        Covariances of the formats' scores over roles, shape ``(..., formats, formats)``.
    n_roles
        Number of roles.

    Returns
    -------
    role, format, role_format : numpy.ndarray
        Shares of each, shape ``(...)``, which sum to 1; NaN for one format, or without variance.
    """
    n_formats = covariance.shape[-1]
    if n_formats < 2:
        return (np.full(covariance.shape[:-2], np.nan),) * 3
    ms_role = covariance.sum(axis=(-2, -1)) / n_formats
    ms_rest = (np.trace(covariance, axis1=-2, axis2=-1) - ms_role) / (n_formats - 1)
    parts = [
        (ms_role - ms_rest) / n_formats,
        mean.var(axis=-1, ddof=1) - ms_rest / n_roles,
        ms_rest,
    ]
    role, fmt, rest = (np.maximum(part, 0.0) for part in parts)
    total = role + fmt + rest
    return ratio(role, total), ratio(fmt, total), ratio(rest, total)
