"""How well a known graph is found again, by number of roles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from valuegraph.confidence import bootstrap
from valuegraph.discovery import discover
from valuegraph.graphs.comparison import compare_graphs
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

#: Searches that are compared, by method, and what each is called.
RECOVERY_METHODS = {"pc": "conservative PC", "pc-plain": "plain PC"}

#: Significance levels at which firm graphs are told.
FIRM_ALPHAS = (0.01, 0.05)

#: Share of resamples in which an edge or an arrow has to come out to be firm.
FIRM_THRESHOLD = 0.8

#: Number of resamples behind a firm graph.
FIRM_RESAMPLES = 200


def recovery_figures(
    truth: ValueGraph,
    samples: Iterable[tuple[int, pd.DataFrame]],
    *,
    sizes: Sequence[int],
    alpha: float,
) -> dict:
    """Measure how well a known graph is found again in some samples.

    Parameters
    ----------
    truth
        The true CPDAG.
    samples
        Seed and scores (roles by values) of each sample.
    sizes
        Numbers of roles; the first so many of each sample are used.
    alpha
        Significance level of the single searches.

    Returns
    -------
    dict
        Ready for JSON: ``alpha``; ``seeds``; ``edges`` of the truth; ``methods``, the searches and
        what they are called; ``exact_skeletons``, in how many samples the edges are exactly those
        of the truth, by size; ``runs``, the rows of :func:`recovery_runs`; ``firm``, the settings
        of :func:`firm_runs` and its rows.

    Raises
    ------
    ValueError
        As in :func:`recovery_runs`.
    """
    samples = list(samples)
    runs = recovery_runs(truth, samples, sizes=sizes, alpha=alpha)
    firm = firm_runs(truth, samples, sizes=sizes)
    exact = runs[runs["method"] == "pc"].groupby("n")["exact"].sum()
    return {
        "alpha": alpha,
        "seeds": [seed for seed, _ in samples],
        "edges": truth.n_edges,
        "methods": dict(RECOVERY_METHODS),
        "exact_skeletons": {str(n): int(count) for n, count in exact.items()},
        "runs": _records(runs),
        "firm": {
            "threshold": FIRM_THRESHOLD,
            "n_resamples": FIRM_RESAMPLES,
            "runs": _records(firm),
        },
    }


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
    truth, samples, sizes, alpha
        As in :func:`recovery_figures`.

    Returns
    -------
    pandas.DataFrame
        One row per sample, size and method: ``seed``, ``n``, ``method``, ``exact`` (whether the
        skeleton is), ``arrows`` that are claimed and ``arrows_right`` among them, and the metrics
        of `RECOVERY_METRICS`; the precision of arrows is NaN where none is claimed.

    Raises
    ------
    ValueError
        If there is no sample, or one has fewer roles than the largest size.
    """
    rows: list[dict] = []
    for seed, n, scores in _parts(samples, sizes):
        for method in RECOVERY_METHODS:
            guess = discover(scores, method=method, alpha=alpha, null_draws=0)
            metrics = {name: f(truth, guess) for name, f in RECOVERY_METRICS.items()}
            if not guess.directed_edges:  # where nothing is claimed, nothing is right or wrong
                metrics["arrow_precision"] = np.nan
            found = {"exact": compare_graphs(truth, guess).same_skeleton, **_arrows(truth, guess)}
            rows.append({"seed": seed, "n": n, "method": method, **found, **metrics})
    return pd.DataFrame(rows)


def firm_runs(
    truth: ValueGraph,
    samples: Iterable[tuple[int, pd.DataFrame]],
    *,
    sizes: Sequence[int],
) -> pd.DataFrame:
    """Hold what comes out in most resamples of the roles against a known graph.

    Conservative PC is run on `FIRM_RESAMPLES` resamples of each part at each of `FIRM_ALPHAS`; firm
    is what comes out in at least `FIRM_THRESHOLD` of them
    (:meth:`valuegraph.confidence.Confidence.graph`).

    Parameters
    ----------
    truth, samples, sizes
        As in :func:`recovery_figures`.

    Returns
    -------
    pandas.DataFrame
        One row per sample, size and level: ``seed``, ``n``, ``alpha``, firm ``edges``,
        ``edges_right`` among them, firm ``arrows`` and ``arrows_right``.

    Raises
    ------
    ValueError
        As in :func:`recovery_runs`.
    """
    rows: list[dict] = []
    for seed, n, scores in _parts(samples, sizes):
        for alpha in FIRM_ALPHAS:
            resampled = bootstrap(
                scores, alpha=alpha, n_resamples=FIRM_RESAMPLES, null_draws=0, seed=seed
            )
            guess = resampled.graph(threshold=FIRM_THRESHOLD)
            edges = {
                "edges": guess.n_edges,
                "edges_right": guess.n_edges - len(compare_graphs(truth, guess).extra),
            }
            rows.append({"seed": seed, "n": n, "alpha": alpha, **edges, **_arrows(truth, guess)})
    return pd.DataFrame(rows)


def _parts(
    samples: Iterable[tuple[int, pd.DataFrame]], sizes: Sequence[int]
) -> list[tuple[int, int, pd.DataFrame]]:
    """Return seed, size and the first so many rows, for every sample and size."""
    parts = []
    for seed, scores in samples:
        if len(scores) < max(sizes, default=0):
            raise ValueError(
                f"the sample of seed {seed} has {len(scores)} roles, size {max(sizes)} needs more"
            )
        parts += [(seed, n, scores.iloc[:n]) for n in sizes]
    if not parts:
        raise ValueError("there is no sample to search in; give at least one seed and one size")
    return parts


def _arrows(truth: ValueGraph, guess: ValueGraph) -> dict[str, int]:
    """Return how many arrows are claimed, and how many of them the truth has."""
    counts = compare_graphs(truth, guess).counts
    return {"arrows": counts["guessed_arrows"], "arrows_right": counts["right_arrows"]}


def _records(table: pd.DataFrame) -> list[dict]:
    """Return the rows of a table ready for JSON, with None for NaN."""
    return table.astype(object).where(table.notna(), None).to_dict(orient="records")
