"""Print the built book, page after page in the order of the contents, into one PDF.

    python scripts/make_pdf.py               # after `make book`; `make pdf`

Chromium prints with the style sheet for paper: solutions are folded out, what answers to a mouse is
left out. Links from page to page lead to pages of the PDF; numbers of pages are laid over it.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

import chromium
import yaml
from measure_pages import ROOT, table_of_contents
from playwright.sync_api import Browser, sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, NameObject

HTML = ROOT / "_build" / "html"
OUT = ROOT / "_build" / "pdf" / "causal-value-graphs.pdf"
PAPER = {"format": "A4", "print_background": True, "prefer_css_page_size": True}
DRAWN = "window.MathJax ? MathJax.startup.promise.then(() => true) : true"
NUMBER = "<p style='break-after: page; height: 281mm; margin: 0; font: 9pt sans-serif; \
text-align: center; display: flex; align-items: end; justify-content: center'>{}</p>"


def printed(browser: Browser, page: Path) -> PdfReader:
    """A page of the book as a PDF, with an outline of its sections."""
    tab = browser.new_page(color_scheme="light", reduced_motion="reduce")
    tab.set_default_timeout(300_000)
    tab.goto(page.as_uri())
    tab.wait_for_function("!window.MathJax || !!window.MathJax.startup?.promise")
    tab.evaluate(DRAWN)
    tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    content = tab.pdf(**PAPER, tagged=True, outline=True)
    tab.close()
    return PdfReader(io.BytesIO(content))


def keep_links_inside(writer: PdfWriter, starts: dict[Path, int]) -> None:
    """Let links to files of the book lead to where these begin in the PDF."""
    for page in writer.pages:
        for note in (ref.get_object() for ref in page.get("/Annots") or ()):
            address = note.get("/A", {}).get("/URI", "")
            if address.startswith("file:"):
                path = Path(unquote(urlparse(urldefrag(address).url).path))
                del note["/A"]
                if path in starts:
                    target = writer.pages[starts[path]].indirect_reference
                    note[NameObject("/Dest")] = ArrayObject([target, NameObject("/Fit")])


def main() -> None:
    program = chromium.program()
    if program is None:
        sys.exit(chromium.MISSING)
    writer, starts = PdfWriter(), {}
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=chromium.FLAGS)
        for path in [HTML / f"{name}.html" for name in table_of_contents()]:
            part, starts[path] = printed(browser, path), len(writer.pages)
            print(f"{len(part.pages):4d} pages: {path.stem}", flush=True)
            writer.append(part)
        blank = browser.new_page()
        numbers = "".join(NUMBER.format(k) for k in range(1, len(writer.pages) + 1))
        blank.set_content(f"<body style='margin: 0'>{numbers}")
        laid_over = PdfReader(io.BytesIO(blank.pdf(format="A4"))).pages
        for page, number in zip(writer.pages, laid_over, strict=True):
            page.merge_page(number)
            page.compress_content_streams()
        browser.close()
    keep_links_inside(writer, starts)
    title = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["title"]
    writer.add_metadata({"/Title": title})
    writer.compress_identical_objects()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    writer.write(OUT)
    print(f"{len(writer.pages)} pages in {OUT}")


if __name__ == "__main__":
    main()
