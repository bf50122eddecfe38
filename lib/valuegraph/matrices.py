"""Correlation matrices of values side by side: how alike two are, and how well one fits a circle.

Metrics have the signature ``(truth, guess) -> float``, as those on graphs; matrices are frames,
matched by the names of their values. Only the pairs of different values count, each once. To judge
a number, hand its metric to :func:`valuegraph.assessment.assess`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from valuegraph.inventory import SCHWARTZ_ORDER


def mantel(truth: pd.DataFrame, guess: pd.DataFrame) -> float:
    """Return the correlation of two correlation matrices over their pairs of values.

    It asks for the pattern: which pairs go together more, which less. Adding a constant to every
    correlation, as a common style of answering does, or making all of them weaker by one factor,
    changes nothing. With labels permuted it is the statistic of Mantel's test, also known as QAP.

    Parameters
    ----------
    truth, guess
        Square frames over the same values, at least three.

    Returns
    -------
    float
        Pearson's r, -1 to 1.

    Raises
    ------
    ValueError
        If the values differ or are fewer than three, or all pairs of a matrix are equal.

    References
    ----------
    Mantel, N. (1967). The detection of disease clustering and a generalized regression approach.
    Cancer Research 27, 209-220.
    Hubert, L., Schultz, J. (1976). Quadratic assignment as a general data analysis strategy.
    British Journal of Mathematical and Statistical Psychology 29, 190-241.
    """
    a, b = paired_correlations(truth, guess)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    # Equal correlations leave nothing but rounding after their mean is taken away.
    if scale < 1e-12:
        raise ValueError("all pairs of one of the matrices are equal, so there is no pattern")
    return float(a @ b / scale)


def circle_distances(values: Sequence[str] = SCHWARTZ_ORDER) -> pd.DataFrame:
    """Return how many steps apart values stand on Schwartz's circle, 0 to 5.

    Parameters
    ----------
    values
        Some or all of the ten codes, in any order.

    Raises
    ------
    ValueError
        If a value is none of the ten.

    References
    ----------
    Schwartz, S. H. (1992). Universals in the content and structure of values. Advances in
    Experimental Social Psychology 25, 1-65.
    """
    unknown = [value for value in values if value not in SCHWARTZ_ORDER]
    if unknown:
        raise ValueError(
            f"{', '.join(map(str, unknown))} have no place on the circle; it holds "
            f"{', '.join(SCHWARTZ_ORDER)}"
        )
    place = np.array([SCHWARTZ_ORDER.index(value) for value in values])
    steps = abs(np.subtract.outer(place, place))
    distances = np.minimum(steps, len(SCHWARTZ_ORDER) - steps)
    return pd.DataFrame(distances, list(values), list(values))


def circular_fit(truth: pd.DataFrame, guess: pd.DataFrame) -> float:
    """Return how well correlations follow distance on a circle: the correspondence index.

    The circle predicts, for each two pairs at unequal distance, that the nearer pair correlates
    more. The index is (predictions met - predictions violated) / predictions; for the ten values
    there are 800. Its usual test permutes the labels.

    Parameters
    ----------
    truth
        Distances, as of :func:`circle_distances`.
    guess
        Correlations of the same values.

    Returns
    -------
    float
        1 if every prediction is met, 0 if as many are met as violated, -1 if none is.

    Raises
    ------
    ValueError
        If the values differ, or all distances are equal.

    References
    ----------
    Hubert, L., Arabie, P. (1987). Evaluating order hypotheses within proximity matrices.
    Psychological Bulletin 102, 172-178.
    """
    distance, correlation = paired_correlations(truth, guess)
    nearer = np.sign(distance[None, :] - distance[:, None])  # 1 where the row's pair is nearer
    predictions = (nearer != 0).sum()
    if not predictions:
        raise ValueError("all pairs are equally distant, so no order is predicted")
    met = nearer * np.sign(correlation[:, None] - correlation[None, :])
    return float(met.sum() / predictions)


MATRIX_METRICS: dict[str, Callable[[pd.DataFrame, pd.DataFrame], float]] = {
    metric.__name__: metric for metric in (mantel, circular_fit)
}
"""All metrics of this module by name."""


def paired_correlations(truth: pd.DataFrame, guess: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the entries above the diagonal of two matrices, in the truth's order of values.

    Raises
    ------
    ValueError
        If a frame has not the same values on both sides, or the two have different values.
    """
    names = truth.columns
    sides = (truth.index, guess.columns, guess.index)
    if not all(side.equals(names) for side in sides):
        if any(sorted(side) != sorted(names) for side in sides):
            raise ValueError(
                f"both matrices need the same values on both sides; the truth has "
                f"{', '.join(map(str, truth.index))} and {', '.join(map(str, names))}, the guess "
                f"{', '.join(map(str, guess.index))} and {', '.join(map(str, guess.columns))}"
            )
        truth, guess = truth.loc[names, names], guess.loc[names, names]
    if len(names) < 3:
        raise ValueError(f"patterns of pairs need at least 3 values, got {len(names)}")
    upper = np.triu_indices(len(names), 1)
    return truth.to_numpy(dtype=float)[upper], guess.to_numpy(dtype=float)[upper]


