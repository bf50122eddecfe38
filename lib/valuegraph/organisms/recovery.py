"""How well a known graph is found again, by number of roles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from valuegraph.discovery import discover
from valuegraph.graphs.graph import ValueGraph
from valuegraph.graphs.metrics import (
    arrow_precision,
    arrow_recall,
    skeleton_precision,
    skeleton_recall,
)

#: Metrics by the name of their column.
RECOVERY_METRICS = {
    "skeleton_precision": skeleton_precision,
    "skeleton_recall": skeleton_recall,
    "arrow_precision": arrow_precision,
    "arrow_recall": arrow_recall,
}

#: Searches that are compared: arrows by the majority rule, and by the original one.
RECOVERY_METHODS = ("pc", "pc-plain")


def recovery_runs(
    truth: ValueGraph,
    samples: Iterable[tuple[int, pd.DataFrame]],
    *,
    sizes: Sequence[int],
    alpha: float,
) -> pd.DataFrame:
    """Search for a known graph in growing parts of some samples.

    Parameters
    ----------
    truth
        The true CPDAG.
    samples
        Seed and scores (roles by values) of each sample.
    sizes
        Numbers of roles; the first so many of each sample are used.
    alpha
        Significance level.

    Returns
    -------
    pandas.DataFrame
        One row per sample, size and method: seed, n, method, exact (whether the skeleton is),
        and the metrics of `RECOVERY_METRICS`; the precision of arrows is NaN where none is claimed.

    Raises
    ------
    ValueError
        If there is no sample, or one has fewer roles than the largest size.
    """
    rows: list[dict] = []
    for seed, scores in samples:
        if len(scores) < max(sizes):
            raise ValueError(
                f"the sample of seed {seed} has {len(scores)} roles, size {max(sizes)} needs more"
            )
        for n in sizes:
            for method in RECOVERY_METHODS:
                guess = discover(scores.iloc[:n], method=method, alpha=alpha, null_draws=0)
                exact = bool(np.array_equal(guess.skeleton, truth.skeleton))
                metrics = {name: f(truth, guess) for name, f in RECOVERY_METRICS.items()}
                if not guess.directed_edges:  # where nothing is claimed, nothing is right or wrong
                    metrics["arrow_precision"] = np.nan
                rows.append({"seed": seed, "n": n, "method": method, "exact": exact, **metrics})
    if not rows:
        raise ValueError("there is no sample to search in; give at least one seed and one size")
    return pd.DataFrame(rows)
