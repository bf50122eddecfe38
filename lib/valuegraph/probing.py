"""Reading a model without asking it: states, neutral text, and the likeliest next words."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from valuegraph.elicitation import check_intervention, with_text
from valuegraph.encoding import encode_prompts, pad_left, unknown_words
from valuegraph.forward import default_batch_tokens, with_back_off
from valuegraph.hooks import RowShifts, recorded, stopped_after, tokens_of_places
from valuegraph.interventions import AT_SITE, PLACES, Intervention, Shift
from valuegraph.models import Respondent
from valuegraph.prompts import ANSWER_PREFIX, PromptFormat, render_parts, render_prompt, site_tokens
from valuegraph.roles import Role

# Logits of all words at all tokens of a batch may take so many bytes.
_LOGIT_BYTES = 2**29


@torch.inference_mode()
def states(
    respondent: Respondent,
    roles: Sequence[Role | None],
    *,
    layer: int,
    where: str = "site-end",
    fmt: PromptFormat | None = None,
    batch_size: int = 64,
) -> np.ndarray:
    """Read the residual stream before the question.

    Parameters
    ----------
    respondent
        Whose states are read.
    roles
        Who the respondent is asked to be; None for itself.
    layer
        After which layer, counted from 0; no layer above it is run.
    where
        Which tokens; a key of `PLACES`. Of the whole prompt the first token is left out: in many
        models its norm is a hundred times that of the others.
    fmt
        How a question would be put; by default the plain instruction, yes named first.
    batch_size
        How many roles are run at a time; the result does not depend on it.

    Returns
    -------
    numpy.ndarray
        Shape ``(tokens, width)``, role by role; at ``"site-end"`` one token a role.
    """
    if where not in PLACES:
        raise ValueError(f"there is no place {where!r}; places are {', '.join(PLACES)}")
    if not len(roles):
        raise ValueError("no roles given; give at least one (None stands for no role)")
    options = {"fmt": fmt or PromptFormat(), "prefill": ANSWER_PREFIX, "find_sites": True}
    prompts, kept = encode_prompts(respondent, ["Would you?"], roles, **options), []
    for start in range(0, len(roles), batch_size):
        some = slice(start, start + batch_size)
        padded = pad_left(prompts.prefixes[some], respondent.device)
        with stopped_after(respondent.model, layer), recorded(respondent.model, layer) as outputs:
            respondent.model.base_model(
                input_ids=padded.ids,
                attention_mask=padded.mask.long(),
                position_ids=padded.positions,
            )
        tokens = tokens_of_places(padded.mask, prompts.sites[some])[where]
        if where in ("prompt", "everywhere"):
            tokens = tokens & (tokens.cumsum(1) != 1)
        kept.append(outputs[0][tokens].float().cpu().numpy())
    return np.concatenate(kept)


@torch.inference_mode()
def next_words(
    respondent: Respondent,
    question: str,
    role: Role | None = None,
    *,
    fmt: PromptFormat | None = None,
    n: int = 10,
) -> pd.Series:
    """Look at the likeliest words where an answer begins.

    Parameters
    ----------
    respondent, question, role, fmt
        Who is asked what, as whom, and in which format (by default the plain one).
    n
        How many words.

    Returns
    -------
    pandas.Series
        Probability of each word (of each token, to be exact), the likeliest first.
    """
    tokenizer = respondent.tokenizer
    prompt = render_prompt(tokenizer, question, role, fmt=fmt)
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
    logits = respondent.model(ids.to(respondent.device), logits_to_keep=1).logits[0, -1]
    top = logits.float().softmax(-1).topk(n)
    words = [tokenizer.decode([i]).strip() for i in top.indices.tolist()]
    return pd.Series(top.values.cpu().numpy(), words, name="probability")


@torch.inference_mode()
def read_texts(
    respondent: Respondent,
    texts: Sequence[str],
    roles: Sequence[Role | None],
    interventions: Sequence[Intervention],
    *,
    fmt: PromptFormat | None = None,
    batch_tokens: int | None = None,
) -> pd.DataFrame:
    """Read neutral texts with and without each intervention.

    A text stands where the question would stand, behind role and instruction, so that a shift of
    the site acts before it, and one of the whole prompt acts on it, too.

    Parameters
    ----------
    respondent
        Who reads.
    texts
        What is read, each by itself; `valuegraph.roles.neutral_texts` makes some.
    roles, interventions
        Under whom and what; what `elicit` takes, without None among the interventions.
    fmt
        How a question would be put; by default the plain instruction, yes named first.
    batch_tokens
        Tokens that are run at a time; by default what suits the device.

    Returns
    -------
    pandas.DataFrame
        One row for each role and intervention: ``role``, ``intervention``; ``log_loss``, change of
        the mean log-loss of all tokens, in nats; ``divergence``, mean KL divergence of the next
        word from its distribution without intervention, in nats (the change of log-loss to be
        expected on text that the respondent would have written); ``reads``, whether without
        intervention its log-loss is below that of guessing.
    """
    if not texts or not all(text.strip() for text in texts):
        raise ValueError(f"texts must be given and not be blank, got {list(texts)!r}")
    for one in interventions:
        check_intervention(one, respondent)
    fmt, budget = fmt or PromptFormat(), batch_tokens or default_batch_tokens(respondent)
    sums, tokens, loss = np.zeros((2, len(roles), len(interventions))), 0, 0.0
    for r, role in enumerate(roles):
        for text in texts:
            rows = [_row(respondent, text, role, one, fmt) for one in (None, *interventions)]
            (figures, own), budget = with_back_off(
                lambda budget, rows=rows: _compare(respondent, rows, budget), budget
            )
            sums[:, r] += figures
            loss += own / len(roles)
            tokens += rows[0].scored if r == 0 else 0
    names = [
        ("no role" if role is None else role.name, one.name)
        for role in roles
        for one in interventions
    ]
    table = pd.DataFrame(names, columns=["role", "intervention"])
    table[["log_loss", "divergence"]] = (sums / tokens).reshape(2, -1).T
    return table.assign(reads=bool(loss / tokens < np.log(respondent.model.config.vocab_size)))


class _Row(NamedTuple):
    """A prompt that ends in a text: token ids, how many are scored, the site's tokens, shifts."""

    ids: list[int]
    scored: int
    site: range
    shifts: tuple[Shift, ...]


