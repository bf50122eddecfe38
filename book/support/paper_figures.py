"""Drawings of the paper's figures, and of what the error of each is."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from studies.paper.error import AgainstNull
from studies.paper.recorded import choices
from valuegraph.drawing import Drawing, draw
from valuegraph.style import EDGE_COLOURS, PAIR_COLOURS, ROLE_COLOURS, figure_in_style, text_on

ESTIMATE, NOTHING, TRUTH = (ROLE_COLOURS[role] for role in ("estimate", "null", "truth"))
UP, SAME, DOWN = EDGE_COLOURS["extra"], "#D9D9D9", EDGE_COLOURS["missing"]
TABLE2_LABELS = {
    "prompt_ours": "role prompts,\ndiscovered graph",
    "prompt_refs": "role prompts,\nreference graph",
    "sae_ours": "SAE features,\ndiscovered graph",
    "sae_refs": "SAE features,\nreference graph",
}
PIE_LABELS = {"sae": "one SAE feature", "hard": "instruction", "neg": "downwards", "pos": "upwards"}
NULL_STYLES = {
    "rows": ("single rows reassigned", TRUTH, ":"),
    "clusters": ("roles and features reassigned", NOTHING, "-"),
    "in step": ("roles reassigned", DOWN, "--"),
}
AIM_STYLES = {
    "any_feature": ("mean of all features", NOTHING, "|"),
    "feature": ("feature chosen by the authors", PAIR_COLOURS[0], "o"),
    "from_train": ("feature chosen on training roles", "black", "x"),
    "instruction": ("instruction", PAIR_COLOURS[1], "s"),
}


def draw_paper_graph(figures: Mapping[str, object], *, caption: str = "") -> Drawing:
    """Draw ``reproduce(model)["graphs"][model]``, reduced; arrows both ways become a plain line."""
    arrows = [tuple(edge) for edge in figures["reduced"]]
    both = [(a, "—", b) for a, b in arrows if (b, a) in arrows and a < b]
    one = [(a, "→", b) for a, b in arrows if (b, a) not in arrows]
    return draw(choices()["values"], one + both, caption=caption)


def plot_table1(figures: Mapping[str, object]) -> Figure:
    """Plot ``reproduce(model)["table1"][model]``: similarity by feature, noise ratio by value."""
    labels = {
        "mean_similarity_10values": "similarity of training and test roles",
        "noise_ratio": "noise ratio (smallest of three shares)",
    }
    with figure_in_style(ncols=2, figsize=(8.5, 3.4)) as (figure, panels):
        for axes, (name, label) in zip(panels, labels.items(), strict=True):
            names, sizes = list(figures[name]), list(figures[name].values())
            axes.hlines(names, 0, sizes, color=SAME, linewidth=2)
            axes.plot(sizes, names, "o", color=ESTIMATE)
            axes.set(xlabel=label, xlim=(0, None))
            axes.invert_yaxis()
        panels[0].set(ylabel="SAE feature", xlim=(0, 1.02))
    return figure


def plot_table2(figures: Mapping[str, Mapping[str, float]]) -> Figure:
    """Plot ``reproduce(model)["table2"][model]``: how often other values change along.

    Whiskers are standard deviations over the values, as in the paper; they are no standard errors.
    """
    shown = {name: figures[name] for name in TABLE2_LABELS if name in figures}
    with figure_in_style(figsize=(8.5, 3.6)) as (figure, axes):
        for shift, side, colour in ((-0.19, "expected", ESTIMATE), (0.19, "unexpected", NOTHING)):
            means = [entry[f"mean_{side}"] for entry in shown.values()]
            spread = [entry.get(f"sd_{side}", np.nan) for entry in shown.values()]
            places = np.arange(len(shown)) + shift
            bars = axes.bar(places, means, 0.36, yerr=spread, color=colour, label=side, capsize=3)
            axes.bar_label(bars, fmt="%.2f", label_type="center", color=text_on(colour))
        axes.set(ylim=(0, 1), ylabel="share of changes\nalong with a value")
        axes.set_xticks(range(len(shown)), [TABLE2_LABELS[name] for name in shown])
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure


def plot_pies(figures: Mapping[str, Mapping[str, Mapping[str, list[int]]]]) -> Figure:
    """Plot ``reproduce(model)["pies"]``: values aimed at that went up, stayed or went down."""
    counts = {
        f"{PIE_LABELS[way]}, {PIE_LABELS[name[-3:]]}": triple
        for name, by_file in figures.items()
        for by_way in by_file.values()
        for way, triple in by_way.items()
    }
    table = pd.DataFrame(counts, ["up", "same", "down"]).T
    shares, left = 100 * table.div(table.sum(axis=1), axis=0), 0.0
    with figure_in_style(figsize=(8.5, 0.5 * len(counts) + 1.2)) as (figure, axes):
        for label, colour in zip(table, (UP, SAME, DOWN), strict=True):
            bars = axes.barh(table.index, shares[label], left=left, color=colour, label=label)
            axes.bar_label(bars, table[label], label_type="center", color=text_on(colour))
            left = left + shares[label]
        axes.set(xlim=(0, 100), xlabel="% of (value, role) pairs; numbers of pairs in the bars")
        axes.invert_yaxis()
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def plot_null_edges(nulls: Mapping[str, Mapping[str, AgainstNull]]) -> Figure:
    """Plot the number of edges and its nulls: model -> null -> edges."""
    with figure_in_style(ncols=len(nulls), figsize=(8.5, 3.4), sharey=True) as (figure, panels):
        for axes, (model, by_null) in zip(panels, nulls.items(), strict=True):
            for name, edges in by_null.items():
                label, colour, line = NULL_STYLES[name]
                span = np.arange(max(edges.null.min() - 1, 0), edges.null.max() + 2)
                share = (edges.null[:, None] == span).mean(axis=0)
                axes.fill_between(span, share, step="mid", color=colour, alpha=0.25, linewidth=0)
                axes.step(span, share, where="mid", color=colour, linestyle=line, label=label)
            axes.axvline(edges.observed, color=ESTIMATE, linewidth=2, label="scores")
            axes.set(title=f"{model}: {edges.observed} edges", xlabel="edges")
            axes.set(xlim=(0, None), ylim=(0, None))
        panels[0].set_ylabel("share of draws")
        labels = panels[0].get_legend_handles_labels()
        figure.legend(*labels, loc="outside upper center", ncols=4, frameon=False)
    return figure


def plot_directions(directed: Mapping[str, pd.DataFrame]) -> Figure:
    """Plot which way edges point in shuffled orders: model -> ``studies.paper.directions``."""
    colours = {"kept": PAIR_COLOURS[0], "open": SAME, "turned": PAIR_COLOURS[1]}
    size = {"ncols": len(directed), "figsize": (8.5, 3.4), "sharey": True}
    with figure_in_style(**size) as (figure, panels):
        for axes, (model, table) in zip(panels, directed.items(), strict=True):
            places, bottom = np.arange(1, len(table) + 1), 0.0
            for kind, colour in colours.items():
                axes.bar(places, 100 * table[kind], 0.9, bottom, color=colour, label=kind)
                bottom = bottom + 100 * table[kind].to_numpy()
            axes.set(title=model, xlabel="directed edges, the steadiest first")
        panels[0].set(ylim=(0, 100), ylabel="% of shuffled orders")
        _legend_of(figure, panels[:1], ncols=3)
    return figure


def plot_halves(agreements: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Plot mean and middle 95 % of agreements of two halves: model -> what was halved -> F1."""
    size = {"ncols": len(agreements), "figsize": (8.5, 2.5), "sharex": True, "sharey": True}
    with figure_in_style(**size) as (figure, panels):
        for axes, (model, rows) in zip(panels, agreements.items(), strict=True):
            colours = (PAIR_COLOURS[0], NOTHING, NOTHING, TRUTH)
            for (row, numbers), colour in zip(rows.items(), colours, strict=True):
                low, high = np.quantile(numbers, [0.025, 0.975])
                axes.hlines(row, low, high, color=colour, linewidth=1.6)
                axes.plot(np.mean(numbers), row, "o", color=colour)
            axes.set(title=model, xlabel="agreement of adjacencies, F1")
        panels[0].set(xlim=(0, 1), ylim=(3.5, -0.5))
    return figure


