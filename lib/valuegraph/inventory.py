"""Questionnaires: which values are measured, and with which yes/no questions.

An inventory is two tables. ``values`` names what is measured; ``items`` holds the questions, each
of which belongs to one value and is keyed +1 (yes speaks for the value) or -1 (yes speaks against
it). Balanced keying is what separates a value from the habit of saying yes, so
:attr:`Inventory.keying` shows it at a glance.

The inventory that comes with the package, ``"schwartz10"``, asks 8 questions of our own for each of
the ten basic values of Schwartz (1992), 4 keyed each way.

References
----------
Schwartz, S. H. (1992). Universals in the content and structure of values: Theoretical advances and
empirical tests in 20 countries. Advances in Experimental Social Psychology, 25, 1-65.
"""

from dataclasses import dataclass

import pandas as pd

from valuegraph.tables import (
    read_packaged_table,
    require_columns,
    require_text,
    require_unique,
)

#: The ten basic values in the circular order of Schwartz (1992); on the circle the last is next to
#: the first.
SCHWARTZ_ORDER = ("SE", "CO", "TR", "BE", "UN", "SD", "ST", "HE", "AC", "PO")

ITEM_COLUMNS = ("item", "value", "key", "text")
VALUE_COLUMNS = ("label", "group", "phrase")

# name -> (table of values, table of items), files in the package's data folder
_INVENTORIES = {"schwartz10": ("schwartz10_values.csv", "schwartz10_items.csv")}


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

    def __repr__(self) -> str:
        """Tell the size and the keying in one line."""
        positive = int((self.items["key"] == 1).sum())
        return (
            f"Inventory({self.name!r}: {len(self.values)} values, {len(self.items)} items, "
            f"{positive} keyed +1 and {len(self.items) - positive} keyed -1)"
        )


def load_inventory(name: str = "schwartz10") -> Inventory:
    """Load an inventory that comes with the package.

    Parameters
    ----------
    name : str
        ``"schwartz10"``: Schwartz's ten basic values in circular order (:data:`SCHWARTZ_ORDER`), 80
        items.

    Returns
    -------
    Inventory
        A fresh copy; questionnaires of your own are made with :class:`Inventory` directly.

    Raises
    ------
    ValueError
        If no inventory of that name comes with the package.
    """
    if name not in _INVENTORIES:
        raise ValueError(
            f"no inventory is called {name!r}; known are {', '.join(map(repr, _INVENTORIES))}. "
            "Make your own with Inventory(name, items, values)."
        )
    values_file, items_file = _INVENTORIES[name]
    return Inventory(
        name=name,
        items=read_packaged_table(items_file),
        values=read_packaged_table(values_file).set_index("code"),
    )
