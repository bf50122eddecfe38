"""Respondents: chat models with their tokenizers, by short name, hub name or folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from valuegraph.loading import HUB_NAMES, ModelFiles, fetch_weights, find_files
from valuegraph.memory import require_memory
from valuegraph.precision import (
    QUANTIZATIONS,
    bitsandbytes_config,
    check_quantize,
    check_stored,
    checked_device,
    checked_dtype,
    default_dtype,
    method_name,
)

__all__ = ["HUB_NAMES", "Respondent", "load_model", "read_config"]

# What is true of every file that is read: it lies here, and no code comes with it.
_SAFELY = {"local_files_only": True, "trust_remote_code": False}

# Bytes of weights; loading as many takes about a second.
_LONG_WAIT = 1e9

_CODE_OF_ITS_OWN = (
    "{} can only be loaded by running code that comes with it (trust_remote_code), which this "
    "library never does; take a model whose architecture is part of transformers"
)


@dataclass(frozen=True, eq=False)
class Respondent:
    """A model that can be asked.

    Attributes
    ----------
    name
        The name it was loaded by; it labels the answers.
    model
        A causal language model in evaluation mode.
    tokenizer
        Its tokenizer, with a chat template.
    revision
        Which weights they are: the commit of the hub, or ``sha256:`` and a hash of the weights of a
        folder; empty for a model that was not loaded.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    revision: str = ""

    @property
    def device(self) -> torch.device:
        """Where the model's weights lie."""
        return self.model.device

    @property
    def width(self) -> int:
        """Width of the residual stream."""
        return self.model.config.hidden_size

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return self.model.config.num_hidden_layers

    @property
    def description(self) -> dict[str, str | int | None]:
        """Which model this is and how it was loaded, in plain data.

        Keys: ``name``, ``revision``, ``architecture`` (class of transformers), ``parameters``,
        ``dtype``, ``quantize`` (``"8bit"``, ``"4bit"``, or another method that the checkpoint came
        with; None for none) and ``device`` (``"cpu"``, ``"cuda"``, ``"mps"``).
        """
        return {
            "name": self.name,
            "revision": self.revision,
            "architecture": type(self.model).__name__,
            "parameters": self.model.num_parameters(),
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "quantize": _quantization(self.model),
            "device": self.device.type,
        }


def load_model(
    name: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    quantize: str | None = None,
    revision: str | None = None,
) -> Respondent:
    """Load a respondent.

    Neither code nor pickled weights of a model are ever run. Whether the model can be asked, and
    fits into memory, is found out before its weights are downloaded.

    Parameters
    ----------
    name
        An organism shipped with the package (``organism-human``, ``organism-alien``,
        ``organism-plain``), ``gemma-2b-it`` or ``llama-3-8b-it``, any other hub name
        (``owner/model``), or a folder in Hugging Face format.
    device
        Where to put the model; by default the first CUDA GPU if there is one, else the CPU.
        ``"mps"`` is the GPU of a Mac.
    dtype
        Of the weights, ``"float32"``, ``"bfloat16"``, ``"float16"`` or a type of torch. By default
        float32 on a CPU; on a GPU the checkpoint's own type, but float16 for bfloat16 where the GPU
        does not compute in it (a T4, for instance).
    quantize
        ``"8bit"`` or ``"4bit"`` (nf4): the weights of the linear layers in 8 or 4 bits by
        bitsandbytes, which needs a CUDA GPU. `dtype` is then the type of all else and of the
        arithmetic: by default float16 with 8 bits, and bfloat16 with 4, or float16 where the GPU
        does not compute in that.
    revision
        Branch, tag or commit of a model of the hub; by default the newest.

    Returns
    -------
    Respondent
        The model in evaluation mode, with its tokenizer.

    Raises
    ------
    ValueError
        If the name is neither known nor of the form ``owner/model``, an option is unknown or does
        not fit the device, or the model is no decoder that this library can ask: it has no chat
        template, another architecture, code of its own, or weights that do not fit its
        configuration.
    FileNotFoundError
        If the name is a path and there is no model there.
    OSError
        If the hub does not hand out the model, or its weights are not in safetensors format; the
        message says what to do.
    MemoryError
        If there is too little memory, on the machine or on the GPU.
    ImportError
        If bitsandbytes is needed and not installed.
    """
    device = checked_device(device)
    wanted = checked_dtype(dtype)
    check_quantize(quantize, device)
    files = find_files(name, revision=revision)
    config = read_config(files)
    stored = getattr(config, "quantization_config", None)
    check_stored(stored, quantize, device, name=files.name)
    parameters = _count_parameters(config, files)
    tokenizer = _load_tokenizer(files)
    if wanted is None:
        wanted = default_dtype(config.dtype, quantize, device)
    options: dict[str, object] = {"dtype": "auto" if wanted is None else wanted}
    if quantize is not None:
        options["quantization_config"] = bitsandbytes_config(quantize, wanted)
    if quantize is not None or stored is not None:
        options["device_map"] = {"": device}  # what is quantised is placed once, and never moved
    else:
        require_memory(parameters, wanted or torch.float32, name=files.name)
    found = fetch_weights(files)
    return Respondent(files.name, _load_weights(files, device, options), tokenizer, found)


