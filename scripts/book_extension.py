"""What the book needs of Sphinx beyond settings: pages that work from disk, and their address.

Named in `_config.yml` under `local_extensions`; `make book` loads it.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from docutils import nodes
from myst_nb.ext.glue.utils import PendingGlueReference
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.fileutil import copy_asset

# Draws its letters as paths: fonts beside a page opened from disk are not loaded by every browser.
MATHJAX = "tex-svg.js"
# Carries MathJax 3.2.2 as it is published, and pins it. Its own hook would copy all 24 MB of it.
CARRIER = "sphinx-mathjax-offline"

# The theme asks for its icons' fonts in a way that browsers refuse for files on disk. A script of
# its own draws the icons, so nothing is lost.
FONT_HINT = re.compile(r'\s*<link rel="preload" as="font"[^>]*>')


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


def drop_font_hints(app: Sphinx, problem: Exception | None) -> None:
    """Take the hints out of the finished pages; the theme has no setting for them."""
    if problem is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if FONT_HINT.search(text):
            path.write_text(FONT_HINT.sub("", text), encoding="utf-8")


def tell_address(app: Sphinx, config: object) -> None:
    """Derive the book's address on GitHub Pages from the repository's, which is stated once."""
    owner, name = config.html_theme_options["repository_url"].rsplit("/", 2)[-2:]
    config.html_baseurl = f"https://{owner.lower()}.github.io/{name}/"
    config.ogp_site_url = config.html_baseurl
    config.ogp_site_name = config.html_title


def read_again_after_quoted(app: Sphinx, doctree: nodes.document) -> None:
    """Read a page again when one changes whose numbers it quotes; Sphinx does not know of them."""
    for quoted in doctree.findall(PendingGlueReference):
        if quoted.refdoc:
            app.env.note_dependency(str(app.env.doc2path(quoted.refdoc)))


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("config-inited", tell_address)
    app.connect("builder-inited", ship_mathjax)
    app.connect("doctree-read", read_again_after_quoted)
    app.connect("build-finished", drop_font_hints)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
