"""Questionnaires: which values are measured, and with which yes/no questions.

Each question is keyed +1 (yes speaks for its value) or -1 (yes speaks against it). As many of
either kind separate a value from the habit of saying yes.
"""

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from valuegraph import tables
from valuegraph.downloads import fetch

#: The ten basic values of Schwartz (1992) in circular order: the last is next to the first.
SCHWARTZ_ORDER = ("SE", "CO", "TR", "BE", "UN", "SD", "ST", "HE", "AC", "PO")

_ITEM_COLUMNS = ["item", "value", "key", "text"]
_VALUE_COLUMNS = ["label", "group", "phrase"]
_VALUEBENCH = {"valuebench17": 20, "valuebench": 1}  # name -> rows that a value must have
_WORD = re.compile(r"\b(?!(?:of|to|for|and|with|the|in|or)\b)[^\W\d_]+")


def fingerprint(content: Any) -> str:
    """Return the first 16 hex digits of the SHA-256 of something that JSON can write."""
    text = json.dumps(content, sort_keys=True, default=int)  # NumPy's whole numbers, too
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False, repr=False)
class Inventory:
    """A questionnaire: values and the yes/no questions that measure them.

    Attributes
    ----------
    name : str
        What the inventory is called in tables and file names.
    items : pandas.DataFrame
        One row per question: ``item`` (unique id such as ``"SD3"``), ``value`` (code of the value
        it measures), ``key`` (+1: yes speaks for the value, -1: against it), ``text``.
    values : pandas.DataFrame
        One row per value, indexed by its code, in the order of scores and graphs: ``label``
        (``"Self-Direction"``), ``group`` (of higher order), ``phrase`` (what fits after "You care a
        lot about ...").
    """

    name: str
    items: pd.DataFrame
    values: pd.DataFrame

    def __post_init__(self) -> None:
        items = self.items.reset_index(drop=True).copy()
        values = self.values.rename_axis("value").copy()
        vars(self).update(items=items, values=values)
        where = f"inventory {self.name!r}"
        tables.require_columns(items, _ITEM_COLUMNS, f"{where}, items,")
        tables.require_columns(values, _VALUE_COLUMNS, f"{where}, values,")
        tables.require_text(items[["item", "text"]], f"{where}, items")
        tables.require_text(values.reset_index()[["value", *_VALUE_COLUMNS]], f"{where}, values")
        for column in (items["item"], items["text"], values.index.to_series()):
            tables.require_unique(column, f"{where}: {column.name}")
        for item, value, key in items[["item", "value", "key"]].itertuples(index=False):
            if value not in values.index or key not in (1, -1):
                has = f"item {item!r} has value {value!r} and key {key!r}"
                raise ValueError(f"{where}: {has}; known are 1 and -1, {', '.join(self.codes)}.")
        if without := [code for code in self.codes if code not in set(items["value"])]:
            raise ValueError(f"{where}: no item measures {', '.join(without)}; add some.")
        items["key"] = items["key"].astype(int)

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the values, in the order of the table `values`."""
        return tuple(self.values.index)

    @property
    def fingerprint(self) -> str:
        """Of all values and items, in their order."""
        values = self.values.reset_index()[["value", *_VALUE_COLUMNS]]
        rows = [table.to_numpy(object).tolist() for table in (values, self.items[_ITEM_COLUMNS])]
        return fingerprint(rows)

    def __repr__(self) -> str:
        keys = self.items["key"].value_counts()
        n = f"{len(self.values)} values, {len(self.items)} items"
        return f"Inventory({self.name!r}: {n}, {keys.get(1, 0)} keyed +1, {keys.get(-1, 0)} -1)"


def load_inventory(name: str = "schwartz10") -> Inventory:
    """Load an inventory by name.

    Parameters
    ----------
    name : str
        ``"schwartz10"``: Schwartz's ten values, 80 items, 4 keyed each way, part of the package.
        ``"valuebench17"``: the 17 values of ValueBench (Ren et al., 2024) that Kang et al. (2025)
        measure, 354 items; ``"valuebench"``: 212 of its values, 1470 items. Both are downloaded,
        and their keys are not balanced.
    """
    if name == "schwartz10":
        values = tables.read_packaged_table("schwartz10_values.csv").set_index("code")
        return Inventory(name, tables.read_packaged_table("schwartz10_items.csv"), values)
    tables.require_known(name, ("schwartz10", *_VALUEBENCH), "inventory")
    return _valuebench(name, min_rows=_VALUEBENCH[name])


def read_inventory(path: str | Path) -> Inventory:
    """Read an inventory of your own from a CSV file in UTF-8, one question a row.

    Parameters
    ----------
    path : str or Path
        Columns ``item`` (unique id), ``value`` (code), ``key`` (1 or -1) and ``text``; optional
        ``label``, ``group`` and ``phrase`` of the value, in at least one of its rows. Without them
        the label is the code, the phrase is the label in lower case, and the group is the name of
        the inventory, which is that of the file.
    """
    table = tables.read_own_table(path, _ITEM_COLUMNS, _VALUE_COLUMNS)
    name, described = Path(path).stem, table.columns.intersection(_VALUE_COLUMNS)
    of_value = table[["value", *described]].where(table != "").groupby("value", sort=False)
    if of_value.size().min() < 2:
        single = of_value.size().idxmin()
        raise ValueError(f"inventory {name!r}: value {single!r} has one item; a score needs two.")
    different = of_value[list(described)].nunique() != 1
    if different.any(axis=None):
        code, column = different.stack().idxmax()
        raise ValueError(f"inventory {name!r}: {column} of {code!r} is missing or differs by row.")
    values = of_value.first().reindex(columns=_VALUE_COLUMNS).astype(object)
    values["label"] = values["label"].fillna(values.index.to_series())
    values = values.fillna({"group": name, "phrase": values["label"].str.lower()})
    keys = pd.to_numeric(table["key"], errors="coerce")
    return Inventory(name, table.assign(key=keys)[_ITEM_COLUMNS], values)


def split_items(inventory: Inventory, *, share: float, seed: int) -> tuple[Inventory, Inventory]:
    """Divide the items at random into two inventories of the same values: to learn and to judge.

    Parameters
    ----------
    inventory : Inventory
        What to divide.
    share : float
        Share of each value's items in the first part, between 0 and 1; items of either key are
        divided in that proportion too, as far as whole numbers allow.
    seed : int
        Same seed, same parts.

    Returns
    -------
    learn, judge : Inventory
        Values and items in their former order.
    """
    tables.require_between(share, 0, 1, "share")
    items, rng = inventory.items, tables.generator(seed)
    if items["value"].value_counts().min() < 2:
        single = items["value"].value_counts().idxmin()
        raise ValueError(f"value {single!r} has one item, which cannot stand in both parts.")
    first = np.zeros(len(items), dtype=bool)
    for code in inventory.codes:
        by_key = [np.flatnonzero((items["value"] == code) & (items["key"] == k)) for k in (1, -1)]
        for rows, n in zip(by_key, _shared_out(by_key, share, rng), strict=True):
            first[rng.permutation(rows)[:n]] = True
    parts = {f"{inventory.name}-learn": items[first], f"{inventory.name}-judge": items[~first]}
    return tuple(Inventory(name, rows, inventory.values) for name, rows in parts.items())


def _shared_out(by_key: list[np.ndarray], share: float, rng: np.random.Generator) -> list[int]:
    """Say how many items of each key the first part gets: nearest to its share, none left out."""
    size = np.array([len(rows) for rows in by_key])
    least, most = np.minimum(size // 2, 1), np.where(size > 1, size - 1, size)
    bounds = max(1, least.sum()), min(size.sum() - 1, most.sum())
    total = np.clip(int(share * size.sum() + 0.5), *bounds)
    positive = np.arange(max(least[0], total - most[1]), min(most[0], total - least[1]) + 1)
    off = abs(positive - share * size[0]) + abs(total - positive - share * size[1])
    best = positive[off < off.min() + 1e-9]
    n = best[-1 if rng.permutation(2)[0] == 0 else 0]  # chance settles what is equally near
    return [n, total - n]


def _valuebench(name: str, *, min_rows: int) -> Inventory:
    """Prepare ValueBench: capitals do not matter, a question of two values is left out."""
    rows = pd.read_csv(fetch("value_orientation.csv"), keep_default_na=False, encoding="utf-8")
    lower = rows["value"].str.lower()
    items = pd.DataFrame({"value": lower.map(_codes(lower.unique())), "key": rows["agreement"]})
    items["item"] = items["value"] + (items.index + 2).astype(str)  # rows count from the header
    items["label"] = rows.groupby(lower)["value"].transform("first")
    items["text"], items["group"] = rows["question"].str.strip(), rows["questionnaire"]
    items["question"] = rows["question"].str.strip().str.lower()
    items = items[items.groupby("value")["item"].transform("size") >= min_rows]
    items = items.drop_duplicates(["value", "question"]).drop_duplicates("question", keep=False)
    items = items[items.groupby("value")["item"].transform("size") >= 2]
    items = items.sort_values("label", key=lambda label: label.str.lower(), kind="stable")
    by_value = items.groupby("value", sort=False)[["label", "group"]]
    values = by_value.agg(lambda texts: ", ".join(texts.unique()))
    return Inventory(name, items, values.assign(phrase=values["label"].str.lower()))


def _codes(names: list[str]) -> dict[str, str]:
    """Abbreviate names by three letters of each word, or as many as tell them apart."""
    words = {name: _WORD.findall(name) for name in names}
    codes: dict[str, str] = {}
    for length in (3, 4, None):
        short = {n: "".join(w[:length].capitalize() for w in words[n]) for n in names}
        often = Counter([*short.values(), *codes.values()])
        codes |= {n: code for n, code in short.items() if n not in codes and often[code] == 1}
    return codes
