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
import multiprocessing
import os
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from measure_pages import ROOT, pages

FROZEN = Path("tests/frozen")

#: What differs from run to run, whatever the library does.
VOLATILE = re.compile(r"seconds|took|minutes|pace|rate_|per_second|memory|gigabytes|gpu")

#: Loaded once for all pages.
HEAVY = ["transformers.models.llama.modeling_llama", "sae_lens", "causallearn.search", "IPython"]

_MIME = "application/papermill.record/text/plain"


def glued(page: Path, root: Path = ROOT) -> dict[str, object]:
    """Run a page in a process of its own; return what it glues, by name.

    The process is forked from one that has loaded the heavy libraries, which all pages need and
    which take as long to load as some pages to run.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(HEAVY)
    with ProcessPoolExecutor(1, mp_context=context) as process:
        return process.submit(_run, page, root).result()


def _run(page: Path, root: Path) -> dict[str, object]:
    """Run the cells of a page one after another, as a kernel does."""
    import nbformat
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    os.chdir(root)
    shell, numbers = InteractiveShell.instance(), {}
    shell.enable_gui = lambda gui: None  # there is no window
    shell.run_line_magic("matplotlib", "inline")
    for cell in nbformat.read(root / page, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        with capture_output() as captured:
            outcome = shell.run_cell(cell.source, store_history=True)
        if not outcome.success:
            raise RuntimeError(f"{page}, in the cell\n{cell.source}\n{captured.stdout[-3000:]}")
        for output in captured.outputs:
            name = (output.metadata or {}).get("scrapbook", {}).get("name")
            if name and not VOLATILE.search(name):
                text = output.data.get(_MIME, output.data.get("text/plain"))
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
