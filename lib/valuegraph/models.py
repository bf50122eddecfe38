"""Respondents: chat models with their tokenizers, by short name, hub name or folder."""

import warnings
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
import transformers
from torch.nn.functional import linear
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging

from valuegraph.hooks import layers_of
from valuegraph.model_files import ModelFiles, fetch_weights, find_files
from valuegraph.tables import refusing

# What is true of every file that is read: it lies here, and no code comes with it.
_SAFELY = {"local_files_only": True, "trust_remote_code": False}

_TOO_LARGE = "{} does not fit on {} ({}); try dtype='bfloat16', quantize='4bit' or a smaller model"
_NO_DECODER = "{} (architecture: {}) is no decoder with layers, nor can one be loaded out of it; "
_NO_DECODER += "code of its own (trust_remote_code) is never run; take one such as Gemma or Llama"
_NO_BFLOAT16 = "this GPU does not compute in bfloat16: the weights become float16, in which some "
_NO_BFLOAT16 += "models overflow (their answers are then refused); with dtype='float32' none does"

# Where the language part of a model that also sees or hears lies, and where alone.
_PART = r"^(?:model\.)?(?:language|text)_model\."
_ALONE = {rf"{_PART}lm_head": "lm_head", rf"{_PART}(?:model\.)?": "model."}


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
        Its tokenizer.
    revision
        Which weights they are: the commit of the hub, or ``sha256:`` and a hash of the weights of a
        folder; empty for a model that was not loaded.
    """

    name: str
    model: transformers.PreTrainedModel
    tokenizer: transformers.PreTrainedTokenizerBase
    revision: str = ""

    @property
    def device(self) -> torch.device:
        """Where the model's weights lie."""
        return self.model.device

    @property
    def width(self) -> int:
        """Width of the residual stream."""
        return self.model.config.get_text_config().hidden_size

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return len(layers_of(self.model))

    @property
    def description(self) -> dict[str, str | int | None]:
        """Which model this is and how it was loaded, in plain data.

        Keys: ``name``, ``revision``, ``architecture`` (class of transformers), ``parameters``,
        ``dtype``, ``quantize`` (``"8bit"``, ``"4bit"``, or another method that the checkpoint came
        with; None for none) and ``device`` (``"cpu"``, ``"cuda"``, ``"mps"``).
        """
        bits = [b for b in ("8bit", "4bit") if getattr(self.model, f"is_loaded_in_{b}", False)]
        method = getattr(self.model, "quantization_method", None)
        quantize = bits[0] if bits else method and str(getattr(method, "value", method))
        kind, dtype = type(self.model).__name__, str(self.model.dtype).removeprefix("torch.")
        told = {"name": self.name, "revision": self.revision, "architecture": kind}
        told |= {"parameters": self.model.num_parameters(), "dtype": dtype}
        return told | {"quantize": quantize, "device": self.device.type}


