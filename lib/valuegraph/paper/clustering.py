"""How far rows repeat each other, and how many independent rows they are worth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from valuegraph.paper.pooled import PooledScores


def clustering(pooled: PooledScores) -> pd.DataFrame:
    """Split the variance of each value into what is the role's, the intervention's, and the rest.

    Components of variance of a two-way layout with one row a cell, both sides random. A component
    that comes out negative counts as zero.

    Returns
    -------
    pandas.DataFrame
        Index values. ``role``, ``intervention``, ``rest``: shares, which add up to 1. ``icc``: the
        intraclass correlation by role, interventions held fixed, role / (role + rest); ICC(C,1) of
        McGraw and Wong.

    References
    ----------
    McGraw, K. O., Wong, S. P. (1996). Forming inferences about some intraclass correlation
    coefficients. Psychological Methods 1, 30-46.
    """
    squares, freedom = _sums_of_squares(pooled)
    r, m, _ = pooled.array.shape
    by_role, by_intervention, rest = squares / freedom[:, None]
    parts = np.stack([(by_role - rest) / m, (by_intervention - rest) / r, rest]).clip(min=0)
    table = pd.DataFrame(
        (parts / parts.sum(axis=0)).T, list(pooled.values), ["role", "intervention", "rest"]
    )
    table["icc"] = table["role"] / (table["role"] + table["rest"])
    return table


def effective_rows(pooled: PooledScores) -> np.ndarray:
    """Return how many independent rows the correlation of each two values is worth.

    Suppose that roles and interventions are given to each value at random (the null ``"clusters"``
    of :meth:`~valuegraph.paper.pooled.PooledScores.without_dependence`). Then the variance of the
    correlation of values i and j is

        var_ij = sum over parts of  s_i s_j / df

    over the three parts of the sum of squares (roles, interventions, rest), where s_i is the share
    of a part in the sum of squares of value i and df its degrees of freedom: r - 1, m - 1 and
    (r - 1)(m - 1) for r roles and m interventions. Of n independent rows it is 1 / (n - 1), so the
    number of independent rows is 1 + 1 / var_ij. This is exact.

    Returns
    -------
    numpy.ndarray
        Shape ``(p, p)``.

    Notes
    -----
    :func:`valuegraph.search.contexts.effective_rows` answers another question: it holds the
    interventions fixed, as the search with contexts does, and so leaves out what interventions
    share. For tests on rows as they are, which do not, this is the number.
    """
    squares, freedom = _sums_of_squares(pooled)
    shares = squares / squares.sum(axis=0)
    return 1 + 1 / np.einsum("kp,kq,k->pq", shares, shares, 1 / freedom)


def effective_n(pooled: PooledScores) -> float:
    """Return one effective number of rows for all pairs: that of the mean variance over pairs."""
    pairs = effective_rows(pooled)[pooled.pairs]
    return float(1 + 1 / np.mean(1 / (pairs - 1)))


def _sums_of_squares(pooled: PooledScores) -> tuple[np.ndarray, np.ndarray]:
    """Return sums of squares ``(3, p)`` of roles, interventions and the rest, and freedom (3,)."""
    array = pooled.array
    r, m, _ = array.shape
    if r < 2 or m < 2:
        raise ValueError(f"clusters need at least 2 roles and 2 interventions, got {r} and {m}")
    array = array - array.mean(axis=(0, 1))
    by_role, by_intervention = array.mean(axis=1), array.mean(axis=0)
    rest = array - by_role[:, None] - by_intervention[None]
    squares = [
        m * (by_role**2).sum(axis=0),
        r * (by_intervention**2).sum(axis=0),
        (rest**2).sum(axis=(0, 1)),
    ]
    return np.stack(squares), np.array([r - 1, m - 1, (r - 1) * (m - 1)])
