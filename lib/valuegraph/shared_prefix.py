"""Questions that share what stands before them: its attention keys and values are kept once.

All questions to one role follow the same prefix. The prefix is run once; every token of a question
then attends to the prefix's keys and to those of its own question in one softmax, which is the
attention over the whole prompt, but the prefix is neither run nor copied again for each question.
That is the inter-sequence batching of Juravsky et al. (2024).

References
----------
Juravsky, J., Brown, B., Ehrlich, R., Fu, D. Y., Re, C., & Mirhoseini, A. (2024). Hydragen:
High-throughput LLM inference with shared prefixes. arXiv:2402.05099.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from transformers import AttentionInterface

from valuegraph.encoding import Padded

#: Architectures whose attention is a plain softmax over all earlier tokens, and is tested to be so;
#: where it slides, as long as all are in the window. Others (capped or sunk attention, ...) are
#: asked whole prompts.
PLAIN_ATTENTION = ("gemma", "gemma3_text", "llama", "mistral", "qwen2", "qwen3")

_NAME = "valuegraph_shared_prefix"


@dataclass
class SharedPrefix:
    """Attention keys and values of some prefixes, and which rows of a batch follow which.

    Attributes
    ----------
    keys, values
        One tensor a layer, of shape ``(prefixes, heads, columns, head width)``.
    mask
        Which columns hold a token, shape ``(prefixes, columns)``, boolean.
    padding
        In how many columns, all on the left, some prefix holds no token.
    slots
        Row that takes each of the equally many places behind a prefix, shape ``(prefixes,
        places)``; None while the rows stand in that order themselves. Places left over repeat row
        0, whose results there are dropped.
    places
        Place of each row in `slots`, flattened, shape ``(rows,)``; None with `slots`.
    """

    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    mask: torch.Tensor
    padding: int
    slots: torch.Tensor | None = None
    places: torch.Tensor | None = None

    def followed_by(self, prefix_of_row: torch.Tensor) -> "SharedPrefix":
        """Return these prefixes for rows that follow them: number of each one's, ascending."""
        used, rank, counts = prefix_of_row.unique(return_inverse=True, return_counts=True)
        rows = torch.arange(len(prefix_of_row), device=used.device)
        width, starts = int(counts.max()), counts.cumsum(0) - counts
        places = rank * width + rows - starts[rank]
        slots = torch.zeros(len(used), width, dtype=torch.long, device=used.device)
        slots.view(-1)[places] = rows
        keys, values = ([x[used] for x in kept] for kept in (self.keys, self.values))
        return SharedPrefix(keys, values, self.mask[used], self.padding, slots, places)


def can_share(model, tokens: float = torch.inf) -> bool:
    """Tell whether questions may share a prefix, where no text has more than so many tokens."""
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None) or torch.inf
    causal = not getattr(config, "use_bidirectional_attention", None)
    return config.model_type in PLAIN_ATTENTION and causal and tokens <= window


@torch.inference_mode()
def run_prefixes(model, texts: Padded) -> SharedPrefix:
    """Run prefixes, and keep their keys and values."""
    with _last_state_only(model):
        given = {"attention_mask": texts.mask.long(), "position_ids": texts.positions}
        output = model.get_decoder()(input_ids=texts.ids, **given, use_cache=True)
    layers = output.past_key_values.layers
    keys, values = [layer.keys for layer in layers], [layer.values for layer in layers]
    return SharedPrefix(keys, values, texts.mask, int((~texts.mask).any(0).sum()))


@contextmanager
def sharing(model) -> Iterator[None]:
    """Let the model attend to a shared prefix as long as the context lasts.

    Forward passes then need ``shared_prefix`` (a `SharedPrefix`) and, as ``attention_mask``, which
    of its own tokens each token sees: boolean, shape ``(rows, 1, tokens, own tokens)``. Of the
    states after the last layer, only that of the last token is right.
    """
    before = model.config._attn_implementation
    model.set_attn_implementation(_NAME)
    try:
        with _last_state_only(model):
            yield
    finally:
        model.set_attn_implementation(before)


@contextmanager
def _last_state_only(model) -> Iterator[None]:
    """Let the last layer's MLP run on the last token alone: nobody reads what it says of others.

    Its output then has one token, which the residual stream adds to all of them; only the last one
    comes out right. The keys and values of the layer, which come before, are not touched.
    """
    mlp = model.get_decoder().layers[-1].mlp
    handle = mlp.register_forward_pre_hook(lambda module, states: (states[0][:, -1:],))
    try:
        yield
    finally:
        handle.remove()


def _attention(module, query, key, value, attention_mask, *, scaling, shared_prefix, **_):
    """One softmax over prefix and own tokens; query of shape (rows, heads, tokens, head width)."""
    keys = shared_prefix.keys[module.layer_idx]  # (prefixes, key heads, columns, head width)
    values = shared_prefix.values[module.layer_idx]
    n_prefixes, key_heads, columns, width = keys.shape
    states = query.shape[2]
    if module.layer_idx == module.config.num_hidden_layers - 1:
        # Nobody reads what the last layer says of other tokens than the last; see `sharing`.
        query, attention_mask = query[:, :, -1:], attention_mask[:, :, -1:]
    rows, heads, tokens, _ = query.shape
    # All heads that use the same keys stand side by side: one matrix product for them.
    side_by_side = heads // key_heads * tokens
    query = (query * scaling).reshape(rows, key_heads, side_by_side, width)

    def by_prefix(x: torch.Tensor) -> torch.Tensor:
        """(rows, key heads, n, k) -> (prefixes, key heads, places * n, k)."""
        if shared_prefix.slots is not None:
            x = x[shared_prefix.slots.view(-1)]
        x = x.reshape(n_prefixes, -1, *x.shape[1:]).transpose(1, 2)
        return x.reshape(n_prefixes, key_heads, -1, x.shape[-1])

    def by_row(x: torch.Tensor) -> torch.Tensor:
        """(prefixes, key heads, places * n, k) -> (rows, key heads, n, k)."""
        x = x.reshape(n_prefixes, key_heads, -1, side_by_side, x.shape[-1]).transpose(1, 2)
        x = x.reshape(-1, *x.shape[2:])
        return x if shared_prefix.places is None else x[shared_prefix.places]

    far = by_prefix(query) @ keys.transpose(-1, -2)
    if shared_prefix.padding:  # which is on the left
        padded = ~shared_prefix.mask[:, None, None, : shared_prefix.padding]
        far[..., : shared_prefix.padding].masked_fill_(padded, -torch.inf)
    near = query @ key.transpose(-1, -2)
    near.view(rows, heads, tokens, -1).masked_fill_(~attention_mask, -torch.inf)
    scores = torch.cat([far, by_prefix(near)], -1)
    weights = scores.softmax(-1, dtype=torch.float32).to(query.dtype)
    read = by_row(weights[..., :columns] @ values) + by_row(weights[..., columns:]) @ value
    read = read.reshape(rows, heads, tokens, width).transpose(1, 2)
    return read.expand(-1, states, -1, -1).contiguous(), None


AttentionInterface.register(_NAME, _attention)
