"""Which values an intervention reaches other than through their neighbours."""

from __future__ import annotations

import numpy as np

from valuegraph.search.fisher_z import critical_correlation
from valuegraph.search.skeleton import subsets


def reach(
    scores: np.ndarray, adjacency: np.ndarray, alpha: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which values each intervention reaches, and what separates it from the others.

    Rows of a role under two interventions share what stays with the role, which these tests count
    as noise; so they err on the side of too few edges where roles differ much.

    Parameters
    ----------
    scores
        Shape ``(roles, m, p)``: without an intervention first, then under each.
    adjacency
        Edges between values, boolean ``(p, p)``, symmetric.
    alpha
        Significance level of each test.

    Returns
    -------
    reached : numpy.ndarray
        Boolean ``(k, p)``.
    holds, lacks : numpy.ndarray
        Boolean ``(k, z, y)``: some set that separates the intervention from z holds y; lacks y.
    """
    roles, m, p = scores.shape
    rows = (scores - scores.mean(axis=0)).reshape(-1, p)
    n = roles * m
    spread = rows.T @ rows / roles  # residual products per role
    # Effect of each intervention on each value, against no intervention, others held fixed.
    shift = (scores[:, 1:] - scores[:, :1]).mean(axis=0)
    # Left of an indicator when the other indicators are held fixed: half of the two groups.
    own = 0.5
    reached = np.ones((m - 1, p), dtype=bool)
    holds, lacks = np.zeros((2, m - 1, p, p), dtype=bool)
    for z in range(p):
        near = np.flatnonzero(adjacency[z])
        for size in range(len(near) + 1):
            critical = critical_correlation(alpha, n - (m - 2), size)
            for chosen in near[subsets(len(near), size)]:
                r = _partial_effects(spread, shift, own, z, chosen)
                apart = np.abs(r) < critical
                reached[apart, z] = False
                member = np.isin(np.arange(p), chosen)
                holds[apart, z] |= member
                lacks[apart, z] |= ~member
    return reached, holds, lacks


def _partial_effects(
    spread: np.ndarray, shift: np.ndarray, own: float, z: int, chosen: np.ndarray
) -> np.ndarray:
    """Return the partial correlations of the interventions with z given other values.

    For each intervention, the products of z and the chosen values, the other interventions held
    fixed, are those within interventions plus ``own * shift shift'``; ``own`` is what is left of
    the indicator's own square, per role.
    """
    members = np.concatenate([[z], chosen]).astype(int)
    effect = shift[:, members]  # (k, s)
    inner = spread[np.ix_(members, members)] + own * effect[:, :, None] * effect[:, None, :]
    k, s = effect.shape
    full = np.empty((k, s + 1, s + 1))
    full[:, 0, 0] = own
    full[:, 0, 1:] = full[:, 1:, 0] = own * effect
    full[:, 1:, 1:] = inner
    precision = np.linalg.inv(full)
    return -precision[:, 0, 1] / np.sqrt(precision[:, 0, 0] * precision[:, 1, 1])
