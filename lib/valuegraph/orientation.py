"""How arrows follow from arrows: colliders, Meek's rules, and what happens when they disagree.

Plain boolean matrices, no graph class. Throughout, ``adjacency[i, j]`` says that an edge between
``i`` and ``j`` may point from ``i`` to ``j``: both ways means undirected, one way means an arrow.
Every step works on the whole matrix at once, so nothing here depends on the order of the values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Orientation(NamedTuple):
    """What :func:`orient` returns.

    Attributes
    ----------
    adjacency
        Edges with their directions, boolean ``(d, d)``, free of directed cycles.
    conflicts
        Number of edges left undirected because evidence pointed both ways.
    cycles
        Number of edges that lost their direction because they lay on a directed cycle.
    """

    adjacency: np.ndarray
    conflicts: int
    cycles: int


def arrows(adjacency: np.ndarray) -> np.ndarray:
    """Return the directed part of a graph, boolean ``(d, d)``: ``[i, j]`` for ``i -> j``."""
    return adjacency & ~adjacency.T


def reachable(directed: np.ndarray) -> np.ndarray:
    """Return the transitive closure of the arrows.

    Parameters
    ----------
    directed
        Arrows, boolean ``(d, d)``.

    Returns
    -------
    numpy.ndarray
        Boolean ``(d, d)``: ``[i, j]`` if a directed path of one or more arrows leads from ``i`` to
        ``j``. A true entry on the diagonal means a directed cycle.
    """
    closure = directed.copy()
    while True:
        # Squaring doubles the length of the paths that are covered.
        longer = closure | (closure.astype(int) @ closure.astype(int) > 0)
        if (longer == closure).all():
            return closure
        closure = longer


def colliders(dag: np.ndarray) -> np.ndarray:
    """Return the arrows of a DAG that take part in an unshielded collider ``i -> k <- j``.

    Parameters
    ----------
    dag
        Arrows of an acyclic graph, boolean ``(d, d)``.

    Returns
    -------
    numpy.ndarray
        Boolean ``(d, d)``, a subset of ``dag``.
    """
    apart = ~(dag | dag.T | np.eye(len(dag), dtype=bool))
    # [i, k]: some j is a parent of k as well and not a neighbour of i.
    return dag & (apart.astype(int) @ dag.astype(int) > 0)


def _meek_step(adjacency: np.ndarray) -> np.ndarray:
    """Return the arrows that Meek's rules 1 to 3 demand of undirected edges, in one sweep."""
    directed = arrows(adjacency)
    undirected = adjacency & adjacency.T
    apart = ~(adjacency | adjacency.T | np.eye(len(adjacency), dtype=bool))
    into, out = directed.T.astype(int), directed.astype(int)
    # Rule 1: a -> b - c with a, c apart; c -> b would be a new collider.
    demanded = into @ apart.astype(int) > 0
    # Rule 2: a -> b -> c with a - c; c -> a would close a cycle.
    demanded |= out @ out > 0
    # Rule 3: a - b -> d, a - c -> d with b, c apart, and a - d; with d -> a, rule 2 would give
    # b -> a <- c, a new collider.
    between = undirected[:, :, None] & directed[None, :, :]  # (a, b, d)
    pairs = np.einsum("abd,bc->acd", between.astype(int), apart.astype(int)) > 0
    demanded |= (pairs & between).any(axis=1)
    return demanded & undirected


def meek_closure(
    adjacency: np.ndarray, *, settled: np.ndarray | None = None
) -> tuple[np.ndarray, int]:
    """Orient all undirected edges whose direction follows from the arrows (Meek 1995, rules 1-3).

    Rule 4 only matters with background knowledge and is not needed here.

    Parameters
    ----------
    adjacency
        Edges, boolean ``(d, d)``.
    settled
        Edges that must stay undirected, boolean ``(d, d)`` and symmetric; none by default.

    Returns
    -------
    adjacency : numpy.ndarray
        Edges with the added directions.
    conflicts : int
        Edges for which one sweep demanded both directions; they stay undirected for good. Zero
        whenever the arrows come from a DAG.

    References
    ----------
    Meek, C. (1995). Causal inference and causal explanation with background knowledge. UAI 11.
    """
    adjacency = adjacency.copy()
    settled = np.zeros_like(adjacency) if settled is None else settled.copy()
    conflicts = 0
    while True:
        demanded = _meek_step(adjacency) & ~settled
        both = demanded & demanded.T
        conflicts += int(both.sum()) // 2
        settled |= both
        demanded &= ~both
        if not demanded.any():
            return adjacency, conflicts
        adjacency &= ~demanded.T


def orient(skeleton: np.ndarray, claims: np.ndarray) -> Orientation:
    """Direct the edges of a skeleton by what colliders claim, then by Meek's rules.

    Three rules settle disagreement, none of which looks at the order of the values:

    1. an edge that colliders claim in both directions stays undirected,
    2. so does an edge for which Meek's rules demand both directions in the same sweep,
    3. every arrow on a directed cycle loses its direction (the edge stays).

    Parameters
    ----------
    skeleton
        Undirected edges, boolean ``(d, d)``, symmetric.
    claims
        Claimed arrows, boolean ``(d, d)``: ``[i, k]`` if some collider says ``i -> k``.

    Returns
    -------
    Orientation
        The directed graph and the number of edges that each kind of disagreement left undirected.
    """
    both = claims & claims.T
    adjacency = skeleton & ~(claims & ~both).T
    adjacency, unresolved = meek_closure(adjacency, settled=both)
    directed = arrows(adjacency)
    on_cycle = directed & reachable(directed).T
    return Orientation(
        adjacency=adjacency | on_cycle.T,
        conflicts=int(both.sum()) // 2 + unresolved,
        cycles=int(on_cycle.sum()),
    )
