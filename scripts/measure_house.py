"""Measure the house: code lines, files, public names and import cycles, as a table.

    python scripts/measure_house.py [FOLDER ...]      # default: lib/valuegraph and studies

A code line holds a token other than a comment or a docstring.
"""

from __future__ import annotations

import ast
import sys
import tokenize
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(path: Path) -> int:
    """Lines of a file that hold code."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings: set[int] = set()
    for node in ast.walk(tree):
        owner = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        if owner and ast.get_docstring(node, clean=False) is not None:
            docstrings |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines: set[int] = set()
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type not in SKIPPED and token.string != "utf-8":
                lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings)


def imports(package: Path) -> dict[str, set[str]]:
    """Modules of a package, and those of the same package that each imports anywhere in it."""
    name = package.name
    modules = {}
    for path in package.rglob("*.py"):
        parts = (name, *path.relative_to(package).with_suffix("").parts)
        modules[".".join(parts).removesuffix(".__init__")] = path
    found: dict[str, set[str]] = {}
    for module, path in modules.items():
        found[module] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = []
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                named = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
            found[module] |= {n for n in named if n in modules and n not in (module, name)}
    return found


def cycles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other in a circle."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    circles: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in arrows.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            circle = [stack.pop()]
            while circle[-1] != node:
                circle.append(stack.pop())
            if len(circle) > 1:
                circles.append(sorted(circle))

    for node in arrows:
        if node not in index:
            visit(node)
    return circles


def public_names(package: Path) -> int:
    """Names that the package exports."""
    return len(getattr(import_module(package.name), "__all__", ()))


def measure(package: Path) -> dict[str, object]:
    """Sizes of a package: files, physical and code lines, the longest file, names and cycles."""
    files = sorted(package.rglob("*.py"))
    physical = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    longest = max(physical, key=physical.get)
    return {
        "files": len(files),
        "physical": sum(physical.values()),
        "code": sum(map(code_lines, files)),
        "longest": physical[longest],
        "longest_file": longest.relative_to(package).as_posix(),
        "public": public_names(package),
        "cycles": cycles(imports(package)),
    }


def main(folders: list[str]) -> None:
    for folder in folders or ["lib/valuegraph", "studies"]:
        package = ROOT / folder
        files = sorted(package.rglob("*.py"))
        print(f"{'code':>6} {'lines':>6}  {folder}")
        for path in files:
            physical = len(path.read_text(encoding="utf-8").splitlines())
            print(f"{code_lines(path):6d} {physical:6d}  {path.relative_to(package)}")
        for name, figure in measure(package).items():
            print(f"{name}: {figure}")
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
