"""A batch of prompts on their way through a model: read once, or continued token by token."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import torch
from transformers import Cache, PreTrainedModel

from valuegraph.asking.encoding import pad_left
from valuegraph.asking.row_shifts import RowShifts, tokens_of_places
from valuegraph.asking.shared_prefix import SharedPrefix, sharing
from valuegraph.hooks import resumed_after


class Rows:
    """Prompts that are read together.

    Parameters
    ----------
    model
        Reads them.
    ids
        Own token ids of each row: whole prompts, or what follows a shared prefix.
    prefix
        What stands before them; None for nothing. The rows then belong to its prefixes in equal
        numbers, in order.
    shifts
        Those of each row; None for none.
    sites
        Tokens of the site in each row, if it lies in the row's own tokens.
    resume
        A layer, and the states after it, of shape ``(rows, tokens, width)``: only the layers above
        are run. Nothing can follow rows that are read so.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        ids: Sequence[Sequence[int]],
        prefix: SharedPrefix | None = None,
        *,
        shifts: RowShifts | None = None,
        sites: Sequence[range] | None = None,
        resume: tuple[int, torch.Tensor] | None = None,
    ) -> None:
        padded = pad_left(ids, model.device)
        self._model, self._prefixes, self._prefix = model, prefix, prefix
        self._ids, self._mask = padded.ids, padded.mask
        self._shifts, self._sites, self._resume = shifts, sites, resume
        n, device = len(ids), model.device
        before = torch.zeros(n, dtype=torch.long, device=device)
        self._prefix_of_row = before
        if prefix is not None:
            per_prefix = n // len(prefix.mask)
            self._prefix_of_row = torch.arange(n, device=device) // per_prefix
            before = prefix.mask.sum(1)[self._prefix_of_row]
        self._positions = padded.positions + before[:, None]
        self._cache: Cache | None = None

    @torch.inference_mode()
    def read(self, *, keep: bool = False) -> torch.Tensor:
        """Read all tokens that were not read yet; logits of the next one, ``(rows, words)``.

        Parameters
        ----------
        keep
            Whether more tokens will follow.
        """
        if keep and self._resume is not None:
            raise ValueError("the keys of the lower layers are missing, so nothing can follow")
        arguments = {
            "input_ids": self._ids,
            "position_ids": self._positions,
            "past_key_values": self._cache,
            "use_cache": keep,
            "logits_to_keep": 1,
        }
        if self._prefix is None:
            arguments["attention_mask"] = self._mask.long()
        else:
            arguments |= {"attention_mask": self._visible(), "shared_prefix": self._prefix}
        with ExitStack() as stack:
            if self._prefix is not None:
                stack.enter_context(sharing(self._model))
            if self._resume is not None:
                stack.enter_context(resumed_after(self._model, *self._resume))
            if self._shifts is not None:
                stack.enter_context(self._shifts.acting(self._model, self._places()))
            output = self._model(**arguments)
        if keep:
            self._cache = output.past_key_values
        return output.logits[:, -1]

    def _places(self) -> dict[str, torch.Tensor]:
        """Which of the tokens to be read belong to each place."""
        if self._cache is None:
            return tokens_of_places(self._mask, self._sites)
        return {"everywhere": torch.ones_like(self._ids, dtype=torch.bool)}

    def _visible(self) -> torch.Tensor:
        """Which own tokens each token to be read sees, ``(rows, 1, tokens, own tokens)``."""
        tokens, own = self._ids.shape[1], self._mask.shape[1]
        all_seen = torch.ones(tokens, own, dtype=torch.bool, device=self._ids.device)
        # Padding sees none of them, but the prefix: its softmax is one over something.
        return all_seen.tril(own - tokens) & self._mask[:, None, None]

    def append(self, ids: torch.Tensor) -> None:
        """Add one token to each row, to be read next; shape ``(rows,)``."""
        self._ids = ids[:, None]
        self._mask = torch.cat([self._mask, torch.ones_like(self._mask[:, :1])], 1)
        self._positions = self._positions[:, -1:] + 1

    def select(self, rows: torch.Tensor) -> None:
        """Go on with some of the rows alone, given in ascending order."""
        self._ids, self._mask = self._ids[rows], self._mask[rows]
        self._positions = self._positions[rows]
        if self._shifts is not None:
            self._shifts = self._shifts.take(rows)
        if self._cache is not None:
            self._cache.batch_select_indices(rows)
        if self._prefix is not None:
            of_row = self._prefix_of_row[rows]
            self._prefix = self._prefixes.followed_by(of_row)
            self._prefix_of_row = of_row
