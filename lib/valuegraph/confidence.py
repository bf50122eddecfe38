"""How firm a graph is: frequencies of edges, arrows and ancestors over resampled roles.

A resample draws as many roles with replacement, and the search is run on each. What comes out in
most of them hangs on no single role. The same is done where every dependence has been removed: the
null, which says how many edges would look as firm by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.checks import SMALLEST_SPREAD
from valuegraph.discovery import Graph, check_options, graph_of, problem_of, require_rows_for
from valuegraph.graphs.orientation import reachable, without_cycles
from valuegraph.search.contexts import ContextProblem
from valuegraph.search.problem import Problem
from valuegraph.search.resampling import count_resamples


@dataclass(frozen=True, eq=False, repr=False)
class Confidence:
    """Frequencies over the resamples of one set of scores.

    Attributes
    ----------
    values
        Names of the ``d`` values.
    adjacencies
        Share of resamples with an edge, ``(d, d)``, symmetric.
    directions
        Share of all resamples with the arrow ``i -> j``, ``(d, d)``.
    heads
        Share of all resamples whose edge of i and j has a head at j, ``(d, d)``. Equal to
        ``directions`` but for FCI.
    ancestors
        Share of resamples in which a path of arrows leads from i to j, ``(d, d)``.
    null
        Adjacencies of the null, ``(null_draws, d, d)``: each draw has no dependence between values
        and is resampled ``null_resamples`` times.
    facts
        What there is to tell of the rows: their number ``n``; with contexts ``n_effective``.
    n_resamples, null_resamples
        Number of resamples, and of resamples of each draw of the null.
    alpha, method, seed
        What the search was called with, and the seed of the resamples.
    """

    values: tuple[str, ...]
    adjacencies: np.ndarray
    directions: np.ndarray
    heads: np.ndarray
    ancestors: np.ndarray
    null: np.ndarray
    facts: Mapping[str, object]
    n_resamples: int
    null_resamples: int
    alpha: float
    method: str
    seed: int

    def table(self) -> pd.DataFrame:
        """Return one row per pair that ever had an edge, the firmest first.

        Returns
        -------
        pandas.DataFrame
            Columns ``a``, ``b``, ``edge``, ``a_to_b``, ``b_to_a`` (shares of resamples with the
            edge and each arrow), ``a_before_b``, ``b_before_a`` (shares in which one is an ancestor
            of the other).
        """
        pairs = np.argwhere(np.triu(self.adjacencies, 1) > 0)
        rows = [
            {
                "a": self.values[i],
                "b": self.values[j],
                "edge": self.adjacencies[i, j],
                "a_to_b": self.directions[i, j],
                "b_to_a": self.directions[j, i],
                "a_before_b": self.ancestors[i, j],
                "b_before_a": self.ancestors[j, i],
            }
            for i, j in pairs
        ]
        columns = ["a", "b", "edge", "a_to_b", "b_to_a", "a_before_b", "b_before_a"]
        table = pd.DataFrame(rows, columns=columns)
        return table.sort_values(["edge", "a", "b"], ascending=[False, True, True]).reset_index(
            drop=True
        )

    def graph(self, *, threshold: float = 0.8) -> Graph:
        """Return what was found in at least that share of the resamples.

        Edges at or above the threshold are kept; of these, marks are set where the arrow (FCI: the
        head, the tail) is at or above it among all resamples, and the rest stays open.

        Parameters
        ----------
        threshold
            Share of resamples, above one half and at most 1.

        Returns
        -------
        ValueGraph or PartialAncestralGraph
            ``info`` holds ``threshold``, ``n_resamples``, ``null_edges`` and ``null_sd`` at this
            threshold, ``edge_frequency``, and ``cycles``: arrows that lost their direction because
            the firm arrows closed a cycle.

        Raises
        ------
        ValueError
            If the threshold is out of its range.
        """
        if not 0.5 < threshold <= 1:
            raise ValueError(f"threshold must lie above 0.5 and at most at 1, got {threshold!r}")
        level = threshold - 1e-9  # a share such as .8 may fall short by rounding
        skeleton = self.adjacencies >= level
        heads, directed = self.heads >= level, self.directions >= level
        adjacency = skeleton & ~directed.T
        cleared = without_cycles(adjacency)
        lost = directed & cleared & cleared.T
        directed = directed & ~lost
        if self.method == "fci":
            reach = reachable(directed)
            heads = (heads & ~(heads & heads.T & (reach | reach.T))) | directed
        else:
            heads = directed
        info: dict[str, object] = {
            "method": self.method,
            "alpha": self.alpha,
            **self.facts,
            "threshold": threshold,
            "n_resamples": self.n_resamples,
        }
        if len(self.null):
            edges = (self.null >= level).sum(axis=(1, 2)) / 2
            info |= {"null_edges": float(edges.mean()), "null_sd": float(edges.std())}
        info |= {
            "seed": self.seed,
            "cycles": int(lost.sum()),
            "edge_frequency": {
                (self.values[i], self.values[j]): float(self.adjacencies[i, j])
                for i, j in np.argwhere(np.triu(skeleton))
            },
        }
        return graph_of(self.values, skeleton, directed, heads, method=self.method, info=info)

    def __repr__(self) -> str:
        return f"<Confidence over {len(self.values)} values; {self.graph().caption}>"


def bootstrap(
    scores: pd.DataFrame,
    *,
    method: str = "pc",
    alpha: float = 0.01,
    tiers: Sequence[Sequence[str]] | None = None,
    contexts: bool = False,
    n_resamples: int = 500,
    null_draws: int = 20,
    null_resamples: int = 50,
    seed: int = 0,
    n_jobs: int = 1,
    min_spread: float = SMALLEST_SPREAD,
    progress: bool = False,
) -> Confidence:
    """Search resamples of the roles and count edges, arrows and ancestors.

    Parameters
    ----------
    scores, method, alpha, tiers, contexts
        As in :func:`valuegraph.discovery.discover`.
    n_resamples
        Number of resamples.
    null_draws, null_resamples
        How many times dependence is removed, and how often each draw is resampled; 0 draws for no
        null.
    seed
        Seed of everything. Each resample has a seed of its own that follows from it, so that
        neither the number of workers nor the order of the columns changes anything.
    n_jobs
        Number of parallel workers (joblib; -1 for all cores).
    min_spread
        As in :func:`valuegraph.discovery.discover`.
    progress
        Show a progress bar.

    Raises
    ------
    ValueError
        As in :func:`valuegraph.discovery.discover`, or if a number is out of its range.

    References
    ----------
    Friedman, N., Goldszmidt, M., Wyner, A. (1999). Data analysis with Bayesian networks: a
    bootstrap approach. UAI 15.
    """
    check_options(method, alpha, null_draws, tiers)
    problem = problem_of(
        scores, method=method, tiers=tiers, contexts=contexts, min_spread=min_spread
    )
    return _confidence(
        problem,
        method=method,
        alpha=alpha,
        n_resamples=n_resamples,
        null_draws=null_draws,
        null_resamples=null_resamples,
        seed=seed,
        n_jobs=n_jobs,
        progress=progress,
    )


def bootstrap_from_correlation(
    correlation: pd.DataFrame,
    n: int,
    *,
    method: str = "pc",
    alpha: float = 0.01,
    tiers: Sequence[Sequence[str]] | None = None,
    n_resamples: int = 500,
    null_draws: int = 20,
    null_resamples: int = 50,
    seed: int = 0,
    n_jobs: int = 1,
    progress: bool = False,
) -> Confidence:
    """Do the same where only correlations are known: resamples are drawn, not taken.

    A resample is the correlation matrix of ``n`` normal rows whose correlations are those given (a
    parametric bootstrap). Parameters are those of :func:`bootstrap` and of
    :func:`valuegraph.discovery.discover_from_correlation`.

    Raises
    ------
    ValueError
        As in those two.
    """
    check_options(method, alpha, null_draws, tiers)
    require_rows_for(method)
    problem = Problem.from_correlation(correlation, n, tiers)
    return _confidence(
        problem,
        method=method,
        alpha=alpha,
        n_resamples=n_resamples,
        null_draws=null_draws,
        null_resamples=null_resamples,
        seed=seed,
        n_jobs=n_jobs,
        progress=progress,
    )


def _confidence(
    problem: Problem | ContextProblem,
    *,
    method: str,
    alpha: float,
    n_resamples: int,
    null_draws: int,
    null_resamples: int,
    seed: int,
    n_jobs: int,
    progress: bool,
) -> Confidence:
    """Count over resamples; frequencies stand in the order in which the values were given."""
    counts = count_resamples(
        problem,
        method=method,
        alpha=alpha,
        n_resamples=n_resamples,
        null_draws=null_draws,
        null_resamples=null_resamples,
        seed=seed,
        n_jobs=n_jobs,
        progress=progress,
    )
    counts = counts[:, :, problem.place][:, :, :, problem.place]
    return Confidence(
        problem.given,
        *(counts[0] / n_resamples),
        counts[1:, 0] / null_resamples,
        problem.facts,
        n_resamples,
        null_resamples,
        alpha,
        method,
        seed,
    )
