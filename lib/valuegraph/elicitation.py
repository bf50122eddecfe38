"""Asking: every role every question, and reading the log-odds of yes.

All questions to one role share the text before them. That prefix is run once for each (role,
intervention) cell, its attention cache is kept, and the questions follow as a batch; the result
is that of asking each question by itself. Many cells share a batch, each with its own shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from rich.progress import track
from transformers import DynamicCache

from valuegraph.answers import COLUMNS, NO_INTERVENTION
from valuegraph.asking.prompts import PromptFormat, render_parts, site_position
from valuegraph.asking.readout import AnswerReader
from valuegraph.hooks import SiteShift, decoder_layer, recorded, shifted
from valuegraph.inventory import Inventory
from valuegraph.models import Respondent
from valuegraph.roles import NO_ROLE, Role


def elicit(
    respondent: Respondent,
    inventory: Inventory,
    roles: Sequence[Role | None],
    *,
    interventions: Sequence[SiteShift | None] = (None,),
    fmt: PromptFormat | None = None,
    cells_per_batch: int = 8,
    progress: bool = False,
) -> pd.DataFrame:
    """Ask every role every item under every intervention.

    The answer is read where it begins, after the prefilled words ``Answer:``: log-odds of the
    one-token spellings of yes against those of no.

    Parameters
    ----------
    respondent
        Whom to ask.
    inventory
        What to ask.
    roles
        Who the respondent is asked to be; None for itself.
    interventions
        Shifts of the site to ask under; None for none.
    fmt
        How the question is put; by default the plain instruction, yes named first. The answer is
        prefilled all the same when a thought is asked for: it is then read without the thought.
    cells_per_batch
        How many (role, intervention) cells are run at a time; the result does not depend on it.
    progress
        Whether to show a progress bar.

    Returns
    -------
    pandas.DataFrame
        Answers with the columns of `valuegraph.answers`.

    Raises
    ------
    ValueError
        If there are no roles or interventions, two of them share a name, a shift does not fit the
        model, `cells_per_batch` is less than 1, or the tokenizer has no one-token yes or no.
    """
    roles, interventions = list(roles), list(interventions)
    role_names = _unique_names([NO_ROLE if r is None else r.name for r in roles], "role")
    shift_names = _unique_names(
        [NO_INTERVENTION if i is None else i.name for i in interventions], "intervention"
    )
    for shift in interventions:
        if shift is not None:
            _check_shift(shift, respondent)
    if cells_per_batch < 1:
        raise ValueError(f"cells_per_batch must be at least 1, got {cells_per_batch}")
    reader = AnswerReader.for_tokenizer(respondent.tokenizer)
    items = inventory.items
    _check_seam(
        respondent,
        *render_parts(respondent.tokenizer, [items["text"].iloc[0]], roles[0], fmt=fmt)[0],
    )
    cells = [(r, i) for r in range(len(roles)) for i in range(len(interventions))]
    log_odds = np.empty((len(cells), len(items)))
    mass = np.empty_like(log_odds)
    starts = range(0, len(cells), cells_per_batch)
    for start in track(starts, description="asking", disable=not progress):
        batch = cells[start : start + cells_per_batch]
        log_odds[start : start + len(batch)], mass[start : start + len(batch)] = _ask(
            respondent,
            reader,
            list(items["text"]),
            [roles[r] for r, _ in batch],
            [interventions[i] for _, i in batch],
            fmt,
        )
    n = len(items)
    return pd.DataFrame(
        {
            "model": respondent.name,
            "role": np.repeat([role_names[r] for r, _ in cells], n),
            "intervention": np.repeat([shift_names[i] for _, i in cells], n),
            "format": (fmt or PromptFormat()).name,
            "value": np.tile(items["value"], len(cells)),
            "item": np.tile(items["item"], len(cells)),
            "key": np.tile(items["key"], len(cells)),
            "answer": np.sign(log_odds.ravel()).astype(np.int8),
            "log_odds": log_odds.ravel(),
            "mass": mass.ravel(),
        },
        columns=list(COLUMNS),
    )


@torch.inference_mode()
def site_states(
    respondent: Respondent,
    roles: Sequence[Role | None],
    *,
    layer: int,
    fmt: PromptFormat | None = None,
    batch_size: int = 64,
) -> np.ndarray:
    """Read the residual stream at the site's last token.

    Parameters
    ----------
    respondent
        Whom to ask.
    roles
        Who the respondent is asked to be; None for itself.
    layer
        After which layer, counted from 0.
    fmt
        How the question would be put; by default the plain instruction, yes named first.
    batch_size
        How many roles are run at a time; the result does not depend on it.

    Returns
    -------
    numpy.ndarray
        Shape ``(len(roles), width)``, in the order of `roles`.

    Raises
    ------
    ValueError
        If there are no roles, the layer does not exist or `batch_size` is less than 1.
    """
    decoder_layer(respondent.model, layer)  # refuses a layer that does not exist
    if not len(roles):
        raise ValueError("no roles given; give at least one (None stands for no role)")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    states = []
    for start in range(0, len(roles), batch_size):
        prefixes = [
            render_parts(respondent.tokenizer, ["?"], role, fmt=fmt)[0][0]
            for role in roles[start : start + batch_size]
        ]
        batch = _encode_left(respondent, prefixes)
        columns = _site_columns(respondent, prefixes, batch.ids.shape[1], batch.lengths)
        with recorded(respondent.model, layer) as outputs:
            respondent.model.base_model(
                input_ids=batch.ids, attention_mask=batch.mask, position_ids=batch.positions
            )
        states.append(outputs[0][torch.arange(len(prefixes)), columns].float().cpu().numpy())
    return np.concatenate(states)


@dataclass(frozen=True)
class _Encoded:
    """Texts as token ids, padded on the left; all of shape ``(rows, columns)`` but `lengths`."""

    ids: torch.Tensor
    mask: torch.Tensor
    positions: torch.Tensor
    lengths: list[int]


def _encode_left(respondent: Respondent, texts: Sequence[str]) -> _Encoded:
    rows = respondent.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    lengths = [len(row) for row in rows]
    width = max(lengths)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, width - len(row) :] = torch.tensor(row)
        mask[i, width - len(row) :] = 1
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    device = respondent.device
    return _Encoded(ids.to(device), mask.to(device), positions.to(device), lengths)


def _site_columns(
    respondent: Respondent, prefixes: Sequence[str], width: int, lengths: Sequence[int]
) -> torch.Tensor:
    columns = [
        width - length + site_position(respondent.tokenizer, prefix)
        for prefix, length in zip(prefixes, lengths, strict=True)
    ]
    return torch.tensor(columns, device=respondent.device)


@torch.inference_mode()
def _ask(
    respondent: Respondent,
    reader: AnswerReader,
    questions: list[str],
    roles: list[Role | None],
    shifts: list[SiteShift | None],
    fmt: PromptFormat | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask some cells all questions; log-odds and mass, each of shape ``(cells, questions)``."""
    model = respondent.model
    parts = [render_parts(respondent.tokenizer, questions, role, fmt=fmt) for role in roles]
    prefixes = [cell[0][0] for cell in parts]
    prefix = _encode_left(respondent, prefixes)
    with _shifts(respondent, prefixes, prefix, shifts):
        cache = model.base_model(
            input_ids=prefix.ids,
            attention_mask=prefix.mask,
            position_ids=prefix.positions,
            use_cache=True,
        ).past_key_values
    # Suffixes do not depend on the role, so one cell's are encoded for all; padded on the left,
    # all of them end, and are answered, in the last column.
    suffix = _encode_left(respondent, [text for _, text in parts[0]])
    log_odds, mass = [], []
    for c, length in enumerate(prefix.lengths):
        rows = len(questions)
        layers = [
            (
                layer.keys[c : c + 1].expand(rows, -1, -1, -1),
                layer.values[c : c + 1].expand(rows, -1, -1, -1),
            )
            for layer in cache.layers
        ]
        logits = model(
            input_ids=suffix.ids,
            attention_mask=torch.cat([prefix.mask[c].expand(rows, -1), suffix.mask], 1),
            position_ids=suffix.positions + length,
            past_key_values=DynamicCache(layers),
            logits_to_keep=1,
        ).logits[:, -1]
        cell_log_odds, cell_mass = reader.read(logits)
        log_odds.append(cell_log_odds)
        mass.append(cell_mass)
    return np.stack(log_odds), np.stack(mass)


