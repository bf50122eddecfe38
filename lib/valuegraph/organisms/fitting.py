"""Fit a structural model to a correlation matrix: how the human organism got its truth."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd

from valuegraph.checks import checked_correlation
from valuegraph.organisms.scm import StructuralModel
from valuegraph.organisms.variances import topological_order, unit_variance_noise

#: Largest absolute direct effect of a fitted model.
MAX_WEIGHT = 0.9


def fit_structural_model(
    correlation: pd.DataFrame, *, n: int, min_weight: float, description: str = ""
) -> StructuralModel:
    """Fit a linear structural model with unit variances to a correlation matrix.

    The graph comes from GES (greedy equivalence search, Chickering 2002) with the BIC score at a
    nominal sample size `n`: a small `n` keeps strong edges only. A consistent extension of the
    equivalence class gives the directions. The weights minimise the squared distance between
    implied and given correlations, each kept at least `min_weight` away from zero so that a few
    thousand respondents can find every edge.

    Parameters
    ----------
    correlation
        Correlations, values on both axes.
    n
        Nominal sample size of the BIC penalty.
    min_weight
        Smallest absolute direct effect, in standard deviations.
    description
        Goes with the model.

    Returns
    -------
    StructuralModel
        A model in which every value has variance one.

    Raises
    ------
    ValueError
        If the correlations are no correlation matrix of full rank with the same values on both
        sides, `n` is not larger than the number of values, or `min_weight` lies outside [0, .9).
    """
    values = tuple(correlation.columns)
    if n <= len(values):
        raise ValueError(f"n must be larger than the number of values, {len(values)}; got {n}")
    if not 0 <= min_weight < MAX_WEIGHT:
        raise ValueError(f"min_weight must lie in [0, {MAX_WEIGHT}), got {min_weight}")
    target = checked_correlation(correlation)
    adjacency = consistent_extension(_ges_pattern(target, n))
    weights = _least_squares_weights(target, adjacency, min_weight)
    return StructuralModel(values, weights, unit_variance_noise(weights, values), description)


def correlation_rmse(a: pd.DataFrame, b: pd.DataFrame) -> float:
    """Root mean squared difference of two correlation matrices over their distinct pairs.

    Parameters
    ----------
    a, b
        Correlations of the same values, in any order.
    """
    upper = np.triu_indices(len(a), 1)
    difference = a.to_numpy() - b.loc[a.index, a.columns].to_numpy()
    return float(np.sqrt(np.mean(difference[upper] ** 2)))


def consistent_extension(pattern: np.ndarray) -> np.ndarray:
    """Direct the undirected edges of a CPDAG without a cycle or a new collider (Dor & Tarsi 1992).

    Parameters
    ----------
    pattern
        Boolean matrix, ``pattern[i, j]``: i -> j, or i - j where both entries are set.

    Returns
    -------
    numpy.ndarray
        Boolean matrix of a directed acyclic graph, ``[parent, child]``.

    Raises
    ------
    ValueError
        If the pattern has no such extension.
    """
    dag = pattern.copy()
    remaining = list(range(len(pattern)))
    work = pattern.copy()
    while remaining:
        for sink in remaining:
            undirected = [i for i in remaining if work[i, sink] and work[sink, i]]
            adjacent = [i for i in remaining if work[i, sink] or work[sink, i]]
            has_child = any(work[sink, i] and not work[i, sink] for i in remaining)
            moral = all(
                work[a, b] or work[b, a]
                for a, b in itertools.product(undirected, adjacent)
                if a != b
            )
            if not has_child and moral:
                break
        else:
            raise ValueError("the pattern has no consistent extension: it is not a CPDAG")
        for i in undirected:
            dag[sink, i] = False
        work[sink, :] = work[:, sink] = False
        remaining.remove(sink)
    return dag


def _ges_pattern(correlation: np.ndarray, n: int) -> np.ndarray:
    from causallearn.search.ScoreBased.GES import ges

    # The BIC score reads nothing but the covariance, so any sample with exactly these
    # correlations gives the graph of the matrix.
    noise = np.random.default_rng(0).standard_normal((n, len(correlation)))
    noise -= noise.mean(axis=0)
    whitened = noise @ np.linalg.inv(np.linalg.cholesky(np.cov(noise.T))).T
    sample = whitened @ np.linalg.cholesky(correlation).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = ges(sample, "local_score_BIC")["G"].graph
    # causal-learn: graph[i, j] == -1 is a tail at i. Tail at i: the edge may point i -> j.
    return graph == -1


def _least_squares_weights(
    correlation: np.ndarray, adjacency: np.ndarray, min_weight: float
) -> np.ndarray:
    from scipy.optimize import minimize

    edges = np.argwhere(adjacency)
    if not len(edges):
        return np.zeros_like(correlation)
    upper = np.triu_indices(len(correlation), 1)

    def as_matrix(flat: np.ndarray) -> np.ndarray:
        weights = np.zeros_like(correlation)
        weights[edges[:, 1], edges[:, 0]] = flat
        return weights

    def implied(weights: np.ndarray) -> np.ndarray:
        # With unit variances the covariances follow from the weights alone, parents first.
        covariance = np.zeros_like(correlation)
        for child in topological_order(weights):
            covariance[child] = covariance[:, child] = covariance @ weights[child]
            covariance[child, child] = 1
        return covariance

    def loss(flat: np.ndarray) -> float:
        return float(((implied(as_matrix(flat)) - correlation)[upper] ** 2).sum())

    start = np.zeros(len(edges))
    for row, (parent, child) in enumerate(edges):
        parents = np.flatnonzero(adjacency[:, child])
        regression = np.linalg.solve(
            correlation[np.ix_(parents, parents)], correlation[parents, child]
        )
        start[row] = regression[list(parents).index(parent)]
    bounds = [(min_weight, MAX_WEIGHT) if w > 0 else (-MAX_WEIGHT, -min_weight) for w in start]
    start = np.clip(start, [low for low, _ in bounds], [high for _, high in bounds])
    return as_matrix(minimize(loss, start, bounds=bounds).x)
