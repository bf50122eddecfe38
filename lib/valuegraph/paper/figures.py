"""Drawings of the figures that :func:`valuegraph.paper.reproduction.reproduce` returns.

Each takes a part of that dictionary, or the same part of
:func:`valuegraph.paper.recorded.published`, so that a page can show the released figures where the
recorded scores are missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from valuegraph.graphs.drawing import draw_circle
from valuegraph.graphs.drawn_edges import drawn_edges
from valuegraph.graphs.svg import Drawing
from valuegraph.palette import EDGE_COLOURS, ROLE_COLOURS, text_on
from valuegraph.paper.recorded import choices
from valuegraph.style import figure_in_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UP, SAME, DOWN = EDGE_COLOURS["extra"], "#D9D9D9", EDGE_COLOURS["missing"]
TABLE2_LABELS = {
    "prompt_ours": "role prompts,\ndiscovered graph",
    "prompt_refs": "role prompts,\nreference graph",
    "sae_ours": "SAE features,\ndiscovered graph",
    "sae_refs": "SAE features,\nreference graph",
}
PIE_LABELS = {
    ("neg", "sae"): "one SAE feature, downwards",
    ("neg", "hard"): "instruction, downwards",
    ("pos", "sae"): "one SAE feature, upwards",
    ("pos", "hard"): "instruction, upwards",
}


def draw_paper_graph(figures: Mapping[str, object], *, caption: str = "") -> Drawing:
    """Draw the reduced graph of one model on a circle; arrows both ways become a plain line.

    Parameters
    ----------
    figures : mapping
        ``reproduce(model)["graphs"][model]``; only ``reduced`` is used.
    caption : str, optional
        One line under the drawing.
    """
    edges = [tuple(edge) for edge in figures["reduced"]]
    both = [(a, b) for a, b in edges if (b, a) in edges and a < b]
    one = [(a, b) for a, b in edges if (b, a) not in edges]
    return draw_circle(choices()["values"], drawn_edges(one, both), caption=caption)


def plot_table1(figures: Mapping[str, Mapping[str, float]]) -> Figure:
    """Plot table 1: similarity of effects by feature, and the noise ratio by value.

    The noise ratio of a value is the smallest of the shares of roles that go up, down or nowhere,
    averaged over features.

    Parameters
    ----------
    figures : mapping
        ``reproduce(model)["table1"][model]``.
    """
    panels = {
        "mean_similarity_10values": "similarity of training and test roles",
        "noise_ratio": "noise ratio (smallest of three shares)",
    }
    with figure_in_style(ncols=2, figsize=(8.5, 3.4)) as (figure, both_axes):
        for axes, (name, label) in zip(both_axes, panels.items(), strict=True):
            numbers = list(figures[name].values())
            places = range(len(numbers))
            axes.hlines(places, 0, numbers, color=SAME, linewidth=2)
            axes.plot(numbers, places, "o", color=ROLE_COLOURS["estimate"])
            axes.set(xlabel=label, yticks=places, yticklabels=list(figures[name]))
            axes.set_xlim(left=0)
            axes.invert_yaxis()
        both_axes[0].set(ylabel="SAE feature", xlim=(0, 1.02))
    return figure


def plot_table2(figures: Mapping[str, Mapping[str, float]]) -> Figure:
    """Plot table 2: how often the expected and the other values change along with a value.

    Whiskers are standard deviations over the values, as in the paper; they are no standard errors.

    Parameters
    ----------
    figures : mapping
        ``reproduce(model)["table2"][model]``. Where a standard deviation is not given, no whisker
        is drawn.
    """
    shown = [name for name in TABLE2_LABELS if name in figures]
    colours = {"expected": ROLE_COLOURS["estimate"], "unexpected": ROLE_COLOURS["null"]}
    with figure_in_style(figsize=(8.5, 3.6)) as (figure, axes):
        for shift, (kind, colour) in zip((-0.19, 0.19), colours.items(), strict=True):
            places = [i + shift for i in range(len(shown))]
            means = [figures[name][f"mean_{kind}"] for name in shown]
            spread = [figures[name].get(f"sd_{kind}", math.nan) for name in shown]
            bars = axes.bar(places, means, 0.36, yerr=spread, color=colour, label=kind, capsize=3)
            axes.bar_label(bars, fmt="%.2f", label_type="center", color=text_on(colour))
        labels = [TABLE2_LABELS[name] for name in shown]
        axes.set(ylim=(0, 1), ylabel="share of changes\nalong with a value")
        axes.set_xticks(range(len(shown)), labels)
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure


def plot_hard_prompts(figures: Mapping[str, Mapping[str, Mapping[str, list[int]]]]) -> Figure:
    """Plot how many of the values aimed at went up, stayed or went down.

    Parameters
    ----------
    figures : mapping
        ``reproduce(model)["pies"]``.
    """
    counts = {
        PIE_LABELS[name.rsplit("_", 1)[1], way]: triple
        for name, files in figures.items()
        for by_way in files.values()
        for way, triple in by_way.items()
    }
    left = [0.0] * len(counts)
    with figure_in_style(figsize=(8.5, 0.5 * len(counts) + 1.2)) as (figure, axes):
        for i, (label, colour) in enumerate({"up": UP, "same": SAME, "down": DOWN}.items()):
            shares = [100 * triple[i] / sum(triple) for triple in counts.values()]
            bars = axes.barh(range(len(counts)), shares, left=left, color=colour, label=label)
            words = [str(triple[i]) for triple in counts.values()]
            axes.bar_label(bars, words, label_type="center", color=text_on(colour))
            left = [a + b for a, b in zip(left, shares, strict=True)]
        axes.set_yticks(range(len(counts)), list(counts))
        axes.set(xlim=(0, 100), xlabel="% of (value, role) pairs; numbers of pairs in the bars")
        axes.invert_yaxis()
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure
