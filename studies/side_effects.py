"""Does a graph predict what steering drags along? The central question, put out of sample.

Every intervention has a *target*: the value on which it has the largest effect, found on training
roles. What it does to all other values of *test* roles, its side effects, is to be predicted from
the effect on its target (its *push*). The few weights of a predictor follow by least squares from
training roles and from interventions with *another* target, since two on the same value do much the
same. While learning, target and push come from some training roles and side effects from the rest
of them, in turn, so that luck in the choice of the target does not look like an effect.

*Skill* is one less the squared error over that of predicting nothing: 1 is perfect, 0 as good as
nothing. Intervals draw test roles and targets anew, and take predictors as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from valuegraph.effects import changes
from valuegraph.graph import ValueGraph, reached, total_effects
from valuegraph.humans import load_human
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.organisms import StructuralModel

CEILING = "noise ceiling"  # the predictor that has seen the same intervention on other roles
FOLDS = 5  # parts of the training roles of which each in turn lends its side effects


@dataclass(frozen=True, eq=False)
class Predictor:
    """Predicts side effects, per unit of push, by a sum of matrices whose weights are learned."""

    values: tuple[str, ...]
    matrices: np.ndarray  # (m, d, d): [:, cause, effect]; the diagonal plays no part
    per_push: bool = True  # else every intervention is predicted to do the same
    by_label: bool = True  # whether it matters which value is which

    def __post_init__(self) -> None:
        matrices, d = np.array(self.matrices, dtype=float), len(self.values)
        if matrices.ndim != 3 or matrices.shape[1:] != (d, d) or not np.isfinite(matrices).all():
            raise ValueError(f"{d} values need finite matrices (m, {d}, {d}), got {matrices.shape}")
        object.__setattr__(self, "values", tuple(self.values))
        object.__setattr__(self, "matrices", matrices)

    def permuted(self, order: Sequence[int]) -> "Predictor":
        """Return the predictor whose label ``i`` has what label ``order[i]`` had."""
        return replace(self, matrices=self.matrices[:, order][:, :, order])


def _of(matrix: pd.DataFrame) -> Predictor:
    return Predictor(tuple(matrix), matrix.loc[list(matrix)].to_numpy()[None])


def by_graph(graph: ValueGraph, scores: pd.DataFrame) -> Predictor:
    """Predict total effects where the graph says that a push may arrive, and zero elsewhere."""
    return _of(total_effects(graph, scores.corr()).where(reached(graph), 0.0))


def by_adjustment(graph: ValueGraph, scores: pd.DataFrame) -> Predictor:
    """Predict total effects on all values, also those that the graph does not reach, as in IDA."""
    return _of(total_effects(graph, scores.corr()))


def by_reach(reach: pd.DataFrame, scores: pd.DataFrame) -> Predictor:
    """Predict the correlation where `reach` (boolean, [cause, effect]) is true, zero elsewhere."""
    correlation = scores.corr()
    return _of(correlation * reach.loc[correlation.index, correlation.columns])


def by_correlations(scores: pd.DataFrame) -> Predictor:
    """Predict the correlation, which is the slope of a regression in standard deviations."""
    return _of(scores.corr())


def by_partial_correlations(scores: pd.DataFrame) -> Predictor:
    """Predict the slope of a regression on the target and all other values."""
    precision = np.linalg.inv(scores.corr().to_numpy())
    return Predictor(tuple(scores), (-precision / np.diag(precision))[None])


def by_circle(values: Sequence[str] = SCHWARTZ_ORDER) -> Predictor:
    """Predict by distance on Schwartz's circle: one weight for each distance that occurs."""
    place = np.array([SCHWARTZ_ORDER.index(value) for value in values])
    apart = abs(np.subtract.outer(place, place))
    apart = np.minimum(apart, 10 - apart)
    return Predictor(tuple(values), np.stack([apart == k for k in np.unique(apart[apart > 0])]))


def by_people(values: Sequence[str] = SCHWARTZ_ORDER) -> Predictor:
    """Predict the correlation in people (the primary reference)."""
    return _of(load_human().correlation.loc[list(values), list(values)])


