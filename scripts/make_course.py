"""Build the course: slides, and a bundle for students and one for teachers.

    python scripts/make_course.py            # after `make book` and `make editions`; `make course`

`book/course/slides/session_N.md` holds the slides of a session: slides are parted by a line `---`,
and what follows a line `Note:` is for the speaker. Numbers come from `tests/frozen` as in the
editions. A figure is named as on its page, `![](fig-quickstart-graph)`; picture and alt text are
taken from there, so that nothing is drawn or said twice. `build/course` gets two folders, and
`dist` an archive of each; nothing in them needs a network.
"""

from __future__ import annotations

import argparse
import html
import importlib.util
import json
import re
import shutil
import sys
from base64 import b64decode
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat
from book_prose import slides
from jupyter_cache import get_cache
from make_editions import ABOUT
from make_editions import OUT as EDITIONS
from markdown_it import MarkdownIt
from measure_pages import ROOT, TITLE, pages, words
from plain_markdown import Page
from set_repository import public_address

OUT = Path("build/course")
DIST = Path("dist")
CACHE = Path("_build/.jupyter_cache")
COURSE = Path("book/course")

#: Which notebooks, notes and pages each bundle has.
KINDS = {"student": False, "instructor": True}
PAGES = {"student": ["projects", "self_test"]}
PAGES["instructor"] = ["index", *(f"session_{n}" for n in range(1, 7)), *PAGES["student"]]

#: A Sphinx extension that ships reveal.js as it is published; nothing else of it is used.
CARRIER = "sphinx_revealjs"
REVEAL = ["dist/reset.css", "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js", "LICENSE"]

IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
QUIZ = re.compile(r"(?sm)^## Quiz$.*?(?=^## |\Z)")
ANSWER = re.compile(r"(?sm)^:{3,}\{dropdown\} Answer.*?^:{3,}$\n?")
MIMES = {"image/svg+xml": ".svg", "image/png": ".png"}

STYLE = """\
body { color: #222; background: #fff; font-family: Helvetica, Arial, sans-serif; }
.page { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.5; }
a { color: #0b5394; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { border-bottom: 1px solid #bbb; padding: .3em .6em; text-align: left; vertical-align: top; }
summary { cursor: pointer; color: #0b5394; }
.reveal { font-size: 36px; line-height: 1.35; }
.reveal strong { font-weight: bold; }
.reveal em { font-style: italic; }
.reveal .slides { text-align: left; }
.reveal h1 { font-size: 1.9em; margin: 3em 0 .4em; }
.reveal h2 { font-size: 1.35em; margin: 0 0 .6em; }
.reveal h1, .reveal h2 { color: #0b5394; line-height: 1.15; font-weight: bold; }
.reveal p, .reveal ul, .reveal ol, .reveal blockquote { margin: .5em 0; }
.reveal ul, .reveal ol { padding-left: 1.1em; }
.reveal li { margin: .45em 0; }
.reveal blockquote { padding: .3em .8em; border-left: 6px solid #e69f00; background: #fdf4e0; }
.reveal figure { margin: .3em 0; text-align: center; }
.reveal figure img { max-width: 100%; height: 460px; object-fit: contain; }
.reveal figure.of-2 { display: inline-block; width: 48%; }
.reveal figcaption { font-size: .5em; color: #555; }
.reveal table { font-size: .8em; }
.reveal code { font-size: .85em; }
@media print { .page { max-width: none; } }
"""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
{head}<link rel="stylesheet" href="{up}style.css">
</head>
<body>
{body}
</body>
</html>
"""

SCRIPT = """\
<script src="../reveal/reveal.js"></script>
<script src="../reveal/notes.js"></script>
<script>
Reveal.initialize({hash: true, width: 1280, height: 720, margin: 0.05, center: false,
    slideNumber: "c/t", transition: "none", plugins: [RevealNotes]});
</script>"""

READ_ME = """\
# {title}

Everything here opens with a double click or in Jupyter, and works without a network.

{parts}

