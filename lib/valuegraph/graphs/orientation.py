"""How arrows follow from arrows: colliders, Meek's rules, and what happens when they disagree.

Plain boolean matrices, no graph class. Throughout, ``adjacency[i, j]`` says that an edge between
``i`` and ``j`` may point from ``i`` to ``j``: both ways means undirected, one way means an arrow.
Every step works on the whole matrix at once, so nothing here depends on the order of the values.
Every function takes a stack of matrices ``(..., d, d)`` as well as one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Orientation(NamedTuple):
    """What :func:`orient` returns.

    Attributes
    ----------
    adjacency
        Edges with their directions, boolean ``(..., d, d)``, free of directed cycles.
    conflicts
        Number of edges left undirected because evidence pointed both ways, shape ``(...)``.
    cycles
        Number of edges that lost their direction because they lay on a directed cycle, likewise.
    """

    adjacency: np.ndarray
    conflicts: np.ndarray
    cycles: np.ndarray


def arrows(adjacency: np.ndarray) -> np.ndarray:
    """Return the directed part of a graph, boolean ``(..., d, d)``: ``[i, j]`` for ``i -> j``."""
    return adjacency & ~_turned(adjacency)


def reachable(directed: np.ndarray) -> np.ndarray:
    """Return the transitive closure of the arrows.

    Parameters
    ----------
    directed
        Arrows, boolean ``(..., d, d)``.

    Returns
    -------
    numpy.ndarray
        Boolean ``(..., d, d)``: ``[i, j]`` if a directed path of one or more arrows leads from
        ``i`` to ``j``. A true entry on the diagonal means a directed cycle.
    """
    closure = directed.copy()
    while True:
        # Squaring doubles the length of the paths that are covered.
        longer = closure | _through(closure, closure)
        if (longer == closure).all():
            return closure
        closure = longer


def without_cycles(adjacency: np.ndarray) -> np.ndarray:
    """Return the graph with every arrow on a directed cycle made undirected."""
    directed = arrows(adjacency)
    on_cycle = directed & _turned(reachable(directed))
    return adjacency | _turned(on_cycle)


def apart(adjacency: np.ndarray) -> np.ndarray:
    """Return the pairs of different values without an edge, boolean ``(..., d, d)``."""
    return ~(adjacency | _turned(adjacency) | np.eye(adjacency.shape[-1], dtype=bool))


def open_triples(adjacency: np.ndarray) -> np.ndarray:
    """Return all ``x - y - z`` with x and z apart, boolean ``(..., d, d, d)``: ``[x, y, z]``."""
    edge = adjacency | _turned(adjacency)
    return edge[..., :, :, None] & edge[..., None, :, :] & apart(adjacency)[..., :, None, :]


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
    # [i, k]: some j is a parent of k as well and not a neighbour of i.
    return dag & _through(apart(dag), dag)


def _turned(matrix: np.ndarray) -> np.ndarray:
    """Return the transpose of each matrix of a stack."""
    return np.swapaxes(matrix, -1, -2)


def _through(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return ``[i, k]`` if some ``j`` has ``first[i, j]`` and ``second[j, k]``."""
    # Counts below 2**24 are exact in single precision, which multiplies fastest.
    return first.astype(np.float32) @ second.astype(np.float32) > 0


def _meek_step(adjacency: np.ndarray, chains: np.ndarray) -> np.ndarray:
    """Return the arrows that Meek's rules 1 to 3 demand of undirected edges, in one sweep."""
    directed = arrows(adjacency)
    undirected = adjacency & _turned(adjacency)
    # Rule 1: a -> b - c with a, c apart; c -> b would be a new collider.
    demanded = (directed[..., :, :, None] & chains).any(axis=-3)
    # Rule 2: a -> b -> c with a - c; c -> a would close a cycle.
    demanded |= _through(directed, directed)
    # Rule 3: a - b -> d, a - c -> d with b, c apart, and a - d; with d -> a, rule 2 would give
    # b -> a <- c, a new collider.
    between = undirected[..., :, :, None] & directed[..., None, :, :]  # [a, b, d]
    pairs = _through(np.swapaxes(chains, -3, -2), between)  # [a, c, d]: through some b
    demanded |= (pairs & between).any(axis=-2)
    return demanded & undirected


def meek_closure(
    adjacency: np.ndarray,
    *,
    chains: np.ndarray | None = None,
    settled: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Orient all undirected edges whose direction follows from the arrows (Meek 1995, rules 1-3).

    Rule 4 is only needed for background knowledge that tiers cannot express.

    Parameters
    ----------
    adjacency
        Edges, boolean ``(..., d, d)``.
    chains
        Triples known to be no colliders, boolean ``(..., d, d, d)``, ``[x, y, z]`` for
        ``x - y - z`` with x, z apart. By default all such triples.
    settled
        Edges that must stay undirected, boolean ``(..., d, d)`` and symmetric; none by default.

    Returns
    -------
    adjacency : numpy.ndarray
        Edges with the added directions.
    conflicts : numpy.ndarray
        Number of edges for which one sweep demanded both directions, shape ``(...)``; they stay
        undirected for good. Zero whenever the arrows come from a DAG.

    References
    ----------
    Meek, C. (1995). Causal inference and causal explanation with background knowledge. UAI 11.
    """
    adjacency = adjacency.copy()
    chains = open_triples(adjacency) if chains is None else chains
    settled = np.zeros_like(adjacency) if settled is None else settled.copy()
    conflicts = np.zeros(adjacency.shape[:-2], dtype=int)
    while True:
        demanded = _meek_step(adjacency, chains) & ~settled
        both = demanded & _turned(demanded)
        conflicts += both.sum(axis=(-2, -1)) // 2
        settled |= both
        demanded &= ~both
        if not demanded.any():
            return adjacency, conflicts
        adjacency &= ~_turned(demanded)


def orient(
    skeleton: np.ndarray,
    claims: np.ndarray,
    *,
    chains: np.ndarray | None = None,
    backwards: np.ndarray | None = None,
) -> Orientation:
    """Direct the edges of a skeleton by what colliders claim, then by Meek's rules.

    Three rules settle disagreement, none of which looks at the order of the values:

    1. an edge that colliders claim in both directions stays undirected,
    2. so does an edge for which Meek's rules demand both directions in the same sweep,
    3. every arrow on a directed cycle loses its direction (the edge stays).

    Parameters
    ----------
    skeleton
        Undirected edges, boolean ``(..., d, d)``, symmetric.
    claims
        Claimed arrows, boolean ``(..., d, d)``: ``[i, k]`` if some collider says ``i -> k``.
    chains
        As in :func:`meek_closure`.
    backwards
        Arrows that are known to be impossible, boolean ``(d, d)``; an edge points the other way.
        None by default. They hold no claim and no cycle can pass them, so rules 1 and 3 leave them
        alone.

    Returns
    -------
    Orientation
        The directed graph and the number of edges that each kind of disagreement left undirected.
    """
    if backwards is not None:
        claims = claims & ~backwards
        claims = claims | (skeleton & _turned(backwards))
    both = claims & _turned(claims)
    adjacency = skeleton & ~_turned(claims & ~both)
    adjacency, unresolved = meek_closure(adjacency, chains=chains, settled=both)
    repaired = without_cycles(adjacency)
    return Orientation(
        adjacency=repaired,
        conflicts=both.sum(axis=(-2, -1)) // 2 + unresolved,
        cycles=(repaired & ~adjacency).sum(axis=(-2, -1)),
    )
