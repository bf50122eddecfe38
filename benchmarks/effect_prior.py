"""The graph as prior knowledge of what actions do.

An action that pushes one value should drag along what that value causes: the main effect times the
total effects of that value. Measured and expected effects are averaged with weights that the
measurements themselves set (empirical Bayes, after Stephens, 2017, False discovery rates: a new
deal. Biostatistics 18, 275-294).

Beyond its standard error an effect departs from expectation by ``tau`` times the main effect: by
little if the action pushes a single value, by much if it pushes several. The shares of actions that
have each ``tau`` of a grid are those under which all departures together are most likely (EM);
every action then has a ``tau`` as likely as its own departures make it. Where the graph predicts
badly the large ones win, and the prior has no say.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from valuegraph.plans import ActionEffects

#: Departures from expectation, as shares of the main effect, among which each action has one.
TAUS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

#: Rounds of EM; the shares have settled long before.
ROUNDS = 300


class EffectPrior(NamedTuple):
    """What a graph expects of measured actions, and how far it is to be trusted."""

    effects: ActionEffects  # weighted averages with their errors, for `valuegraph.plans.plan`
    expected: pd.DataFrame  # what the graph expects, actions by values; the main effect as measured
    cause: pd.Series  # value that each action moves most surely
    tau: pd.Series  # typical departure of each action, in main effects; NaN if it moves nothing
    shares: pd.Series  # share of the actions that depart by each of `TAUS`


def fit_prior(measured: ActionEffects, reach: pd.DataFrame) -> EffectPrior:
    """Average measured effects with those that a graph expects.

    `reach` holds the total effects that the graph implies, [cause, effect], in the unit of the
    scores. Nobody knows what an action pushes that moves no value; it stays as measured.
    """
    effect, error = measured.effect.to_numpy(float), measured.error.to_numpy(float)
    actions, values = measured.effect.index, list(measured.effect.columns)
    missing = [v for v in values if v not in reach.index or v not in reach.columns]
    if missing:
        raise ValueError(f"the total effects lack {', '.join(missing)}; they need every value")
    implied = reach.loc[values, values].to_numpy(float)
    if not np.isfinite(implied).all():
        raise ValueError("the total effects hold missing or infinite numbers")
    known = measured.moves.to_numpy().any(axis=1)
    rows = np.arange(len(effect))
    with np.errstate(divide="ignore", invalid="ignore"):
        sure = np.nan_to_num(np.abs(effect) / error, nan=0.0, posinf=np.inf)
    # Where several effects are without error, the largest of them is the main one.
    best = sure == sure.max(axis=1, keepdims=True)
    cause = np.where(best, np.abs(effect), -1).argmax(axis=1)
    main = effect[rows, cause][:, None]
    expected = main * implied[cause]
    other = known[:, None] & (np.arange(len(values)) != cause[:, None])
    # The expectation inherits the error of the main effect.
    doubt = (error[rows, cause][:, None] * implied[cause]) ** 2
    spread = (np.array(TAUS)[:, None, None] * main) ** 2 + doubt  # (grid, actions, values)
    noise = np.broadcast_to(error**2, spread.shape)
    density = -0.5 * ((effect - expected) ** 2 / (spread + noise) + np.log(spread + noise))
    likelihood = np.where(other, density, 0.0).sum(axis=2)  # log, (grid, actions)
    shares, chance = _settle(likelihood[:, known])
    odds = np.zeros(likelihood.shape)
    odds[:, known] = chance

    weight = spread / (spread + noise)  # of the measurement
    averages = weight * effect + (1 - weight) * expected
    mean = (odds[:, :, None] * averages).sum(axis=0)
    second = (odds[:, :, None] * (weight * noise + averages**2)).sum(axis=0)
    variance = np.where(other, np.maximum(second - mean**2, 0.0), error**2)
    expected[rows, cause] = main[:, 0]
    frame = {"index": actions, "columns": measured.effect.columns}
    return EffectPrior(
        replace(
            measured,
            effect=pd.DataFrame(np.where(other, mean, effect), **frame),
            error=pd.DataFrame(np.sqrt(variance), **frame),
        ),
        pd.DataFrame(expected, **frame),
        pd.Series(np.array(values)[cause], actions, name="cause"),
        pd.Series(TAUS @ odds, actions, name="tau").where(known),
        pd.Series(shares, pd.Index(TAUS, name="tau"), name="share"),
    )


def _settle(likelihood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit the shares of a grid to logarithms ``(grid, actions)`` by EM; shares, and chances."""
    shares = np.full(len(likelihood), 1 / len(likelihood))
    if likelihood.shape[1] == 0:
        return shares, likelihood
    for _ in range(ROUNDS):
        with np.errstate(divide="ignore"):
            joint = likelihood + np.log(shares)[:, None]
        chance = np.exp(joint - logsumexp(joint, axis=0))
        shares = chance.mean(axis=1)
    return shares, chance
