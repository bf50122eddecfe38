"""The line under a graph: what has to be known to read it."""

from __future__ import annotations

from collections.abc import Mapping


def caption_of(info: Mapping[str, object], n_edges: int) -> str:
    """Return method, level, rows, edges and null in one line; empty without ``info``.

    Parameters
    ----------
    info
        See :class:`valuegraph.graphs.graph.ValueGraph`.
    n_edges
        Number of edges of the graph.
    """
    if not info:
        return ""
    parts = []
    if "method" in info:
        parts.append(str(info["method"]).upper())
    if "alpha" in info:
        parts.append(f"alpha = {info['alpha']:g}")
    if "n_effective" in info:
        parts.append(f"effective n = {info['n_effective']:.0f} of {info['n']} rows")
    elif "n" in info:
        parts.append(f"n = {info['n']}")
    if "threshold" in info:
        parts.append(f"in {info['threshold']:.0%} of {info['n_resamples']} resamples")
    parts.append(f"{n_edges} edges")
    if "null_edges" in info:
        spread = f" ± {info['null_sd']:.1f}" if "null_sd" in info else ""
        parts.append(f"null {info['null_edges']:.1f}{spread} edges")
    return ", ".join(parts)