To run a notebook, open it in Jupyter where the package `valuegraph` is installed, or upload it to
Colab. Its first cell says how long things take. In slides, the arrow keys turn pages{keys}; add
`?print-pdf` to the address to print them.

{about}"""


# ---------------------------------------------------------------- figures


@dataclass(frozen=True)
class Figure:
    """A figure of a page: the page, which of its code cells draws it, what it shows in words."""

    page: Path
    cell: int
    alt: str


@cache
def figures(root: Path = ROOT) -> dict[str, Figure]:
    """The figures of the book that have a name."""
    found = {}
    for page in pages(root):
        cells = json.loads((root / page).read_text(encoding="utf-8"))["cells"]
        code = [c["metadata"].get("mystnb", {}) for c in cells if c["cell_type"] == "code"]
        for place, shown in enumerate(code):
            if name := shown.get("figure", {}).get("name"):
                found[name] = Figure(page, place, shown["image"]["alt"])
    return found


@cache
def results(page: Path, kept: Path, root: Path) -> list:
    """The code cells of a page with what they gave, if the page is that of the built book."""
    notebook = nbformat.read(root / page, as_version=4)
    try:
        _, notebook = get_cache(kept).merge_match_into_notebook(notebook)
    except KeyError:
        sys.exit(f"make_course: {page} has changed, or was never run; first `make book`")
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def save_picture(name: str, source: Path, folder: Path, kept: Path, root: Path) -> str:
    """Put a picture into a folder; the name of its file."""
    if "/" in name:  # a file of the repository
        shutil.copy((root / source.parent / name).resolve(), folder)
        return Path(name).name
    figure = figures(root)[name]
    outputs = results(figure.page, kept, root)[figure.cell].outputs
    found = {mime: out.data[mime] for out in outputs for mime in out.get("data", {})}
    mime = next(mime for mime in MIMES if mime in found)
    data = found[mime]
    content = data.encode() if mime == "image/svg+xml" else b64decode(data)
    (folder / f"{name}{MIMES[mime]}").write_bytes(content)
    return f"{name}{MIMES[mime]}"


# ---------------------------------------------------------------- slides


@dataclass(frozen=True)
class Slide:
    """The Markdown of a slide, and of what its speaker says."""

    body: str
    notes: str


def parted(text: str) -> list[Slide]:
    """The slides of a session."""
    each = re.split(r"(?m)^---\n", text)
    halves = [re.split(r"(?m)^Note:\n?", slide, maxsplit=1) for slide in each]
    return [Slide(half[0].strip(), "".join(half[1:]).strip()) for half in halves]


def to_html(markdown: str) -> str:
    """HTML of plain Markdown."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)


def slide_html(slide: Slide, page: Page, files: dict[str, str], *, notes: bool) -> str:
    """One slide; `files` has the file of each picture."""

    def shown(found: re.Match) -> str:
        said, name = found.groups()
        source = ""
        if name in figures(page.root):
            figure = figures(page.root)[name]
            said = said or figure.alt
            source = f"From: {TITLE.search(words(figure.page, page.root))[1]}"
        image = f'<img src="../figures/{files[name]}" alt="{html.escape(said)}">'
        inner = f"{image}<figcaption>{source}</figcaption>"
        return f'<figure class="of-{len(IMAGE.findall(slide.body))}">{inner}</figure>'

    body = to_html(IMAGE.sub(shown, page.markdown(slide.body)))
    aside = f'<aside class="notes">{to_html(page.markdown(slide.notes))}</aside>' if notes else ""
    return f"<section>\n{body}{aside}</section>\n"


def deck(source: Path, files: dict[str, str], url: str | None, *, notes: bool, root: Path) -> str:
    """The slides of a session as one page."""
    page, text = Page(source, url, root=root), (root / source).read_text(encoding="utf-8")
    sections = [slide_html(slide, page, files, notes=notes) for slide in parted(text)]
    head = "".join(
        f'<link rel="stylesheet" href="../reveal/{name}">\n' for name in ("reset.css", "reveal.css")
    )
    inner = f'<div class="reveal"><div class="slides">\n{"".join(sections)}</div></div>\n{SCRIPT}'
    return PAGE.format(title=TITLE.search(text)[1], head=head, up="../", body=inner)


