"""Table 1 and the pies again: what is the chosen feature's own, and what any feature would do."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from studies.paper.tables import change_signs, feature_similarity, unsteered_rows


class Specificity(NamedTuple):
    """How alike signatures are of the same feature and of different features."""

    same: float  # mean similarity of features with themselves, that of table 1
    other: float  # mean similarity of different features
    recognised: int  # features that are most similar to themselves
    p_value: float  # of matchings of features at random being as similar


def specificity(
    train: pd.DataFrame,
    test: pd.DataFrame,
    values: Sequence[str],
    *,
    draws: int = 9999,
    seed: int = 0,
) -> Specificity:
    """Compare each feature's signature with those of all features in other roles.

    Similarities are averaged over `values`; `draws` matchings of features are drawn at random.
    """
    similar = feature_similarity(train, test, values).to_numpy()
    rng, here = np.random.default_rng(seed), np.arange(len(similar))
    same = similar[here, here].mean()
    matched = [similar[here, rng.permutation(len(here))].mean() for _ in range(draws)]
    as_similar = np.array(matched) >= same - 1e-12  # slack for rounding
    return Specificity(
        same=float(same),
        other=float(similar[here[:, None] != here].mean()),
        recognised=int((similar.argmax(axis=1) == here).sum()),
        p_value=float((1 + as_similar.sum()) / (1 + draws)),
    )


class Aim(NamedTuple):
    """Net shares (moved as aimed less moved against) of all pairs of a value and a role."""

    pairs: int
    feature: float  # by the feature that the authors chose
    instruction: float  # by the instruction
    any_feature: float  # mean over all features
    from_train: float  # by the feature that does best on the training roles, unseen by the test
    same_choice: int  # values for which that is the authors' feature
    difference: float  # feature less instruction
    low: float  # 95 % interval of the difference if roles are drawn anew
    high: float
    wide_low: float  # the same if values are drawn anew, too
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
    steering, upwards
        Value -> intervention chosen to move it, and whether upwards.
    resamples, seed
        Resamples of roles (and of roles and values), and their seed.
    """
    sign, values = 1 if upwards else -1, list(steering)
    unsteered = unsteered_rows(test)[values]
    instructed = sign * np.sign((prompted.loc[unsteered.index, values] - unsteered).to_numpy())
    # Which way each value went in each role, by feature: 1 as aimed, -1 against.
    learnt, moved = (sign * change_signs(scores)[values] for scores in (train, test))
    names = sorted(moved.index.unique("intervention"))
    best = np.argmax([learnt.loc[name].mean(axis=0) for name in names], axis=0)
    every = np.stack([moved.loc[name].reindex(unsteered.index).to_numpy() for name in names])
    chosen = np.array([names.index(steering[value]) for value in values])
    here = np.arange(len(values))
    by_feature = every[chosen, :, here].T  # (roles, values)
    apart = by_feature - instructed
    rng = np.random.default_rng(seed)
    again = np.empty((resamples, 2))
    for k in range(resamples):
        roles = apart[rng.integers(len(apart), size=len(apart))]
        again[k] = roles.mean(), roles[:, rng.integers(len(values), size=len(values))].mean()
    (low, wide_low), (high, wide_high) = np.quantile(again, [0.025, 0.975], axis=0)
    return Aim(
        pairs=apart.size,
        feature=float(by_feature.mean()),
        instruction=float(instructed.mean()),
        any_feature=float(every.mean()),
        from_train=float(every[best, :, here].mean()),
        same_choice=int((best == chosen).sum()),
        difference=float(apart.mean()),
        low=float(low),
        high=float(high),
        wide_low=float(wide_low),
        wide_high=float(wide_high),
    )
