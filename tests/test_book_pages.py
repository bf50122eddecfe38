"""The pages around the chapters: what scripts wrote is up to date, and what is linked exists."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def script(name):
    """One of the files in `scripts/`, which are no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts():
    """The text of each page and chapter, by path."""
    written = [path for folder in ("book", "book/course") for path in (ROOT / folder).glob("*.md")]
    pages = {path: path.read_text(encoding="utf-8") for path in written}
    for path in [*(ROOT / "book").glob("*.ipynb"), *(ROOT / "notebooks").glob("*.ipynb")]:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        said = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        pages[path] = "\n\n".join(said)
    return pages


def glossary_ids():
    """The ids that Sphinx gives to the terms, in the order of the page."""
    block = texts()[ROOT / "book" / "glossary.md"].split(":::{glossary}")[1]
    terms = re.findall(r"(?m)^(\w.*)$", block)
    return ["term-" + re.sub(r"[^A-Za-z0-9]+", "-", term) for term in terms]


def test_the_landing_picture_is_what_its_script_draws():
    drawing = script("draw_landing")
    for name, markup in drawing.drawn().items():
        assert (drawing.PICTURES / name).read_text(encoding="utf-8") == markup, (
            "run python scripts/draw_landing.py"
        )


def test_each_structure_of_the_landing_picture_is_told_in_full():
    drawing = script("draw_landing")
    pictures = {n: p for n, p in drawing.drawn().items() if n.startswith("two_")}
    for name, markup in pictures.items():
        which = name.removeprefix("two_").removesuffix(".svg")
        told = re.search("<desc.*?>(.*)</desc>", markup)[1]
        assert told.count(" to ") == len(drawing.arrows(which)) == 18
        assert markup.count("<polygon") == 18


def test_the_tables_of_what_pages_take_are_made_from_the_measurements():
    measuring = script("measure_pages")
    for path, text in measuring.tables().items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, (
            "run python scripts/measure_pages.py --tables"
        )


def test_the_table_of_gpus_is_what_the_library_computes():
    measuring = script("measure_pages")
    written = (ROOT / measuring.TABLES / "gpus.md").read_text(encoding="utf-8").splitlines()
    now = measuring.gpu_lines(["gemma-2b-it"])  # the smaller half; the other takes longer
    assert written[: len(now)] == now, "run python scripts/measure_pages.py --gpus"


def test_every_notebook_of_the_book_was_measured():
    measuring = script("measure_pages")
    kept = json.loads((ROOT / measuring.MEASURED).read_text(encoding="utf-8"))["pages"]
    assert [page for page in map(str, measuring.pages()) if page not in kept] == [], (
        "run python scripts/measure_pages.py PAGE"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (98.0, "98 s"), (119.5, "2 minutes"), (120, "2 minutes"), (121, "3 minutes")],
)
def test_times_are_rounded_up(seconds, words):
    assert script("measure_pages").spent(seconds) == words


def test_terms_stand_in_alphabetical_order_and_once():
    ids = glossary_ids()
    assert len(ids) == len(set(ids)) > 50
    assert ids == sorted(ids, key=str.lower)


def test_every_linked_term_is_in_the_glossary():
    known = set(glossary_ids())
    lost = {
        (path.name, name)
        for path, text in texts().items()
        for name in re.findall(r"\]\(#(term-[^)]+)\)", text)
        if name not in known
    }
    assert lost == set()


def test_every_chapter_links_terms():
    said = {path.name: "](#term-" in text for path, text in texts().items()}
    assert [name for name, links in said.items() if name[:2].isdigit() and not links] == []


def test_every_reference_is_cited_and_every_citation_is_a_reference():
    entries = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    known = re.findall(r"(?m)^@\w+\{([^,]+),", entries)
    assert len(known) == len(set(known))
    cited = {
        key.strip()
        for text in texts().values()
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text)
        for key in keys.split(",")
    }
    assert cited == set(known)


def test_what_the_notation_calls_the_librarys_is_in_the_library():
    rows = re.findall(r"(?m)^\| .* \| (.*) \|$", texts()[ROOT / "book" / "notation.md"])
    code = " ".join(span for row in rows for span in re.findall(r"`([^`]+)`", row))
    named = set(re.findall(r"[A-Za-z]\w{2,}", code)) - {"truth", "sae", "dec"}
    files = [p for folder in ("lib", "studies") for p in (ROOT / folder).rglob("*.py")]
    source = "".join(p.read_text(encoding="utf-8") for p in files)
    assert len(named) > 30
    assert [name for name in sorted(named) if not re.search(rf"\b{name}\b", source)] == []


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A book of two pages, built with the extension that explains terms."""
    pytest.importorskip("myst_parser")
    from sphinx.application import Sphinx

    folder = tmp_path_factory.mktemp("terms")
    (folder / "words.md").write_text(
        "# Words\n\n:::{glossary}\n\n"
        "CPDAG\n    What all *graphs* agree on, e.g. lines. More of it.\n\n"
        "base rate\n    How <often>: always.\n\n:::\n\nOwn: [CPDAG](#term-CPDAG).\n"
    )
    (folder / "index.md").write_text(
        "# Page\n\n[*class*](#term-CPDAG), {term}`rates <base rate>`, [lost](#term-lost), "
        "[words](words)\n\n```{toctree}\nwords\n```\n"
    )
    sys.path.insert(0, str(ROOT / "scripts"))
    said = folder / "warnings.txt"
    with said.open("w") as warnings:
        options = {"extensions": ["myst_parser", "hover_terms"], "html_theme": "basic"}
        options["myst_enable_extensions"] = ["colon_fence"]
        app = Sphinx(folder, None, folder / "out", folder / "tree", "html", options, None, warnings)
        app.build()
    sys.path.remove(str(ROOT / "scripts"))
    pages = {name: (folder / "out" / f"{name}.html").read_text() for name in ("index", "words")}
    return pages, said.read_text()


def test_a_term_carries_the_first_sentence_of_its_definition(built):
    page = built[0]["index"]
    links = re.findall(r'<a data-definition="([^"]*)" class="([^"]*)" href="([^"]*)"', page)
    assert links == [
        ("What all graphs agree on, e.g. lines.", "term reference internal", links[0][2]),
        ("How &lt;often&gt;: always.", "term reference internal", links[1][2]),
    ]
    assert [link[2] for link in links] == ["words.html#term-CPDAG", "words.html#term-base-rate"]
    assert "<em>class</em>" in page


def test_other_links_and_those_of_the_glossary_itself_are_left_alone(built):
    page, glossary = built[0]["index"], built[0]["words"]
    assert "data-definition" not in glossary
    assert re.search(r'href="#term-CPDAG"[^>]*>.*CPDAG', glossary)
    assert page.count("data-definition") == 2


def test_a_link_to_no_term_is_told(built):
    assert "no such term in the glossary: 'term-lost'" in built[1]
