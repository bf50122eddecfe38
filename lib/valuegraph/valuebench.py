"""The questionnaires of ValueBench, as tables of values and items.

ValueBench (Ren et al., 2024) turned the statements of 36 published questionnaires into yes/no
questions, each filed under a value with a key. Its file is fetched from its public address (see
:mod:`valuegraph.datasets`); no sentence of it comes with this package.

:func:`valuebench_tables` prepares the file by these rules.

* Names of values that differ only in capitals are one value; its label is the first spelling. Two
  values are concerned: 224 names, 222 values.
* A question that stands more than once under the same value is asked once. Its keys never differ.
* A question that stands under several of the values asked for is left out of all of them: scored
  twice, one answer would make two values correlate by construction, and where the keys contradict
  each other, oppose them. Upper and lower case count as the same.
* Values that are left with fewer than two items are left out.

What that does is counted in :func:`valuebench_tables`.

References
----------
Ren, Y., Ye, H., Fang, H., Zhang, X., & Song, G. (2024). ValueBench: Towards comprehensively
evaluating value orientations and understanding of large language models. ACL 2024.
"""

import re
from collections.abc import Iterable

import pandas as pd

from valuegraph.datasets import fetch
from valuegraph.tables import require_columns

FILE = "value_orientation.csv"
"""Name of the file of ValueBench in :data:`valuegraph.datasets.FILES`."""

PAPER_ROWS = 20
"""Kang et al. (2025) ask the values with at least this many rows in the file: 17 values."""

COLUMNS = ("questionnaire", "item", "value", "agreement", "question")

# Words that do not count in a code.
_SMALL_WORDS = {"of", "to", "for", "and", "with", "the", "in", "or"}


def valuebench_tables(*, min_rows: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fetch ValueBench and prepare its tables.

    Parameters
    ----------
    min_rows : int
        Only values with at least this many rows in the file; :data:`PAPER_ROWS` gives the 17 values
        of Kang et al. (2025), 1 all of them.

    Returns
    -------
    items : pandas.DataFrame
        Columns ``item`` (code of the value and number of the row in the file, the header being row
        1), ``value``, ``key``, ``text`` and ``questionnaire``, by value and row.
    values : pandas.DataFrame
        Index: codes (see :func:`value_codes`), in the alphabetical order of the labels. Columns
        ``label`` (name in ValueBench), ``group`` (questionnaires it comes from) and ``phrase``
        (label in lower case).

    Raises
    ------
    valuegraph.datasets.DataUnavailable, valuegraph.datasets.WrongHash
        If the file cannot be had.

    Notes
    -----
    All values: of 1988 rows, 18 go because their question stands under the same value already. 215
    questions (495 rows) stand under two to four values and go, 76 of them with keys that contradict
    each other. 5 values are left without an item and 5 with a single one: 1470 items of 212 values
    stay, 2 to 28 a value.

    The 17 of the paper (``min_rows=20``): of 366 rows, 4 go because their question stands under the
    same value already. 4 questions (8 rows) stand under two values, with the same key, and go: 354
    items stay, 14 (Breadth of Interest) to 28 (Positive coping) a value. 8 of the 17 values are
    keyed positively only, before and after.
    """
    return tables_of(
        pd.read_csv(fetch(FILE), keep_default_na=False, encoding="utf-8"), min_rows=min_rows
    )


def tables_of(rows: pd.DataFrame, *, min_rows: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Prepare the tables of a file like that of ValueBench.

    Parameters
    ----------
    rows : pandas.DataFrame
        The file; columns ``questionnaire``, ``value``, ``agreement`` (+1 or -1) and ``question``
        are used.
    min_rows : int
        As in :func:`valuebench_tables`.

    Returns
    -------
    items, values : pandas.DataFrame
        As from :func:`valuebench_tables`.

    Raises
    ------
    ValueError
        If a column is missing or no value has enough rows.
    """
    require_columns(rows, COLUMNS, "ValueBench")
    rows = rows.reset_index(drop=True)
    names = rows["value"].str.lower()
    codes = names.map(value_codes(names.unique()))
    labels = rows["value"].groupby(codes).first()
    asked = codes.map(codes.value_counts()) >= min_rows
    table = pd.DataFrame(
        {
            "item": [f"{code}{i + 2}" for i, code in enumerate(codes)],
            "value": codes,
            "key": rows["agreement"],
            "text": rows["question"].str.strip(),
            "questionnaire": rows["questionnaire"],
        }
    )[asked]
    question = table["text"].str.lower()
    table = table[~pd.DataFrame({"q": question, "v": table["value"]}).duplicated()]
    table = table[~question[table.index].duplicated(keep=False)]
    table = table[table["value"].map(table["value"].value_counts()) >= 2]
    if table.empty:
        raise ValueError(
            f"no value of ValueBench has {min_rows} rows and 2 items of its own; ask for fewer."
        )
    kept = labels[labels.index.isin(table["value"])]
    kept = kept.iloc[kept.str.lower().argsort(kind="stable")]
    groups = table.groupby("value")["questionnaire"].agg(lambda q: ", ".join(q.unique()))
    values = pd.DataFrame(
        {"label": kept, "group": groups[kept.index], "phrase": kept.str.lower()}, index=kept.index
    ).rename_axis("value")
    place = table["value"].map({code: i for i, code in enumerate(values.index)})
    items = table.iloc[place.argsort(kind="stable")].reset_index(drop=True)
    return items, values


def value_codes(names: Iterable[str]) -> dict[str, str]:
    """Abbreviate names of values so that no two become the same.

    A code has the first three letters of each word, small words such as "of" left out: "Breadth of
    Interest" is ``BreInt``. Where two names would have the same code, both take four letters, and
    where that does not help, their whole words (``Religious``, ``Religiosity``).

    Parameters
    ----------
    names : iterable of str
        All names; a code depends on what it must be told apart from.

    Returns
    -------
    dict of str to str
        Code of each name.

    Raises
    ------
    ValueError
        If two names are the same but for small words and punctuation.
    """
    words = {
        name: [w for w in re.findall(r"[^\W\d_]+", name) if w.lower() not in _SMALL_WORDS]
        for name in names
    }
    codes: dict[str, str] = {}
    for length in (3, 4, None):
        tried = {
            name: "".join(word[:length].capitalize() for word in told)
            for name, told in words.items()
        }
        counts = pd.Series(tried, dtype=str).str.lower().value_counts()
        taken = {code.lower() for code in codes.values()}
        for name, code in tried.items():
            if name not in codes and counts[code.lower()] == 1 and code.lower() not in taken:
                codes[name] = code
    alike = [name for name in words if name not in codes]
    if alike:
        raise ValueError(f"values {', '.join(map(repr, alike))} are too much alike for two codes.")
    return codes
