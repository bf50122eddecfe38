"""Writing tables of figures with intervals, as text and for notebooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

import numpy as np
import pandas as pd

DASH = "–"
"""Stands for a figure that could not be told."""


def text_report(
    title: str,
    values: pd.DataFrame,
    names: Mapping[str, str],
    whole: pd.DataFrame,
    whole_names: Mapping[str, str],
    unknown: pd.DataFrame,
) -> str:
    """Write a report as plain text: estimates by value, the whole with intervals.

    Parameters
    ----------
    title
        First line.
    values
        One row per value; columns ``x``, ``x_low``, ``x_high`` for every figure ``x``.
    names
        Figures to show and what they are called.
    whole
        One row per figure, columns ``estimate``, ``low``, ``high``, ``unit``.
    whole_names
        What these figures are called.
    unknown
        Columns ``figure``, ``value``, ``reason``.
    """
    shown = values[list(names)].rename(columns=names).rename_axis(index=None)
    lines = [
        title,
        "",
        shown.to_string(float_format=_number, na_rep=DASH),
        "",
        _whole_cells(whole, whole_names, html=False).to_string(header=False),
        *_reasons(unknown, {**whole_names, **names}, len(values)),
    ]
    return "\n".join(lines)


def html_report(
    title: str,
    values: pd.DataFrame,
    names: Mapping[str, str],
    whole: pd.DataFrame,
    whole_names: Mapping[str, str],
    unknown: pd.DataFrame,
) -> str:
    """Write a report as HTML, every figure with its interval; parameters as of `text_report`."""
    cells = pd.DataFrame(
        {
            label: [
                _cell(triple, html=True)
                for triple in values[[name, f"{name}_low", f"{name}_high"]].to_numpy(float)
            ]
            for name, label in names.items()
        },
        index=[escape(str(value)) for value in values.index],
    )
    overall = _whole_cells(whole, whole_names, html=True)
    reasons = _reasons(unknown, {**whole_names, **names}, len(values))
    listed = "".join(f"<li>{escape(line)}</li>" for line in reasons)
    return "\n".join(
        [
            f"<p>{escape(title)}</p>",
            cells.to_html(border=0, escape=False),
            overall.to_html(border=0, escape=False, header=False),
            f"<ul>{listed}</ul>" if listed else "",
        ]
    )


def unknown_figures(
    values: pd.DataFrame, whole: pd.DataFrame, reason: Callable[[str, str], str]
) -> pd.DataFrame:
    """List the figures that are NaN, and why.

    Parameters
    ----------
    values
        One row per value, one column per figure.
    whole
        One row per figure, with a column ``estimate``.
    reason
        Called with figure and value (empty for all together).

    Returns
    -------
    pandas.DataFrame
        Columns ``figure``, ``value``, ``reason``.
    """
    gaps = [(name, value) for name in values for value in values.index[values[name].isna()]]
    gaps += [(name, "") for name in whole.index[whole["estimate"].isna()]]
    rows = [(name, value, reason(name, value)) for name, value in gaps]
    return pd.DataFrame(rows, columns=["figure", "value", "reason"])


def _cell(triple: np.ndarray, *, html: bool, decimals: int = 2) -> str:
    """Write a figure and its interval; in HTML the interval is small and below."""
    if np.isnan(triple[0]):
        return DASH
    estimate, low, high = (_number(number, decimals) for number in triple)
    if np.isnan(triple[1]):
        return estimate
    if html:
        return f"{estimate}<br><small>{low} to {high}</small>"
    return f"{estimate} [{low}, {high}]"


def _number(number: float, decimals: int = 2) -> str:
    """Write a number; never as -0.00."""
    return f"{round(float(number), decimals) + 0.0:.{decimals}f}"


def _whole_cells(whole: pd.DataFrame, names: Mapping[str, str], *, html: bool) -> pd.DataFrame:
    """Write one row per figure: itself with its interval, and its unit."""
    triples = whole[["estimate", "low", "high"]].to_numpy(float)
    cells = pd.DataFrame({"figure": [_cell(t, html=html, decimals=3) for t in triples]})
    cells["unit"] = whole["unit"].where(whole["estimate"].notna(), "").to_numpy()
    return cells.set_axis([names[name] for name in whole.index])


def _reasons(unknown: pd.DataFrame, names: Mapping[str, str], n_values: int) -> list[str]:
    """Return a line for each reason: which figures, of which values, it leaves untold."""
    lines = []
    for reason, rows in unknown.groupby("reason", sort=False):
        figures = ", ".join(dict.fromkeys(names[figure] for figure in rows["figure"]))
        values = [value for value in dict.fromkeys(rows["value"]) if value]
        where = "" if len(values) in (0, n_values) else f" of {', '.join(values)}"
        lines.append(f"not told: {figures}{where} - {reason}")
    return lines
