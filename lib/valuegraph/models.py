"""Respondents: chat models with their tokenizers, by short name, hub name or folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from valuegraph.organisms.shipped import ORGANISMS, organism_folder

#: Short names of the models of Kang et al. (2025), both gated on the Hugging Face hub.
HUB_NAMES = {
    "gemma-2b-it": "google/gemma-2b-it",
    "llama-3-8b-it": "meta-llama/Meta-Llama-3-8B-Instruct",
}


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
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

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


def load_model(
    name: str | Path, *, device: str | torch.device | None = None, dtype: torch.dtype | None = None
) -> Respondent:
    """Load a respondent.

    Parameters
    ----------
    name
        An organism shipped with the package (``organism-human``, ``organism-alien``,
        ``organism-plain``), ``gemma-2b-it`` or ``llama-3-8b-it``, any other hub name
        (``owner/model``), or a folder in Hugging Face format.
    device
        Where to put the model; by default the first GPU if there is one, else the CPU.
    dtype
        Of the weights; by default float32 on a CPU and the checkpoint's own type on a GPU.

    Returns
    -------
    Respondent
        The model in evaluation mode, with its tokenizer.

    Raises
    ------
    ValueError
        If the name is neither known nor of the form ``owner/model``, or the model has no chat
        template.
    FileNotFoundError
        If the name is a path and there is no model there.
    OSError
        If the hub does not hand out the model; the message says what to do.
    """
    source, is_local = _resolve(name)
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if dtype is None:
        dtype = torch.float32 if device.type == "cpu" else "auto"
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=is_local)
        model = AutoModelForCausalLM.from_pretrained(
            source, dtype=dtype, local_files_only=is_local, use_safetensors=True
        )
    except OSError as error:
        raise OSError(
            f"could not load {source!r}: {type(error.__cause__ or error).__name__}. Check the name "
            "and the network; for a gated model accept its licence on the hub and set HF_TOKEN; "
            f"the organisms ({', '.join(ORGANISMS)}) need neither. The cause: {error}"
        ) from error
    if tokenizer.chat_template is None:
        raise ValueError(
            f"{name!s} has no chat template, so it cannot be asked in turns; "
            "use the instruction-tuned version of the model"
        )
    return Respondent(str(name), model.to(device).eval(), tokenizer)


def _resolve(name: str | Path) -> tuple[str, bool]:
    """Return what transformers should load, and whether it is a folder on this machine."""
    if name in ORGANISMS:
        return str(organism_folder(str(name))), True
    if name in HUB_NAMES:
        return HUB_NAMES[str(name)], False
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise FileNotFoundError(
                f"folder {path} holds no model: config.json is missing; name the folder that "
                "save_pretrained or `valuegraph organism train` wrote"
            )
        return str(path), True
    text = str(name)
    if isinstance(name, Path) or text.startswith((".", "/", "~")) or text.count("/") > 1:
        raise FileNotFoundError(
            f"no model folder at {text}; give a folder that save_pretrained wrote, or one of "
            f"{', '.join([*ORGANISMS, *HUB_NAMES])}"
        )
    if "/" not in text:
        known = ", ".join([*ORGANISMS, *HUB_NAMES])
        raise ValueError(
            f"unknown model {text!r}; known names: {known}; or give a hub name as owner/model, "
            "or the path of a folder"
        )
    return text, False
