"""Reliability of scores, what their variance is made of, and biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.answers import UNITS
from valuegraph.palette import PAIR_COLOURS, ROLE_COLOURS
from valuegraph.plots._panels import interval_rows
from valuegraph.reliability import ReliabilityReport
from valuegraph.style import figure_in_style, in_circular_order

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH = 7.0
"""Width of a page, in inches at 100 dots each."""


def plot_reliability(report: ReliabilityReport) -> Figure:
    """Show how far the items of each value agree, how stable scores are, and the liking for yes.

    Parameters
    ----------
    report
        From `valuegraph.reliability.reliability_report`.

    Returns
    -------
    matplotlib.figure.Figure
        Three panels with a row per value: Cronbach's alpha and split half; test-retest correlation
        over wordings and over orders; acquiescence. Lines are the intervals. Coefficients below -1
        are drawn as arrows on the edge, what could not be told is left out.
    """
    table = report.values.loc[in_circular_order(report.values.index)]
    size = (_WIDTH, 1.5 + 0.27 * len(table))
    with figure_in_style(ncols=3, sharey=True, figsize=size) as (figure, panels):
        interval_rows(
            panels[0],
            table,
            {"alpha": "Cronbach's alpha", "split_half": "split half"},
            xlabel="consistency of items",
            span=(0, 1),
            floor=-1,
        )
        interval_rows(
            panels[1],
            table,
            {"retest_wording": "other wording", "retest_order": "other order"},
            xlabel="retest correlation r",
            span=(0, 1),
        )
        interval_rows(
            panels[2],
            table,
            {"acquiescence": "acquiescence"},
            xlabel=_unit(report.by),
            span=(-0.1, 0.1),
        )
        figure.suptitle(_title(report), fontsize="medium")
    return figure


def plot_variance_shares(report: ReliabilityReport) -> Figure:
    """Show how much of the variance of scores is the roles', and how much the formats'.

    Parameters
    ----------
    report
        From `valuegraph.reliability.reliability_report`, made of answers in several formats.

    Returns
    -------
    matplotlib.figure.Figure
        One bar per value, divided into the three shares.

    Raises
    ------
    ValueError
        If the shares could not be told of any value.
    """
    shares = {
        "role_share": ("role", PAIR_COLOURS[0], ""),
        "role_format_share": ("role x format", PAIR_COLOURS[1], "////"),
        "format_share": ("format", ROLE_COLOURS["null"], ""),
    }
    table = report.values.loc[in_circular_order(report.values.index), list(shares)]
    if table.isna().all(axis=None):
        raise ValueError(
            "the shares of variance could not be told: ask the same roles in several formats"
        )
    places = np.arange(len(table))
    with figure_in_style(figsize=(6.4, 1.4 + 0.27 * len(table))) as (figure, axes):
        left = np.zeros(len(table))
        for name, (label, colour, hatch) in shares.items():
            style = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0}
            axes.barh(places, table[name], left=left, height=0.7, label=label, **style)
            left = left + table[name].to_numpy()
        axes.set(
            xlabel="share of the variance of scores over roles and formats",
            xlim=(0, 1),
            ylim=(len(table) - 0.4, -0.6),
            yticks=places,
            yticklabels=table.index,
            title=_title(report),
        )
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def plot_biases(report: ReliabilityReport, *, truth: Mapping[str, float] | None = None) -> Figure:
    """Show the biases of the whole instrument with their intervals.

    Parameters
    ----------
    report
        From `valuegraph.reliability.reliability_report`.
    truth
        True biases by name (``acquiescence``, ``order_bias``, ``paraphrase_effect``), drawn as open
        diamonds where given.

    Returns
    -------
    matplotlib.figure.Figure
        One point and interval a bias; what could not be told is left out.
    """
    names = {
        "acquiescence": "liking for yes",
        "order_bias": "liking for the option named last",
        "paraphrase_effect": "difference between wordings (SD)",
    }
    table = report.whole.loc[list(names)]
    places = np.arange(len(table))
    with figure_in_style(figsize=(6.4, 2.3)) as (figure, axes):
        axes.axvline(0, color=ROLE_COLOURS["null"], linewidth=1, zorder=0)
        axes.hlines(places, table["low"], table["high"], color=ROLE_COLOURS["estimate"])
        style = {"color": ROLE_COLOURS["estimate"], "label": "measured, with interval"}
        axes.plot(table["estimate"], places, "o", **style)
        if truth is not None:
            true = pd.Series(truth, dtype=float).reindex(table.index)
            style = {"color": ROLE_COLOURS["truth"], "label": "true bias"}
            axes.plot(true, places, "D", markerfacecolor="none", markersize=8, **style)
        axes.set(
            xlabel=f"bias ({_unit(report.by)})",
            ylim=(len(table) - 0.5, -0.5),
            yticks=places,
            yticklabels=names.values(),
            title=_title(report),
        )
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def _title(report: ReliabilityReport) -> str:
    formats = f"{len(report.formats)} format{'s' if len(report.formats) > 1 else ''}"
    return f"{report.model}: {report.n_roles} roles, {formats}"


def _unit(by: str) -> str:
    """Return the unit of scores in a few words."""
    return UNITS[by] if by == "log_odds" else "share of yes - no"
