"""The two structures that the shipped organisms are trained on.

`human_structure` is fitted to the correlations of the ten Schwartz values in the European Social
Survey, round 11. `alien_structure` is as large, but rewired: seven effects of the human structure
lead elsewhere, most of them across Schwartz's circle, so that values which oppose one another in
people feed one another here.
"""

from __future__ import annotations

import math

from valuegraph.humans import load_human
from valuegraph.organisms.fitting import correlation_rmse, fit_structural_model
from valuegraph.organisms.scm import StructuralModel

#: Nominal sample size of the fit: small, so that strong edges alone are kept.
FIT_N = 300

#: Weights and spreads are rounded to what a saved structure holds, so that both are the same.
DIGITS = 6

#: Smallest direct effect in the human structure. Weaker ones would not be found in 2,000 roles.
MIN_WEIGHT = 0.2

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

#: Effects that stay are at least this strong in the alien structure: some of its paths oppose one
#: another, and weaker effects would nearly cancel, which no search could see.
ALIEN_MIN_WEIGHT = 0.28


def human_structure() -> StructuralModel:
    """Fit the structure of `organism-human` to the human correlations."""
    human = load_human("ess11").correlation
    model = fit_structural_model(human, n=FIT_N, min_weight=MIN_WEIGHT)
    rmse = correlation_rmse(model.correlation, human)
    return StructuralModel(
        model.values,
        model.weights.round(DIGITS),
        model.noise_sd.round(DIGITS),
        "Fitted to the correlations of the ten Schwartz values in the European Social Survey, "
        f"round 11 (pooled within 13 countries): GES at a nominal n of {FIT_N}, then least-squares "
        f"weights of at least {MIN_WEIGHT}; implied against given correlations: RMSE {rmse:.3f}.",
    )


def alien_structure() -> StructuralModel:
    """Rewire the human structure in the places of `ALIEN_MOVES`."""
    edges = []
    for parent, child, weight in human_structure().edges:
        size = max(round(abs(weight), 2), ALIEN_MIN_WEIGHT)
        kept = (parent, child, math.copysign(size, weight))
        edges.append(ALIEN_MOVES.get((parent, child), kept))
    moved = "; ".join(f"{a}->{b} became {c}->{d}" for (a, b), (c, d, _) in ALIEN_MOVES.items())
    model = StructuralModel.from_edges(edges)
    return StructuralModel(
        model.values,
        model.weights,
        model.noise_sd.round(DIGITS),
        f"The human structure, rewired: {moved}. Effects that stay are at least "
        f"{ALIEN_MIN_WEIGHT}; values have variance one.",
    )


#: Structures by the name that the command line knows them by.
STRUCTURES = {"human": human_structure, "alien": alien_structure}
