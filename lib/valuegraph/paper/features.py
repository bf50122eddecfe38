"""Table 1 and the pies again: what is the chosen feature's own, and what any feature would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION
from valuegraph.paper.tables import change_signs, signatures


@dataclass(frozen=True, eq=False)
class Specificity:
    """How alike signatures are of the same feature and of different features.

    Attributes
    ----------
    similarity
        Mean cosine over values, features in the training roles x features in the test roles.
    p_value
        (1 + matchings of features at random that are as similar) / (1 + matchings).
    """

    similarity: pd.DataFrame
    p_value: float

    @property
    def same(self) -> float:
        """Mean over features of the similarity with themselves: that of table 1."""
        return float(np.diag(self.similarity).mean())

    @property
    def other(self) -> float:
        """Mean similarity of different features."""
        apart = ~np.eye(len(self.similarity), dtype=bool)
        return float(self.similarity.to_numpy()[apart].mean())

    @property
    def recognised(self) -> int:
        """Number of features that are most similar to themselves."""
        return int((self.similarity.to_numpy().argmax(axis=1) == range(len(self.similarity))).sum())


def specificity(
    train: pd.DataFrame,
    test: pd.DataFrame,
    values: Sequence[str],
    *,
    draws: int = 9999,
    seed: int = 0,
) -> Specificity:
    """Compare each feature's signature with those of all features in other roles.

    Parameters
    ----------
    train, test
        Scores of two sets of roles, with the same interventions.
    values
        Over which values similarities are averaged.
    draws
        Random matchings of features.
    seed
        Seed of the matchings.
    """
    values = list(values)
    first, second = (_signature_array(scores[values]) for scores in (train, test))
    names = sorted(first, key=lambda name: (len(name), name))
    a, b = (np.stack([part[name] for name in names]) for part in (first, second))
    similar = np.einsum("fvk,gvk->fgv", _unit(a), _unit(b)).mean(axis=2)
    rng = np.random.default_rng(seed)
    here = np.arange(len(names))
    matched = [similar[here, rng.permutation(len(names))].mean() for _ in range(draws)]
    as_similar = np.array(matched) >= np.diag(similar).mean() - 1e-12
    p_value = float((1 + as_similar.sum()) / (1 + draws))
    return Specificity(pd.DataFrame(similar, names, names), p_value)


@dataclass(frozen=True)
class Aim:
    """What became of the values aimed at, by one feature each and by instruction.

    All shares are net: moved as aimed less moved against, of all (value, role) pairs.

    Attributes
    ----------
    pairs
        Number of pairs.
    feature, instruction
        Net share by the feature that the authors chose, and by the instruction.
    any_feature
        Mean over all features.
    from_train
        By the feature that does best on the training roles: a choice that has not seen the test.
    same_choice
        For how many values that is the authors' feature.
    difference
        ``feature`` less ``instruction``.
    low, high
        95 % interval of the difference if roles are drawn anew.
    wide_low, wide_high
        The same if values are drawn anew, too.
    """

    pairs: int
    feature: float
    instruction: float
    any_feature: float
    from_train: float
    same_choice: int
    difference: float
    low: float
    high: float
    wide_low: float
    wide_high: float


def aim(
    train: pd.DataFrame,
    test: pd.DataFrame,
    prompted: pd.DataFrame,
    steering: Mapping[str, str],
    *,
    upwards: bool,
    resamples: int = 2000,
    seed: int = 0,
) -> Aim:
    """Hold features against an instruction, with an interval and two baselines.

    Parameters
    ----------
    train, test
        Scores of two sets of roles.
    prompted
        Index role: scores of the test roles under an instruction that names the value.
    steering
        Value -> intervention that the authors chose to move it.
    upwards
        Whether the aim was more of the value, or less.
    resamples
        Resamples of roles, and of roles and values.
    seed
        Seed of the resamples.
    """
    sign = 1 if upwards else -1
    values = list(steering)
    unsteered = test.xs(NO_INTERVENTION, level=0)[values]
    told = sign * np.sign((prompted.loc[unsteered.index, values] - unsteered).to_numpy())
    learnt, moved = (_moves(scores, values, sign) for scores in (train, test))
    names = sorted(moved)
    best = np.argmax([learnt[name].mean(axis=0) for name in names], axis=0)
    every = np.stack([moved[name].reindex(unsteered.index).to_numpy() for name in names])
    chosen = np.array([names.index(steering[value]) for value in values])
    here = np.arange(len(values))
    by_feature = every[chosen, :, here].T  # (roles, values)
    apart = by_feature - told
    rng = np.random.default_rng(seed)
    narrow, wide = np.empty((2, resamples))
    for k in range(resamples):
        roles = rng.integers(len(apart), size=len(apart))
        narrow[k] = apart[roles].mean()
        wide[k] = apart[np.ix_(roles, rng.integers(len(values), size=len(values)))].mean()
    ends = [np.quantile(each, [0.025, 0.975]) for each in (narrow, wide)]
    return Aim(
        pairs=apart.size,
        feature=float(by_feature.mean()),
        instruction=float(told.mean()),
        any_feature=float(every.mean()),
        from_train=float(every[best, :, here].mean()),
        same_choice=int((best == chosen).sum()),
        difference=float(apart.mean()),
        low=float(ends[0][0]),
        high=float(ends[0][1]),
        wide_low=float(ends[1][0]),
        wide_high=float(ends[1][1]),
    )


def _moves(scores: pd.DataFrame, values: list[str], sign: int) -> dict[str, pd.DataFrame]:
    """Return by intervention which way each value went in each role: 1 as aimed, -1 against."""
    signs = sign * change_signs(scores)[values]
    return {name: signs.xs(name, level=0) for name in signs.index.unique("intervention")}


def _signature_array(scores: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return by intervention the counts of up, down, same: ``(values, 3)``."""
    counts = signatures(scores)
    columns = list(scores.columns)
    names = counts.index.unique("intervention")
    return {name: counts.loc[name].loc[columns].to_numpy(dtype=float) for name in names}


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors on the last axis to length one."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
