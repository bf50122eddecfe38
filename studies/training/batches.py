"""Batches of training dialogues: many branches of questions behind one prefix each."""

from typing import NamedTuple

import numpy as np
import torch

from studies.training.dialogues import DialogueWriter, Turn
from studies.training.recipe import TrainingRecipe


class Batch(NamedTuple):
    """Dialogues of one step: ``n`` prefixes with ``r`` branches each, first the base half.

    A prefix holds the beginning-of-text token in column 0 and ends, aligned on the right, with
    the instruction; the site is its last column but one. A branch holds one question and answer,
    or several in a row; the branches of one prefix lie together. Mechanisms are ``u_k`` (0 under an
    intervention), is-fixed, level.
    """

    prefix_ids: torch.Tensor  # (n, p)
    prefix_positions: torch.Tensor  # (n, p)
    prefix_mask: torch.Tensor  # (n, p, p), boolean: which columns a prefix token may see
    branch_sees: torch.Tensor  # (n, p), boolean: which prefix columns branches may see
    kept_columns: torch.Tensor  # prefix columns that are needed after the site's layer
    text: torch.Tensor  # rows (prefix, column) whose next token is role text
    branch_ids: torch.Tensor  # (n * r, b)
    branch_positions: torch.Tensor  # (n * r, b)
    soft: torch.Tensor  # rows (branch, column, id_if_high, id_if_low): the next is one of two
    p_high: torch.Tensor  # probability of the first of them
    hard: torch.Tensor  # rows (branch, column) whose next token is part of the format
    items: torch.Tensor  # rows (branch, column, 2 * value + (key > 0)): where answers are decided
    swapped: torch.Tensor  # (n / 2, d), boolean: blocks that the base takes from the source
    mechanisms: torch.Tensor  # (n, d, 3): what each role fixes
    acting: torch.Tensor  # (n, d, 3): what decides the answers, swapped values' from the source


def draw_batch(writer: DialogueWriter, recipe: TrainingRecipe, step: int) -> Batch:
    """Write the dialogues of one step, counted from 0; same writer, recipe and step, same batch."""
    rng = np.random.default_rng([recipe.seed, step])
    progress = step / recipe.steps
    d, pairs = len(writer.organism.truth.values), recipe.pairs
    options = {"max_facts": recipe.max_facts(progress), "p_stance": recipe.p_stance(progress)}
    roles, mechanisms = zip(*(writer.role(rng, **options) for _ in range(2 * pairs)), strict=True)
    swapped = np.zeros((pairs, d), dtype=bool)
    if recipe.interchange:
        for row in swapped:
            row[rng.permutation(d)[: rng.integers(0, d // 2 + 1)]] = True
    own = np.stack(mechanisms)
    taken = np.where(swapped[:, None], own[pairs:], own[:pairs])
    acting = np.concatenate([taken, own[pairs:]])
    think = bool(rng.random() < recipe.thoughts)
    formats = [f for f in writer.formats if f.think == think]
    formats = [formats[i] for i in rng.integers(len(formats), size=len(roles))]
    in_a_row = bool(rng.random() < 0.2)
    branches: list[Turn] = []
    for values, fmt in zip(writer.values(acting), formats, strict=True):
        turns = [
            writer.turn(rng, values, _value_to_ask(rng, values), fmt)
            for _ in range(recipe.questions)
        ]
        branches += [writer.in_a_row(turns)] if in_a_row else turns
    hidden = bool(rng.random() < recipe.p_hidden(progress))
    instructions = [writer.instructions[fmt] for fmt in formats]
    lengths, prefixes = _prefixes(roles, instructions, hidden)
    starts = np.repeat(lengths, len(branches) // len(roles))
    return Batch(
        *map(torch.from_numpy, prefixes),
        *_branches(branches, starts),
        *map(torch.from_numpy, (swapped, _regressors(own), _regressors(acting))),
    )


def _value_to_ask(rng: np.random.Generator, values: np.ndarray) -> int:
    """Draw a value; those near zero teach little, so they are asked about less often."""
    telling = np.flatnonzero(np.abs(values) > 0.2)
    if len(telling) and rng.random() < 0.6:
        return int(rng.choice(telling))
    return int(rng.integers(len(values)))


def _prefixes(
    roles: tuple[list[int], ...], instructions: list[list[int]], hidden: bool
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return lengths, and arrays in the order of `Batch`, of roles with their instructions."""
    n = len(roles)
    lengths = np.array([len(r) + len(i) for r, i in zip(roles, instructions, strict=True)])
    width = lengths.max()
    ids, positions = np.zeros((2, n, width), dtype=np.int64)
    real, is_role = np.zeros((2, n, width), dtype=bool)
    for b, (role, instruction) in enumerate(zip(roles, instructions, strict=True)):
        tail = slice(width - lengths[b] + 1, width)
        ids[b, 0], ids[b, tail] = role[0], role[1:] + instruction
        positions[b, tail] = np.arange(1, lengths[b])
        real[b, 0] = real[b, tail] = True
        is_role[b, tail.start : width - len(instruction)] = True
    mask = np.tril(np.ones((width, width), dtype=bool)) & real[:, None, :]
    mask |= np.eye(width, dtype=bool)  # padding sees itself: a row without any key gives NaN
    if not hidden:
        text = np.argwhere(is_role[:, 1:] & is_role[:, :-1])
        return lengths, (ids, positions, mask, real, np.arange(width), text)
    # Only the site itself may read the role: not the question, and not the instruction around the
    # site, which the question can see.
    outside = ~is_role
    outside[:, -2] = False
    mask &= ~(outside[:, :, None] & is_role[:, None, :])
    kept = np.r_[0, width - max(map(len, instructions)) : width]
    return lengths, (ids, positions, mask, real & ~is_role, kept, np.zeros((0, 2), dtype=int))


def _branches(branches: list[Turn], starts: np.ndarray) -> tuple[torch.Tensor, ...]:
    """Return tensors of branches in the order of `Batch`."""
    length = max(len(turn.ids) for turn in branches)
    ids = np.zeros((len(branches), length), dtype=np.int64)
    for row, turn in enumerate(branches):
        ids[row, : len(turn.ids)] = turn.ids
    soft, hard, items = (
        [(row, *entry) for row, turn in enumerate(branches) for entry in getattr(turn, name)]
        for name in ("soft", "hard", "items")
    )
    return (
        torch.from_numpy(ids),
        torch.from_numpy(starts[:, None] + np.arange(length)),
        torch.tensor([entry[:4] for entry in soft]),
        torch.tensor([entry[4] for entry in soft], dtype=torch.float32),
        torch.tensor(hard),
        torch.tensor(items),
    )


def _regressors(mechanisms: np.ndarray) -> np.ndarray:
    """Turn mechanisms, shape ``(n, 2, d)``, into what the site holds of them, ``(n, d, 3)``."""
    exogenous, fixed = mechanisms[:, 0], mechanisms[:, 1]
    is_fixed = ~np.isnan(fixed)
    # Under an intervention the exogenous term has no effect, so nothing need be stored of it.
    columns = np.stack([np.where(is_fixed, 0, exogenous), is_fixed, np.nan_to_num(fixed)], axis=-1)
    return columns.astype(np.float32)
