"""Asking: every role every question under every intervention, and keeping what was answered.

In ``logit`` mode the answer is read where it begins: log-odds of yes against no after the prefilled
word ``Answer:``. In ``generate`` mode the respondent writes, as in Kang et al. (2025), and the
answer is parsed from what it wrote (`valuegraph.asking.parsing`).

All questions to one role share the text before them, which is run once for each (role,
intervention) cell (`valuegraph.asking.shared_prefix`). Many cells share a batch, each with its own
shifts, and in ``logit`` mode those of one role share the layers below them
(`valuegraph.asking.split_forward`). The result is that of asking each question by itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from valuegraph.answers import COLUMNS, LOW_MASS, NO_INTERVENTION
from valuegraph.asking.cells import CellAsker, Given
from valuegraph.asking.encoding import encode_prompts
from valuegraph.asking.options import check_mode, check_names
from valuegraph.asking.prompts import ANSWER_PREFIX, THOUGHT_PREFIX, PromptFormat
from valuegraph.asking.readout import AnswerReader
from valuegraph.interventions import AT_SITE, Intervention
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
    interventions: Sequence[Intervention | None] = (None,),
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
        What is done to the respondent before it answers; None for nothing.
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
        2021), in ``logit`` mode only. They are put once for each intervention, without a role and
        without what it tells: what is said to them in a role says more about the role than about
        the liking for yes. The subtraction cancels in the scores of values that are keyed both ways
        alike.
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
    TypeError
        If an intervention is none.
    ValueError
        If there are no roles or interventions, two of them share a name, a shift does not fit the
        model, the site of a shift is not to be found in the prompt, an option is out of range, or
        the tokenizer lacks a word or has no one-token yes or no.
    MemoryError
        If the GPU's memory does not suffice for one prompt.

    References
    ----------
    Zhao, Z., Wallace, E., Feng, S., Klein, D., & Singh, S. (2021). Calibrate before use: improving
    few-shot performance of language models. ICML.
    """
    roles, interventions = list(roles), list(interventions)
    role_names = [NO_ROLE if r is None else r.name for r in roles]
    for intervention in interventions:
        check_intervention(intervention, respondent)
    names = [NO_INTERVENTION if i is None else i.name for i in interventions]
    check_names(role_names, "role")
    check_names(names, "intervention")
    _check_options(mode, prior, max_new_tokens, batch_tokens)
    shifts = [() if i is None else i.shifts for i in interventions]
    texts = ["" if i is None else i.text.strip() for i in interventions]
    if fmt is None:
        fmt = PromptFormat(think=mode == "generate")
    prefill = THOUGHT_PREFIX if mode == "generate" and fmt.think else ANSWER_PREFIX
    items = inventory.items
    reader = AnswerReader.for_tokenizer(respondent.tokenizer)

    def ask(
        questions: Sequence[str],
        roles: Sequence[Role | None],
        texts: Sequence[str],
        *,
        progress: bool = False,
    ) -> Given:
        distinct = list(dict.fromkeys(texts))
        told = [told_role(role, text) for role in roles for text in distinct]
        at_site = any(shift.where in AT_SITE for of_one in shifts for shift in of_one)
        asker = CellAsker(
            respondent=respondent,
            reader=reader,
            prompts=encode_prompts(
                respondent, questions, told, fmt=fmt, prefill=prefill, find_sites=at_site
            ),
            max_new_tokens=max_new_tokens if mode == "generate" else 0,
            prefilled=prefill == ANSWER_PREFIX,
        )
        cells = [
            (r * len(distinct) + distinct.index(text), of_one)
            for r in range(len(roles))
            for text, of_one in zip(texts, shifts, strict=True)
        ]
        return asker.ask_all(cells, batch_tokens, progress=progress)

    given = ask(list(items["text"]), roles, texts, progress=progress)
    n, n_cells = len(items), len(roles) * len(interventions)
    frame = pd.DataFrame(
        {
            "model": respondent.name,
            "role": np.repeat(role_names, len(interventions) * n),
            "intervention": np.tile(np.repeat(names, n), len(roles)),
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
        untold = [""] * len(texts)
        said = ask(CONTENT_FREE, [None], untold).log_odds.mean(1)  # by intervention
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


def told_role(role: Role | None, text: str) -> Role | None:
    """Return the role at the end of which a text is told; without a role, the text is one.

    Parameters
    ----------
    role
        Who the respondent is asked to be; None for itself.
    text
        What is told; empty for nothing.
    """
    if not text:
        return role
    return Role(NO_ROLE, text) if role is None else replace(role, text=f"{role.text} {text}")


def check_intervention(intervention: Intervention | None, respondent: Respondent) -> None:
    """Refuse what is no intervention, and shifts that do not fit the model.

    Parameters
    ----------
    intervention
        What is to be done to the respondent; None for nothing.
    respondent
        Whose layers and width it must fit.

    Raises
    ------
    TypeError
        If it is no intervention.
    ValueError
        If a shift's layer does not exist, or its vector is of another width.
    """
    if not isinstance(intervention, Intervention | None):
        raise TypeError(
            f"{intervention!r} is no intervention; give a Shift, a Told, a Combination of them, or "
            "None for nothing"
        )
    for shift in () if intervention is None else intervention.shifts:
        part = "" if shift is intervention else f" of {intervention.name!r}"
        if not 0 <= shift.layer < respondent.n_layers:
            raise ValueError(
                f"shift {shift.name!r}{part} acts after layer {shift.layer}, which does not exist; "
                f"{respondent.name} has layers 0 ... {respondent.n_layers - 1}"
            )
        if shift.vector.shape != (respondent.width,):
            raise ValueError(
                f"shift {shift.name!r}{part} has {len(shift.vector)} coordinates, but the residual "
                f"stream of {respondent.name} has {respondent.width}"
            )
