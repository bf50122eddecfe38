"""Measure what the pages take, and write the tables that tell it.

    python scripts/measure_pages.py                      # run every page and measure it
    python scripts/measure_pages.py notebooks/00_quickstart.ipynb   # only this one
    python scripts/measure_pages.py --tables             # write the tables from what was measured
    python scripts/measure_pages.py --gpus               # and what the library computes of GPUs

A page is run in a kernel of its own. Kept are the seconds of processor time and the largest memory
of that kernel, in `book/measured.json`; `book/measured/*.md` are tables made from it, which other
pages include. Processor time is that of one core that does nothing else, and hardly depends on what
else the machine is doing.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import sys
from pathlib import Path

import book_prose

ROOT = Path(__file__).resolve().parents[1]
MEASURED = Path("book/measured.json")
TABLES = Path("book/measured")

READING = re.compile(r"\*\*Time:\*\* (\d+) minutes to read")
HIDDEN = {"remove-cell", "hide-cell", "remove-input", "hide-input"}
TITLE = re.compile(r"(?m)^# (.+)$")
PROBE = """
import json, resource, sys
_own = resource.getrusage(resource.RUSAGE_SELF)
_unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
json.dumps({"seconds": _own.ru_utime + _own.ru_stime, "bytes": _own.ru_maxrss * _unit})
"""


def table_of_contents(root: Path = ROOT) -> list[str]:
    """Pages without their endings, as `_toc.yml` orders them."""
    import yaml

    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]


def pages(root: Path = ROOT) -> list[Path]:
    """The notebooks of the table of contents, in its order."""
    found = [Path(f"{name}.ipynb") for name in table_of_contents(root)]
    return [page for page in found if (root / page).is_file()]


def words(page: Path, root: Path = ROOT) -> str:
    """The Markdown of a notebook."""
    cells = json.loads((root / page).read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def reading_minutes(page: Path, root: Path = ROOT) -> int:
    """What a chapter takes to read, without its exercises, which tell their own minutes.

    150 words or 15 lines of code a minute, and 20 seconds to look at what a cell shows. What is
    folded or not shown is not counted.
    """
    said, lines, shown = 0, 0, 0
    for cell in json.loads((root / page).read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            before, exercises, _ = source.partition(":::{exercise}")
            said += len(book_prose.words(book_prose.prose(before)))
            if exercises:
                break
        elif not set(cell["metadata"].get("tags", [])) & HIDDEN:
            lines += sum(bool(line.strip()) for line in source.splitlines())
            shown += 1
    return math.ceil(said / 150 + lines / 15 + 0.3 * shown)


def measure(page: Path, root: Path = ROOT) -> dict[str, float]:
    """Run a page in a kernel of its own; its processor seconds and its largest memory in bytes."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(root / page, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PROBE))
    client = NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": root}})
    client.execute()
    told = notebook.cells[-1].outputs[-1]["data"]["text/plain"]
    return json.loads(told.strip("'"))


def spent(seconds: float) -> str:
    """Whole seconds, or from two minutes on whole minutes, rounded up: a promise should be kept."""
    whole = math.ceil(seconds)
    return f"{whole} s" if whole < 120 else f"{math.ceil(whole / 60)} minutes"


def gigabytes(count: float) -> str:
    """Gigabytes with one decimal, rounded up."""
    return f"{math.ceil(count / 1e8) / 10:.1f} GB"


def tables(root: Path = ROOT) -> dict[Path, str]:
    """The tables and what each should hold, by file."""
    kept = json.loads((root / MEASURED).read_text(encoding="utf-8"))["pages"]
    listed = [page for page in pages(root) if str(page) in kept]
    texts = {page: words(page, root) for page in listed}
    read = {page: READING.search(text) for page, text in texts.items()}
    chapters = [page for page in listed if read[page]]
    most = max(kept[str(page)]["bytes"] for page in listed)
    longest = max(kept[str(page)]["seconds"] for page in chapters)
    shortest = min(kept[str(page)]["seconds"] for page in chapters)
    every = sum(kept[str(page)]["seconds"] for page in listed)
    reading = sum(int(read[page][1]) for page in chapters)
    hours = math.ceil(reading / 30) / 2
    ways = [
        "| | what you need | computing | memory |",
        "|---|---|---|---|",
        f"| **Read** | a browser, and about {hours:g} hours | none | that of a page |",
        "| **Teach** | Colab, or Python, for each student | "
        f"{spent(shortest)} to {spent(longest)} a chapter | {gigabytes(most)} |",
        f"| **Rerun** | Python, git and make | {spent(every)} for all pages | {gigabytes(most)} |",
    ]
    each = ["| page | to read | computing | memory |", "|---|---|---|---|"]
    for page in listed:
        title = TITLE.search(texts[page])[1]
        found, own = read[page], kept[str(page)]
        time = f"{found[1]} minutes" if found else ""
        link = f"[{title}](../{page.with_suffix('')})"
        took = f"{spent(own['seconds'])} | {gigabytes(own['bytes'])}"
        each.append(f"| {link} | {time} | {took} |")
    return {TABLES / "ways.md": "\n".join(ways) + "\n", TABLES / "pages.md": "\n".join(each) + "\n"}


def gpu_lines(models: list[str] | None = None) -> list[str]:
    """The rows of `book_support.gpus.gpu_table`: nothing is measured here, all is computed."""
    from book_support.gpus import gpu_table

    table = gpu_table(models) if models else gpu_table()
    gpus = [name for name in table.columns if not name.endswith("_gb")]
    lines = []
    for (model, precision), row in table.iterrows():
        fits = [f"{int(row[gpu]):,} tokens" if row[gpu] else "does not fit" for gpu in gpus]
        cells = [f"`{model}`", precision, f"{row['weights_gb']:.1f} GB", *fits]
        lines.append(f"| {' | '.join(cells)} |")
    heads = ["model", "kept in", "weights", *gpus]
    return [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *lines]


def main(arguments: list[str], root: Path = ROOT) -> None:
    """Measure the pages named, or all; then write the tables."""
    parser = argparse.ArgumentParser(description="Measure what the pages take.")
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--tables", action="store_true", help="measure nothing")
    parser.add_argument("--gpus", action="store_true", help="measure nothing, compute GPUs, too")
    options = parser.parse_args(arguments)
    if not options.tables and not options.gpus:
        path = root / MEASURED
        kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"pages": {}}
        for page in options.pages or pages(root):
            kept["pages"][str(page)] = found = measure(page, root)
            print(f"{page}: {found['seconds']:.0f} s, {gigabytes(found['bytes'])}", flush=True)
            kept["machine"] = f"{platform.system()} on {platform.machine()}"
            kept["threads"] = os.environ.get("OMP_NUM_THREADS", "all")
            path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    texts = tables(root)
    if options.gpus:
        texts[TABLES / "gpus.md"] = "\n".join(gpu_lines()) + "\n"
    for path, text in texts.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
