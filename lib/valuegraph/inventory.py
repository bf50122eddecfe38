"""Questionnaires: which values are measured, and with which yes/no questions.

An inventory is two tables. ``values`` names what is measured; ``items`` holds the questions, each
of which belongs to one value and is keyed +1 (yes speaks for the value) or -1 (yes speaks against
it). Balanced keying is what separates a value from the habit of saying yes, so
:attr:`Inventory.keying` shows it at a glance.

The inventory that comes with the package, ``"schwartz10"``, asks 8 questions of our own for each of
the ten basic values of Schwartz (1992), 4 keyed each way. :func:`load_inventory` also fetches those
of ValueBench, and :func:`read_inventory` reads your own from a file.

References
----------
Schwartz, S. H. (1992). Universals in the content and structure of values: Theoretical advances and
empirical tests in 20 countries. Advances in Experimental Social Psychology, 25, 1-65.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from valuegraph.splitting import split_items
from valuegraph.tables import (
    read_packaged_table,
    require_columns,
    require_text,
    require_unique,
)
from valuegraph.usertables import read_own_table
from valuegraph.valuebench import PAPER_ROWS, valuebench_tables

__all__ = [
    "ITEM_COLUMNS",
    "SCHWARTZ_ORDER",
    "VALUE_COLUMNS",
    "Inventory",
    "load_inventory",
    "read_inventory",
    "split_items",
]

#: The ten basic values in the circular order of Schwartz (1992); on the circle the last is next to
#: the first.
SCHWARTZ_ORDER = ("SE", "CO", "TR", "BE", "UN", "SD", "ST", "HE", "AC", "PO")

ITEM_COLUMNS = ("item", "value", "key", "text")
VALUE_COLUMNS = ("label", "group", "phrase")

# name -> (table of values, table of items), files in the package's data folder
_PACKAGED = {"schwartz10": ("schwartz10_values.csv", "schwartz10_items.csv")}

# name -> number of rows that a value must have in the file of ValueBench
_VALUEBENCH = {"valuebench17": PAPER_ROWS, "valuebench": 1}


@dataclass(frozen=True, eq=False, repr=False)
class Inventory:
    """A questionnaire: values and the yes/no questions that measure them.

    Attributes
    ----------
    name : str
        What the inventory is called in tables and file names.
    items : pandas.DataFrame
        One row per question. Columns: ``item`` (unique id such as ``"SD3"``), ``value`` (code of
        the value it measures), ``key`` (+1: yes speaks for the value, -1: yes speaks against it),
        ``text`` (the question).
    values : pandas.DataFrame
        One row per value, indexed by its code, in the order in which scores and graphs list them.
        Columns: ``label`` (``"Self-Direction"``), ``group`` (higher-order group), ``phrase`` (what
        fits after "You care a lot about ...").

    Raises
    ------
    ValueError
        If a table is empty or lacks a column, a key is neither +1 nor -1, an id, question or value
        code appears twice, a text is blank, an item names a value that is not in ``values``, or a
        value has no item.
    """

    name: str
    items: pd.DataFrame
    values: pd.DataFrame

    def __post_init__(self) -> None:
        """Copy the tables, so that the originals may change, and validate them."""
        object.__setattr__(self, "items", self.items.reset_index(drop=True).copy())
        object.__setattr__(self, "values", self.values.rename_axis("value").copy())
        where = f"inventory {self.name!r}"
        require_columns(self.items, ITEM_COLUMNS, f"{where}, items")
        require_columns(self.values, VALUE_COLUMNS, f"{where}, values")
        codes = self.values.index.to_series()
        require_text(codes, f"{where}: value code")
        require_unique(codes, f"{where}: value code")
        for column in VALUE_COLUMNS:
            require_text(self.values[column], f"{where}: {column} of value", ids=codes)
        require_text(self.items["item"], f"{where}: item id")
        require_unique(self.items["item"], f"{where}: item id")
        require_text(self.items["text"], f"{where}: text of item", ids=self.items["item"])
        require_unique(self.items["text"], f"{where}: question")
        for item, value, key in zip(
            *(self.items[c] for c in ("item", "value", "key")), strict=True
        ):
            if value not in self.values.index:
                raise ValueError(
                    f"{where}: item {item!r} measures the unknown value {value!r}; "
                    f"known are {', '.join(self.codes)}. Add it to `values` or correct the item."
                )
            if key not in (1, -1):
                raise ValueError(
                    f"{where}: item {item!r} has key {key!r}; use 1 where yes speaks for the "
                    "value, -1 where yes speaks against it."
                )
        unasked = [code for code in self.codes if code not in set(self.items["value"])]
        if unasked:
            raise ValueError(
                f"{where}: no item measures {', '.join(unasked)}; "
                "add items or drop the value from `values`."
            )

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the values, in the order of the table ``values``."""
        return tuple(self.values.index)

    @property
    def keying(self) -> pd.DataFrame:
        """Items per value and direction: index ``value``, columns ``positive`` and ``negative``.

        Where both numbers are equal, agreeing with everything moves the mean of ``key * answer`` by
        nothing.
        """
        signs = self.items.groupby("value")["key"].agg(
            positive=lambda key: int((key == 1).sum()), negative=lambda key: int((key == -1).sum())
        )
        return signs.reindex(self.values.index)

    @property
    def fingerprint(self) -> str:
        """What is asked and measured, hashed: the first 16 hexadecimal digits of a SHA-256.

        It changes with any code, label, group, phrase, id, key or question and with their order,
        not with the name of the inventory, further columns or the numbering of the rows.
        """
        keys = self.items["key"].map(int)
        tables = (
            self.values.reset_index()[["value", *VALUE_COLUMNS]],
            self.items.assign(key=keys)[list(ITEM_COLUMNS)],
        )
        text = json.dumps([table.to_numpy(dtype=object).tolist() for table in tables])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        """Tell the size and the keying in one line."""
        positive = int((self.items["key"] == 1).sum())
        return (
            f"Inventory({self.name!r}: {len(self.values)} values, {len(self.items)} items, "
            f"{positive} keyed +1 and {len(self.items) - positive} keyed -1)"
        )


