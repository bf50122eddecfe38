"""What interventions do to the reading of text that no value decides.

The text stands where the question would stand, behind role and instruction, so that a shift of the
site acts before it, and one of the whole prompt acts on it, too. Two figures are taken at each of
its tokens, both in nats:

- the *log-loss* ``-log p(token | what stands before it)``, of which the change is told;
- the *divergence* ``KL(p || q)`` of the next word's distribution ``q`` under the intervention from
  ``p`` without it. It is the change of log-loss to be expected on a text that the respondent itself
  would have written, so it is never negative and asks for no skill in reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from rich.progress import Progress

from valuegraph.asking.batching import default_batch_tokens, with_back_off
from valuegraph.asking.encoding import pad_left, unknown_words
from valuegraph.asking.prompts import PromptFormat, render_parts, site_tokens
from valuegraph.asking.row_shifts import RowShifts, tokens_of_places
from valuegraph.elicitation import check_intervention, told_role
from valuegraph.interventions import AT_SITE, Intervention, Shift
from valuegraph.models import Respondent
from valuegraph.rolebank import RoleBank, load_role_bank
from valuegraph.roles import Role

# Logits of all words at all tokens of a batch may take so many bytes.
_LOGIT_BYTES = 2**29


def neutral_texts(
    bank: RoleBank | None = None, *, n: int = 1, sentences: int = 16
) -> tuple[str, ...]:
    """Make texts of a role bank's neutral facts, which every respondent knows, organisms too.

    Parameters
    ----------
    bank
        Gives the sentences; by default the one that comes with the package.
    n
        How many texts.
    sentences
        Sentences of each; none is used twice.

    Returns
    -------
    tuple of str
        The texts.

    Raises
    ------
    ValueError
        If the bank has too few neutral facts, or a number is less than 1.
    """
    bank = load_role_bank() if bank is None else bank
    facts = bank.facts_by_value.get("", ())
    if n < 1 or sentences < 1 or n * sentences > len(facts):
        raise ValueError(
            f"{n} texts of {sentences} sentences cannot be made of {len(facts)} neutral facts"
        )
    parts = [facts[i * sentences : (i + 1) * sentences] for i in range(n)]
    return tuple(" ".join(bank.texts[fact] for fact in part) for part in parts)


class TextCosts(NamedTuple):
    """What interventions do to the reading of text.

    Attributes
    ----------
    log_loss
        Change of the mean log-loss of all tokens of all texts, in nats, shape ``(roles,
        interventions)``.
    divergence
        Mean divergence at the same tokens, in nats, same shape.
    reads
        Whether the respondent reads at all: without an intervention its mean log-loss is below that
        of guessing, the logarithm of the number of words.
    """

    log_loss: np.ndarray
    divergence: np.ndarray
    reads: bool


@torch.inference_mode()
def text_costs(
    respondent: Respondent,
    texts: Sequence[str],
    roles: Sequence[Role | None],
    interventions: Sequence[Intervention],
    *,
    fmt: PromptFormat | None = None,
    batch_tokens: int | None = None,
    progress: bool = False,
) -> TextCosts:
    """Read texts with and without each intervention.

    Parameters
    ----------
    respondent
        Who reads.
    texts
        What is read, each by itself.
    roles, interventions, fmt
        As for `valuegraph.elicitation.elicit`.
    batch_tokens
        Tokens that are run at a time; by default what suits the device.
    progress
        Whether to show a progress bar.

    Raises
    ------
    ValueError
        If there are no texts, one is blank or holds a word that the tokenizer does not know, or a
        shift does not fit the model.
    """
    if not texts or not all(text.strip() for text in texts):
        raise ValueError(f"texts must be given and not be blank, got {list(texts)!r}")
    for intervention in interventions:
        check_intervention(intervention, respondent)
    fmt = fmt or PromptFormat()
    budget = batch_tokens or default_batch_tokens(respondent)
    sums = np.zeros((2, len(roles), len(interventions)))
    tokens, unsteered = 0, 0.0
    with Progress(disable=not progress) as bar:
        task = bar.add_task("reading", total=len(roles) * len(texts))
        for r, role in enumerate(roles):
            for text in texts:
                rows = [_encode(respondent, text, role, w, fmt) for w in (None, *interventions)]
                (figures, loss), budget = with_back_off(
                    lambda budget, rows=rows: _compare(respondent, rows, budget), budget
                )
                sums[:, r] += figures
                unsteered += loss / len(roles)
                tokens += rows[0].scored if r == 0 else 0
                bar.advance(task)
    guessing = np.log(respondent.model.config.vocab_size)
    return TextCosts(*sums / tokens, reads=bool(unsteered / tokens < guessing))


class _Row(NamedTuple):
    """A prompt that ends in a text: token ids, how many are scored, the site's tokens, shifts."""

    ids: list[int]
    scored: int
    site: range
    shifts: tuple[Shift, ...]


