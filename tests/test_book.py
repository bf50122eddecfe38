"""The pages as they are written: the skeleton of a chapter, seeds, alt texts, outputs, length.

What needs the built pages is in `checks/`, which `make check-book` runs.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import book_prose
import pytest
import yaml
from measure_pages import READING, reading_minutes
from test_exercises import EXERCISE, SOLUTION

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted(ROOT.glob("notebooks/*.ipynb"))
NOTEBOOKS = sorted([*ROOT.glob("book/*.ipynb"), *CHAPTERS])
EACH_NOTEBOOK = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
EACH_CHAPTER = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)

# The quickstart is the one chapter that shows the whole road, and no part of it in full.
SHORTEST = {"00_quickstart": 800}


def read_yaml(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def cells_of(path: Path) -> list[dict]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in cells]


def text_of(path: Path) -> str:
    return "\n\n".join(c["source"] for c in cells_of(path) if c["cell_type"] == "markdown")


# ---------------------------------------------------------------- the book as a whole


def toc_files() -> list[str]:
    toc = read_yaml("_toc.yml")
    return [toc["root"]] + [c["file"] for part in toc["parts"] for c in part["chapters"]]


def test_toc_lists_exactly_the_pages_that_exist():
    pages = [p.relative_to(ROOT) for p in book_prose.pages()[1:]]
    assert sorted(toc_files()) == sorted(p.with_suffix("").as_posix() for p in pages)


def test_api_page_lists_exactly_the_public_modules():
    page = (ROOT / "book" / "api.md").read_text(encoding="utf-8")
    lib = ROOT / "lib"
    modules = [p.relative_to(lib).with_suffix("") for p in lib.rglob("*.py")]
    public = {".".join(m.parts) for m in modules if not m.name.startswith("_")}
    assert set(re.findall(r"automodule:: ([\w.]+)", page)) == public


def test_what_the_settings_name_is_there():
    settings = read_yaml("_config.yml")
    sphinx = settings["sphinx"]
    (static,) = (ROOT / folder for folder in sphinx["config"]["html_static_path"])
    assert (ROOT / settings["html"]["favicon"]).is_file()
    assert (static / Path(sphinx["config"]["ogp_image"]).name).is_file()
    assert all((static / name).is_file() for name in sphinx["config"]["html_css_files"])
    for extension, folder in sphinx["local_extensions"].items():
        assert (ROOT / folder / f"{extension}.py").is_file()
        assert extension in sphinx["config"]["extensions"]


def test_no_setting_brings_back_what_would_need_the_network():
    config = read_yaml("_config.yml")["sphinx"]["config"]
    assert "sphinx_thebe" not in config["extensions"]
    assert "//" not in config["mathjax_path"]
    assert config["nb_ipywidgets_js"] == {}
    # It would replace what Jupyter Book makes of the settings, the Colab button among it.
    assert "html_theme_options" not in config


def test_mathjax_comes_with_the_pinned_package():
    import book_extension

    script = book_extension.mathjax_file()
    assert script.name == Path(read_yaml("_config.yml")["sphinx"]["config"]["mathjax_path"]).name
    assert 'VERSION="3.2.2"' in script.read_text(encoding="utf-8")


def test_columns_of_numbers_are_marked_and_others_are_not():
    import book_extension
    import pandas as pd

    table = pd.DataFrame({"a": [1.5, -2], "b": ["x", "3"], "c": [None, 4]}, index=["p", "q"])
    html = book_extension.align_numbers(f"<div>{table.to_html()}</div>")
    assert html.startswith("<div><table") and html.endswith("</table></div>")
    marked = re.findall(r'<(t[hd]) class="number">([^<]*)<', html)
    assert marked == [("th", "a"), ("th", "c"), *(("td", x) for x in ("1.5", "NaN", "-2.0", "4.0"))]


def test_a_picture_stays_so_wide_that_its_smallest_letters_can_be_read(tmp_path):
    import book_extension
    import matplotlib.pyplot as plt
    from book_support.figures import MANY, as_svg

    for n in (2, MANY + 1):
        figure, axes = plt.subplots(figsize=(5, 2))
        axes.plot(range(n), range(n), ".")
        axes.set_title("small", fontsize=8)
        plt.close(figure)
        svg = as_svg(figure)
        assert svg == as_svg(figure) and ("<image" in svg) == (n > MANY) and len(svg) < 60_000
        assert book_extension.smallest_letters(svg) == 8 / 360  # points, of five inches
    assert book_extension.smallest_letters('<svg viewBox="0 0 90 9"><path/></svg>') is None
    (tmp_path / "a.svg").write_text(svg, encoding="utf-8")
    page = book_extension.keep_letters_large(tmp_path / "x.html", '<img alt="s" src="a.svg" />')
    assert page == '<img style="--least: 405px" alt="s" src="a.svg" />'


def test_the_icon_is_what_its_script_draws():
    import draw_emblem

    drawn = (ROOT / "book" / "static" / "favicon.svg").read_text(encoding="utf-8")
    assert drawn == draw_emblem.favicon()


def test_the_social_card_is_drawn_in_the_size_that_networks_want(tmp_path):
    import draw_emblem
    from matplotlib.image import imread

    draw_emblem.social_card(tmp_path / "card.png")
    for card in (tmp_path / "card.png", ROOT / "book" / "static" / "social_card.png"):
        assert imread(card).shape[:2] == (630, 1200)


# ---------------------------------------------------------------- each notebook


@EACH_NOTEBOOK
def test_notebook_carries_no_outputs_unless_it_is_not_run(path):
    # What needs a GPU is shown with the results that it gave where there was one.
    stored = read_yaml("_config.yml")["execute"].get("exclude_patterns", [])
    if any(fnmatch(path.relative_to(ROOT).as_posix(), pattern) for pattern in stored):
        assert any(cell.get("outputs") for cell in cells_of(path))
        return
    code = [c for c in cells_of(path) if c["cell_type"] == "code"]
    assert not [c["source"] for c in code if c["outputs"] or c["execution_count"] is not None]


@EACH_NOTEBOOK
def test_every_figure_of_a_notebook_has_alt_text(path):
    shown = [c["metadata"].get("mystnb", {}) for c in cells_of(path)]
    figures = [s for s in shown if "figure" in s or "image" in s]
    assert not [s for s in figures if not s.get("image", {}).get("alt", "").strip()]
    names = [s["figure"]["name"] for s in figures if "name" in s.get("figure", {})]
    assert len(set(names)) == len(names)


def python_of(cell: dict) -> ast.Module:
    """The cell's code without the lines that only a notebook understands."""
    lines = cell["source"].splitlines()
    indented = (re.sub(r"^(\s*)[%!].*", r"\1pass", line) for line in lines)
    return ast.parse("\n".join(indented))