def reveal_files() -> list[Path]:
    """The files of reveal.js inside the installed package that carries it."""
    found = importlib.util.find_spec(CARRIER)
    if found is None or found.origin is None:
        sys.exit(f"make_course: the package {CARRIER} is missing; `make setup` installs it")
    return [Path(found.origin).parent / "_static" / "revealjs" / name for name in REVEAL]


# ---------------------------------------------------------------- handouts


def handout(markdown: str, up: str = "../") -> str:
    """A page to read or to print."""
    title = TITLE.search(markdown)[1]
    body = f'<main class="page">\n{to_html(markdown)}</main>'
    return PAGE.format(title=html.escape(title), head="", up=up, body=body)


def questions(text: str) -> str:
    """The quiz of a session without its answers."""
    title = TITLE.search(text)[1]
    quiz = ANSWER.sub("", QUIZ.search(text)[0])
    return quiz.replace("## Quiz", f"# Quiz: {title}")


def write_pages(kind: str, folder: Path, url: str | None, root: Path) -> None:
    """The pages of the course that a bundle has; for teachers also quizzes to hand out."""
    for name in PAGES[kind]:
        source = COURSE / f"{name}.md"
        text = (root / source).read_text(encoding="utf-8")
        made = {name: Page(source, url, solved=True, root=root).markdown(text)}
        if QUIZ.search(text):
            made[f"quiz_{name[-1]}"] = Page(source, url, root=root).markdown(questions(text))
        for stem, markdown in made.items():
            (folder / f"{stem}.html").write_text(handout(markdown), encoding="utf-8")


def contents(folder: Path, kind: str) -> str:
    """The first page of a bundle."""
    parts = ""
    for part in ("slides", "pages", "notebooks"):
        parts += f"\n## {part.capitalize()}\n\n"
        for path in sorted((folder / part).iterdir()):
            if path.suffix == ".ipynb":
                title = TITLE.search(words(path, folder))[1]
            else:
                title = html.unescape(path.read_text("utf-8").split("title>")[1].rstrip("</"))
            parts += f"- [{title}]({part}/{path.name})\n"
    keys = ", and S opens the speaker's notes" if KINDS[kind] else ""
    title = f"Causal value graphs: the course, for {kind}s"
    return handout(READ_ME.format(title=title, parts=parts, keys=keys, about=ABOUT), up="")


# ---------------------------------------------------------------- all of it


def build(kind: str, out: Path, kept: Path, root: Path = ROOT) -> Path:
    """Write the folder of one bundle."""
    folder, url = out / kind, public_address(root)
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("slides", "figures", "reveal", "pages"):
        (folder / part).mkdir(parents=True)
    (folder / "style.css").write_text(STYLE, encoding="utf-8")
    for path in reveal_files():
        shutil.copy(path, folder / "reveal")
    for path in slides(root):
        source = path.relative_to(root)
        names = [name for _, name in IMAGE.findall(path.read_text(encoding="utf-8"))]
        place = folder / "figures"
        files = {n: save_picture(n, source, place, kept, root) for n in names}
        made = deck(source, files, url, notes=KINDS[kind], root=root)
        (folder / "slides" / f"{path.stem}.html").write_text(made, encoding="utf-8")
    write_pages(kind, folder / "pages", url, root)
    shutil.copytree(root / EDITIONS / kind, folder / "notebooks")
    (folder / "index.html").write_text(contents(folder, kind), encoding="utf-8")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=ROOT / CACHE, help="results of the pages")
    options = parser.parse_args()
    (ROOT / DIST).mkdir(exist_ok=True)
    for kind in KINDS:
        folder = build(kind, ROOT / OUT, options.cache)
        archive = shutil.make_archive(str(ROOT / DIST / f"course-{kind}"), "zip", folder)
        print(f"wrote {folder} and {archive}")


if __name__ == "__main__":
    main()
