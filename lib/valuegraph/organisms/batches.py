"""Batches of training dialogues: many branches of questions behind one prefix each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from valuegraph.asking.prompts import PromptFormat
from valuegraph.organisms.dialogues import DialogueWriter, Mechanisms, RoleTokens, Turn
from valuegraph.organisms.recipe import TrainingRecipe


@dataclass(frozen=True)
class Batch:
    """Dialogues of one step: ``n`` prefixes with ``r`` branches each, first the base half.

    A prefix holds the beginning-of-text token in column 0 and ends, aligned on the right, with
    the instruction; the site is its last column but one. A branch holds one question and answer,
    or several in a row.

    Attributes
    ----------
    prefix_ids, prefix_positions
        Shape ``(n, p)``.
    prefix_mask
        Which columns a prefix token may see, boolean, shape ``(n, p, p)``.
    branch_ids, branch_positions
        Shape ``(n * r, b)``; the branches of one prefix lie together.
    branch_sees
        Which prefix columns the branches of a prefix may see, boolean, shape ``(n, p)``.
    kept_columns
        Prefix columns that are needed after the site's layer.
    swapped
        Which values' blocks the base takes from the source, boolean, shape ``(n / 2, d)``.
    soft
        Rows ``(branch, column, id_if_high, id_if_low)``: the next token is one of two, the first
        with probability `p_high`.
    hard
        Rows ``(branch, column)`` whose next token is part of the format.
    asks
        Rows ``(branch, column, meaning)``: where an answer is decided, and what is asked there,
        as ``2 * value + (key > 0)``.
    text
        Rows ``(prefix, column)`` whose next token is role text.
    mechanisms
        What each role fixes, shape ``(n, d, 3)``: ``u_k`` (0 under an intervention), is-fixed,
        level.
    acting
        What decides the answers, same shape: that of the role, with the swapped values' from the
        source.
    """

    prefix_ids: torch.Tensor
    prefix_positions: torch.Tensor
    prefix_mask: torch.Tensor
    branch_ids: torch.Tensor
    branch_positions: torch.Tensor
    branch_sees: torch.Tensor
    kept_columns: torch.Tensor
    swapped: torch.Tensor
    soft: torch.Tensor
    p_high: torch.Tensor
    hard: torch.Tensor
    asks: torch.Tensor
    text: torch.Tensor
    mechanisms: torch.Tensor
    acting: torch.Tensor


def draw_batch(writer: DialogueWriter, recipe: TrainingRecipe, step: int) -> Batch:
    """Write the dialogues of one step.

    Parameters
    ----------
    writer
        Writes them.
    recipe
        Sizes and curriculum.
    step
        Number of the step, counted from 0. Same writer, recipe and step, same dialogues.
    """
    rng = np.random.default_rng([recipe.seed, step])
    progress = step / recipe.steps
    d, pairs = len(writer.model.values), recipe.pairs
    roles = [
        writer.role(rng, max_facts=recipe.max_facts(progress), p_stance=recipe.p_stance(progress))
        for _ in range(2 * pairs)
    ]
    swapped = np.zeros((pairs, d), dtype=bool)
    if recipe.interchange:
        for row in swapped:
            row[rng.permutation(d)[: rng.integers(0, d // 2 + 1)]] = True
    own = [role.mechanisms for role in roles]
    acting = [m.take_from(own[pairs + i], swapped[i]) for i, m in enumerate(own[:pairs])]
    acting += own[pairs:]
    values = writer.values(acting)

    think = bool(rng.random() < 0.2)
    formats = [f for f in writer.formats if f.think == think]
    formats = [formats[i] for i in rng.integers(len(formats), size=len(roles))]
    in_a_row = bool(rng.random() < 0.2)
    turns = [
        _questions(writer, rng, values[i], formats[i], recipe.questions) for i in range(len(roles))
    ]
    branches = [[writer.in_a_row(t)] if in_a_row else t for t in turns]
    hidden = bool(rng.random() < recipe.p_hidden(progress))
    mechanisms = _regressors(own), _regressors(acting)
    return _to_tensors(writer, roles, formats, branches, hidden, swapped, *mechanisms)


def _questions(
    writer: DialogueWriter,
    rng: np.random.Generator,
    values: np.ndarray,
    fmt: PromptFormat,
    n: int,
) -> list[Turn]:
    # Values near zero teach little, so they are asked about less often.
    telling = np.flatnonzero(np.abs(values) > 0.2)

    def draw_value() -> int:
        if len(telling) and rng.random() < 0.6:
            return int(rng.choice(telling))
        return int(rng.integers(len(values)))

    return [writer.turn(rng, values, draw_value(), fmt) for _ in range(n)]


def _to_tensors(
    writer: DialogueWriter,
    roles: list[RoleTokens],
    formats: list[PromptFormat],
    branches: list[list[Turn]],
    hidden: bool,
    swapped: np.ndarray,
    mechanisms: np.ndarray,
    acting: np.ndarray,
) -> Batch:
    n = len(roles)
    instructions = [writer.instruction(fmt) for fmt in formats]
    width = max(len(r.ids) + len(i) for r, i in zip(roles, instructions, strict=True))
    n_kept = max(map(len, instructions))
    prefix_ids = np.zeros((n, width), dtype=np.int64)
    positions = np.zeros((n, width), dtype=np.int64)
    real = np.zeros((n, width), dtype=bool)
    is_role = np.zeros((n, width), dtype=bool)
    lengths = np.zeros(n, dtype=np.int64)
    for b, (role, instruction) in enumerate(zip(roles, instructions, strict=True)):
        tail = role.ids[1:] + instruction
        lengths[b] = 1 + len(tail)
        prefix_ids[b, 0], prefix_ids[b, width - len(tail) :] = role.ids[0], tail
        positions[b, width - len(tail) :] = np.arange(1, lengths[b])
        real[b, 0] = real[b, width - len(tail) :] = True
        is_role[b, width - len(tail) : width - len(instruction)] = True
    mask = np.tril(np.ones((width, width), dtype=bool)) & real[:, None, :]
    mask |= np.eye(width, dtype=bool)  # padding sees itself: a row without any key gives NaN
    sees = real.copy()
    if hidden:
        # Only the site itself may read the role: not the question, and not the instruction
        # around the site, which the question can see.
        outside = ~is_role
        outside[:, -2] = False
        mask &= ~(outside[:, :, None] & is_role[:, None, :])
        sees &= ~is_role
    kept = np.r_[0, width - n_kept : width] if hidden else np.arange(width)

    flat = [(b, turn) for b, turns in enumerate(branches) for turn in turns]
    length = max(len(turn.ids) for _, turn in flat)
    branch_ids = np.zeros((len(flat), length), dtype=np.int64)
    for row, (_, turn) in enumerate(flat):
        branch_ids[row, : len(turn.ids)] = turn.ids
    starts = lengths[[b for b, _ in flat]]
    soft = [(row, *entry) for row, (_, turn) in enumerate(flat) for entry in turn.soft]
    text = np.argwhere(is_role[:, 1:] & is_role[:, :-1]) if not hidden else np.zeros((0, 2), int)
    return Batch(
        prefix_ids=torch.from_numpy(prefix_ids),
        prefix_positions=torch.from_numpy(positions),
        prefix_mask=torch.from_numpy(mask),
        branch_ids=torch.from_numpy(branch_ids),
        branch_positions=torch.from_numpy(starts[:, None] + np.arange(length)),
        branch_sees=torch.from_numpy(sees),
        kept_columns=torch.from_numpy(kept),
        swapped=torch.from_numpy(swapped),
        soft=torch.tensor([entry[:4] for entry in soft]),
        p_high=torch.tensor([entry[4] for entry in soft], dtype=torch.float32),
        hard=torch.tensor([(row, p) for row, (_, turn) in enumerate(flat) for p in turn.hard]),
        asks=torch.tensor([(row, *ask) for row, (_, turn) in enumerate(flat) for ask in turn.asks]),
        text=torch.from_numpy(text),
        mechanisms=torch.from_numpy(mechanisms),
        acting=torch.from_numpy(acting),
    )


def _regressors(mechanisms: list[Mechanisms]) -> np.ndarray:
    fixed = np.array([m.fixed for m in mechanisms])
    is_fixed = ~np.isnan(fixed)
    # Under an intervention the exogenous term has no effect, so nothing need be stored of it.
    exogenous = np.where(is_fixed, 0, [m.exogenous for m in mechanisms])
    columns = np.stack([exogenous, is_fixed, np.nan_to_num(fixed)], axis=-1)
    return columns.astype(np.float32)
