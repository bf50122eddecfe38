"""What the checks of the built book share: its pages, and a browser to open them in.

Not part of `make test`: they need the built book, and programs that pip does not install.
`make check-book` builds, fetches what it can, and runs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import chromium
import pytest

ROOT = Path(__file__).resolve().parents[1]
THEMES = ("light", "dark")


def pytest_addoption(parser: pytest.Parser) -> None:
    built = ROOT / "_build" / "html"
    parser.addoption("--html", type=Path, default=built, help="where the built book lies")


def pages_of(html: Path) -> list[Path]:
    """The pages that someone wrote; not listings of source code, nor the search."""
    return sorted(p for folder in ("book", "notebooks") for p in (html / folder).rglob("*.html"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    html = metafunc.config.getoption("html")
    pages = pages_of(html)
    if not pages:
        raise pytest.UsageError(f"no book lies in {html}; `make book` builds it")
    names = [path.relative_to(html).with_suffix("").as_posix() for path in pages]
    if "written" in metafunc.fixturenames:
        metafunc.parametrize("written", pages, ids=names)
    if "opened" in metafunc.fixturenames:
        cases = [(path, theme) for path in pages for theme in THEMES]
        ids = [f"{name}-{theme}" for name in names for theme in THEMES]
        metafunc.parametrize("opened", cases, ids=ids, indirect=True, scope="module")


@pytest.fixture(scope="session")
def html(request: pytest.FixtureRequest) -> Path:
    """The folder of the built book."""
    return request.config.getoption("html")


@dataclass(frozen=True)
class Opened:
    """A page in the browser, with what was heard while it loaded.

    Attributes
    ----------
    tab
        Playwright's page.
    path
        The file.
    theme
        ``"light"`` or ``"dark"``.
    troubles
        Errors and warnings of the console, requests that failed or would have left the disk.
    """

    tab: object
    path: Path
    theme: str
    troubles: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Chromium as the system has it; playwright's own would be a download."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright: `make check-book`")
    program = chromium.program()
    if program is None:
        pytest.skip(chromium.MISSING)
    with sync_api.sync_playwright() as play:
        started = play.chromium.launch(executable_path=program, args=chromium.FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def opened(request: pytest.FixtureRequest, browser: object) -> Iterator[Opened]:
    """One page, from disk, with the network off, once its formulas are drawn."""
    path, theme = request.param
    size = {"width": 1250, "height": 900}
    context = browser.new_context(
        offline=True, color_scheme=theme, viewport=size, reduced_motion="reduce"
    )
    tab = context.new_page()
    tab.set_default_timeout(180_000)  # the page of the library is long, and the machine may be busy
    page = Opened(tab, path, theme)
    tab.on("console", lambda said: hear(page, said.type, said.text))
    tab.on("pageerror", lambda error: hear(page, "error", str(error)))
    tab.on("requestfailed", lambda asked: hear(page, "error", f"failed: {asked.url}"))
    tab.on("request", lambda asked: asked_for(page, asked.url))
    tab.goto(path.as_uri())
    tab.wait_for_function("!window.MathJax || !!window.MathJax.startup?.promise")
    tab.evaluate("window.MathJax ? MathJax.startup.promise.then(() => true) : true")
    yield page
    context.close()


def hear(page: Opened, kind: str, text: str) -> None:
    """Keep what a reader's console would show as a warning or an error."""
    if kind in {"error", "warning"}:
        page.troubles.append(f"{kind}: {text}")


def asked_for(page: Opened, url: str) -> None:
    """Keep what would have left the disk."""
    if not url.startswith(("file:", "data:", "blob:")):
        page.troubles.append(f"error: asked the network for {url}")
