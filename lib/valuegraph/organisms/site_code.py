"""The code in which the site of an interchange-trained organism holds the ten mechanisms."""

from __future__ import annotations

import torch


def block_slices(width: int, n_values: int) -> list[slice]:
    """Coordinates of the site that belong to each value: equal blocks, the rest belongs to none.

    Raises
    ------
    ValueError
        If a block would have fewer than the three coordinates that a mechanism takes.
    """
    size = width // n_values
    if size < 3:
        raise ValueError(
            f"a width of {width} leaves blocks of {size} coordinates for {n_values} values; "
            f"choose a width of at least {3 * n_values}"
        )
    return [slice(k * size, (k + 1) * size) for k in range(n_values)]


class SiteCode(torch.nn.Module):
    """Writes mechanisms as states of the site: block k holds the mechanism of value k, linearly.

    A mechanism is ``(u_k, is_fixed, level)``; each of the three has a direction of its own in the
    block. The directions are fixed, orthonormal within a block and drawn from the seed; the
    offset, the state of a site whose mechanisms are all zero, is learnt.

    Parameters
    ----------
    width
        Width of the residual stream.
    n_values
        Number of values.
    seed
        Of the directions.
    """

    def __init__(self, width: int, n_values: int, *, seed: int) -> None:
        super().__init__()
        self.blocks = block_slices(width, n_values)
        generator = torch.Generator().manual_seed(seed)
        directions = torch.zeros(n_values, 3, width)
        for k, block in enumerate(self.blocks):
            size = block.stop - block.start
            basis, _ = torch.linalg.qr(torch.randn(size, 3, generator=generator))
            directions[k, :, block] = basis.T
        self.register_buffer("directions", directions)
        self.offset = torch.nn.Parameter(torch.zeros(width))

    def forward(self, mechanisms: torch.Tensor) -> torch.Tensor:
        """States, shape ``(n, width)``, of mechanisms, shape ``(n, d, 3)``."""
        return self.offset + torch.einsum("ndm,dmw->nw", mechanisms, self.directions)

    def directions_power(self, mechanisms: torch.Tensor) -> torch.Tensor:
        """Mean square of the part of the code that varies over mechanisms, shape ``(n, d, 3)``."""
        varying = mechanisms - mechanisms.mean(0)
        power = torch.einsum("ndm,dmw->nw", varying, self.directions).square().mean()
        return power.clamp(min=1e-6)

    def swap(self, site: torch.Tensor, swapped: torch.Tensor) -> torch.Tensor:
        """Give the first half of the sites the blocks of the second half, where told.

        Parameters
        ----------
        site
            States of the site, shape ``(2 * pairs, width)``, bases before their sources.
        swapped
            Which blocks are taken, boolean, shape ``(pairs, d)``.
        """
        pairs = len(swapped)
        take = torch.zeros(pairs, site.shape[-1], dtype=torch.bool)
        for k, block in enumerate(self.blocks):
            take[:, block] = swapped[:, k : k + 1]
        return torch.cat([torch.where(take, site[pairs:], site[:pairs]), site[pairs:]])