def read_config(files: ModelFiles) -> PreTrainedConfig:
    """Read the configuration of a model.

    Parameters
    ----------
    files
        From `valuegraph.loading.find_files`.

    Returns
    -------
    transformers.PreTrainedConfig
        Its sizes, among others.

    Raises
    ------
    ValueError
        If transformers does not know the architecture, or it needs code of its own.
    """
    told = json.loads((files.folder / "config.json").read_text(encoding="utf-8"))
    kind = told.get("model_type")
    if kind not in CONFIG_MAPPING:
        if told.get("auto_map"):
            raise ValueError(_CODE_OF_ITS_OWN.format(files.name))
        raise ValueError(
            f"{files.name} has the architecture {kind!r}, which transformers "
            f"{transformers.__version__} does not know; a newer one may: "
            "`pip install --upgrade transformers`"
        )
    return AutoConfig.from_pretrained(files.folder, **_SAFELY)


def _count_parameters(config: PreTrainedConfig, files: ModelFiles) -> int:
    """Count the weights of the architecture, which must be a decoder with layers."""
    if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING and not config.is_encoder_decoder:
        with torch.device("meta"):  # shapes without memory
            model = AutoModelForCausalLM.from_config(deepcopy(config), trust_remote_code=False)
        if hasattr(model.base_model, "layers"):
            return model.num_parameters()
    elif "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {}):
        raise ValueError(_CODE_OF_ITS_OWN.format(files.name))
    raise ValueError(
        f"{files.name} has the architecture {config.model_type!r}, which is no decoder with layers "
        "at `base_model.layers`, so this library cannot ask it; take a causal chat model, such as "
        "those of Gemma, Llama, Mistral or Qwen2"
    )


def _load_tokenizer(files: ModelFiles) -> PreTrainedTokenizerBase:
    """Load the tokenizer, which must know how to write turns."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(files.folder, **_SAFELY)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"the tokenizer of {files.name} cannot be loaded ({error}); its files may be missing, "
            "or it may need code of its own, which is never run"
        ) from error
    if tokenizer.chat_template is None:
        raise ValueError(
            f"{files.name} has no chat template, so it cannot be asked in turns; "
            "use the instruction-tuned version of the model"
        )
    tokenizer.name_or_path = files.repository or str(files.folder)  # not a folder of the cache
    return tokenizer


def _load_weights(
    files: ModelFiles, device: torch.device, options: dict[str, object]
) -> PreTrainedModel:
    """Load the weights and put them on the device."""
    try:
        with _bar_for_long_waits(files.folder):
            model, report = AutoModelForCausalLM.from_pretrained(
                files.folder, use_safetensors=True, output_loading_info=True, **_SAFELY, **options
            )
        if "device_map" not in options:
            model = model.to(device)
    except RuntimeError as error:
        if "out of memory" not in str(error).lower():
            raise
        raise MemoryError(
            f"{files.name} does not fit into the memory of {device}: {str(error).splitlines()[0]} "
            "Use a smaller type (dtype='float16' takes half of float32), quantize='8bit' or "
            "'4bit', or a smaller model; end other programs that hold the GPU, and start Python "
            "anew where an earlier model is still in its memory."
        ) from error
    if report["missing_keys"]:
        lost = sorted(report["missing_keys"])
        raise ValueError(
            f"the weights of {files.name} do not fit its configuration: {len(lost)} are missing, "
            f"first {lost[0]}, and would be random; download or save the model again"
        )
    return model.eval()


@contextmanager
def _bar_for_long_waits(folder: Path) -> Iterator[None]:
    """Let transformers show no progress bar where loading takes a blink."""
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    if quiet := weights <= _LONG_WAIT and logging.is_progress_bar_enabled():
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if quiet:
            logging.enable_progress_bar()


def _quantization(model: PreTrainedModel) -> str | None:
    """Tell how the weights of a model are quantised."""
    for bits in QUANTIZATIONS:
        if getattr(model, f"is_loaded_in_{bits}", False):
            return bits
    method = getattr(model, "quantization_method", None)
    return None if method is None else method_name(method)
