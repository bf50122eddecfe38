"""Reading the tables that come with the package, and refusing tables that are not in order."""

from importlib import resources

import pandas as pd


def read_packaged_table(filename: str) -> pd.DataFrame:
    """Read a csv file from the package's data folder; empty cells are empty strings, not NaN.

    Parameters
    ----------
    filename : str
        Name of a file in ``valuegraph/data``.

    Returns
    -------
    pandas.DataFrame
        The table as it stands in the file.
    """
    path = resources.files("valuegraph").joinpath("data", filename)
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file, keep_default_na=False)


def require_columns(table: pd.DataFrame, columns: tuple[str, ...], where: str) -> None:
    """Refuse a table that is empty or lacks a column.

    Parameters
    ----------
    table : pandas.DataFrame
        The table to check.
    columns : tuple of str
        Columns that must be there; others are allowed.
    where : str
        What the table is, for the message.

    Raises
    ------
    ValueError
        If a column is missing or there is no row.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(
            f"{where}: column {', '.join(missing)} is missing; needed are {', '.join(columns)}, "
            f"found {', '.join(map(str, table.columns)) or 'none'}."
        )
    if table.empty:
        raise ValueError(f"{where}: the table is empty; give at least one row.")


def require_text(column: pd.Series, what: str, *, ids: pd.Series | None = None) -> None:
    """Refuse entries that are missing, blank or no strings.

    Parameters
    ----------
    column : pandas.Series
        The entries to check.
    what : str
        What an entry is, for the message.
    ids : pandas.Series, optional
        Name of each entry, same length as `column`; positions are told without it.

    Raises
    ------
    ValueError
        At the first such entry.
    """
    names = range(len(column)) if ids is None else ids
    for name, entry in zip(names, column, strict=True):
        if not isinstance(entry, str) or not entry.strip():
            place = f"in row {name}" if ids is None else repr(name)
            raise ValueError(f"{what} {place} is {entry!r}; write a text or drop the row.")


def require_unique(column: pd.Series, what: str) -> None:
    """Refuse a column of strings in which an entry appears twice.

    Parameters
    ----------
    column : pandas.Series
        The entries to check; upper and lower case count as the same.
    what : str
        What an entry is, for the message.

    Raises
    ------
    ValueError
        At the first repeated entry.
    """
    repeated = column[column.str.strip().str.lower().duplicated()]
    if len(repeated):
        raise ValueError(f"{what} {repeated.iloc[0]!r} appears twice; each must be unique.")
