"""Figures of comparisons with people: where a model lies against the human band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from valuegraph.palette import ROLE_COLOURS
from valuegraph.style import figure_in_style
from valuegraph.verdicts.verdict import CANNOT_TELL, INSIDE, OUTSIDE, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAND_COLOUR = "#009E73"
"""People, against the blue of what was measured on a model."""

MARKERS = {INSIDE: "o", OUTSIDE: "X", CANNOT_TELL: "o"}
"""Marks of the verdicts; that of ``"cannot tell"`` is hollow."""


def plot_verdicts(verdicts: Mapping[str, Sequence[Verdict]]) -> Figure:
    """Show where models lie against the human band as the number of roles grows.

    Parameters
    ----------
    verdicts
        Verdicts by name of the model, each at other numbers of roles, as of
        :func:`valuegraph.comparison.compare_sizes`.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a model: its agreement with people and 95 % interval, marked by verdict; the band
        in which one more country would lie (95 %), the 13 countries as dots, and the noise
        ceilings of both sides.

    Raises
    ------
    ValueError
        If there is no verdict.
    """
    if not verdicts or not all(verdicts.values()):
        raise ValueError("there is no verdict to plot; give at least one for each model")
    width = max(6.4, 1.6 + 3.6 * len(verdicts))  # the legend needs room too
    options = {"ncols": len(verdicts), "figsize": (width, 4.6), "sharey": True, "squeeze": False}
    with figure_in_style(**options) as (figure, grid):
        for axes, (name, row) in zip(grid[0], verdicts.items(), strict=True):
            _panel(axes, sorted(row, key=lambda verdict: verdict.n))
            axes.set(title=name, xlabel="roles, and people of each country")
        grid[0, 0].set_ylabel("agreement with people, r")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        handles += _marks()
        labels += [handle.get_label() for handle in handles[len(labels) :]]
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _panel(axes: Axes, row: Sequence[Verdict]) -> None:
    """Draw the verdicts of one model."""
    n = np.array([verdict.n for verdict in row])
    low, high = np.array([verdict.band.limits() for verdict in row]).T
    axes.axhline(0, color=ROLE_COLOURS["null"], linewidth=1, zorder=0)
    if len(row) > 1:
        axes.fill_between(
            n, low, high, color=BAND_COLOUR, alpha=0.18, linewidth=0, label="one more country, 95 %"
        )
    else:  # an area has no width at a single n
        axes.errorbar(
            n, (low + high) / 2, yerr=(high - low) / 2, fmt="none", color=BAND_COLOUR, alpha=0.3,
            linewidth=14, label="one more country, 95 %",
        )  # fmt: skip
    countries = [(v.n, r) for v in row for r in v.band.countries["agreement"]]
    axes.plot(
        *zip(*countries, strict=True), ".", color=BAND_COLOUR, markersize=3, label="13 countries"
    )
    ceilings = (("people", BAND_COLOUR, ":"), ("model", ROLE_COLOURS["estimate"], "--"))
    for side, colour, line in ceilings:
        name = "ceiling_human" if side == "people" else "ceiling_model"
        axes.plot(
            n,
            [getattr(verdict, name) for verdict in row],
            linestyle=line,
            marker="_" if len(row) == 1 else "",
            color=colour,
            linewidth=1.3,
            label=f"noise ceiling, {side}",
        )
    agreement = np.array([verdict.agreement for verdict in row])
    reach = [agreement - [v.low for v in row], [v.high for v in row] - agreement]
    axes.errorbar(
        n, agreement, yerr=reach, color=ROLE_COLOURS["estimate"], linewidth=1.3, capsize=3,
        label="model, 95 % interval",
    )  # fmt: skip
    for verdict in row:
        axes.plot(verdict.n, verdict.agreement, **_mark(verdict.verdict), zorder=3)
    axes.set(xscale="log", ylim=(min(-0.35, min(v.low for v in row) - 0.05), 1.03))
    axes.set_xticks(n, [f"{number:,}" for number in n], rotation=45, ha="right")
    axes.minorticks_off()
    if len(row) == 1:
        axes.set_xlim(n[0] / 3, n[0] * 3)


def _mark(verdict: str) -> dict[str, object]:
    """Return how a verdict is marked."""
    colour = ROLE_COLOURS["estimate"]
    return {
        "marker": MARKERS[verdict],
        "color": colour,
        "markerfacecolor": "white" if verdict == CANNOT_TELL else colour,
        "markersize": 8,
        "linestyle": "",
    }


def _marks() -> list:
    """Return legend entries of the three verdicts."""
    from matplotlib.lines import Line2D

    return [Line2D([], [], **_mark(verdict), label=verdict) for verdict in MARKERS]
