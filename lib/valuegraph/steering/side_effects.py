"""Does a graph predict what steering drags along? The central question, put out of sample.

The task. Every intervention has a *target*: the value on which it has the largest effect, found on
training roles. What it does to all other values of *test* roles, its side effects, is to be told
from the effect on its target (its *push*, on training roles) by each
:class:`valuegraph.steering.predictors.Predictor`. All effects are in standard deviations of the
scores without intervention.

What is learned, and from what. The few weights of a predictor follow by least squares from training
roles and from interventions with *another* target: two interventions on the same value do much the
same, so that one would give the other away. While learning, target and push come from some training
roles and side effects from the rest of them, in turn, so that luck in the choice of the target does
not look like an effect.

*Skill* is one less the squared error, in units of the squared error of predicting nothing: 1 is
perfect, 0 as good as nothing, below 0 worse. The noise ceiling is the skill of the same
intervention's effects on the training roles. Intervals draw both test roles and targets anew, each
target with all of its interventions. They take predictors as they are: how these depend on the
roles behind them is told by repeating with other ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from valuegraph.steering.predictors import Predictor
from valuegraph.steering.pushes import Pushes, standard_changes

CEILING = "noise ceiling"
"""Name of the predictor that has seen the same intervention on other roles."""


@dataclass(frozen=True, eq=False, repr=False)
class SideEffects:
    """How well side effects were predicted.

    Attributes
    ----------
    pairs
        One row for each intervention and each value that is not its target: ``intervention``,
        ``target``, ``push`` (effect on the target, training roles), ``value``, ``measured`` (side
        effect, test roles), and a column with the prediction of each predictor.
    skill
        One row a predictor: ``skill`` with ``low`` and ``high``; ``rank``, the rank correlation of
        predicted and measured side effects within interventions (0 where all predicted ones are
        alike), in the mean weighted by the size of the push, with ``rank_low``, ``rank_high``;
        ``p_value``, the share of permuted labels with as much skill (NaN where labels play no
        part); ``scale``, the mean weight of a predictor that has one; ``lead``, by how much the
        skill of the ``reference`` is larger, with ``lead_low``, ``lead_high``.
    reference
        With which predictor the others are compared.
    n_interventions, n_targets, n_train, n_test
        Numbers of interventions, of different targets and of roles.
    """

    pairs: pd.DataFrame
    skill: pd.DataFrame
    reference: str
    n_interventions: int
    n_targets: int
    n_train: int
    n_test: int

    def __repr__(self) -> str:
        return (
            f"<SideEffects of {self.n_interventions} interventions on {self.n_targets} targets, "
            f"{self.n_test} test roles; skill of {self.reference!r} "
            f"{self.skill.loc[self.reference, 'skill']:.2f}>"
        )


def predict_side_effects(
    train: pd.DataFrame,
    test: pd.DataFrame,
    predictors: Mapping[str, Predictor],
    *,
    baseline: pd.DataFrame,
    reference: str = "graph",
    draws: int = 1000,
    permutations: int = 999,
    level: float = 0.95,
    seed: int = 0,
) -> SideEffects:
    """Predict the side effects of every intervention on test roles, with every predictor.

    Parameters
    ----------
    train, test
        Scores of two sets of roles under the same interventions and without; index
        ``(intervention, role)``, columns values.
    predictors
        Predictors by name, over the values of the scores.
    baseline
        Scores without intervention, roles by values, none of a test role; their standard deviations
        are the unit of effects. What predictors were made from should be the same.
    reference
        Name of the predictor with which the others are compared.
    draws
        Resamples behind the intervals.
    permutations
        Permuted labellings behind the p-values; 0 for none.
    level
        Coverage of the intervals: the spread of the resamples, put around the estimate.
    seed
        Of resamples and permutations.

    Returns
    -------
    SideEffects
        With the noise ceiling as a further predictor, :data:`CEILING`.

    Raises
    ------
    ValueError
        If interventions or values differ, a role stands on both sides or lacks rows, there are too
        few roles or targets, or the reference is none of the predictors.
    """
    _check(train, test, predictors, baseline, reference)
    values, spread = list(train.columns), baseline.std()
    names, learned = standard_changes(train, spread)
    again, measured = standard_changes(test[values], spread)
    if names != again:
        odd = sorted(set(names) ^ set(again))
        raise ValueError(f"intervention {odd[0]!r} was asked of one of the two sets of roles only")
    pushes = Pushes.of(learned)
    if len(np.unique(pushes.target)) < 2:
        raise ValueError(
            f"all interventions have the target {values[pushes.target[0]]}; weights are learned "
            "from interventions on other targets, so at least two targets are needed"
        )
    predicted = {
        name: pushes.predict(*pushes.designs(_ordered(predictor, values)))
        for name, predictor in predictors.items()
    }
    predicted[CEILING] = pushes.predict(*pushes.own_designs())
    table = _intervals(pushes, measured, predicted, reference, draws, level, seed)
    rng = np.random.default_rng((seed, 1))
    orders = [rng.permutation(len(values)) for _ in range(permutations)]
    truth = measured.mean(axis=0)
    for name, predictor in predictors.items():
        if not (predictor.by_label and permutations):
            continue
        own = _ordered(predictor, values)
        null = [
            _skill(pushes, truth, pushes.predict(*pushes.designs(own.relabelled(order)))[0])
            for order in orders
        ]
        as_good = np.array(null) >= table.loc[name, "skill"] - 1e-12
        table.loc[name, "p_value"] = (1 + as_good.sum()) / (1 + permutations)
    pairs = pd.DataFrame(
        {
            "intervention": np.repeat(names, len(values) - 1),
            "target": np.repeat(np.array(values)[pushes.target], len(values) - 1),
            "push": np.repeat(pushes.push, len(values) - 1),
            "value": np.tile(values, (len(names), 1))[pushes.side],
            "measured": truth[pushes.side],
            **{name: each[pushes.side] for name, (each, _) in predicted.items()},
        }
    )
    numbers = (len(names), len(np.unique(pushes.target)), len(learned), len(measured))
    return SideEffects(pairs, table, reference, *numbers)


def _skill(pushes: Pushes, truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return the skill of one predictor for all interventions."""
    error = ((truth - predicted) ** 2)[pushes.side].sum()
    return float(1 - error / (truth**2)[pushes.side].sum())