def by_truth(truth: StructuralModel) -> Predictor:
    """Predict the true total effects, in standard deviations."""
    sd = np.sqrt(np.diag(truth.covariance))
    return Predictor(truth.values, (np.asarray(truth.total_effects) * sd[:, None] / sd)[None])


def by_base_rates(values: Sequence[str], *, per_push: bool = True) -> Predictor:
    """Predict what a value does whatever is pushed, in proportion to the push or not."""
    d = len(values)
    columns = np.broadcast_to(np.eye(d)[:, None], (d, d, d))  # [m, cause, effect]: effect is m
    return Predictor(tuple(values), columns, per_push, by_label=False)


def by_nothing(values: Sequence[str]) -> Predictor:
    """Predict no side effects."""
    return Predictor(tuple(values), np.zeros((0, len(values), len(values))), by_label=False)


class SideEffects(NamedTuple):
    """Result of `predict_side_effects`, which says what the tables hold."""

    skill: pd.DataFrame
    pairs: pd.DataFrame


def predict_side_effects(
    train: pd.DataFrame,
    test: pd.DataFrame,
    predictors: Mapping[str, Predictor],
    *,
    baseline: pd.DataFrame,
    reference: str = "graph",
    draws: int = 1000,
    permutations: int = 999,
    seed: int = 0,
) -> SideEffects:
    """Predict the side effects of every intervention on test roles, with every predictor.

    Parameters
    ----------
    train, test
        Scores of two sets of roles under the same interventions and without; index
        ``(intervention, role)``, columns values.
    predictors, reference
        By name, over the values of the scores; the name with which the others are compared.
    baseline
        Scores without intervention, roles by values, none of a test role; their standard deviations
        are the unit of effects. Predictors should be made from the same.
    draws, permutations, seed
        Resamples behind the 95 % intervals, permuted labels behind the p-values, and seed of both.

    Returns
    -------
    skill : pandas.DataFrame
        By predictor, `CEILING` among them: ``skill``, ``low``, ``high``; ``rank``, ``rank_low``,
        ``rank_high``: rank correlation with measured side effects within interventions, in the mean
        weighted by the push; ``p_value``: share of permuted labels with as much skill (NaN where
        labels play no part); ``scale``: mean weight of a predictor that has one; ``lead``,
        ``lead_low``, ``lead_high``: by how much the skill of the reference is larger. In
        ``.attrs``: reference, n_interventions, n_targets, n_train, n_test.
    pairs : pandas.DataFrame
        One row for each intervention and value that is not its target: ``intervention``,
        ``target``, ``push``, ``value``, ``measured`` (on test roles), and every prediction.
    """
    _check(train, test, predictors, baseline, reference)
    values = list(train.columns)
    names, learned = _standard_changes(train, baseline.std()[values])
    again, measured = _standard_changes(test[values], baseline.std()[values])
    if names != again:
        raise ValueError(f"training and test roles differ in {sorted({*names} ^ {*again})}")
    seen = _learn(learned)
    if len(np.unique(seen.target)) < 2:
        one = values[seen.target[0]]
        raise ValueError(f"weights need two targets to learn from; all interventions move {one}")
    ordered = {
        name: replace(p.permuted([p.values.index(v) for v in values]), values=tuple(values))
        for name, p in predictors.items()
    }
    predicted = {name: _predict(seen, *_designs(seen, p)) for name, p in ordered.items()}
    predicted[CEILING] = _predict(seen, seen.effect[..., None], seen.rest[..., None])
    table = _intervals(seen, measured, predicted, reference, draws, seed)
    rng = np.random.default_rng((seed, 1))
    orders = [rng.permutation(len(values)) for _ in range(permutations)]
    truth = measured.mean(axis=0)[seen.side]
    for name, predictor in ordered.items():
        if predictor.by_label and permutations:
            null = [_predict(seen, *_designs(seen, predictor.permuted(o)))[0] for o in orders]
            error = ((truth - np.stack(null)[:, seen.side]) ** 2).sum(axis=1)
            as_good = 1 - error / (truth**2).sum() >= table.loc[name, "skill"] - 1e-12
            table.loc[name, "p_value"] = (1 + as_good.sum()) / (1 + permutations)
    table.attrs = {"reference": reference, "n_interventions": len(names)}
    table.attrs |= {"n_targets": len(np.unique(seen.target))}
    table.attrs |= {"n_train": len(learned), "n_test": len(measured)}
    each = len(values) - 1
    pairs = pd.DataFrame(
        {
            "intervention": np.repeat(names, each),
            "target": np.repeat(np.array(values)[seen.target], each),
            "push": np.repeat(seen.push, each),
            "value": np.tile(values, (len(names), 1))[seen.side],
            "measured": truth,
            **{name: effects[seen.side] for name, (effects, _) in predicted.items()},
        }
    )
    return SideEffects(table, pairs)


