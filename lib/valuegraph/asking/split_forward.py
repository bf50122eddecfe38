"""The forward pass of steering, split: lower layers once for each prompt, upper ones for each cell.

A shift after layer ``l`` changes nothing at or below ``l``, wherever it acts. Cells with the same
prompt and different shifts hence share the states after layer ``l`` of prefix and questions, and
the attention keys below: these are computed once, and only the layers above are run for each cell.
With ``n`` layers that is at most ``n / (n - l - 1)`` times as fast: 3.6 for Gemma-2B shifted after
layer 12, 5.3 for Llama-3-8B after layer 25.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from valuegraph.asking.batching import buckets
from valuegraph.asking.encoding import EncodedPrompts, Padded, pad_left
from valuegraph.asking.row_shifts import RowShifts, tokens_of_places
from valuegraph.asking.rows import Rows
from valuegraph.asking.shared_prefix import SharedPrefix, run_prefixes
from valuegraph.hooks import recorded, resumed_after, stopped_after


class SplitForward:
    """Runs the lower layers for some prompts, and hands out where the upper ones begin.

    Parameters
    ----------
    model
        A model that can share prefixes.
    prompts
        Of all cells, joined from prefixes and suffixes.
    layer
        The last one that is shared; not the model's last.
    """

    def __init__(self, model: PreTrainedModel, prompts: EncodedPrompts, layer: int) -> None:
        self._model, self._prompts, self.layer = model, prompts, layer
        self._kept: list[int] = []  # prompts whose states are there
        self._padded: Padded
        self._before: torch.Tensor  # of the prefixes: (prompts, columns, width)
        self._own: (
            torch.Tensor
        )  # of the suffixes, padded left: (prompts, questions, columns, width)

    @torch.inference_mode()
    def prepare(self, prompts: Sequence[int], budget: int) -> None:
        """Run the lower layers for some prompts, unless that is done.

        Parameters
        ----------
        prompts
            Their numbers, any number of times.
        budget
            Tokens in a batch.
        """
        if set(prompts) <= set(self._kept):
            return
        self._kept = []  # until all is there
        numbers, model = sorted(set(prompts)), self._model
        suffixes = self._prompts.suffixes
        lengths = [len(ids) for ids in suffixes]
        padded = pad_left([self._prompts.prefixes[p] for p in numbers], model.device)
        with stopped_after(model, self.layer), recorded(model, self.layer) as states:
            prefix = run_prefixes(model, padded.ids, padded.mask, padded.positions)
            before = states.pop()
            own = before.new_zeros(len(numbers), len(suffixes), max(lengths), before.shape[-1])
            for group in buckets(lengths, budget=budget, copies=len(numbers)):
                Rows(model, [suffixes[q] for _ in numbers for q in group], prefix).read()
                found = states.pop().unflatten(0, (len(numbers), len(group)))
                own[:, group, -found.shape[2] :] = found
        self._kept, self._padded, self._before, self._own = numbers, padded, before, own

    @torch.inference_mode()
    def prefixes(self, prompts: Sequence[int], shifts: RowShifts) -> SharedPrefix:
        """Run the upper layers for the prefixes of some cells.

        Parameters
        ----------
        prompts
            The prompt of each cell.
        shifts
            Those of each cell.
        """
        at, model = self._at(prompts), self._model
        mask = self._padded.mask[at]
        sites = [self._prompts.sites[p] for p in prompts] if self._prompts.sites else None
        with (
            resumed_after(model, self.layer, self._before[at]),
            shifts.acting(model, tokens_of_places(mask, sites)),
        ):
            return run_prefixes(model, self._padded.ids[at], mask, self._padded.positions[at])

    def states(self, prompts: Sequence[int], questions: Sequence[int]) -> torch.Tensor:
        """Look up the states of some questions where the upper layers begin.

        Parameters
        ----------
        prompts
            The prompt of each cell.
        questions
            Numbers of the questions.

        Returns
        -------
        torch.Tensor
            Shape ``(cells * questions, tokens of the longest question, width)``, padded on the
            left.
        """
        longest = max(len(self._prompts.suffixes[q]) for q in questions)
        which = self._at(prompts)[:, None], torch.tensor(questions, device=self._own.device)
        return self._own[:, :, -longest:][which].flatten(0, 1)

    def _at(self, prompts: Sequence[int]) -> torch.Tensor:
        """Places of some prompts among those that are kept."""
        return torch.tensor([self._kept.index(p) for p in prompts], device=self._own.device)
