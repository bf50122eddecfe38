"""Plain notebooks made from the chapters: each conversion by example, and all real chapters."""

import ast
import builtins
import json
import re
from pathlib import Path

import make_editions
import nbformat
import pytest
from freeze_pages import VOLATILE
from hidden_code import Reader, needed_code, stored
from measure_pages import ROOT, pages
from plain_markdown import Page, formatted

URL = "https://github.com/Me/my-copy"
BOOK = "https://me.github.io/my-copy/"
CHAPTERS = [page for page in pages() if page.parent.name == "notebooks"]
WITH_EDITION = [page for page in pages() if make_editions.has_edition(page)]
EACH = pytest.mark.parametrize("page", WITH_EDITION, ids=lambda page: page.stem)
GLUE = re.compile(r"\{glue:text\}`([^`]+)`")


def markdown(text, *, url=URL, solved=False, page="notebooks/02_discovering_graphs.ipynb"):
    return Page(Path(page), url, solved).markdown(text)


@pytest.fixture(scope="module")
def editions():
    """Student and instructor edition of every page that has them, by page."""
    return {
        page: {
            kind: make_editions.edition(page, solved=solved, url=URL)
            for kind, solved in make_editions.KINDS.items()
        }
        for page in WITH_EDITION
    }


# ---------------------------------------------------------------- one thing at a time


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("(a-label)=\n## Title", "## Title"),
        ("PC {cite:p}`meek1995causal`", "PC (Meek, 1995)"),
        ("{cite:t}`kang2025values` ask", "Kang et al. (2025) ask"),
        (
            "{cite:p}`spirtes1995latent,zhang2008completeness`",
            "(Spirtes et al., 1995; Zhang, 2008)",
        ),
        ("{cite:p}`verma1990equivalence`", "(Verma and Pearl, 1990)"),
        ("[a *term*](#term-null)", f"[a *term*]({BOOK}book/glossary.html#term-null)"),
        ("[next](02b_acting)", f"[next]({BOOK}notebooks/02b_acting.html)"),
        ("[limits](../book/limits.md)", f"[limits]({BOOK}book/limits.html)"),
        (
            "[here](slider-discover-roles)",
            f"[here]({BOOK}notebooks/02_discovering_graphs.html#slider-discover-roles)",
        ),
        (
            "{numref}`fig-words-before`",
            f"[the figure]({BOOK}notebooks/04_steering_with_roles.html#fig-words-before)",
        ),
        (
            "{doc}`the plan <../book/registered_plan>`",
            f"[the plan]({BOOK}book/registered_plan.html)",
        ),
        ("{ref}`run <your-gpu-run>`", f"[run]({BOOK}notebooks/08_your_own_gpu.html#your-gpu-run)"),
        ("{term}`null`", f"[null]({BOOK}book/glossary.html#term-null)"),
        ("{py:mod}`valuegraph.pc`", f"[`valuegraph.pc`]({BOOK}book/api.html#module-valuegraph.pc)"),
        (
            "{py:func}`~valuegraph.graph.reached`",
            f"[`reached`]({BOOK}book/api.html#valuegraph.graph.reached)",
        ),
        ("[out](https://x.org/a)", "[out](https://x.org/a)"),
        ("`[x](y)` and $a_{[1]}(b)$", "`[x](y)` and $a_{[1]}(b)$"),
        ("```python\nx[a](b)\n```", "```python\nx[a](b)\n```"),
        ("$$\na = b\n$$ (eq-x)\n\nBy {eq}`eq-x`.", "$$\na = b \\tag{1}\n$$\n\nBy (1)."),
        ("pc\n: linear\n  effects", "- **pc**: linear\n  effects"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("A note.[^1]\n\n[^1]: Its text.", "A note.[^1]\n\n[^1]: Its text."),
    ],
)
def test_inline(text, plain):
    assert markdown(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (":::{admonition} Aims\n- one\n:::", "> **Aims**\n>\n> - one"),
        (":::{note}\nMind.\n:::", "> **Note**\n>\n> Mind."),
        (
            "::::{tip}\n:class: x\nTry\n\n:::{hint}\nso\n:::\n::::",
            "> **Tip**\n>\n> Try\n>\n> <details>\n> <summary>Hint</summary>\n>\n> so\n>\n"
            "> </details>",
        ),
        (":::{dropdown} Why?\nSo.\n:::", "<details>\n<summary>Why?</summary>\n\nSo.\n\n</details>"),
        ("```{math}\na = b\n```", "$$\na = b\n$$"),
        (":::{table} Sizes\n| a |\n|---|\n:::", "**Sizes**\n\n| a |\n|---|"),
        ("```{code-block} python\nx = 1\n```", "```python\nx = 1\n```"),
        (
            "```{figure} ../book/static/social_card.png\n:alt: Ten\nThe card.\n```",
            "![Ten](https://raw.githubusercontent.com/Me/my-copy/main/book/static/social_card.png)"
            "\n\n*The card.*",
        ),
    ],
)
def test_directives(text, plain):
    assert markdown(text) == plain


