"""From scores to a graph: causal discovery whose result is always sound, and carries its null.

The unit of independence is the role: one row of scores, one role. Every test is Fisher's z on a
partial correlation, so all that a search sees of the data are the correlations and the number of
rows. That is why :func:`discover_from_correlation` can treat people, of whom only correlations are
public, exactly as :func:`discover` treats a model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from valuegraph.checks import (
    SMALLEST_SPREAD,
    checked_correlation,
    checked_scores,
    require_rows,
)
from valuegraph.graph import ValueGraph
from valuegraph.orientation import Orientation
from valuegraph.pc import pc_majority, pc_plain

Search = Callable[[np.ndarray, int, float], Orientation]


def discover(
    scores: pd.DataFrame,
    *,
    method: str = "pc",
    alpha: float = 0.01,
    null_draws: int = 20,
    seed: int = 0,
    min_spread: float = SMALLEST_SPREAD,
) -> ValueGraph:
    """Search the causal graph over values from the scores of independent roles.

    Scores of a flat respondent are refused, as far as scores can show it; its answers show more
    (:func:`valuegraph.gating.require_spread`).

    Parameters
    ----------
    scores
        One row per role, one numeric column per value. An index of pairs (intervention, role) is
        accepted if it holds a single intervention.
    method
        ``"pc"``: the PC algorithm with the majority rule for colliders; ``"pc-plain"``: with the
        original rule, whose arrows hang on single tests (see Notes).
    alpha
        Significance level of each test, in (0, 1): an edge goes if a test says p > ``alpha``.
    null_draws
        How many times the search is run on scores whose columns are permuted independently over
        roles, which removes every dependence between values and nothing else; 0 for no null.
    seed
        Seed of those permutations.
    min_spread
        Least standard deviation over roles that every value must have, in the unit of the scores
        (log-odds, or share of yes less share of no).

    Returns
    -------
    ValueGraph
        Edges with and without direction, never a directed cycle. ``info`` holds ``method``,
        ``test``, ``alpha``, ``n``; ``null_edges`` and ``null_sd``, mean and standard deviation of
        the number of edges over the ``null_draws``; ``seed``; ``conflicts`` and ``cycles``, the
        numbers of edges left undirected by rules 1-2 and 3 of the Notes; and ``min_spread``, where
        it is not the preset one.

    Raises
    ------
    ValueError
        If a score is missing, infinite or no number; a column is constant or spreads less than
        ``min_spread``; names repeat; a role appears twice or several interventions are pooled;
        there are fewer rows than values + 2; the scores are linearly dependent (as ipsatised ones
        are); or an option is out of its range.

    Notes
    -----
    Both methods have the same skeleton, causal-learn's order-independent one, and differ in what
    counts as a collider (:func:`valuegraph.pc.pc_majority`, :func:`valuegraph.pc.pc_plain`).
    Directions are then set by :func:`valuegraph.orientation.orient`, whose rules do not depend on
    the order of the columns: an edge on which colliders (rule 1) or Meek's rules (rule 2) disagree
    stays undirected, and arrows on a directed cycle lose their direction (rule 3).

    Arrows are less certain than edges. On random models of ten values (weights .18 to .5 of either
    sign, n = 2000, alpha = .01), where the skeleton was exact, about nine in ten arrows of ``"pc"``
    were right, and two in three of ``"pc-plain"``.
    On the shipped organisms, whose effects are positive and whose colliders are weak, it can be
    far less (the cards tell): trust edges before arrows.

    References
    ----------
    Spirtes, P., Glymour, C., Scheines, R. (2000). Causation, Prediction, and Search. MIT Press.
    Colombo, D., Maathuis, M. H. (2014). Order-independent constraint-based causal structure
    learning. JMLR 15, 3921-3962.
    """
    search = _checked_search(method, alpha, null_draws)
    data = checked_scores(scores, min_spread=min_spread)
    names, n = tuple(scores.columns), len(data)
    require_rows(n, len(names))
    correlation = pd.DataFrame(np.corrcoef(data.T), names, names)
    found = search(checked_correlation(correlation), n, alpha)
    rng = np.random.default_rng(seed)
    # In the order of the names, so that shuffling the columns changes not even the null.
    ordered = data[:, np.argsort(names)]
    null = [
        search(np.corrcoef(rng.permuted(ordered, axis=0).T), n, alpha) for _ in range(null_draws)
    ]
    graph = _graph(names, found, null, method=method, alpha=alpha, n=n, seed=seed)
    if min_spread == SMALLEST_SPREAD:
        return graph
    return replace(graph, info={**graph.info, "min_spread": min_spread})


def discover_from_correlation(
    correlation: pd.DataFrame,
    n: int,
    *,
    method: str = "pc",
    alpha: float = 0.01,
    null_draws: int = 20,
    seed: int = 0,
) -> ValueGraph:
    """Search the causal graph from correlations and the number of rows behind them.

    Equal to :func:`discover` on the scores themselves, but for the null: its correlations are those
    of ``n`` rows of independent normal values, drawn by Bartlett's decomposition.

    Parameters
    ----------
    correlation
        Symmetric frame with the same values on both sides and ones on the diagonal.
    n
        Number of independent rows behind the correlations.
    method, alpha, null_draws, seed
        As in :func:`discover`.

    Returns
    -------
    ValueGraph
        As in :func:`discover`.

    Raises
    ------
    ValueError
        If the frame is no correlation matrix, is singular, or an option is out of its range.
    """
    search = _checked_search(method, alpha, null_draws)
    if isinstance(n, bool) or n != int(n):
        raise ValueError(f"n must be a whole number of rows, got {n!r}")
    n = int(n)
    matrix = checked_correlation(correlation)
    names, d = tuple(correlation.columns), len(matrix)
    require_rows(n, d)
    found = search(matrix, n, alpha)
    rng = np.random.default_rng(seed)
    null = [search(_null_correlation(rng, n, d), n, alpha) for _ in range(null_draws)]
    return _graph(names, found, null, method=method, alpha=alpha, n=n, seed=seed)


SEARCHES: dict[str, Search] = {"pc": pc_majority, "pc-plain": pc_plain}
"""Search methods by name: (correlations, number of rows, alpha) -> orientation."""


def _null_correlation(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Draw the correlation matrix of ``n`` rows of ``d`` independent normal variables.

    By Bartlett's decomposition of the Wishart distribution, at a cost that does not grow with n.
    """
    root = np.tril(rng.standard_normal((d, d)), -1)
    root[np.diag_indices(d)] = np.sqrt(rng.chisquare(n - 1 - np.arange(d)))
    scatter = root @ root.T
    sd = np.sqrt(np.diag(scatter))
    return scatter / np.outer(sd, sd)


def _graph(
    names: tuple[str, ...],
    found: Orientation,
    null: list[Orientation],
    *,
    method: str,
    alpha: float,
    n: int,
    seed: int,
) -> ValueGraph:
    """Put the result of a search and its null into a graph."""
    info: dict[str, object] = {"method": method, "test": "Fisher z", "alpha": alpha, "n": n}
    if null:
        edges = [int((draw.adjacency | draw.adjacency.T).sum()) // 2 for draw in null]
        info["null_edges"] = float(np.mean(edges))
        info["null_sd"] = float(np.std(edges))
        info["null_draws"] = len(null)
        info["seed"] = seed
    info["conflicts"] = found.conflicts
    info["cycles"] = found.cycles
    return ValueGraph(names, found.adjacency, info)


def _checked_search(method: str, alpha: float, null_draws: int) -> Search:
    """Return the search function, or say which option is out of range."""
    if method not in SEARCHES:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(SEARCHES)}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, like 0.01, got {alpha!r}")
    if null_draws < 0:
        raise ValueError(f"null_draws must be 0 (no null) or more, got {null_draws!r}")
    return SEARCHES[method]
