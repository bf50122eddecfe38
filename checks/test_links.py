"""What the built pages point to is there; sphinx itself looks only at what it made."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup


@cache
def read(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def anchors(path: Path) -> frozenset[str]:
    """Everything on a page that a link can end in its address with."""
    tags = read(path).find_all(lambda tag: tag.has_attr("id") or tag.has_attr("name"))
    return frozenset(tag.get("id") or tag["name"] for tag in tags)


def targets(page: BeautifulSoup) -> list[str]:
    """Addresses of all that a page links to or loads."""
    found = [
        tag[name]
        for name in ("href", "src")
        for tag in page.find_all(lambda t, n=name: n in t.attrs)
    ]
    return [address for address in found if not address.startswith(("data:", "mailto:"))]


def test_every_link_within_the_book_ends_somewhere(written):
    lost = []
    for address in targets(read(written)):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        to = (written.parent / unquote(parts.path)).resolve() if parts.path else written
        if not to.is_file():
            lost.append(f"{address}: no such file")
        # `#` alone is a button; what begins with a slash or `?` belongs to the search.
        elif to.suffix == ".html" and parts.fragment:
            if unquote(parts.fragment) not in anchors(to):
                lost.append(f"{address}: no such place on the page")
    assert lost == []


def test_links_out_of_the_book_are_encrypted(written):
    plain = [a for a in targets(read(written)) if urlsplit(a).scheme == "http"]
    assert plain == []


def test_nothing_is_loaded_from_elsewhere(written):
    page = read(written)
    loaded = [tag.get("src", "") for tag in page.find_all(["script", "img", "iframe", "source"])]
    loaded += [
        tag["href"] for tag in page.find_all("link") if {"stylesheet", "preload"} & set(tag["rel"])
    ]
    assert [address for address in loaded if urlsplit(address).netloc] == []


def test_every_picture_says_in_words_what_it_shows(written):
    article = read(written).find("article")
    silent = []
    for image in article.find_all("img"):
        words = image.get("alt", "").strip()
        # Without alt text, sphinx writes the name of the file.
        if not words or words.endswith((".png", ".svg")) or "/" in words.split()[0]:
            silent.append(str(image)[:200])
    drawings = article.find_all("svg", attrs={"role": "img"})
    silent += [
        str(d)[:200] for d in drawings if not (d.get("aria-label") or d.get("aria-labelledby"))
    ]
    assert silent == []


def test_every_reference_was_resolved(written):
    # What sphinx cannot resolve it leaves as text, with a class that says so.
    article = read(written).find("article")
    left = article.select(".problematic, .system-message, span.xref.myst, a.reference.broken")
    assert [tag.get_text() for tag in left] == []
    assert "[?]" not in article.get_text()


def test_numbers_glued_into_the_text_are_there(written):
    holes = read(written).find("article").get_text()
    assert "{glue" not in holes
    assert "glue:text" not in holes.replace("{glue:text}`", "")


@pytest.mark.parametrize("needed", [".vg-slides", ".math", ".cell_output svg, img[src$='.svg']"])
def test_the_book_has_what_the_checks_look_for(html, needed):
    # Otherwise a change of a class name would make the other checks pass over nothing.
    chapters = [read(path) for path in sorted((html / "notebooks").glob("*.html"))]
    with_it = [page for page in chapters if page.select(needed)]
    assert len(with_it) >= 2
