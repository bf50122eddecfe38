"""The structures of the shipped organisms: one fitted to people, and one rewired.

In the alien one seven effects lead elsewhere, most of them across Schwartz's circle, so that values
which oppose one another in people feed one another.
"""

import math
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, minimize

from valuegraph.humans import load_human
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.organisms import FACT_UNIT, StructuralModel
from valuegraph.roles import load_role_bank

FIT_N = 300  # nominal sample size of the fit: small, so that strong edges alone are kept
MIN_WEIGHT = 0.2  # weaker effects would not be seen in 2,000 roles
MAX_WEIGHT = 0.9
DIGITS = 6  # what a saved structure holds, so that both are the same

#: Effects of the human structure that lead elsewhere in the alien one.
ALIEN_MOVES = {
    ("ST", "SD"): ("ST", "UN", 0.40),
    ("ST", "HE"): ("ST", "TR", 0.40),
    ("ST", "AC"): ("ST", "SE", 0.35),
    ("SD", "UN"): ("SD", "CO", 0.35),
    ("UN", "BE"): ("UN", "AC", 0.40),
    ("BE", "SE"): ("BE", "PO", 0.35),
    ("SE", "CO"): ("SE", "HE", 0.35),
}

SENTENCE_SHARE = 0.7  # of the variance of the surface structure's values

ALIEN_MIN_WEIGHT = 0.28  # some of its paths oppose one another, and weaker ones nearly cancel


def human_structure() -> StructuralModel:
    """Fit the structure of `organism-human` to the human correlations."""
    human = load_human("ess11").correlation
    model = fit_structural_model(human, n=FIT_N, min_weight=MIN_WEIGHT)
    rmse = correlation_rmse(model.correlation, human)
    words = (
        "Fitted to the correlations of the ten Schwartz values in the European Social Survey, "
        f"round 11 (pooled within 13 countries): GES at a nominal n of {FIT_N}, then least-squares "
        f"weights of at least {MIN_WEIGHT}; implied against given correlations: RMSE {rmse:.3f}."
    )
    rounded = {name: getattr(model, name).round(DIGITS) for name in ("weights", "noise_sd")}
    return replace(model, **rounded, description=words)


def alien_structure() -> StructuralModel:
    """Rewire the human structure in the places of `ALIEN_MOVES`."""
    edges = []
    for parent, child, weight in human_structure().edges:
        size = max(round(abs(weight), 2), ALIEN_MIN_WEIGHT)
        kept = (parent, child, math.copysign(size, weight))
        edges.append(ALIEN_MOVES.get((parent, child), kept))
    moved = "; ".join(f"{a}->{b} became {c}->{d}" for (a, b), (c, d, _) in ALIEN_MOVES.items())
    words = f"The human structure, rewired: {moved}. Effects that stay are at least "
    words += f"{ALIEN_MIN_WEIGHT}; values have variance one."
    model = StructuralModel.from_edges(edges)
    return replace(model, noise_sd=model.noise_sd.round(DIGITS), description=words)


def surface_structure() -> StructuralModel:
    """Let no value act on another, and each life fact move all values directly, at random.

    So `SENTENCE_SHARE` of a value's variance over roles comes from facts about other values, and
    values correlate without causes: a graph over roles shows the sentences that roles are made of.
    """
    facts = load_role_bank().facts.query("value != ''").set_index("fact")
    own = facts["value"].to_numpy()[:, None] == np.array(SCHWARTZ_ORDER)
    own = own * FACT_UNIT * facts[["strength"]].to_numpy()
    # A role has facts on .8 of the values, so that many sentences share the variance.
    size = math.sqrt(SENTENCE_SHARE / (0.8 * len(SCHWARTZ_ORDER)))
    moves = size * np.random.default_rng(0).standard_normal(own.shape)
    moves = (moves + own * math.sqrt(1 - SENTENCE_SHARE)).round(DIGITS)
    moves = pd.DataFrame(moves, facts.index, SCHWARTZ_ORDER).T.to_dict()
    words = "No value acts on another; each life fact moves all values directly, at random."
    return replace(StructuralModel.from_edges([]), description=words, facts=moves)


#: Structures by the name that the command line knows them by.
STRUCTURES = {"human": human_structure, "alien": alien_structure, "surface": surface_structure}


def correlation_rmse(a: pd.DataFrame, b: pd.DataFrame) -> float:
    """Root mean squared difference of two correlation matrices over their distinct pairs."""
    difference = a.to_numpy() - b.loc[a.index, a.columns].to_numpy()
    return float(np.sqrt(np.mean(difference[np.triu_indices(len(a), 1)] ** 2)))


def fit_structural_model(
    correlation: pd.DataFrame, *, n: int, min_weight: float
) -> StructuralModel:
    """Fit a linear structural model with unit variances to a correlation matrix.

    The graph is one of the equivalence class that GES (Chickering 2002) gives with the BIC score at
    a nominal sample size `n`; weights of at least `min_weight` follow by least squares.
    """
    values, target = tuple(correlation.columns), correlation.to_numpy(float)
    dag = _dag_of_ges(target, n)
    edges = np.argwhere(dag)
    upper = np.triu_indices(len(values), 1)
    # Parents come first: they have fewer ancestors.
    ancestors = np.linalg.matrix_power(np.eye(len(dag)) + dag, len(dag)) > 0
    order = np.argsort(ancestors.sum(axis=0), kind="stable")

    def loss(flat: np.ndarray) -> float:
        weights = np.zeros_like(target)
        weights[tuple(edges.T)] = flat
        # With unit variances the covariances follow from the weights alone.
        covariance = np.zeros_like(target)
        for child in order:
            covariance[child] = covariance[:, child] = covariance @ weights[:, child]
            covariance[child, child] = 1
        return float(((covariance - target)[upper] ** 2).sum())

    start = np.zeros(len(edges))
    for child in range(len(values)):
        parents = np.flatnonzero(dag[:, child])
        slopes = np.linalg.solve(target[np.ix_(parents, parents)], target[parents, child])
        start[edges[:, 1] == child] = slopes
    low = np.where(start > 0, min_weight, -MAX_WEIGHT)
    high = np.where(start > 0, MAX_WEIGHT, -min_weight)
    bounds = Bounds(low, high)
    fitted = minimize(loss, start.clip(low, high), bounds=bounds).x if len(edges) else start
    named = [(values[a], values[b], float(w)) for (a, b), w in zip(edges, fitted, strict=True)]
    return StructuralModel.from_edges(named, values=values)


def _dag_of_ges(correlation: np.ndarray, n: int) -> np.ndarray:
    """Search by GES and direct its class (Dor and Tarsi 1992); boolean ``[parent, child]``."""
    from causallearn.search.ScoreBased.GES import ges
    from causallearn.utils.PDAG2DAG import pdag2dag

    # The BIC score reads nothing but the covariance, so any sample with exactly these
    # correlations gives the graph of the matrix.
    noise = np.random.default_rng(0).standard_normal((n, len(correlation)))
    noise -= noise.mean(axis=0)
    whitened = noise @ np.linalg.inv(np.linalg.cholesky(np.cov(noise.T))).T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        searched = ges(whitened @ np.linalg.cholesky(correlation).T, "local_score_BIC")["G"]
    return pdag2dag(searched).graph == -1  # a tail at the row's value
