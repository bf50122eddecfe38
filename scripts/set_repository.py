"""Write the repository's public address, which stands in `_config.yml`, wherever it is needed.

    python scripts/set_repository.py                                   # after a change by hand
    python scripts/set_repository.py https://github.com/me/my-copy     # for a fork: change it, too

The address is needed in the Colab cells of the notebooks (tagged `colab-install`), in the README,
the citation, the package's metadata and the pages that show how to install. Needs no package.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+")
IN_CONFIG = re.compile(r"(?m)^(repository:\n  url: )(\S+)$")
COLAB_TAG = "colab-install"

# What stands before the address and shows that it is this repository's, not another project's.
BEFORE = r"git\+|git clone |repository-code: \"|Repository = \""
MENTION = re.compile(rf"({BEFORE}){ADDRESS.pattern}")
COLAB_LINK = re.compile(r"(https://colab\.research\.google\.com/github/)[\w.-]+/[\w.-]+/")


def address(root: Path = ROOT) -> str:
    """The address in `_config.yml`; a ValueError if it has not the form of one on GitHub."""
    found = IN_CONFIG.search((root / "_config.yml").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{root / '_config.yml'} has no line `url:` right below `repository:`")
    return checked(found[2])


def checked(url: str) -> str:
    """The address itself; Colab opens notebooks from GitHub only."""
    if ADDRESS.fullmatch(url) is None or url.endswith(".git"):
        raise ValueError(f"{url!r} is not of the form https://github.com/OWNER/NAME")
    return url


def places(root: Path) -> Iterator[Path]:
    """The files that mention the address."""
    yield from (root / name for name in ("README.md", "CITATION.cff", "pyproject.toml"))
    for pattern in ("book/*.md", "book/*.ipynb", "notebooks/*.ipynb"):
        yield from sorted(root.glob(pattern))


def in_text(text: str, url: str) -> str:
    """The text with every mention of this repository's address replaced."""
    name = url.removeprefix("https://github.com/")
    text = MENTION.sub(lambda found: found[1] + url, text)
    return COLAB_LINK.sub(lambda found: f"{found[1]}{name}/", text)


def in_notebook(text: str, url: str) -> str:
    """The notebook's JSON with the address replaced in the cells tagged `colab-install`."""
    notebook = json.loads(text)
    cells = [c for c in notebook["cells"] if COLAB_TAG in c["metadata"].get("tags", [])]
    before = [cell["source"] for cell in cells]
    for cell in cells:
        lines = cell["source"]
        lines = lines.splitlines(keepends=True) if isinstance(lines, str) else lines
        cell["source"] = [in_text(line, url) for line in lines]
    if [cell["source"] for cell in cells] == before:
        return text
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def stale(root: Path = ROOT) -> dict[Path, str]:
    """The files that are out of step with `_config.yml`, each with what it should hold."""
    url = address(root)
    out = {}
    for path in places(root):
        text = path.read_text(encoding="utf-8")
        rewrite: Callable[[str, str], str] = in_notebook if path.suffix == ".ipynb" else in_text
        new = rewrite(text, url)
        if new != text:
            out[path] = new
    return out


def main(arguments: list[str], root: Path = ROOT) -> None:
    """Set the address in `_config.yml` if one is given, and write it everywhere else."""
    if arguments:
        config = root / "_config.yml"
        url = checked(arguments[0])
        text = config.read_text(encoding="utf-8")
        config.write_text(IN_CONFIG.sub(lambda f: f[1] + url, text), encoding="utf-8")
    for path, text in stale(root).items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {address(root)} into {path.relative_to(root)}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ValueError as problem:
        sys.exit(f"set_repository: {problem}")
