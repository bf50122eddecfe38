"""A batch of prompts on their way through a model: read once, or continued token by token."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import Cache, PreTrainedModel

from valuegraph.asking.encoding import pad_left
from valuegraph.asking.shared_prefix import SharedPrefix, sharing


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
    """

    def __init__(
        self,
        model: PreTrainedModel,
        ids: Sequence[Sequence[int]],
        prefix: SharedPrefix | None = None,
    ) -> None:
        padded = pad_left(ids, model.device)
        self._model, self._prefixes, self._prefix = model, prefix, prefix
        self._ids, self._mask = padded.ids, padded.mask
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
        arguments = {
            "input_ids": self._ids,
            "position_ids": self._positions,
            "past_key_values": self._cache,
            "use_cache": keep,
            "logits_to_keep": 1,
        }
        if self._prefix is None:
            output = self._model(attention_mask=self._mask.long(), **arguments)
        else:
            with sharing(self._model):
                output = self._model(
                    attention_mask=self._visible(), shared_prefix=self._prefix, **arguments
                )
        if keep:
            self._cache = output.past_key_values
        return output.logits[:, -1]

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
        if self._cache is not None:
            self._cache.batch_select_indices(rows)
        if self._prefix is not None:
            of_row = self._prefix_of_row[rows]
            self._prefix = self._prefixes.followed_by(of_row)
            self._prefix_of_row = of_row
