"""What a graph and covariances say of the effect of one value on another.

In a linear causal model without hidden common causes, the effect of ``k`` on everything else is
what is left of a regression on ``k`` once the parents of ``k`` are held fixed. A discovered graph
leaves some directions open, and with them who the parents are; so there are several possible
effects (IDA: *intervention calculus when the DAG is absent*).
"""

import numpy as np
import pandas as pd

from valuegraph.graph import CIRCLE, HEAD, ValueGraph
from valuegraph.pc import arrows, reachable


def total_effects(
    graph: ValueGraph, covariance: pd.DataFrame, *, over: str = "mean"
) -> pd.DataFrame:
    """Return the effect of every value on every other, as far as a graph can tell.

    Parameters
    ----------
    graph : ValueGraph
        A graph without hidden common causes.
    covariance : pandas.DataFrame
        Covariances of the same values, or correlations: then effects are in standard deviations.
    over : str
        ``"mean"``, ``"min"`` or ``"max"`` of the possible effects, one for each set of parents that
        the cause may have.

    Returns
    -------
    pandas.DataFrame
        ``[cause, effect]`` in the order of the graph: the change of the effect per unit change of
        the cause. Ones on the diagonal.

    References
    ----------
    Maathuis, M. H., Kalisch, M., Bühlmann, P. (2009). Estimating high-dimensional intervention
    effects from observational data. Annals of Statistics 37, 3133-3164.
    """
    if over not in ("mean", "min", "max"):
        raise ValueError(f"unknown choice {over!r} of effects; there are mean, min and max")
    if (graph.marks == CIRCLE).any() or graph.bidirected_edges:
        raise ValueError("effects need a graph without hidden causes; use method 'pc' or 'lingam'")
    names = list(graph.values)
    matrix = covariance.reindex(index=names, columns=names).to_numpy(dtype=float)
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T):
        raise ValueError(f"covariances must be finite and symmetric, over {', '.join(names)}")
    if np.linalg.eigvalsh(matrix)[0] <= 1e-10 * np.trace(matrix):
        raise ValueError("covariances are singular, as of ipsatised scores; use raw scores")
    effects = np.zeros_like(matrix)
    for cause in range(len(names)):
        possible = []
        for parents in _parent_sets(graph, cause):
            held = [cause, *parents]
            slopes = np.linalg.solve(matrix[np.ix_(held, held)], matrix[held])[0]
            slopes[held] = np.eye(len(held))[0]  # exactly, not by rounding
            possible.append(slopes)
        effects[cause] = getattr(np, over)(possible, axis=0)
    return pd.DataFrame(effects, names, names).rename_axis(index="cause", columns="effect")


def _parent_sets(graph: ValueGraph, value: int) -> list[list[int]]:
    """Return every set of parents that a value may have without a new collider."""
    skeleton = graph.skeleton
    certain = np.flatnonzero(arrows(graph.adjacency)[:, value])
    both = graph.adjacency & graph.adjacency.T
    near = [j for j in np.flatnonzero(both[value]) if skeleton[j, certain].all()]
    sets = [()]
    for chosen in sets:  # grows as it goes: each set with one more neighbour, joined to all others
        later = [j for j in near if not chosen or j > chosen[-1]]
        sets += [(*chosen, j) for j in later if skeleton[j, list(chosen)].all()]
    return [sorted((*certain, *chosen)) for chosen in sets]


def reached(graph: ValueGraph, *, possibly: bool = True) -> pd.DataFrame:
    """Return which values a change of each may reach, boolean ``[cause, effect]``.

    Parameters
    ----------
    graph : ValueGraph
        Any graph.
    possibly : bool
        Whether edges may be passed both ways unless a head forbids it; otherwise only arrows are.
    """
    passed = graph.skeleton & (graph.marks.T != HEAD) if possibly else arrows(graph.adjacency)
    names = list(graph.values)
    table = pd.DataFrame(reachable(passed) & ~np.eye(len(names), dtype=bool), names, names)
    return table.rename_axis(index="cause", columns="effect")
