"""How far a guess is from the truth: one function ``(truth, guess)`` a metric.

Graphs and matrices are matched by the names of their values. Undirected edges, and all others that
are no arrows, count as edges without direction. Precision is 1 if nothing was claimed, recall is 1
if there was nothing to find. For distances 0 is best, for all others 1.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

import gadjid
import numpy as np
import pandas as pd

from valuegraph.graph import ValueGraph
from valuegraph.pc import arrows
from valuegraph.tables import generator, require, require_whole

_KINDS = ("agreed", "missing", "extra", "reversed", "undirected", "directed")


def _aligned(truth: ValueGraph, guess: ValueGraph) -> tuple[np.ndarray, np.ndarray]:
    """Return the adjacencies of two graphs in the truth's order of values."""
    if odd := sorted(set(truth.values) ^ set(guess.values)):
        raise ValueError(f"compare graphs over the same values; only one has {', '.join(odd)}")
    return truth.adjacency, guess.among(truth.values).adjacency


def _share(part: np.ndarray, whole: np.ndarray) -> float:
    return float(part.sum() / whole.sum()) if whole.any() else 1.0


def shd(truth: ValueGraph, guess: ValueGraph) -> float:
    """Structural Hamming distance: the number of pairs of values whose edge differs.

    A missing edge, an extra edge, a reversed arrow and an arrow in place of an undirected edge
    count one each.

    References
    ----------
    Tsamardinos, I., Brown, L. E., Aliferis, C. F. (2006). The max-min hill-climbing Bayesian
    network structure learning algorithm. Machine Learning 65, 31-78.
    """
    a, b = _aligned(truth, guess)
    return float(np.triu((a != b) | (a != b).T).sum())


def skeleton_precision(truth: ValueGraph, guess: ValueGraph) -> float:
    """Share of the guess's edges that the truth has, whatever their direction."""
    a, b = (m | m.T for m in _aligned(truth, guess))
    return _share(a & b, b)


def skeleton_recall(truth: ValueGraph, guess: ValueGraph) -> float:
    """Share of the truth's edges that the guess has, whatever their direction."""
    return skeleton_precision(guess, truth)


def skeleton_f1(truth: ValueGraph, guess: ValueGraph) -> float:
    """Harmonic mean of precision and recall of edges."""
    a, b = (m | m.T for m in _aligned(truth, guess))
    return _share(2.0 * (a & b), a.astype(float) + b)


def arrow_precision(truth: ValueGraph, guess: ValueGraph) -> float:
    """Share of the guess's arrows that the truth has, with the same direction."""
    a, b = map(arrows, _aligned(truth, guess))
    return _share(a & b, b)


def arrow_recall(truth: ValueGraph, guess: ValueGraph) -> float:
    """Share of the truth's arrows that the guess has, with the same direction."""
    return arrow_precision(guess, truth)


def parent_aid(truth: ValueGraph, guess: ValueGraph) -> float:
    """Share of ordered pairs whose effect goes wrong by adjusting for the guess's parents.

    The truth is a DAG; of two DAGs this is the structural intervention distance. An effect that the
    guess cannot identify goes wrong.

    References
    ----------
    Peters, J., Buehlmann, P. (2015). Structural intervention distance for evaluating causal graphs.
    Neural Computation 27, 771-799.
    Henckel, L., Wuertzen, T., Weichwald, S. (2024). Adjustment identification distance: a gadjid
    for causal structure learning. UAI 40.
    """
    # gadjid reads 1 for an arrow from row to column, 2 for an edge without direction.
    a, b = (m.astype(np.int8) + (m & m.T) for m in _aligned(truth, guess))
    if len(a) < 2 or len(truth.directed_edges) < truth.n_edges:  # gadjid would panic
        raise ValueError("the truth must be a DAG over 2 values or more: arrows, and nothing else")
    return gadjid.parent_aid(a, b, edge_direction="from row to column")[0]


class GraphComparison(SimpleNamespace):
    """What a guessed graph has in common with the true one.

    Attributes
    ----------
    truth, guess : ValueGraph
        The two graphs.
    agreed, missing, extra : tuple of pairs
        Edges that are the same in both, that the guess lacks, and that the truth lacks.
    reversed, undirected : tuple of pairs
        Arrows of the truth that point the other way, or have no direction, in the guess.
    directed : tuple of pairs
        Arrows of the guess whose edge has no direction in the truth.
    """

    @property
    def counts(self) -> dict[str, int]:
        """Number of edges and arrows of both graphs, and of each kind of agreement."""
        true, guessed = self.truth.directed_edges, self.guess.directed_edges
        counts = {"true_edges": self.truth.n_edges, "guessed_edges": self.guess.n_edges}
        counts |= {"true_arrows": len(true), "guessed_arrows": len(guessed)}
        counts["right_arrows"] = len(set(true) & set(guessed))
        return counts | {kind: len(getattr(self, kind)) for kind in _KINDS}

    def __repr__(self) -> str:
        counts = ",\n  ".join(f"{k} {name.replace('_', ' ')}" for name, k in self.counts.items())
        return f"<GraphComparison: SHD {shd(self.truth, self.guess):.0f};\n  {counts}>"