def _standard_changes(scores: pd.DataFrame, spread: pd.Series) -> tuple[list[str], np.ndarray]:
    """Return interventions and changes ``(roles, interventions, values)`` in sd of the scores."""
    table = changes(scores)
    names = list(table.index.unique(0))
    roles = table.loc[names[0]].index
    stack = np.stack([table.loc[name].loc[roles].to_numpy(dtype=float) for name in names])
    return names, (stack / spread.to_numpy()).transpose(1, 0, 2)


class _Seen(NamedTuple):
    """What training roles tell of ``f`` interventions, over ``d`` values and ``j`` folds."""

    target: np.ndarray  # (f,): value with the largest effect, as a number
    push: np.ndarray  # (f,): effect on it
    side: np.ndarray  # (f, d), boolean: which values are no targets
    effect: np.ndarray  # (f, d): mean effects
    targets: np.ndarray  # (j, f): target, push and effects from the roles outside of each fold
    pushes: np.ndarray  # (j, f)
    rest: np.ndarray  # (j, f, d)
    held: np.ndarray  # (j, f, d): effects on the roles of each fold
    weight: np.ndarray  # (j,): number of roles of each fold


def _learn(changed: np.ndarray) -> _Seen:
    """Find targets and pushes in changes ``(roles, f, d)``."""
    fold = np.arange(len(changed)) % min(FOLDS, len(changed))
    parts = [fold == j for j in np.unique(fold)]
    effect = changed.mean(axis=0)
    rest = np.stack([changed[~part].mean(axis=0) for part in parts])
    held = np.stack([changed[part].mean(axis=0) for part in parts])
    target, targets = np.abs(effect).argmax(axis=-1), np.abs(rest).argmax(axis=-1)
    push = np.take_along_axis(effect, target[..., None], axis=-1)[..., 0]
    pushes = np.take_along_axis(rest, targets[..., None], axis=-1)[..., 0]
    side = np.arange(effect.shape[-1]) != target[:, None]
    weight = np.sum(parts, axis=1, dtype=float)
    return _Seen(target, push, side, effect, targets, pushes, rest, held, weight)


def _designs(seen: _Seen, predictor: Predictor) -> tuple[np.ndarray, np.ndarray]:
    """Return what the weights multiply: ``(f, d, m)``, and by fold ``(j, f, d, m)``."""
    of_target = np.moveaxis(predictor.matrices, 0, -1)  # (d, d, m)
    full, folds = of_target[seen.target], of_target[seen.targets]
    if predictor.per_push:
        full, folds = full * seen.push[:, None, None], folds * seen.pushes[..., None, None]
    return full, folds


def _predict(seen: _Seen, full: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, float]:
    """Learn weights from other targets; return predictions ``(f, d)`` and the mean weight."""
    d, m = full.shape[1:]
    apart = np.arange(d) != seen.targets[..., None]  # (j, f, d)
    root = np.sqrt(seen.weight)[:, None, None]
    x = folds * (apart * root)[..., None]
    y = seen.held * root
    gram = np.swapaxes(x, -1, -2) @ x  # (j, f, m, m)
    moment = (np.swapaxes(x, -1, -2) @ y[..., None])[..., 0]
    predicted, weights = np.zeros(seen.side.shape), []
    for value in np.unique(seen.target):
        other = (seen.target != value) & (seen.targets != value)
        sums = gram[other].sum(axis=0), moment[other].sum(axis=0)
        weights.append(np.linalg.lstsq(*sums, rcond=1e-10)[0])
        here = seen.target == value
        predicted[here] = full[here] @ weights[-1]
    return np.where(seen.side, predicted, 0.0), float(np.mean(weights)) if m == 1 else np.nan


