"""Answers as arrays of roles by formats by items, for statistics that need every cell.

The order of the rows of a table of answers means nothing. A grid sorts roles, formats and items by
name, so that not even a seeded resample depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.answers import COLUMNS, UNITS
from valuegraph.tables import require_columns


@dataclass(frozen=True, eq=False)
class AnswerGrid:
    """Answers of one model under one intervention, every role to every item in every format.

    Attributes
    ----------
    model
        Who answered.
    roles, formats
        Their names, sorted.
    items
        Index ``item``, sorted within each value; columns ``value`` and ``key``. Values stand in
        their order of appearance.
    log_odds, answer, mass
        Arrays of shape ``(roles, formats, items)``; log-odds and mass are NaN where the table has
        none.
    """

    model: str
    roles: tuple[str, ...]
    formats: tuple[str, ...]
    items: pd.DataFrame
    log_odds: np.ndarray
    answer: np.ndarray
    mass: np.ndarray

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the values, in their order of appearance."""
        return tuple(self.items["value"].unique())

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.items)

    @property
    def keys(self) -> np.ndarray:
        """Key of each item, +1.0 or -1.0, shape ``(items,)``."""
        return self.items["key"].to_numpy(float)

    def places(self, value: str) -> np.ndarray:
        """Return the indices of the items of a value."""
        return np.flatnonzero(self.items["value"] == value)

    def yes(self, by: str) -> np.ndarray:
        """How much each answer says yes, shape ``(roles, formats, items)``.

        Parameters
        ----------
        by
            ``"log_odds"`` or ``"answer"``, as for `valuegraph.answers.score_answers`.
        """
        return self.log_odds if by == "log_odds" else self.answer

    def scores(self, value: str, by: str) -> np.ndarray:
        """Scores of a value in each format, shape ``(roles, formats)``: means of ``key * yes``."""
        here = self.places(value)
        return (self.yes(by)[:, :, here] * self.keys[here]).mean(axis=2)


def answer_grid(answers: pd.DataFrame, *, by: str = "log_odds", least_roles: int = 1) -> AnswerGrid:
    """Arrange answers as arrays.

    Parameters
    ----------
    answers
        Answers of one model under one intervention, with the columns of `valuegraph.answers`.
    by
        What is to be read, ``"log_odds"`` or ``"answer"``; it must not be missing anywhere.
    least_roles
        How many roles are needed.

    Returns
    -------
    AnswerGrid
        The same answers; it does not depend on the order of the rows but for that of the values.

    Raises
    ------
    ValueError
        If a column is missing, there are no answers, too few roles, several models or
        interventions, a cell is missing or there twice, an item has two keys or values, a key is
        neither +1 nor -1, `by` is neither of the two, or it is missing in some answer.
    """
    if by not in UNITS:
        raise ValueError(f"by is {by!r}; answers are read by {' or by '.join(map(repr, UNITS))}")
    require_columns(answers, COLUMNS, "answers")
    model = _the_only(answers, "model")
    _the_only(answers, "intervention")
    items = _items(answers)
    role, roles = pd.factorize(answers["role"].astype(object), sort=True)
    fmt, formats = pd.factorize(answers["format"].astype(object), sort=True)
    item = items.index.get_indexer(answers["item"].astype(object))
    shape = (len(roles), len(formats), len(items))
    if len(roles) < least_roles:
        raise ValueError(
            f"the answers are those of {len(roles)} role(s); this needs at least {least_roles}, "
            "and dozens to say much. Ask more roles"
        )
    cell = np.ravel_multi_index((role, fmt, item), shape)
    _require_every_cell_once(cell, shape, (roles, formats, items.index))
    _require_told(answers, by)
    arrays = {}
    for column in ("log_odds", "answer", "mass"):
        flat = np.empty(np.prod(shape))
        flat[cell] = answers[column].to_numpy(float)
        arrays[column] = flat.reshape(shape)
    return AnswerGrid(model, tuple(roles), tuple(formats), items, **arrays)


def _the_only(answers: pd.DataFrame, column: str) -> str:
    found = list(answers[column].unique())
    if len(found) > 1:
        raise ValueError(
            f"answers of several {column}s ({', '.join(map(str, found))}); take one at a time, "
            f"e.g. answers[answers[{column!r}] == {found[0]!r}]"
        )
    return found[0]


def _items(answers: pd.DataFrame) -> pd.DataFrame:
    """Return value and key of each item, indexed by its name."""
    items = answers[["value", "item", "key"]].drop_duplicates().astype({"item": object})
    twice = items["item"][items["item"].duplicated()]
    if len(twice):
        raise ValueError(
            f"item {twice.iloc[0]!r} has several values or keys; answers of different inventories "
            "cannot be taken together"
        )
    odd = items[~items["key"].isin((1, -1))]
    if len(odd):
        raise ValueError(
            f"item {odd['item'].iloc[0]!r} has key {odd['key'].iloc[0]}; a key is 1 where yes "
            "speaks for the value, -1 where it speaks against it"
        )
    place = {value: i for i, value in enumerate(answers["value"].unique())}
    order = sorted(zip(items["value"].map(place), items["item"], strict=True))
    return items.set_index("item").astype({"value": object}).loc[[item for _, item in order]]


def _require_every_cell_once(cell: np.ndarray, shape: tuple[int, ...], names: tuple) -> None:
    count = np.bincount(cell, minlength=np.prod(shape))
    for wrong, what, way_out in (
        (count > 1, "there more than once", "keep one row of each"),
        (count == 0, "missing", "ask every role every item in every format, or drop what is not"),
    ):
        if wrong.any():
            first = np.unravel_index(int(np.argmax(wrong)), shape)
            role, fmt, item = (name[i] for name, i in zip(names, first, strict=True))
            raise ValueError(
                f"{int(wrong.sum())} of {len(count)} answers are {what}, first that of role "
                f"{role!r} to item {item!r} in format {fmt!r}; {way_out}"
            )


def _require_told(answers: pd.DataFrame, by: str) -> None:
    missing = answers[by].isna()
    if missing.any():
        row = answers[missing].iloc[0]
        raise ValueError(
            f"{by} is missing in {int(missing.sum())} of {len(answers)} answers, first for role "
            f"{row['role']!r}, item {row['item']!r}; read generated answers by='answer'"
        )
