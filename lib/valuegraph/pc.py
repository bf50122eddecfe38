"""The PC algorithm on correlations: Fisher's z test, skeleton, colliders.

The skeleton is causal-learn's; what follows it is ours, because causal-learn settles conflicts by
the order of the columns and can return a directed cycle.
"""

from __future__ import annotations

import math
from itertools import chain, combinations

import numpy as np

from valuegraph.orientation import Orientation, orient


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


def fisher_z_pvalue(r: float, n: int, n_given: int) -> float:
    """Return the two-sided p-value of a partial correlation by Fisher's z transformation.

    Parameters
    ----------
    r
        Partial correlation.
    n
        Number of independent rows.
    n_given
        Number of variables held fixed; ``n - n_given - 3`` must be positive.
    """
    # A correlation of one would make z infinite; its p-value is zero either way.
    r = max(-1 + 1e-15, min(1 - 1e-15, r))
    z = math.atanh(r) * math.sqrt(n - n_given - 3)
    return math.erfc(abs(z) / math.sqrt(2))


class FisherZ:
    """Fisher's z test from correlations, callable as causal-learn calls its tests.

    Parameters
    ----------
    correlation
        Shape ``(d, d)``, positive definite.
    n
        Number of independent rows behind it, at least ``d + 2``.
    """

    method = "fisherz"  # causal-learn asks every test for its name

    def __init__(self, correlation: np.ndarray, n: int) -> None:
        self.correlation = correlation
        self.n = n
        self._known: dict[tuple[int, ...], float] = {}

    def __call__(self, i: int, j: int, given: tuple[int, ...] = ()) -> float:
        """Return the p-value of "i and j are independent when the others are held fixed"."""
        # Sorted, so that a test comes out the same to the last bit from both of its ends.
        key = (*sorted((int(i), int(j))), *sorted(int(k) for k in given))
        if key not in self._known:
            r = partial_correlation(self.correlation, key[0], key[1], key[2:])
            self._known[key] = fisher_z_pvalue(r, self.n, len(key) - 2)
        return self._known[key]


def pc_majority(correlation: np.ndarray, n: int, alpha: float) -> Orientation:
    """Run PC with the majority rule for colliders.

    Let x - y - z be a triple with x, z apart, and take every set of neighbours of x, or of z, that
    separates x from z. The triple is a collider if y is in fewer than half of these sets.

    Parameters
    ----------
    correlation
        Shape ``(d, d)``, positive definite.
    n
        Number of independent rows behind it, at least ``d + 2``.
    alpha
        Significance level of each test.

    References
    ----------
    Colombo, D., Maathuis, M. H. (2014). Order-independent constraint-based causal structure
    learning. JMLR 15, 3921-3962.
    """
    test = FisherZ(correlation, n)
    skeleton, _ = _skeleton(test, alpha)

    def separating(x: int, z: int) -> list[tuple[int, ...]]:
        candidates = {
            given
            for end, other in ((x, z), (z, x))
            for given in _subsets([k for k in np.flatnonzero(skeleton[end]) if k != other])
        }
        return [given for given in candidates if test(x, z, given) > alpha]

    claims = np.zeros_like(skeleton)
    for x, z, common in _open_pairs(skeleton):
        sets = separating(x, z)
        for y in common:
            if 2 * sum(y in given for given in sets) < len(sets):
                claims[x, y] = claims[z, y] = True
    return orient(skeleton, claims)


def pc_plain(correlation: np.ndarray, n: int, alpha: float) -> Orientation:
    """Run PC with the original rule for colliders.

    A triple x - y - z with x, z apart is a collider if y is in none of the sets that separated x
    from z when their edge was removed. Takes what :func:`pc_majority` takes.

    References
    ----------
    Spirtes, P., Glymour, C., Scheines, R. (2000). Causation, Prediction, and Search. MIT Press.
    """
    skeleton, separated_by = _skeleton(FisherZ(correlation, n), alpha)
    claims = np.zeros_like(skeleton)
    for x, z, common in _open_pairs(skeleton):
        for y in common:
            if not any(y in given for given in separated_by[x, z]):
                claims[x, y] = claims[z, y] = True
    return orient(skeleton, claims)


def _skeleton(test: FisherZ, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the skeleton, boolean ``(d, d)``, and the separating sets, objects ``(d, d)``.

    Order-independent (Colombo and Maathuis 2014): within a level, edges go only after all tests.
    """
    from causallearn.utils.PCUtils.SkeletonDiscovery import skeleton_discovery

    # causal-learn reads nothing but the number of columns from the data; the test has the rest.
    data = np.empty((0, len(test.correlation)))
    found = skeleton_discovery(data, alpha, test, stable=True, show_progress=False)
    return found.G.graph != 0, found.sepset


def _open_pairs(skeleton: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
    """Return all pairs without an edge that have common neighbours, and these neighbours."""
    pairs = []
    for x, z in combinations(range(len(skeleton)), 2):
        common = np.flatnonzero(skeleton[x] & skeleton[z])
        if not skeleton[x, z] and len(common):
            pairs.append((x, z, common))
    return pairs


def _subsets(members: list[int]) -> chain[tuple[int, ...]]:
    """Return all subsets, from the empty one to all members."""
    return chain.from_iterable(combinations(members, size) for size in range(len(members) + 1))
