"""Reading and shifting the residual stream while a model runs.

The output of layer ``l`` (counted from 0) is the residual stream after it, which SAELens calls
``blocks.l.hook_resid_post``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from transformers import PreTrainedModel

from valuegraph.interventions import Shift


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
    model: PreTrainedModel,
    layer: int,
    rows: torch.Tensor,
    columns: torch.Tensor,
    vectors: torch.Tensor,
) -> Iterator[None]:
    """Add one vector to one token of some rows of the batch, as long as the context lasts.

    Parameters
    ----------
    model
        The model whose forward passes are changed.
    layer
        Whose output is shifted.
    rows, columns
        Which tokens, each of shape ``(m,)``.
    vectors
        What is added to each, shape ``(m, width)``.

    Raises
    ------
    ValueError
        If the model has no such layer.
    """

    def add(module, inputs, output):
        # Layers of some architectures return a tuple. Out of place: the output may be shared.
        hidden = output[0] if isinstance(output, tuple) else output
        if hidden.shape[1] == 1:  # what is generated is left as it comes
            return None
        shift = torch.zeros_like(hidden)
        shift[rows, columns] = vectors.to(hidden)
        moved = hidden + shift
        return (moved, *output[1:]) if isinstance(output, tuple) else moved

    handle = decoder_layer(model, layer).register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def shifted_rows(
    model: PreTrainedModel, shifts: Sequence[Shift | None], columns: torch.Tensor
) -> Iterator[None]:
    """Let the shift of every row act at one of its tokens, as long as the context lasts.

    Parameters
    ----------
    model
        The model whose forward passes are changed.
    shifts
        One for each row; None for none.
    columns
        Token of each row, shape ``(rows,)``.

    Raises
    ------
    ValueError
        If the model lacks a layer.
    """
    with ExitStack() as stack:
        for layer in sorted({s.layer for s in shifts if s is not None}):
            rows = [i for i, s in enumerate(shifts) if s is not None and s.layer == layer]
            vectors = torch.from_numpy(np.stack([shifts[i].vector for i in rows]))
            at = torch.tensor(rows, device=columns.device)
            stack.enter_context(shifted(model, layer, at, columns[at], vectors))
        yield


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
