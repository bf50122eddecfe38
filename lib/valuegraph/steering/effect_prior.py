"""The graph as prior knowledge of what actions do.

An action that pushes one value should drag along what that value causes. With ``e[a, k]`` the
measured effect of action ``a`` on the value ``k`` that it moves most surely, and ``P[k, w]`` the
total effect of ``k`` on ``w`` that a graph implies (`valuegraph.graphs.total_effects`), the
expected effect on ``w`` is ``e[a, k] * P[k, w]``. Measured and expected effects are averaged with
weights that the measurements themselves set (empirical Bayes, after Stephens, 2017).

Beyond its standard error an effect departs from expectation by ``tau`` times the main effect.
Actions differ: one pushes a single value, so that its ``tau`` is small, another pushes several and
has a large one. The shares of actions that have each ``tau`` of a grid are those under which all
departures together are most likely (EM algorithm); every action then has a ``tau`` as likely as its
own departures make it. Where the graph predicts badly the large ones win, and the prior has no say.

References
----------
Stephens, M. (2017). False discovery rates: a new deal. Biostatistics, 18(2), 275-294.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from valuegraph.steering.action_effects import ActionEffects

#: Departures from expectation, as shares of the main effect, among which each action has one.
TAUS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

# The shares of the grid have settled long before so many rounds.
_ROUNDS = 300


@dataclass(frozen=True, eq=False)
class EffectPrior:
    """What a graph expects of measured actions, and how far it is to be trusted.

    Attributes
    ----------
    measured
        Effects as measured.
    cause
        Value that each action moves most surely, by action.
    expected
        Effects that the graph expects, actions by values; on the cause itself, the measured one.
    shares
        Share of the actions that depart from expectation by each of `TAUS`; all alike if no action
        moves a value.
    tau
        Typical departure of each action from expectation, as a share of its main effect: mean over
        the grid, by how likely each is for it. NaN for actions that move nothing.
    effects
        Weighted averages with their standard errors, for `valuegraph.steering.plans.plan`.
    """

    measured: ActionEffects
    cause: pd.Series
    expected: pd.DataFrame
    shares: pd.Series
    tau: pd.Series
    effects: ActionEffects


def fit_prior(measured: ActionEffects, reach: pd.DataFrame) -> EffectPrior:
    """Average measured effects with those that a graph expects.

    Parameters
    ----------
    measured
        Measured effects. Of an action that moves no value it cannot be told what it pushes; it
        stays as measured.
    reach
        Total effects that a graph implies, causes in rows, effects in columns, in the unit of the
        scores: the change of the column's value for a change of 1 in the row's.

    Returns
    -------
    EffectPrior
        Averaged effects, and how far they lean on the graph.

    Raises
    ------
    ValueError
        If `reach` lacks a value or holds missing numbers.
    """
    values = measured.values
    missing = [v for v in values if v not in reach.index or v not in reach.columns]
    if missing:
        raise ValueError(f"the total effects lack {', '.join(missing)}; they need every value")
    implied = reach.loc[values, values].to_numpy(float)
    if not np.isfinite(implied).all():
        raise ValueError("the total effects hold missing or infinite numbers")
    known = measured.moves.to_numpy().any(axis=1)
    effect, error = measured.effect.to_numpy(), measured.error.to_numpy()
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
    averaged = np.where(other, mean, effect)
    variance = np.where(other, np.maximum(second - mean**2, 0.0), error**2)
    expected[rows, cause] = main[:, 0]
    frame = dict(index=measured.effect.index, columns=measured.effect.columns)
    return EffectPrior(
        measured,
        pd.Series(np.array(values)[cause], measured.effect.index, name="cause"),
        pd.DataFrame(expected, **frame),
        pd.Series(shares, pd.Index(TAUS, name="tau"), name="share"),
        pd.Series(TAUS @ odds, measured.effect.index, name="tau").where(known),
        replace(
            measured,
            effect=pd.DataFrame(averaged, **frame),
            error=pd.DataFrame(np.sqrt(variance), **frame),
        ),
    )


def _settle(likelihood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit the shares of a grid by EM; ``(grid,)``, and chances by action, ``(grid, actions)``.

    `likelihood` holds logarithms, shape ``(grid, actions)``.
    """
    shares = np.full(len(likelihood), 1 / len(likelihood))
    if likelihood.shape[1] == 0:
        return shares, likelihood
    for _ in range(_ROUNDS):
        with np.errstate(divide="ignore"):
            joint = likelihood + np.log(shares)[:, None]
        chance = np.exp(joint - logsumexp(joint, axis=0))
        shares = chance.mean(axis=1)
    return shares, chance
