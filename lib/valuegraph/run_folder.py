"""The folder of a run: ``manifest.json`` says what is asked, files of answers say how far it is.

Every file is there whole or not at all. A block of answers carries the fingerprint of its run, so
that the blocks of all shards, copied into one folder beside the manifest, are the run.
"""

import hashlib
import json
import os
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from valuegraph.inventory import fingerprint
from valuegraph.tables import refusing, require, require_file

#: File with the settings of a run, and version of the layout of its folder.
MANIFEST, LAYOUT = "manifest.json", 2


class Block(NamedTuple):
    """Some consecutive cells (format, role, intervention): unit of work, of file, of repetition."""

    number: int
    fmt: int
    roles: range
    interventions: range
    cells: int


class RunStatus(NamedTuple):
    """How far a run is: cells answered and in all, answers in a cell, blocks that are missing."""

    folder: Path
    done: int
    cells: int
    items: int
    missing: tuple[int, ...]

    @property
    def complete(self) -> bool:
        """Whether all cells are answered."""
        return not self.missing

    def __str__(self) -> str:
        """Tell it in one line."""
        line = f"{self.folder} holds {self.done} of {self.cells} cells"
        if self.complete:
            return f"{line}: {self.done * self.items} answers, none missing"
        names = ", ".join(map(str, self.missing[:8])) + ", ..." * (len(self.missing) > 8)
        return f"{line}; missing: block{'s'[: len(self.missing) - 1]} {names}"


def run_status(folder: str | Path) -> RunStatus:
    """Tell how far a run is, whether it is under way or was stopped, by the files that are there.

    Returns
    -------
    RunStatus
        ``print`` tells it in a line; `missing` has the numbers of the blocks to come.
    """
    folder = Path(folder).expanduser()
    asked = read_manifest(folder)["asked"]
    blocks = blocks_of(asked)
    missing = tuple(b.number for b in blocks if not block_file(folder, b.number).exists())
    done = sum(block.cells for block in blocks if block.number not in missing)
    return RunStatus(folder, done, sum(b.cells for b in blocks), asked["inventory.items"], missing)


def read_run(folder: str | Path, *, partial: bool = False) -> pd.DataFrame:
    """Read the answers of a run.

    Parameters
    ----------
    folder
        Of the run.
    partial
        Whether to take what is there when some cells are not answered yet.

    Returns
    -------
    pandas.DataFrame
        Answers as `valuegraph.elicit` returns them: ordered by format, role, intervention and item.
    """
    status = run_status(folder)
    if not status.done or status.missing and not partial:
        raise ValueError(f"{status}; start the run again, or take what is there (partial)")
    asked = read_manifest(status.folder)["asked"]
    there = [b.number for b in blocks_of(asked) if b.number not in status.missing]
    return pd.concat([read_block(status.folder, asked, k) for k in there], ignore_index=True)


def blocks_of(asked: dict[str, Any]) -> list[Block]:
    """Cut what is asked into blocks, by nothing but its size, so that every process cuts it alike.

    A block has one format and whole roles, or a part of the interventions of one role.
    """
    formats, roles, some = (range(len(asked[k])) for k in ("formats", "roles", "interventions"))
    size = asked["block_size"]
    each = max(1, size // len(some))
    starts = product(formats, roles[::each], some[::size])
    parts = [(fmt, roles[r : r + each], some[i : i + size]) for fmt, r, i in starts]
    return [Block(n, *part, len(part[1]) * len(part[2])) for n, part in enumerate(parts)]


def block_file(folder: Path, number: int) -> Path:
    """Return where the answers of a block stand."""
    return folder / f"answers-{number:06d}.parquet"


def write_whole(path: Path, content: bytes, *, keep: bool = False) -> None:
    """Write a file whole or not at all; `keep` what is there, or replace it."""
    require_file(path, "name a file to write")
    path = path.resolve()  # a link to a file stays one
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave the name without the content
        if keep:
            with suppress(OSError):  # taken, or a file system without links
                os.link(temporary, path)
        if not (keep and path.exists()):
            os.replace(temporary, path)
    except OSError as error:
        raise type(error)(f"{error}; {path} is as it was, and starting again is safe") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_block(answers: pd.DataFrame, folder: Path, asked: dict[str, Any], number: int) -> None:
    """Write the answers of a block: the same bytes for the same answers."""
    answers = answers.copy(deep=False)
    answers.attrs = _label(answers, asked, number)
    write_whole(block_file(folder, number), answers.to_parquet(index=False, compression="zstd"))


def read_block(folder: Path, asked: dict[str, Any], number: int) -> pd.DataFrame:
    """Read the answers of a block; a file that is damaged or another's is refused by its name."""
    path = block_file(folder, number)
    with refusing(f"{path} is damaged, or of another run or block; move it away"):
        # Without partitioning, a folder called "a=b" would become a column.
        answers = pd.read_parquet(path, partitioning=None)
        label, answers.attrs = answers.attrs, {}
        require(label == _label(answers, asked, number), "its label does not fit")
        return answers


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a run: ``asked``, ``computed``, ``versions`` and ``date``."""
    if not (path := folder / MANIFEST).is_file():
        raise FileNotFoundError(f"{folder} holds no run: {path} is missing")
    with refusing(f"{path} is damaged or none of a run; begin anew"):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["layout"] != LAYOUT:
            raise ValueError(f"layout {manifest['layout']!r}, this version reads {LAYOUT}")
        if manifest.pop("digest", None) not in (None, fingerprint(manifest)):
            raise ValueError("it was changed after it was written")
        _ = blocks_of(manifest["asked"]), manifest["asked"]["inventory.items"]
        return manifest


def differences(there: dict[str, Any], now: dict[str, Any]) -> str:
    """Lay out the settings that differ as a table of text; empty if none do."""
    keys = [key for key in there if there[key] != now.get(key)]
    rows = [("setting", "in the folder", "now")]
    rows += [(k, _tell(there[k], now.get(k)), _tell(now.get(k), there[k])) for k in keys]
    return "\n".join("  {:<24}  {:<40}  {}".format(*row) for row in rows) if keys else ""


def _label(answers: pd.DataFrame, asked: dict[str, Any], number: int) -> dict[str, str]:
    """Whose answers a file holds, and a hash, as Parquet's checksums do not cover everything."""
    kinds = ["text" if dtype.kind == "O" else str(dtype) for dtype in answers.dtypes]
    digest = hashlib.sha256(f"{kinds}{answers.to_csv(index=False)}".encode()).hexdigest()
    return {"run": fingerprint(asked), "block": str(number), "digest": digest}


def _tell(value: Any, other: Any) -> str:
    """Tell a value in short; of a list, what the other does not have."""
    if isinstance(value, list):
        value = ", ".join(str(v) for v in value if v not in (other or ())) or ", ".join(value)
    return "-" if value in (None, "") else str(value)[:60]
