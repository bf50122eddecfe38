"""Reading tables that users write themselves, such as a questionnaire or a list of roles.

A spreadsheet saved as CSV is what they mostly are, so rows are numbered as spreadsheets number
them: the header is row 1.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pandas as pd


def read_own_table(
    path: str | Path, *, columns: Sequence[str], optional: Sequence[str] = (), what: str
) -> pd.DataFrame:
    """Read a CSV file of a user's own: commas, UTF-8, names of the columns in the first row.

    Parameters
    ----------
    path : str or Path
        The file.
    columns : sequence of str
        Columns that must be there.
    optional : sequence of str
        Columns that may be there.
    what : str
        What the file is, for the messages.

    Returns
    -------
    pandas.DataFrame
        Strings without surrounding spaces, in the order of the file. Index: number of the row, the
        header being row 1. Empty rows are left out; cells of `optional` columns may be empty.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no UTF-8 or no CSV, a column is missing, unknown or named twice, there is no
        row, a row has too few or too many cells, or a cell of `columns` is empty.
    """
    path = Path(path).expanduser()
    where = f"{what} {str(path)!r}"
    if not path.is_file():
        raise FileNotFoundError(f"{where}: there is no such file; give the path of a CSV file.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file, strict=True)]
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{where} is not encoded in UTF-8 (byte {error.start}); save it as CSV UTF-8."
        ) from error
    except csv.Error as error:
        raise ValueError(
            f"{where} is no CSV file ({error}); quotes around a cell must be closed, and quotes "
            "inside it doubled."
        ) from error
    header = rows[0] if rows else []
    _check_header(header, columns, optional, where)
    numbers = [number for number, row in enumerate(rows, start=1) if number > 1 and any(row)]
    if not numbers:
        raise ValueError(f"{where} has no rows below the names of the columns; give at least one.")
    for number in numbers:
        row = rows[number - 1]
        if len(row) != len(header):
            raise ValueError(
                f"{where}, row {number}: {len(row)} cells, but {len(header)} columns; a text that "
                'holds a comma must stand in "quotes".'
            )
        empty = [name for name, cell in zip(header, row, strict=True) if not cell]
        needed = [name for name in empty if name in columns]
        if needed:
            raise ValueError(
                f"{where}, row {number}: {', '.join(needed)} is empty; fill the cell or delete "
                "the row."
            )
    cells = [rows[number - 1] for number in numbers]
    return pd.DataFrame(cells, columns=header, index=pd.Index(numbers, name="row"), dtype=str)


def _check_header(
    header: Sequence[str], columns: Sequence[str], optional: Sequence[str], where: str
) -> None:
    """Refuse columns that are missing, unknown or named twice."""
    known = f"needed are {', '.join(columns)}"
    if optional:
        known += f", allowed are {', '.join(optional)}"
    found = ", ".join(map(repr, header)) or "none"
    for fault, names in (
        ("is missing", [name for name in columns if name not in header]),
        ("is unknown", [name for name in header if name not in {*columns, *optional}]),
        ("appears twice", [name for name in columns if list(header).count(name) > 1]),
        ("appears twice", [name for name in optional if list(header).count(name) > 1]),
    ):
        if names:
            told = ", ".join(repr(name) for name in names)
            raise ValueError(
                f"{where}: column {told} {fault}; {known}, found {found}. Columns are separated by "
                "commas and named in the first row."
            )