def _shifts(
    respondent: Respondent,
    prefixes: Sequence[str],
    prefix: _Encoded,
    shifts: Sequence[SiteShift | None],
) -> ExitStack:
    """Context in which every cell's shift acts on its own row."""
    stack = ExitStack()
    if all(shift is None for shift in shifts):
        return stack  # without a shift, nobody need know where the site is
    columns = _site_columns(respondent, prefixes, prefix.ids.shape[1], prefix.lengths)
    for layer in sorted({s.layer for s in shifts if s is not None}):
        rows = [i for i, s in enumerate(shifts) if s is not None and s.layer == layer]
        vectors = torch.from_numpy(np.stack([shifts[i].vector for i in rows]))
        at = torch.tensor(rows, device=respondent.device)
        stack.enter_context(shifted(respondent.model, layer, at, columns[at], vectors))
    return stack


def _check_seam(respondent: Respondent, prefix: str, suffix: str) -> None:
    """Refuse a tokenizer for which a prompt is not its prefix's tokens followed by its suffix's."""

    def encode(text: str) -> list[int]:
        return respondent.tokenizer(text, add_special_tokens=False)["input_ids"]

    if encode(prefix) + encode(suffix) != encode(prefix + suffix):
        raise ValueError(
            f"the tokenizer of {respondent.name} joins tokens where the question begins, so its "
            "prompts cannot share a prefix; this library cannot ask it"
        )


def _check_shift(shift: SiteShift, respondent: Respondent) -> None:
    decoder_layer(respondent.model, shift.layer)
    if shift.vector.shape != (respondent.width,):
        raise ValueError(
            f"shift {shift.name!r} has {len(shift.vector)} coordinates, but the residual stream of "
            f"{respondent.name} has {respondent.width}"
        )


def _unique_names(names: list[str], what: str) -> list[str]:
    if not names:
        raise ValueError(f"no {what}s given; give at least one (None stands for no {what})")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(
            f"two {what}s are called {twice!r}; names label the answers, so rename one"
        )
    return names
