"""Asking cells in batches: shared prefixes where they can be, whole prompts elsewhere."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from rich.progress import Progress

from valuegraph.asking.batching import SLACK, buckets, default_batch_tokens, with_back_off
from valuegraph.asking.encoding import EncodedPrompts, pad_left
from valuegraph.asking.generation import write
from valuegraph.asking.readout import AnswerReader
from valuegraph.asking.rows import Rows
from valuegraph.asking.shared_prefix import can_share, run_prefixes
from valuegraph.hooks import shifted_rows
from valuegraph.interventions import Shift
from valuegraph.models import Respondent


@dataclass
class Given:
    """What was answered, each of shape ``(cells, questions)``.

    Attributes
    ----------
    answer
        +1 yes, -1 no, 0 unsure.
    log_odds, mass
        Read where the answer begins, NaN where none was found.
    text
        What was written.
    """

    answer: np.ndarray
    log_odds: np.ndarray
    mass: np.ndarray
    text: np.ndarray

    @classmethod
    def empty(cls, cells: int, questions: int) -> Given:
        """Make room for answers."""
        shape = (cells, questions)
        return cls(
            np.zeros(shape, np.int8),
            np.full(shape, np.nan),
            np.full(shape, np.nan),
            np.full(shape, "", dtype=object),
        )


@dataclass(frozen=True)
class CellAsker:
    """Asks cells: a role under an intervention, each of them all questions.

    Attributes
    ----------
    respondent
        Whom to ask.
    reader
        Reads the answers.
    prompts
        Of all roles and questions.
    max_new_tokens
        Longest text written; 0 to read the answer where the prompt ends.
    prefilled
        Whether the prompts end in "Answer:".
    """

    respondent: Respondent
    reader: AnswerReader
    prompts: EncodedPrompts
    max_new_tokens: int
    prefilled: bool = True

    def ask_all(
        self, cells: list[tuple[int, Shift | None]], batch_tokens: int | None, *, progress: bool
    ) -> Given:
        """Ask cells in batches.

        Parameters
        ----------
        cells
            Pairs of a role's number and a shift or None.
        batch_tokens
            Tokens at a time to begin with; None for what suits the device.
        progress
            Whether to show a progress bar.
        """
        given = Given.empty(len(cells), len(self.prompts.suffixes))
        budget = batch_tokens or default_batch_tokens(self.respondent)
        start = 0
        with Progress(disable=not progress) as bar:
            task = bar.add_task("asking", total=len(cells))
            while start < len(cells):
                size, budget = with_back_off(
                    lambda tokens, start=start: self._ask_some(cells, start, tokens, given), budget
                )
                start += size
                bar.update(task, completed=start)
        return given

    def _ask_some(self, cells: list, start: int, budget: int, given: Given) -> int:
        """Ask as many cells as the budget allows; return how many."""
        prompts = self.prompts
        shared = prompts.joined and can_share(self.respondent.model)
        own = sum(map(len, prompts.suffixes))
        longest = max(map(len, prompts.prefixes))
        size = max(
            1, budget // (max(own, longest) if shared else own + longest * len(prompts.suffixes))
        )
        batch = cells[start : start + size]
        if shared:
            self._ask_shared(batch, start, budget, given)
        else:
            self._ask_whole(batch, start, budget, given)
        return len(batch)

    def _ask_shared(self, batch: list, start: int, budget: int, given: Given) -> None:
        """Run the prefixes of some cells, then all questions behind them."""
        model, prompts = self.respondent.model, self.prompts
        padded = pad_left([prompts.prefixes[r] for r, _ in batch], self.respondent.device)
        with self._shifted(batch, padded.mask):
            prefix = run_prefixes(model, padded.ids, padded.mask, padded.positions)
        lengths = [len(ids) for ids in prompts.suffixes]
        # Reading costs by the token, padding included; writing by the step, whatever came before.
        slack = math.inf if self.max_new_tokens else SLACK
        for group in buckets(lengths, budget=budget, copies=len(batch), slack=slack):
            ids = [prompts.suffixes[q] for _ in batch for q in group]
            into = np.ix_(range(start, start + len(batch)), group)
            self._answer(Rows(model, ids, prefix), (len(batch), len(group)), into, given)

    def _ask_whole(self, batch: list, start: int, budget: int, given: Given) -> None:
        """Ask whole prompts, where prefixes cannot be shared."""
        pairs = [(c, q) for c in range(len(batch)) for q in range(len(self.prompts.suffixes))]
        rows = [self.prompts.row(batch[c][0], q) for c, q in pairs]
        for group in buckets([len(ids) for ids in rows], budget=budget):
            ids = [rows[i] for i in group]
            cells, questions = np.array([pairs[i] for i in group]).T
            mask = pad_left(ids, self.respondent.device).mask
            with self._shifted([batch[c] for c in cells], mask):
                asked = Rows(self.respondent.model, ids)
                self._answer(asked, (len(group),), (start + cells, questions), given)

    def _answer(self, rows: Rows, shape: tuple[int, ...], into: tuple, given: Given) -> None:
        """Read or write the answers of some rows, and put them where they belong."""
        if self.max_new_tokens:
            written = write(
                self.respondent,
                self.reader,
                rows,
                int(np.prod(shape)),
                max_new_tokens=self.max_new_tokens,
                prefilled=self.prefilled,
            )
            given.text[into] = np.array(written.text, dtype=object).reshape(shape)
            answer, log_odds, mass = written.answer, written.log_odds, written.mass
        else:
            log_odds, mass = self.reader.read(rows.read())
            answer = np.sign(log_odds)
        given.answer[into] = answer.reshape(shape)
        given.log_odds[into], given.mass[into] = log_odds.reshape(shape), mass.reshape(shape)

    def _shifted(self, batch: list, mask: torch.Tensor) -> AbstractContextManager:
        """Context in which the shift of every row acts at its site."""
        sites = self.prompts.sites or [0] * len(self.prompts.prefixes)
        columns = (~mask).sum(1) + torch.tensor([sites[r] for r, _ in batch], device=mask.device)
        return shifted_rows(self.respondent.model, [shift for _, shift in batch], columns)
