"""Whether answers vary enough to draw a graph from: figures beside their thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from valuegraph.gating import SpreadVerdict
from valuegraph.palette import PAIR_COLOURS, ROLE_COLOURS
from valuegraph.style import figure_in_style, in_circular_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHARES = {"same_answer": "same answer", "low_mass": "low mass", "unsure": "unsure"}


def plot_spread(verdict: SpreadVerdict) -> Figure:
    """Show each figure of a verdict beside its threshold.

    Parameters
    ----------
    verdict
        From `valuegraph.gating.check_spread`.

    Returns
    -------
    matplotlib.figure.Figure
        Left the standard deviations that must reach their thresholds, of each value's score over
        roles and, in the last row, of log-odds over items; right the shares that must not exceed
        theirs. What keeps to its threshold is a dot, what does not is a cross; what could
        not be told is left out.
    """
    checks, spread = verdict.checks, verdict.role_spread
    values = in_circular_order(spread.index)
    labels = [*values]
    figures = [*spread[values]]
    least = [checks.loc["role_spread", "threshold"]] * len(values)
    if checks.loc["item_spread", "passed"] is not None:
        labels.append("over items")
        figures.append(checks.loc["item_spread", "figure"])
        least.append(checks.loc["item_spread", "threshold"])
    shares = [name for name in _SHARES if checks.loc[name, "passed"] is not None]
    size = (7.0, 1.6 + 0.25 * len(labels))
    with figure_in_style(ncols=2, figsize=size) as (figure, (left, right)):
        figures, least = np.array(figures), np.array(least)
        _rows(left, labels, figures, least, figures >= least)
        unit = "log-odds" if verdict.by == "log_odds" else "share of yes - no"
        left.set(xlabel=f"SD over roles ({unit})", xlim=(0, None), title="at least")
        found = checks.loc[shares, "figure"].to_numpy(float)
        most = checks.loc[shares, "threshold"].to_numpy(float)
        _rows(right, [_SHARES[name] for name in shares], found, most, found <= most)
        right.set(xlabel="share of answers", xlim=(-0.03, 1.03), title="at most")
        figure.suptitle(
            f"{verdict.model}: {'passed' if verdict.passed else 'failed'}", fontsize="medium"
        )
        handles = {label: handle for axes in (left, right) for handle, label in
                   zip(*axes.get_legend_handles_labels(), strict=True)}  # fmt: skip
        figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False
        )
    return figure


def _rows(
    axes: Axes, labels: Sequence[str], figures: np.ndarray, thresholds: np.ndarray, kept: np.ndarray
) -> None:
    """Draw one row per figure, from top to bottom: a mark, and its threshold as a stroke."""
    places = np.arange(len(labels))
    axes.vlines(
        thresholds, places - 0.35, places + 0.35, color=ROLE_COLOURS["truth"], label="threshold"
    )
    for where, marker, colour, label in (
        (kept, "o", PAIR_COLOURS[0], "passed"),
        (~kept, "X", PAIR_COLOURS[1], "failed"),
    ):
        if where.any():
            axes.plot(figures[where], places[where], marker, color=colour, label=label)
    axes.set(ylim=(len(labels) - 0.4, -0.6), yticks=places, yticklabels=labels)
