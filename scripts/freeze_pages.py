"""Run pages and keep every number that they glue, so that a test can tell when one changes.

    python scripts/freeze_pages.py                                  # all pages
    python scripts/freeze_pages.py notebooks/00_quickstart.ipynb    # only this one

`tests/frozen/NAME.json` holds the glued numbers of a page by name. Numbers that tell a duration or
a machine are left out: `VOLATILE`.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measure_pages import ROOT, pages

FROZEN = Path("tests/frozen")

#: What differs from run to run, whatever the library does.
VOLATILE = re.compile(r"seconds|took|minutes|pace|rate_|per_second|memory|gigabytes|gpu")

_MIME = "application/papermill.record/text/plain"


def glued(page: Path, root: Path = ROOT) -> dict[str, object]:
    """Run a page in a kernel of its own; return what it glues, by name."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(root / page, as_version=4)
    NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": str(root)}}).execute()
    numbers = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            if name and not VOLATILE.search(name):
                data = output["data"]
                text = data.get(_MIME, data.get("text/plain"))
                try:
                    numbers[name] = ast.literal_eval(text)
                except (ValueError, SyntaxError):  # nan, or the repr of an object
                    numbers[name] = text
    return numbers


def frozen_file(page: Path, root: Path = ROOT) -> Path:
    """Where the numbers of a page are kept."""
    return root / FROZEN / f"{page.stem}.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--jobs", type=int, default=2, help="pages at a time")
    options = parser.parse_args()
    wanted = options.pages or pages()

    def freeze(page: Path) -> None:
        file = frozen_file(page)
        file.parent.mkdir(exist_ok=True)
        text = json.dumps(glued(page), indent=1, sort_keys=True, ensure_ascii=False)
        file.write_text(text + "\n", encoding="utf-8")
        print(page.stem, flush=True)

    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(freeze, wanted))


if __name__ == "__main__":
    main()
