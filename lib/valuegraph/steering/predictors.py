"""Predictors of side effects: what one may know before steering of what steering drags along.

A predictor says by how much each value moves per unit by which the target moves, all in standard
deviations of the scores without intervention. It is a sum of known matrices whose weights are
learned from interventions on *other* targets: one matrix and so one weight, its scale, for a graph
or correlations; one matrix for each distance on the circle; one for each value's own readiness to
move.

Why a graph may beat correlations. A push of ``k`` moves what ``k`` causes, by its total effects
(:mod:`valuegraph.graphs.total_effects`). Correlations expect the causes of ``k`` to move as well,
and whatever has a cause in common with it: right about descendants, wrong about ancestors and
siblings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.graphs.graph import ValueGraph
from valuegraph.graphs.total_effects import reached, total_effects
from valuegraph.humans import HumanReference, load_human
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.matrices import circle_distances
from valuegraph.organisms.scm import StructuralModel


@dataclass(frozen=True, eq=False)
class Predictor:
    """What a prediction of side effects is made of.

    Attributes
    ----------
    values
        Names of the ``d`` values.
    matrices
        Shape ``(m, d, d)``: ``[:, k, w]`` says what a push of ``k`` does to ``w``. The prediction
        is their weighted sum; entries on the diagonal play no part.
    per_push
        Whether the prediction grows with the effect on the target. Otherwise every intervention is
        predicted to do the same.
    by_label
        Whether it matters which value is which, so that permuting the labels tests something.

    Raises
    ------
    ValueError
        If the shape does not fit, or an entry is not finite.
    """

    values: tuple[str, ...]
    matrices: np.ndarray
    per_push: bool = True
    by_label: bool = True

    def __post_init__(self) -> None:
        matrices = np.array(self.matrices, dtype=float)
        d = len(self.values)
        if matrices.ndim != 3 or matrices.shape[1:] != (d, d):
            raise ValueError(f"{d} values need matrices (m, {d}, {d}), got {matrices.shape}")
        if not np.isfinite(matrices).all():
            raise ValueError("a predictor needs finite numbers; some entry is none")
        matrices.setflags(write=False)
        object.__setattr__(self, "values", tuple(self.values))
        object.__setattr__(self, "matrices", matrices)

    @classmethod
    def of(cls, *matrices: pd.DataFrame) -> Predictor:
        """Make a predictor of frames, cause in rows and effect in columns, each with a weight."""
        values = list(matrices[0].columns)
        return cls(tuple(values), np.stack([m.loc[values, values].to_numpy() for m in matrices]))

    def relabelled(self, order: np.ndarray) -> Predictor:
        """Return the same predictor with its labels permuted."""
        matrices = self.matrices[:, order][:, :, order]
        return Predictor(self.values, matrices, self.per_push, self.by_label)


def from_graph(graph: ValueGraph, scores: pd.DataFrame) -> Predictor:
    """Predict total effects where the graph says that a push may arrive, and zero elsewhere.

    Parameters
    ----------
    graph
        A graph over the values, as of :func:`valuegraph.discovery.discover`.
    scores
        Scores without intervention, roles by values; they tell the sizes.
    """
    effects = total_effects(graph, scores.corr())
    return Predictor.of(effects.where(reached(graph), 0.0))


def from_adjustment(graph: ValueGraph, scores: pd.DataFrame) -> Predictor:
    """Predict total effects on all values, also on those that the graph does not reach.

    This is IDA as published: the graph says no more than which parents to hold fixed. Where it has
    no edges, the prediction is the correlation.

    Parameters
    ----------
    graph, scores
        As for :func:`from_graph`.
    """
    return Predictor.of(total_effects(graph, scores.corr()))


def from_reach(reach: pd.DataFrame, scores: pd.DataFrame) -> Predictor:
    """Predict the correlation where a push may arrive, and zero elsewhere.

    Parameters
    ----------
    reach
        Boolean, cause in rows and effect in columns, as of
        :func:`valuegraph.graphs.total_effects.reached`.
    scores
        As for :func:`from_graph`.
    """
    correlation = scores.corr()
    return Predictor.of(correlation * reach.loc[correlation.index, correlation.columns])


def from_correlations(scores: pd.DataFrame) -> Predictor:
    """Predict the correlation, which is the slope of a regression in standard deviations."""
    return Predictor.of(scores.corr())


def from_partial_correlations(scores: pd.DataFrame) -> Predictor:
    """Predict the slope of a regression on the target and all other values."""
    values = list(scores.columns)
    precision = np.linalg.inv(scores.corr().to_numpy())
    slopes = -precision / np.diag(precision)  # [k, w]: weight of k in the regression of w
    return Predictor.of(pd.DataFrame(slopes, values, values))


def from_circle(values: Sequence[str] = SCHWARTZ_ORDER) -> Predictor:
    """Predict by distance on Schwartz's circle: one weight for each distance that occurs.

    Any curve over distance is allowed, so that a cosine is, too.
    """
    distances = circle_distances(values).to_numpy()
    steps = np.unique(distances[distances > 0])
    return Predictor(tuple(values), np.stack([distances == step for step in steps]))


def from_people(
    values: Sequence[str] = SCHWARTZ_ORDER, reference: HumanReference | None = None
) -> Predictor:
    """Predict the correlation in people, by default in the primary reference."""
    reference = load_human() if reference is None else reference
    return Predictor.of(reference.correlation.loc[list(values), list(values)])


def from_truth(truth: StructuralModel) -> Predictor:
    """Predict the true total effects, in standard deviations."""
    sd = np.sqrt(np.diag(truth.covariance))
    return Predictor(truth.values, (truth.total_effects.T * sd[:, None] / sd)[None])


def from_base_rates(values: Sequence[str], *, per_push: bool = True) -> Predictor:
    """Predict what a value does whatever is pushed: one weight for each value.

    Parameters
    ----------
    values
        The values.
    per_push
        Whether a value moves in proportion to the target, or by the same amount every time: the
        mean effect of other interventions on it.
    """
    d = len(values)
    columns = np.broadcast_to(np.eye(d)[:, None], (d, d, d))  # [m, k, w]: w is m
    return Predictor(tuple(values), columns, per_push, by_label=False)


def from_nothing(values: Sequence[str]) -> Predictor:
    """Predict no side effects."""
    return Predictor(tuple(values), np.zeros((0, len(values), len(values))), by_label=False)
