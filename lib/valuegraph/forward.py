"""The way of many questions through a model: prefixes first, then all questions behind them.

All questions to one role share the text before them, which is run once for each cell, a prompt
under some shifts. Cells share batches, each row with its own shifts. A shift after layer ``l``
changes nothing at or below ``l``: cells with the same prompt share the states up to there and only
the layers above are run for each, at most ``n / (n - l - 1)`` times as fast with ``n`` layers. The
answers are those of asking each question by itself.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import torch

from valuegraph.encoding import EncodedPrompts, pad_left
from valuegraph.hooks import RowShifts, recorded, resumed_after, stopped_after, tokens_of_places
from valuegraph.interventions import Shift
from valuegraph.models import Respondent
from valuegraph.shared_prefix import SharedPrefix, run_prefixes, sharing

#: Rows of a batch may be longer than its shortest one by this share of it; the rest is padding.
SLACK = 0.2

#: Tokens at a time on a CPU: enough to keep matrix products busy.
_CPU_TOKENS = 8192

#: Fewer tokens than this are not tried on a GPU until its memory has run out.
LEAST_TOKENS = 1024

#: A prompt's number and the shifts under which it is asked.
Cell = tuple[int, tuple[Shift, ...]]


def default_batch_tokens(respondent: Respondent) -> int:
    """Tokens that may be run at a time: on a GPU, what half of its free memory bears."""
    if respondent.device.type != "cuda":
        return _CPU_TOKENS
    free, _ = torch.cuda.mem_get_info(respondent.device)
    model = respondent.model
    return max(LEAST_TOKENS, tokens_in(free, model.config, itemsize=model.dtype.itemsize))


def tokens_in(free: int, config, *, itemsize: int) -> int:
    """Tokens whose activations, and the cache of what is written, fit into half of `free` bytes."""
    # Of one token: gate, up and product of the MLP, and the residual stream in several copies, in
    # the model's type and once more in float32.
    mlp = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    per_token = (3 * mlp + 8 * config.hidden_size) * (itemsize + 4)
    # Keys and values of all layers stay, for the token and five times as many written after it.
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    per_token += 6 * 2 * config.num_hidden_layers * heads * head * itemsize
    return max(0, int(0.5 * free / per_token))


def with_back_off(run: Callable[[int], object], budget: int) -> tuple[object, int]:
    """Run with a budget of tokens, and with half of it as often as memory runs out.

    Returns
    -------
    result : object
        What `run` returned.
    budget : int
        The budget with which it went well.
    """
    while True:
        try:
            return run(budget), budget
        except torch.OutOfMemoryError as error:
            if budget <= 1:
                raise MemoryError(
                    "the GPU's memory does not suffice for one prompt; load the model with "
                    'quantize="4bit" or a smaller dtype, or use another device'
                ) from error
        # Outside of the handler: the error holds on to the tensors that filled the memory.
        torch.cuda.empty_cache()
        budget = max(1, budget // 2)


def buckets(
    lengths: Sequence[int], *, budget: int, copies: int = 1, slack: float = SLACK
) -> Iterator[list[int]]:
    """Group rows of about the same length.

    Parameters
    ----------
    lengths
        Tokens of each row.
    budget
        Most tokens in a group, padding included; a group has one row at least.
    copies
        How many times each row is in the group (once for each prefix).
    slack
        By what share the longest row of a group may exceed the shortest.
    """
    group: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        longest = lengths[row]
        if group and (
            longest > (1 + slack) * lengths[group[0]]
            or longest * (len(group) + 1) * copies > budget
        ):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


class Rows:
    """Prompts that are read together, and may be continued token by token.

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

    def __init__(self, model, ids, prefix=None, *, shifts=None, sites=None, resume=None) -> None:
        padded = pad_left(ids, model.device)
        self._model, self._prefixes, self._prefix = model, prefix, prefix
        self._ids, self._mask, self._positions = padded.ids, padded.mask, padded.positions
        self._shifts, self._sites, self._resume, self._cache = shifts, sites, resume, None
        self.n = len(ids)
        if prefix is not None:
            per_prefix = self.n // len(prefix.mask)
            self._prefix_of_row = torch.arange(self.n, device=model.device) // per_prefix
            self._positions = self._positions + prefix.mask.sum(1)[self._prefix_of_row][:, None]

    @torch.inference_mode()
    def read(self, *, keep: bool = False) -> torch.Tensor:
        """Read the tokens not read yet; logits of the next one, ``(rows, words)``.

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
        if self._cache is None:
            places = tokens_of_places(self._mask, self._sites)
        else:
            places = {"everywhere": torch.ones_like(self._ids, dtype=torch.bool)}
        with ExitStack() as stack:
            if self._prefix is None:
                arguments["attention_mask"] = self._mask.long()
            else:
                arguments |= {"attention_mask": self._visible(), "shared_prefix": self._prefix}
                stack.enter_context(sharing(self._model))
            if self._resume is not None:
                stack.enter_context(resumed_after(self._model, *self._resume))
            if self._shifts is not None:
                stack.enter_context(self._shifts.acting(self._model, places))
            output = self._model(**arguments)
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
        if self._shifts is not None:
            self._shifts = self._shifts.take(rows)
        if self._cache is not None:
            self._cache.batch_select_indices(rows)
        if self._prefix is not None:
            self._prefix_of_row = self._prefix_of_row[rows]
            self._prefix = self._prefixes.followed_by(self._prefix_of_row)


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

    def __init__(self, model, prompts: EncodedPrompts, layer: int) -> None:
        self._model, self._prompts, self.layer = model, prompts, layer
        self._kept: list[int] = []  # prompts whose states are there

    @torch.inference_mode()
    def prepare(self, prompts: Sequence[int], budget: int) -> None:
        """Run the lower layers for some prompts, unless that is done."""
        if set(prompts) <= set(self._kept):
            return
        self._kept = []  # until all is there
        numbers, model, suffixes = sorted(set(prompts)), self._model, self._prompts.suffixes
        lengths = [len(ids) for ids in suffixes]
        padded = pad_left([self._prompts.prefixes[p] for p in numbers], model.device)
        with stopped_after(model, self.layer), recorded(model, self.layer) as states:
            prefix = run_prefixes(model, padded.ids, padded.mask, padded.positions)
            before = states.pop()  # (prompts, columns, width)
            # Of the suffixes, padded on the left: (prompts, questions, columns, width)
            own = before.new_zeros(len(numbers), len(suffixes), max(lengths), before.shape[-1])
            for group in buckets(lengths, budget=budget, copies=len(numbers)):
                Rows(model, [suffixes[q] for _ in numbers for q in group], prefix).read()
                read = states.pop().unflatten(0, (len(numbers), len(group)))
                own[:, group, -read.shape[2] :] = read
        self._kept, self._padded, self._before, self._own = numbers, padded, before, own

    @torch.inference_mode()
    def prefixes(self, prompts: Sequence[int], shifts: RowShifts) -> SharedPrefix:
        """Run the upper layers for the prefixes of some cells."""
        at, model = self._at(prompts), self._model
        mask = self._padded.mask[at]
        sites = [self._prompts.sites[p] for p in prompts] if self._prompts.sites else None
        places = tokens_of_places(mask, sites)
        with resumed_after(model, self.layer, self._before[at]), shifts.acting(model, places):
            return run_prefixes(model, self._padded.ids[at], mask, self._padded.positions[at])

    def states(self, prompts: Sequence[int], questions: Sequence[int]) -> torch.Tensor:
        """States of some questions: ``(cells * questions, tokens of the longest, width)``."""
        longest = max(len(self._prompts.suffixes[q]) for q in questions)
        which = self._at(prompts)[:, None], torch.tensor(questions, device=self._own.device)
        return self._own[:, :, -longest:][which].flatten(0, 1)

    def _at(self, prompts: Sequence[int]) -> torch.Tensor:
        return torch.tensor([self._kept.index(p) for p in prompts], device=self._own.device)


def shared_layers(cells: Sequence[Cell], n_layers: int) -> list[tuple[int | None, list[int]]]:
    """Group the numbers of cells by the layer up to which those of one prompt can share.

    None stands for cells that share nothing. What is not shifted goes with the highest layer.
    """
    lowest = [min((s.layer for s in shifts), default=None) for _, shifts in cells]
    below_last = {k for k in lowest if k is not None and k < n_layers - 1}
    if not below_last:
        return [(None, list(range(len(cells))))]
    highest = max(below_last)
    groups: dict[int | None, list[int]] = {None: []}
    for number, layer in enumerate(lowest):
        layer = highest if layer is None or layer > highest else layer
        groups.setdefault(layer, []).append(number)
    for layer in below_last:
        if len({cells[n][0] for n in groups[layer]}) == len(groups[layer]):
            groups[None] = sorted(groups[None] + groups.pop(layer))
    for numbers in groups.values():
        numbers.sort(key=lambda n: cells[n][0])  # cells of one prompt stand together
    return list(groups.items())
