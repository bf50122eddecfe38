"""Figures of verdicts: what is shown is what was found, and nothing is left behind."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from valuegraph.comparison import compare_sizes
from valuegraph.organisms.shipped import load_truth
from valuegraph.palette import contrast
from valuegraph.plots.verdicts import BAND_COLOUR, plot_verdicts
from valuegraph.verdicts.verdict import CANNOT_TELL


@pytest.fixture(scope="module")
def verdicts():
    return {
        name: compare_sizes(
            load_truth(name).sample(600, seed=0), sizes=[600, 60], sensitivity=False, draws=199
        )
        for name in ("organism-human", "organism-alien")
    }


def test_each_model_has_a_panel_with_its_agreement_and_the_band(verdicts):
    figure = plot_verdicts(verdicts)
    for axes, (name, row) in zip(figure.axes, verdicts.items(), strict=True):
        assert axes.get_title() == name
        marks = {
            (line.get_xdata()[0], line.get_ydata()[0]): line
            for line in axes.get_lines()
            if line.get_marker() in ("o", "X")
        }
        for verdict in row:
            mark = marks[verdict.n, verdict.agreement]
            assert (mark.get_markerfacecolor() == "white") == (verdict.verdict == CANNOT_TELL)
        (area,) = axes.collections[:1]
        corners = area.get_paths()[0].vertices
        for verdict in row:
            at_n = corners[np.isclose(corners[:, 0], verdict.n), 1]
            assert (at_n.min(), at_n.max()) == pytest.approx(verdict.band.limits())


def test_the_legend_tells_every_mark(verdicts):
    figure = plot_verdicts(verdicts)
    (legend,) = figure.legends
    told = {text.get_text() for text in legend.get_texts()}
    assert {"inside", "outside", "cannot tell", "13 countries", "one more country, 95 %"} <= told
    assert {"noise ceiling, people", "noise ceiling, model", "model, 95 % interval"} <= told


def test_everything_fits_on_the_page_even_a_single_verdict(verdicts):
    for shown in (verdicts, {"one": verdicts["organism-human"][:1]}):
        figure = plot_verdicts(shown)
        page = figure.bbox
        box = figure.legends[0].get_window_extent()
        assert box.x0 >= page.x0 and box.x1 <= page.x1 and box.y0 >= page.y0


def test_no_figure_is_left_behind_and_the_band_can_be_seen(verdicts):
    import matplotlib.pyplot as plt

    plot_verdicts(verdicts)
    assert plt.get_fignums() == []
    assert contrast(BAND_COLOUR, "#FFFFFF") > 3


def test_without_verdicts_there_is_no_figure():
    with pytest.raises(ValueError, match="no verdict to plot"):
        plot_verdicts({})
    with pytest.raises(ValueError, match="no verdict to plot"):
        plot_verdicts({"one": []})
