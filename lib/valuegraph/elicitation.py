"""The door to a model: every role is asked every question under every intervention.

In ``logit`` mode an answer is read where it begins: log-odds of yes against no after the prefilled
word ``Answer:``. In ``generate`` mode the respondent writes, as in Kang et al. (2025), and the
answer is parsed from the text. Everything that comes after takes the table of answers.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from valuegraph.answers import COLUMNS, LOW_MASS, NO_INTERVENTION
from valuegraph.encoding import encode_prompts
from valuegraph.forward import ANSWER, ask
from valuegraph.interventions import AT_SITE, Intervention
from valuegraph.inventory import Inventory
from valuegraph.models import Respondent
from valuegraph.prompts import ANSWER_PREFIX, THOUGHT_PREFIX, PromptFormat
from valuegraph.reading import AnswerReader, read_answers, write_answers
from valuegraph.roles import NO_ROLE, Role
from valuegraph.tables import require, require_known, require_whole

#: How an answer is got: read where it begins, or parsed from what is written.
MODES = ("logit", "generate")

#: Questions without content: what a respondent answers to them is a habit, not a value.
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
    formats: PromptFormat | Sequence[PromptFormat] | None = None,
    mode: str = "logit",
    prior: bool = False,
    max_new_tokens: int = 100,
    batch_tokens: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Ask every role every item under every intervention, in every format.

    Parameters
    ----------
    respondent : Respondent
        Who answers.
    inventory : Inventory
        What is asked.
    roles : sequence of Role or None
        Who the respondent is asked to be; None for itself.
    interventions : sequence of Intervention or None
        What is done to the respondent before it answers; None for nothing.
    formats : PromptFormat or sequence of them, optional
        How the questions are put. By default the plain instruction, yes named first; in
        ``generate`` mode it asks for a thought before the answer.
    mode : str
        ``"logit"`` reads the log-odds where the answer begins; ``"generate"`` lets the respondent
        write and parses the answer.
    prior : bool
        Whether to subtract the mean log-odds of yes to `CONTENT_FREE` questions (after Zhao et al.,
        2021), in ``logit`` mode. They are put once for each intervention, without a role and
        without its text, which would tell more about the role than about the liking for yes.
    max_new_tokens : int
        Longest text written, in ``generate`` mode.
    batch_tokens : int, optional
        Tokens of questions that are run at a time; by default what suits the device. Where memory
        runs out, half of it is tried. The answers depend on it by rounding alone (1e-5).
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    pandas.DataFrame
        Answers with the columns of `valuegraph.answers`, ordered by format, role, intervention and
        item.

    References
    ----------
    Zhao, Z., Wallace, E., Feng, S., Klein, D., & Singh, S. (2021). Calibrate before use: improving
    few-shot performance of language models. ICML.
    """
    roles, interventions = list(roles), list(interventions)
    if formats is None or isinstance(formats, PromptFormat):
        formats = [formats or PromptFormat(think=mode == "generate")]
    pairs = [text_and_shifts(one, respondent) for one in interventions]
    check_options(mode, prior, max_new_tokens, 1 if batch_tokens is None else batch_tokens)
    role_names, names = names_of(roles, NO_ROLE), names_of(interventions, NO_INTERVENTION)
    check_names([fmt.name for fmt in formats], "format")
    reader, writes, items = AnswerReader.of(respondent), mode == "generate", inventory.items
    read = partial(read_answers, reader=reader)
    cells = pd.DataFrame({"role": role_names}).merge(pd.DataFrame({"intervention": names}), "cross")
    asked = cells.merge(items[["item", "value", "key"]], "cross").assign(model=respondent.name)
    frames = []
    for fmt in formats:
        thought = writes and fmt.think
        prefill = THOUGHT_PREFIX if thought else ANSWER_PREFIX
        if writes:
            options = {"max_new_tokens": max_new_tokens, "prefilled": not thought}
            read = partial(write_answers, reader=reader, respondent=respondent, **options)
        settings = {"read": read, "writes": writes, "batch_tokens": batch_tokens}
        ask_in = partial(_ask, respondent, fmt=fmt, prefill=prefill, **settings)
        answers = ask_in(list(items["text"]), roles, pairs, progress=progress)
        frame = asked.assign(format=fmt.name, **{c: answers[c].ravel() for c in ANSWER.names})
        if prior:
            free = ask_in(CONTENT_FREE, [None], [("", shifts) for _, shifts in pairs])
            by_cell = np.tile(free["log_odds"].mean(axis=1), len(roles))
            frame["prior"] = np.repeat(by_cell, len(items))
            frame["log_odds"] -= frame["prior"]
            frame["answer"] = np.sign(frame["log_odds"]).astype(np.int8)
        frames.append(frame)
    columns = [*COLUMNS, *(["prior"] if prior else []), *(["text"] if writes else [])]
    answers = pd.concat(frames, ignore_index=True)[columns]
    _warn_of_doubtful(answers, mode)
    return answers


