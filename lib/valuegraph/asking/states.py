"""The residual stream at the steering site, by role, and how large it is where shifts act."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from valuegraph.asking.encoding import encode_prompts, pad_left
from valuegraph.asking.prompts import ANSWER_PREFIX, PromptFormat
from valuegraph.asking.row_shifts import tokens_of_places
from valuegraph.hooks import decoder_layer, recorded
from valuegraph.interventions import PLACES
from valuegraph.models import Respondent
from valuegraph.roles import Role

#: What is asked where only the text before it matters.
_QUESTION = "Would you?"


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
    passes = _passes(respondent, roles, [], layer, fmt, batch_size)
    return np.concatenate([h[places["site-end"]].float().cpu().numpy() for h, places in passes])


def prompt_states(
    respondent: Respondent,
    roles: Sequence[Role | None],
    *,
    layer: int,
    fmt: PromptFormat | None = None,
    batch_size: int = 64,
) -> np.ndarray:
    """Read the residual stream at every token before the question but the first.

    For figures that should hold for all tokens, such as the activation norm of an autoencoder. The
    first token is left out: in many models its norm is a hundred times that of the others.

    Parameters
    ----------
    respondent, roles, layer, fmt, batch_size
        As for `site_states`.

    Returns
    -------
    numpy.ndarray
        Shape ``(tokens, width)``, role by role.

    Raises
    ------
    ValueError
        As for `site_states`.
    """
    kept = []
    for hidden, places in _passes(respondent, roles, [], layer, fmt, batch_size):
        tokens = places["prompt"]
        first = tokens.cumsum(1) == 1  # of each row, and its padding before it
        kept.append(hidden[tokens & ~first].float().cpu().numpy())
    return np.concatenate(kept)


def place_norms(
    respondent: Respondent,
    roles: Sequence[Role | None],
    *,
    layer: int,
    where: str,
    questions: Sequence[str] = (_QUESTION,),
    fmt: PromptFormat | None = None,
    batch_size: int = 64,
) -> np.ndarray:
    """Measure how large the residual stream is at the tokens that a shift would act on.

    The size of a shift means little by itself; beside this one it is a dose. In many models the
    first token of a prompt has a norm a hundred times that of the others, and weighs as much in the
    mean over all tokens.

    Parameters
    ----------
    respondent, roles, layer, fmt, batch_size
        As for `site_states`.
    where
        Which tokens; a key of `valuegraph.interventions.PLACES`. What is written after a prompt is
        not looked at.
    questions
        What is asked; it matters only where questions are shifted, too.

    Returns
    -------
    numpy.ndarray
        Mean Euclidean norm over the tokens (of all questions) by role, shape ``(len(roles),)``.

    Raises
    ------
    ValueError
        As for `site_states`, or if there is no such place or no question.
    """
    if where not in PLACES:
        raise ValueError(f"there is no place {where!r}; places are {', '.join(PLACES)}")
    if not questions:
        raise ValueError("no questions given; give at least one")
    sums, counts = [], []
    for hidden, places in _passes(respondent, roles, questions, layer, fmt, batch_size):
        tokens = places[where]
        norms = torch.where(tokens, hidden.float().norm(dim=-1), 0)
        sums += norms.sum(1).tolist()
        counts += tokens.sum(1).tolist()
    by_role = np.reshape([sums, counts], (2, len(roles), -1)).sum(-1)
    return by_role[0] / by_role[1]


@torch.inference_mode()
def _passes(
    respondent: Respondent,
    roles: Sequence[Role | None],
    questions: Sequence[str],
    layer: int,
    fmt: PromptFormat | None,
    batch_size: int,
) -> Iterator[tuple[torch.Tensor, Mapping[str, torch.Tensor]]]:
    """Run prompts, or without questions what stands before one, some at a time.

    Yields the states after a layer, of shape ``(rows, tokens, width)``, and the tokens of each
    place. Rows are ordered by role, then by question.
    """
    decoder_layer(respondent.model, layer)  # refuses a layer that does not exist
    if not len(roles):
        raise ValueError("no roles given; give at least one (None stands for no role)")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    prompts = encode_prompts(
        respondent,
        list(questions) or [_QUESTION],
        roles,
        fmt=fmt or PromptFormat(),
        prefill=ANSWER_PREFIX,
        find_sites=True,
    )
    rows, sites = prompts.prefixes, prompts.sites
    if questions:
        rows = [prompts.row(r, q) for r in range(len(roles)) for q in range(len(questions))]
        sites = [site for site in sites for _ in questions]
    for start in range(0, len(rows), batch_size):
        padded = pad_left(rows[start : start + batch_size], respondent.device)
        with recorded(respondent.model, layer) as outputs:
            respondent.model.base_model(
                input_ids=padded.ids,
                attention_mask=padded.mask.long(),
                position_ids=padded.positions,
            )
        yield outputs[0], tokens_of_places(padded.mask, sites[start : start + batch_size])