def load_model(name, *, device=None, dtype=None, quantize=None, revision=None) -> Respondent:
    """Load a respondent, running neither code nor pickled weights that come with it.

    Whether the model can be asked, and fits into memory, is known before its weights are
    downloaded.

    Parameters
    ----------
    name : str or Path
        A shipped organism (``organism-human``, ``-alien``, ``-plain``, ``-surface``),
        ``gemma-2b-it`` or ``llama-3-8b-it``, any other hub name (``owner/model``), a folder in
        Hugging Face format, or a GGUF file (with the package ``gguf``). Of a model that also sees
        or hears, the language part is loaded, or all of it where transformers knows no such part
        alone (Qwen-VL); what has no chat template (base models) can be asked in the layouts of Kang
        et al.
    device : str or torch.device, optional
        By default the first CUDA GPU if there is one, else the CPU; ``"mps"`` is the GPU of a Mac.
    dtype : str or torch.dtype, optional
        Of the weights, ``"float32"``, ``"bfloat16"``, ``"float16"`` or a type of torch. By default
        float32 on a CPU; on a GPU the checkpoint's own type, but float16 for bfloat16 where the GPU
        does not compute in it (a T4, for instance), with a warning.
    quantize : str, optional
        ``"8bit"`` or ``"4bit"`` (nf4): the weights of the linear layers in 8 or 4 bits by
        bitsandbytes, on a CUDA GPU. `dtype` is then the type of all else: by default float16 with 8
        bits, and bfloat16 with 4, or float16 where the GPU does not compute in that.
    revision : str, optional
        Branch, tag or commit of a model of the hub; by default the newest.

    Returns
    -------
    Respondent
        The model in evaluation mode, with its tokenizer.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    with refusing(f"unknown device {device!r}"):
        device = torch.device(device or ("cuda" if here["cuda"] else "cpu"))
    if not here.get(device.type, True):
        raise ValueError(f"torch sees no GPU {str(device)!r} on this machine; leave `device` out")
    wanted = getattr(torch, dtype, dtype) if isinstance(dtype, str) else dtype
    if wanted is not None and not (isinstance(wanted, torch.dtype) and wanted.is_floating_point):
        raise ValueError(f"unknown dtype {dtype!r}; known are float32, bfloat16, float16")
    if quantize and (quantize not in ("8bit", "4bit") or device.type != "cuda"):
        raise ValueError(f"quantize is {quantize!r}; give '8bit' or '4bit', on a CUDA GPU only")
    files, unfit = find_files(name, revision=revision), f"{name} cannot be loaded"
    with refusing(unfit):
        config = read_config(files)
    stored = getattr(config, "quantization_config", None)
    if stored and (quantize or device.type != "cuda"):
        raise ValueError(f"the weights of {name} are quantised: use a CUDA GPU without `quantize`")
    with refusing(unfit):
        parameters, tokenizer = _count_parameters(config, files), _load_tokenizer(files)
    wanted = wanted or _default_dtype(config.dtype, quantize, device)
    options: dict[str, object] = {"dtype": wanted or "auto"}
    if quantize:
        nf4 = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": wanted}
        options["quantization_config"] = BitsAndBytesConfig(**{f"load_in_{quantize}": True}, **nf4)
    if quantize or stored:
        options["device_map"] = {"": device}  # what is quantised is placed once, and never moved
    else:
        # A tenth more than the weights, to work in.
        needed = 1.1 * parameters * (wanted or torch.float32).itemsize
        for place in ("cpu", device):  # on the way to a GPU, weights pass through the machine's
            if needed > (free := available_memory(place)):
                why = f"{needed / 1e9:.1f} GB needed, {free / 1e9:.1f} GB free"
                raise MemoryError(_TOO_LARGE.format(name, place, why))
    found, bar = fetch_weights(files), logging.is_progress_bar_enabled()
    if parameters < 3e8:  # loaded in a blink
        logging.disable_progress_bar()
    try:
        with refusing(unfit):
            model = _load_weights(files, config, device, options)
    finally:
        if bar:
            logging.enable_progress_bar()
    return Respondent(files.name, model, tokenizer, found)


def read_config(files: ModelFiles) -> transformers.PreTrainedConfig:
    """Read the configuration of a model, or of its language part if it also sees or hears.

    `files` are what `valuegraph.model_files.find_files` returned.
    """
    try:
        config = AutoConfig.from_pretrained(files.folder, gguf_file=files.gguf, **_SAFELY)
        text = config.get_text_config(decoder=True)
    except ValueError as error:
        raise ValueError(_NO_DECODER.format(files.name, "unknown to transformers")) from error
    except ImportError as error:
        raise ImportError(f"{files.name} needs the package gguf: pip install gguf") from error
    if loader_of(text) is None:  # only all of it can be loaded
        return config
    for name in ("dtype", "quantization_config", "tie_word_embeddings", "transformers_weights"):
        if text is not config and (shared := getattr(config, name, None)) is not None:
            setattr(text, name, shared)
    return text


def loader_of(config: transformers.PreTrainedConfig) -> type | None:
    """Return what loads a decoder: a language model alone, or one that also sees."""
    loaders = (AutoModelForCausalLM, transformers.AutoModelForImageTextToText)
    known = (x for x in loaders if type(config) in x._model_mapping)
    return None if config.is_encoder_decoder else next(known, None)


def empty_model(config: transformers.PreTrainedConfig) -> transformers.PreTrainedModel:
    """Build a decoder without memory for its weights."""
    with torch.device("meta"):
        return loader_of(config).from_config(deepcopy(config), trust_remote_code=False)


def available_memory(device: torch.device | str = "cpu") -> int:
    """Return how many bytes are free on a device; on a CPU, within the limit of its container."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    limit = Path("/sys/fs/cgroup/memory.max")
    limits = [limit.read_text().strip()] if limit.is_file() else []
    return min([psutil.virtual_memory().available, *(int(x) for x in limits if x != "max")])


