"""What a metric is worth: its p-value and its interval, by one procedure for every metric.

A metric compares a truth with a guess, be they graphs or matrices. Two questions come with its
number. *Would any labels do?* The guess keeps its structure and has its labels permuted: the
p-value is the share of labellings that come as close (:func:`permutation_test`). *Would other roles
do?* Roles are drawn anew with replacement and the guess is found again (:func:`assess`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import pandas as pd

from valuegraph.checks import checked_scores
from valuegraph.discovery import discover
from valuegraph.graphs.causal_distances import CAUSAL_DISTANCES
from valuegraph.graphs.graph import ValueGraph
from valuegraph.graphs.metrics import METRICS
from valuegraph.matrices import MATRIX_METRICS

Structure = TypeVar("Structure", ValueGraph, pd.DataFrame)
Metric = Callable[[Structure, Structure], float]

DISTANCES = frozenset({"shd", "sid", "parent_aid", "ancestor_aid", "oset_aid"})
"""Metrics for which 0 is best; for all others of this package 1 is."""

CHUNK = 50  # pieces of work for one worker at a time; has no bearing on results


@dataclass(frozen=True)
class PermutationTest:
    """Whether a metric does better than with permuted labels.

    Attributes
    ----------
    value
        The metric with the labels as they are.
    p_value
        (1 + labellings at least as close) / (1 + labellings tried): exact for any number of them.
    null_mean
        Mean of the metric over permuted labels: what the structure alone gives.
    draws
        Number of labellings tried.
    """

    value: float
    p_value: float
    null_mean: float
    draws: int


@dataclass(frozen=True)
class Assessment:
    """A metric with its permutation test and its interval.

    Attributes
    ----------
    metric
        Name of the metric.
    value
        The metric.
    low, high
        Ends of the bootstrap interval over roles, for the number of roles that there are.
    level
        Coverage that the interval aims at.
    p_value, null_mean
        As in :class:`PermutationTest`.
    """

    metric: str
    value: float
    low: float
    high: float
    level: float
    p_value: float
    null_mean: float

    def __repr__(self) -> str:
        return (
            f"<{self.metric} {self.value:.3g}, {self.level:.0%} interval {self.low:.3g} to "
            f"{self.high:.3g}; with permuted labels {self.null_mean:.3g}, p = {self.p_value:.2g}>"
        )


def permutation_test(
    metric: Metric,
    truth: Structure,
    guess: Structure,
    *,
    draws: int = 999,
    larger_is_closer: bool | None = None,
    seed: int = 0,
    n_jobs: int = 1,
) -> PermutationTest:
    """Test whether a guess is closer to the truth than the same guess with permuted labels.

    Parameters
    ----------
    metric
        Any function ``(truth, guess) -> float``.
    truth, guess
        Two graphs, or two matrices, over the same values.
    draws
        Number of random labellings; the smallest possible p-value is 1 / (draws + 1).
    larger_is_closer
        Whether larger numbers of the metric are better. Known for the metrics of this package.
    seed
        Seed of the labellings.
    n_jobs
        Number of workers (see joblib); has no influence on the result.

    Returns
    -------
    PermutationTest
        A metric that has no number for some labelling (NaN) counts as close there.

    Raises
    ------
    ValueError
        If there are no draws, or the direction of a metric of one's own is not told.

    References
    ----------
    Phipson, B., Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical
    Applications in Genetics and Molecular Biology 9(1), 39.
    """
    if draws < 1:
        raise ValueError(f"a permutation test needs at least 1 draw, got {draws}")
    sign = 1 if _larger_is_closer(metric, larger_is_closer) else -1
    rng = np.random.default_rng(seed)
    d = len(guess.values if isinstance(guess, ValueGraph) else guess.columns)
    orders = rng.permuted(np.tile(np.arange(d), (draws, 1)), axis=1)
    null = _spread(partial(_with_labels, metric, truth, guess), list(orders), n_jobs)
    value = metric(truth, guess)
    # The slack lets labellings that change nothing count as equal in spite of rounding.
    at_least_as_close = ~(sign * null < sign * value - 1e-12)
    return PermutationTest(
        value=value,
        p_value=float((1 + at_least_as_close.sum()) / (1 + draws)),
        null_mean=_mean(null),
        draws=draws,
    )


def assess(
    metric: Metric,
    truth: Structure,
    scores: pd.DataFrame,
    *,
    find: Callable[[pd.DataFrame], Structure] | None = None,
    draws: int = 999,
    resamples: int = 200,
    level: float = 0.95,
    larger_is_closer: bool | None = None,
    seed: int = 0,
    n_jobs: int = 1,
) -> Assessment:
    """Compare what is found in scores with the truth: number, p-value and interval.

    Parameters
    ----------
    metric
        Any function ``(truth, guess) -> float``.
    truth
        A graph or a matrix.
    scores
        One row per role, one column per value.
    find
        Makes the guess of scores. By default :func:`~valuegraph.discovery.discover` (without null)
        if the truth is a graph, and Pearson correlations if it is a matrix.
    draws
        Permuted labellings of the guess.
    resamples
        Samples of as many roles, drawn with replacement.
    level
        Coverage of the interval.
    larger_is_closer, seed, n_jobs
        As in :func:`permutation_test`.

    Returns
    -------
    Assessment
        The metric with its p-value and interval.

    Raises
    ------
    ValueError
        If the scores are not in order, or an option is out of its range.

    Notes
    -----
    A resample repeats roles, so what is found in it is noisier than what is found in the data, and
    agrees less with any truth. Its quantiles as they are would often miss the metric itself. The
    interval takes only their distance from the mean of the resamples and puts it around the metric,
    cut off at the metric's own bounds. It speaks of this number of roles: more roles would agree
    better.
    """
    if resamples < 2:
        raise ValueError(f"an interval needs at least 2 resamples, got {resamples}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, like 0.95, got {level!r}")
    checked_scores(scores)
    rows = scores.reset_index(drop=True)
    if find is None:
        is_graph = isinstance(truth, ValueGraph)
        find = partial(discover, null_draws=0) if is_graph else pd.DataFrame.corr
    test = permutation_test(
        metric, truth, find(rows), draws=draws, larger_is_closer=larger_is_closer, seed=seed,
        n_jobs=n_jobs,
    )  # fmt: skip
    seeds = [(seed, number) for number in range(resamples)]
    again = _spread(partial(_found_again, metric, truth, rows, find), seeds, n_jobs)
    low, high = _around(test.value, again, level)
    closer_up = _larger_is_closer(metric, larger_is_closer)
    if metric.__name__ in {**METRICS, **CAUSAL_DISTANCES, **MATRIX_METRICS}:
        worst = -1.0 if metric.__name__ in MATRIX_METRICS else 0.0
        low, high = max(low, worst), (min(high, 1.0) if closer_up else high)
    return Assessment(metric.__name__, test.value, low, high, level, test.p_value, test.null_mean)


def _larger_is_closer(metric: Metric, told: bool | None) -> bool:
    """Return which way a metric is better, or ask."""
    if told is not None:
        return told
    name = getattr(metric, "__name__", repr(metric))
    if name not in {**METRICS, **CAUSAL_DISTANCES, **MATRIX_METRICS}:
        raise ValueError(
            f"whether more or less of {name} is better is not known; say larger_is_closer=True "
            f"or False"
        )
    return name not in DISTANCES


def _with_labels(metric: Metric, truth: Structure, guess: Structure, order: np.ndarray) -> float:
    """Return the metric with the guess's labels in another order."""
    if isinstance(guess, ValueGraph):
        relabelled = ValueGraph(guess.values, guess.adjacency[np.ix_(order, order)])
    else:
        matrix = guess.to_numpy()[np.ix_(order, order)]
        relabelled = pd.DataFrame(matrix, guess.index, guess.columns)
    return metric(truth, relabelled)


