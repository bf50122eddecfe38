"""Merging: the shards of a run, answered in several folders, become one run."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from valuegraph.runs.manifest import (
    Manifest,
    difference_table,
    differences,
    read_manifest,
    write_manifest,
)
from valuegraph.runs.plan import Block
from valuegraph.runs.reading import RunStatus, read_answers, status_of
from valuegraph.runs.store import (
    MANIFEST,
    block_file,
    refuse_other_content,
    remove_leftovers,
    write_file,
)


def merge_runs(folders: Sequence[str | Path], out: str | Path) -> RunStatus:
    """Put the answers of several folders, which answer parts of one run, into one folder.

    The files are copied as they are. Merging into a folder of the same run adds what it lacks; an
    interrupted merge is finished by the same call.

    Parameters
    ----------
    folders
        Folders of the parts, such as the shards of several machines.
    out
        Where the whole goes: a new or empty folder, or one of the same run.

    Returns
    -------
    RunStatus
        How far the whole is; its `missing` names the blocks that no folder has.

    Raises
    ------
    FileNotFoundError
        If a folder holds no run.
    ValueError
        If no folder is given, two folders did not ask the same, two hold different answers to the
        same block, a file is damaged, or `out` holds something else.

    Warns
    -----
    UserWarning
        If the folders were answered on different devices or by different versions, so that their
        answers need not agree in the last digits.
    """
    if not folders:
        raise ValueError("no folders given; name the folders of the shards")
    folders = [Path(folder).expanduser() for folder in folders]
    out = Path(out).expanduser()
    manifests = [read_manifest(folder) for folder in folders]
    for folder, manifest in zip(folders[1:], manifests[1:], strict=True):
        _compare(folders[0], manifests[0], folder, manifest)
    out.mkdir(parents=True, exist_ok=True)
    blocks = manifests[0].blocks
    remove_leftovers(out, [MANIFEST, *(block_file(out, block.number).name for block in blocks)])
    refuse_other_content(out)
    write_manifest(manifests[0], out)
    whole = read_manifest(out)
    _compare(folders[0], manifests[0], out, whole)
    for block in blocks:
        _merge_block([out, *folders], out, whole, block)
    return status_of(out, whole)


def _merge_block(folders: list[Path], out: Path, manifest: Manifest, block: Block) -> None:
    """Copy a block from the first folder that has it, once all that have it are found to agree."""
    paths = [block_file(folder, block.number) for folder in folders]
    having = [folder for folder, path in zip(folders, paths, strict=True) if path.exists()]
    if not having:
        return
    first = block_file(having[0], block.number)
    answers = read_answers(having[0], manifest, block)
    for folder in having[1:]:
        if not answers.equals(read_answers(folder, manifest, block)):
            raise ValueError(
                f"{first} and {block_file(folder, block.number)} answer the same cells "
                "differently; delete the one that should not count"
            )
    if having[0] != out:
        write_file(block_file(out, block.number), first.read_bytes())


def _compare(folder: Path, manifest: Manifest, other_folder: Path, other: Manifest) -> None:
    columns = (f"in {folder}", f"in {other_folder}")
    asked = differences(manifest.asked, other.asked)
    if asked:
        raise ValueError(
            f"{folder} and {other_folder} are no parts of one run:\n"
            f"{difference_table(asked, columns)}\nMerge only folders that asked the same."
        )
    computed = [
        *differences(manifest.computed, other.computed),
        *differences(manifest.versions, other.versions),
    ]
    if computed:
        warnings.warn(
            f"{folder} and {other_folder} were not answered alike, so that their answers need not "
            f"agree in the last digits:\n{difference_table(computed, columns)}",
            stacklevel=3,
        )
