"""FCI on correlations: what can be said if there may be hidden common causes.

The skeleton, the second look at edges and the colliders are taken as in PC and do not depend on the
order of the variables; the rules for marks are those of Zhang (2008).
"""

from __future__ import annotations

import numpy as np

from valuegraph.search.colliders import conservative, gather
from valuegraph.search.fisher_z import critical_correlation
from valuegraph.search.found import Found
from valuegraph.search.knowledge import Knowledge
from valuegraph.search.pag_rules import Marks, close
from valuegraph.search.skeleton import Skeletons, looks_ahead, partials, skeletons, subsets

LARGEST_SET = 3
"""Largest set from beyond the neighbours that the second look at an edge holds fixed."""


def fci(
    correlations: np.ndarray, n: float | np.ndarray, alpha: float, knowledge: Knowledge
) -> Found:
    """Run FCI with the conservative rule for colliders.

    Tiers put a head at the later end of an edge: what is later is no cause of what is earlier. They
    put no tail at the earlier end, for a hidden common cause is not excluded by them. Exogenous
    variables have tails.

    Parameters
    ----------
    correlations
        Shape ``(b, d, d)``, each positive definite.
    n
        Number of independent rows behind each, or an effective number for each pair ``(d, d)``.
    alpha
        Significance level of each test.
    knowledge
        Tiers, pairs that are not searched, exogenous variables.

    Returns
    -------
    Found
        Marks of ``b`` graphs. ``counts``: ``conflicts``, marks left open because rules disagreed
        or because they could not all be true.

    References
    ----------
    Spirtes, P., Meek, C., Richardson, T. (1995). Causal inference in the presence of latent
    variables and selection bias. UAI 11.
    Zhang, J. (2008). On the completeness of orientation rules for causal discovery in the presence
    of latent confounders and selection bias. Artificial Intelligence 172, 1873-1896.
    Colombo, D., Maathuis, M. H. (2014). Order-independent constraint-based causal structure
    learning. JMLR 15, 3921-3962.
    """
    first = skeletons(correlations, n, alpha, knowledge)
    colliders, _ = conservative(gather(correlations, n, alpha, knowledge, first))
    second = _second_look(correlations, n, alpha, knowledge, first, colliders.any(axis=3))
    colliders, chains = conservative(gather(correlations, n, alpha, knowledge, second))
    heads, directed = np.zeros_like(second.adjacency), np.zeros_like(second.adjacency)
    conflicts = np.zeros(len(correlations), dtype=int)
    for k, edge in enumerate(second.adjacency):
        # A collider x *-> y <-* z is impossible if y was set from outside.
        head = edge & colliders[k].any(axis=2) & ~knowledge.exogenous
        tail = edge & knowledge.exogenous
        marks = Marks(edge, head | (edge & knowledge.backwards.T), tail)
        conflicts[k] = close(marks, chains[k], second.separators[k])
        heads[k], directed[k] = marks.head, marks.directed
    return Found(second.adjacency, directed, heads, {"conflicts": conflicts})


def possible_d_sep(edge: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Return which variables may be needed to separate another from its neighbours.

    Parameters
    ----------
    edge
        Edges, boolean ``(d, d)``, symmetric.
    head
        Arrow heads of colliders, boolean ``(d, d)``, ``[i, j]`` at j.

    Returns
    -------
    numpy.ndarray
        Boolean ``(d, d)``: ``[x, v]`` if a path leads from x to v on which every inner variable is
        a collider or has two neighbours on the path that are neighbours of each other.
    """
    d = len(edge)
    found = edge.copy()
    for x in range(d):
        queue = [(x, int(b)) for b in np.flatnonzero(edge[x])]
        seen = set(queue)
        while queue:
            a, b = queue.pop()
            passes = edge[b] & ((head[a, b] & head[:, b]) | edge[a])
            for c in map(int, np.flatnonzero(passes)):
                if c not in (a, x) and (b, c) not in seen:
                    seen.add((b, c))
                    queue.append((b, c))
                    found[x, c] = True
    return found


def _second_look(
    correlations: np.ndarray,
    n: float | np.ndarray,
    alpha: float,
    knowledge: Knowledge,
    first: Skeletons,
    heads: np.ndarray,
) -> Skeletons:
    """Remove edges whose ends are independent given variables beyond their neighbours."""
    b, d = correlations.shape[:2]
    critical = np.stack(
        [
            np.broadcast_to(critical_correlation(alpha, n, size), (d, d))
            for size in range(min(LARGEST_SET, d - 2) + 1)
        ]
    )
    adjacency, separated = first.adjacency.copy(), first.separated.copy()
    separators = first.separators.copy()
    for k in range(b):
        edge = first.adjacency[k]
        beyond = possible_d_sep(edge, heads[k] & edge)
        for x, y in np.argwhere(edge):
            others = np.flatnonzero(beyond[x] & (np.arange(d) != y))
            if not (beyond[x] & ~edge[x]).any():
                continue
            for size in range(1, min(LARGEST_SET, len(others)) + 1):
                sets = others[subsets(len(others), size)]
                sets = np.concatenate([np.full((len(sets), 1), y), sets], axis=1)
                at = np.full(len(sets), x)
                r = partials(correlations, np.full(len(sets), k), at, sets)[:, 0]
                apart = np.abs(r) < critical[size, x, y]
                apart &= ~looks_ahead(knowledge.tier, at, sets)[:, 0]
                if apart.any():
                    adjacency[k, x, y] = adjacency[k, y, x] = False
                    separated[k, x, y] = separated[k, y, x] = True
                    held = np.unique(sets[apart, 1:])
                    separators[k, x, y, held] = separators[k, y, x, held] = True
                    break
    return Skeletons(adjacency, separated, separators)
