"""Fisher's z test of a partial correlation, one at a time and as a threshold for many."""

from __future__ import annotations

import math

import numpy as np


def partial_correlation(correlation: np.ndarray, i: int, j: int, given: tuple[int, ...]) -> float:
    """Return the correlation of two variables when others are held fixed.

    Parameters
    ----------
    correlation
        Shape ``(d, d)``, positive definite.
    i, j
        The two variables.
    given
        The variables held fixed.
    """
    chosen = [i, j, *given]
    precision = np.linalg.inv(correlation[np.ix_(chosen, chosen)])
    return float(-precision[0, 1] / math.sqrt(precision[0, 0] * precision[1, 1]))


def fisher_z_pvalue(r: float, n: float, n_given: int) -> float:
    """Return the two-sided p-value of a partial correlation by Fisher's z transformation.

    Parameters
    ----------
    r
        Partial correlation.
    n
        Number of independent rows, or an effective number.
    n_given
        Number of variables held fixed; ``n - n_given - 3`` must be positive.
    """
    # A correlation of one would make z infinite; its p-value is zero either way.
    r = max(-1 + 1e-15, min(1 - 1e-15, r))
    z = math.atanh(r) * math.sqrt(n - n_given - 3)
    return math.erfc(abs(z) / math.sqrt(2))


def critical_correlation(
    alpha: float, n: float | np.ndarray, n_given: int | np.ndarray
) -> np.ndarray:
    """Return the size from which on a partial correlation is significant.

    ``p > alpha`` is the same as ``|r| < tanh(z / sqrt(n - n_given - 3))`` with the normal quantile
    ``z`` at ``1 - alpha / 2``: one threshold spares the p-values of all tests.

    Parameters
    ----------
    alpha
        Significance level.
    n
        Number of independent rows, a number or an array.
    n_given
        Number of variables held fixed.

    Returns
    -------
    numpy.ndarray
        Thresholds in the common shape of ``n`` and ``n_given``; 1 where too few rows are left for a
        test (``n - n_given - 3 <= 0``), so that nothing is significant there.
    """
    from scipy.special import ndtri

    left = np.asarray(n, dtype=float) - n_given - 3
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(left > 0, np.tanh(-ndtri(alpha / 2) / np.sqrt(left)), 1.0)
