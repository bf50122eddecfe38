"""Figures of effects: the map, and curves over the dose."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.plots.doses import plot_doses
from valuegraph.plots.effect_map import plot_effect_map
from valuegraph.steering.doses import useful_range


@pytest.fixture(scope="module")
def effects():
    rows = [
        (name, value, effect, effect - 0.2, effect + 0.2)
        for name, row in {"a": (1.0, -0.5, 0.1), "b": (0.0, 0.04, -2.0)}.items()
        for value, effect in zip(("PO", "SE", "AC"), row, strict=True)
    ]
    return pd.DataFrame(rows, columns=["intervention", "value", "effect", "low", "high"])


@pytest.fixture(scope="module")
def doses():
    grid = np.linspace(-2, 2, 9)
    frames = []
    for value, slope in (("SE", 1.0), ("CO", 0.2)):
        effect = slope * np.tanh(grid)
        growth = effect - slope * np.tanh(grid - 0.5 * np.sign(grid))
        frame = {"coefficient": grid, "dose": abs(grid) / 4, "value": value, "effect": effect}
        frame |= {"low": effect - 0.05, "high": effect + 0.05}
        frame |= {"growth": growth, "growth_low": growth - 0.01, "growth_high": growth + 0.01}
        lost = grid**2 / 100
        frame |= {"outside": lost, "outside_low": lost - 0.01, "outside_high": lost + 0.01}
        frames.append(pd.DataFrame(frame | {"unparsed": np.nan}))
    return pd.concat(frames)


def test_map_shows_the_effects_in_circular_order(effects):
    figure = plot_effect_map(effects)
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["SE", "AC", "PO"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b"]
    image = axes.images[0]
    assert np.allclose(image.get_array(), [[-0.5, 0.1, 1.0], [0.04, -2.0, 0.0]])
    assert image.get_clim() == (-2, 2)  # white is 0
    assert [t.get_text() for t in axes.texts] == ["−0.5", "0.1", "1.0", "0.0", "−2.0", "0.0"]
    assert figure.axes[-1].get_ylabel() == "change of score (log-odds)"


def test_cells_that_may_be_nothing_carry_a_dot(effects):
    line = plot_effect_map(effects, numbers=False).axes[0].lines[0]
    marked = set(zip(np.round(line.get_xdata()), np.round(line.get_ydata()), strict=True))
    assert marked == {(1, 0), (0, 1), (2, 1)}


def test_prediction_stands_beside_on_the_same_scale(effects):
    predicted = pd.DataFrame([[4.0, 0, 0], [0, np.nan, 0]], ["b", "a"], ["PO", "AC", "SE"])
    figure = plot_effect_map(effects, predicted=predicted)
    measured, other = (axes.images[0] for axes in figure.axes[:2])
    assert measured.get_clim() == other.get_clim() == (-4, 4)
    assert np.ma.filled(other.get_array(), np.nan)[1].tolist() == [0, 0, 4]
    assert [axes.get_title() for axes in figure.axes[:2]] == ["measured", "predicted"]
    with pytest.raises(ValueError, match="interventions and values of the effects"):
        plot_effect_map(effects, predicted=predicted.drop(columns="SE"))


def test_curves_show_target_range_truth_and_costs(doses):
    useful = useful_range(doses, "SE")
    figure = plot_doses(
        doses, "SE", useful=useful, truth={"SE": 1.0}, costs=["outside", "unparsed"]
    )
    above, below = figure.axes[:2]
    drawn = {line.get_label(): line for line in above.lines}
    assert np.allclose(drawn["SE, with interval"].get_ydata(), np.tanh(np.linspace(-2, 2, 9)))
    assert np.allclose(drawn["SE, true effect"].get_ydata(), [-2, 2])
    assert np.allclose(drawn["the other values"].get_ydata(), 0.2 * np.tanh(np.linspace(-2, 2, 9)))
    assert below.get_ylabel() == "outside"
    assert len(figure.axes) == 2  # what was not measured has no panel
    assert f"to {useful.high:.3g} (effect levels off)" in above.get_title()
    assert f"useful: −{-useful.low:.3g} (" in above.get_title()


def test_curves_refuse_what_does_not_fit(doses):
    with pytest.raises(ValueError, match="no value 'PO'"):
        plot_doses(doses, "PO")
    with pytest.raises(ValueError, match="is of SE, the target is CO"):
        plot_doses(doses, "CO", useful=useful_range(doses, "SE"))
    with pytest.raises(ValueError, match="no cost is called 'pain'"):
        plot_doses(doses, "SE", costs=["pain"])


def test_figures_are_white_and_not_left_behind(effects, doses):
    import matplotlib.pyplot as plt

    with plt.style.context("dark_background"):
        figures = plot_effect_map(effects), plot_doses(doses, "SE")
        for figure in figures:
            assert figure.get_facecolor() == (1, 1, 1, 1)
    assert plt.get_fignums() == []