def _intervals(seen, measured, predicted, reference, draws, seed) -> pd.DataFrame:
    """Return skill, rank correlation and lead of all predictors with their intervals."""
    rng = np.random.default_rng(seed)
    n, f, d = measured.shape
    # The first draw is the roles as they are.
    shares = np.concatenate([[np.full(n, 1 / n)], rng.multinomial(n, [1 / n] * n, size=draws) / n])
    drawn = (shares @ measured.reshape(n, -1)).reshape(-1, f, d)
    drawn = drawn[:, seen.side].reshape(-1, f, d - 1)
    targets, place = np.unique(seen.target, return_inverse=True)
    t = len(targets)
    copies = rng.multinomial(t, [1 / t] * t, size=draws)[:, place]
    copies = np.concatenate([np.ones((1, f)), copies])
    nothing = (copies * (drawn**2).sum(axis=-1)).sum(axis=1)
    ranks, size = _centred_ranks(drawn), np.abs(seen.push)
    skills, orders = [], []
    for prediction, _ in predicted.values():
        one = prediction[seen.side].reshape(f, d - 1)
        skills.append(1 - (copies * ((drawn - one) ** 2).sum(axis=-1)).sum(axis=1) / nothing)
        within = (ranks * _centred_ranks(one)).sum(axis=-1)
        orders.append((copies * size * within).sum(axis=1) / (copies * size).sum(axis=1))
    leads = skills[list(predicted).index(reference)] - np.array(skills)
    table = pd.DataFrame(index=pd.Index(predicted, name="predictor"))
    for name, numbers in (("skill", skills), ("rank", orders), ("lead", leads)):
        own, spread = np.array(numbers)[:, 0], np.array(numbers)[:, 1:]
        # The spread of the resamples, put around the estimate.
        low, high = np.quantile(spread, [0.025, 0.975], axis=1) - spread.mean(axis=1)
        ends = "" if name == "skill" else f"{name}_"
        table[name], table[f"{ends}low"] = own, own + np.minimum(low, 0)
        table[f"{ends}high"] = own + np.maximum(high, 0)
    table.insert(6, "p_value", np.nan)
    table.insert(7, "scale", [scale for _, scale in predicted.values()])
    return table


def _centred_ranks(numbers: np.ndarray) -> np.ndarray:
    """Return ranks along the last axis, centred and of length one; zeros where all are alike."""
    # Rounding must not make an order among predictions that are meant to be equal.
    ranks = rankdata(numbers.round(12), axis=-1)
    ranks = ranks - ranks.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(ranks, axis=-1, keepdims=True)
    return np.divide(ranks, length, out=np.zeros_like(ranks), where=length > 0)


def _check(train, test, predictors, baseline, reference) -> None:
    """Refuse what is no test out of sample, or cannot be computed."""
    others = {"test scores": list(test), "baseline scores": list(baseline)}
    for what, names in (others | {name: each.values for name, each in predictors.items()}).items():
        if sorted(names) != sorted(train):
            raise ValueError(f"{what} have other values than the training scores: {names}")
    if reference not in predictors:
        raise ValueError(f"reference {reference!r} is none of {', '.join(predictors)}")
    known, tested = set(train.index.unique(-1)), set(test.index.unique(-1))
    for side, roles in (("training", known), ("baseline", set(baseline.index.unique(-1)))):
        if roles & tested:
            raise ValueError(f"role {min(roles & tested)!r} is a test role and a {side} role")
    if min(len(known), len(tested)) < 2:
        raise ValueError("at least 2 training roles and 2 test roles are needed")
