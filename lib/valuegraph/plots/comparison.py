"""Two graphs side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from valuegraph.graphs.comparison import compare_graphs
from valuegraph.graphs.drawing import all_codes, circle_positions
from valuegraph.graphs.graph import ValueGraph
from valuegraph.palette import EDGE_COLOURS
from valuegraph.style import figure_in_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EDGE_LINES = {"shared": "-", "turned": "-.", "missing": "--", "extra": ":"}
"""Line styles that go with the edge colours of the palette, for print in grey."""


def plot_graph_comparison(
    truth: ValueGraph,
    guess: ValueGraph,
    *,
    names: tuple[str, str] = ("truth", "guess"),
) -> Figure:
    """Show two graphs side by side on the circle, and where their edges agree.

    Parameters
    ----------
    truth, guess
        Graphs over the same values.
    names
        What the two graphs are, for their titles.

    Returns
    -------
    matplotlib.figure.Figure
        Shared edges are dark and solid, edges only of the left graph dashed, edges only of the
        right graph dotted; an edge that both have, but with another direction, is dash-dotted.

    Raises
    ------
    ValueError
        If the graphs are over different values.
    """
    from matplotlib.lines import Line2D

    comparison = compare_graphs(truth, guess)
    kinds = {frozenset(edge): "missing" for edge in comparison.missing}
    kinds |= {frozenset(edge): "extra" for edge in comparison.extra}
    kinds |= {frozenset(edge): "shared" for edge in comparison.agreed}
    turned = (*comparison.reversed, *comparison.undirected, *comparison.directed)
    kinds |= {frozenset(edge): "turned" for edge in turned}
    labels = {
        "shared": "in both",
        "turned": "in both, direction differs",
        "missing": f"only in {names[0]}",
        "extra": f"only in {names[1]}",
    }
    width = 8.6 if all_codes(truth.values) else 11.0
    with figure_in_style(ncols=2, figsize=(width, 4.9)) as (figure, both_axes):
        for axes, graph, name in zip(both_axes, (truth, guess), names, strict=True):
            _draw_on(axes, graph, kinds)
            axes.set_title(f"{name}: {graph.n_edges} edges")
        handles = [
            Line2D([], [], color=EDGE_COLOURS[kind], linestyle=EDGE_LINES[kind], linewidth=2,
                   label=f"{label} ({sum(found == kind for found in kinds.values())})")
            for kind, label in labels.items()
        ]  # fmt: skip
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _draw_on(axes: Axes, graph: ValueGraph, kinds: Mapping[frozenset[str], str]) -> None:
    """Draw a graph on the circle with edges styled by their kind."""
    from matplotlib.patches import FancyArrowPatch

    places = circle_positions(graph.values)
    short = all_codes(graph.values)
    gap = 12 if short else 5
    for edges, head in ((graph.undirected_edges, 0), (graph.directed_edges, 6)):
        for a, b in edges:
            kind = kinds[frozenset((a, b))]
            ends = {"posA": places[a], "posB": places[b], "color": EDGE_COLOURS[kind]}
            axes.add_patch(
                FancyArrowPatch(
                    **ends,
                    arrowstyle="-",
                    linewidth=1.6,
                    linestyle=EDGE_LINES[kind],
                    shrinkA=gap,
                    shrinkB=gap + head,
                )
            )
            if head:
                # A patch of its own: the dots of the line would fray the head.
                axes.add_patch(
                    FancyArrowPatch(
                        **ends,
                        arrowstyle="-|>",
                        mutation_scale=17,
                        linewidth=0,
                        shrinkA=gap,
                        shrinkB=gap,
                    )
                )
    for value, (x, y) in places.items():
        # Pale: here colour speaks of edges, not of groups.
        axes.plot(x, y, "o", color="#E4E4E4", markersize=22 if short else 8)
        if short:
            axes.text(x, y, value, ha="center", va="center", size=9, weight="bold")
        else:
            side = "center" if abs(x) < 0.05 else "left" if x > 0 else "right"
            axes.text(1.1 * x, 1.1 * y, value, ha=side, va="center", size=7)
    reach = 1.2 if short else 1.9
    axes.set(xlim=(-reach, reach), ylim=(-1.2, 1.2), aspect="equal")
    axes.axis("off")
