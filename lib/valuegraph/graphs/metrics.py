"""How far a guessed graph is from the true one: one function per metric.

Each has the signature ``(truth, guess) -> float``.

The conventions are the same for all of them:

* Graphs are matched by the names of their values; the order does not matter. Different values are
  an error.
* An *adjacency* is a pair of values with an edge, whatever its direction. An *arrow* is a directed
  edge; undirected edges are adjacencies, but no arrows.
* Precision is 1 if nothing was claimed, recall is 1 if there was nothing to find, F1 is 1 if both
  graphs have nothing of the kind. So two empty graphs agree perfectly, and an empty guess of a
  graph with edges has precision 1, recall 0 and F1 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from valuegraph.graphs.graph import ValueGraph
from valuegraph.graphs.orientation import arrows


def aligned(truth: ValueGraph, guess: ValueGraph) -> tuple[np.ndarray, np.ndarray]:
    """Return the adjacency matrices of two graphs over the same order of values (the truth's).

    Raises
    ------
    ValueError
        If the graphs are over different values.
    """
    only_truth = sorted(set(truth.values) - set(guess.values))
    only_guess = sorted(set(guess.values) - set(truth.values))
    if only_truth or only_guess:
        raise ValueError(
            f"the graphs are over different values: only the truth has "
            f"{', '.join(only_truth) or 'none'}, only the guess has "
            f"{', '.join(only_guess) or 'none'}; compare graphs over the same values"
        )
    return truth.adjacency, guess.reordered(truth.values).adjacency


def shd(truth: ValueGraph, guess: ValueGraph) -> float:
    """Structural Hamming distance: the number of pairs of values whose edge differs.

    A missing edge, an extra edge, a reversed arrow and an arrow in place of an undirected edge
    count one each. Equal to the count that ``gadjid.shd`` returns for the matrices of
    :meth:`~valuegraph.graphs.graph.ValueGraph.to_amat`.

    References
    ----------
    Tsamardinos, I., Brown, L. E., Aliferis, C. F. (2006). The max-min hill-climbing Bayesian
    network structure learning algorithm. Machine Learning 65, 31-78.
    """
    a, b = aligned(truth, guess)
    return float(np.triu((a != b) | (a.T != b.T)).sum())


def skeleton_precision(truth: ValueGraph, guess: ValueGraph) -> float:
    """Share of the guess's adjacencies that the truth has."""
    shared, _, claimed = _adjacencies(truth, guess)
    return _share(shared, claimed)


def skeleton_recall(truth: ValueGraph, guess: ValueGraph) -> float:
    """Share of the truth's adjacencies that the guess has."""
    shared, existing, _ = _adjacencies(truth, guess)
    return _share(shared, existing)


def skeleton_f1(truth: ValueGraph, guess: ValueGraph) -> float:
    """Harmonic mean of precision and recall of adjacencies."""
    shared, existing, claimed = _adjacencies(truth, guess)
    return _share(2 * shared, existing + claimed)


def arrow_precision(truth: ValueGraph, guess: ValueGraph) -> float:
    """Share of the guess's arrows that the truth has, with the same direction."""
    shared, _, claimed = _arrows(truth, guess)
    return _share(shared, claimed)


def arrow_recall(truth: ValueGraph, guess: ValueGraph) -> float:
    """Share of the truth's arrows that the guess has, with the same direction."""
    shared, existing, _ = _arrows(truth, guess)
    return _share(shared, existing)


def arrow_f1(truth: ValueGraph, guess: ValueGraph) -> float:
    """Harmonic mean of precision and recall of arrows."""
    shared, existing, claimed = _arrows(truth, guess)
    return _share(2 * shared, existing + claimed)


def orientation_accuracy(truth: ValueGraph, guess: ValueGraph) -> float:
    """Share of the shared adjacencies that point the same way, or in both graphs have no direction.

    NaN if the graphs share no adjacency: then there is nothing to judge.
    """
    a, b = aligned(truth, guess)
    shared = np.triu((a | a.T) & (b | b.T))
    if not shared.any():
        return float("nan")
    return float(((a == b) & (a.T == b.T))[shared].mean())


METRICS: dict[str, Callable[[ValueGraph, ValueGraph], float]] = {
    metric.__name__: metric
    for metric in (
        shd,
        skeleton_precision,
        skeleton_recall,
        skeleton_f1,
        arrow_precision,
        arrow_recall,
        arrow_f1,
        orientation_accuracy,
    )
}
"""All metrics by name."""


def _adjacencies(truth: ValueGraph, guess: ValueGraph) -> tuple[int, int, int]:
    """Return the numbers of adjacencies that are shared, in the truth and in the guess."""
    a, b = (np.triu(m | m.T) for m in aligned(truth, guess))
    return int((a & b).sum()), int(a.sum()), int(b.sum())


def _arrows(truth: ValueGraph, guess: ValueGraph) -> tuple[int, int, int]:
    """Return the numbers of arrows that are shared, in the truth and in the guess."""
    a, b = map(arrows, aligned(truth, guess))
    return int((a & b).sum()), int(a.sum()), int(b.sum())


def _share(part: int, whole: int) -> float:
    """Return part / whole; 1 if there is no whole (see the conventions of the module)."""
    return part / whole if whole else 1.0
