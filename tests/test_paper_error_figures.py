"""Figures of errors show the numbers that they were given."""

import numpy as np
import pytest

from valuegraph.paper import error_figures
from valuegraph.paper.base_rates import Gap
from valuegraph.paper.features import Aim
from valuegraph.paper.firmness import Firmness
from valuegraph.paper.graphs import PaperGraph
from valuegraph.paper.halves import HalfAgreement
from valuegraph.paper.nulls import EdgesAgainstNull
from valuegraph.paper.orders import ColumnOrders

MODELS = ("Gemma", "Llama")


@pytest.mark.parametrize("models", [MODELS, MODELS[:1]])
def test_null_edges(models):
    null = {"rows": EdgesAgainstNull(9, np.array([2, 2, 3, 4]))}
    figure = error_figures.plot_null_edges(dict.fromkeys(models, null))
    assert [axes.get_title() for axes in figure.axes] == [f"{m}: 9 edges" for m in models]
    step, found = figure.axes[0].lines
    assert dict(zip(*step.get_data(), strict=True))[2] == 0.5
    assert found.get_xdata()[0] == 9


def test_directions():
    graph = PaperGraph(("a", "b"), (("a", "b", "->"),), (9, 2))
    back = PaperGraph(("a", "b"), (("b", "a", "->"),), (9, 2))
    figure = error_figures.plot_directions({"Gemma": ColumnOrders(graph, (graph, graph, back))})
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights == pytest.approx([200 / 3, 0, 100 / 3])


def test_firmness():
    firm = Firmness(np.array([1.0, 0.5]), (np.array([0.9]), np.array([0.2, 0.1])))
    null, own = error_figures.plot_firmness({"Gemma": firm}).axes[0].lines[:2]
    assert own.get_ydata()[[0, 50, 51, 100]].tolist() == [2, 2, 1, 1]
    assert null.get_ydata()[0] == 1.5


def test_halves():
    agreement = HalfAgreement(np.array([0.2, 0.4]), np.array([0.1]), np.array([0.3]))
    figure = error_figures.plot_halves({"Llama": agreement}, {"Llama": np.array([0.6])})
    axes = figure.axes[0]
    assert [line.get_xdata()[0] for line in axes.lines] == pytest.approx([0.3, 0.1, 0.3, 0.6])
    assert len(axes.get_yticklabels()) == 4
    assert len(error_figures.plot_halves({"Llama": agreement}).axes[0].lines) == 3


def test_gaps():
    gap = Gap(0.3, 0.2, 0.1, 0.05, 0.15, -0.1, 0.12, 0.04, 0.01, 0.1, 0.2, 20)
    figure = error_figures.plot_gaps({m: {"prompts": gap, "features": gap} for m in MODELS})
    left, right = figure.axes[:2]
    assert [bar.get_width() for bar in left.patches] == pytest.approx([0.2, 0.2])
    assert [bar.get_width() for bar in right.patches] == pytest.approx([0.22, 0.22])
    assert [label.get_text() for label in left.get_yticklabels()] == ["prompts", "features"]


def test_aims():
    found = Aim(20, 0.4, 0.1, 0.0, 0.3, 5, 0.3, 0.2, 0.4, 0.1, 0.5)
    left = error_figures.plot_aims({"up": found, "down": found}).axes[0]
    assert [line.get_xdata()[0] for line in left.lines[:4]] == [0.0, 0.4, 0.3, 0.1]


@pytest.mark.parametrize("name", [n for n in dir(error_figures) if n.startswith("plot_")])
def test_nothing_to_plot_is_refused(name):
    with pytest.raises(ValueError, match="nothing to plot"):
        getattr(error_figures, name)({})
