"""Figures about organisms, from the figures that their checks measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from valuegraph.palette import ROLE_COLOURS
from valuegraph.style import figure_in_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINES = {
    ("skeleton_recall", "pc"): ("edges found", "#0072B2", "-", "o"),
    ("skeleton_precision", "pc"): ("edges right", "#0072B2", "--", "s"),
    ("arrow_recall", "pc"): ("arrows found", "#D55E00", "-", "^"),
    ("arrow_precision", "pc"): ("arrows right", "#D55E00", "--", "v"),
    ("arrow_precision", "pc-plain"): ("arrows right, plain PC", "#999999", ":", "D"),
}


def plot_recovery(check: dict, *, title: str) -> Figure:
    """Show how much of the true graph is found, and how much of what is found is true.

    Parameters
    ----------
    check
        What `valuegraph.organisms.check.check_organism` returned.
    title
        Above the axes.

    Returns
    -------
    matplotlib.figure.Figure
        Means over seeds with bars from the smallest to the largest, by number of roles; the
        precision of arrows over those seeds in which any arrow is claimed.
    """
    runs = pd.DataFrame(check["recovery"]["runs"]).astype({"arrow_precision": float})
    with figure_in_style(figsize=(6.4, 4.0)) as (figure, axes):
        for shift, ((metric, method), style) in enumerate(_LINES.items()):
            label, colour, line, marker = style
            by_size = runs[runs["method"] == method].groupby("n")[metric]
            mean = by_size.mean()
            # A little apart, so that bars at the same size can be told from one another.
            places = mean.index * 1.03 ** (shift - 2)
            axes.errorbar(
                places,
                mean,
                yerr=[mean - by_size.min(), by_size.max() - mean],
                color=colour,
                linestyle=line,
                marker=marker,
                markersize=5,
                capsize=2,
                elinewidth=0.8,
                label=label,
            )
        # Sizes that crowd on the logarithmic axis go without a label.
        sizes = [n for n in sorted(runs["n"].unique()) if n not in (1200, 1600)]
        axes.set(
            xscale="log",
            xticks=sizes,
            xticklabels=sizes,
            ylim=(0, 1.03),
            xlabel="number of roles",
            ylabel="share of edges or arrows",
            title=title,
        )
        axes.minorticks_off()
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def plot_site_checks(checks: dict[str, dict]) -> Figure:
    """Show, for some organisms, how well a shift of the site obeys the true total effects.

    Parameters
    ----------
    checks
        Results of `valuegraph.organisms.check.check_organism` by the name of the organism.

    Returns
    -------
    matplotlib.figure.Figure
        For each organism and value, the cosine between the measured effect of one unit of
        ``u_k`` and the true one, against the effect's relative size.
    """
    markers = dict(zip(checks, "osD^v", strict=False))
    with figure_in_style(figsize=(6.4, 3.8)) as (figure, axes):
        axes.axhline(1, color=ROLE_COLOURS["null"], linewidth=1, zorder=0)
        axes.axvline(1, color=ROLE_COLOURS["null"], linewidth=1, zorder=0)
        for colour, (name, check) in zip(
            ("#0072B2", "#D55E00", "#999999"), checks.items(), strict=False
        ):
            shifts = check["blocks"]["all_coordinates"]
            values = list(shifts["cosine"])
            axes.plot(
                [shifts["relative_size"][v] for v in values],
                [shifts["cosine"][v] for v in values],
                markers[name],
                color=colour,
                label=name,
                alpha=0.85,
            )
        axes.set(
            xlabel="size of the measured effect, true effect = 1",
            ylabel="cosine with the true effect",
            ylim=(min(-0.05, axes.get_ylim()[0]), 1.05),
            xlim=(-0.03, None),
        )
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure
