"""What training does inside the model: the site's code, and a forward pass over branches."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from studies.training.batches import Batch


def block_size(width: int, n_values: int) -> int:
    """Coordinates of the site that belong to each value, in their order, from the first on."""
    size = width // n_values
    if size < 3:
        raise ValueError(
            f"a width of {width} leaves blocks of {size} coordinates for {n_values} values; "
            f"choose a width of at least {3 * n_values}"
        )
    return size


class SiteCode(torch.nn.Module):
    """Writes mechanisms as states of the site: block k holds the mechanism of value k, linearly.

    Each part of a mechanism ``(u_k, is_fixed, level)`` has a direction in the block, drawn from the
    seed, at right angles to the others; the offset, the state of no mechanism at all, is learnt.
    """

    def __init__(self, width: int, n_values: int, *, seed: int) -> None:
        super().__init__()
        self.size = block_size(width, n_values)
        generator = torch.Generator().manual_seed(seed)
        directions = torch.zeros(n_values, 3, width)
        for k in range(n_values):
            basis, _ = torch.linalg.qr(torch.randn(self.size, 3, generator=generator))
            directions[k, :, k * self.size : (k + 1) * self.size] = basis.T
        self.register_buffer("directions", directions)
        self.offset = torch.nn.Parameter(torch.zeros(width))

    def forward(self, mechanisms: torch.Tensor) -> torch.Tensor:
        """States, shape ``(n, width)``, of mechanisms, shape ``(n, d, 3)``."""
        return self.offset + torch.einsum("ndm,dmw->nw", mechanisms, self.directions)

    def power(self, mechanisms: torch.Tensor) -> torch.Tensor:
        """Mean square of the part of the code that varies over mechanisms, shape ``(n, d, 3)``."""
        varying = mechanisms - mechanisms.mean(0)
        power = torch.einsum("ndm,dmw->nw", varying, self.directions).square().mean()
        return power.clamp(min=1e-6)

    def swap(self, site: torch.Tensor, swapped: torch.Tensor) -> torch.Tensor:
        """Give states of bases the blocks of their sources, which follow, where `swapped`."""
        pairs, d = swapped.shape
        take = torch.zeros(pairs, site.shape[-1], dtype=torch.bool)
        take[:, : d * self.size] = swapped.repeat_interleave(self.size, 1)
        return torch.cat([torch.where(take, site[pairs:], site[:pairs]), site[pairs:]])


class States(NamedTuple):
    """What a forward pass saw."""

    branches: torch.Tensor  # final hidden states of the branches, (n * r, b, width)
    branches_at_site: torch.Tensor  # the branches after the site's layer, same shape
    prefixes: torch.Tensor  # final hidden states of the kept prefix columns, (n, kept, width)
    site: torch.Tensor  # the site after its layer, before any edit, (n, width)


def branching_forward(
    llama,
    batch: Batch,
    site_layer: int,
    edit_site: Callable[[torch.Tensor], torch.Tensor] = lambda site: site,
) -> States:
    """Run many branches of questions behind one prefix each, editing the site after a layer.

    The same numbers as the model's own forward pass over each whole dialogue, for less work: a
    prefix is run once for all its branches, and branches do not see one another.
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
