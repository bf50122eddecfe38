"""Counting edges over resamples, in chunks that may run in parallel."""

from __future__ import annotations

import numpy as np

from valuegraph.search.contexts import ContextProblem
from valuegraph.search.problem import Problem

CHUNK = 50
"""Resamples that are searched together. Fixed, so that results do not hang on the workers."""


def count_resamples(
    problem: Problem | ContextProblem,
    *,
    method: str,
    alpha: float,
    n_resamples: int,
    null_draws: int,
    null_resamples: int,
    seed: int,
    n_jobs: int,
    progress: bool,
) -> np.ndarray:
    """Resample a problem and draws of its null, and count what the search finds.

    Options are those of :func:`valuegraph.confidence.bootstrap`.

    Returns
    -------
    numpy.ndarray
        Counts ``(1 + null_draws, 4, d, d)`` in the order of ``problem.names``: first the problem,
        then its null; of edges, arrows, heads and ancestors. The null counts only pairs whose
        dependence it removed.

    Raises
    ------
    ValueError
        If there is no resample to count.
    """
    from joblib import Parallel, delayed
    from rich.progress import track

    if n_resamples < 1 or null_resamples < 1:
        raise ValueError(
            f"at least one resample is needed, got n_resamples {n_resamples!r} and "
            f"null_resamples {null_resamples!r}"
        )
    own, nulls = np.random.SeedSequence(seed).spawn(2)
    jobs = [(0, problem, part) for part in _chunks(own.spawn(n_resamples))]
    for number, null_seed in enumerate(nulls.spawn(null_draws), start=1):
        draw_seed, resample_seed = null_seed.spawn(2)
        null = problem.independent(np.random.default_rng(draw_seed))
        jobs += [(number, null, part) for part in _chunks(resample_seed.spawn(null_resamples))]
    done = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_counted)(each, seeds, method, alpha) for _, each, seeds in jobs
    )
    d = len(problem.names)
    totals = np.zeros((1 + null_draws, 4, d, d))
    steps = track(done, "resampling", total=len(jobs), disable=not progress)
    for (number, _, _), counts in zip(jobs, steps, strict=True):
        totals[number] += counts
    totals[1:] *= problem.under_null
    return totals


def _chunks(seeds: list[np.random.SeedSequence]) -> list[list[np.random.SeedSequence]]:
    """Split seeds into chunks of ``CHUNK``."""
    return [seeds[i : i + CHUNK] for i in range(0, len(seeds), CHUNK)]


def _counted(
    problem: Problem | ContextProblem,
    seeds: list[np.random.SeedSequence],
    method: str,
    alpha: float,
) -> np.ndarray:
    """Search one resample per seed; return counts of edges, arrows, heads, ancestors."""
    draws = [problem.resampled(np.random.default_rng(seed)) for seed in seeds]
    found = problem.search(draws, method, alpha)
    parts = (found.skeleton, found.directed, found.heads, found.ancestors)
    return np.stack([part.sum(axis=0) for part in parts]).astype(float)
