"""Reading tables of the package and of users, and refusing what is not sound."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd


@contextmanager
def refusing(fault: str) -> Iterator[None]:
    """Refuse by one line, which begins with the fault, whatever a reader of files stumbles over.

    What the machine is to blame for, such as a disk or its memory, passes as it is.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (MemoryError, ImportError)) or getattr(error, "errno", None):
            raise
        told = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(f"{fault}: {' '.join(told.split())[:300]}") from error


def require_file(path: str | Path, way: str = "name a file") -> None:
    """Refuse folders, and devices and pipes, which may never end; what is not there passes."""
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError(f"{str(path)!r} is a folder, a device or a pipe; {way}")


def read_packaged_table(filename: str) -> pd.DataFrame:
    """Read a csv file from ``valuegraph/data``; empty cells are empty strings, not NaN."""
    return pd.read_csv(Path(__file__).parent / "data" / filename, keep_default_na=False)


def read_own_table(path: str | Path, columns: list[str], optional: list[str] = ()) -> pd.DataFrame:
    """Read a user's CSV file: commas, UTF-8, names of the columns in the first row.

    Parameters
    ----------
    path : str or Path
        The file.
    columns, optional : list of str
        Columns that must be there, with text in every row, and columns that may be there.

    Returns
    -------
    pandas.DataFrame
        Stripped strings. The index counts rows as spreadsheets do: the header is row 1. Empty rows
        are left out.
    """
    table = read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    if not isinstance(table.index, pd.RangeIndex):
        raise ValueError(f'{str(path)!r}: rows hold more cells than columns; "quote" commas.')
    if unknown := [name for name in table if name not in (*columns, *optional)]:
        raise ValueError(f"{str(path)!r}: unknown column {unknown[0]!r}; drop or rename it.")
    table = table.apply(lambda column: column.str.strip()).set_axis(range(2, len(table) + 2))
    table = table[(table != "").any(axis=1)]
    require_columns(table, columns, repr(str(path)))
    require_text(table[list(columns)], repr(str(path)))
    return table


def read_csv(path: str | Path, **options) -> pd.DataFrame:
    """Read a CSV file of this machine; `options` are those of `pandas.read_csv`."""
    require_file(path)
    with refusing(f"{str(path)!r} is not a CSV file in UTF-8"):
        return pd.read_csv(Path(path), **options)


def require_columns(table: pd.DataFrame, columns: list[str], where: str) -> None:
    """Refuse a table that lacks a column or has no rows."""
    missing = [column for column in columns if column not in table]
    if missing or table.empty:
        lack = f"the columns {', '.join(missing)}" if missing else "rows"
        raise ValueError(f"{where} lacks {lack}; it needs {', '.join(columns)}.")


def require_text(table: pd.DataFrame, where: str) -> None:
    """Refuse cells that are blank or no strings."""
    blank = ~table.map(lambda cell: isinstance(cell, str) and cell.strip() != "")
    if blank.any(axis=None):
        row, column = blank.stack().idxmax()
        raise ValueError(f"{where}, row {row!r}: {column} is empty or no text; write one.")


def require_unique(column: pd.Series, what: str) -> None:
    """Refuse a column of strings in which an entry stands twice, whatever its capitals."""
    if len(repeated := column[column.str.strip().str.lower().duplicated()]):
        raise ValueError(f"{what} {repeated.iloc[0]!r} stands twice; each must be unique.")


def doubts(table: pd.DataFrame) -> list[str]:
    """Tell which numbers of a table are hardly measurements: counters, codes of missing answers."""
    found, codes = [], Counter()
    for name, column in table.items():
        entries, counts = np.unique(column, return_counts=True)
        steps = np.diff(entries)
        if not name or name.startswith("Unnamed:"):
            found.append(f"column {name!r} has no name")
        elif len(column) == len(entries) > 9 and np.ptp(steps) == 0:
            found.append(f"column {name!r} counts the rows")
        # What lies farther from all else than all else is wide.
        cut = 1 + steps.argmax()
        few, many = sorted((slice(cut), slice(cut, None)), key=lambda side: counts[side].sum())
        if len(entries[many]) > 2 and steps.max() > np.ptp(entries[many]):
            codes.update(dict(zip(entries[few].tolist(), counts[few].tolist(), strict=True)))
    if repeated := ", ".join(f"{code:g} ({n} times)" for code, n in codes.items() if n > 1):
        found.append(f"{repeated} lies far from all else, like a code of missing answers")
    return found


def require(met: object, fault: str) -> None:
    """Refuse by a line what does not meet a condition."""
    if not met:
        raise ValueError(fault)


def require_known(word: str, known: Iterable[str], what: str) -> None:
    """Refuse a word that is none of those known."""
    if not isinstance(word, str) or word not in known:
        raise ValueError(f"unknown {what} {word!r}; known are {', '.join(known)}")


def require_whole(number: int, least: int, what: str, most: float = np.inf) -> None:
    """Refuse what is not a whole number from `least` to `most`."""
    whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    if not whole or not least <= number <= most:
        limits = f"at least {least}" if most == np.inf else f"{least} to {most:,}"
        raise ValueError(f"{what} is {number!r}; a whole number of {limits} is needed.")


def require_between(number: float, low: float, high: float, what: str) -> None:
    """Refuse what is not a number strictly between two others."""
    if not isinstance(number, (int, float, np.number)) or not low < number < high:
        raise ValueError(f"{what} is {number!r}; a number between {low:g} and {high:g} is needed.")


def generator(seed: int) -> np.random.Generator:
    """Return numpy's generator of a seed, without which no draw could be repeated."""
    require_whole(seed, 0, "seed")
    return np.random.default_rng(seed)
