"""The prose of a page: what a reader reads, without code, formulas, roles and addresses.

Its spelling is checked, and its words are counted.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Where pages lie.
FOLDERS = ("book", "book/course", "notebooks")

# What is no prose, in the order in which it is taken out.
NO_PROSE = [
    r"(?s)\A---\n.*?\n---\n",  # front matter
    r"(?sm)^(`{3,}|~{3,}).*?^\1\s*$",  # code, and directives written like code
    r"(?s)\$\$.*?\$\$",
    r"(?m)^\s*:[\w-]+:.*$",  # options of a directive
    r"(?m)^:{3,}.*$",
    r"\{[\w:.+-]+\}`[^`]*`",  # roles
    r"`+[^`]*`+",
    r"\$[^$\n]*\$",
    r"\]\([^)]*\)",  # where a link leads
    r"</?\w[^>\n]*>",
    r"https?://\S+",
    r"(?m)^\(.*\)=$",  # labels
]
TITLED = re.compile(r"(?m)^:{3,}\{(?:admonition|dropdown|card|grid-item-card)\}(.*)$")
# A word may have an apostrophe or a hyphen inside.
WORD = re.compile(r"[^\W\d_][^\W_]*(?:['-][^\W_]+)*")


def pages(root: Path = ROOT) -> list[Path]:
    """All pages that someone wrote, and the README."""
    written = [p for folder in FOLDERS for p in (root / folder).iterdir()]
    return [root / "README.md", *sorted(p for p in written if p.suffix in {".md", ".ipynb"})]


def slides(root: Path = ROOT) -> list[Path]:
    """The slides of the course, which are no pages of the book."""
    return sorted((root / "book" / "course" / "slides").glob("*.md"))


def prose(text: str) -> str:
    """Markdown without what is no prose; titles of boxes are kept."""
    titles = "\n".join(TITLED.findall(text))
    for pattern in NO_PROSE:
        text = re.sub(pattern, " ", text)
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return f"{titles}\n{text}"


def text_of(path: Path, *, captions: bool = True) -> str:
    """The prose of a page, with the captions and the descriptions of its figures."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return prose(source)
    parts = []
    for cell in json.loads(source)["cells"]:
        if cell["cell_type"] == "markdown":
            parts.append("".join(cell["source"]))
        shown = cell["metadata"].get("mystnb", {}) if captions else {}
        parts.append(shown.get("figure", {}).get("caption", ""))
        parts.append(shown.get("image", {}).get("alt", ""))
    return "\n".join(map(prose, parts))


def words(text: str) -> list[str]:
    """The words of prose."""
    return WORD.findall(text)
