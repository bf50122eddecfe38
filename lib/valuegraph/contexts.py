"""Roles under several interventions, pooled: interventions as variables of the graph.

Rows of one role are not independent, and an intervention moves several values at once. So each
intervention is a variable set from outside: nothing causes it (joint causal inference), and tests
between values hold all of them fixed. Such a test of values i and j counts as many rows as their
correlation is worth:

    n_ij = (n - k) / D_ij,    D_ij = m tr(S_i S_j) / (tr S_i tr S_j)

for ``n`` rows, ``m`` rows a role, ``k = m - 1`` interventions, and ``S_i`` the covariance over
roles of value i under the ``m`` interventions: the design effect of the product of two clustered
variables. If all rows of a role are equally correlated, it is ``1 + (m - 1) r_i r_j``.

References
----------
Mooij, J. M., Magliacane, S., Claassen, T. (2020). Joint causal inference from multiple contexts.
JMLR 21, 1-108.
Clifford, P., Richardson, S., Hemon, D. (1989). Assessing the significance of the correlation
between two spatial processes. Biometrics 45, 123-134.
"""

import numpy as np
import pandas as pd

from valuegraph import pc
from valuegraph.answers import NO_INTERVENTION
from valuegraph.correlations import as_correlation


def pooled_rows(scores: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, dict[str, object]]:
    """Put pooled scores in order.

    Parameters
    ----------
    scores : pandas.DataFrame
        Index (intervention, role) with every role under every intervention, one of which is
        ``"none"``; a column a value.

    Returns
    -------
    rows : numpy.ndarray
        Shape ``(roles, m, p)``; ``"none"`` first, interventions and values sorted by name.
    n : numpy.ndarray
        :func:`effective_rows`.
    facts : dict
        ``n``, ``n_effective`` (median over pairs), ``roles``, ``contexts`` (``"do(name)"``).
    """
    if not isinstance(scores, pd.DataFrame) or set(scores.index.names) != {"intervention", "role"}:
        raise ValueError("contexts need scores whose index has levels 'intervention' and 'role'")
    table = scores.reorder_levels(["intervention", "role"])[sorted(scores.columns)]
    table.index = table.index.map(lambda pair: (str(pair[0]), pair[1]))
    if table.index.has_duplicates:
        raise ValueError(f"{table.index[table.index.duplicated()][0]} has more than one row")
    names = sorted(set(table.index.get_level_values(0)) - {NO_INTERVENTION})
    roles = sorted(set(table.index.get_level_values(1)))
    wanted = pd.MultiIndex.from_product([[NO_INTERVENTION, *names], roles])
    lacking = wanted.difference(table.index)
    if not names or len(lacking):
        raise ValueError(
            f"contexts need every role without intervention ({NO_INTERVENTION!r}) and under each "
            f"of some; there is no row for {lacking[0] if len(lacking) else 'any intervention'}"
        )
    contexts = tuple(f"do({name})" for name in names)
    if set(contexts) & set(table.columns):
        raise ValueError(f"a value has the name of an intervention: {contexts}")
    rows = table.loc[wanted].to_numpy(dtype=float).reshape(len(names) + 1, len(roles), -1)
    rows = rows.swapaxes(0, 1)
    n = effective_rows(rows)
    median = float(np.median(n[np.triu_indices(len(n), 1)]))
    facts = {"n": len(wanted), "n_effective": median, "roles": len(roles), "contexts": contexts}
    return rows, n, facts


def effective_rows(rows: np.ndarray) -> np.ndarray:
    """Return how many independent rows the correlation of each two values is worth.

    Parameters
    ----------
    rows : numpy.ndarray
        Shape ``(roles, m, p)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(p, p)``. Exact for the variance of the correlation if roles are given to each value
        at random.
    """
    roles, m, _ = rows.shape
    centred = rows - rows.mean(axis=0)
    covariance = np.einsum("rap,rbp->pab", centred, centred) / (roles - 1)
    trace = np.trace(covariance, axis1=1, axis2=2)
    effect = m * np.einsum("iab,jba->ij", covariance, covariance) / np.outer(trace, trace)
    return (roles * m - (m - 1)) / effect


