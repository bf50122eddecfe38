"""What the book needs of Sphinx beyond settings: pages that work from disk, addresses, the rocket,
columns of numbers, and pictures whose letters stay large enough on a telephone.

Named in `_config.yml` under `local_extensions`; `make book` loads it.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree

import set_repository
from docutils import nodes
from make_editions import has_edition
from myst_nb.ext.glue.utils import PendingGlueReference
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util.fileutil import copy_asset

# Draws its letters as paths: fonts beside a page opened from disk are not loaded by every browser.
MATHJAX = "tex-svg.js"
# Carries MathJax 3.2.2 as it is published, and pins it. Its own hook would copy all 24 MB of it.
CARRIER = "sphinx-mathjax-offline"

# The theme asks for its icons' fonts in a way that browsers refuse for files on disk. A script of
# its own draws the icons, so nothing is lost.
FONT_HINT = re.compile(r'\s*<link rel="preload" as="font"[^>]*>')

TABLE = re.compile(r'<table border="1" class="dataframe">.*?</table>', re.DOTALL)
NUMBER = re.compile(r"[-−+±]?[\d,.]+(e[-+]\d+)?( ?%)?|-?inf|NaN|None|")
# A picture of the page, and the sizes of letters in it: paths of matplotlib, text of Graphviz.
PICTURE = re.compile(r'<img (?=[^>]*src="([^"]*\.svg)")')
LETTERS = re.compile(r"scale\(0\.(\d+) -0\.\d+\)|font(?:-size=\"|: )(\d+)")
LEAST = 9  # pixels


def mathjax_file() -> Path:
    """The script inside the installed package that carries it."""
    found = importlib.util.find_spec(CARRIER)
    if found is None or found.origin is None:
        raise ExtensionError(f"the package {CARRIER} is missing; `make setup` installs it")
    return Path(found.origin).parent / "static" / "mathjax" / MATHJAX


def ship_mathjax(app: Sphinx) -> None:
    """Put MathJax where `mathjax_path` in `_config.yml` looks for it."""
    if app.builder.format == "html":
        copy_asset(mathjax_file(), Path(app.outdir) / "_static" / "mathjax")


def align_numbers(html: str) -> str:
    """Mark the columns of a table of pandas that hold numbers; they are counted from the right."""

    def marked(match: re.Match) -> str:
        table = ElementTree.fromstring(match[0])
        head, body = ([list(row) for row in table.find(part)] for part in ("thead", "tbody"))
        n = min(sum(cell.tag == "td" for cell in row) for row in body) if body else 0
        for k in range(1, n + 1):
            if all(NUMBER.fullmatch((row[-k].text or "").strip()) for row in body):
                heads = [row[-k] for row in head if not any(c.get("colspan") for c in row)]
                for cell in [row[-k] for row in body] + heads:
                    cell.set("class", "number")
        return ElementTree.tostring(table, encoding="unicode", method="html")

    return TABLE.sub(marked, html)


def align_tables(app: Sphinx, doctree: nodes.document) -> None:
    """Do so in all outputs of a page."""
    for raw in list(doctree.findall(nodes.raw)):
        if raw.get("format") == "html" and TABLE.search(raw.astext()):
            html = align_numbers(raw.astext())
            raw.replace_self(nodes.raw("", html, format="html"))


def smallest_letters(svg: str) -> float | None:
    """The size of the smallest letters, as a share of the width of the picture."""
    letters = [float(f"0.{a}") * 100 if a else float(b) for a, b in LETTERS.findall(svg)]
    box = re.search(r'viewBox="([^"]+)"', svg)
    return min(letters) / float(box[1].split()[2]) if letters and box else None


def keep_letters_large(page: Path, text: str) -> str:
    """Give each picture the width at which its smallest letters can be read; a page scrolls it.

    Graphs are marked as what they are: drawn for light and for dark pages.
    """

    def sized(match: re.Match) -> str:
        svg = (page.parent / match[1]).read_text(encoding="utf-8")
        share = smallest_letters(svg)
        style = f'style="--least: {LEAST / share:.0f}px" ' if share else ""
        mark = 'class="dark-light" ' if 'aria-label="Value graph:' in svg[: svg.index(">")] else ""
        return f"<img {mark}{style}{match[0].removeprefix('<img ')}"

    return PICTURE.sub(sized, text)


def finish_pages(app: Sphinx, problem: Exception | None) -> None:
    """Finish pages: no hints, readable pictures; and no placeholder in the sources beside them."""
    if problem is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for path in out.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        # The theme has no setting for hints.
        new = keep_letters_large(path, FONT_HINT.sub("", text))
        if new != text:
            path.write_text(new, encoding="utf-8")
    # A notebook cannot be changed before it is read: its results are kept by its very code.
    for path in (p for p in (out / "_sources").rglob("*") if p.is_file()):
        text = path.read_text(encoding="utf-8")
        new = set_repository.shown(text, app.config.repository_address)
        if new != text:
            path.write_text(new, encoding="utf-8")


def tell_address(app: Sphinx, config: Config) -> None:
    """Derive all addresses from the repository's; without one, leave out what would lead there."""
    url = config.repository_address = set_repository.public_address(Path(app.srcdir))
    options = config.html_theme_options
    options["repository_url"] = url or ""
    if url is None:
        options |= {"use_repository_button": False, "use_issues_button": False}
        options["launch_buttons"] = {}
    config.html_baseurl = set_repository.book_address(url) if url else ""
    config.ogp_site_url = config.html_baseurl
    config.ogp_site_name = config.html_title


def show_address(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the address into the text of a page."""
    if Path(app.env.doc2path(page)).suffix == ".md":
        source[0] = set_repository.shown(source[0], app.config.repository_address)


def lead_to_edition(
    app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None
) -> None:
    """Let the rocket open the student edition of a chapter; a page without one loses it."""
    buttons = context.get("header_buttons", [])
    for group in [b for b in buttons if b.get("label") == "launch-buttons"]:
        if not has_edition(Path(app.env.doc2path(page))):
            buttons.remove(group)
        for button in group["buttons"]:
            url, name = app.config.repository_address, Path(page).name
            button["url"] = set_repository.colab_address(url, name)


def read_again_after_quoted(app: Sphinx, doctree: nodes.document) -> None:
    """Read a page again when one changes whose numbers it quotes; Sphinx does not know of them."""
    for quoted in doctree.findall(PendingGlueReference):
        if quoted.refdoc:
            app.env.note_dependency(str(app.env.doc2path(quoted.refdoc)))


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    # All pages are read again when the address changes.
    app.add_config_value("repository_address", None, "env")
    app.connect("config-inited", tell_address)
    app.connect("source-read", show_address)
    app.connect("builder-inited", ship_mathjax)
    app.connect("doctree-read", read_again_after_quoted)
    app.connect("doctree-read", align_tables)
    app.connect("html-page-context", lead_to_edition, priority=900)  # after the theme's own
    app.connect("build-finished", finish_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
