"""Putting answers read as log-odds and generated answers side by side, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from valuegraph.asking.prompts import PromptFormat
from valuegraph.psychometrics.grid import AnswerGrid


def matched(said: AnswerGrid, read: AnswerGrid) -> AnswerGrid:
    """Return generated answers in the order of those read as log-odds.

    Parameters
    ----------
    said
        Generated answers.
    read
        Answers read as log-odds.

    Returns
    -------
    AnswerGrid
        `said` with the formats and items of `read` in its order. Formats are matched by name, or by
        what is left of it without the thought that a format asks for.

    Raises
    ------
    ValueError
        If the two are of different models, a role, format or item is in one of them only, or an
        item has another value or key.
    """
    if said.model != read.model:
        raise ValueError(
            f"the log-odds are those of {read.model}, the generated answers those of {said.model}; "
            "compare the two modes of one model"
        )
    formats = said.formats
    if set(formats) != set(read.formats):
        formats = _without_thought(formats)
    ours = read.formats if formats is said.formats else _without_thought(read.formats)
    for what, a, b in (
        ("role", read.roles, said.roles),
        ("format", ours, formats),
        ("item", tuple(read.items.index), tuple(said.items.index)),
    ):
        _require_same(what, a, b)
    order = [said.items.index.get_loc(item) for item in read.items.index]
    items = said.items.iloc[order]
    if not items.equals(read.items):
        changed = items.index[(items != read.items).any(axis=1)][0]
        raise ValueError(
            f"item {changed!r} has another value or key in the generated answers than in the "
            "log-odds; ask both with the same inventory"
        )
    of_formats = [formats.index(name) for name in ours]
    arrays = {
        name: getattr(said, name)[:, of_formats][:, :, order]
        for name in ("log_odds", "answer", "mass")
    }
    return replace(said, formats=read.formats, items=items, **arrays)


def _without_thought(names: Sequence[str]) -> tuple[str, ...]:
    """Name formats as if none asked for a thought; names of unknown formats stay."""
    plain = []
    for name in names:
        try:
            plain.append(replace(PromptFormat.from_name(name), think=False).name)
        except ValueError:
            plain.append(name)
    return tuple(plain)


def _require_same(what: str, read: Sequence[str], said: Sequence[str]) -> None:
    if len(set(read)) < len(read) or len(set(said)) < len(said):
        raise ValueError(
            f"formats cannot be matched, as some differ only in the thought ({', '.join(said)} "
            f"against {', '.join(read)}); compare one format at a time"
        )
    for there, kind, lacking in (
        (read, "generated answers", set(read) - set(said)),
        (said, "log-odds", set(said) - set(read)),
    ):
        if lacking:
            first = next(name for name in there if name in lacking)
            raise ValueError(
                f"the two tables do not hold the same cells: the {kind} lack {len(lacking)} "
                f"{what}(s), first {first!r}; ask both the same, or keep what both have"
            )