def calls_in(path: Path) -> list[ast.Call]:
    trees = [python_of(cell) for cell in cells_of(path) if cell["cell_type"] == "code"]
    return [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]


# What draws at random, and the argument that says from where: a keyword, or one by position.
SEEDED = {"seed", "random_state", "rng", "generator"}
DRAWING = re.compile(r"(^|\.)(default_rng|sample|rvs|train_test_split|RandomState|shuffle)$")
FROM_GLOBAL_STATE = re.compile(
    r"^(np|numpy)\.random\.(?!default_rng|Generator|SeedSequence|RandomState)\w+$|^random\.\w+$"
)
TORCH_DRAWS = re.compile(r"^torch\.(rand|randn|randint|randperm|bernoulli|multinomial|normal)\w*$")


def unseeded(calls: list[ast.Call]) -> list[str]:
    """The calls that draw numbers which the next run would not draw again."""
    torch_seeded = any(ast.unparse(c.func) == "torch.manual_seed" and c.args for c in calls)
    found = []
    for call in calls:
        name = ast.unparse(call.func)
        given = [k.value for k in call.keywords if k.arg in SEEDED]
        if name.endswith(("default_rng", "RandomState")):
            given += call.args[:1]
        told = any(not (isinstance(g, ast.Constant) and g.value is None) for g in given)
        # A generator was made somewhere, and that call is looked at by itself.
        from_generator = name.startswith("rng.")
        global_state = FROM_GLOBAL_STATE.match(name) is not None
        draws = DRAWING.search(name) and not from_generator
        torch_draws = TORCH_DRAWS.match(name) and not torch_seeded
        if global_state or ((draws or torch_draws) and not told):
            found.append(ast.unparse(call))
    return found


@EACH_NOTEBOOK
def test_every_random_generator_is_seeded(path):
    assert unseeded(calls_in(path)) == []


@pytest.mark.parametrize(
    ("code", "bad"),
    [
        ("np.random.default_rng()", True),
        ("np.random.default_rng(None)", True),
        ("np.random.default_rng(SEED)", False),
        ("np.random.normal(size=3)", True),
        ("random.choice([1, 2])", True),
        ("table.sample(5)", True),
        ("table.sample(5, random_state=0)", False),
        ("truth.sample(100, seed=SEED)", False),
        ("rng.normal(size=3)", False),
        ("torch.randn(3)", True),
        ("torch.manual_seed(0); torch.randn(3)", False),
        ("torch.randn(3, generator=g)", False),
    ],
)
def test_an_unseeded_generator_would_be_found(code, bad):
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    assert bool(unseeded(calls)) == bad


# ---------------------------------------------------------------- each chapter: the skeleton

