"""Asking cells in batches: shared prefixes where they can be, whole prompts elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rich.progress import Progress

from valuegraph.asking.batching import SLACK, buckets, default_batch_tokens, with_back_off
from valuegraph.asking.encoding import EncodedPrompts, pad_left
from valuegraph.asking.generation import write
from valuegraph.asking.readout import AnswerReader
from valuegraph.asking.row_shifts import RowShifts, tokens_of_places
from valuegraph.asking.rows import Rows
from valuegraph.asking.shared_prefix import can_share, run_prefixes
from valuegraph.asking.split_forward import SplitForward
from valuegraph.interventions import Shift
from valuegraph.models import Respondent

#: A prompt's number and the shifts under which it is asked.
Cell = tuple[int, tuple[Shift, ...]]


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
    """Asks cells: a prompt under some shifts, each of them all questions.

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
        self, cells: Sequence[Cell], batch_tokens: int | None, *, progress: bool = False
    ) -> Given:
        """Ask cells in batches.

        Parameters
        ----------
        cells
            Pairs of a prompt's number and its shifts.
        batch_tokens
            Tokens at a time to begin with; None for what suits the device.
        progress
            Whether to show a progress bar.
        """
        given = Given.empty(len(cells), len(self.prompts.suffixes))
        budget = batch_tokens or default_batch_tokens(self.respondent)
        with Progress(disable=not progress) as bar:
            task = bar.add_task("asking", total=len(cells))
            for layer, numbers in self._groups(cells):
                split = None
                if layer is not None:
                    split = SplitForward(self.respondent.model, self.prompts, layer)
                start = 0
                while start < len(numbers):

                    def ask(tokens: int, left=numbers[start:], split=split) -> int:
                        return self._ask_some(cells, left, tokens, given, split)

                    size, budget = with_back_off(ask, budget)
                    start += size
                    bar.advance(task, size)
        return given

    @property
    def _shared(self) -> bool:
        return self.prompts.joined and can_share(self.respondent.model)

    def _groups(self, cells: Sequence[Cell]) -> list[tuple[int | None, list[int]]]:
        """Group the numbers of cells by the layer up to which they share what they can.

        None stands for cells that share nothing. All but the last layer can be shared, by cells of
        one prompt in ``logit`` mode. What is not shifted goes with the highest layer.
        """
        lowest = [min((s.layer for s in shifts), default=None) for _, shifts in cells]
        below_last = {k for k in lowest if k is not None and k < self.respondent.n_layers - 1}
        if not (below_last and self._shared) or self.max_new_tokens:
            return [(None, list(range(len(cells))))]
        highest = max(below_last)
        groups: dict[int | None, list[int]] = {None: []}
        for number, layer in enumerate(lowest):
            groups.setdefault(highest if layer is None or layer > highest else layer, []).append(
                number
            )
        for layer in below_last:
            if len({cells[n][0] for n in groups[layer]}) == len(groups[layer]):
                groups[None] = sorted(groups[None] + groups.pop(layer))
        for numbers in groups.values():
            numbers.sort(key=lambda n: cells[n][0])  # cells of one prompt stand together
        return list(groups.items())

    def _ask_some(
        self,
        cells: Sequence[Cell],
        left: Sequence[int],
        budget: int,
        given: Given,
        split: SplitForward | None,
    ) -> int:
        """Ask as many of the cells that are left as the budget allows; return how many."""
        prompts = self.prompts
        own = sum(map(len, prompts.suffixes))
        longest = max(map(len, prompts.prefixes))
        size = max(
            1,
            budget
            // (max(own, longest) if self._shared else own + longest * len(prompts.suffixes)),
        )
        numbers = np.array(left[:size])
        of_cells = [cells[n][0] for n in numbers]
        shifts = RowShifts([cells[n][1] for n in numbers], self.respondent.device)
        if self._shared:
            self._ask_shared(numbers, of_cells, shifts, budget, given, split)
        else:
            self._ask_whole(numbers, of_cells, shifts, budget, given)
        return len(numbers)

    def _ask_shared(
        self,
        numbers: np.ndarray,
        of_cells: list[int],
        shifts: RowShifts,
        budget: int,
        given: Given,
        split: SplitForward | None,
    ) -> None:
        """Run the prefixes of some cells, then all questions behind them."""
        model, prompts, resume = self.respondent.model, self.prompts, None
        if split is None:
            padded = pad_left([prompts.prefixes[p] for p in of_cells], self.respondent.device)
            places = tokens_of_places(padded.mask, self._sites(of_cells))
            with shifts.acting(model, places):
                prefix = run_prefixes(model, padded.ids, padded.mask, padded.positions)
        else:
            split.prepare(of_cells, budget)
            prefix = split.prefixes(of_cells, shifts)
        lengths = [len(ids) for ids in prompts.suffixes]
        # Reading costs by the token, padding included; writing by the step, whatever came before.
        slack = math.inf if self.max_new_tokens else SLACK
        for group in buckets(lengths, budget=budget, copies=len(of_cells), slack=slack):
            ids = [prompts.suffixes[q] for _ in of_cells for q in group]
            cell_of_row = torch.arange(len(ids), device=model.device) // len(group)
            if split is not None:
                resume = (split.layer, split.states(of_cells, group))
            rows = Rows(model, ids, prefix, shifts=shifts.take(cell_of_row), resume=resume)
            self._answer(rows, (len(of_cells), len(group)), np.ix_(numbers, group), given)

    def _ask_whole(
        self,
        numbers: np.ndarray,
        of_cells: list[int],
        shifts: RowShifts,
        budget: int,
        given: Given,
    ) -> None:
        """Ask whole prompts, where prefixes cannot be shared."""
        model = self.respondent.model
        pairs = [(c, q) for c in range(len(of_cells)) for q in range(len(self.prompts.suffixes))]
        rows = [self.prompts.row(of_cells[c], q) for c, q in pairs]
        for group in buckets([len(ids) for ids in rows], budget=budget):
            cell_of_row, questions = np.array([pairs[i] for i in group]).T
            asked = Rows(
                model,
                [rows[i] for i in group],
                shifts=shifts.take(torch.tensor(cell_of_row, device=model.device)),
                sites=self._sites([of_cells[c] for c in cell_of_row]),
            )
            self._answer(asked, (len(group),), (numbers[cell_of_row], questions), given)

    def _sites(self, prompts: Sequence[int]) -> list[range]:
        """Tokens of the site in some prompts; none where it was not looked for."""
        return [self.prompts.sites[p] for p in prompts] if self.prompts.sites else []

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