def _found_again(
    metric: Metric,
    truth: Structure,
    rows: pd.DataFrame,
    find: Callable[[pd.DataFrame], Structure],
    seed: tuple[int, int],
) -> float:
    """Return the metric of what is found in one resample of the rows."""
    drawn = np.random.default_rng(seed).integers(len(rows), size=len(rows))
    return metric(truth, find(rows.iloc[drawn].reset_index(drop=True)))


def _spread(work: Callable[..., float], pieces: list, n_jobs: int) -> np.ndarray:
    """Do work on each piece, on one or more workers, and return the numbers in order."""
    if n_jobs == 1:
        return np.array([work(piece) for piece in pieces])
    from joblib import Parallel, delayed

    return np.array(Parallel(n_jobs=n_jobs, batch_size=CHUNK)(delayed(work)(p) for p in pieces))


def _around(value: float, resampled: np.ndarray, level: float) -> tuple[float, float]:
    """Return the spread of resampled numbers, put around the number itself."""
    known = resampled[~np.isnan(resampled)]
    if np.isnan(value) or not len(known):
        return float("nan"), float("nan")
    ends = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]) - known.mean()
    return float(value + min(ends[0], 0.0)), float(value + max(ends[1], 0.0))


def _mean(numbers: np.ndarray) -> float:
    """Return the mean of the numbers that are there; NaN if there is none."""
    known = numbers[~np.isnan(numbers)]
    return float(known.mean()) if len(known) else float("nan")
