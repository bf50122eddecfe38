"""From the name of a model to its files, and what to do when they cannot be had.

Only configurations, tokenizers and weights in the safetensors format are fetched from the Hugging
Face hub: no code and no pickles.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import errors, is_offline_mode, snapshot_download

from valuegraph.organisms import ORGANISMS, organism_folder
from valuegraph.tables import refusing, require

#: Short names of the models of Kang et al. (2025), both gated on the Hugging Face hub.
HUB_NAMES = {"gemma-2b-it": "google/gemma-2b-it"}
HUB_NAMES |= {"llama-3-8b-it": "meta-llama/Meta-Llama-3-8B-Instruct"}

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"

# What is fetched before the weights, as patterns of file names.
_SMALL_FILES = f"config.json generation_config.json {INDEX} tokenizer*.json tokenizer*.model "
_SMALL_FILES += "special_tokens_map.json added_tokens.json vocab.* merges.txt spiece.model "
_SMALL_FILES += "tekken.json *.tiktoken chat_template* additional_chat_templates/*.jinja"

# Why the hub does not hand out a model. A gated repository counts as a missing one, too.
_REFUSALS = {
    errors.GatedRepoError: "{0} is gated: accept its licence at https://huggingface.co/{0} , make "
    "a token at https://huggingface.co/settings/tokens and set it as HF_TOKEN (Colab: Secrets)",
    errors.RevisionNotFoundError: "{0} has no revision {1!r}; see https://hf.co/{0}/commits/main",
    errors.RepositoryNotFoundError: "the hub has no model {0}, or it is private: check the "
    "spelling and, for a private model, that HF_TOKEN is valid and may read it",
    Exception: "{0} could not be downloaded ({2}); try again, or name a folder that holds it",
}


@dataclass(frozen=True)
class ModelFiles:
    """Where the files of a model lie.

    Attributes
    ----------
    name
        The name that was asked for.
    folder
        The folder with its files; for a model of the hub, a folder in the hub's cache.
    repository
        Its name on the hub, ``owner/model``; None for a folder of this machine.
    gguf
        Name of the GGUF file in the folder that holds everything, if it is one.
    """

    name: str
    folder: Path
    repository: str | None = None
    gguf: str | None = None


def find_files(name: str | Path, *, revision: str | None = None) -> ModelFiles:
    """Find a model by name and fetch its small files; the weights are not fetched yet.

    Parameters
    ----------
    name
        Name of a shipped organism, a key of `HUB_NAMES`, ``owner/model`` of the hub, a folder, or a
        GGUF file.
    revision
        Branch, tag or commit of the hub; by default the newest.
    """
    file = Path(name).expanduser()
    if file.suffix == ".gguf" and file.is_file() and revision is None:
        return ModelFiles(str(name), file.parent, gguf=file.name)
    repository, folder = _locate(name)
    if folder is not None and revision is not None:
        raise ValueError(f"{name} is a folder, without revision {revision!r}; leave it out")
    folder = folder or _fetch(repository, revision, _SMALL_FILES.split())
    # An adapter would be loaded with weights from elsewhere, which no hash tells.
    if not (folder / "config.json").is_file() or (folder / "adapter_config.json").is_file():
        way_out = "name a GGUF file itself, and instead of an adapter what it was merged into"
        lack = f"{repository or folder} holds no model with a config.json{_offline()}"
        raise FileNotFoundError(f"{lack}; {way_out}")
    return ModelFiles(str(name), folder, repository)


def fetch_weights(files: ModelFiles) -> str:
    """Make sure that all weights are there, and return which they are.

    Returns
    -------
    str
        The commit of the hub; for a folder, ``sha256:`` and the SHA-256 of its weights file, or,
        where there are several, of their list as ``sha256sum`` prints it.
    """
    folder, repository, wanted = files.folder, files.repository, [files.gguf or WEIGHTS]
    if repository:
        _fetch(repository, folder.name, wanted)
    # Where both are there, transformers takes the single file, not the index.
    index = folder / INDEX
    if not (folder / wanted[0]).is_file() and index.is_file():
        with refusing(f"{index} is no index of weights"):
            wanted = sorted({*json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
            if outside := [p for p in wanted if not re.fullmatch(r"[^/\\]+\.safetensors", p)]:
                raise ValueError(f"it names {outside[0]!r}, no safetensors file beside it")
        if repository:
            _fetch(repository, folder.name, wanted)
    if missing := [part for part in wanted if not (folder / part).is_file()]:
        lack = f"{repository or folder} lacks {len(missing)} of its {len(wanted)} weights files"
        never = "Pickled weights, which can run any code, are never loaded: save_pretrained anew"
        raise FileNotFoundError(f"{lack}, first {missing[0]}{_offline()}. {never}")
    if repository:
        return folder.name
    hashes = [_sha256(folder / part) for part in wanted]
    listing = "".join(f"{h}  {part}\n" for h, part in zip(hashes, wanted, strict=True)).encode()
    return f"sha256:{hashes[0] if len(hashes) == 1 else hashlib.sha256(listing).hexdigest()}"


def _locate(name: str | Path) -> tuple[str | None, Path | None]:
    """Return the hub's name of a model, or its folder on this machine."""
    path, text = Path(name).expanduser(), str(name)
    if text in ORGANISMS:
        return None, organism_folder(text)
    if text in HUB_NAMES or path.is_dir():
        return (HUB_NAMES[text], None) if text in HUB_NAMES else (None, path)
    known = f"known names are {', '.join([*ORGANISMS, *HUB_NAMES])}"
    if isinstance(name, Path) or text.startswith((".", "/", "~")) or text.count("/") > 1:
        raise FileNotFoundError(f"there is no model folder {text}; {known}")
    require("/" in text, f"unknown model {text!r}; {known}; or give owner/model or a folder")
    return text, None


def _fetch(repository: str, revision: str | None, patterns) -> Path:
    """Fetch files of a repository into the hub's cache, or say why they cannot be had."""
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(patterns)))
    except errors.HFValidationError as error:
        raise ValueError(f"{repository!r} is no name of the hub: {error}") from error
    except (errors.HTTPError, errors.LocalEntryNotFoundError) as error:
        chain = [error]
        while chain[-1].__cause__ is not None:
            chain.append(chain[-1].__cause__)
        kind = next(k for k in _REFUSALS if any(isinstance(link, k) for link in chain))
        met = f"{type(chain[-1]).__name__}{_offline()}"
        reason = _REFUSALS[kind].format(repository, revision, met)
        raise OSError(f"{reason} (the organisms {', '.join(ORGANISMS)} need no hub)") from error


def _offline() -> str:
    """Tell that the hub must not be asked, if that is so."""
    return ", and only the cache was searched: HF_HUB_OFFLINE is set" if is_offline_mode() else ""


def _sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
