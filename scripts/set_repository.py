"""Write the repository's public address, which stands in `_config.yml`, wherever it is needed.

    python scripts/set_repository.py                                   # after a change by hand
    python scripts/set_repository.py https://github.com/me/my-copy     # for a fork: change it, too

The address is needed in the Colab cells of the notebooks (tagged `colab-install`), in the README,
the citation, the package's metadata and the pages that show how to install. Needs no package.

What is built asks `public_address`, which looks at git first: a fork's book leads to the fork.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
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
COLAB = "https://colab.research.google.com/github/"
COLAB_LINK = re.compile(rf"({re.escape(COLAB)})[\w.-]+/[\w.-]+/")

# The setting that overrides all else, and what stands in `_config.yml` while nobody knows better.
SETTING = "VALUEGRAPH_REPOSITORY"
PLACEHOLDER = "https://github.com/OWNER/"
# The forms in which git knows a repository on GitHub; a token may stand before the host.
REMOTE = re.compile(
    r"(?:https://(?:[^/@\s]+@)?|ssh://git@|git@)github\.com[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?/?"
)
# Where the publishing workflow puts the student editions.
EDITIONS = "blob/colab/student/"


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


def from_remote(remote: str) -> str | None:
    """The address of a git remote, https or ssh; None if it is not on GitHub."""
    found = REMOTE.fullmatch(remote.strip())
    return f"https://github.com/{found[1]}/{found[2]}" if found else None


def public_address(root: Path = ROOT) -> str | None:
    """The address that readers are shown, or None while there is none.

    The environment's `VALUEGRAPH_REPOSITORY` goes before git's `origin`, and that before
    `_config.yml`, whose placeholder counts for nothing.
    """
    if given := os.environ.get(SETTING):
        return from_remote(given) or checked(given)
    # Without a `.git` of its own, git would tell of whatever repository lies around it.
    if (root / ".git").exists() and shutil.which("git"):
        command = ["git", "-C", str(root), "remote", "get-url", "origin"]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        if url := from_remote(told):
            return url
    written = address(root)
    return None if written.startswith(PLACEHOLDER) else written


def book_address(url: str) -> str:
    """Where GitHub Pages shows the book of a repository."""
    owner, name = url.rsplit("/", 2)[-2:]
    return f"https://{owner.lower()}.github.io/{name}/"


def colab_address(url: str, chapter: str) -> str:
    """Where Colab opens the student edition of a chapter."""
    name = url.removeprefix("https://github.com/")
    return f"{COLAB}{name}/{EDITIONS}{chapter}.ipynb"


def shown(text: str, url: str | None) -> str:
    """The text as readers see it: with the address, or without links that would be dead."""
    if url is not None:
        return in_text(text, url)
    text = re.sub(r"\[([^\]]*)\]\(https://[\w./-]*/OWNER/[^)]*\)", r"\1", text)
    return re.sub(re.escape(PLACEHOLDER) + r"[\w.-]+", "ADDRESS-OF-THE-REPOSITORY", text)


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
