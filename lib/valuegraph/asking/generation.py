"""Letting a respondent write, greedily, and reading the answer out of what it wrote."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

import numpy as np
import torch

from valuegraph.asking.parsing import is_settled, parse_answer
from valuegraph.asking.readout import AnswerReader
from valuegraph.asking.rows import Rows
from valuegraph.models import Respondent

#: After how many tokens the rows whose answer is settled are taken out.
_LOOK_EVERY = 8


class Written(NamedTuple):
    """What was written, by row.

    Attributes
    ----------
    text
        Without the tokens that end a turn.
    answer
        +1 yes, -1 no, 0 unsure; shape ``(rows,)``.
    log_odds, mass
        Read where the answer begins, NaN where there is none; shape ``(rows,)``.
    """

    text: list[str]
    answer: np.ndarray
    log_odds: np.ndarray
    mass: np.ndarray


def end_ids(respondent: Respondent) -> tuple[int, ...]:
    """Token ids that end a turn: those of the model's configuration, and the chat template's own.

    Parameters
    ----------
    respondent
        Whose turn ends.
    """
    tokenizer = respondent.tokenizer
    ids = {tokenizer.eos_token_id}
    for config in (respondent.model.config, respondent.model.generation_config):
        declared = getattr(config, "eos_token_id", None)
        ids |= set(declared) if isinstance(declared, (list, tuple)) else {declared}
    if tokenizer.chat_template is not None:
        turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "\x02"}]
        after = tokenizer.apply_chat_template(turns, tokenize=False).split("\x02")[-1]
        following = tokenizer(after, add_special_tokens=False)["input_ids"][:1]
        # Special tokens with a name of their own (`all_special_ids`) are not all that there are.
        special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
        ids |= set(following) & special
    return tuple(sorted(ids - {None}))


@torch.inference_mode()
def write(
    respondent: Respondent,
    reader: AnswerReader,
    rows: Rows,
    n_rows: int,
    *,
    max_new_tokens: int,
    prefilled: bool = False,
) -> Written:
    """Continue some prompts until each has ended its turn, answered for good, or grown too long.

    Parameters
    ----------
    respondent
        Who writes.
    reader
        Reads log-odds and mass at every token.
    rows
        Prompts that were not read yet.
    n_rows
        How many they are.
    max_new_tokens
        Longest continuation, in tokens.
    prefilled
        Whether the prompts end in "Answer:".
    """
    device = respondent.device
    ends = torch.tensor(end_ids(respondent), device=device)
    written = torch.full((n_rows, max_new_tokens), -1, device=device)
    log_odds = torch.full((n_rows, max_new_tokens), torch.nan, device=device)
    mass = torch.full_like(log_odds, torch.nan)
    active = torch.arange(n_rows, device=device)
    for step in range(max_new_tokens):
        logits = rows.read(keep=True)
        log_odds[active, step], mass[active, step] = reader.read_tensors(logits)
        ids = logits.argmax(-1)
        ended = torch.isin(ids, ends)
        written[active, step] = torch.where(ended, -1, ids)
        rows.append(ids)
        if (step + 1) % _LOOK_EVERY and not bool(ended.any()):
            continue
        if (step + 1) % _LOOK_EVERY == 0:
            texts = _decode(respondent, written[active])
            ended |= torch.tensor(
                [is_settled(text, prefilled=prefilled) for text in texts], device=device
            )
        stay = (~ended).nonzero()[:, 0]
        if not len(stay):
            break
        if len(stay) < len(active):
            rows.select(stay)
            active = active[stay]
    figures = log_odds.cpu().numpy(), mass.cpu().numpy()
    return _collect(respondent, written.cpu(), *figures, prefilled)


def _decode(respondent: Respondent, written: torch.Tensor) -> list[str]:
    rows = [[i for i in row if i >= 0] for row in written.tolist()]
    return respondent.tokenizer.batch_decode(rows, clean_up_tokenization_spaces=False)


def _collect(
    respondent: Respondent,
    written: torch.Tensor,
    log_odds: np.ndarray,
    mass: np.ndarray,
    prefilled: bool,
) -> Written:
    """Read the answers, and what was read at the token with which each of them begins."""
    texts = _decode(respondent, written)
    parsed = [parse_answer(text, prefilled=prefilled) for text in texts]
    at = np.full(len(texts), np.nan), np.full(len(texts), np.nan)
    for row, (_, start) in enumerate(parsed):
        if start is None:
            continue
        ids = written[row].tolist()

        def length(n: int, ids=ids) -> int:
            kept = [i for i in ids[:n] if i >= 0]
            return len(respondent.tokenizer.decode(kept, clean_up_tokenization_spaces=False))

        step = bisect_left(range(1, len(ids) + 1), start + 1, key=length)
        at[0][row], at[1][row] = log_odds[row, step], mass[row, step]
    return Written(texts, np.array([p.answer for p in parsed], dtype=np.int8), *at)
