"""Dose-response curves: effects and costs of a direction over its coefficient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from valuegraph.palette import PAIR_COLOURS, ROLE_COLOURS
from valuegraph.steering.costs import COSTS
from valuegraph.style import figure_in_style, in_circular_order
from valuegraph.tables import require_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from valuegraph.steering.doses import UsefulRange


def plot_doses(
    doses: pd.DataFrame,
    target: str,
    *,
    useful: UsefulRange | None = None,
    truth: Mapping[str, float] | None = None,
    costs: Sequence[str] = ("divergence",),
    unit: str = "change of score (log-odds)",
) -> Figure:
    """Draw how effects and costs grow with the coefficient.

    Parameters
    ----------
    doses
        Table of `valuegraph.steering.doses.dose_response`.
    target
        The value that is to be moved; the others are drawn in grey, in one band each.
    useful
        Its useful range, shaded.
    truth
        True effect of a coefficient of 1 by value; drawn for the target as a straight line.
    costs
        Costs to draw below, one panel each; those that were not measured are left out.
    unit
        What an effect is, for the axis.

    Returns
    -------
    matplotlib.figure.Figure
        Effects above, costs below, over the coefficient; the dose stands on the upper axis.

    Raises
    ------
    ValueError
        If a column, the target or a cost is unknown, or the useful range is of another value.
    """
    require_columns(doses, ("coefficient", "dose", "value", "effect", "low", "high"), "doses")
    values = in_circular_order(doses["value"].unique())
    if target not in values:
        raise ValueError(f"no value {target!r} in doses; there are {', '.join(values)}")
    if useful is not None and useful.value != target:
        raise ValueError(f"the useful range is of {useful.value}, the target is {target}")
    unknown = set(costs) - set(COSTS)
    if unknown:
        raise ValueError(f"no cost is called {sorted(unknown)[0]!r}; known are {', '.join(COSTS)}")
    measured = [c for c in costs if c in doses.columns and doses[c].notna().any()]
    heights = [3.0, *[1.2] * len(measured)]
    options = {
        "nrows": len(heights),
        "sharex": True,
        "squeeze": False,
        "figsize": (6.4, 1.3 + sum(heights)),
        "height_ratios": heights,
    }
    with figure_in_style(**options) as (figure, grid):
        above, *below = grid[:, 0]
        for axes in (above, *below):
            axes.axhline(0, color=ROLE_COLOURS["null"], linewidth=1, zorder=0)
            if useful is not None:
                axes.axvspan(useful.low, useful.high, color="#EAF2E3", zorder=-1)
        _effects(above, doses, values, target)
        if truth is not None:
            _truth(above, doses, target, truth[target])
        above.set_ylabel(unit)
        _dose_axis(above, doses)
        for axes, cost in zip(below, measured, strict=True):
            _band(axes, doses[doses["value"] == target], cost, PAIR_COLOURS[1])
            axes.set_ylabel(cost.replace("_", "-"))
        grid[-1, 0].set_xlabel("coefficient")
        figure.legend(loc="outside lower center", ncols=4, frameon=False)
        if useful is not None:
            ends = (
                f"{end:.3g} ({reason})".replace("-", "−", 1 if end < 0 else 0)
                for end, reason in (
                    (useful.low, useful.low_reason),
                    (useful.high, useful.high_reason),
                )
            )
            above.set_title(f"useful: {' to '.join(ends)}", fontsize="small")
    return figure


def _effects(axes: Axes, doses: pd.DataFrame, values: list[str], target: str) -> None:
    label = "the other values"
    for value in values:
        if value == target:
            continue
        rows = doses[doses["value"] == value]
        axes.plot(
            rows["coefficient"],
            rows["effect"],
            color=ROLE_COLOURS["null"],
            linewidth=1,
            label=label,
        )
        label = None
    rows = doses[doses["value"] == target]
    _ends(axes, rows, "low", "high", ROLE_COLOURS["estimate"])
    axes.plot(
        rows["coefficient"],
        rows["effect"],
        "o-",
        color=ROLE_COLOURS["estimate"],
        markersize=4,
        label=f"{target}, with interval",
    )


def _truth(axes: Axes, doses: pd.DataFrame, target: str, slope: float) -> None:
    # The measured range of effects stays in view; the line may leave it.
    limits = axes.get_ylim()
    ends = doses["coefficient"].min(), doses["coefficient"].max()
    axes.plot(
        ends,
        [slope * c for c in ends],
        "--",
        color=ROLE_COLOURS["truth"],
        linewidth=1.2,
        label=f"{target}, true effect",
    )
    axes.set_ylim(limits)


def _band(axes: Axes, rows: pd.DataFrame, cost: str, colour: str) -> None:
    _ends(axes, rows, f"{cost}_low", f"{cost}_high", colour)
    axes.plot(rows["coefficient"], rows[cost], "s-", color=colour, markersize=3.5)


def _ends(axes: Axes, rows: pd.DataFrame, low: str, high: str, colour: str) -> None:
    axes.fill_between(
        rows["coefficient"], rows[low], rows[high], color=colour, alpha=0.25, linewidth=0
    )


def _dose_axis(axes: Axes, doses: pd.DataFrame) -> None:
    """Tell doses above: they are proportional to the coefficient, on either side."""
    far = doses.iloc[doses["coefficient"].abs().argmax()]
    per_unit = far["dose"] / abs(far["coefficient"])
    upper = axes.secondary_xaxis("top", functions=(lambda c: c * per_unit, lambda d: d / per_unit))
    upper.set_xlabel("dose, ||δ|| / ||h|| (sign of the coefficient)")
