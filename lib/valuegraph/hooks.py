"""Reading and shifting the residual stream while a model runs, and running some layers alone.

The output of layer ``l`` (counted from 0) is the residual stream after it, which SAELens calls
``blocks.l.hook_resid_post``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel


def decoder_layer(model: PreTrainedModel, layer: int) -> torch.nn.Module:
    """Return a layer of the model.

    Parameters
    ----------
    model
        A decoder with ``base_model.layers``, such as Llama or Gemma.
    layer
        Number of the layer, counted from 0.

    Raises
    ------
    ValueError
        If the model has no such layer.
    """
    layers = model.base_model.layers
    if not 0 <= layer < len(layers):
        raise ValueError(
            f"layer {layer} does not exist; this model has layers 0 ... {len(layers) - 1}"
        )
    return layers[layer]


@contextmanager
def shifted(
    model: PreTrainedModel, layer: int, vectors: torch.Tensor, tokens: torch.Tensor
) -> Iterator[None]:
    """Add one vector to some tokens of each row of the batch, as long as the context lasts.

    Parameters
    ----------
    model
        The model whose forward passes are changed.
    layer
        Whose output is shifted.
    vectors
        What is added in each row, shape ``(rows, width)``.
    tokens
        Where it is added, boolean, shape ``(rows, tokens)``. All other tokens keep their bits.

    Raises
    ------
    ValueError
        If the model has no such layer.
    """

    def add(module, inputs, output):
        # Layers of some architectures return a tuple. Out of place: the output may be shared.
        hidden = output[0] if isinstance(output, tuple) else output
        # 1 or 0 times the vector: exact, and what is zero adds nothing.
        moved = torch.addcmul(hidden, tokens.to(hidden)[..., None], vectors.to(hidden)[:, None])
        return (moved, *output[1:]) if isinstance(output, tuple) else moved

    handle = decoder_layer(model, layer).register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def recorded(model: PreTrainedModel, layer: int) -> Iterator[list[torch.Tensor]]:
    """Collect the outputs of a layer as long as the context lasts.

    Parameters
    ----------
    model
        The model whose forward passes are watched.
    layer
        Whose output is kept.

    Yields
    ------
    list of torch.Tensor
        One tensor of shape ``(rows, tokens, width)`` for each forward pass, in their order.

    Raises
    ------
    ValueError
        If the model has no such layer.
    """
    outputs: list[torch.Tensor] = []

    def keep(module, inputs, output):
        outputs.append((output[0] if isinstance(output, tuple) else output).detach())

    handle = decoder_layer(model, layer).register_forward_hook(keep)
    try:
        yield outputs
    finally:
        handle.remove()


@contextmanager
def stopped_after(model: PreTrainedModel, layer: int) -> Iterator[None]:
    """Pass over all layers above one, as long as the context lasts.

    What the model makes of the states that come out is of no use; read them with `recorded`.

    Parameters
    ----------
    model
        The model whose forward passes are changed.
    layer
        The last one that is run.

    Raises
    ------
    ValueError
        If the model has no such layer.
    """
    decoder_layer(model, layer)
    layers = list(model.base_model.layers)
    above = [_PassedOver()] * (len(layers) - layer - 1)
    with _layers_swapped(model, [*layers[: layer + 1], *above]):
        yield


@contextmanager
def resumed_after(model: PreTrainedModel, layer: int, states: torch.Tensor) -> Iterator[None]:
    """Begin above a layer, with given states, as long as the context lasts.

    Masks, positions and attention caches are the model's own: only the layers up to this one are
    passed over. Shifts of its output act.

    Parameters
    ----------
    model
        The model whose forward passes are changed.
    layer
        After which the states were recorded.
    states
        Shape ``(rows, tokens, width)``, as the tokens that the model is given.

    Raises
    ------
    ValueError
        If the model has no such layer.
    """
    decoder_layer(model, layer)
    below = [*[_PassedOver()] * layer, _PassedOver(states)]
    with _layers_swapped(model, [*below, *model.base_model.layers[layer + 1 :]]):
        yield


class _PassedOver(torch.nn.Module):
    """Stands in the place of a layer: hands on what comes in, or given states."""

    def __init__(self, states: torch.Tensor | None = None) -> None:
        super().__init__()
        self.states = states
        self.mlp = torch.nn.Identity()  # a layer's MLP may be hooked, too

    def forward(self, hidden: torch.Tensor, **_: object) -> torch.Tensor:
        return hidden if self.states is None else self.states


@contextmanager
def _layers_swapped(model: PreTrainedModel, layers: Sequence[torch.nn.Module]) -> Iterator[None]:
    before = model.base_model.layers
    model.base_model.layers = torch.nn.ModuleList(layers)
    try:
        yield
    finally:
        model.base_model.layers = before
