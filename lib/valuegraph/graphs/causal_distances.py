"""How far a guessed graph leads astray when effects are read from it: causal graph distances.

SHD counts wrong edges alike. These distances count wrong *consequences*: pairs of values for which
somebody who trusts the guess would identify an effect wrongly, or see a cause where there is none.
Each has the signature ``(truth, guess) -> float``; 0 is best for distances, 1 for the overlap of
ancestors.

The truth must be a DAG or a CPDAG (:func:`valuegraph.graphs.graph.cpdag_of` makes one of a DAG).
The guess may be any :class:`~valuegraph.graphs.graph.ValueGraph`: its edges without direction are
taken to mean that either way is possible, as in a CPDAG, also where a search left them undirected
for want of evidence.

The counting is done by gadjid. It answers a matrix that it cannot read with a panic that no
``except Exception`` catches, so graphs are checked before they get there.

References
----------
Henckel, L., Wuertzen, T., Weichwald, S. (2024). Adjustment identification distance: a gadjid for
causal structure learning. UAI 40.
Peters, J., Buehlmann, P. (2015). Structural intervention distance for evaluating causal graphs.
Neural Computation 27, 771-799.
"""

from __future__ import annotations

from collections.abc import Callable

import gadjid
import numpy as np

from valuegraph.graphs.graph import ValueGraph
from valuegraph.graphs.metrics import aligned
from valuegraph.graphs.orientation import arrows, meek_closure, reachable


def sid(truth: ValueGraph, guess: ValueGraph) -> float:
    """Structural intervention distance of two DAGs, as a share of all ordered pairs.

    A pair ``(a, b)`` counts if adjusting for the parents that ``a`` has in the guess gives a wrong
    answer to what ``do(a)`` does to ``b``. It is defined for DAGs only; for a graph with undirected
    edges use :func:`parent_aid`, which is the same number where both are defined.

    Raises
    ------
    ValueError
        If the values differ or are fewer than two, or one of the graphs has an undirected edge.
    """
    for name, graph in (("truth", truth), ("guess", guess)):
        if graph.undirected_edges:
            a, b = graph.undirected_edges[0]
            raise ValueError(
                f"SID needs DAGs, but the {name} has an edge without direction ({a} - {b}); use "
                f"parent_aid, which is SID for graphs with such edges"
            )
    return _share(gadjid.sid, truth, guess)


def parent_aid(truth: ValueGraph, guess: ValueGraph) -> float:
    """Share of ordered pairs whose effect goes wrong by adjusting for the guess's parents.

    Equal to :func:`sid` on DAGs. An effect that the guess cannot identify is right if the truth
    cannot identify it either, and likewise where one of them sees no effect.

    Raises
    ------
    ValueError
        If the values differ or are fewer than two, or the truth is neither DAG nor CPDAG.
    """
    return _share(gadjid.parent_aid, truth, guess)


def ancestor_aid(truth: ValueGraph, guess: ValueGraph) -> float:
    """Share of ordered pairs whose effect goes wrong by adjusting for the guess's ancestors.

    More forgiving than :func:`parent_aid` where only the order of causes is right.

    Raises
    ------
    ValueError
        As :func:`parent_aid`.
    """
    return _share(gadjid.ancestor_aid, truth, guess)


def oset_aid(truth: ValueGraph, guess: ValueGraph) -> float:
    """Share of ordered pairs whose effect goes wrong by the guess's optimal adjustment set.

    Raises
    ------
    ValueError
        As :func:`parent_aid`.
    """
    return _share(gadjid.oset_aid, truth, guess)


def ancestor_jaccard(truth: ValueGraph, guess: ValueGraph) -> float:
    """Overlap of what causes what: shared over all ``(ancestor, descendant)`` pairs.

    Ancestors are those along arrows; an undirected edge makes none. 1 if neither graph has any.

    Raises
    ------
    ValueError
        If the values differ.
    """
    a, b = (reachable(arrows(matrix)) for matrix in aligned(truth, guess))
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 1.0


CAUSAL_DISTANCES: dict[str, Callable[[ValueGraph, ValueGraph], float]] = {
    metric.__name__: metric
    for metric in (sid, parent_aid, ancestor_aid, oset_aid, ancestor_jaccard)
}
"""All metrics of this module by name."""


def is_cpdag(graph: ValueGraph) -> bool:
    """Return whether a graph is a CPDAG: the whole equivalence class of some DAG.

    It is if Meek's rules lead from its skeleton and its unshielded colliders to exactly its arrows,
    and its undirected part is chordal, so that the part can be directed without a new collider
    (Andersson, Madigan & Perlman 1997, Annals of Statistics 25, 505-541).

    Parameters
    ----------
    graph
        Any graph.
    """
    adjacency, skeleton = graph.adjacency, graph.skeleton
    directed = arrows(adjacency)
    apart = ~(skeleton | np.eye(len(skeleton), dtype=bool))
    in_colliders = directed & (apart.astype(int) @ directed.astype(int) > 0)
    closed, conflicts = meek_closure(skeleton & ~in_colliders.T)
    return not conflicts and bool((closed == adjacency).all()) and _chordal(adjacency & adjacency.T)


def _chordal(undirected: np.ndarray) -> bool:
    """Return whether values can be taken away one by one, each with neighbours all joined."""
    left = list(range(len(undirected)))
    while left:
        for value in left:
            near = [other for other in left if undirected[value, other]]
            if undirected[np.ix_(near, near)].sum() == len(near) * (len(near) - 1):
                left.remove(value)
                break
        else:
            return False
    return True


def _share(
    distance: Callable[..., tuple[float, int]], truth: ValueGraph, guess: ValueGraph
) -> float:
    """Call gadjid with graphs that it can read."""
    aligned(truth, guess)
    if len(truth.values) < 2:
        raise ValueError("effects of values on each other need at least 2 values, got 1")
    if truth.undirected_edges and not is_cpdag(truth):
        raise ValueError(
            "the truth is neither a DAG nor a CPDAG, so which effects it identifies is not "
            "defined; use the class of a DAG (valuegraph.graphs.graph.cpdag_of)"
        )
    # A ValueGraph holds no cycle, and to_amat writes no other codes than 0, 1 and 2.
    return distance(
        truth.to_amat(),
        guess.reordered(truth.values).to_amat(),
        edge_direction="from row to column",
    )[0]
