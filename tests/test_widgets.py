"""Sliders: the static page holds every picture and shows one; the live ones draw when asked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from itertools import product
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from valuegraph.graphs.graph import ValueGraph
from valuegraph.style import figure_in_style
from valuegraph.widgets import Slides, in_live_notebook, svg_of, with_own_ids, words_of

STEPS = {"n": (100, 2000), "alpha": (0.01, 0.05, 0.2)}


def graph(n, alpha):
    """Draw a graph that does not depend on alpha, so that some pictures are alike."""
    edges = [("ST", "AC"), ("AC", "PO")] if n > 1000 else [("AC", "PO")]
    return ValueGraph.from_edges(("ST", "AC", "PO"), directed=edges), f'{n} rows, "{alpha}"'


def figure(level):
    with figure_in_style(figsize=(2, 2)) as (drawn, axes):
        axes.plot([0, level], [0, 1])
        axes.set_title(f"level {level}")
    return drawn, f"A line of length {level}."


@pytest.fixture(scope="module")
def slides():
    return Slides(graph, STEPS, title="Graphs <by> n", start={"n": 2000})


class Page(HTMLParser):
    """All opening tags of a page with their attributes."""

    def __init__(self, html):
        super().__init__()
        self.tags = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def of_class(self, name):
        return [attrs for _, attrs in self.tags if name in attrs.get("class", "").split()]

    def named(self, name):
        return [attrs for tag, attrs in self.tags if tag == name]


# ---------------------------------------------------------------- the static page


def test_the_page_holds_every_picture_and_shows_the_one_at_the_start(slides):
    frames = Page(slides._repr_html_()).of_class("vg-frame")
    assert [f["data-at"] for f in frames] == [f"{a} {b}" for a, b in product(range(2), range(3))]
    shown = [f for f in frames if "visibility:visible" in f["style"]]
    assert [f["data-at"] for f in shown] == ["1 0"]
    assert shown[0]["data-words"] == '2000 rows, "0.01"'
    assert sum("visibility:hidden" in f["style"] for f in frames) == 5


def test_sliders_are_labelled_and_stand_at_the_start(slides):
    first, second = Page(slides._repr_html_()).named("input")
    assert (first["type"], first["min"], first["max"], first["value"]) == ("range", "0", "1", "1")
    assert (first["aria-label"], first["aria-valuetext"]) == ("n", "2,000")
    assert json.loads(second["data-said"]) == ["0.01", "0.05", "0.2"]
    (card,) = Page(slides._repr_html_()).of_class("vg-slides")
    assert card["aria-label"] == "Graphs <by> n"
    assert "background:#fff" in card["style"] and "color:#222" in card["style"]


def test_every_picture_has_ids_of_its_own_even_where_pictures_are_alike(slides):
    other = Slides(figure, {"level": (1, 2, 3)}, title="Lines")
    page = slides._repr_html_() + other._repr_html_()
    ids = [attrs["id"] for _, attrs in Page(page).tags if "id" in attrs]
    assert len(ids) == len(set(ids)) > 6
    meant = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page)
    meant = {a or b for a, b in meant}
    for name in re.findall(r'aria-(?:labelled|described)by="([^"]+)"', page):
        meant |= set(name.split())
    assert meant and meant <= set(ids)


def test_every_picture_says_what_it_shows(slides):
    for own in (slides, Slides(figure, {"level": (1, 2)}, title="Lines")):
        pictures = Page(own._repr_html_()).named("svg")
        assert all(p["role"] == "img" for p in pictures)
        assert all(p.get("aria-label") or p.get("aria-labelledby") for p in pictures)


def test_the_page_needs_nothing_from_elsewhere_and_changes_nothing_outside(slides):
    for own in (slides, Slides(figure, {"level": (1, 2)}, title="Lines")):
        page = own._repr_html_()
        assert not {"script", "link", "style", "img", "iframe"} & {t for t, _ in Page(page).tags}
        addresses = set(re.findall(r'"(https?://[^"]*)"', page))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_the_same_slides_give_the_same_page_in_every_build():
    first, second = (
        Slides(figure, {"level": (1, 2)}, title="Lines")._repr_html_() for _ in range(2)
    )
    assert first == second


@pytest.mark.skipif(shutil.which("node") is None, reason="node runs the page's one line of script")
def test_moving_a_slider_shows_its_picture_and_its_words(slides, tmp_path):
    page = Page(slides._repr_html_())
    frames = page.of_class("vg-frame")
    inputs = page.named("input")
    script = """
        const [frames, inputs, to] = JSON.parse(process.argv[2]);
        const shown = frames.map(f => ({style: {}, dataset: {at: f["data-at"],
            words: f["data-words"]}}));
        const sliders = inputs.map(i => ({value: i.value, dataset: {said: i["data-said"]},
            nextElementSibling: {}, setAttribute(name, v) { this[name] = v }}));
        const words = {};
        const box = {querySelectorAll: s => s === "input" ? sliders : shown,
            querySelector: s => words};
        to.forEach((value, k) => { sliders[k].value = String(value) });
        sliders[1].closest = () => box;
        new Function(inputs[1].oninput).call(sliders[1]);
        console.log(JSON.stringify({
            visible: shown.filter(f => f.style.visibility === "visible").map(f => f.dataset.at),
            hidden: shown.filter(f => f.style.visibility === "hidden").length,
            words: words.textContent,
            said: sliders.map(s => [s["aria-valuetext"], s.nextElementSibling.textContent]),
        }))"""
    path = tmp_path / "moved.js"
    path.write_text(script, encoding="utf-8")
    told = json.dumps([frames, inputs, [0, 2]])
    done = subprocess.run(["node", path, told], capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == {
        "visible": ["0 2"],
        "hidden": 5,
        "words": '100 rows, "0.2"',
        "said": [["100", "100"], ["0.2", "0.2"]],
    }


def test_too_many_pictures_for_a_page_are_refused_before_any_is_drawn():
    drawn = []
    slides = Slides(lambda **at: drawn.append(at), {"n": range(200)}, title="many")
    with pytest.raises(ValueError, match="200 pictures are too many.*fewer values.*live"):
        slides._repr_html_()
    assert drawn == []


# ---------------------------------------------------------------- live


def test_live_sliders_draw_a_picture_when_it_is_asked_for_and_once():
    asked = []

    def draw(n, alpha):
        asked.append((n, alpha))
        return graph(n, alpha)

    box = Slides(draw, STEPS, title="Graphs", start={"alpha": 0.05}).live()
    title, rows, alpha, picture = box.children
    assert (rows.value, alpha.value, asked) == (100, 0.05, [(100, 0.05)])
    assert "100 rows" in picture.value and "<svg" in picture.value
    rows.value = 2000
    assert "2000 rows" in picture.value
    rows.value = 100
    assert asked == [(100, 0.05), (2000, 0.05)]
    assert rows.options == (("100", 100), ("2,000", 2000)) and "Graphs" in title.value


@pytest.mark.parametrize(
    "metadata, live", [({"cellId": "a1"}, True), ({"cellId": None}, False), ({}, False)]
)
def test_live_sliders_are_shown_where_a_cell_was_sent_by_a_notebook(
    slides, monkeypatch, metadata, live
):
    shell = SimpleNamespace(get_parent=lambda: {"metadata": metadata})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert in_live_notebook() is live
    assert (slides.show() is slides) is not live


def test_outside_of_notebooks_the_page_is_shown_and_in_colab_the_live_sliders(slides, monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert slides.show() is slides
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert slides.show() is slides
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    assert in_live_notebook()


# ---------------------------------------------------------------- pieces, and what is refused


def test_a_figure_becomes_svg_whose_style_holds_for_itself_alone():
    drawn, words = figure(3)
    svg = svg_of(drawn, words)
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("aria-label") == words and root.get("role") == "img"
    assert "level 3" in "".join(root.itertext())
    assert "<style" not in svg and "<metadata" not in svg and "<?xml" not in svg


def test_ids_and_all_mentions_of_them_get_the_prefix():
    svg = '<svg aria-labelledby="a b"><g id="a" data-id="a"/><use href="#a" clip="url(#b)"/></svg>'
    assert with_own_ids(svg, "p-") == (
        '<svg aria-labelledby="p-a p-b"><g id="p-a" data-id="a"/>'
        '<use href="#p-a" clip="url(#p-b)"/></svg>'
    )


def test_values_are_said_as_in_the_text():
    said = [words_of(value) for value in (2000, 0.05, 1.0, "chain", True)]
    assert said == ["2,000", "0.05", "1", "chain", "True"]


@pytest.mark.parametrize(
    "steps, start, message",
    [
        ({}, {}, "need a slider"),
        ({"n": (1,)}, {}, "'n' has the values \\(1,\\); give two"),
        ({"n": (1, 2, 2)}, {}, "a value twice"),
        ({"n": (1, 2)}, {"m": 1}, "start names 'm'; the sliders are n"),
        ({"n": (1, 2)}, {"n": 3}, "cannot start at 3; it has the values \\(1, 2\\)"),
    ],
)
def test_sliders_that_cannot_be_are_refused(steps, start, message):
    with pytest.raises(ValueError, match=message):
        Slides(graph, steps, title="none", start=start)


def test_figures_without_words_and_what_is_no_picture_are_refused():
    with pytest.raises(ValueError, match="sentence that says what it shows"):
        svg_of(figure(1)[0])
    with pytest.raises(TypeError, match="must draw itself as SVG.*got str"):
        svg_of("a picture")
