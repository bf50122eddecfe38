"""The way of a question through the model, from token ids to the logits of what follows.

A *cell* is a prompt up to the question, under some shifts; every cell is asked all questions.
`ask` runs cells in batches that fit into memory, each row with its own shifts. Where the
architecture allows, the text before the questions is run once a cell and shared by them
(`valuegraph.shared_prefix`); elsewhere whole prompts are run. A shift after layer ``l`` changes
nothing at or below ``l``: cells of one prompt share the states up to there, and only the layers
above are run for each. With ``n`` layers that is at most ``n / (n - l - 1)`` times as fast.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from weakref import WeakKeyDictionary

import numpy as np
import torch
from rich.progress import Console, Progress

from valuegraph.encoding import EncodedPrompts, Padded, pad_left
from valuegraph.hooks import RowShifts, recorded, resumed_after, stopped_after, tokens_of_places
from valuegraph.interventions import Shift
from valuegraph.models import Respondent
from valuegraph.shared_prefix import can_share, run_prefixes, sharing

#: A prompt's number and the shifts under which it is asked.
Cell = tuple[int, tuple[Shift, ...]]

#: +1 yes, -1 no, 0 unsure; log-odds and mass, NaN where there are none; what was written.
ANSWER = np.dtype([("answer", "i1"), ("log_odds", "f8"), ("mass", "f8"), ("text", "O")])

#: Rows of a batch may be longer than its shortest one by this share of it; the rest is padding.
SLACK = 0.2

#: Largest difference of log-odds that rounding may make, by the type of the weights.
ROUNDING = {torch.float32: 1e-3, torch.bfloat16: 0.3, torch.float16: 0.05}

_SLACKS: WeakKeyDictionary = WeakKeyDictionary()  # of models that were tried

# Tokens at a time on a CPU: enough to keep matrix products busy, and with large models so few that
# the activations of a layer stay in its cache (twice as fast with 1.5 billion weights).
_CPU_TOKENS, _CPU_BYTES = 8192, 10**9

#: Fewer tokens than this are not tried on a GPU until its memory has run out.
LEAST_TOKENS = 1024


# --------------------------------------------------------------------------------- how much at once


def default_batch_tokens(respondent: Respondent) -> int:
    """Tokens that may be run at a time: on a GPU, what half of its free memory bears."""
    model, on_gpu = respondent.model, respondent.device.type == "cuda"
    free = torch.cuda.mem_get_info(respondent.device)[0] if on_gpu else _CPU_BYTES
    tokens = max(LEAST_TOKENS, tokens_in(free, model.config, itemsize=model.dtype.itemsize))
    return tokens if on_gpu else min(_CPU_TOKENS, tokens)


def tokens_in(free: int, config, *, itemsize: int) -> int:
    """Tokens whose activations, and the cache of what is written, fit into half of `free` bytes."""
    text = config.get_text_config()
    # With what some architectures call otherwise, such as GPT-2's n_embd, by its usual name.
    config = text.to_dict() | {name: getattr(text, name) for name in text.attribute_map}
    layers = (config.get("per_layer_config") or {}).values()  # what differs in some architectures

    def largest(name: str, default: int = 0) -> int:
        return int(np.hstack([x.get(name) or 0 for x in (config, *layers)]).max()) or default

    width = largest("hidden_size")
    # Of one token: gate, up and product of the MLP, and the residual stream in several copies, in
    # the model's type and once more in float32.
    per_token = (3 * largest("intermediate_size", 4 * width) + 8 * width) * (itemsize + 4)
    # Keys and values of all layers stay, for the token and for five times as many written after it.
    heads = largest("num_attention_heads", 1)
    head = largest("head_dim", width // heads)
    heads = largest("num_key_value_heads", heads)
    per_token += 6 * 2 * largest("num_hidden_layers") * heads * head * itemsize
    return max(0, int(0.5 * free / per_token))


class Budget:
    """Tokens to run at a time; what runs out of memory in a ``with`` block leaves half of them."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def __enter__(self) -> int:
        return self.tokens

    def __exit__(self, kind, error, trace) -> bool:
        if not isinstance(error, torch.OutOfMemoryError):
            return False
        if self.tokens <= 1:
            way_out = "load the model in a smaller dtype or quantize='4bit', or take another device"
            raise MemoryError(f"the GPU's memory does not hold one prompt; {way_out}") from error
        self.tokens //= 2
        # Said aloud: the next run can begin with a batch that fits.
        warnings.warn(f"out of GPU memory; going on with batch_tokens={self.tokens}", stacklevel=2)
        return True


