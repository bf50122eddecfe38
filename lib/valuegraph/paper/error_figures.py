"""Drawings of what the error of each figure of the paper is.

Each takes results by name of the model, in the order in which they are to be shown, and returns a
matplotlib ``Figure``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from valuegraph.palette import EDGE_COLOURS, PAIR_COLOURS, ROLE_COLOURS
from valuegraph.paper.base_rates import Gap
from valuegraph.paper.features import Aim
from valuegraph.paper.firmness import Firmness
from valuegraph.paper.halves import HalfAgreement
from valuegraph.paper.nulls import EdgesAgainstNull
from valuegraph.paper.orders import ColumnOrders
from valuegraph.style import figure_in_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOUND, NOTHING, PALE = ROLE_COLOURS["estimate"], ROLE_COLOURS["null"], "#D9D9D9"
NULL_STYLES = {
    "rows": ("rows dealt anew", ROLE_COLOURS["truth"], ":"),
    "clusters": ("roles and features dealt anew", NOTHING, "-"),
    "in step": ("roles dealt anew", EDGE_COLOURS["missing"], "--"),
}
DIRECTION_STYLES = {
    "as given": ("as in the paper's order", FOUND),
    "open": ("no direction", PALE),
    "turned": ("the other way", EDGE_COLOURS["missing"]),
}


def plot_null_edges(nulls: Mapping[str, Mapping[str, EdgesAgainstNull]]) -> Figure:
    """Plot the number of edges against its nulls.

    Parameters
    ----------
    nulls
        Model -> name of the null (:data:`valuegraph.paper.pooled.NULLS`) -> edges.
    """
    with _panels(nulls, figsize=(8.5, 3.4), sharey=True) as (figure, panels):
        for axes, (model, by_null) in zip(panels, nulls.items(), strict=True):
            for name, edges in by_null.items():
                label, colour, line = NULL_STYLES[name]
                counts = np.bincount(edges.null) / len(edges.null)
                there = np.flatnonzero(counts)
                span = np.arange(max(there[0] - 1, 0), there[-1] + 2)
                share = np.append(counts, 0.0)[span]
                axes.fill_between(span, share, step="mid", color=colour, alpha=0.25, linewidth=0)
                axes.step(span, share, where="mid", color=colour, linestyle=line, label=label)
            found = next(iter(by_null.values())).found
            axes.axvline(found, color=FOUND, linewidth=2, label="found")
            axes.set(
                title=f"{model}: {found} edges", xlabel="edges", xlim=(0, None), ylim=(0, None)
            )
        panels[0].set_ylabel("share of draws")
        _legend(figure, panels[0], ncols=4)
    return figure


def plot_directions(orders: Mapping[str, ColumnOrders]) -> Figure:
    """Plot which way each directed edge points when the columns are shuffled.

    Parameters
    ----------
    orders
        Model -> graphs in shuffled orders.
    """
    with _panels(orders, figsize=(8.5, 3.4), sharey=True) as (figure, panels):
        for axes, (model, each) in zip(panels, orders.items(), strict=True):
            table = 100 * each.directions()
            bottom = np.zeros(len(table))
            for name, (label, colour) in DIRECTION_STYLES.items():
                places = np.arange(1, len(table) + 1)
                axes.bar(places, table[name], 0.9, bottom=bottom, color=colour, label=label)
                bottom += table[name].to_numpy()
            axes.set(title=model, xlabel="directed edges, the steadiest first", ylim=(0, 100))
        panels[0].set_ylabel("% of shuffled orders")
        _legend(figure, panels[0], ncols=3)
    return figure


def plot_firmness(firm: Mapping[str, Firmness], *, threshold: float = 0.8) -> Figure:
    """Plot how many adjacencies come back in how many resamples, against the null.

    Parameters
    ----------
    firm
        Model -> frequencies.
    threshold
        Where a line is drawn.
    """
    shares = np.linspace(0, 1, 101)
    with _panels(firm, figsize=(8.5, 3.4), sharey=True) as (figure, panels):
        for axes, (model, each) in zip(panels, firm.items(), strict=True):
            null = np.array([each.firm_null(share) for share in shares])
            low, high = np.quantile(null, [0.025, 0.975], axis=1)
            label = "nothing there (mean, 95 % of draws)"
            axes.fill_between(100 * shares, low, high, color=PALE, linewidth=0)
            axes.plot(100 * shares, null.mean(axis=1), "--", color=NOTHING, label=label)
            own = [each.firm(share) for share in shares]
            axes.plot(100 * shares, own, color=FOUND, linewidth=2, label="found")
            axes.axvline(100 * threshold, color="black", linewidth=1, linestyle=":")
            axes.set(title=model, xlabel="% of resamples, at least", xlim=(0, 100), ylim=(0, None))
        panels[0].set_ylabel("adjacencies")
        _legend(figure, panels[0], ncols=2)
    return figure


def plot_halves(
    halves: Mapping[str, HalfAgreement], planted: Mapping[str, np.ndarray] | None = None
) -> Figure:
    """Plot how well two halves of the roles agree, and what there is to compare that with.

    Parameters
    ----------
    halves
        Model -> agreement.
    planted
        Model -> agreement of halves of scores with a planted graph, one number a graph.
    """
    with _panels(halves, figsize=(8.5, 2.5), sharex=True, sharey=True) as (figure, panels):
        for axes, (model, each) in zip(panels, halves.items(), strict=True):
            rows = {
                "halves of the roles": (each.splits, FOUND),
                "the same, labels permuted": (each.relabelled, NOTHING),
                "nothing there": (each.null, NOTHING),
            }
            if planted:
                rows["a graph is there (planted)"] = (planted[model], ROLE_COLOURS["truth"])
            for place, (numbers, colour) in enumerate(rows.values()):
                low, high = np.quantile(numbers, [0.025, 0.975])
                axes.hlines(place, low, high, color=colour, linewidth=1.6)
                axes.plot(np.mean(numbers), place, "o", color=colour)
            axes.set(title=model, xlabel="agreement of adjacencies, F1", xlim=(0, 1))
            axes.set_yticks(range(len(rows)), list(rows))
        panels[0].invert_yaxis()  # shared
    return figure


def plot_gaps(gaps: Mapping[str, Mapping[str, Gap]]) -> Figure:
    """Plot the gaps of table 2, what base rates make of them, and the rest with its null.

    Parameters
    ----------
    gaps
        Model -> comparison -> gap.
    """
    if not gaps:
        raise ValueError("there is nothing to plot; give the gaps of at least one model")
    rows = max(len(by_name) for by_name in gaps.values())
    size = (8.5, 0.9 + len(gaps) * (0.34 * rows + 0.5))
    options = {"nrows": len(gaps), "ncols": 2, "figsize": size, "squeeze": False, "sharex": "col"}
    with figure_in_style(**options) as (figure, grid):
        for (left, right), (model, by_name) in zip(grid, gaps.items(), strict=True):
            places = np.arange(len(by_name))
            found = list(by_name.values())
            base = [gap.from_base_rates for gap in found]
            raw = [gap.raw for gap in found]
            left.barh(places, base, 0.6, color=PALE, label="from base rates alone")
            left.plot(raw, places, "o", color=FOUND, label="gap as in table 2")
            span = {"null_low": [], "null_high": [], "low": [], "high": []}
            for name, ends in span.items():
                ends.extend(getattr(gap, name) for gap in found)
            width = np.subtract(span["null_high"], span["null_low"])
            right.barh(
                places, width, 0.6, left=span["null_low"], color=PALE, label="labels permuted, 95 %"
            )
            label = "gap beyond base rates, 95 % interval"
            right.hlines(places, span["low"], span["high"], color=FOUND, linewidth=1.6)
            right.plot([gap.beyond for gap in found], places, "o", color=FOUND, label=label)
            left.set_yticks(places, list(by_name))
            right.set_yticks(places, [""] * len(places))
            left.set_title(model, loc="left")
            for axes in (left, right):
                axes.axvline(0, color="black", linewidth=1)
                axes.set_ylim(len(by_name) - 0.5, -0.5)
        for axes, label in zip(grid[-1], ("gap", "gap beyond base rates"), strict=True):
            axes.set_xlabel(label)
        handles = [axes.get_legend_handles_labels() for axes in grid[0]]
        figure.legend(
            *(sum((each[side] for each in handles), []) for side in (0, 1)),
            loc="outside upper center", ncols=2, frameon=False,
        )  # fmt: skip
    return figure


def plot_aims(aims: Mapping[str, Aim]) -> Figure:
    """Plot how far features and instructions moved the values aimed at.

    Parameters
    ----------
    aims
        Name of the comparison -> what came of it.
    """
    if not aims:
        raise ValueError("there is nothing to plot; give at least one comparison")
    places = np.arange(len(aims))
    marks = {
        "any_feature": ("mean of all features", NOTHING, "|"),
        "feature": ("feature chosen by the authors", PAIR_COLOURS[0], "o"),
        "from_train": ("feature chosen on training roles", "black", "x"),
        "instruction": ("instruction", PAIR_COLOURS[1], "s"),
    }
    size = (8.5, 1.5 + 0.42 * len(aims))
    with figure_in_style(ncols=2, figsize=size, width_ratios=(1.5, 1)) as (figure, (left, right)):
        for name, (label, colour, mark) in marks.items():
            numbers = [getattr(each, name) for each in aims.values()]
            left.plot(numbers, places, mark, color=colour, label=label, markersize=7)
        found = list(aims.values())
        wide = [each.wide_low for each in found], [each.wide_high for each in found]
        narrow = [each.low for each in found], [each.high for each in found]
        right.hlines(places, *wide, color=NOTHING, linewidth=1.4, label="roles and values anew")
        right.hlines(places, *narrow, color=FOUND, linewidth=3, label="roles anew")
        right.plot([each.difference for each in found], places, "o", color=FOUND)
        left.set_yticks(places, list(aims))
        right.set_yticks(places, [""] * len(places))
        left.set_xlabel("net share moved as aimed")
        right.set_xlabel("feature less instruction, 95 %")
        for axes in (left, right):
            axes.axvline(0, color="black", linewidth=1)
            axes.set_ylim(len(aims) - 0.5, -0.5)
        handles = [axes.get_legend_handles_labels() for axes in (left, right)]
        figure.legend(
            *(sum((each[side] for each in handles), []) for side in (0, 1)),
            loc="outside upper center", ncols=3, frameon=False,
        )  # fmt: skip
    return figure


@contextmanager
def _panels(
    by_model: Mapping[str, object], **options: object
) -> Iterator[tuple[Figure, Sequence[Axes]]]:
    """Make figure and panels in the common style, one a model."""
    if not by_model:
        raise ValueError("there is nothing to plot; give the results of at least one model")
    with figure_in_style(ncols=len(by_model), squeeze=False, **options) as (figure, grid):
        yield figure, grid[0]


def _legend(figure: Figure, axes: Axes, *, ncols: int) -> None:
    """Put the legend of one panel above all of them."""
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside upper center", ncols=ncols, frameon=False
    )
