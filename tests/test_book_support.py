"""What serves the pages: sliders from disk and live, the console, plans, stand-ins and GPUs."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from itertools import product
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from book_support import (
    Slides,
    glue,
    gpus,
    plan_builder,
    plot_graph_comparison,
    respondent_or_organism,
    stand_in,
    steering_console,
)
from book_support.slides import in_live_notebook, svg_of, with_own_ids, words_of

from valuegraph.forward import LEAST_TOKENS, tokens_in
from valuegraph.graph import ValueGraph
from valuegraph.models import load_model
from valuegraph.runs import ModelSource
from valuegraph.style import figure_in_style

STEPS = {"n": (100, 2000), "alpha": (0.01, 0.05, 0.2)}
GRAPH = ValueGraph.from_adjacency(("ST", "AC", "PO"), [[0, 1, 0], [0, 0, 1], [0, 0, 0]])


def graph(n, alpha):
    """Draw a graph that does not depend on alpha, so that some pictures are alike."""
    return GRAPH if n > 1000 else GRAPH.among(["AC", "PO"]), f'{n} rows, "{alpha}"'


def figure(level):
    with figure_in_style(figsize=(2, 2)) as (drawn, axes):
        axes.set_title(f"level {level}")
    return drawn, f"A line of length {level}."


def both(level):
    return plot_graph_comparison(GRAPH, GRAPH.cpdag(), names=("a & b", str(level)))


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


def test_the_page_holds_every_picture_and_shows_the_one_at_the_start(slides):
    page = Page(slides._repr_html_())
    frames = page.of_class("vg-frame")
    assert [f["data-at"] for f in frames] == [f"{a} {b}" for a, b in product(range(2), range(3))]
    shown = [f for f in frames if "visibility:visible" in f["style"]]
    assert [f["data-at"] for f in shown] == ["1 0"]
    assert shown[0]["data-words"] == '2000 rows, "0.01"'
    first, second = page.named("input")
    assert (first["type"], first["max"], first["value"]) == ("range", "1", "1")
    assert (first["aria-label"], first["aria-valuetext"]) == ("n", "2,000")
    assert json.loads(second["data-steps"]) == ["0.01", "0.05", "0.2"]
    (card,) = page.of_class("vg-slides")
    assert card["aria-label"] == "Graphs <by> n" and "background:#fff" in card["style"]


def test_pictures_have_ids_and_names_of_their_own_and_need_nothing_from_elsewhere(slides):
    pages = [slides, *(Slides(d, {"level": (1, 2, 3)}, title="x") for d in (figure, both))]
    html = "".join(page._repr_html_() for page in pages)
    page = Page(html)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids)) > 6
    meant = {a or b for a, b in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', html)}
    assert meant and meant <= set(ids)
    assert all(svg["role"] in ("img", "group") and svg["aria-label"] for svg in page.named("svg"))
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    addresses = set(re.findall(r'"(https?://[^"]*)"', html))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    again = Slides(figure, {"level": (1, 2, 3)}, title="x")
    assert again._repr_html_() == pages[1]._repr_html_()  # in every build


@pytest.mark.skipif(shutil.which("node") is None, reason="node runs the page's one line of script")
def test_moving_a_slider_shows_its_picture_and_its_words(slides, tmp_path):
    page = Page(slides._repr_html_())
    script = """
        const [frames, inputs, to] = JSON.parse(process.argv[2]);
        const shown = frames.map(f => ({style: {}, dataset: {at: f["data-at"],
            words: f["data-words"]}}));
        const sliders = inputs.map(i => ({value: i.value, dataset: {steps: i["data-steps"]},
            nextElementSibling: {}, setAttribute(name, v) { this[name] = v }}));
        const words = {};
        const box = {querySelectorAll: s => s === "input,select" ? sliders : shown,
            querySelector: s => words};
        to.forEach((value, k) => { sliders[k].value = String(value) });
        sliders[1].closest = () => box;
        new Function(inputs[1].oninput).call(sliders[1]);
        console.log(JSON.stringify({
            visible: shown.filter(f => f.style.visibility === "visible").map(f => f.dataset.at),
            words: words.textContent,
            texts: sliders.map(s => [s["aria-valuetext"], s.nextElementSibling.textContent]),
        }))"""
    (tmp_path / "moved.js").write_text(script, encoding="utf-8")
    given = json.dumps([page.of_class("vg-frame"), page.named("input"), [0, 2]])
    command = ["node", tmp_path / "moved.js", given]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    expected = {"visible": ["0 2"], "words": '100 rows, "0.2"'}
    assert json.loads(done.stdout) == expected | {"texts": [["100", "100"], ["0.2", "0.2"]]}


def test_names_are_chosen_from_a_list():
    by_name = Slides(lambda kind, n: graph(n, 0.01), {"kind": ("a", "b"), "n": (1, 2)}, title="x")
    page = Page(by_name._repr_html_())
    (select,), (slider,) = page.named("select"), page.named("input")
    assert (select["aria-label"], slider["aria-label"]) == ("kind", "n")
    assert select["onchange"] == slider["oninput"]
    assert [o["value"] for o in page.named("option")] == ["0", "1"]
    assert [type(each).__name__ for each in by_name.live().children[1:3]] == [
        "Dropdown",
        "SelectionSlider",
    ]


def test_live_sliders_draw_a_picture_when_it_is_wanted_and_once():
    drawn = []

    def draw(n, alpha):
        drawn.append((n, alpha))
        return graph(n, alpha)

    box = Slides(draw, STEPS, title="Graphs", start={"alpha": 0.05}).live()
    title, rows, alpha, picture = box.children
    assert (rows.value, alpha.value, drawn) == (100, 0.05, [(100, 0.05)])
    assert "100 rows" in picture.value and "<svg" in picture.value and "Graphs" in title.value
    rows.value = 2000
    assert "2000 rows" in picture.value
    rows.value = 100
    assert drawn == [(100, 0.05), (2000, 0.05)]


@pytest.mark.parametrize("cell, live", [("a1", True), (None, False)])
def test_live_sliders_are_shown_where_a_cell_was_sent_by_a_notebook(
    slides, monkeypatch, cell, live
):
    shell = SimpleNamespace(get_parent=lambda: {"metadata": {"cellId": cell}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert in_live_notebook() is live and (slides.show() is slides) is not live
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert slides.show() is slides
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    assert in_live_notebook()


def test_a_figure_becomes_svg_whose_style_and_ids_hold_for_itself_alone():
    svg = svg_of(*figure(3))
    assert svg.startswith('<svg style="max-width:100%;height:auto" role="img" aria-label="A line')
    assert ">level 3<" in svg and "<style" not in svg and "<metadata" not in svg
    svg = '<svg aria-labelledby="a b"><g id="a" data-id="a"/><use href="#a" clip="url(#b)"/></svg>'
    assert with_own_ids(svg, "p-") == (
        '<svg aria-labelledby="p-a p-b"><g id="p-a" data-id="a"/>'
        '<use href="#p-a" clip="url(#p-b)"/></svg>'
    )
    texts = [words_of(value) for value in (2000, 0.05, 1.0, "chain", "AC", True)]
    assert texts == ["2,000", "0.05", "1", "chain", "Achievement", "True"]


def test_pictures_and_sliders_that_cannot_be_are_refused():
    for steps, start, message in (
        ({"n": (1,)}, {}, "'n' needs two values"),
        ({"n": (1, 2, 2)}, {}, "once each"),
        ({"n": (1, 2)}, {"m": 1}, "no control 'm'"),
        ({"n": (1, 2)}, {"n": 3}, "'n' that could start at 3"),
    ):
        with pytest.raises(ValueError, match=message):
            Slides(graph, steps, title="none", start=start)
    with pytest.raises(ValueError, match="200 pictures are too many"):
        Slides(graph, {"n": range(200)}, title="many")._repr_html_()
    with pytest.raises(ValueError, match="a sentence"):
        svg_of(figure(1)[0])
    with pytest.raises(TypeError, match="got str"):
        svg_of("a picture")


def test_gluing_does_nothing_outside_of_a_book():
    glue("name", 1.0, display=False)


def effects(*pushes):
    rows = [(p, c, v, c, c - 1, c + 1) for p in pushes for c in (-1.0, 2.0) for v in ("PO", "SE")]
    return pd.DataFrame(rows, columns=["push", "coefficient", "value", "effect", "low", "high"])


def test_the_console_shows_every_push_on_one_axis():
    truth = {("a", 2.0): pd.Series({"SE": 9.0, "PO": 2.0})}
    slides = steering_console(effects("b", "a"), title="x", truth=truth, start={"push": "a"})
    assert slides.steps == {"push": ["b", "a"], "coefficient": [-1.0, 2.0]}
    drawn, words = slides.draw(push="a", coefficient=2.0)
    (axes,) = drawn.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Security", "Power"]
    assert axes.lines[0].get_xdata().tolist() == [9, 2]
    assert words == "a, coefficient 2: Security +2.00, Power +2.00."
    other, words = slides.draw(push="b", coefficient=-1.0)
    assert other.axes[0].get_xlim() == axes.get_xlim() == pytest.approx((-9.45, 9.45))
    assert "−1.00" in words
    with pytest.raises(ValueError, match="one row for every push"):
        steering_console(effects("b", "a")[1:], title="x")


def test_the_plan_builder_shows_what_was_asked_predicted_and_achieved():
    table = pd.DataFrame({"part": ["hold", "target"], "target": [0, 0.8], "predicted": [0.1, 0.7]})
    table = table.assign(low=[0.0, 0.6], high=[0.2, 0.9]).set_axis(["AC", "SD"])
    plans, outcomes = {}, {}
    actions = pd.DataFrame({"whole": [False]}, ["feature 3"])
    for at in product(["SD", "AC"], [0.4, 0.8], ["features", "facts"]):
        taken = pd.Series({"feature 3": 0.5} if at[2] == "features" else {}, dtype=float)
        effects = SimpleNamespace(actions=actions)
        plans[at] = SimpleNamespace(
            table=table, coefficients=taken, effects=effects, feasible=at[1] < 0.5, reason="too far"
        )
        if len(taken):
            checked = table.rename_axis("value").reset_index()
            outcomes[at] = checked.assign(achieved=[0.1, 0.75]), pd.DataFrame({"collateral": [0.1]})
    slides = plan_builder(plans, outcomes, title="x")
    drawn, words = slides.draw(value="SD", change=0.8, allowed="features")
    shown = [label.get_text() for label in drawn.axes[0].get_yticklabels()]
    assert shown == ["Self-Direction", "Achievement"]
    assert words == (
        "Self-Direction +0.8 by features: 1 action (feature 3 × 0.5). Achieved +0.75; the held "
        "values change by 0.100 on average. The plan said that it cannot: too far."
    )
    assert "nothing is done" in slides.draw(value="SD", change=0.4, allowed="facts")[1]
    del outcomes["SD", 0.4, "features"]
    with pytest.raises(ValueError, match="0.4, 'features'"):
        plan_builder(plans, outcomes, title="x")


# ---------------------------------------------------------------- GPUs and stand-ins


def test_weights_are_those_of_the_makers_and_of_the_linear_layers():
    llama = gpus.config_of("llama-3-8b-it")
    # 2.51 and 8.03 billion on their pages of the hub.
    assert gpus.weight_bytes(gpus.config_of("gemma-2b-it")) == 2 * 2_506_172_416
    assert gpus.weight_bytes(llama) == 2 * 8_030_261_248
    width, mlp, layers, words, keys = 4096, 14_336, 32, 128_256, 1024
    shapes = [(width, width), (keys, width), (keys, width), (width, width)]
    shapes += [(mlp, width), (mlp, width), (width, mlp)]
    linear = layers * sum(rows * columns for rows, columns in shapes)
    rows = layers * sum(rows for rows, _ in shapes)
    rest = 2 * words * width + (2 * layers + 1) * width
    assert gpus.weight_bytes(llama, "8bit") == linear + 4 * rows + 2 * rest
    assert gpus.weight_bytes(llama, "4bit") == linear // 2 + 4 * linear // 64 + 2 * rest
    with pytest.raises(ValueError, match="'2bit'"):
        gpus.weight_bytes(llama, "2bit")


def test_a_model_is_quantised_only_where_it_must_be():
    llama, (t4, l4, a100) = gpus.config_of("llama-3-8b-it"), gpus.COLAB_GPUS
    assert [gpus.fitting(llama, gpu) for gpu in (t4, l4, a100)] == ["4bit", None, None]
    with pytest.raises(MemoryError, match=r"6\.0 GB in 4 bits.*4\.0 GB free on the tiny"):
        gpus.fitting(llama, gpus.Gpu("tiny", 4 * 10**9))
    free = 5 * 10**9
    tokens = gpus.batch_tokens(llama, gpus.weight_bytes(llama, "4bit") + free, "4bit")
    assert tokens == tokens_in(free, llama, itemsize=2) >= LEAST_TOKENS
    table = gpus.gpu_table(["organism-human"], [gpus.Gpu("any", 10**9)])
    assert list(table.columns) == ["weights_gb", "sae_gb", "any"] and (table["any"] > 0).all()
    assert table["sae_gb"].isna().all()


def test_this_gpu_is_the_first_with_what_is_free(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpus.this_gpu() is None
    emptied = []
    cuda = SimpleNamespace(is_available=lambda: True, empty_cache=lambda: emptied.append(True))
    cuda.mem_get_info = lambda device: (7 * 10**9 if emptied else 0, 16 * 10**9)
    cuda.get_device_name = lambda device: f"GPU {device}"
    monkeypatch.setattr(torch, "cuda", cuda)
    assert gpus.this_gpu() == gpus.Gpu("GPU 0", 7 * 10**9)
    assert gpus.this_gpu().gigabytes == 7


@pytest.fixture
def machine(monkeypatch):
    """Pretends a GPU, or none; what is loaded is noted, and an organism is returned."""
    loaded = []

    def pretend(gpu, fails=None):
        def load(source):
            loaded.append(source)
            if fails is not None and not source.name.startswith("organism"):
                raise fails
            return load_model("organism-human")

        monkeypatch.setattr(stand_in, "this_gpu", lambda: gpu)
        monkeypatch.setattr(ModelSource, "load", load)
        return loaded

    return pretend


def test_without_a_gpu_nothing_is_fetched_and_the_reason_is_given(machine):
    loaded = machine(None)
    answerer = respondent_or_organism("gemma-2b-it")
    assert loaded == [ModelSource("organism-human")] and answerer.sae == "organism-human"
    assert (answerer.wanted, answerer.name) == ("gemma-2b-it", "organism-human")
    text = str(answerer)
    assert text.startswith("gemma-2b-it does not answer here.\nThis machine has no CUDA GPU")
    assert text.endswith("Every figure below is of organism-human.")
    insisted = respondent_or_organism("gemma-2b-it", insist=True)
    assert loaded[1:] == [ModelSource("gemma-2b-it")]
    assert insisted.sae == "gemma-2b-it-res-jb/blocks.12.hook_resid_post"
    alien = respondent_or_organism("organism-alien")
    assert alien.reason == "" and str(alien).startswith("organism-alien: ")
    assert respondent_or_organism("owner/model", insist=True).sae is None


def test_a_model_is_loaded_as_it_fits(machine):
    t4, l4, _ = gpus.COLAB_GPUS
    loaded = machine(t4)
    assert respondent_or_organism("llama-3-8b-it").source.quantize == "4bit"
    assert respondent_or_organism("llama-3-8b-it", quantize="8bit").source.quantize == "8bit"
    assert respondent_or_organism("gemma-2b-it").source == ModelSource("gemma-2b-it", "cuda")
    machine(l4)
    assert respondent_or_organism("llama-3-8b-it").source.quantize is None
    machine(gpus.Gpu("tiny", 4 * 10**9))
    assert "4.0 GB free on the tiny" in respondent_or_organism("llama-3-8b-it").reason
    assert [source.name for source in loaded[-2:]] == ["llama-3-8b-it", "organism-human"]


@pytest.mark.parametrize("failure", [OSError("gated: sign in"), MemoryError("x"), ImportError("y")])
def test_what_cannot_be_had_is_replaced_unless_insisted_on(machine, failure):
    machine(gpus.COLAB_GPUS[0], fails=failure)
    answerer = respondent_or_organism("llama-3-8b-it", organism="organism-alien")
    assert answerer.is_organism and answerer.reason.lower() == f"{failure}.".lower()
    with pytest.raises(type(failure)):
        respondent_or_organism("llama-3-8b-it", insist=True)


def test_mistakes_are_not_papered_over(machine):
    for failure in (ValueError("unknown model"), FileNotFoundError("no folder")):
        machine(gpus.COLAB_GPUS[0], fails=failure)
        with pytest.raises(type(failure)):
            respondent_or_organism("gemma-2b-it")
    with pytest.raises(ValueError, match="'gemma-2b-it' is no organism"):
        respondent_or_organism("llama-3-8b-it", organism="gemma-2b-it")
