"""Looking into a model without asking it: states, the reading of text, and likely next words."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from valuegraph.answers import NO_INTERVENTION
from valuegraph.elicitation import names_of, text_and_shifts, with_text
from valuegraph.encoding import encode, encode_prompts, pad_left
from valuegraph.forward import Budget, Rows, buckets, default_batch_tokens, slack_of
from valuegraph.hooks import RowShifts, recorded, tokens_of_places
from valuegraph.interventions import AT_SITE, PLACES
from valuegraph.prompts import ANSWER_PREFIX, PromptFormat, render_parts, render_prompt, site_tokens
from valuegraph.reading import require_finite
from valuegraph.roles import NO_ROLE
from valuegraph.tables import require_whole

_NOTHING = RowShifts((), None)

# Logits of all words at all tokens of a batch may take so many bytes.
_LOGIT_BYTES = 2**29


def states(respondent, roles, *, layer, where="site-end", questions=(), fmt=None) -> np.ndarray:
    """Read the residual stream after a layer; no layer above it is run.

    Parameters
    ----------
    respondent : Respondent
        Whose states are read.
    roles : sequence of Role or None
        Who the respondent is asked to be; None for itself.
    layer : int
        Counted from 0.
    where : str
        At which tokens; one of `PLACES`. Of whole prompts the first token is left out: in many
        models its norm is a hundred times that of the others.
    questions : sequence of str
        What is asked; without any, only what stands before the question is read.
    fmt : PromptFormat, optional
        How a question is put; by default the plain instruction, yes named first.

    Returns
    -------
    numpy.ndarray
        Shape ``(tokens, width)``, by role, question and token; at ``"site-end"`` that is one token
        for each role and question.
    """
    if where not in PLACES or not len(roles):
        raise ValueError(f"{where!r} must be one of {PLACES}, and there must be roles: {roles!r}")
    asked, fmt, at_site = list(questions) or ["Would you?"], fmt or PromptFormat(), where in AT_SITE
    prompts = encode_prompts(respondent, asked, roles, fmt, ANSWER_PREFIX, find_sites=at_site)
    texts, sites = prompts.prefixes, prompts.sites
    if questions:
        texts = [prompts.row(r, q) for r in range(len(roles)) for q in range(len(questions))]
        sites = [site for site in sites for _ in questions]
    of_text = {}
    budget, slack = default_batch_tokens(respondent), slack_of(respondent.model)
    for group in buckets(list(map(len, texts)), budget=budget, slack=slack):
        padded = pad_left([texts[i] for i in group], respondent.device)
        with recorded(respondent.model, layer, stop=True) as outputs:
            Rows(respondent.model, padded, _NOTHING).read()
        require_finite(outputs[0], outputs[0], respondent.name)
        tokens = tokens_of_places(padded.mask, [sites[i] for i in group])[where]
        tokens = tokens if at_site else tokens & (tokens.cumsum(1) > 1)
        of_text |= {i: outputs[0][k, tokens[k]].float().cpu() for k, i in enumerate(group)}
    return torch.cat([of_text[i] for i in range(len(texts))]).numpy()


def next_words(respondent, question, role=None, *, fmt=None, n=10) -> pd.Series:
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
    require_whole(n, 1, "n", most=len(respondent.tokenizer))
    prompt = encode(respondent, render_prompt(respondent.tokenizer, question, role, fmt=fmt))
    logits = Rows(respondent.model, pad_left([prompt], respondent.device), _NOTHING).read()[0, -1]
    top = logits.float().softmax(-1).topk(n)
    require_finite(top.values, logits, respondent.name)
    words = [respondent.tokenizer.decode([i]).strip() for i in top.indices.tolist()]
    return pd.Series(top.values.cpu().numpy(), words, name="probability")


def read_texts(respondent, texts, roles, interventions, *, fmt=None, batch_tokens=None):
    """Read texts with and without each intervention.

    A text stands where the question would stand, behind role and instruction, so that a shift of
    the site acts before it, and one of the whole prompt acts on it, too.

    Parameters
    ----------
    respondent : Respondent
        Who reads.
    texts : sequence of str
        What is read, each by itself; `valuegraph.roles.neutral_texts` makes some.
    roles, interventions
        Under whom and what, as for `valuegraph.elicit`.
    fmt : PromptFormat, optional
        How a question would be put; by default the plain instruction, yes named first.
    batch_tokens : int, optional
        Tokens that are run at a time; by default what suits the device.

    Returns
    -------
    pandas.DataFrame
        One row for each role and intervention, role by role: ``intervention``, ``role``;
        ``log_loss``, change of the mean log-loss of all tokens, in nats; ``divergence``, mean KL
        divergence of the next word from its distribution without intervention, in nats (the change
        of log-loss to be expected on text that the respondent would have written); ``reads``,
        whether without intervention its log-loss is below that of guessing.
    """
    if not texts or not all(text.strip() for text in texts):
        raise ValueError(f"texts must be given and not be blank, got {list(texts)!r}")
    roles, interventions = list(roles), list(interventions)
    names = names_of(roles, NO_ROLE), names_of(interventions, NO_INTERVENTION)
    require_whole(1 if batch_tokens is None else batch_tokens, 1, "batch_tokens")
    pairs = [text_and_shifts(one, respondent) for one in (None, *interventions)]
    fmt, budget = fmt or PromptFormat(), Budget(batch_tokens or default_batch_tokens(respondent))
    sums, tokens = np.zeros((2, len(roles), len(pairs))), 0  # log-loss and divergence
    for r, role in enumerate(roles):
        for text in texts:
            rows = [_row(respondent, text, role, *pair, fmt) for pair in pairs]
            figures = None
            while figures is None:  # again, with half as many tokens, where memory runs out
                with budget as tokens_at_once:
                    figures = _read(respondent, rows, tokens_at_once)
            sums[:, r] += figures
            tokens += rows[0][1] / len(roles)
    log_loss, divergence = sums / tokens
    index = pd.MultiIndex.from_product(names, names=["role", "intervention"])
    table = index.to_frame(index=False)[["intervention", "role"]]
    table["log_loss"] = (log_loss[:, 1:] - log_loss[:, :1]).ravel()
    table["divergence"] = divergence[:, 1:].ravel()
    guessing = np.log(respondent.model.config.get_text_config().vocab_size)
    return table.assign(reads=bool(log_loss[:, 0].mean() < guessing))


def _row(respondent, text: str, role, added: str, shifts: tuple, fmt: PromptFormat) -> tuple:
    """Put a text where the question would stand: ids, how many are scored, site, shifts."""
    tokenizer = respondent.tokenizer
    prefix = render_parts(tokenizer, [text], with_text(role, added), fmt=fmt)[0][0]
    whole = f"{prefix} {text.strip()}"
    ids = encode(respondent, whole)
    spans = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    scored = sum(end > len(prefix) for _, end in spans["offset_mapping"])
    at_site = any(shift.where in AT_SITE for shift in shifts)
    return ids, scored, site_tokens(tokenizer, prefix, fmt=fmt) if at_site else range(0), shifts


def _read(respondent, rows: Sequence[tuple], budget: int) -> np.ndarray:
    """Sum the log-loss of a text in each row, and its divergence from the first: (2, rows)."""
    ids, (scored, *_), sites, shifts = zip(*rows, strict=True)  # all rows end in the same text
    device = respondent.device
    words = respondent.model.config.get_text_config().vocab_size
    room = _LOGIT_BYTES // (12 * (scored + 1) * words)  # logits of all words take memory, too
    room *= bool(slack_of(respondent.model))  # one at a time where padding is not ignored
    size, base, figures = max(1, min(room, budget // max(map(len, ids)))), None, []
    for some in (slice(start, start + size) for start in range(0, len(rows), size)):
        texts, moves = pad_left(ids[some], device), RowShifts(shifts[some], device)
        logits = Rows(respondent.model, texts, moves, sites=sites[some]).read(last=scored + 1)
        log_q = logits[:, :-1].float().log_softmax(-1)  # (rows, scored, words)
        base = log_q[:1].clone() if base is None else base
        log_loss = -log_q.gather(-1, texts.ids[:, -scored:, None])[..., 0].double().sum(-1)
        divergence = (base.exp() * (base - log_q)).sum(-1).double().sum(-1)
        require_finite(log_loss + divergence, logits, respondent.name)
        figures.append(torch.stack([log_loss, divergence]))
    return torch.cat(figures, dim=1).cpu().numpy()
