"""Asking: every role every question under every intervention, and keeping what was answered.

In ``logit`` mode the answer is read where it begins: log-odds of yes against no after the prefilled
word ``Answer:``. In ``generate`` mode the respondent writes, as in Kang et al. (2025), and the
answer is parsed from what it wrote (`valuegraph.asking.parsing`).

All questions to one role share the text before them, which is run once for each (role,
intervention) cell (`valuegraph.asking.shared_prefix`). Many cells share a batch, each with its own
shift. The result is that of asking each question by itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from valuegraph.answers import COLUMNS, LOW_MASS, NO_INTERVENTION
from valuegraph.asking.cells import CellAsker, Given
from valuegraph.asking.encoding import encode_prompts
from valuegraph.asking.options import check_mode, check_names
from valuegraph.asking.prompts import ANSWER_PREFIX, THOUGHT_PREFIX, PromptFormat
from valuegraph.asking.readout import AnswerReader
from valuegraph.hooks import decoder_layer
from valuegraph.interventions import Shift
from valuegraph.inventory import Inventory
from valuegraph.models import Respondent
from valuegraph.roles import NO_ROLE, Role

#: Questions without content: what a respondent says to them is a habit, not a value.
CONTENT_FREE = ("Would you?", "Do you?")

#: A larger share of doubtful or missing answers than this is worth a warning.
TOLERATED = 0.05


class DoubtfulAnswers(UserWarning):
    """Many answers lie elsewhere than on yes and no."""


def elicit(
    respondent: Respondent,
    inventory: Inventory,
    roles: Sequence[Role | None],
    *,
    interventions: Sequence[Shift | None] = (None,),
    fmt: PromptFormat | None = None,
    mode: str = "logit",
    prior: bool = False,
    max_new_tokens: int = 100,
    batch_tokens: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Ask every role every item under every intervention.

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
        How the question is put. By default the plain instruction, yes named first; in ``generate``
        mode it asks for a thought before the answer. A format that asks for a thought is of little
        use in ``logit`` mode: the answer is read where the thought should be, so that the mass
        is low.
    mode
        ``"logit"`` reads the log-odds where the answer begins; ``"generate"`` lets the respondent
        write and parses the answer.
    prior
        Whether to subtract the mean log-odds of yes to `CONTENT_FREE` questions (after Zhao et al.,
        2021), in ``logit`` mode only. They are put without a role, once for each intervention:
        what is said to them in a role says more about the role than about the liking for yes. The
        subtraction cancels in the scores of values that are keyed both ways alike.
    max_new_tokens
        Longest text written, in ``generate`` mode.
    batch_tokens
        Tokens of questions that are run at a time; by default what suits the device. Where memory
        runs out, half of it is tried. The answers depend on it by rounding alone (1e-5).
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
        model, an option is out of range, or the tokenizer lacks a word or has no one-token yes or
        no.
    MemoryError
        If the GPU's memory does not suffice for one prompt.

    References
    ----------
    Zhao, Z., Wallace, E., Feng, S., Klein, D., & Singh, S. (2021). Calibrate before use: improving
    few-shot performance of language models. ICML.
    """
    roles, interventions = list(roles), list(interventions)
    role_names = [NO_ROLE if r is None else r.name for r in roles]
    shift_names = [NO_INTERVENTION if i is None else i.name for i in interventions]
    check_names(role_names, "role")
    check_names(shift_names, "intervention")
    _check_options(mode, prior, max_new_tokens, batch_tokens)
    shifts = [shift for shift in interventions if shift is not None]
    for shift in shifts:
        _check_shift(shift, respondent)
    if fmt is None:
        fmt = PromptFormat(think=mode == "generate")
    prefill = THOUGHT_PREFIX if mode == "generate" and fmt.think else ANSWER_PREFIX
    items = inventory.items
    reader = AnswerReader.for_tokenizer(respondent.tokenizer)

    def ask(questions: Sequence[str], roles: Sequence[Role | None], *, progress: bool) -> Given:
        asker = CellAsker(
            respondent=respondent,
            reader=reader,
            prompts=encode_prompts(
                respondent, questions, roles, fmt=fmt, prefill=prefill, find_sites=bool(shifts)
            ),
            max_new_tokens=max_new_tokens if mode == "generate" else 0,
            prefilled=prefill == ANSWER_PREFIX,
        )
        cells = [(r, shift) for r in range(len(roles)) for shift in interventions]
        return asker.ask_all(cells, batch_tokens, progress=progress)

    given = ask(list(items["text"]), roles, progress=progress)
    n, n_cells = len(items), len(roles) * len(interventions)
    frame = pd.DataFrame(
        {
            "model": respondent.name,
            "role": np.repeat(role_names, len(interventions) * n),
            "intervention": np.tile(np.repeat(shift_names, n), len(roles)),
            "format": fmt.name,
            "value": np.tile(items["value"], n_cells),
            "item": np.tile(items["item"], n_cells),
            "key": np.tile(items["key"], n_cells),
            "answer": given.answer.ravel(),
            "log_odds": given.log_odds.ravel(),
            "mass": given.mass.ravel(),
        },
        columns=list(COLUMNS),
    )
    if prior:
        said = ask(CONTENT_FREE, [None], progress=False).log_odds.mean(1)  # by intervention
        frame["prior"] = np.tile(np.repeat(said, n), len(roles))
        frame["log_odds"] -= frame["prior"]
        frame["answer"] = np.sign(frame["log_odds"]).astype(np.int8)
    if mode == "generate":
        frame["text"] = given.text.ravel()
    _warn_of_doubtful(frame, mode)
    return frame


def _warn_of_doubtful(answers: pd.DataFrame, mode: str) -> None:
    """Warn where log-odds of yes against no leave out most of what would be said."""
    if mode == "generate":
        share, what = (answers["answer"] == 0).mean(), "hold no answer by the rules of parsing"
    else:
        share = (answers["mass"] < LOW_MASS).mean()
        what = f"have less than {LOW_MASS:g} of their probability on yes and no"
    if share > TOLERATED:
        warnings.warn(
            f"{share:.0%} of the answers of {answers['model'].iloc[0]} {what}; their scores may "
            "say little. Try another format, and compare both modes",
            DoubtfulAnswers,
            stacklevel=3,
        )


def _check_options(mode: str, prior: bool, max_new_tokens: int, batch_tokens: int | None) -> None:
    check_mode(mode, prior=prior)
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
    if batch_tokens is not None and batch_tokens < 1:
        raise ValueError(f"batch_tokens must be at least 1, got {batch_tokens}")


def _check_shift(shift: Shift, respondent: Respondent) -> None:
    decoder_layer(respondent.model, shift.layer)
    if shift.vector.shape != (respondent.width,):
        raise ValueError(
            f"shift {shift.name!r} has {len(shift.vector)} coordinates, but the residual stream of "
            f"{respondent.name} has {respondent.width}"
        )
