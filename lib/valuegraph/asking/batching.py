"""How much is run at a time: rows of about equal length, and fewer when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from valuegraph.models import Respondent

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

#: Rows of a batch may be longer than its shortest one by this share of it; the rest is padding.
SLACK = 0.2

#: Tokens at a time on a CPU: enough to keep matrix products busy. While answers are written, a
#: question of 20 tokens is one row; a product of 80 rows reaches half of the speed of a large one,
#: that of 320 rows four fifths.
_CPU_TOKENS = 8192

#: Fewer tokens than this are not tried on a GPU until its memory has run out.
LEAST_TOKENS = 1024

#: What is written to a question may be so many times as long as the question.
_WRITTEN = 5

#: Share of a GPU's free memory that activations may take.
_MEMORY_SHARE = 0.5


def default_batch_tokens(respondent: Respondent) -> int:
    """Tokens that may be run at a time where the respondent lies.

    On a GPU, what its free memory bears (`tokens_in`), but `LEAST_TOKENS` at least.

    Parameters
    ----------
    respondent
        Who is asked.
    """
    if respondent.device.type != "cuda":
        return _CPU_TOKENS
    free, _ = torch.cuda.mem_get_info(respondent.device)
    model = respondent.model
    return max(LEAST_TOKENS, tokens_in(free, model.config, itemsize=model.dtype.itemsize))


def tokens_in(free: int, config: PreTrainedConfig, *, itemsize: int) -> int:
    """Tokens that may be run at a time in the free memory of a GPU.

    Computed from the widest activations of one layer, and the attention cache of what may be
    written.

    Parameters
    ----------
    free
        Bytes that are left beside the weights.
    config
        Of the model, for its sizes.
    itemsize
        Bytes of a number in the type that the model computes in.
    """
    # Of one token: gate, up and product of the MLP, and the residual stream in several copies, in
    # the model's type and once more in float32.
    mlp = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    numbers = 3 * mlp + 8 * config.hidden_size
    per_token = numbers * (itemsize + 4)
    # Keys and values of all layers stay, for the token and for what is written after it.
    key_heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    cache = 2 * config.num_hidden_layers * key_heads * head * itemsize
    per_token += (1 + _WRITTEN) * cache
    return max(0, int(_MEMORY_SHARE * free / per_token))


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

    Yields
    ------
    list of int
        Rows of a group, from the shortest to the longest.
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


def with_back_off(run: Callable[[int], object], budget: int) -> tuple[object, int]:
    """Run with a budget of tokens, and with half of it as often as memory runs out.

    Parameters
    ----------
    run
        What to run, given the budget.
    budget
        Tokens at a time to begin with.

    Returns
    -------
    result : object
        What `run` returned.
    budget : int
        The budget with which it went well.

    Raises
    ------
    MemoryError
        If memory does not suffice for a single row.
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