def compare_graphs(truth: ValueGraph, guess: ValueGraph) -> GraphComparison:
    """Compare a guessed graph with the true one, edge by edge."""
    a, b = _aligned(truth, guess)
    true, guessed = arrows(a), arrows(b)
    open_true, open_guessed = a & a.T, b & b.T
    kinds = {
        "agreed": (true & guessed) | np.triu(open_true & open_guessed),
        "missing": (true | np.triu(open_true)) & ~(b | b.T),
        "extra": (guessed | np.triu(open_guessed)) & ~(a | a.T),
        "reversed": true & guessed.T,
        "undirected": true & open_guessed,
        "directed": guessed & open_true,
    }
    name = truth.values.__getitem__
    pairs = {kind: sorted(np.argwhere(where).tolist(), key=sorted) for kind, where in kinds.items()}
    edges = {kind: tuple((name(i), name(j)) for i, j in where) for kind, where in pairs.items()}
    return GraphComparison(truth=truth, guess=guess, **edges)


def mantel(truth: pd.DataFrame, guess: pd.DataFrame) -> float:
    """Return the correlation of two correlation matrices over their pairs of values.

    It asks for the pattern, which pairs go together more. Adding a constant to every correlation,
    as a common style of answering does, or weakening all by one factor, changes nothing.

    Parameters
    ----------
    truth, guess : pandas.DataFrame
        Symmetric, over the same values, at least three.

    References
    ----------
    Mantel, N. (1967). The detection of disease clustering and a generalized regression approach.
    Cancer Research 27, 209-220.
    """
    names = list(truth.columns)
    others = (truth.index, guess.columns, guess.index)
    if len(names) < 3 or any(sorted(side) != sorted(names) for side in others):
        raise ValueError(f"matrices need the same 3 values or more, got {names}, {list(guess)}")
    upper = np.triu_indices(len(names), 1)
    a, b = (m.loc[names, names].to_numpy(dtype=float)[upper] for m in (truth, guess))
    require(np.abs([a, b]).max() < 1e100, "matrices must hold finite numbers that can be squared")
    if min(np.ptp(a), np.ptp(b)) < 1e-9:  # rounding aside
        raise ValueError("all pairs of one of the matrices are equal, so there is no pattern")
    return float(np.corrcoef(a, b)[0, 1])


class PermutationTest(NamedTuple):
    """Whether a metric does better than with permuted labels.

    Attributes
    ----------
    value : float
        The metric with the labels as they are.
    p_value : float
        (1 + labellings at least as close) / (1 + labellings tried).
    null_mean : float
        Mean of the metric over permuted labels: what the structure alone gives.
    """

    value: float
    p_value: float
    null_mean: float


def permutation_test(
    metric: Callable, truth, guess, *, larger_is_closer: bool, draws: int = 999, seed: int = 0
) -> PermutationTest:
    """Test whether a guess is closer to the truth than the same guess with permuted labels.

    Parameters
    ----------
    metric : callable
        Any function ``(truth, guess) -> float``.
    truth, guess : ValueGraph or pandas.DataFrame
        Two graphs, or two matrices, over the same values.
    larger_is_closer : bool
        Whether larger numbers of the metric are better: False for distances, else True.
    draws : int
        Number of random labellings.
    seed : int
        Seed of the labellings.

    References
    ----------
    Phipson, B., Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical
    Applications in Genetics and Molecular Biology 9(1), 39.
    """
    require_whole(draws, 1, "draws")
    sign = 1 if larger_is_closer else -1
    of_graphs = isinstance(guess, ValueGraph)
    names, matrix = (guess.values, guess.marks) if of_graphs else (guess.index, guess.to_numpy())
    null, rng = [], generator(seed)
    for order in rng.permuted(np.tile(np.arange(len(names)), (draws, 1)), axis=1):
        turned = matrix[np.ix_(order, order)]
        other = ValueGraph(names, turned) if of_graphs else pd.DataFrame(turned, names, names)
        null.append(metric(truth, other))
    value = metric(truth, guess)
    # The slack lets labellings that change nothing count as equal in spite of rounding.
    as_close = ~(sign * np.array(null) < sign * value - 1e-12)
    p_value = float((1 + as_close.sum()) / (1 + draws))
    return PermutationTest(value, p_value, float(np.nanmean(null)))