EXERCISE = """\
Before.

:::{exercise}
:label: one

*Difficulty 1/5, importance 2/5, 3 minutes.* Count.
:::

:::{hint}
:class: dropdown

Use your fingers.
:::

:::{solution} one
:class: dropdown

```python
len(roles)
```
:::"""


def test_exercises_are_numbered_and_solutions_are_for_the_instructor():
    student, instructor = markdown(EXERCISE), markdown(EXERCISE, solved=True)
    begin = "Before.\n\n## Exercises\n\n### Exercise 1\n\n*Difficulty 1/5"
    assert student.startswith(begin) and instructor.startswith(begin)
    assert "<summary>Hint</summary>\n\nUse your fingers." in student
    assert "len(roles)" not in student
    assert "<summary>Solution of exercise 1</summary>\n\n```python\nlen(roles)\n```" in instructor


def test_without_an_address_links_are_text():
    assert markdown("See [limits](../book/limits) and [out](https://x.org).", url=None) == (
        "See limits and [out](https://x.org)."
    )


def test_a_duration_takes_its_sentence_along():
    text = "One. All took {glue:text}`seconds:.0f` seconds here. Two {glue:text}`true_edges`."
    assert markdown(text) == "One. Two 18."
    assert markdown("It took {glue:text}`seconds:.0f` s.\n\nNext.") == "Next."


@pytest.mark.parametrize(
    "text", ["{kbd}`x`", ":::{proof}\nx\n:::", "[x](nowhere)", "{glue:text}`no_such_number`"]
)
def test_what_has_no_plain_form_is_an_error(text):
    with pytest.raises(ValueError, match="02_discovering_graphs"):
        markdown(text)


@pytest.mark.parametrize("fmt", [None, "d", ".2f", ".0%", ".2e", "s", ">8s", "+.1f"])
@pytest.mark.parametrize("value", [3, 0.12345, "7", "nan", -2.5])
def test_numbers_are_written_as_the_book_writes_them(value, fmt):
    theirs = pytest.importorskip("myst_nb.core.variables").format_plain_text
    try:
        expected = theirs(repr(value) if value != "nan" else value, fmt or "s")
    except ValueError:
        with pytest.raises(ValueError):
            formatted(value, fmt)
    else:
        assert formatted(value, fmt) == expected


def test_a_number_of_another_page_is_found():
    text = "{glue:text}`../notebooks/02_discovering_graphs.ipynb::true_edges:d`"
    assert markdown(text, page="book/organisms.ipynb") == "18"


# ---------------------------------------------------------------- hidden code


def hidden(*sources):
    """Cells of code; those that begin with `#` are hidden."""
    cells = []
    for source in sources:
        tags = ["remove-cell"] if source[0] == "#" else []
        cells.append({"cell_type": "code", "source": source, "metadata": {"tags": tags}})
    needed = needed_code(cells)
    return [needed[i] for i in sorted(needed)]


@pytest.mark.parametrize(
    ("sources", "left"),
    [
        (["#\nglue('a', 1)", "print(2)"], [""]),
        (["#\nr = 1\nglue('a', r)", "print(2)"], [""]),
        (["#\nr = 1\nglue('a', r)", "print(r)"], ["r = 1"]),
        (["#\nr = 1", "r = 2\nprint(r)"], [""]),
        (["#\nfor n in (1, 2):\n    x = n\n    glue('x', x)", "[x for x in 'ab']"], [""]),
        (["#\nt['a'] = 1\nt.append(2)", "print(t)"], ["t['a'] = 1\nt.append(2)"]),
        (["#\ndef keep(x):\n    glue('x', x)", "#\nkeep(1)\ny = 2", "print(y)"], ["", "y = 2"]),
        (["def f():\n    return g", "#\ng = 3", "f()"], ["g = 3"]),
        (["#\nbest = 1", "table.query('a == @best')"], ["best = 1"]),
        (["#\nx = 1", "x += 1"], ["x = 1"]),
    ],
)
def test_of_hidden_cells_stays_what_later_cells_use(sources, left):
    assert hidden(*sources) == left


