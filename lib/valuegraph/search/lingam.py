"""DirectLiNGAM: a causal order from non-Gaussian rows, then edges by tests."""

from __future__ import annotations

import numpy as np

from valuegraph.search.fisher_z import critical_correlation
from valuegraph.search.found import Found
from valuegraph.search.knowledge import Knowledge


def lingam(rows: np.ndarray, n: float, alpha: float, knowledge: Knowledge) -> Found:
    """Order the variables by DirectLiNGAM, then keep the edges that tests keep.

    Causes come before effects in the order. An edge from i to a later j is kept if their partial
    correlation, given all others before j, is significant by Fisher's z. Needs noise that is not
    normal: on normal noise the order is arbitrary, and no test here says so.

    Parameters
    ----------
    rows
        Shape ``(n, d)``, no column constant.
    n
        Number of independent rows.
    alpha
        Significance level of each test.
    knowledge
        Tiers; variables of an earlier tier come first in the order.

    Returns
    -------
    Found
        One DAG.

    References
    ----------
    Shimizu, S. et al. (2011). DirectLiNGAM: A direct method for learning a linear non-Gaussian
    structural equation model. JMLR 12, 1225-1248.
    Hyvarinen, A., Smith, S. M. (2013). Pairwise likelihood ratios for estimation of non-Gaussian
    structural equation models. JMLR 14, 111-152.
    """
    order = causal_order(rows, knowledge.tier)
    correlation = np.corrcoef(rows.T)
    d = len(order)
    adjacency = np.zeros((1, d, d), dtype=bool)
    for place in range(1, d):
        before = order[:place]
        chosen = [order[place], *before]
        precision = np.linalg.inv(correlation[np.ix_(chosen, chosen)])
        r = -precision[0, 1:] / np.sqrt(precision[0, 0] * np.diag(precision)[1:])
        kept = np.abs(r) >= critical_correlation(alpha, n, place - 1)
        adjacency[0, before, order[place]] = kept & ~knowledge.unsearched[before, order[place]]
    return Found.from_adjacency(adjacency)


def causal_order(rows: np.ndarray, tier: np.ndarray) -> np.ndarray:
    """Return the variables from causes to effects, shape ``(d,)``.

    The next variable is the one whose regression residuals look least like causes of it (Hyvarinen
    and Smith 2013), taken from the earliest tier that is left; then its part in the others is
    removed.

    Parameters
    ----------
    rows
        Shape ``(n, d)``.
    tier
        Tier of each variable, shape ``(d,)``.
    """
    left = rows - rows.mean(axis=0)
    remaining = list(range(rows.shape[1]))
    order = []
    while len(remaining) > 1:
        x = left[:, remaining]
        x = x / x.std(axis=0)
        r = x.T @ x / len(x)
        # [., i, j]: what is left of i when j is held fixed, with standard deviation one.
        spread = np.sqrt(np.maximum(1 - r * r, 1e-12))
        residual = (x[:, :, None] - r * x[:, None, :]) / spread
        np.einsum("nii->ni", residual)[...] = x
        own, of_residual = _entropy(x), _entropy(residual)
        # Positive where i looks like a cause of j: H(j) + H(i given j) > H(i) + H(j given i).
        ratio = own[None, :] + of_residual - own[:, None] - of_residual.T
        score = (np.minimum(0, ratio) ** 2).sum(axis=1)
        early = tier[remaining] == tier[remaining].min()
        first = int(np.argmin(np.where(early, score, np.inf)))
        order.append(remaining.pop(first))
        cause = left[:, order[-1]]
        left = left - np.outer(cause, cause @ left / (cause @ cause))
    return np.array(order + remaining)


def _entropy(x: np.ndarray) -> np.ndarray:
    """Return the maximum-entropy approximation of the entropy of standardised columns.

    Hyvarinen (1998), with the constants of the LiNGAM papers.
    """
    k1, k2, gamma = 79.047, 7.4129, 0.37457
    normal = (1 + np.log(2 * np.pi)) / 2
    flat = np.logaddexp(x, -x).mean(axis=0) - np.log(2)
    skew = (x * np.exp(-(x**2) / 2)).mean(axis=0)
    return normal - k1 * (flat - gamma) ** 2 - k2 * skew**2