BADGES = re.compile(
    r"^\*\*[^*]*\b[CG]PU\b[^*]*\*\* · \*\*[^*]*\d+ GB[^*]*\*\* · "
    r"\*\*[^*]*gated[^*]*\*\* · \*\*opens in Colab\*\*",
    re.M,
)
TIME = re.compile(r"^\*\*Time:\*\* .*\bread\b.*\brun\b", re.M)
TABLE = "| What | Where | How much it helps |"
SECTIONS = ["## Before you begin", "## Imports", "## Summary", "## What's next"]
EFFORT = re.compile(r"\*Difficulty [1-5]/5, importance [1-5]/5, \d+ minutes\.\*")


@EACH_CHAPTER
def test_chapter_begins_with_title_and_badges(path):
    first = cells_of(path)[0]
    assert first["cell_type"] == "markdown"
    assert re.match(r"# \S", first["source"])
    assert BADGES.search(first["source"])


@EACH_CHAPTER
def test_chapter_has_the_sections_of_the_skeleton_in_order(path):
    headings = re.findall(r"(?m)^##? .*$", re.sub(r"(?sm)^```.*?^```$", "", text_of(path)))
    assert len([h for h in headings if h.startswith("# ")]) == 1
    assert [h for h in headings if h in SECTIONS] == SECTIONS
    assert headings[1:3] == SECTIONS[:2]
    assert headings[-1] == SECTIONS[-1]


@EACH_CHAPTER
def test_chapter_tells_aims_needs_and_time_before_the_imports(path):
    before = text_of(path).split("\n## Imports")[0]
    assert "{admonition} Objectives\nAfter this page you can\n" in before
    assert TABLE in before
    assert TIME.search(before)


@EACH_CHAPTER
def test_chapter_imports_in_a_way_that_works_on_colab(path):
    cells = cells_of(path)
    heading = next(i for i, c in enumerate(cells) if c["source"].rstrip().endswith("## Imports"))
    install, imports = cells[heading + 1], cells[heading + 2]
    assert "colab-install" in install["metadata"]["tags"]
    assert 'if "google.colab" in sys.modules:' in install["source"]
    assert any(isinstance(node, ast.Import | ast.ImportFrom) for node in python_of(imports).body)


@EACH_CHAPTER
def test_chapter_imports_nothing_that_an_install_from_git_does_not_bring(path):
    trees = [python_of(cell) for cell in cells_of(path) if cell["cell_type"] == "code"]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {a.name.split(".")[0] for n in nodes if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module.split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.match(r"[\w.-]+", r)[0].replace("-", "_") for r in project["dependencies"]}
    # A notebook is run by IPython; causal-learn and google.colab have names of their own.
    declared |= {"IPython", "causallearn", "google", "valuegraph", "studies", "book_support"}
    assert names - set(sys.stdlib_module_names) <= declared


@EACH_CHAPTER
def test_chapter_ends_with_exercises_that_have_solutions(path):
    text = text_of(path)
    exercises, solutions = EXERCISE.findall(text), [of for of, _ in SOLUTION.findall(text)]
    assert len(exercises) >= 5
    assert [label for label, _ in exercises] == solutions
    assert re.search(r"\*Difficulty [45]/5", text) and "**Rubric" in text
    assert not [label for label, body in exercises if not EFFORT.search(body)]
    assert text.index("{exercise}") > text.index("## What's next")


@EACH_CHAPTER
def test_chapter_says_how_long_it_takes_to_read_and_that_is_35_minutes_at_most(path):
    takes = reading_minutes(path.relative_to(ROOT), ROOT)
    assert int(READING.search(text_of(path))[1]) == takes <= 35


@EACH_CHAPTER
def test_chapter_takes_between_1500_and_3000_words(path):
    # Exercises have their own time; captions and alt texts are beside the text.
    told = text_of(path).split("\n## What's next")[0]
    words = len(book_prose.words(book_prose.prose(told)))
    assert SHORTEST.get(path.stem, 1500) <= words <= 3000


# ---------------------------------------------------------------- publishing

WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
TARGETS = set(re.findall(r"(?m)^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8")))


def test_the_workflows_are_there():
    assert [p.stem for p in WORKFLOWS] == ["ci", "colab", "pages", "release"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_calls_make_targets_that_exist_and_pinned_actions(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    # YAML 1.1 reads the key `on` as true.
    assert workflow["name"] and workflow[True]
    assert "permissions" in workflow
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    uses = [step["uses"] for step in steps if "uses" in step]
    assert not [action for action in uses if not re.fullmatch(r"actions/[\w-]+@v\d+", action)]
    commands = "\n".join(step["run"] for step in steps if "run" in step)
    called = set(re.findall(r"\bmake ([a-z][a-z-]*)", commands))
    assert called
    assert called <= TARGETS


def test_make_lists_every_target_that_is_meant_for_people():
    listed = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"(?m)^  make ([a-z-]+)", listed)) == TARGETS