# ---------------------------------------------------------------- the real chapters


def test_every_chapter_has_an_edition():
    assert set(CHAPTERS) <= set(WITH_EDITION)


@EACH
@pytest.mark.parametrize("kind", make_editions.KINDS)
def test_an_edition_has_no_fault(editions, page, kind):
    assert make_editions.faults(editions[page][kind]) == []


@EACH
def test_the_first_cell_installs_and_says_what_it_takes(editions, page):
    first = editions[page]["student"].cells[0].source
    assert re.search(rf'%pip install -q "valuegraph(\[gpu\])? @ git\+{URL}"', first)
    assert "installation takes" in first and "# Runtime" in first and " to run" in first
    gpu = "08" in page.stem
    assert ("a CPU is enough" in first) == (not gpu) == ("[gpu]" not in first)


@EACH
def test_solutions_are_in_one_edition_only(editions, page):
    student, instructor = ("\n".join(c.source for c in n.cells) for n in editions[page].values())
    sources = [c.source for c in nbformat.read(ROOT / page, as_version=4).cells]
    solutions = len(re.findall(r"(?m)^:::+\{solution\}", "\n".join(sources)))
    assert instructor.count("<summary>Solution of exercise") == solutions
    assert "Solution of exercise" not in student
    assert student.count("### Exercise ") == solutions == instructor.count("### Exercise ")


@EACH
def test_the_numbers_are_the_frozen_ones(editions, page):
    kept = json.loads((ROOT / "tests" / "frozen" / f"{page.stem}.json").read_text("utf-8"))
    filled = []

    def fill(found):
        name, _, fmt = found[1].partition(":")
        if VOLATILE.search(name):
            return found[0]  # its sentence is left out
        filled.append(name)
        return formatted(kept[name], fmt or None)

    plain = {c.id: c.source for c in editions[page]["student"].cells}
    without_numbers = Page(page, URL)
    for cell in nbformat.read(ROOT / page, as_version=4).cells:
        if cell.cell_type == "markdown":
            source = GLUE.sub(fill, cell.source).replace(make_editions.BADGE, "")
            assert without_numbers.markdown(source) == plain.get(cell.id, "")
    assert len(filled) > 10


@EACH
@pytest.mark.parametrize("kind", make_editions.KINDS)
def test_every_name_is_made_before_it_is_read(editions, page, kind):
    code = [c.source for c in editions[page][kind].cells if c.cell_type == "code"]
    trees = [ast.parse(re.sub(r"(?m)^(\s*)[%!].*", r"\1pass", source)) for source in code]
    missing = Reader(trees).before([node for tree in trees for node in tree.body], set())
    # A loop may run not at all, a condition may fail: what is made in them is made.
    maybe = [n for tree in trees for n in ast.walk(tree) if isinstance(n, (ast.For, ast.If))]
    made = set().union(*map(stored, maybe))
    assert missing - made - {*dir(builtins), "display"} == set()
    assert "glue" not in " ".join(code)


@EACH
def test_without_an_address_nothing_leads_to_a_place_that_is_not_there(page):
    notebook = make_editions.edition(page, solved=False, url=None)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert make_editions.faults(notebook) == []
    assert "github.io" not in text and "git+" not in text
    assert "first run `pip install .`" in notebook.cells[0].source


def test_what_is_left_would_be_found(editions):
    notebook = nbformat.from_dict(editions[WITH_EDITION[0]]["student"])
    for bad in ("{glue:text}`x`", ":::{note}", "github.com/OWNER/x", "(not computed)", "[a](b)"):
        notebook.cells[1].source = bad
        assert make_editions.faults(notebook), bad


def test_all_of_them_are_written(tmp_path, monkeypatch):
    monkeypatch.setenv("VALUEGRAPH_REPOSITORY", "git@github.com:Me/my-copy.git")
    monkeypatch.setattr(make_editions, "OUT", tmp_path)
    monkeypatch.setattr(make_editions, "pages", lambda root: WITH_EDITION[:1])
    make_editions.main()
    written = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.*"))
    assert written == ["README.md", "instructor/00_quickstart.ipynb", "student/00_quickstart.ipynb"]
    assert f"git+{URL}" in (tmp_path / "student" / "00_quickstart.ipynb").read_text("utf-8")
