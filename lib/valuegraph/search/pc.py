"""The PC algorithm on correlations, for one matrix or for all resamples of a bootstrap at once."""

from __future__ import annotations

import numpy as np

from valuegraph.graphs.orientation import orient
from valuegraph.search.colliders import by_skeleton, conservative, gather
from valuegraph.search.found import Found
from valuegraph.search.knowledge import Knowledge
from valuegraph.search.skeleton import skeletons


def pc(
    correlations: np.ndarray, n: float | np.ndarray, alpha: float, knowledge: Knowledge
) -> Found:
    """Run PC with the conservative rule for colliders.

    A triple x - y - z with x, z apart is a collider if no set of neighbours of x, or of z, that
    separates x from z holds y, and none if all of them do. Where they disagree nothing is concluded
    from the triple, neither an arrow nor by Meek's rules.

    Parameters
    ----------
    correlations
        Shape ``(b, d, d)``, each positive definite.
    n
        Number of independent rows behind each, or an effective number for each pair ``(d, d)``.
    alpha
        Significance level of each test.
    knowledge
        Tiers, and pairs that get no edge.

    Returns
    -------
    Found
        Edges of ``b`` graphs. ``counts``: ``conflicts`` and ``cycles``, see
        :class:`valuegraph.graphs.orientation.Orientation`.

    References
    ----------
    Spirtes, P., Glymour, C., Scheines, R. (2000). Causation, Prediction, and Search. MIT Press.
    Ramsey, J., Spirtes, P., Zhang, J. (2006). Adjacency-faithfulness and conservative causal
    inference. UAI 22.
    Colombo, D., Maathuis, M. H. (2014). Order-independent constraint-based causal structure
    learning. JMLR 15, 3921-3962.
    """
    first = skeletons(correlations, n, alpha, knowledge)
    decided = conservative(gather(correlations, n, alpha, knowledge, first))
    return _directed(first.adjacency, *decided, knowledge)


def pc_plain(
    correlations: np.ndarray, n: float | np.ndarray, alpha: float, knowledge: Knowledge
) -> Found:
    """Run PC with the original rule for colliders.

    A triple x - y - z with x, z apart is a collider if y is in none of the sets that removed the
    edge of x and z. Takes and returns what :func:`pc` does.

    References
    ----------
    Spirtes, P., Glymour, C., Scheines, R. (2000). Causation, Prediction, and Search. MIT Press.
    """
    first = skeletons(correlations, n, alpha, knowledge)
    return _directed(first.adjacency, *by_skeleton(first), knowledge)


def _directed(
    skeleton: np.ndarray, colliders: np.ndarray, chains: np.ndarray, knowledge: Knowledge
) -> Found:
    """Direct a skeleton; a collider that knowledge makes impossible claims nothing."""
    late = knowledge.backwards
    colliders = colliders & ~(late[:, :, None] | late.T[None, :, :])
    found = orient(skeleton, colliders.any(axis=3), chains=chains, backwards=late)
    return Found.from_adjacency(
        found.adjacency, {"conflicts": found.conflicts, "cycles": found.cycles}
    )