def centred(correlation: np.ndarray) -> np.ndarray:
    """Return correlations after each respondent's mean over the standardised values is removed.

    That is how ipsatised scores correlate. The result is singular, its rows are dependent, so no
    inverse and no partial correlation exists; comparing entries needs neither.

    Parameters
    ----------
    correlation
        One matrix or a stack, shape ``(..., d, d)``.
    """
    d = correlation.shape[-1]
    centring = np.eye(d) - 1 / d
    return as_correlation(centring @ correlation @ centring)


def partial(correlation: np.ndarray) -> np.ndarray:
    """Return partial correlations: each pair with all other values held fixed.

    Parameters
    ----------
    correlation
        One matrix of full rank or a stack, shape ``(..., d, d)``.
    """
    d = correlation.shape[-1]
    sign = 2 * np.eye(d) - 1
    return sign * as_correlation(np.linalg.inv(correlation))


def disattenuated(correlation: np.ndarray, reliability: np.ndarray) -> np.ndarray:
    """Return correlations as they would be without measurement error (Spearman 1904).

    Each is divided by the root of the product of both reliabilities. With low reliabilities the
    result can exceed 1; it is no longer a correlation matrix, and is good for comparing patterns
    only.

    Parameters
    ----------
    correlation
        One matrix or a stack, shape ``(..., d, d)``.
    reliability
        One number a value, in (0, 1], shape ``(d,)``.

    References
    ----------
    Spearman, C. (1904). The proof and measurement of association between two things. American
    Journal of Psychology 15, 72-101.
    """
    return correlation / np.sqrt(np.outer(reliability, reliability))


def as_correlation(covariance: np.ndarray) -> np.ndarray:
    """Return covariances, shape ``(..., d, d)``, as correlations."""
    sd = np.sqrt(np.einsum("...ii->...i", covariance))
    return covariance / (sd[..., :, None] * sd[..., None, :])


def draw_correlations(
    correlation: np.ndarray, n: int, *, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw sample correlations of ``n`` normal rows with given correlations.

    By Bartlett's decomposition of the Wishart distribution, at a cost that does not grow with n.

    Parameters
    ----------
    correlation
        Positive definite, shape ``(d, d)``.
    n
        Rows of each sample, more than ``d``.
    draws
        Number of samples.
    rng
        Where randomness comes from.

    Returns
    -------
    numpy.ndarray
        Shape ``(draws, d, d)``.

    Raises
    ------
    ValueError
        If there are too few rows.

    References
    ----------
    Bartlett, M. S. (1933). On the theory of statistical regression. Proceedings of the Royal
    Society of Edinburgh 53, 260-283.
    """
    d = len(correlation)
    if n <= d:
        raise ValueError(f"{n} rows are too few for correlations of {d} values; draw more than {d}")
    root = np.tril(rng.standard_normal((draws, d, d)), -1)
    root[:, range(d), range(d)] = np.sqrt(rng.chisquare(n - 1 - np.arange(d), size=(draws, d)))
    root = np.linalg.cholesky(correlation) @ root
    return as_correlation(root @ root.transpose(0, 2, 1))


def correlations_without_each(data: np.ndarray) -> np.ndarray:
    """Return the correlations that are left without each row in turn.

    Parameters
    ----------
    data
        Shape ``(n, d)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(n, d, d)``.
    """
    n = len(data)
    rows = data - data.mean(axis=0)
    # Leaving out a row takes n / (n - 1) of its own product from the sum of products.
    return as_correlation(rows.T @ rows - n / (n - 1) * rows[:, :, None] * rows[:, None, :])


def jackknife_error(left_out: np.ndarray) -> float:
    """Return the standard error of an estimate, given the estimates without each row in turn.

    Parameters
    ----------
    left_out
        Shape ``(n,)``.

    References
    ----------
    Efron, B., Stein, C. (1981). The jackknife estimate of variance. Annals of Statistics 9,
    586-596.
    """
    return float(np.sqrt((len(left_out) - 1) * np.var(left_out)))
