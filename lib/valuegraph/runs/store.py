"""Files of answers: each written whole or not at all, and the same bytes for the same answers."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_DIGEST = b"valuegraph.sha256"

#: File with the settings of a run.
MANIFEST = "manifest.json"

# How often a file is written anew when another process takes its temporary file for a leftover.
_ATTEMPTS = 5


def block_file(folder: Path, number: int) -> Path:
    """Return where the answers of a block stand, ``answers-000012.parquet``."""
    return folder / f"answers-{number:06d}.parquet"


def write_block(answers: pd.DataFrame, folder: Path, number: int, *, run: str) -> None:
    """Write the answers of a block; a process killed at any moment leaves no part of the file.

    Parameters
    ----------
    answers
        What `elicit` returned.
    folder
        Folder of the run.
    number
        Of the block.
    run
        Fingerprint of what the run asks; the file carries it.
    """
    write_file(block_file(folder, number), _to_parquet(answers, _label(number, run)))


def read_block(path: Path, number: int, *, run: str, rows: int) -> pd.DataFrame:
    """Read the answers of a block, refusing a file that is damaged or another's.

    Parameters
    ----------
    path
        The file.
    number, run
        Of block and run, as `write_block` was told.
    rows
        How many answers it should hold.

    Returns
    -------
    pandas.DataFrame
        The answers, as `elicit` returned them.

    Raises
    ------
    ValueError
        If the file cannot be read or was changed, belongs to another run or block, or holds another
        number of answers.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Without partitioning, a folder called "a=b" would become a column.
        table = pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(_damaged(path, str(error).splitlines()[0])) from error
    label = table.schema.metadata or {}
    if any(label.get(key) != value for key, value in _label(number, run).items()):
        raise ValueError(
            f"{path} holds answers of another run or block; move it out of the folder, and the "
            "next start answers the cells that belong here"
        )
    if table.num_rows != rows:
        raise ValueError(_damaged(path, f"it holds {table.num_rows} answers instead of {rows}"))
    try:
        answers = _to_frame(table)
        intact = label.get(_DIGEST) == _digest(answers)
    except (pa.ArrowException, TypeError, ValueError):  # not even text any more
        intact = False
    if not intact:
        raise ValueError(_damaged(path, "its content was changed"))
    return answers


def refuse_other_content(folder: Path) -> None:
    """Refuse to begin a run in a folder that has no manifest, but other files.

    Raises
    ------
    NotADirectoryError
        If it is no folder.
    ValueError
        If it holds files but no manifest.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; name a folder for the run")
    if not folder.exists() or (folder / MANIFEST).exists():
        return
    others = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if others:
        raise ValueError(
            f"{folder} holds {others[0]!r}{' and more' if len(others) > 1 else ''}, but no run "
            f"({MANIFEST} is missing); name a new or an empty folder"
        )


def remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Remove what killed processes left of some files, by the names that the files would have."""
    wanted = set(names)
    for path in folder.glob(".*.tmp"):
        if path.name[1:].rsplit(".", 2)[0] in wanted:
            path.unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; one that is there is replaced."""
    _write(path, content, os.replace)


def write_new_file(path: Path, content: bytes) -> bool:
    """Write a file whole or not at all; one that is there is kept.

    Returns
    -------
    bool
        Whether the file was written.
    """
    try:
        _write(path, content, _link)
    except FileExistsError:
        return False
    return True


def _write(path: Path, content: bytes, settle: Callable[[Path, Path], None]) -> None:
    """Write a temporary file in the same folder, so that giving it its name is one step."""
    for attempt in range(1, _ATTEMPTS + 1):
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                # Else a computer that loses power may know the name, but not the content.
                os.fsync(file.fileno())
            settle(temporary, path)
            return
        except FileNotFoundError:
            # A process that starts in this moment takes the temporary file for a leftover.
            if attempt == _ATTEMPTS or not path.parent.is_dir():
                raise
        finally:
            temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> None:
    """Give a file its name unless the name is taken."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links, such as a mounted drive: all but as good.
        if path.exists():
            raise FileExistsError(str(path)) from None
        os.replace(temporary, path)


def _damaged(path: Path, reason: str) -> str:
    return f"{path} is damaged ({reason}); delete it, and the next start answers its cells again"


def _label(number: int, run: str) -> dict[bytes, bytes]:
    return {b"valuegraph.run": run.encode(), b"valuegraph.block": str(number).encode()}


def _digest(answers: pd.DataFrame) -> bytes:
    """Hash a table's content; Parquet's own checksums do not cover everything."""
    digest = hashlib.sha256()
    for name in answers.columns:
        values = answers[name].to_numpy()
        digest.update(f"\0{name}\0{values.dtype.kind}\0".encode())
        digest.update("\0".join(values).encode() if values.dtype == object else values.tobytes())
    return digest.hexdigest().encode()


def _to_parquet(answers: pd.DataFrame, label: dict[bytes, bytes]) -> bytes:
    """Write a table of answers as Parquet, with nothing in it that changes from day to day."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields, columns = [], []
    for name in answers.columns:
        column = pa.array(answers[name].to_numpy())
        # Names repeat in every row, generated texts hardly ever do.
        if pa.types.is_string(column.type) and name != "text":
            column = column.dictionary_encode()
        fields.append(pa.field(name, column.type))
        columns.append(column)
    schema = pa.schema(fields, metadata={**label, _DIGEST: _digest(answers)})
    table = pa.Table.from_arrays(columns, schema=schema)
    buffer = BytesIO()
    pq.write_table(
        table,
        buffer,
        row_group_size=max(1, table.num_rows),
        version="2.6",
        compression="zstd",
        compression_level=3,
        use_dictionary=[field.name for field in fields if pa.types.is_dictionary(field.type)],
        write_statistics=True,
        store_schema=True,
    )
    return buffer.getvalue()


def _to_frame(table: pa.Table) -> pd.DataFrame:
    """Make a frame of a table, with plain columns of text."""
    import pyarrow as pa

    plain = [
        pa.field(field.name, field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(plain)).to_pandas()
