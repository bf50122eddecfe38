"""Pictures of features: the map of all of them, and the steering console."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.plots.console import steering_console
from valuegraph.plots.features import feature_order, plot_features

VALUES = ["PO", "SE", "AC"]


@pytest.fixture
def does():
    rows = {7: (0.1, 0.0, -2.0), 3: (0.0, 0.5, 0.1), 9: (0.2, -0.9, 0.0), 4: (1.0, 0.0, 0.3)}
    return pd.DataFrame(rows, index=VALUES).T


def test_features_of_a_value_stand_together_the_strongest_first(does):
    # PO: 4; SE: 9, then 3; AC: 7.
    assert feature_order(does) == [4, 9, 3, 7]
    assert feature_order(does[["SE", "AC", "PO"]]) == [9, 3, 7, 4]


def test_both_maps_show_the_same_features_in_the_same_order(does):
    reads = does.iloc[::-1] / 4
    reads.loc[7] = np.nan
    figure = plot_features(reads, does)
    above, below = (axes.images[0] for axes in figure.axes[:2])
    order = [9, 3, 7, 4]
    assert np.allclose(below.get_array(), does.loc[order, ["SE", "AC", "PO"]].T)
    shown = np.ma.filled(above.get_array(), np.nan)
    assert np.allclose(shown, reads.loc[order, ["SE", "AC", "PO"]].T, equal_nan=True)
    assert below.get_clim() == (-2, 2)  # white is 0
    assert [t.get_text() for t in figure.axes[1].get_xticklabels()] == ["9", "3", "7", "4"]
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["SE", "AC", "PO"]


def test_maps_of_different_features_or_of_too_many_are_refused(does):
    with pytest.raises(ValueError, match="same features and values"):
        plot_features(does.drop(index=3), does)
    with pytest.raises(ValueError, match="same features and values"):
        plot_features(does[["PO", "SE"]], does)
    many = pd.DataFrame(1.0, range(201), VALUES)
    with pytest.raises(ValueError, match="201 features"):
        plot_features(many, many)


@pytest.fixture
def effects():
    rows = [
        (push, c, value, c * size, c * size - 0.1, c * size + 0.1)
        for push, sizes in {"AC: feature 1": (0.5, 0.0, 2.0), "SE: feature 2": (0, -1, 0)}.items()
        for c in (1.0, -1.0, 0.0)
        for value, size in zip(VALUES, sizes, strict=True)
    ]
    return pd.DataFrame(rows, columns=["push", "coefficient", "value", "effect", "low", "high"])


def test_console_draws_the_effects_of_where_its_sliders_stand(effects):
    true = pd.Series([0.6, 0.1, 2.5], VALUES)
    console = steering_console(
        effects, title="Push", truth={("AC: feature 1", 1.0): true}, start={"coefficient": 1.0}
    )
    assert console.steps == {
        "push": ("AC: feature 1", "SE: feature 2"),
        "coefficient": (-1.0, 0.0, 1.0),
    }
    assert console.start == {"push": "AC: feature 1", "coefficient": 1.0}
    figure, words = console.draw(push="AC: feature 1", coefficient=1.0)
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["SE", "AC", "PO"]
    assert [bar.get_width() for bar in axes.patches] == [0.0, 2.0, 0.5]
    assert list(axes.lines[0].get_xdata()) == [0.1, 2.5, 0.6]  # the truth, in the same order
    assert words == "AC: feature 1, coefficient 1: AC +2.00, PO +0.50, SE +0.00."
    other, words = console.draw(push="SE: feature 2", coefficient=-1.0)
    assert axes.get_xlim() == other.axes[0].get_xlim() == (-1.05 * 2.5, 1.05 * 2.5)
    assert len(other.axes[0].lines) == 1  # no truth there, only the line at 0
    _, words = console.draw(push="SE: feature 2", coefficient=0.0)
    assert words == "SE: feature 2, coefficient 0: nothing changes."


def test_words_sum_up_what_they_do_not_name(effects):
    more = effects.assign(value=effects["value"] + "2", effect=effects["effect"] / 10)
    console = steering_console(pd.concat([effects, more]), title="Push")
    _, words = console.draw(push="AC: feature 1", coefficient=-1.0)
    assert words == (
        "AC: feature 1, coefficient -1: AC −2.00, PO −0.50, AC2 −0.20; "
        "every other value by 0.05 at most."
    )


def test_console_has_a_page_without_a_kernel(effects):
    page = steering_console(effects, title="Push")._repr_html_()
    assert page.count('class="vg-frame"') == 6
    assert page.count("<svg ") == 6


def test_console_needs_every_push_at_every_coefficient(effects):
    with pytest.raises(ValueError, match="need 18 different rows"):
        steering_console(effects.iloc[1:], title="Push")
    with pytest.raises(ValueError, match="need 18 different rows"):
        steering_console(pd.concat([effects, effects.iloc[:1]]), title="Push")
    with pytest.raises(ValueError, match="low"):
        steering_console(effects.drop(columns="low"), title="Push")