def buckets(lengths, *, budget: int, copies: int = 1, slack: float = SLACK) -> Iterator[list[int]]:
    """Group rows of about the same length.

    Parameters
    ----------
    lengths : sequence of int
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
        too_long = group and lengths[row] > (1 + slack) * lengths[group[0]]
        if too_long or (group and lengths[row] * (len(group) + 1) * copies > budget):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


@torch.inference_mode()
def slack_of(model) -> float:
    """Return `SLACK`, or 0 for a model that reads a text otherwise behind padding.

    Layers that keep a state, compress blocks of tokens or choose among them may do so.
    """
    if model not in _SLACKS:
        ids = [n % model.config.get_text_config().vocab_size for n in range(167)]
        both = (pad_left(texts, model.device) for texts in ([ids[:100]], [ids[:100], ids]))
        alone, padded = (Rows(model, x, RowShifts((), None)).read()[0].float() for x in both)
        same = (alone - padded).abs().max() <= ROUNDING.get(model.dtype, 0.3) * alone.std()
        _SLACKS[model] = SLACK if same else 0.0
    return _SLACKS[model]


# ---------------------------------------------------------------------------------------- one batch


class Rows:
    """Texts that are read together, and may be continued token by token.

    Parameters
    ----------
    model
        Reads them.
    texts : Padded
        Whole prompts, or what follows a shared prefix.
    shifts : RowShifts
        Those of each row.
    sites : sequence of range, optional
        Tokens of the site in each row, if it lies in the row's own tokens.
    prefix : SharedPrefix, optional
        What stands before them. The rows belong to its prefixes in equal numbers, in order.
    resume : (int, torch.Tensor), optional
        A layer and the states after it, of shape ``(rows, tokens, width)``: only the layers above
        are run. Nothing can follow rows that are read so.
    """

    def __init__(self, model, texts: Padded, shifts, *, sites=None, prefix=None, resume=None):
        self._model, self._shifts, self._resume, self._cache = model, shifts, resume, None
        self._ids, self._mask, self._positions = texts.ids, texts.mask, texts.positions
        self._places = tokens_of_places(texts.mask, sites)
        self._prefixes, self._prefix = prefix, prefix
        if prefix is not None:
            per_prefix = len(self) // len(prefix.mask)
            self._of_row = torch.arange(len(self), device=model.device) // per_prefix
            self._positions = self._positions + prefix.mask.sum(1)[self._of_row][:, None]

    def __len__(self) -> int:
        return len(self._ids)

    @torch.inference_mode()
    def read(self, *, last: int = 1, keep: bool = False) -> torch.Tensor:
        """Read the tokens not read yet; return logits, ``(rows, last, words)``.

        Parameters
        ----------
        last
            Of how many tokens, counted from the end, logits of the next one are wanted.
        keep
            Whether more tokens will follow.
        """
        text = self._model.config.get_text_config()
        longest = getattr(text, "max_position_embeddings", None) or math.inf
        if self._positions.max() >= longest or self._ids.max() >= text.vocab_size:
            has = f"{type(self._model).__name__} reads {longest} tokens, of {text.vocab_size} kinds"
            raise ValueError(f"{has}; shorten roles, or mend a tokenizer that has more kinds")
        arguments = {"input_ids": self._ids, "attention_mask": self._mask.long()}
        # As positions: told a number, Gemma 4 drops the other tokens within its layers.
        wanted = torch.arange(-last, 0, device=self._ids.device)
        arguments |= {"position_ids": self._positions, "logits_to_keep": wanted}
        with ExitStack() as stack:
            if self._prefix is not None:
                arguments |= {"attention_mask": self._visible(), "shared_prefix": self._prefix}
                stack.enter_context(sharing(self._model))
            if self._resume is not None:
                stack.enter_context(resumed_after(self._model, *self._resume))
            stack.enter_context(self._shifts.acting(self._model, self._places))
            output = self._model(**arguments, past_key_values=self._cache, use_cache=keep)
        self._cache = getattr(output, "past_key_values", None) if keep else None
        if keep and self._cache is None:
            raise ValueError(f"{type(self._model).__name__} cannot write; ask it by mode='logit'")
        return output[0][:, -last:]  # logits; states of a decoder without a head

    def _visible(self) -> torch.Tensor:
        """Which own tokens each token to be read sees, ``(rows, 1, tokens, own tokens)``."""
        tokens, own = self._ids.shape[1], self._mask.shape[1]
        all_seen = torch.ones(tokens, own, dtype=torch.bool, device=self._ids.device)
        # Padding sees none of them, but the prefix: its softmax is one over something.
        return all_seen.tril(own - tokens) & self._mask[:, None, None]

    def append(self, ids: torch.Tensor) -> None:
        """Add one token to each row, to be read next; shape ``(rows,)``."""
        self._ids, new = ids[:, None], torch.ones_like(self._mask[:, :1])
        self._mask, self._places = torch.cat([self._mask, new], 1), {"everywhere": new}
        self._positions = self._positions[:, -1:] + 1

    def select(self, rows: torch.Tensor) -> None:
        """Go on with some of the rows alone, given in ascending order."""
        self._ids, self._mask = self._ids[rows], self._mask[rows]
        self._positions, self._shifts = self._positions[rows], self._shifts.take(rows)
        self._places = {place: tokens[rows] for place, tokens in self._places.items()}
        # What all kinds have is meant for beams; a model's own kind (MiniMax) may have another.
        own = vars(type(self._cache)).get("batch_select_indices")
        own(self._cache, rows) if own else self._cache.reorder_cache(rows)
        if self._prefix is not None:
            self._of_row = self._of_row[rows]
            self._prefix = self._prefixes.followed_by(self._of_row)


class LowerLayers:
    """States after a layer, of prompts that several cells share: run once for all of them.

    Parameters
    ----------
    model
        A model that can share prefixes.
    prompts
        Of all cells; each a prefix followed by a suffix.
    layer
        The last one that is shared; not the model's last.
    """

    def __init__(self, model, prompts: EncodedPrompts, layer: int) -> None:
        self._model, self._prompts, self._layer = model, prompts, layer
        self._kept: list[int] = []  # prompts whose states are there

    @torch.inference_mode()
    def prepare(self, numbers: Sequence[int], budget: int) -> None:
        """Run some prompts with all questions, unless that is done."""
        if set(numbers) <= set(self._kept):
            return
        kept, suffixes = sorted(set(numbers)), self._prompts.suffixes
        self._kept, self._before, self._own = [], None, None  # until all is there
        with stopped_after(self._model, self._layer), recorded(self._model, self._layer) as states:
            cells = [(number, ()) for number in kept]
            for rows, cell, question in _shared_batches(self._model, self._prompts, cells, budget):
                rows.read()
                own = states.pop()  # (rows, columns, width)
                if self._own is None:
                    room = len(kept), len(suffixes), max(map(len, suffixes)), own.shape[-1]
                    self._own = own.new_zeros(room)
                self._own[cell, question, -own.shape[1] :] = own
        (self._before,) = states  # (prompts, columns, width)
        self._kept = kept

    def above(self, numbers, texts: Padded, questions=None) -> tuple[int, torch.Tensor]:
        """Where the layers above begin: the layer, and states of prefixes or of questions."""
        at, columns = [self._kept.index(number) for number in numbers], texts.ids.shape[1]
        states = self._before[at] if questions is None else self._own[at, questions]
        return self._layer, states[:, -columns:]


# ---------------------------------------------------------------------------------------- all cells


def ask(respondent, prompts, cells, read, *, writes=False, batch_tokens=None, progress=False):
    """Ask every cell all questions.

    Parameters
    ----------
    respondent : Respondent
        Who answers.
    prompts : EncodedPrompts
        Prefixes of all cells, and the questions.
    cells : sequence of Cell
        Prompts by their number, and shifts.
    read : callable
        Takes `Rows` and returns their answers, shape ``(rows,)``, of the type `ANSWER`.
    writes : bool
        Whether `read` continues the rows, instead of reading them once.
    batch_tokens : int, optional
        Tokens at a time to begin with; by default what suits the device.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    numpy.ndarray
        Of the type `ANSWER`, shape ``(cells, questions)``.
    """
    answers = np.zeros((len(cells), len(prompts.suffixes)), ANSWER)
    model, own = respondent.model, sum(map(len, prompts.suffixes))
    longest, groups = max(map(len, prompts.prefixes)), [(None, list(range(len(cells))))]
    most = math.inf if writes else longest + max(map(len, prompts.suffixes))
    share = can_share(model, most) and not prompts.whole
    if share and not writes:
        groups = shared_layers(cells, respondent.n_layers)
    per_cell = max(own, longest) if share else own + longest * len(prompts.suffixes)
    # Reading costs by the token, padding included; writing by the step, whatever came before.
    slack = (math.inf if writes else SLACK) if share else slack_of(model)
    budget = Budget(batch_tokens or default_batch_tokens(respondent))
    with Progress(disable=not progress, console=Console(quiet=not progress)) as bar:
        task = bar.add_task("asking", total=len(cells))
        for layer, numbers in groups:
            lower = None if layer is None else LowerLayers(model, prompts, layer)
            while numbers:
                with budget as tokens:
                    some = np.array(numbers[: max(1, tokens // per_cell)])
                    batches = _shared_batches if share else _whole_batches
                    made = batches(model, prompts, [cells[n] for n in some], tokens, slack, lower)
                    _fill(answers, some, made, read)
                    numbers = numbers[len(some) :]
                    bar.advance(task, len(some))
    return answers


def shared_layers(cells: Sequence[Cell], n_layers: int) -> list[tuple[int | None, list[int]]]:
    """Group the numbers of cells by the layer up to which those of one prompt share all states.

    None stands for cells that share nothing. What is not shifted, or after the last layer only,
    goes with the highest layer. Cells of one prompt stand together.
    """
    lowest = [min((s.layer for s in shifts), default=n_layers) for _, shifts in cells]
    highest = max((layer for layer in lowest if layer < n_layers - 1), default=None)
    if highest is None:
        return [(None, list(range(len(cells))))]
    groups: dict[int | None, list[int]] = {}
    for number in sorted(range(len(cells)), key=lambda number: cells[number][0]):
        groups.setdefault(min(lowest[number], highest), []).append(number)
    alone = [k for k, ns in groups.items() if len({cells[n][0] for n in ns}) == len(ns)]
    rest = [number for layer in alone for number in groups.pop(layer)]
    return [(None, sorted(rest, key=lambda number: (cells[number][0], number))), *groups.items()]


def _fill(answers: np.ndarray, numbers: np.ndarray, batches: Iterator, read: Callable) -> None:
    """Read batches; a function, so that nothing holds on to rows for which memory ran out."""
    for rows, cell, question in batches:
        answers[numbers[cell], question] = read(rows)


def _shared_batches(model, prompts, cells, budget, slack=SLACK, lower=None) -> Iterator[tuple]:
    """Run the prefixes of some cells; yield rows of the questions, their cells and questions."""
    device, n = model.device, len(cells)
    numbers, shifts = [p for p, _ in cells], RowShifts([s for _, s in cells], device)
    texts = pad_left([prompts.prefixes[p] for p in numbers], device)
    places = tokens_of_places(texts.mask, [prompts.sites[p] for p in numbers])
    begin = nullcontext()
    if lower is not None:
        lower.prepare(numbers, budget)
        begin = resumed_after(model, *lower.above(numbers, texts))
    with begin, shifts.acting(model, places):
        prefix = run_prefixes(model, texts)
    for group in buckets(list(map(len, prompts.suffixes)), budget=budget, copies=n, slack=slack):
        cell, question = np.repeat(np.arange(n), len(group)), np.tile(group, n)
        texts = pad_left([prompts.suffixes[q] for q in question], device)
        resume = lower and lower.above([numbers[c] for c in cell], texts, question)
        yield Rows(model, texts, shifts.take(cell), prefix=prefix, resume=resume), cell, question


def _whole_batches(model, prompts, cells, budget, slack=SLACK, lower=None) -> Iterator[tuple]:
    """Yield rows of whole prompts, where prefixes cannot be shared, with cells and questions."""
    shifts, n = RowShifts([s for _, s in cells], model.device), len(prompts.suffixes)
    cells_of, questions = np.divmod(np.arange(len(cells) * n), n)
    numbers = [cells[c][0] for c in cells_of]
    texts = [prompts.row(p, q) for p, q in zip(numbers, questions, strict=True)]
    for group in buckets(list(map(len, texts)), budget=budget, slack=slack):
        own, cell = pad_left([texts[i] for i in group], model.device), cells_of[group]
        sites = [prompts.sites[numbers[i]] for i in group]
        yield Rows(model, own, shifts.take(cell), sites=sites), cell, questions[group]
