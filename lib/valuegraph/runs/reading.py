"""Reading a run: how far it is, and its answers as one frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from valuegraph.runs.manifest import Manifest, read_manifest
from valuegraph.runs.plan import Block
from valuegraph.runs.store import block_file, read_block


@dataclass(frozen=True)
class RunStatus:
    """How far a run is.

    Attributes
    ----------
    folder
        Of the run.
    done, cells
        Cells answered, and cells in all.
    items
        Answers in a cell.
    missing
        Numbers of the blocks that are not answered yet.
    """

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
        told = f"{self.folder} holds {self.done} of {self.cells} cells"
        if self.complete:
            return f"{told}: {self.done * self.items} answers, none missing"
        return f"{told}; missing: {_tell_numbers(self.missing, 'block')}"


def run_status(folder: str | Path) -> RunStatus:
    """Tell how far a run is, whether it is under way or was stopped.

    Parameters
    ----------
    folder
        Of the run.

    Returns
    -------
    RunStatus
        Cells done, cells in all and what is missing, by the files that are there.

    Raises
    ------
    FileNotFoundError
        If the folder holds no run.
    ValueError
        If its manifest cannot be read.
    """
    folder = Path(folder).expanduser()
    return status_of(folder, read_manifest(folder))


def status_of(folder: Path, manifest: Manifest) -> RunStatus:
    """Tell how far the run with this manifest is in a folder."""
    blocks = manifest.blocks
    missing = [block for block in blocks if not block_file(folder, block.number).exists()]
    cells = sum(block.cells for block in blocks)
    return RunStatus(
        folder=folder,
        done=cells - sum(block.cells for block in missing),
        cells=cells,
        items=manifest.items,
        missing=tuple(block.number for block in missing),
    )


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
        Answers with the columns of `valuegraph.answers`, ordered by format, role, intervention and
        item: what `elicit` returns for each format, one below the other.

    Raises
    ------
    FileNotFoundError
        If the folder holds no run.
    ValueError
        If cells are missing and `partial` is false, no cell is answered at all, or a file is
        damaged or another run's.
    """
    folder = Path(folder).expanduser()
    manifest = read_manifest(folder)
    status = status_of(folder, manifest)
    if status.missing and not partial:
        raise ValueError(
            f"{status.cells - status.done} of {status.cells} cells are missing in {folder} "
            f"({_tell_numbers(status.missing, 'block')}); start the run again to answer them, or "
            "pass partial=True to read what is there"
        )
    if not status.done:
        raise ValueError(f"{folder} holds no answers yet; start the run again to get some")
    there = [block for block in manifest.blocks if block.number not in set(status.missing)]
    frames = [read_answers(folder, manifest, block) for block in there]
    return pd.concat(frames, ignore_index=True)


def read_answers(folder: Path, manifest: Manifest, block: Block) -> pd.DataFrame:
    """Read one block of a run; see `valuegraph.runs.store.read_block`."""
    path = block_file(folder, block.number)
    rows = block.cells * manifest.items
    return read_block(path, block.number, run=manifest.run, rows=rows)


def _tell_numbers(numbers: tuple[int, ...], what: str) -> str:
    """Tell ascending numbers in short: ``blocks 3, 7-9``."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    told = [str(a) if a == b else f"{a}-{b}" for a, b in spans]
    if len(told) > 8:
        told = [*told[:7], f"... {told[-1]}"]
    return f"{what}{'s' if len(numbers) > 1 else ''} {', '.join(told)}"
