"""What a graph and covariances say of the effect of one value on another.

In a linear causal model without hidden common causes, the effect of ``k`` on everything else is
what is left of a regression on ``k`` once the parents of ``k`` are held fixed. A discovered graph
leaves some directions open, and with them who the parents are; so there are several possible
effects (IDA: *intervention calculus when the DAG is absent*).

A plain correlation is no such effect. It is as large from effect to cause as from cause to effect,
and it also counts what both owe to a common cause.

References
----------
Maathuis, M. H., Kalisch, M., Bühlmann, P. (2009). Estimating high-dimensional intervention effects
from observational data. Annals of Statistics 37, 3133-3164.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from valuegraph.graphs.graph import ValueGraph
from valuegraph.graphs.orientation import arrows, reachable
from valuegraph.search.names import checked_order

OVER = {
    "mean": "their mean",
    "min": "the smallest of them",
    "max": "the largest of them",
}
"""What may be told of several possible effects."""


def total_effects(
    graph: ValueGraph, covariance: pd.DataFrame, *, over: str = "mean"
) -> pd.DataFrame:
    """Return the effect of every value on every other, as far as a graph can tell.

    Parameters
    ----------
    graph
        A graph of discovery, or a known one. Every parent set that agrees with it counts alike
        (:func:`possible_effects`).
    covariance
        Covariances of the values, or correlations: then effects are in standard deviations. A
        symmetric frame labelled by value on both sides.
    over
        What is told of the possible effects: a key of :data:`OVER`.

    Returns
    -------
    pandas.DataFrame
        Cause in rows, effect in columns, in the order of the graph: the change of the effect per
        unit change of the cause. Ones on the diagonal.

    Raises
    ------
    ValueError
        As :func:`possible_effects`, or if `over` is unknown.
    """
    if over not in OVER:
        raise ValueError(f"unknown choice {over!r} of effects; there are {', '.join(OVER)}")
    possible = possible_effects(graph, covariance)
    rows = [getattr(possible[value], over)() for value in graph.values]
    return pd.DataFrame(rows, list(graph.values)).rename_axis(index="cause", columns="effect")


def possible_effects(graph: ValueGraph, covariance: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the possible effects of every value, one for each set of parents that it may have.

    Parameters
    ----------
    graph, covariance
        As for :func:`total_effects`.

    Returns
    -------
    dict of str to pandas.DataFrame
        By cause: a row for each of its :func:`parent_sets`, in whose order they stand; columns are
        all values. The effect on a parent is zero.

    Raises
    ------
    ValueError
        If the graph is none of those without hidden common causes, the values of the two differ, or
        the covariances are not symmetric and positive definite.

    Notes
    -----
    This is the local version of IDA. Over a CPDAG it finds the same effects as regressions in all
    DAGs of the class, but not how many of these DAGs have each.
    """
    if not isinstance(graph, ValueGraph):
        raise ValueError(
            f"total effects need a graph without hidden common causes, got a "
            f"{type(graph).__name__}: where there are some, no regression on parents tells the "
            "effect. Discover with method 'pc', 'ges' or 'lingam'"
        )
    matrix = _checked(covariance, graph)
    found = {}
    for cause, value in enumerate(graph.values):
        effects = np.zeros((0, len(matrix)))
        for parents in parent_sets(graph, value):
            held = [cause, *(graph.values.index(parent) for parent in parents)]
            slopes = np.linalg.solve(matrix[np.ix_(held, held)], matrix[held])[0]
            slopes[held] = np.eye(len(held))[0]  # exactly, not by rounding
            effects = np.vstack([effects, slopes])
        found[value] = pd.DataFrame(effects, columns=list(graph.values))
    return found


def parent_sets(graph: ValueGraph, value: str) -> list[tuple[str, ...]]:
    """Return every set of parents that a value may have without a new collider.

    To those that point at it come none or some of its neighbours by undirected edges, such that any
    two parents of which one is such a neighbour are joined by an edge. Otherwise the value were a
    collider that discovery has not found.

    Parameters
    ----------
    graph
        Any graph. In one that is no CPDAG, as where evidence was in conflict, the rule is the same.
    value
        One of its values.

    Returns
    -------
    list of tuple of str
        The smallest sets first; each in the order of the values.

    Raises
    ------
    ValueError
        If it is no value of the graph.
    """
    if value not in graph.values:
        raise ValueError(f"{value!r} is none of the values {', '.join(graph.values)}")
    k, skeleton = graph.values.index(value), graph.skeleton
    certain = np.flatnonzero(arrows(graph.adjacency)[:, k])
    both = graph.adjacency & graph.adjacency.T
    near = [j for j in np.flatnonzero(both[k]) if skeleton[j, certain].all()]
    sets, layer = [], [()]
    while layer:
        sets += layer
        layer = [
            (*chosen, j)
            for chosen in layer
            for j in near
            if (not chosen or j > chosen[-1]) and skeleton[j, list(chosen)].all()
        ]
    return [tuple(graph.values[j] for j in sorted((*certain, *chosen))) for chosen in sets]


def reached(graph: ValueGraph, *, possibly: bool = True) -> pd.DataFrame:
    """Return which values a change of each may reach.

    Parameters
    ----------
    graph
        Any graph.
    possibly
        Whether undirected edges may be passed either way; otherwise only arrows are.

    Returns
    -------
    pandas.DataFrame
        Boolean, cause in rows, effect in columns; false on the diagonal.
    """
    reach = reachable(graph.adjacency if possibly else arrows(graph.adjacency))
    names = list(graph.values)
    table = pd.DataFrame(reach & ~np.eye(len(reach), dtype=bool), names, names)
    return table.rename_axis(index="cause", columns="effect")


def _checked(covariance: pd.DataFrame, graph: ValueGraph) -> np.ndarray:
    """Return the covariances in the order of the graph, or say what is wrong with them."""
    checked_order(graph.values, covariance.index)
    checked_order(graph.values, covariance.columns)
    matrix = covariance.loc[list(graph.values), list(graph.values)].to_numpy(dtype=float)
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T):
        raise ValueError("covariances must be finite and the same both ways")
    if np.linalg.eigvalsh(matrix)[0] <= 1e-10 * np.trace(matrix):
        raise ValueError(
            "the covariances are not positive definite: some value follows from the others, as in "
            "ipsatised scores; use raw scores"
        )
    return matrix