def plot_gaps(gaps: Mapping[str, pd.DataFrame]) -> Figure:
    """Plot the gaps of table 2, what base rates make of them, and the rest with its null."""
    rows = max(map(len, gaps.values()))
    size = {"nrows": len(gaps), "figsize": (8.5, 0.9 + len(gaps) * (0.34 * rows + 0.5))}
    with figure_in_style(ncols=2, sharex="col", squeeze=False, **size) as (figure, grid):
        for (left, right), (model, table) in zip(grid, gaps.items(), strict=True):
            places = np.arange(len(table))
            left.barh(places, table["from_base_rates"], 0.6, color=SAME, label="base rates alone")
            left.plot(table["raw"], places, "o", color=ESTIMATE, label="gap as in table 2")
            width, start = table["null_high"] - table["null_low"], table["null_low"]
            label = "labels permuted, 95 %"
            right.barh(places, width, 0.6, left=start, color=SAME, label=label)
            right.hlines(places, table["low"], table["high"], color=ESTIMATE, linewidth=1.6)
            label = "gap beyond base rates, 95 % interval"
            right.plot(table["beyond"], places, "o", color=ESTIMATE, label=label)
            left.set_title(model, loc="left")
            _rows_of(left, right, [", ".join(name) for name in table.index])
        grid[-1][0].set_xlabel("gap")
        grid[-1][1].set_xlabel("gap beyond base rates")
        _legend_of(figure, grid[0], ncols=2)
    return figure