def _row(respondent, text: str, role: Role | None, one: Intervention | None, fmt) -> _Row:
    """Put a text where the question would stand."""
    role = with_text(role, "" if one is None else one.text)
    tokenizer = respondent.tokenizer
    prefix = render_parts(tokenizer, [text], role, fmt=fmt)[0][0]
    whole = f"{prefix} {text.strip()}"
    encoded = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in encoded["input_ids"]:
        raise ValueError(unknown_words(respondent, whole))
    scored = sum(end > len(prefix) for _, end in encoded["offset_mapping"])
    shifts = () if one is None else one.shifts
    at_site = any(shift.where in AT_SITE for shift in shifts)
    site = site_tokens(tokenizer, prefix, fmt=fmt) if at_site else range(1)
    return _Row(encoded["input_ids"], scored, site, shifts)


def _compare(respondent, rows: Sequence[_Row], budget: int) -> tuple[np.ndarray, float]:
    """Log-loss and divergence ``(2, rows - 1)`` against the first row, and its own log-loss."""
    scored = rows[0].scored  # of all rows: they end in the same text
    # Logits of all words take memory, too.
    room = _LOGIT_BYTES // (12 * (scored + 1) * respondent.model.config.vocab_size)
    size = max(1, min(room, budget // max(len(row.ids) for row in rows)))
    base, figures = None, []
    for start in range(0, len(rows), size):
        log_q, ids = _log_probabilities(respondent, rows[start : start + size], scored)
        base = log_q[:1].clone() if base is None else base
        log_loss = -log_q.gather(-1, ids)[..., 0].double().sum(-1)
        divergence = (base.exp() * (base - log_q)).sum(-1).double().sum(-1)
        figures.append(torch.stack([log_loss, divergence]).cpu().numpy())
    sums = np.concatenate(figures, axis=1)
    loss = float(sums[0, 0])
    sums[0] -= loss
    return sums[:, 1:], loss


def _log_probabilities(respondent, rows: Sequence[_Row], scored: int) -> tuple[torch.Tensor, ...]:
    """All words' log-probabilities ``(rows, scored, words)``, and the tokens that stand there."""
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