def correlation_within(rows: np.ndarray) -> np.ndarray:
    """Return the correlations of values within interventions: ``(..., roles, m, p)`` to p x p."""
    centred = rows - rows.mean(axis=-3, keepdims=True)
    pooled = centred.reshape(*rows.shape[:-3], -1, rows.shape[-1])
    return as_correlation(pooled.swapaxes(-1, -2) @ pooled)


def search_contexts(
    rows: np.ndarray, n: np.ndarray, alpha: float, tier: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Run PC between values, then see what the interventions reach.

    An intervention and a value are joined unless they are independent given some neighbours of the
    value, and the other interventions. Where an intervention reaches y, but not a neighbour z of y,
    the sets that separate it from z say whether y is a cause or an effect of z.

    Parameters
    ----------
    rows : numpy.ndarray
        A stack of ``b`` samples, ``(b, roles, m, p)``.
    n : numpy.ndarray
        :func:`effective_rows`.
    alpha, tier
        As for :func:`valuegraph.pc.pc`, which tells the returns, too. There are ``p + m - 1``
        variables, values first; ``counts`` also holds ``context_edges``.
    """
    b, _, m, p = rows.shape
    d = p + m - 1
    within = correlation_within(rows)
    among, separators = pc.skeletons(within, n, alpha, tier)
    colliders, chains = pc.triples_of(within, n, alpha, tier, among, separators)
    reached, holds, lacks = _reached(rows, among, alpha)
    skeleton, claims = np.zeros((2, b, d, d), dtype=bool)
    skeleton[:, :p, :p] = among
    skeleton[:, p:, :p], skeleton[:, :p, p:] = reached, reached.swapaxes(1, 2)
    # [., c, y, z]: intervention c reaches y, but not its neighbour z.
    triples = reached[..., None] & among[:, None] & ~reached[:, :, None]
    holds, lacks = holds.swapaxes(2, 3), lacks.swapaxes(2, 3)
    into = (triples & lacks & ~holds).any(axis=1).swapaxes(1, 2)  # z -> y
    claims[:, :p, :p] = colliders.any(axis=3) | into
    every = np.zeros((b, d, d, d), dtype=bool)
    every[:, :p, :p, :p] = chains
    every[:, p:, :p, :p] = triples & holds & ~lacks
    times = np.concatenate([tier + 1, np.zeros(m - 1, dtype=int)])
    adjacency, counts = pc.orient(skeleton, claims, every, times)
    return adjacency, {**counts, "context_edges": reached.sum(axis=(1, 2))}


def _reached(rows, skeleton, alpha) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what interventions reach ``(b, m - 1, p)``, and sets that separate them from others.

    ``holds`` and ``lacks``, ``(b, m - 1, z, y)``: some set that separates the intervention from z
    holds y, lacks y. Rows of a role share what stays with the role, which counts as noise here; so
    there are rather too few edges where roles differ much.
    """
    b, roles, m, p = rows.shape
    centred = rows - rows.mean(axis=1, keepdims=True)
    # Covariances of an indicator and the values, the other indicators held fixed: what is left of
    # it is half of the two groups, own and none.
    shift = (rows[:, :, 1:] - rows[:, :, :1]).mean(axis=1)
    whole = np.full((b, m - 1, p + 1, p + 1), 0.5)
    whole[:, :, 0, 1:] = whole[:, :, 1:, 0] = shift / 2
    spread = np.einsum("brap,braq->bpq", centred, centred)[:, None] / roles
    whole[:, :, 1:, 1:] = spread + shift[..., :, None] * shift[..., None, :] / 2
    correlations = as_correlation(whole.reshape(-1, p + 1, p + 1))
    reached = np.ones((b * (m - 1), p), dtype=bool)
    holds, lacks = np.zeros((2, len(reached), p, p), dtype=bool)
    for size in range(p):
        critical = pc.critical_correlation(alpha, roles * m - (m - 2), size)
        for which, z, sets in pc.neighbour_sets(np.repeat(skeleton, m - 1, axis=0), size):
            first = np.zeros_like(z)
            r = pc.partials(correlations, which, first, pc.with_first(z, sets) + 1)[:, :, 0]
            apart = np.abs(r) < critical
            reached[which, z] &= ~apart.any(axis=1)
            with_y, without_y = pc.members(apart, sets, p)
            holds[which, z] |= with_y
            lacks[which, z] |= without_y
    shape = (b, m - 1, p)
    return reached.reshape(shape), holds.reshape(*shape, p), lacks.reshape(*shape, p)
