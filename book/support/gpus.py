"""What fits on which GPU: computed from the shapes of a model's layers, nothing is measured.

What the driver and the libraries keep for themselves comes on top, so what barely fits may not.
"""

import gc
from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import pandas as pd
import torch
from transformers import AutoConfig

from valuegraph.forward import LEAST_TOKENS, tokens_in
from valuegraph.model_files import find_files
from valuegraph.models import empty_model, read_config

# Sizes of the gated models, as their makers published them: known without asking the hub.
_SIZES = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")
_SIZES += ("num_attention_heads", "num_key_value_heads", "head_dim")
_PUBLISHED = {
    "gemma-2b-it": ("gemma", (256_000, 2048, 16_384, 18, 8, 1, 256)),
    "llama-3-8b-it": ("llama", (128_256, 4096, 14_336, 32, 32, 8, 128)),
}
# Gigabytes of the autoencoders that Kang et al. (2025) steer them with, in float32.
_SAE_GB = {"gemma-2b-it": 0.27, "llama-3-8b-it": 2.15}
#: What `quantize` of `valuegraph.load_model` is called in tables.
PRECISIONS = {None: "16 bits", "8bit": "8 bits", "4bit": "4 bits"}


class Gpu(NamedTuple):
    """A GPU with its memory, or what is free of it, in bytes."""

    name: str
    memory: int

    @property
    def gigabytes(self) -> float:
        return self.memory / 1e9


#: GPUs that Colab lends, with the memory that ``nvidia-smi`` tells of them.
_MEBIBYTES = {"T4": 15_360, "L4": 23_034, "A100": 40_960}
COLAB_GPUS = tuple(Gpu(name, size * 2**20) for name, size in _MEBIBYTES.items())


def this_gpu() -> Gpu | None:
    """Return the first CUDA GPU of this machine with the memory that is free; None without one."""
    if not torch.cuda.is_available():
        return None
    # What is used no longer, such as the model of a cell that is run again, counts as free.
    gc.collect()
    torch.cuda.empty_cache()
    return Gpu(torch.cuda.get_device_name(0), torch.cuda.mem_get_info(0)[0])


def config_of(name: str):
    """Return the configuration of a model; those of Gemma and Llama need no network."""
    if name not in _PUBLISHED:
        return read_config(find_files(name))
    kind, sizes = _PUBLISHED[name]
    return AutoConfig.for_model(kind, **dict(zip(_SIZES, sizes, strict=True)))


def weight_bytes(config, quantize: str | None = None) -> int:
    """Compute how much memory weights take on a GPU.

    bitsandbytes quantises the linear layers, except the one that gives words their probabilities,
    and keeps a float32 for every row of 8-bit weights, and one for every 64 4-bit weights.
    """
    if quantize not in PRECISIONS:
        raise ValueError(f"quantize is {quantize!r}; there are {', '.join(map(repr, PRECISIONS))}")
    model = empty_model(config)
    total, head = 2 * model.num_parameters(), model.get_output_embeddings()
    for layer in model.modules():
        if quantize and isinstance(layer, torch.nn.Linear) and layer is not head:
            n = layer.weight.numel()
            in_8 = n + 4 * layer.out_features
            total += (in_8 if quantize == "8bit" else ceil(n / 2) + 4 * ceil(n / 64)) - 2 * n
    return total


def batch_tokens(config, memory: int, quantize: str | None = None) -> int:
    """Compute how many tokens can be asked at a time beside the weights; 0 if too few."""
    tokens = tokens_in(memory - weight_bytes(config, quantize), config, itemsize=2)
    return tokens if tokens >= LEAST_TOKENS else 0


def fitting(config, gpu: Gpu) -> str | None:
    """Choose `quantize` for a GPU: nothing if the model fits as it is, else 4 bits."""
    for quantize in (None, "4bit"):
        if batch_tokens(config, gpu.memory, quantize):
            return quantize
    needs = f"weights of {weight_bytes(config, '4bit') / 1e9:.1f} GB in 4 bits do not fit beside"
    raise MemoryError(f"{needs} answers into the {gpu.gigabytes:.1f} GB free on the {gpu.name}")


def gpu_table(
    models: Sequence[str] = tuple(_PUBLISHED), gpus: Sequence[Gpu] = COLAB_GPUS
) -> pd.DataFrame:
    """Tabulate what models take, and how many tokens can be asked beside them.

    Index ``(model, precision)``; ``weights_gb``, ``sae_gb`` (of the public autoencoder, in the
    machine's own memory) and, by the name of each GPU, the tokens of a batch, 0 if none fits.
    """
    rows = {}
    for name in models:
        config = config_of(name)
        for quantize, precision in PRECISIONS.items():
            gigabytes = {"weights_gb": weight_bytes(config, quantize) / 1e9}
            tokens = {gpu.name: batch_tokens(config, gpu.memory, quantize) for gpu in gpus}
            rows[name, precision] = gigabytes | {"sae_gb": _SAE_GB.get(name, float("nan"))} | tokens
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["model", "precision"])