def _default_dtype(checkpoint, quantize: str | None, device: torch.device) -> torch.dtype | None:
    """Choose the type of the weights; None stands for that of the stored weights."""
    if device.type == "cpu":
        return torch.float32
    wanted = {"8bit": torch.float16, "4bit": torch.bfloat16}.get(quantize, checkpoint)
    # Older GPUs only emulate bfloat16.
    old = device.type == "cuda" and torch.cuda.get_device_capability(device) < (8, 0)
    if old and wanted == torch.bfloat16:
        warnings.warn(_NO_BFLOAT16, stacklevel=3)
        return torch.float16
    return wanted


def _count_parameters(config: transformers.PreTrainedConfig, files: ModelFiles) -> int:
    """Count the weights of the architecture, which must be a decoder with layers."""
    model = loader_of(config) and empty_model(config)
    if model is not None and layers_of(model) and not hasattr(config, "transformers_weights"):
        return model.num_parameters()
    raise ValueError(_NO_DECODER.format(files.name, config.model_type))


def _load_tokenizer(files: ModelFiles) -> transformers.PreTrainedTokenizerBase:
    """Load the tokenizer."""
    with refusing(f"the tokenizer of {files.name} cannot be loaded"):
        tokenizer = AutoTokenizer.from_pretrained(files.folder, gguf_file=files.gguf, **_SAFELY)
        tokenizer("yes")  # what is wrong with it may show only here
    tokenizer.name_or_path = files.repository or str(files.folder)  # not a folder of the cache
    return tokenizer


def _load_weights(files: ModelFiles, config, device: torch.device, options: dict) -> object:
    """Load the weights and put them on the device."""
    loader, options = loader_of(config), options | {"config": config, "gguf_file": files.gguf}
    options["key_mapping"] = _ALONE if config.get_text_config(decoder=True) is config else None
    options["ignore_mismatched_sizes"] = True  # to name them
    try:
        model, report = loader.from_pretrained(
            files.folder, use_safetensors=True, output_loading_info=True, **_SAFELY, **options
        )
        model = model if "device_map" in options else model.to(device)
    except torch.OutOfMemoryError as error:
        raise MemoryError(_TOO_LARGE.format(files.name, device, "out of memory")) from error
    # Weights of other shapes are missing, too: else they would be made up.
    lost = {*report["missing_keys"], *(name for name, *_ in report.get("mismatched_keys", ()))}
    if lost:
        raise ValueError(f"{files.name} lacks {len(lost)} weights that it needs, first {min(lost)}")
    if model.dtype != torch.float32:
        _compute_logits_in_float32(model)
    return model.eval()


def _compute_logits_in_float32(model: transformers.PreTrainedModel) -> None:
    """Compute the last matrix product anew: in bfloat16, logits around 20 lie .125 apart."""
    head = model.get_output_embeddings()
    weight, bias = (p if p is None else p.detach().float() for p in (head.weight, head.bias))
    head.register_forward_hook(lambda module, states, _: linear(states[0].float(), weight, bias))