def _ask(respondent, questions, roles, pairs, *, fmt, prefill, **settings) -> np.ndarray:
    """Ask in one format under pairs of text and shifts: ``(roles * pairs, questions)``."""
    texts = list(dict.fromkeys(text for text, _ in pairs))  # roles with one text share a prompt
    at_site = any(shift.where in AT_SITE for _, shifts in pairs for shift in shifts)
    with_texts = [with_text(role, text) for role in roles for text in texts]
    prompts = encode_prompts(respondent, questions, with_texts, fmt, prefill, find_sites=at_site)
    firsts = range(0, len(with_texts), len(texts))
    cells = [(first + texts.index(text), shifts) for first in firsts for text, shifts in pairs]
    return ask(respondent, prompts, cells, **settings)


def names_of(entries: Sequence, none: str) -> list[str]:
    """Names of roles or interventions as they label answers."""
    names = [none if entry is None else entry.name for entry in entries]
    if none != NO_ROLE and None not in entries and none in names:
        raise ValueError(f"{none!r} is the name of None in tables; give it another name")
    check_names(names, "role" if none == NO_ROLE else "intervention")
    return names


def check_names(names: Sequence[str], what: str) -> None:
    """Refuse names of roles, interventions or formats that cannot label answers."""
    require(names, f"no {what}s given; give at least one, such as [None] for none")
    if odd := [n for n in names if not isinstance(n, str) or not n.strip()]:
        raise ValueError(f"{odd[0]!r} cannot label answers; give every {what} a name")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two {what}s are called {twice!r}; names label the answers, rename one")


def check_options(mode: str, prior: bool, max_new_tokens: int, batch_tokens: int) -> None:
    """Refuse options of `elicit` that are out of range."""
    require_known(mode, MODES, "mode")
    require(not prior or mode == "logit", "a prior is subtracted from log-odds; use mode='logit'")
    require_whole(max_new_tokens, 1, "max_new_tokens")
    require_whole(batch_tokens, 1, "batch_tokens")


def text_and_shifts(one: Intervention | None, respondent: Respondent) -> tuple[str, tuple]:
    """Text and shifts of an intervention; refuses what is none, and shifts that do not fit."""
    if one is None:
        return "", ()
    if not isinstance(one, Intervention):
        raise TypeError(f"{one!r} is no Shift, Sentence or Combination of them, nor None")
    layers, width, name = respondent.n_layers, respondent.width, respondent.name
    for shift in one.shifts:
        if not 0 <= shift.layer < layers or shift.vector.shape != (width,):
            has = f"has {len(shift.vector)} coordinates and acts after layer {shift.layer}"
            fits = f"{name} has the width {width} and the layers 0 ... {layers - 1}"
            raise ValueError(f"shift {shift.name!r} {has}; {fits}")
    return one.text.strip(), one.shifts


def with_text(role: Role | None, text: str) -> Role | None:
    """Return the role with a text at its end; without a role, the text is one."""
    if not text:
        return role
    return Role(NO_ROLE, text) if role is None else replace(role, text=f"{role.text} {text}")


def _warn_of_doubtful(answers: pd.DataFrame, mode: str) -> None:
    """Warn where log-odds of yes against no leave out most of what would be answered."""
    share, what = (answers["answer"] == 0).mean(), "hold no answer by the rules of parsing"
    if mode == "logit":
        share = (answers["mass"] < LOW_MASS).mean()
        what = f"have less than {LOW_MASS:g} of their probability on yes and no"
    if share > TOLERATED:
        advice = "their scores may mean little. Try another format, and compare both modes"
        doubt = f"{share:.0%} of the answers of {answers['model'].iloc[0]} {what}; {advice}"
        warnings.warn(doubt, DoubtfulAnswers, stacklevel=3)
