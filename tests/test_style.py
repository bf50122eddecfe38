"""Colours that can be told apart and read, and a style that leaves no trace."""

from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from seaborn.utils import relative_luminance

from valuegraph import style
from valuegraph.inventory import SCHWARTZ_ORDER


def contrast(colour, background):
    """The ratio of WCAG 2, by seaborn's luminance."""
    dark, light = sorted(relative_luminance(c) for c in (colour, background))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("background", ["#FFFFFF", "#121212"])
def test_colours_of_groups_and_lines_can_be_seen_on_light_and_dark_pages(background):
    for colour in (*style.GROUP_COLOURS.values(), style.OTHER_COLOUR):
        assert contrast(colour, background) >= 3
    assert contrast(style.INK, background) >= 4.2


def test_marks_stand_out_from_white():
    for colour in (*style.EDGE_COLOURS.values(), *style.PAIR_COLOURS, style.ROLE_COLOURS["people"]):
        assert contrast(colour, "#FFFFFF") >= 3
    for a, b in combinations(style.EDGE_COLOURS.values(), 2):
        assert a != b


def test_text_takes_the_better_of_black_and_white():
    levels = [f"{k:02X}" for k in range(0, 256, 51)]
    for colour in (f"#{r}{g}{b}" for r in levels for g in levels for b in levels):
        best = max(("#000000", "#FFFFFF"), key=lambda text: contrast(text, colour))
        assert style.text_on(colour) == best
        assert contrast(best, colour) >= 4.5


def test_values_have_the_colour_of_their_group():
    assert {style.value_colour(v) for v in SCHWARTZ_ORDER} == set(style.GROUP_COLOURS.values())
    assert style.value_colour("HE") == style.value_colour("ST")
    assert style.value_colour("Empathy") == style.OTHER_COLOUR


def test_values_stand_in_circular_order_and_others_behind():
    values = ["z", *reversed(SCHWARTZ_ORDER), "a"]
    assert style.in_circular_order(values) == [*SCHWARTZ_ORDER, "z", "a"]
    assert style.in_circular_order(["AC", "CO"]) == ["CO", "AC"]


def test_the_style_holds_inside_and_leaves_nothing_behind():
    before, size = plt.get_fignums(), mpl.rcParams["font.size"]
    with mpl.rc_context({"figure.facecolor": "black", "font.size": size + 9}):
        with style.figure_in_style(ncols=2) as (figure, axes):
            assert mpl.rcParams["figure.facecolor"] == "white"
        assert mpl.rcParams["font.size"] == size + 9
    assert len(axes) == 2 and figure.get_facecolor() == (1, 1, 1, 1)
    with pytest.raises(ZeroDivisionError), style.figure_in_style():
        raise ZeroDivisionError
    assert plt.get_fignums() == before
