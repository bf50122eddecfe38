"""From scores to a graph: causal discovery whose result is always sound, and carries its null.

The unit of independence is the role: one row of scores, one role. Every test is Fisher's z on a
partial correlation, so all that a search sees of the data are the correlations and the number of
rows. That is why :func:`discover_from_correlation` can treat people, of whom only correlations are
public, exactly as :func:`discover` treats a model.

========== ============================================================ =========================
method     what it assumes beyond linear effects                        what it returns
========== ============================================================ =========================
pc         no hidden common causes; arrows where all tests agree        ``ValueGraph``
pc-plain   the same; arrows hang on single tests, often wrongly         ``ValueGraph``
fci        hidden common causes are allowed for                         ``PartialAncestralGraph``
ges        no hidden common causes; one score for the whole graph       ``ValueGraph``
lingam     no hidden common causes, noise that is not normal            ``ValueGraph``, a DAG
========== ============================================================ =========================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from valuegraph.checks import SMALLEST_SPREAD
from valuegraph.graphs.graph import ValueGraph
from valuegraph.graphs.pag import CIRCLE, HEAD, NONE, TAIL, PartialAncestralGraph
from valuegraph.search.contexts import ContextProblem
from valuegraph.search.methods import NEEDS_ROWS, SEARCHES, WITHOUT_TIERS
from valuegraph.search.problem import Problem

Graph = ValueGraph | PartialAncestralGraph


def discover(
    scores: pd.DataFrame,
    *,
    method: str = "pc",
    alpha: float = 0.01,
    tiers: Sequence[Sequence[str]] | None = None,
    contexts: bool = False,
    null_draws: int = 20,
    seed: int = 0,
    min_spread: float = SMALLEST_SPREAD,
) -> Graph:
    """Search the causal graph over values from the scores of independent roles.

    Scores of a flat respondent are refused, as far as scores can show it; its answers show more
    (:func:`valuegraph.gating.require_spread`).

    Parameters
    ----------
    scores
        One row per role, one numeric column per value. An index of pairs (intervention, role) is
        accepted if it holds a single intervention, or with ``contexts``.
    method
        One of :data:`SEARCHES`; see the table at the top of the module.
    alpha
        Significance level of each test, in (0, 1): an edge goes if a test says p > ``alpha``. For
        GES it sets the penalty (:func:`valuegraph.search.ges.ges`).
    tiers
        Groups of columns from the earliest to the latest, such as ``[["age", "sex"]]``: nothing
        causes what is in an earlier tier. Columns in no tier come after all that are named.
    contexts
        Pool the rows of several interventions, each of which becomes a variable of the graph; see
        :class:`valuegraph.search.contexts.ContextProblem`. The plain default is one row per role.
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
    ValueGraph or PartialAncestralGraph
        Never with a directed cycle or marks that contradict each other. ``info`` holds ``method``,
        ``test``, ``alpha``, ``n``, ``tiers``; ``null_edges`` and ``null_sd``, mean and standard
        deviation of the number of edges over the ``null_draws``; ``seed``; and what the search
        counts, such as ``conflicts`` and ``cycles``, edges left undirected by rules 1-2 and 3 of
        :func:`valuegraph.graphs.orientation.orient`; and ``min_spread``, where it is not the preset
        one.

    Raises
    ------
    ValueError
        If a score is missing, infinite or no number; a column is constant or spreads less than
        ``min_spread``; names repeat; a role appears twice or several interventions are pooled;
        there are fewer rows than values + 2; the scores are linearly dependent (as ipsatised ones
        are); a tier names an unknown column; or an option is out of its range.

    Notes
    -----
    Columns are sorted by name before the search, so their order plays no part. PC and FCI do not
    depend on the names either: edges go only after all tests of a level, colliders follow from all
    tests together, and disagreement leaves an edge undirected. GES and LiNGAM can depend on the
    names where two steps are equally good to the last bit.

    Arrows are less certain than edges; :func:`valuegraph.confidence.bootstrap` tells how much.

    References
    ----------
    Spirtes, P., Glymour, C., Scheines, R. (2000). Causation, Prediction, and Search. MIT Press.
    """
    check_options(method, alpha, null_draws, tiers)
    problem = problem_of(
        scores, method=method, tiers=tiers, contexts=contexts, min_spread=min_spread
    )
    graph = _discovered(problem, method, alpha, tiers, null_draws, seed)
    if min_spread == SMALLEST_SPREAD:
        return graph
    return replace(graph, info={**graph.info, "min_spread": min_spread})


def discover_from_correlation(
    correlation: pd.DataFrame,
    n: int,
    *,
    method: str = "pc",
    alpha: float = 0.01,
    tiers: Sequence[Sequence[str]] | None = None,
    null_draws: int = 20,
    seed: int = 0,
) -> Graph:
    """Search the causal graph from correlations and the number of rows behind them.

    Equal to :func:`discover` on the scores themselves, but for the null: its correlations are those
    of ``n`` rows of independent normal values, drawn by Bartlett's decomposition.

    Parameters
    ----------
    correlation
        Symmetric frame with the same values on both sides and ones on the diagonal.
    n
        Number of independent rows behind the correlations.
    method
        As in :func:`discover`, but for ``"lingam"``, which needs the scores themselves.
    alpha, tiers, null_draws, seed
        As in :func:`discover`.

    Returns
    -------
    ValueGraph or PartialAncestralGraph
        As in :func:`discover`.

    Raises
    ------
    ValueError
        If the frame is no correlation matrix, is singular, an option is out of its range, or the
        method needs rows.
    """
    check_options(method, alpha, null_draws, tiers)
    require_rows_for(method)
    problem = Problem.from_correlation(correlation, n, tiers)
    return _discovered(problem, method, alpha, tiers, null_draws, seed)


def problem_of(
    scores: pd.DataFrame,
    *,
    method: str,
    tiers: Sequence[Sequence[str]] | None,
    contexts: bool,
    min_spread: float,
) -> Problem | ContextProblem:
    """Check scores and say what is to be searched; options as in :func:`discover`."""
    if not contexts:
        return Problem.from_scores(scores, tiers, min_spread=min_spread)
    if method != "pc":
        raise ValueError(f"contexts are searched by method 'pc' alone, got {method!r}")
    return ContextProblem.from_scores(scores, tiers, min_spread=min_spread)


def graph_of(
    names: tuple[str, ...],
    skeleton: np.ndarray,
    directed: np.ndarray,
    heads: np.ndarray,
    *,
    method: str,
    info: dict[str, object],
) -> Graph:
    """Put the edges of one graph into the type that its method returns; each ``(d, d)``."""
    if method != "fci":
        return ValueGraph(names, skeleton & ~directed.T, info)
    marks = np.where(skeleton, CIRCLE, NONE)
    marks[heads] = HEAD
    marks[directed.T] = TAIL
    return PartialAncestralGraph(names, marks, info)


def check_options(
    method: str, alpha: float, null_draws: int, tiers: Sequence[Sequence[str]] | None
) -> None:
    """Say which option of a search is out of its range.

    Raises
    ------
    ValueError
        If one is.
    """
    if method not in SEARCHES:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(SEARCHES)}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, like 0.01, got {alpha!r}")
    if null_draws < 0:
        raise ValueError(f"null_draws must be 0 (no null) or more, got {null_draws!r}")
    if tiers and method in WITHOUT_TIERS:
        raise ValueError(
            f"method {method!r} cannot keep to tiers; use one of "
            f"{', '.join(name for name in SEARCHES if name not in WITHOUT_TIERS)}"
        )


def require_rows_for(method: str) -> None:
    """Refuse a method that cannot work from correlations.

    Raises
    ------
    ValueError
        If it is one of :data:`NEEDS_ROWS`.
    """
    if method in NEEDS_ROWS:
        raise ValueError(
            f"method {method!r} needs the scores themselves: it uses their shape, of which "
            f"correlations say nothing; use another method, or discover(scores)"
        )


def _discovered(
    problem: Problem | ContextProblem,
    method: str,
    alpha: float,
    tiers: Sequence[Sequence[str]] | None,
    null_draws: int,
    seed: int,
) -> Graph:
    """Search a problem and its null, and put both into a graph."""
    found = problem.search([problem.own], method, alpha)
    info: dict[str, object] = {"method": method, "test": "Fisher z", "alpha": alpha}
    info |= problem.facts
    if tiers:
        info["tiers"] = tuple(tuple(tier) for tier in tiers)
    if null_draws:
        rng = np.random.default_rng(seed)
        draws = [problem.independent(rng).own for _ in range(null_draws)]
        null = problem.search(draws, method, alpha).skeleton & problem.under_null
        edges = null.sum(axis=(1, 2)) / 2
        info |= {
            "null_edges": float(edges.mean()),
            "null_sd": float(edges.std()),
            "null_draws": null_draws,
            "seed": seed,
        }
    info |= {name: int(count[0]) for name, count in found.counts.items()}
    back = np.ix_(problem.place, problem.place)
    parts = (found.skeleton[0][back], found.directed[0][back], found.heads[0][back])
    return graph_of(problem.given, *parts, method=method, info=info)
