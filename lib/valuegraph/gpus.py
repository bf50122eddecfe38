"""What fits on which GPU: weights by precision, and how many tokens can be asked beside them.

Everything here is computed from the shapes of a model's layers: nothing is loaded, and nothing was
measured. What the driver and the libraries of the GPU keep for themselves comes on top, so what
barely fits may not. How long asking takes cannot be computed like this; `valuegraph.runs.pace`
measures it.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import pandas as pd

from valuegraph.asking.batching import LEAST_TOKENS, tokens_in
from valuegraph.loading import find_files
from valuegraph.models import read_config
from valuegraph.steering.releases import PUBLIC_SAES

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_MEBIBYTE = 2**20

#: Sizes of the gated models, as their makers published them: known without asking the hub.
_PUBLISHED = {
    "gemma-2b-it": (
        "gemma",
        {
            "vocab_size": 256_000,
            "hidden_size": 2048,
            "intermediate_size": 16_384,
            "num_hidden_layers": 18,
            "num_attention_heads": 8,
            "num_key_value_heads": 1,
            "head_dim": 256,
        },
    ),
    "llama-3-8b-it": (
        "llama",
        {
            "vocab_size": 128_256,
            "hidden_size": 4096,
            "intermediate_size": 14_336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
        },
    ),
}

#: Precisions of a GPU: what `quantize` of `valuegraph.models.load_model` is called in tables. In 16
#: bits a model is kept as bfloat16, or as float16 where the GPU does not compute in that (a T4).
PRECISIONS = {None: "16 bits", "8bit": "8 bits", "4bit": "4 bits"}

#: What is tried by itself, in this order; 8 bits are there to be asked for.
_TRIED = (None, "4bit")

# bitsandbytes keeps a float32 for every row of 8-bit weights, and one for every 64 4-bit weights.
_SCALE, _BLOCK = 4, 64


@dataclass(frozen=True)
class Gpu:
    """A GPU, as far as it matters here.

    Attributes
    ----------
    name
        What it is called.
    memory
        Its memory in bytes.
    """

    name: str
    memory: int

    @property
    def gigabytes(self) -> float:
        """Its memory in units of 10^9 bytes."""
        return self.memory / 1e9


#: GPUs that Colab lends, with the memory that ``nvidia-smi`` tells of them.
COLAB_GPUS = (
    Gpu("T4", 15_360 * _MEBIBYTE),
    Gpu("L4", 23_034 * _MEBIBYTE),
    Gpu("A100", 40_960 * _MEBIBYTE),
)


def this_gpu() -> Gpu | None:
    """Return the first CUDA GPU of this machine with the memory that is free; None without one."""
    import torch

    if not torch.cuda.is_available():
        return None
    # What is used no longer, such as the model of a cell that is run again, counts as free.
    gc.collect()
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(0)
    return Gpu(torch.cuda.get_device_name(0), free)


def config_of(name: str) -> PreTrainedConfig:
    """Return the configuration of a model; those of Gemma and Llama need no network.

    Parameters
    ----------
    name
        As for `valuegraph.models.load_model`.

    Raises
    ------
    ValueError, FileNotFoundError, OSError
        As from `valuegraph.loading.find_files`, of which all other names are asked.
    """
    from transformers import AutoConfig

    if name in _PUBLISHED:
        kind, sizes = _PUBLISHED[name]
        return AutoConfig.for_model(kind, **sizes)
    return read_config(find_files(name))


def weight_bytes(config: PreTrainedConfig, quantize: str | None = None) -> int:
    """Compute how much memory the weights of a model take on a GPU.

    Parameters
    ----------
    config
        Of the model.
    quantize
        A key of `PRECISIONS`. bitsandbytes quantises the linear layers, except the one that gives
        words their probabilities; the rest stays in 16 bits.

    Returns
    -------
    int
        Bytes, the scales of quantised weights included.

    Raises
    ------
    ValueError
        If there is no such precision.
    """
    import torch
    from transformers import AutoModelForCausalLM

    if quantize not in PRECISIONS:
        known = ", ".join(map(repr, PRECISIONS))
        raise ValueError(f"quantize is {quantize!r}; there are {known}")
    with torch.device("meta"):  # shapes without memory
        model = AutoModelForCausalLM.from_config(deepcopy(config), trust_remote_code=False)
    total = 2 * model.num_parameters()
    if quantize is None:
        return total
    head = model.get_output_embeddings()
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear) and layer is not head:
            n = layer.weight.numel()
            kept = (
                n + _SCALE * layer.out_features
                if quantize == "8bit"
                else ceil(n / 2) + _SCALE * ceil(n / _BLOCK)
            )
            total += kept - 2 * n
    return total


def batch_tokens(config: PreTrainedConfig, memory: int, quantize: str | None = None) -> int:
    """Compute how many tokens can be asked at a time beside the weights.

    Parameters
    ----------
    config, quantize
        As for `weight_bytes`.
    memory
        Of the GPU, in bytes.

    Returns
    -------
    int
        By the rule of `valuegraph.asking.batching.tokens_in`; 0 if less than `LEAST_TOKENS` fit.
    """
    tokens = tokens_in(memory - weight_bytes(config, quantize), config, itemsize=2)
    return tokens if tokens >= LEAST_TOKENS else 0


def fitting(config: PreTrainedConfig, gpu: Gpu) -> str | None:
    """Choose how to load a model on a GPU: as it is if it fits, else in 4 bits.

    Parameters
    ----------
    config
        Of the model.
    gpu
        Where it should lie.

    Returns
    -------
    str or None
        What to pass as `quantize`.

    Raises
    ------
    MemoryError
        If it does not even fit in 4 bits.
    """
    for quantize in _TRIED:
        if batch_tokens(config, gpu.memory, quantize):
            return quantize
    raise MemoryError(
        f"the weights take {weight_bytes(config, '4bit') / 1e9:.1f} GB in 4 bits, and the "
        f"{gpu.name} has {gpu.gigabytes:.1f} GB free, of which the answers need some; take a "
        "larger GPU or a smaller model, and end what else holds the GPU"
    )


def gpu_table(
    models: Sequence[str] = tuple(_PUBLISHED), gpus: Sequence[Gpu] = COLAB_GPUS
) -> pd.DataFrame:
    """Tabulate what models take, and how many tokens can be asked beside them.

    Parameters
    ----------
    models
        Names, as for `config_of`.
    gpus
        Where they might lie.

    Returns
    -------
    pandas.DataFrame
        Index ``(model, precision)``; columns ``weights_gb`` (on the GPU), ``sae_gb`` (of the public
        sparse autoencoder, in float32, which lies in the machine's own memory; NaN if there is
        none) and, by the name of each GPU, the tokens of a batch, 0 where the model does not fit.
    """
    saes = {public.model: public.gigabytes for public in PUBLIC_SAES.values()}
    rows = {}
    for name in models:
        config = config_of(name)
        for quantize, precision in PRECISIONS.items():
            rows[name, precision] = {
                "weights_gb": weight_bytes(config, quantize) / 1e9,
                "sae_gb": saes.get(name, float("nan")),
                **{gpu.name: batch_tokens(config, gpu.memory, quantize) for gpu in gpus},
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["model", "precision"])
