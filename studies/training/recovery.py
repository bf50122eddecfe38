"""How well a known graph comes out of scores again, by number of roles."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from valuegraph import metrics
from valuegraph.confidence import bootstrap
from valuegraph.discovery import discover
from valuegraph.graph import ValueGraph

#: Searches that are compared, by method, and what each is called.
METHODS = {"pc": "conservative PC", "pc-plain": "plain PC"}
ALPHA = 0.01

#: An edge or an arrow is firm that comes out in this share of so many resamples, at these alphas.
FIRM_THRESHOLD, FIRM_RESAMPLES, FIRM_ALPHAS = 0.8, 200, (0.01, 0.05)

_METRICS = ("skeleton_precision", "skeleton_recall", "arrow_precision", "arrow_recall")


def recovery_figures(
    truth: ValueGraph, samples: Mapping[int, pd.DataFrame], *, sizes: Sequence[int]
) -> dict:
    """Search for a known CPDAG in the first so many rows (`sizes`) of scores, by seed.

    Returns, ready for JSON: ``alpha``, ``seeds``, ``edges`` of the truth, ``methods``;
    ``exact_skeletons``, in how many samples PC's edges are exactly those of the truth, by size;
    ``runs``, a row for each sample, size and method; ``firm``, settings and, in ``runs``, a row for
    each sample, size and alpha on what conservative PC finds in most resamples.
    """
    runs, firm = [], []
    for seed, sample in samples.items():
        if len(sample) < max(sizes):
            raise ValueError(f"the sample of seed {seed} has {len(sample)} roles, not {max(sizes)}")
        for n in sizes:
            scores, row = sample.iloc[:n], {"seed": seed, "n": n}
            for method in METHODS:
                guess = discover(scores, method=method, alpha=ALPHA, null_draws=0)
                guess = guess.among(truth.values)
                exact = bool((guess.skeleton == truth.skeleton).all())
                part = {"method": method, "exact": exact, **_arrows(truth, guess)}
                part |= {name: float(getattr(metrics, name)(truth, guess)) for name in _METRICS}
                if not guess.directed_edges:  # where nothing is claimed, nothing is right or wrong
                    part["arrow_precision"] = None
                runs.append(row | part)
            for alpha in FIRM_ALPHAS:
                options = {"n_resamples": FIRM_RESAMPLES, "null_draws": 0, "seed": seed}
                resampled = bootstrap(scores, method="pc", alpha=alpha, **options)
                guess = resampled.graph(threshold=FIRM_THRESHOLD).among(truth.values)
                right = int(np.triu(guess.skeleton & truth.skeleton).sum())
                part = {"alpha": alpha, "edges": guess.n_edges, "edges_right": right}
                firm.append(row | part | _arrows(truth, guess))
    exact = {n: sum(r["exact"] for r in runs if (r["method"], r["n"]) == ("pc", n)) for n in sizes}
    return {
        "alpha": ALPHA,
        "seeds": list(samples),
        "edges": truth.n_edges,
        "methods": METHODS,
        "exact_skeletons": {str(n): count for n, count in exact.items()},
        "runs": runs,
        "firm": {"threshold": FIRM_THRESHOLD, "n_resamples": FIRM_RESAMPLES, "runs": firm},
    }


def _arrows(truth: ValueGraph, guess: ValueGraph) -> dict[str, int]:
    """Return how many arrows are claimed, and how many of them the truth has."""
    counts = metrics.compare_graphs(truth, guess).counts
    return {"arrows": int(counts["guessed_arrows"]), "arrows_right": int(counts["right_arrows"])}
