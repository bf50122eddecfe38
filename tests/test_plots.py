"""Plots: what is shown is what was given, readable, and leaves nothing behind."""

import io

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

from valuegraph.graphs.graph import ValueGraph
from valuegraph.humans import load_human
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.palette import EDGE_COLOURS, GROUP_COLOURS, ROLE_COLOURS, contrast
from valuegraph.plots import (
    EDGE_LINES,
    plot_correlation,
    plot_effects,
    plot_graph_comparison,
    plot_scores,
)
from valuegraph.style import in_circular_order

LONG = ("Anxiety Disorder", "Positive coping", "Social Complexity")


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.standard_normal((60, 10)), columns=SCHWARTZ_ORDER[::-1])


@pytest.fixture(scope="module")
def effects():
    return pd.DataFrame(
        {"value": ["PO", "SE", "AC"], "effect": [0.5, 0.0, -0.2]}, index=[5, 6, 7]
    ).assign(low=lambda t: t["effect"] - 0.1, high=lambda t: t["effect"] + 0.3)


@pytest.fixture(scope="module")
def graphs():
    truth = ValueGraph.from_edges(
        SCHWARTZ_ORDER, directed=[("SE", "CO"), ("TR", "CO")], undirected=[("ST", "HE")]
    )
    guess = ValueGraph.from_edges(
        SCHWARTZ_ORDER, directed=[("SE", "CO"), ("HE", "ST")], undirected=[("AC", "PO")]
    )
    return truth, guess


@pytest.fixture(scope="module")
def every_figure(scores, effects, graphs):
    return {
        "scores": plot_scores(scores),
        "correlation": plot_correlation(load_human().correlation, title="people"),
        "comparison": plot_graph_comparison(*graphs),
        "effects": plot_effects(effects, truth={"SE": 0.1, "PO": 0.4}),
    }


def pixels(figure):
    file = io.BytesIO()
    figure.savefig(file, format="rgba")
    width, height = (round(side * figure.dpi) for side in figure.get_size_inches())
    return np.frombuffer(file.getvalue(), dtype=np.uint8).reshape(height, width, 4)


def test_no_figure_and_no_setting_is_left_behind(scores, effects, graphs):
    import matplotlib.pyplot as plt

    plot_scores(scores)  # seaborn's own import is over
    before = dict(matplotlib.rcParams)
    random_state = np.random.get_state()[1].copy()  # noqa: NPY002 - this is what must not move
    plot_scores(scores)
    plot_correlation(scores.corr())
    plot_graph_comparison(*graphs)
    plot_effects(effects)
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before
    assert (np.random.get_state()[1] == random_state).all()  # noqa: NPY002


def test_figures_are_solid_white_even_in_a_dark_style(scores, effects, graphs):
    import matplotlib.pyplot as plt

    with plt.style.context("dark_background"):
        for figure in (
            plot_scores(scores),
            plot_correlation(scores.corr()),
            plot_graph_comparison(*graphs),
            plot_effects(effects),
        ):
            picture = pixels(figure)
            assert (picture[..., 3] == 255).all()
            assert (picture[0, 0] == 255).all()
            # White text would leave nothing dark on the page.
            assert (picture[..., :3].max(axis=2) < 100).sum() > 100


def test_the_same_input_gives_the_same_picture(scores):
    assert (pixels(plot_scores(scores)) == pixels(plot_scores(scores))).all()


def test_every_axis_with_numbers_is_labelled(every_figure):
    assert every_figure["scores"].axes[0].get_xlabel() == "score (mean keyed log-odds)"
    assert every_figure["effects"].axes[0].get_xlabel() == "effect on score"
    assert every_figure["correlation"].axes[1].get_ylabel() == "correlation r"


def test_values_stand_in_circular_order(every_figure):
    def labels(name, axis):
        ticks = getattr(every_figure[name].axes[0], f"get_{axis}ticklabels")()
        return [tick.get_text() for tick in ticks]

    assert labels("scores", "y") == list(SCHWARTZ_ORDER)
    assert labels("correlation", "x") == labels("correlation", "y") == list(SCHWARTZ_ORDER)
    assert labels("effects", "y") == ["SE", "AC", "PO"]
    assert in_circular_order(["x", "PO", "SE"]) == ["SE", "PO", "x"]


def test_the_heat_map_writes_the_numbers(every_figure):
    texts = {text.get_text() for text in every_figure["correlation"].axes[0].texts}
    assert f"{load_human().correlation.loc['SE', 'CO']:.2f}" in texts
    wide = pd.DataFrame(np.eye(13), *[[f"v{i}" for i in range(13)]] * 2)
    assert not plot_correlation(wide).axes[0].texts


def test_effects_stand_where_they_belong(effects):
    figure = plot_effects(effects, truth=pd.Series({"SE": 0.1, "PO": 0.4}))
    by_marker = {line.get_marker(): line.get_xdata() for line in figure.axes[0].lines}
    assert np.allclose(by_marker["o"], [0.0, -0.2, 0.5])
    assert np.allclose(by_marker["D"], [0.1, np.nan, 0.4], equal_nan=True)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(legend) == ["measured, with interval", "true effect"]


def test_the_legend_counts_edges_of_each_kind(graphs):
    figure = plot_graph_comparison(*graphs, names=("people", "model"))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "in both (1)",
        "in both, direction differs (1)",
        "only in people (1)",
        "only in model (1)",
    ]
    assert [axes.get_title() for axes in figure.axes] == ["people: 3 edges", "model: 3 edges"]


def test_kinds_of_edges_differ_by_line_and_by_colour():
    assert EDGE_LINES.keys() == EDGE_COLOURS.keys()
    assert len(set(EDGE_LINES.values())) == len(set(EDGE_COLOURS.values())) == 4


def test_colours_stand_out_on_white_and_differ():
    for colours in (GROUP_COLOURS, EDGE_COLOURS):
        assert len(set(colours.values())) == len(colours)
        assert all(contrast(colour, "#FFFFFF") >= 3 for colour in colours.values())
    assert contrast(ROLE_COLOURS["estimate"], ROLE_COLOURS["null"]) > 1.5


def test_long_names_can_be_compared():
    graph = ValueGraph.from_edges(LONG, directed=[LONG[:2]])
    texts = {text.get_text() for text in plot_graph_comparison(graph, graph).axes[0].texts}
    assert texts == set(LONG)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.drop(columns="low"), "effects lack low"),
        (lambda e: pd.concat([e, e.head(1)]), "'PO' has several rows"),
        (lambda e: e.assign(high=e["effect"] - 0.01), "effect on PO, 0.5, is not inside"),
    ],
)
def test_effects_that_make_no_sense_are_refused(effects, change, message):
    with pytest.raises(ValueError, match=message):
        plot_effects(change(effects))


def test_other_input_that_cannot_be_plotted_is_refused(scores, graphs):
    with pytest.raises(ValueError, match="no scores to plot"):
        plot_scores(scores.head(0))
    with pytest.raises(ValueError, match="same values on both sides"):
        plot_correlation(scores.corr().drop(index="SE"))
    with pytest.raises(ValueError, match="different values"):
        plot_graph_comparison(graphs[0], ValueGraph(("SE", "CO"), np.zeros((2, 2))))
