"""Correlation matrices of values: what is done to them before two are compared, and their errors.

All functions take one matrix ``(d, d)`` or a stack ``(..., d, d)``.
"""

import numpy as np

from valuegraph.tables import generator

CLOSEST = 0.995  # agreement counts as no closer, so that no match outweighs all on the z scale


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine over the last axis; 0 where one side is 0."""
    scale = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    return np.divide((a * b).sum(axis=-1), scale, out=np.zeros_like(scale), where=scale > 1e-12)


def mantel_r(matrices: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return Mantel's r of matrices with others: the correlation over their pairs of values.

    Parameters
    ----------
    matrices, reference : numpy.ndarray
        Shapes ``(..., d, d)`` that broadcast.

    Returns
    -------
    numpy.ndarray
        Shape ``(...)``; 0 where all pairs of a matrix are equal, as in a graph without edges.
    """
    return _cosine(pairs_of(matrices), pairs_of(reference))


def pattern(matrices: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return :func:`mantel_r` on Fisher's z scale, on which countries spread about normally."""
    return np.arctanh(np.clip(mantel_r(matrices, reference), -CLOSEST, CLOSEST))


def contrasts(matrices: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return how far matrices agree with others in what sets the two values of each pair apart.

    That is the difference of their correlations with all other values. It is compared by its
    cosine, which is -1 where only the names of the two are exchanged.

    Parameters
    ----------
    matrices, reference : numpy.ndarray
        Shapes ``(..., d, d)`` that broadcast.

    Returns
    -------
    numpy.ndarray
        On Fisher's z scale, shape ``(..., d (d - 1) / 2)``, in the order of ``triu_indices(d, 1)``.
    """
    first, second = np.triu_indices(reference.shape[-1], 1)
    others = np.ones((len(first), reference.shape[-1]))
    others[range(len(first)), first] = others[range(len(first)), second] = 0
    apart = [others * (m[..., first, :] - m[..., second, :]) for m in (matrices, reference)]
    return np.arctanh(np.clip(_cosine(*apart), -CLOSEST, CLOSEST))


def permuted(matrix: np.ndarray, reference: np.ndarray, *, draws: int, seed: int) -> float:
    """Return the p-value of agreeing no better than with permuted labels.

    It is that of :func:`valuegraph.metrics.permutation_test`, for all labellings at once.
    """
    orders = generator(seed).permuted(np.tile(np.arange(len(matrix)), (draws, 1)), axis=1)
    null = mantel_r(matrix[orders[:, :, None], orders[:, None, :]], reference)
    # The slack lets labellings that change nothing count as equal in spite of rounding.
    return float((1 + (null >= mantel_r(matrix, reference) - 1e-12).sum()) / (1 + draws))


def as_correlation(covariance: np.ndarray) -> np.ndarray:
    """Return covariances as correlations; NaN for what does not vary."""
    sd = np.sqrt(np.einsum("...ii->...i", covariance))
    with np.errstate(invalid="ignore"):
        return covariance / (sd[..., :, None] * sd[..., None, :])


def centred(correlation: np.ndarray) -> np.ndarray:
    """Return correlations after each respondent's mean over the standardised values is removed.

    That is how ipsatised scores correlate. The result is singular, which does no harm to comparing
    entries, but it has neither an inverse nor partial correlations.
    """
    d = correlation.shape[-1]
    centring = np.eye(d) - 1 / d
    return as_correlation(centring @ correlation @ centring)


def partial(correlation: np.ndarray) -> np.ndarray:
    """Return partial correlations: each pair with all other values held fixed."""
    return (2 * np.eye(correlation.shape[-1]) - 1) * as_correlation(np.linalg.inv(correlation))


def disattenuated(correlation: np.ndarray, reliability: np.ndarray) -> np.ndarray:
    """Return correlations as they would be without measurement error.

    With low reliabilities the result can exceed 1; it is good for comparing patterns only.

    Parameters
    ----------
    correlation : numpy.ndarray
        Shape ``(..., d, d)``.
    reliability : numpy.ndarray
        One number a value, in (0, 1], shape ``(d,)``.

    References
    ----------
    Spearman, C. (1904). The proof and measurement of association between two things. American
    Journal of Psychology 15, 72-101.
    """
    return correlation / np.sqrt(np.outer(reliability, reliability))


def correlations_of(rows: np.ndarray) -> np.ndarray:
    """Return the correlations of columns: ``(..., n, d)`` -> ``(..., d, d)``."""
    left = rows - rows.mean(axis=-2, keepdims=True)
    return as_correlation(left.swapaxes(-1, -2) @ left)


def correlations_without_each(data: np.ndarray) -> np.ndarray:
    """Return the correlations without each row in turn: data ``(n, d)`` -> ``(n, d, d)``."""
    n, rows = len(data), data - data.mean(axis=0)
    # Leaving out a row takes n / (n - 1) of its own product from the sum of products.
    return as_correlation(rows.T @ rows - n / (n - 1) * rows[:, :, None] * rows[:, None, :])


def jackknife_error(left_out: np.ndarray) -> np.ndarray:
    """Return standard errors of estimates, given those without each row in turn: ``(n, ...)``.

    References
    ----------
    Efron, B., Stein, C. (1981). The jackknife estimate of variance. Annals of Statistics 9,
    586-596.
    """
    return np.sqrt((len(left_out) - 1) * np.var(left_out, axis=0))


def pairs_of(matrices: np.ndarray) -> np.ndarray:
    """Return the pairs of values less their mean: ``(..., d, d)`` -> ``(..., d (d - 1) / 2)``."""
    pairs = matrices[(..., *np.triu_indices(matrices.shape[-1], 1))]
    return pairs - pairs.mean(axis=-1, keepdims=True)


def shared_noise(left: np.ndarray, other: np.ndarray) -> float:
    """Return what noise adds to the mean product of two patterns, by the jackknife.

    Parameters
    ----------
    left, other : numpy.ndarray
        Correlations without each row in turn, ``(n, d, d)``. Twice the same gives what noise adds
        to the variance of a pattern over its pairs.
    """
    a, b = (pairs_of(each) - pairs_of(each).mean(axis=0) for each in (left, other))
    return float((len(left) - 1) * (a * b).mean())


def stepped_up(reliability: float, times: float) -> float:
    """Return the reliability of a sample so many times as large.

    References
    ----------
    Spearman, C. (1910). Correlation calculated from faulty data. British Journal of Psychology 3,
    271-295. Brown, W. (1910), the same volume, 296-322.
    """
    return times * reliability / (1 + (times - 1) * reliability)


def ceiling(agreement: float) -> float:
    """Return the largest agreement with a noise-free twin, given that of two halves."""
    return float(np.sqrt(stepped_up(max(agreement, 0.0), 2)))
