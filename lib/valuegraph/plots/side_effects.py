"""Figures of predicted side effects: how well each predictor does, and where correlations fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.palette import PAIR_COLOURS, ROLE_COLOURS
from valuegraph.steering.side_effects import CEILING
from valuegraph.style import figure_in_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = {
    "true": ("knows the truth", ROLE_COLOURS["truth"], "D"),
    "graph": ("uses a discovered graph", PAIR_COLOURS[0], "o"),
    "other": ("uses no graph", PAIR_COLOURS[1], "s"),
}
"""Kinds of predictors: name in the legend, colour and marker."""

_FLOOR = -0.6
_LINES = ("-", "--", ":", "-.")


def kind_of(predictor: str) -> str:
    """Return the kind of a predictor, a key of :data:`KINDS`, from its name."""
    if predictor.startswith("true"):
        return "true"
    return "graph" if "graph" in predictor else "other"


def plot_skill(
    skills: Mapping[str, pd.DataFrame],
    *,
    predictors: Sequence[str] | Mapping[str, str] | None = None,
) -> Figure:
    """Show how well each predictor tells side effects, respondent by respondent.

    Parameters
    ----------
    skills
        By title of the panel: ``skill``, ``low`` and ``high`` by predictor, as in
        :class:`valuegraph.steering.side_effects.SideEffects` and in the study ``"side_effects"``.
        The row of the noise ceiling becomes a line.
    predictors
        Which predictors to show, from top to bottom, and what to call them; by default all, kind
        by kind, but ``"nothing"``, which is the line at zero. One that a panel lacks leaves its row
        empty there.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a respondent, one row a predictor: skill and its interval. Skill far below zero is
        drawn as an arrow at the edge.

    Raises
    ------
    ValueError
        If there is no respondent, or one has none of the predictors.
    """
    if not skills:
        raise ValueError("there is no skill to plot; give at least one respondent")
    if predictors is None:
        every = {name: None for table in skills.values() for name in table.index}
        every = [name for name in every if name not in (CEILING, "nothing")]
        predictors = sorted(every, key=lambda name: list(KINDS).index(kind_of(name)))
    names = list(predictors)
    labels = list(predictors.values()) if isinstance(predictors, Mapping) else names
    for title, table in skills.items():
        if not set(names) & set(table.index):
            raise ValueError(f"{title!r} has none of the predictors {', '.join(names)}")
    columns = min(len(skills), 3)
    rows = -(-len(skills) // columns)
    size = (max(6.4, 1.7 + 2.3 * columns), 1.4 + rows * (0.7 + 0.25 * len(names)))
    grid = {"nrows": rows, "ncols": columns, "sharex": True, "sharey": True, "squeeze": False}
    with figure_in_style(figsize=size, **grid) as (figure, panels):
        for axes, (title, table) in zip(panels.flat, skills.items(), strict=False):
            _skill_panel(axes, table, names)
            axes.set_title(title, fontsize="medium")
        for place, axes in enumerate(panels.flat):
            if place >= len(skills):
                axes.set_axis_off()
            elif place + columns >= len(skills):  # the last of its column
                axes.tick_params(labelbottom=True)
        first = panels[0, 0]
        first.set(yticks=range(len(names)), yticklabels=labels, ylim=(len(names) - 0.4, -0.6))
        first.set(xlim=(_FLOOR - 0.05, 1.06), xticks=[-0.5, 0, 0.5, 1])
        figure.supxlabel("skill out of sample: 1 perfect, 0 as good as nothing", fontsize="medium")
        legend = {"loc": "outside upper center", "ncols": 2, "frameon": False}
        figure.legend(handles=_handles(names), **legend)
    return figure


def plot_predicted(
    pairs: pd.DataFrame,
    predictors: Sequence[str] = ("graph", "correlation"),
    *,
    descends: pd.DataFrame | None = None,
) -> Figure:
    """Show measured side effects against predicted ones, one panel a predictor.

    Parameters
    ----------
    pairs
        From :class:`valuegraph.steering.side_effects.SideEffects`.
    predictors
        Columns of it.
    descends
        Boolean, cause in rows and effect in columns: which values truly follow from which, where
        that is known. Others are drawn as crosses: there, nothing should be predicted.

    Returns
    -------
    matplotlib.figure.Figure
        One point a side effect. On the line, prediction and measurement agree.

    Raises
    ------
    ValueError
        If there is no such predictor.
    """
    missing = [name for name in predictors if name not in pairs.columns]
    if missing or not len(predictors):
        raise ValueError(f"pairs hold no predictor {', '.join(missing) or '(none was named)'}")
    follows = np.ones(len(pairs), dtype=bool)
    if descends is not None:
        follows = np.array(
            [descends.loc[a, b] for a, b in zip(pairs["target"], pairs["value"], strict=True)]
        )
    shown = pairs[["measured", *predictors]].to_numpy(dtype=float)
    reach = 1.05 * np.abs(shown).max()
    size = (max(6.4, 3.4 * len(predictors)), 4.0)
    options = {"ncols": len(predictors), "sharex": True, "sharey": True, "squeeze": False}
    with figure_in_style(figsize=size, **options) as (figure, panels):
        for axes, name in zip(panels[0], predictors, strict=True):
            axes.axline((0, 0), slope=1, color=ROLE_COLOURS["null"], linewidth=1, zorder=0)
            for chosen, marker, colour, label in (
                (follows, "o", PAIR_COLOURS[0], "follows from the target"),
                (~follows, "x", PAIR_COLOURS[1], "does not follow from it"),
            ):
                some = pairs[chosen]
                if descends is None:
                    label = "side effect"
                if len(some):
                    axes.scatter(
                        some[name], some["measured"], s=14, marker=marker, color=colour,
                        alpha=0.7, linewidth=0 if marker == "o" else 1, label=label,
                    )  # fmt: skip
            axes.set(title=name, xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        panels[0, 0].set_ylabel("measured side effect (SD)")
        figure.supxlabel("predicted side effect (SD)", fontsize="medium")
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    return figure


def plot_skill_by_size(
    sizes: pd.DataFrame, predictors: Sequence[str] | Mapping[str, str] | None = None
) -> Figure:
    """Show how skill grows with the number of roles behind a graph.

    Parameters
    ----------
    sizes
        Columns ``respondent``, ``n``, ``predictor``, ``skill``, ``low``, ``high``: means over runs,
        and the smallest and largest of them, as in the study ``"side_effects"``, part ``"size"``.
    predictors
        Which predictors to show, and what to call them; by default all but ``"nothing"``.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a respondent.

    Raises
    ------
    ValueError
        If there is nothing to show.
    """
    if predictors is None:
        predictors = [name for name in sizes["predictor"].unique() if name != "nothing"]
    labels = dict(predictors) if isinstance(predictors, Mapping) else {p: p for p in predictors}
    sizes = sizes[sizes["predictor"].isin(labels)]
    if sizes.empty:
        raise ValueError(f"there are no skills of {', '.join(labels)} to plot")
    respondents = list(sizes["respondent"].unique())
    options = {"ncols": len(respondents), "sharey": True, "squeeze": False}
    size = (max(6.4, 1.0 + 3.2 * len(respondents)), 4.4)
    with figure_in_style(figsize=size, **options) as (figure, panels):
        for axes, respondent in zip(panels[0], respondents, strict=True):
            here = sizes[sizes["respondent"] == respondent]
            axes.axhline(0, color=ROLE_COLOURS["null"], linewidth=1, zorder=0)
            drawn = dict.fromkeys(KINDS, 0)
            for name, label in labels.items():
                one = here[here["predictor"] == name].sort_values("n")
                kind = "ceiling" if name == CEILING else kind_of(name)
                _, colour, marker = KINDS.get(kind, ("", ROLE_COLOURS["null"], ""))
                line = _LINES[drawn.get(kind, 0) % len(_LINES)]
                drawn[kind] = drawn.get(kind, 0) + 1
                axes.plot(
                    one["n"], one["skill"], line, marker=marker, color=colour, label=label,
                    markersize=4,
                )  # fmt: skip
                axes.fill_between(
                    one["n"], one["low"], one["high"], color=colour, alpha=0.12, linewidth=0
                )
            ticks = sorted(here["n"].unique())
            axes.set(title=respondent, xscale="log", xlabel="roles behind graph and correlations")
            axes.set_xticks(ticks, [f"{n:,}" for n in ticks])
            axes.minorticks_off()
        floor = max(_FLOOR, min(0.0, float(sizes["low"].min())) - 0.05)
        panels[0, 0].set(ylabel="skill out of sample", ylim=(floor, 1.03))
        handles, names = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _skill_panel(axes: Axes, table: pd.DataFrame, names: Sequence[str]) -> None:
    """Draw the skills of one respondent."""
    axes.axvline(0, color=ROLE_COLOURS["null"], linewidth=1, zorder=0)
    if CEILING in table.index:
        ceiling = max(float(table.loc[CEILING, "skill"]), _FLOOR)
        axes.axvline(ceiling, color=ROLE_COLOURS["truth"], linewidth=1, linestyle=":", zorder=0)
    for place, name in enumerate(names):
        if name not in table.index:
            continue
        skill, low, high = table.loc[name, ["skill", "low", "high"]].astype(float)
        _, colour, marker = KINDS[kind_of(name)]
        axes.hlines(place, max(low, _FLOOR), max(high, _FLOOR), color=colour, linewidth=1.4)
        marker = marker if skill >= _FLOOR else "<"
        axes.plot(max(skill, _FLOOR), place, marker, color=colour, markersize=5, zorder=3)


def _handles(names: Sequence[str]) -> list:
    """Return legend entries of the kinds that are shown, and of the noise ceiling."""
    from matplotlib.lines import Line2D

    kinds = {kind_of(name) for name in names}
    marks = [
        Line2D([], [], color=colour, marker=marker, markersize=5, linewidth=1.4, label=label)
        for kind, (label, colour, marker) in KINDS.items()
        if kind in kinds
    ]
    style = {"color": ROLE_COLOURS["truth"], "linestyle": ":", "linewidth": 1}
    return [*marks, Line2D([], [], **style, label=CEILING)]