def plot_aims(aims: pd.DataFrame) -> Figure:
    """Plot how far features and instructions moved the values aimed at, one row a comparison."""
    places = np.arange(len(aims))
    size = (8.5, 1.5 + 0.42 * len(aims))
    with figure_in_style(ncols=2, figsize=size, width_ratios=(1.5, 1)) as (figure, (left, right)):
        for name, (label, colour, mark) in AIM_STYLES.items():
            left.plot(aims[name], places, mark, color=colour, label=label, markersize=7)
        ends = aims["wide_low"], aims["wide_high"]
        right.hlines(
            places, *ends, color=NOTHING, linewidth=1.4, label="roles and values resampled"
        )
        ends = aims["low"], aims["high"]
        right.hlines(places, *ends, color=ESTIMATE, linewidth=3, label="roles resampled")
        right.plot(aims["difference"], places, "o", color=ESTIMATE)
        left.set_xlabel("net share moved as intended")
        right.set_xlabel("feature less instruction, 95 %")
        _rows_of(left, right, list(aims.index))
        _legend_of(figure, (left, right), ncols=3)
    return figure


def _rows_of(left, right, labels: list[str]) -> None:
    """Name the rows of two panels on the left, from top to bottom."""
    for axes, names in ((left, labels), (right, [""] * len(labels))):
        axes.set_yticks(range(len(labels)), names)
        axes.axvline(0, color="black", linewidth=1)
        axes.set_ylim(len(labels) - 0.5, -0.5)


def _legend_of(figure, panels, *, ncols: int) -> None:
    """Put one legend of several panels above all."""
    parts = zip(*(axes.get_legend_handles_labels() for axes in panels), strict=True)
    handles, labels = (sum(part, []) for part in parts)
    figure.legend(handles, labels, loc="outside upper center", ncols=ncols, frameon=False)
