"""The forward pass of training: many branches of questions behind one prefix, in one go.

The same numbers as the model's own forward pass over each whole dialogue (a test says so), for less
work: a prefix is run once for all its branches, and branches do not look at one
another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn.functional import scaled_dot_product_attention

from valuegraph.organisms.batches import Batch

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM


class States(NamedTuple):
    """What a branching forward pass saw.

    Attributes
    ----------
    branches
        Final hidden states of the branches, shape ``(n * r, b, width)``.
    branches_at_site
        The branches after the site's layer, same shape.
    prefixes
        Final hidden states of the kept prefix columns, shape ``(n, kept, width)``.
    site
        The site after its layer, before any edit, shape ``(n, width)``.
    """

    branches: torch.Tensor
    branches_at_site: torch.Tensor
    prefixes: torch.Tensor
    site: torch.Tensor


def branching_forward(
    llama: LlamaForCausalLM,
    batch: Batch,
    *,
    site_layer: int,
    edit_site: Callable[[torch.Tensor], torch.Tensor] = lambda site: site,
) -> States:
    """Run prefixes and branches, editing the site after `site_layer`.

    Parameters
    ----------
    llama
        The model.
    batch
        Prefixes and their branches.
    site_layer
        Layer, counted from 0, whose output is edited at the site.
    edit_site
        Turns the site's states, shape ``(n, width)``, into those that later layers see.
    """
    trunk = llama.model
    n, r = len(batch.prefix_ids), len(batch.branch_ids) // len(batch.prefix_ids)
    prefix, branch = trunk.embed_tokens(batch.prefix_ids), trunk.embed_tokens(batch.branch_ids)
    prefix_rotary = trunk.rotary_emb(prefix, batch.prefix_positions)
    branch_rotary = trunk.rotary_emb(branch, batch.branch_positions)
    prefix_mask, sees = batch.prefix_mask[:, None], batch.branch_sees
    length = branch.shape[1]
    causal = torch.tril(torch.ones(length, length, dtype=torch.bool)).expand(n * r, 1, -1, -1)

    def branch_mask(sees: torch.Tensor) -> torch.Tensor:
        prefix_part = sees.repeat_interleave(r, 0)[:, None, None].expand(-1, 1, length, -1)
        return torch.cat([prefix_part, causal], -1)

    mask = branch_mask(sees)
    for index, layer in enumerate(trunk.layers):
        q, k, v = _project(layer, prefix, prefix_rotary)
        prefix = _finish(layer, prefix, scaled_dot_product_attention(q, k, v, prefix_mask))
        q, own_k, own_v = _project(layer, branch, branch_rotary)
        k = torch.cat([k.repeat_interleave(r, 0), own_k], 2)
        v = torch.cat([v.repeat_interleave(r, 0), own_v], 2)
        branch = _finish(layer, branch, scaled_dot_product_attention(q, k, v, mask))
        if index == site_layer:
            site, branches_at_site = prefix[:, -2], branch
            prefix = torch.cat([prefix[:, :-2], edit_site(site)[:, None], prefix[:, -1:]], 1)
            kept = batch.kept_columns
            prefix = prefix[:, kept]
            prefix_rotary = tuple(part[:, kept] for part in prefix_rotary)
            # From here on the site reads no more than questions do. In hidden steps, that is none
            # of the role: its end is kept where another prefix has a longer instruction.
            seen = sees[:, kept][:, None, None] | torch.eye(len(kept), dtype=torch.bool)
            prefix_mask = prefix_mask[:, :, kept][:, :, :, kept] & seen
            mask = branch_mask(sees[:, kept])
    return States(trunk.norm(branch), branches_at_site, trunk.norm(prefix), site)


def _project(layer, hidden: torch.Tensor, rotary) -> tuple[torch.Tensor, ...]:
    """Return a layer's queries, keys and values, each ``(rows, heads, length, head_dim)``."""
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    attention, normed = layer.self_attn, layer.input_layernorm(hidden)
    q, k, v = (
        proj(normed).unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)
        for proj in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    return (*apply_rotary_pos_emb(q, k, *rotary), v)


def _finish(layer, hidden: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
    """Add the attention's output and the MLP's to the residual stream."""
    hidden = hidden + layer.self_attn.o_proj(attended.transpose(1, 2).flatten(2))
    return hidden + layer.mlp(layer.post_attention_layernorm(hidden))