def _encode(
    respondent: Respondent,
    text: str,
    role: Role | None,
    what: Intervention | None,
    fmt: PromptFormat,
) -> _Row:
    """Put a text where the question would stand."""
    role = told_role(role, "" if what is None else what.text)
    tokenizer = respondent.tokenizer
    prefix = render_parts(tokenizer, [text], role, fmt=fmt)[0][0]
    encoded = tokenizer(
        f"{prefix} {text.strip()}", add_special_tokens=False, return_offsets_mapping=True
    )
    ids = encoded["input_ids"]
    if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids:
        raise ValueError(unknown_words(respondent, f"{prefix} {text}"))
    scored = sum(end > len(prefix) for _, end in encoded["offset_mapping"])
    shifts = () if what is None else what.shifts
    at_site = any(shift.where in AT_SITE for shift in shifts)
    site = site_tokens(tokenizer, prefix, fmt=fmt) if at_site else range(1)
    return _Row(ids, scored, site, shifts)


def _compare(respondent: Respondent, rows: Sequence[_Row], budget: int) -> tuple[np.ndarray, float]:
    """Change of log-loss and divergence of all rows but the first from the first.

    Returns
    -------
    changes : numpy.ndarray
        Sums over the text's tokens, shape ``(2, rows - 1)``.
    loss : float
        Summed log-loss of the first row.
    """
    scored = rows[0].scored  # of all rows: they end in the same text
    # Logits of all words take memory, too.
    room = _LOGIT_BYTES // (12 * (scored + 1) * respondent.model.config.vocab_size)
    size = max(1, min(room, budget // max(len(row.ids) for row in rows)))
    base, figures = None, []
    for start in range(0, len(rows), size):
        log_q, said = _read(respondent, rows[start : start + size], scored)
        base = log_q[:1].clone() if base is None else base
        log_loss = -log_q.gather(-1, said)[..., 0].double().sum(-1)
        divergence = (base.exp() * (base - log_q)).sum(-1).double().sum(-1)
        figures.append(torch.stack([log_loss, divergence]).cpu().numpy())
    found = np.concatenate(figures, axis=1)
    loss = float(found[0, 0])
    found[0] -= loss
    return found[:, 1:], loss


def _read(
    respondent: Respondent, rows: Sequence[_Row], scored: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of all words where the text's tokens stand, and those tokens.

    Returns
    -------
    log_q : torch.Tensor
        Shape ``(rows, scored, words)``.
    said : torch.Tensor
        Shape ``(rows, scored, 1)``.
    """
    padded = pad_left([row.ids for row in rows], respondent.device)
    places = tokens_of_places(padded.mask, [row.site for row in rows])
    shifts = RowShifts([row.shifts for row in rows], respondent.device)
    with shifts.acting(respondent.model, places):
        logits = respondent.model(
            input_ids=padded.ids,
            attention_mask=padded.mask.long(),
            position_ids=padded.positions,
            use_cache=False,
            logits_to_keep=scored + 1,
        ).logits[:, :-1]
    return torch.log_softmax(logits.float(), -1), padded.ids[:, -scored:, None]