def _intervals(
    pushes: Pushes,
    measured: np.ndarray,
    predicted: Mapping[str, tuple[np.ndarray, float]],
    reference: str,
    draws: int,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """Return skill, rank correlation and lead of all predictors with their intervals."""
    rng = np.random.default_rng(seed)
    n, f, d = measured.shape
    times = rng.multinomial(n, np.full(n, 1 / n), size=draws) / n
    # The first of them are the roles as they are.
    drawn = np.concatenate([[np.full(n, 1 / n)], times]) @ measured.reshape(n, -1)
    drawn = drawn.reshape(-1, f, d)[:, pushes.side].reshape(-1, f, d - 1)
    targets, place = np.unique(pushes.target, return_inverse=True)
    t = len(targets)
    copies = rng.multinomial(t, np.full(t, 1 / t), size=draws)[:, place]
    copies = np.concatenate([np.ones((1, f)), copies])
    nothing = (copies * (drawn**2).sum(axis=-1)).sum(axis=1)
    ranks, size = _centred_ranks(drawn), np.abs(pushes.push)
    skills, orders = {}, {}
    for name, (prediction, _) in predicted.items():
        one = prediction[pushes.side].reshape(f, d - 1)
        error = (copies * ((drawn - one) ** 2).sum(axis=-1)).sum(axis=1)
        skills[name] = 1 - error / nothing
        within = (ranks * _centred_ranks(one)).sum(axis=-1)
        orders[name] = (copies * size * within).sum(axis=1) / (copies * size).sum(axis=1)
    rows = {}
    for name, (_, scale) in predicted.items():
        rows[name] = {
            **_around("skill", "", skills[name], level),
            **_around("rank", "rank_", orders[name], level),
            "p_value": float("nan"),
            "scale": scale,
            **_around("lead", "lead_", skills[reference] - skills[name], level),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("predictor")


def _around(name: str, prefix: str, numbers: np.ndarray, level: float) -> dict[str, float]:
    """Return the first number with the spread of the others, put around it."""
    low, high = np.quantile(numbers[1:], [(1 - level) / 2, (1 + level) / 2]) - numbers[1:].mean()
    own = float(numbers[0])
    return {
        name: own,
        f"{prefix}low": own + min(float(low), 0.0),
        f"{prefix}high": own + max(float(high), 0.0),
    }


def _centred_ranks(numbers: np.ndarray) -> np.ndarray:
    """Return ranks along the last axis, centred and of length one; zeros where all are alike."""
    # Rounding must not make an order among predictions that are meant to be equal.
    ranks = rankdata(numbers.round(12), axis=-1)
    ranks = ranks - ranks.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(ranks, axis=-1, keepdims=True)
    return np.divide(ranks, length, out=np.zeros_like(ranks), where=length > 0)


def _ordered(predictor: Predictor, values: list[str]) -> Predictor:
    """Return a predictor with its values in the order of the scores."""
    order = np.array([predictor.values.index(value) for value in values])
    matrices = predictor.matrices[:, order][:, :, order]
    return Predictor(tuple(values), matrices, predictor.per_push, predictor.by_label)


def _check(
    train: pd.DataFrame,
    test: pd.DataFrame,
    predictors: Mapping[str, Predictor],
    baseline: pd.DataFrame,
    reference: str,
) -> None:
    """Refuse what is no test out of sample, or cannot be computed."""
    values = sorted(train.columns)
    others = {"test scores": test.columns, "baseline scores": baseline.columns}
    others |= {f"predictor {name!r}": each.values for name, each in predictors.items()}
    for what, names in others.items():
        if sorted(names) != values:
            raise ValueError(f"{what} have other values than the training scores: {list(names)}")
    if reference not in predictors:
        raise ValueError(
            f"the reference {reference!r} is none of the predictors {', '.join(predictors)}"
        )
    roles = [set(table.index.unique(-1)) for table in (train, baseline)]
    for side, known in zip(("training", "baseline"), roles, strict=True):
        both = known & set(test.index.unique(-1))
        if both:
            raise ValueError(f"role {min(both)!r} is a test role and a {side} role")
    if min(len(roles[0]), len(test.index.unique(-1))) < 2:
        raise ValueError("at least 2 training roles and 2 test roles are needed")
