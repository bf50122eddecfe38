"""Greedy equivalence search (GES) on correlations, with a penalty that is set by alpha."""

from __future__ import annotations

import math

import numpy as np

from valuegraph.search.found import Found
from valuegraph.search.knowledge import Knowledge


def ges(correlations: np.ndarray, n: float, alpha: float, knowledge: Knowledge) -> Found:
    """Run GES with a Gaussian score, one matrix after the other.

    A parent more costs half the chi-squared quantile (one degree of freedom) at ``1 - alpha``: it
    is added where the likelihood-ratio test at level ``alpha`` would add it. BIC is the special
    case in which that quantile is ``log(n)``.

    Parameters
    ----------
    correlations
        Shape ``(b, d, d)``, each positive definite.
    n
        Number of independent rows behind each.
    alpha
        Significance level, see above.
    knowledge
        Must hold none: GES cannot keep to it.

    Returns
    -------
    Found
        CPDAGs.

    Raises
    ------
    RuntimeError
        If causal-learn returns marks that no CPDAG has.

    References
    ----------
    Chickering, D. M. (2002). Optimal structure identification with greedy search. JMLR 3, 507-554.
    """
    from causallearn.search.ScoreBased.GES import ges as search
    from scipy.special import chdtri

    # causal-learn's penalty for a parent is lambda * log(n).
    penalty = float(chdtri(1, alpha)) / (2 * math.log(n))
    marks = np.stack([search(cov=c, n=n, lambda_value=penalty)["G"].graph for c in correlations])
    head = marks == 1
    if (head & np.swapaxes(head, 1, 2)).any() or not np.isin(marks, (-1, 0, 1)).all():
        raise RuntimeError("GES returned an edge with heads at both ends or a circle; report it")
    # causal-learn: -1 at [i, j] is a tail at i, so the edge may point from i to j.
    return Found.from_adjacency(marks == -1)
