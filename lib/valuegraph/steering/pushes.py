"""Pushes: what training roles tell of interventions, and what predictors learn from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.steering.changes import changes_of_scores
from valuegraph.steering.predictors import Predictor

FOLDS = 5
"""Parts of the training roles of which each in turn lends its side effects while learning."""


def standard_changes(scores: pd.DataFrame, spread: pd.Series) -> tuple[list[str], np.ndarray]:
    """Return the change of every role under every intervention, in standard deviations.

    Parameters
    ----------
    scores
        Index ``(intervention, role)``, columns values.
    spread
        Standard deviation of each value without intervention.

    Returns
    -------
    names : list of str
        Interventions, in the order of the scores.
    changes : numpy.ndarray
        Shape ``(roles, interventions, values)``.

    Raises
    ------
    ValueError
        As :func:`valuegraph.steering.changes.changes_of_scores`.
    """
    changes = changes_of_scores(scores)
    roles = next(iter(changes.values())).index
    stack = np.stack([change.loc[roles].to_numpy(dtype=float) for change in changes.values()])
    return list(changes), (stack / spread[list(scores.columns)].to_numpy()).transpose(1, 0, 2)


@dataclass(frozen=True, eq=False)
class Pushes:
    """What is known of ``f`` interventions from training roles, over ``d`` values and ``j`` folds.

    Attributes
    ----------
    target
        Value with the largest effect, as a number, shape ``(f,)``.
    push
        Effect on it, shape ``(f,)``.
    side
        Which values are no targets, boolean ``(f, d)``.
    effect
        Mean effects, shape ``(f, d)``.
    targets, pushes, rest
        Target, push and effects from the roles outside of each fold, shapes ``(j, f)``, ``(j, f)``
        and ``(j, f, d)``.
    held
        Effects on the roles of each fold, shape ``(j, f, d)``.
    weight
        Number of roles of each fold, shape ``(j,)``.
    """

    target: np.ndarray
    push: np.ndarray
    side: np.ndarray
    effect: np.ndarray
    targets: np.ndarray
    pushes: np.ndarray
    rest: np.ndarray
    held: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, changes: np.ndarray) -> Pushes:
        """Find targets and pushes in changes ``(roles, f, d)``."""
        fold = np.arange(len(changes)) % min(FOLDS, len(changes))
        parts = [fold == j for j in np.unique(fold)]
        effect, side, target, push = _aims(changes.mean(axis=0))
        rest = np.stack([changes[~part].mean(axis=0) for part in parts])
        _, _, targets, pushes = _aims(rest)
        held = np.stack([changes[part].mean(axis=0) for part in parts])
        weight = np.array([part.sum() for part in parts], dtype=float)
        return cls(target, push, side, effect, targets, pushes, rest, held, weight)

    def designs(self, predictor: Predictor) -> tuple[np.ndarray, np.ndarray]:
        """Return what the weights multiply: ``(f, d, m)``, and by fold ``(j, f, d, m)``."""
        of_target = np.moveaxis(predictor.matrices, 0, -1)  # (d, d, m)
        full, folds = of_target[self.target], of_target[self.targets]
        if predictor.per_push:
            full, folds = full * self.push[:, None, None], folds * self.pushes[..., None, None]
        return full, folds

    def own_designs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the same where the intervention itself has been seen, on other roles."""
        return self.effect[..., None], self.rest[..., None]

    def predict(self, full: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, float]:
        """Learn weights from other targets; return predictions ``(f, d)`` and the mean weight."""
        d, m = full.shape[1:]
        apart = np.arange(d) != self.targets[..., None]  # (j, f, d)
        x = folds * (apart * np.sqrt(self.weight)[:, None, None])[..., None]
        y = self.held * np.sqrt(self.weight)[:, None, None]
        gram = np.swapaxes(x, -1, -2) @ x  # (j, f, m, m)
        moment = (np.swapaxes(x, -1, -2) @ y[..., None])[..., 0]
        predicted, weights = np.zeros(self.side.shape), []
        for value in np.unique(self.target):
            other = (self.target != value) & (self.targets != value)
            weights.append(
                np.linalg.lstsq(gram[other].sum(axis=0), moment[other].sum(axis=0), rcond=1e-10)[0]
            )
            here = self.target == value
            predicted[here] = full[here] @ weights[-1]
        scale = float(np.mean(weights)) if m == 1 else float("nan")
        return np.where(self.side, predicted, 0.0), scale


def _aims(effect: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return effects ``(..., f, d)``, where they are side effects, their targets and pushes."""
    target = np.abs(effect).argmax(axis=-1)
    push = np.take_along_axis(effect, target[..., None], axis=-1)[..., 0]
    side = np.arange(effect.shape[-1]) != target[..., None]
    return effect, side, target, push
