"""Two graphs side by side: which edges they share, which not, and every metric in one table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from valuegraph.graphs.graph import Edge, ValueGraph
from valuegraph.graphs.metrics import METRICS, aligned


@dataclass(frozen=True, eq=False, repr=False)
class GraphComparison:
    """What a guessed graph has in common with the true one.

    The six lists of edges are disjoint and cover every edge of either graph.

    Attributes
    ----------
    truth, guess
        The two graphs.
    metrics
        Every metric of :data:`valuegraph.graphs.metrics.METRICS` by name.
    agreed
        Edges that are the same in both graphs.
    missing
        Edges of the truth that the guess lacks.
    extra
        Edges of the guess that the truth lacks.
    reversed
        Arrows of the guess that point against the truth, as the truth has them.
    undirected
        Arrows of the truth whose edge has no direction in the guess, as the truth has them.
    directed
        Arrows of the guess whose edge has no direction in the truth, as the guess has them.
    """

    truth: ValueGraph
    guess: ValueGraph
    metrics: Mapping[str, float]
    agreed: tuple[Edge, ...]
    missing: tuple[Edge, ...]
    extra: tuple[Edge, ...]
    reversed: tuple[Edge, ...]
    undirected: tuple[Edge, ...]
    directed: tuple[Edge, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of edges and arrows of both graphs, and of each kind of agreement."""
        lists = ("agreed", "missing", "extra", "reversed", "undirected", "directed")
        return {
            "true_edges": self.truth.n_edges,
            "guessed_edges": self.guess.n_edges,
            "true_arrows": len(self.truth.directed_edges),
            "guessed_arrows": len(self.guess.directed_edges),
            "right_arrows": len(set(self.truth.directed_edges) & set(self.guess.directed_edges)),
            **{name: len(getattr(self, name)) for name in lists},
        }

    @property
    def same_skeleton(self) -> bool:
        """Whether both graphs have the same adjacencies."""
        return not self.missing and not self.extra

    def to_dict(self) -> dict[str, float | int | None]:
        """Return metrics and counts in one flat dictionary, ready for JSON (None for NaN)."""
        metrics = {name: None if math.isnan(m) else m for name, m in self.metrics.items()}
        return {**metrics, **self.counts}

    def summary(self) -> str:
        """Return the comparison in one line."""
        c = self.counts
        return (
            f"SHD {self.metrics['shd']:.0f}: {c['true_edges'] - c['missing']} of {c['true_edges']} "
            f"edges found, {c['extra']} extra; {c['right_arrows']} of {c['true_arrows']} arrows "
            f"found, {c['reversed']} reversed, {c['undirected']} left undirected, "
            f"{c['directed']} undirected ones given a direction"
        )

    def __repr__(self) -> str:
        return f"<GraphComparison: {self.summary()}>"

    def _repr_html_(self) -> str:
        import pandas as pd

        c = self.counts
        # By convention the precision of no claim is 1; a reader should not take it for a success.
        unclaimed = {"skeleton_precision"} if not c["guessed_edges"] else set()
        unclaimed |= {"arrow_precision"} if not c["guessed_arrows"] else set()

        def share(name: str) -> str:
            number = self.metrics[name]
            return "–" if name in unclaimed or math.isnan(number) else f"{number:.2f}"

        rows = {
            "edges": [c["true_edges"], c["guessed_edges"], c["true_edges"] - c["missing"]]
            + [share(f"skeleton_{name}") for name in ("precision", "recall", "f1")],
            "arrows": [c["true_arrows"], c["guessed_arrows"], c["right_arrows"]]
            + [share(f"arrow_{name}") for name in ("precision", "recall", "f1")],
        }
        columns = ["in truth", "in guess", "shared", "precision", "recall", "F1"]
        counted = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        differing = {
            "missing": self._listed(self.missing, self.truth),
            "extra": self._listed(self.extra, self.guess),
            "reversed (truth)": self._listed(self.reversed, self.truth),
            "left undirected (truth)": self._listed(self.undirected, self.truth),
            "given a direction (guess)": self._listed(self.directed, self.guess),
        }
        listed = pd.DataFrame(
            [(kind, edges) for kind, edges in differing.items() if edges],
            columns=["difference", "edges"],
        )
        parts = [counted.to_html(border=0)]
        if len(listed):
            with pd.option_context("display.max_colwidth", None):
                parts.append(listed.to_html(border=0, index=False))
        parts.append(
            f"<p>SHD {self.metrics['shd']:.0f}; direction right in "
            f"{share('orientation_accuracy')} of the shared edges</p>"
        )
        return "\n".join(parts)

    @staticmethod
    def _listed(edges: tuple[Edge, ...], graph: ValueGraph) -> str:
        """Return edges as text, with the direction that the graph gives them."""
        directed = set(graph.directed_edges)
        return ", ".join(f"{a} {'→' if (a, b) in directed else '—'} {b}" for a, b in edges)


def compare_graphs(truth: ValueGraph, guess: ValueGraph) -> GraphComparison:
    """Compare a guessed graph with the true one, edge by edge.

    Parameters
    ----------
    truth, guess
        Graphs over the same values, in any order.

    Raises
    ------
    ValueError
        If the graphs are over different values.
    """
    a, b = aligned(truth, guess)
    kinds: dict[str, list[Edge]] = {
        kind: [] for kind in ("agreed", "missing", "extra", "reversed", "undirected", "directed")
    }
    for i, j in np.argwhere(np.triu(a | a.T | b | b.T)):
        true, guessed = (bool(a[i, j]), bool(a[j, i])), (bool(b[i, j]), bool(b[j, i]))
        if true == guessed:
            kind, marks = "agreed", true
        elif not any(guessed):
            kind, marks = "missing", true
        elif not any(true):
            kind, marks = "extra", guessed
        elif all(guessed):
            kind, marks = "undirected", true
        elif all(true):
            kind, marks = "directed", guessed
        else:
            kind, marks = "reversed", true
        edge = (truth.values[i], truth.values[j])
        kinds[kind].append(edge if marks[0] else edge[::-1])
    return GraphComparison(
        truth=truth,
        guess=guess,
        metrics={name: metric(truth, guess) for name, metric in METRICS.items()},
        **{kind: tuple(edges) for kind, edges in kinds.items()},
    )
