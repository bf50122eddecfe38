"""The door to a model: every role is asked every question under every intervention.

In ``logit`` mode an answer is read where it begins: log-odds of yes against no after the prefilled
word ``Answer:``. In ``generate`` mode the respondent writes, as in Kang et al. (2025), and the
answer is parsed from the text. Everything that comes after takes the table of answers.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from rich.progress import Progress

from valuegraph.answers import COLUMNS, LOW_MASS, NO_INTERVENTION
from valuegraph.encoding import EncodedPrompts, encode_prompts, pad_left
from valuegraph.forward import (
    SLACK,
    Rows,
    SplitForward,
    buckets,
    default_batch_tokens,
    shared_layers,
    with_back_off,
)
from valuegraph.hooks import RowShifts, tokens_of_places
from valuegraph.interventions import AT_SITE, Intervention
from valuegraph.inventory import Inventory
from valuegraph.models import Respondent
from valuegraph.prompts import ANSWER_PREFIX, THOUGHT_PREFIX, PromptFormat
from valuegraph.reading import AnswerReader, write
from valuegraph.roles import NO_ROLE, Role
from valuegraph.shared_prefix import can_share, run_prefixes

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
    respondent
        Who answers.
    inventory
        What is asked.
    roles
        Who the respondent is asked to be; None for itself.
    interventions
        What is done to the respondent before it answers; None for nothing.
    formats
        How the questions are put. By default the plain instruction, yes named first; in
        ``generate`` mode it asks for a thought before the answer.
    mode
        ``"logit"`` reads the log-odds where the answer begins; ``"generate"`` lets the respondent
        write and parses the answer.
    prior
        Whether to subtract the mean log-odds of yes to `CONTENT_FREE` questions (after Zhao et al.,
        2021), in ``logit`` mode. They are put once for each intervention, without a role and
        without its text, which would tell more about the role than about the liking for yes.
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
    for one in interventions:
        check_intervention(one, respondent)
    check_names(role_names(roles), "role")
    check_names(intervention_names(interventions), "intervention")
    check_names([fmt.name for fmt in formats], "format")
    check_options(mode, prior, max_new_tokens, 1 if batch_tokens is None else batch_tokens)
    options = (max_new_tokens if mode == "generate" else 0, batch_tokens)
    names, n = intervention_names(interventions), len(inventory.items)
    items, frames = inventory.items, []
    for fmt in formats:
        asked = _ask(respondent, items["text"], roles, interventions, fmt, *options, progress)
        columns = {
            "model": respondent.name,
            "role": np.repeat(role_names(roles), len(names) * n),
            "intervention": np.tile(np.repeat(names, n), len(roles)),
            "format": fmt.name,
            **{c: np.tile(items[c], len(roles) * len(names)) for c in ("value", "item", "key")},
            **{name: array.ravel() for name, array in asked.items()},
        }
        frame = pd.DataFrame(columns, columns=list(COLUMNS))
        if prior:
            empty = _ask(
                respondent, CONTENT_FREE, [None], interventions, fmt, *options, texts=False
            )["log_odds"].mean(1)
            frame["prior"] = np.tile(np.repeat(empty, n), len(roles))
            frame["log_odds"] -= frame["prior"]
            frame["answer"] = np.sign(frame["log_odds"]).astype(np.int8)
        if mode == "generate":
            frame["text"] = columns["text"]
        frames.append(frame)
    answers = pd.concat(frames, ignore_index=True)
    _warn_of_doubtful(answers, mode)
    return answers


def role_names(roles: Sequence[Role | None]) -> list[str]:
    """Names of roles as the answers have them."""
    return [NO_ROLE if role is None else role.name for role in roles]


def intervention_names(interventions: Sequence[Intervention | None]) -> list[str]:
    """Names of interventions as the answers have them."""
    return [NO_INTERVENTION if one is None else one.name for one in interventions]


def check_names(names: Sequence[str], what: str) -> None:
    """Refuse names that cannot label answers."""
    if not names:
        raise ValueError(f"no {what}s given; give at least one (None stands for no {what})")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"two {what}s are called {name!r}; names label the answers, so rename one"
            )


def check_options(mode: str, prior: bool, max_new_tokens: int, batch_tokens: int) -> None:
    """Refuse options of `elicit` that are out of range."""
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}; known are {', '.join(MODES)}")
    if prior and mode != "logit":
        raise ValueError("a prior can be subtracted from log-odds only; use mode='logit'")
    for name, number in (("max_new_tokens", max_new_tokens), ("batch_tokens", batch_tokens)):
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")


def check_intervention(one: Intervention | None, respondent: Respondent) -> None:
    """Refuse what is no intervention, and shifts that do not fit the model."""
    if not isinstance(one, Intervention | None):
        raise TypeError(
            f"{one!r} is no intervention; give a Shift, a Sentence, a Combination of them, or None"
        )
    for shift in () if one is None else one.shifts:
        if not 0 <= shift.layer < respondent.n_layers:
            raise ValueError(
                f"shift {shift.name!r} acts after layer {shift.layer}, which does not exist; "
                f"{respondent.name} has layers 0 ... {respondent.n_layers - 1}"
            )
        if shift.vector.shape != (respondent.width,):
            raise ValueError(
                f"shift {shift.name!r} has {len(shift.vector)} coordinates, but the residual "
                f"stream of {respondent.name} has {respondent.width}"
            )


def with_text(role: Role | None, text: str) -> Role | None:
    """Return the role with a text at its end; without a role, the text is one."""
    if not text:
        return role
    return Role(NO_ROLE, text) if role is None else replace(role, text=f"{role.text} {text}")


def _warn_of_doubtful(answers: pd.DataFrame, mode: str) -> None:
    """Warn where log-odds of yes against no leave out most of what would be answered."""
    if mode == "generate":
        share, what = (answers["answer"] == 0).mean(), "hold no answer by the rules of parsing"
    else:
        share = (answers["mass"] < LOW_MASS).mean()
        what = f"have less than {LOW_MASS:g} of their probability on yes and no"
    if share > TOLERATED:
        warnings.warn(
            f"{share:.0%} of the answers of {answers['model'].iloc[0]} {what}; their scores may "
            "mean little. Try another format, and compare both modes",
            DoubtfulAnswers,
            stacklevel=3,
        )


def _ask(
    respondent: Respondent,
    questions: Sequence[str],
    roles: Sequence[Role | None],
    interventions: Sequence[Intervention | None],
    fmt: PromptFormat,
    max_new_tokens: int,
    batch_tokens: int | None,
    progress: bool = False,
    texts: bool = True,
) -> dict[str, np.ndarray]:
    """Ask in one format; answer, log_odds, mass and text by cell and question.

    Cells are ordered by role, then by intervention. Roles under the same text share a prompt.
    """
    of_one = [one.text.strip() if one is not None and texts else "" for one in interventions]
    shifts = [() if one is None else one.shifts for one in interventions]
    distinct = list(dict.fromkeys(of_one))
    prefill = THOUGHT_PREFIX if max_new_tokens and fmt.think else ANSWER_PREFIX
    prompts = encode_prompts(
        respondent,
        list(questions),
        [with_text(role, text) for role in roles for text in distinct],
        fmt=fmt,
        prefill=prefill,
        find_sites=any(shift.where in AT_SITE for of_cell in shifts for shift in of_cell),
    )
    cells = [
        (r * len(distinct) + distinct.index(text), of_cell)
        for r in range(len(roles))
        for text, of_cell in zip(of_one, shifts, strict=True)
    ]
    shape = (len(cells), len(questions))
    result = {
        "answer": np.zeros(shape, np.int8),
        "log_odds": np.full(shape, np.nan),
        "mass": np.full(shape, np.nan),
        "text": np.full(shape, "", dtype=object),
    }
    reader = AnswerReader.of(respondent)

    def answer(rows: Rows, shape: tuple[int, ...], into: tuple) -> None:
        """Read or write the answers of some rows, and put them where they belong."""
        if max_new_tokens:
            ended = prefill == ANSWER_PREFIX
            text, sign, log_odds, mass = write(
                respondent, reader, rows, max_new_tokens=max_new_tokens, prefilled=ended
            )
            result["text"][into] = np.array(text, dtype=object).reshape(shape)
        else:
            log_odds, mass = (x.cpu().numpy() for x in reader.read(rows.read()))
            sign = np.sign(log_odds)
        for name, array in (("answer", sign), ("log_odds", log_odds), ("mass", mass)):
            result[name][into] = array.reshape(shape)

    share = not prompts.whole and can_share(respondent.model)
    groups = [(None, list(range(len(cells))))]
    if share and not max_new_tokens:
        groups = shared_layers(cells, respondent.n_layers)
    budget = batch_tokens or default_batch_tokens(respondent)
    with Progress(disable=not progress) as bar:
        task = bar.add_task("asking", total=len(cells))
        for layer, numbers in groups:
            split = None if layer is None else SplitForward(respondent.model, prompts, layer)
            start = 0
            while start < len(numbers):

                def ask(tokens: int, left=numbers[start:], split=split) -> int:
                    taken = left[: _cells_at_once(prompts, tokens, share)]
                    batch = [cells[number] for number in taken]
                    if share:
                        slack = math.inf if max_new_tokens else SLACK
                        _ask_shared(respondent, prompts, batch, taken, tokens, slack, split, answer)
                    else:
                        _ask_whole(respondent, prompts, batch, taken, tokens, answer)
                    return len(taken)

                size, budget = with_back_off(ask, budget)
                start += size
                bar.advance(task, size)
    return result


def _cells_at_once(prompts: EncodedPrompts, budget: int, share: bool) -> int:
    """How many cells a budget of tokens allows, one at least."""
    own, longest = sum(map(len, prompts.suffixes)), max(map(len, prompts.prefixes))
    return max(1, budget // (max(own, longest) if share else own + longest * len(prompts.suffixes)))


def _ask_shared(respondent, prompts, batch, numbers, budget, slack, split, answer) -> None:
    """Run the prefixes of some cells, then all questions behind them.

    Reading costs by the token, padding included, so that rows of one length go together; writing
    costs by the step, whatever came before.
    """
    model, resume = respondent.model, None
    of_cells, shifts = [p for p, _ in batch], RowShifts([s for _, s in batch], respondent.device)
    if split is None:
        padded = pad_left([prompts.prefixes[p] for p in of_cells], respondent.device)
        places = tokens_of_places(
            padded.mask, [prompts.sites[p] for p in of_cells if prompts.sites]
        )
        with shifts.acting(model, places):
            prefix = run_prefixes(model, padded.ids, padded.mask, padded.positions)
    else:
        split.prepare(of_cells, budget)
        prefix = split.prefixes(of_cells, shifts)
    lengths = [len(ids) for ids in prompts.suffixes]
    for group in buckets(lengths, budget=budget, copies=len(batch), slack=slack):
        ids = [prompts.suffixes[q] for _ in batch for q in group]
        cell_of_row = torch.arange(len(ids), device=model.device) // len(group)
        if split is not None:
            resume = (split.layer, split.states(of_cells, group))
        rows = Rows(model, ids, prefix, shifts=shifts.take(cell_of_row), resume=resume)
        answer(rows, (len(batch), len(group)), np.ix_(numbers, group))


def _ask_whole(respondent, prompts, batch, numbers, budget, answer) -> None:
    """Ask whole prompts, where prefixes cannot be shared."""
    shifts = RowShifts([s for _, s in batch], respondent.device)
    pairs = [(c, q) for c in range(len(batch)) for q in range(len(prompts.suffixes))]
    ids = [prompts.row(batch[c][0], q) for c, q in pairs]
    for group in buckets([len(row) for row in ids], budget=budget):
        cell_of_row, questions = np.array([pairs[i] for i in group]).T
        rows = Rows(
            respondent.model,
            [ids[i] for i in group],
            shifts=shifts.take(torch.tensor(cell_of_row, device=respondent.device)),
            sites=[prompts.sites[batch[c][0]] for c in cell_of_row if prompts.sites],
        )
        answer(rows, (len(group),), (np.array(numbers)[cell_of_row], questions))
