"""Write the chapters as plain notebooks, for Colab and every other place without the book's tools.

    python scripts/make_editions.py            # all of them, into build/editions

`student/` has no solutions, `instructor/` has them folded. Numbers come from `tests/frozen`; links
lead to the published book, and are left out while the repository has no address (see
`set_repository.public_address`). What was written is checked at the end.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
from hidden_code import needed_code
from measure_pages import READING, ROOT, pages, words
from plain_markdown import Page
from set_repository import COLAB_TAG, in_text, public_address

OUT = Path("build/editions")
KINDS = {"student": False, "instructor": True}
BADGE = " · **opens in Colab** (rocket button above)"
INSTALL_TAG = "install"

# What must not be left of the book's own language, nor of numbers and addresses without a value.
LEFT = re.compile(r"\{(?:glue|cite|numref|ref|eq|doc|term|py:)|:::|OWNER|\(not computed\)|\0")
RELATIVE = re.compile(r"\]\((?!https?://|mailto:)([^)]*)\)")

ABOUT = """\
These notebooks are made by a program from the chapters of the book, for Colab; the program
writes them anew each time. `student` has no solutions, `instructor` has them folded.
"""


def has_edition(page: Path) -> bool:
    """Whether a page of the book says that it opens in Colab."""
    return page.suffix == ".ipynb" and BADGE in words(page)


def tags(cell: dict) -> set[str]:
    """The tags of a cell."""
    return set(cell["metadata"].get("tags", []))


def without_import_of_glue(source: str) -> str:
    """The code without the name `glue` among its imports."""
    source = re.sub(r"(?m)^from book_support import glue\n", "", source)
    return re.sub(r"(?m)^(from book_support import .*?)(?:\bglue, |, glue\b)", r"\1", source)


# ---------------------------------------------------------------- notebooks


def install_cell(requirement: str, text: str, url: str | None) -> nbformat.NotebookNode:
    """The first cell: what it takes, which runtime to choose, and the installation."""
    takes = re.search(READING.pattern + r"[^\n]*", text)[0].split("** ", 1)[1]
    runtime = "a GPU for Gemma or Llama, else a CPU"
    if "**CPU only**" in text:
        runtime = "a CPU is enough"
    install = 'raise ImportError("first run `pip install .` in the folder of the book")'
    if url:
        install = f'%pip install -q "{in_text(requirement, url)}"'
    source = f"""\
# Run this cell first. On a fresh Colab runtime the installation takes a minute or two, once.
# Runtime (menu Runtime, Change runtime type): {runtime}.
# The chapter itself: {takes}
# Numbers in the text are those of the book; the cells compute yours.
import importlib.util

if importlib.util.find_spec("valuegraph") is None:
    {install}"""
    return nbformat.v4.new_code_cell(source, id=INSTALL_TAG, metadata={"tags": [INSTALL_TAG]})


def code_cell(cell: dict, source: str) -> nbformat.NotebookNode:
    """A cell of code; what the book hides is folded."""
    named, metadata = tags(cell), {}
    if named & {"remove-cell", "hide-cell", "remove-input", "hide-input"}:
        # Colab folds a cell with a title.
        folded = {"hide-cell", "hide-input"} & named
        title = "Folded, as in the book" if folded else "Folded: not shown in the book"
        source = f"# @title {title}\n{source}"
        metadata = {"cellView": "form", "jupyter": {"source_hidden": True}}
    if named & {"remove-output", "hide-output"}:
        metadata["jupyter"] = metadata.get("jupyter", {}) | {"outputs_hidden": True}
    return nbformat.v4.new_code_cell(source, id=cell["id"], metadata=metadata)


def edition(page: Path, *, solved: bool, url: str | None, root: Path = ROOT):
    """A page as a plain notebook."""
    cells = nbformat.read(root / page, as_version=4).cells
    needed, text = needed_code(cells), words(page, root)
    plain = Page(page, url, solved, root)
    title, out = plain.link("this page of the book", f"../{page.with_suffix('')}"), []
    for i, cell in enumerate(cells):
        source = cell["source"]
        if COLAB_TAG in tags(cell):
            requirement = re.search(r'"(valuegraph.*)"', source)[1]
            out.insert(0, install_cell(requirement, text, url))
            source = needed[i]
        elif cell["cell_type"] == "code":
            source = needed.get(i, without_import_of_glue(source))
        else:
            source = plain.markdown(source.replace(BADGE, ""))
        if source.strip() and cell["cell_type"] == "code":
            out.append(code_cell(cell, source))
        elif source.strip():
            out.append(nbformat.v4.new_markdown_cell(source, id=cell["id"]))
        caption = cell["metadata"].get("mystnb", {}).get("figure", {}).get("caption")
        if caption:
            figure = f"*Figure: {plain.inline(caption)}*"
            out.append(nbformat.v4.new_markdown_cell(figure, id=f"{cell['id']}-caption"))
    end = f"This notebook was made from {title}, which also shows all results."
    if plain.cited:
        end = f"## References\n\n{plain.references()}\n\n{end}"
    out.append(nbformat.v4.new_markdown_cell(end, id="references"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=out, metadata=metadata)


def faults(notebook) -> list[str]:
    """What is wrong with an edition, in words."""
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as problem:
        return [str(problem).splitlines()[0]]
    found = [f"{c.id}: {m[0]!r}" for c in notebook.cells for m in LEFT.finditer(c.source)]
    for cell in (c for c in notebook.cells if c.cell_type == "markdown"):
        prose = re.sub(r"(?s)```.*?```|`[^`]*`", "", cell.source)
        found += [f"{cell.id}: relative link {target!r}" for target in RELATIVE.findall(prose)]
    if [c.id for c in notebook.cells if INSTALL_TAG in tags(c)] != [notebook.cells[0].id]:
        found.append("the first cell, and no other, installs")
    return found


def main(root: Path = ROOT) -> None:
    """Write all editions and check them."""
    url, wrong = public_address(root), []
    for kind, solved in KINDS.items():
        folder = root / OUT / kind
        folder.mkdir(parents=True, exist_ok=True)
        for page in filter(has_edition, pages(root)):
            notebook = edition(page, solved=solved, url=url, root=root)
            wrong += [f"{kind}/{page.name}: {fault}" for fault in faults(notebook)]
            nbformat.write(notebook, folder / page.name)
    (root / OUT / "README.md").write_text(f"# Editions\n\n{ABOUT}", encoding="utf-8")
    if wrong:
        sys.exit("\n".join(["make_editions:", *wrong]))
    print(f"wrote {root / OUT}, " + (f"for {url}" if url else "without links: no public address"))


if __name__ == "__main__":
    main()