def load_inventory(name: str = "schwartz10") -> Inventory:
    """Load an inventory by name.

    Parameters
    ----------
    name : str
        ``"schwartz10"``: Schwartz's ten basic values in circular order (:data:`SCHWARTZ_ORDER`), 80
        items, part of the package. ``"valuebench17"``: the 17 values of ValueBench that Kang et al.
        (2025) ask, 354 items; ``"valuebench"``: 212 of its values, 1470 items. ValueBench is
        fetched, and prepared by the rules in :mod:`valuegraph.valuebench`; its keys are not
        balanced (see :attr:`Inventory.keying`).

    Returns
    -------
    Inventory
        A fresh copy; a questionnaire of your own comes from :func:`read_inventory`, or from
        :class:`Inventory` directly.

    Raises
    ------
    ValueError
        If no inventory has that name.
    valuegraph.datasets.DataUnavailable
        If ValueBench is asked for and cannot be had.
    """
    if name in _VALUEBENCH:
        return Inventory(name, *valuebench_tables(min_rows=_VALUEBENCH[name]))
    if name not in _PACKAGED:
        known = ", ".join(map(repr, [*_PACKAGED, *_VALUEBENCH]))
        raise ValueError(
            f"no inventory is called {name!r}; known are {known}. "
            "Make your own with read_inventory(path) or Inventory(name, items, values)."
        )
    values_file, items_file = _PACKAGED[name]
    return Inventory(
        name=name,
        items=read_packaged_table(items_file),
        values=read_packaged_table(values_file).set_index("code"),
    )


def read_inventory(path: str | Path, *, name: str | None = None) -> Inventory:
    """Read an inventory of your own from a CSV file, one question a row.

    Parameters
    ----------
    path : str or Path
        A CSV file in UTF-8. Columns ``item`` (unique id), ``value`` (code of the value), ``key``
        (1: yes speaks for the value, -1: yes speaks against it) and ``text`` (the question).
        Optional: ``label``, ``group`` and ``phrase`` of the value, told in one of its rows at
        least. Where such a column is missing, the label is the code, the phrase is the label in
        lower case, and the group is the name of the inventory.
    name : str, optional
        Name of the inventory; that of the file by default.

    Returns
    -------
    Inventory
        Items in the order of the file, values in the order of their first items.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no CSV in UTF-8, a column is missing or unknown, a cell is empty, a key is
        neither 1 nor -1, an id or question appears twice, a value has a single item, or two rows
        tell different things of a value.
    """
    table = read_own_table(path, columns=ITEM_COLUMNS, optional=VALUE_COLUMNS, what="inventory")
    name = Path(path).stem if name is None else name
    counts = table["value"].value_counts(sort=False)
    single = counts.index[counts < 2]
    if len(single):
        raise ValueError(
            f"inventory {name!r} has one item only on {', '.join(single)}; a score needs two, "
            "so add items or drop the value."
        )
    values = pd.DataFrame(index=table["value"].unique())
    values["label"] = _told(table, "label", name, values.index.to_series())
    values["group"] = _told(table, "group", name, pd.Series(name, values.index))
    values["phrase"] = _told(table, "phrase", name, values["label"].str.lower())
    keys = [_read_key(key, name, row) for row, key in table["key"].items()]
    return Inventory(name, table.assign(key=keys)[list(ITEM_COLUMNS)], values)


def _told(table: pd.DataFrame, column: str, name: str, default: pd.Series) -> pd.Series:
    """Collect what the rows tell of each value; a missing column stands for the default."""
    if column not in table:
        return default
    told = table[table[column] != ""].groupby("value", sort=False)[column].unique()
    for code in default.index:
        found = list(told.get(code, ()))
        if len(found) != 1:
            raise ValueError(
                f"inventory {name!r}: {column} of value {code!r} "
                + (f"is {' and '.join(map(repr, found))}" if found else "is empty in every row")
                + "; tell it once."
            )
    return told.map(lambda found: found[0])[default.index]


def _read_key(text: str, name: str, row: int) -> int:
    """Read a key, which spreadsheets may have written as 1.0 or +1."""
    try:
        key = float(text)
    except ValueError:
        key = 0.0
    if key not in (1, -1):
        raise ValueError(
            f"inventory {name!r}, row {row}: key is {text!r}; use 1 where yes speaks for the "
            "value, -1 where yes speaks against it."
        )
    return int(key)
