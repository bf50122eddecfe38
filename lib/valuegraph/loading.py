"""From the name of a model to its files, and what to do when they cannot be had.

Files of the Hugging Face hub come through its client, which keeps them in its cache; nothing but
configurations, tokenizers and weights in the safetensors format is fetched, so no code and no
pickle.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import is_offline_mode, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from valuegraph.organisms.shipped import ORGANISMS, organism_folder

#: Short names of the models of Kang et al. (2025), both gated on the Hugging Face hub.
HUB_NAMES = {
    "gemma-2b-it": "google/gemma-2b-it",
    "llama-3-8b-it": "meta-llama/Meta-Llama-3-8B-Instruct",
}

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"

#: What is fetched before the weights, as patterns of file names.
SMALL_FILES = (
    "config.json",
    "generation_config.json",
    INDEX,
    "tokenizer*.json",
    "tokenizer*.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "spiece.model",
    "tekken.json",
    "*.tiktoken",
    "chat_template*",
    "additional_chat_templates/*.jinja",
)


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
    """

    name: str
    folder: Path
    repository: str | None = None

    @property
    def weight_files(self) -> tuple[str, ...]:
        """Names of the safetensors files that make up the weights."""
        index = self.folder / INDEX
        if not index.is_file():
            return (WEIGHTS,)
        names = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        return tuple(sorted(set(names)))


def find_files(name: str | Path, *, revision: str | None = None) -> ModelFiles:
    """Find a model by name and fetch its small files.

    Parameters
    ----------
    name
        As for `valuegraph.models.load_model`.
    revision
        Branch, tag or commit of the hub; by default the newest.

    Returns
    -------
    ModelFiles
        Configuration and tokenizer lie there, weights not necessarily.

    Raises
    ------
    ValueError
        If the name is neither known nor of the form ``owner/model``, or a revision is asked of a
        folder.
    FileNotFoundError
        If the name is a path and there is no model there.
    OSError
        If the hub does not hand out the model.
    """
    repository, folder = _locate(name)
    if folder is not None:
        if revision is not None:
            raise ValueError(
                f"{name} is a folder on this machine, which has no revision {revision!r}; leave "
                "`revision` out"
            )
        return ModelFiles(str(name), folder)
    folder = _fetch(repository, revision, SMALL_FILES)
    if not (folder / "config.json").is_file():
        raise OSError(
            f"{repository} has no config.json"
            + (" in the cache, and HF_HUB_OFFLINE is set" if is_offline_mode() else "")
            + ", so it is no model in Hugging Face format (adapters and GGUF files alone cannot be "
            "loaded); name the model that it was made from"
        )
    return ModelFiles(str(name), folder, repository)


def fetch_weights(files: ModelFiles) -> str:
    """Make sure that all weights are there, and tell which they are.

    Parameters
    ----------
    files
        From `find_files`.

    Returns
    -------
    str
        The commit of the hub; for a folder, ``sha256:`` and the SHA-256 of its weights file, or,
        where there are several, of their list as ``sha256sum`` prints it.

    Raises
    ------
    OSError
        If weights are missing, exist in another format only, or cannot be downloaded.
    """
    wanted = files.weight_files
    if files.repository is not None:
        _fetch(files.repository, files.folder.name, wanted)
    missing = [name for name in wanted if not (files.folder / name).is_file()]
    if missing:
        raise OSError(_missing_weights(files, missing))
    if files.repository is not None:
        return files.folder.name
    hashes = {name: _sha256(files.folder / name) for name in wanted}
    if len(hashes) == 1:
        return f"sha256:{hashes[wanted[0]]}"
    listing = "".join(f"{value}  {name}\n" for name, value in hashes.items())
    return f"sha256:{hashlib.sha256(listing.encode()).hexdigest()}"


def _locate(name: str | Path) -> tuple[str, None] | tuple[None, Path]:
    """Return the hub's name of a model, or its folder on this machine."""
    if name in ORGANISMS:
        return None, organism_folder(str(name))
    if name in HUB_NAMES:
        return HUB_NAMES[str(name)], None
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise FileNotFoundError(
                f"folder {path} holds no model: config.json is missing; name the folder that "
                "save_pretrained or `valuegraph organism train` wrote"
            )
        return None, path
    text, known = str(name), ", ".join([*ORGANISMS, *HUB_NAMES])
    if isinstance(name, Path) or text.startswith((".", "/", "~")) or text.count("/") > 1:
        raise FileNotFoundError(
            f"no model folder at {text}; give a folder that save_pretrained wrote, or one of "
            f"{known}"
        )
    if "/" not in text:
        raise ValueError(
            f"unknown model {text!r}; known names: {known}; or give a hub name as owner/model, "
            "or the path of a folder"
        )
    return text, None


def _fetch(repository: str, revision: str | None, patterns: tuple[str, ...]) -> Path:
    """Fetch files of a repository into the hub's cache, or say why they cannot be had."""
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(patterns)))
    except HFValidationError as error:
        raise ValueError(f"{repository!r} is no name of the hub: {error}") from error
    except (HTTPError, LocalEntryNotFoundError) as error:
        raise OSError(_explanation(error, repository, revision)) from error


def _explanation(error: Exception, repository: str, revision: str | None) -> str:
    """Say what the hub's client met, and the way out."""
    page = f"https://huggingface.co/{repository}"
    organisms = f"The organisms ({', '.join(ORGANISMS)}) need no hub."
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    # A gated repository counts as a missing one too, so it is asked about first.
    for kind, told in (
        (
            GatedRepoError,
            f"{repository} is gated: sign in at {page} and accept its licence there, make a token "
            "at https://huggingface.co/settings/tokens and set it as HF_TOKEN (on Colab under "
            f"Secrets). {organisms}",
        ),
        (
            RevisionNotFoundError,
            f"{repository} has no revision {revision!r}; branches, tags and commits are listed at "
            f"{page}/commits/main, and leaving `revision` out takes the newest",
        ),
        (
            RepositoryNotFoundError,
            f"the hub has no model {repository}, or it is private; check the spelling at {page}, "
            "and for a private model set HF_TOKEN to a token that may read it (with a token that "
            f"is no longer valid, every model is missing). {organisms}",
        ),
    ):
        if any(isinstance(link, kind) for link in chain):
            return told
    if is_offline_mode():
        return (
            f"{repository} is not, or not wholly, in the cache of the hub, and HF_HUB_OFFLINE is "
            f"set; unset it to download the model once, or name a folder that holds it. {organisms}"
        )
    if isinstance(error, LocalEntryNotFoundError):
        met = type(error.__cause__ or error).__name__
        return (
            f"{repository} is not, or not wholly, in the cache of the hub, and the hub cannot be "
            f"reached ({met}); check the network, try again later, or name a folder that holds "
            f"the model. {organisms}"
        )
    return (
        f"{repository} could not be downloaded ({type(error).__name__}: {error}); what is there "
        f"already is kept, so try again. {organisms}"
    )


def _missing_weights(files: ModelFiles, missing: list[str]) -> str:
    """Say why weights are missing: pickled, not downloaded, or lost."""
    where = files.repository or str(files.folder)
    if missing != [WEIGHTS]:
        return (
            f"{where} lacks {len(missing)} of its {len(files.weight_files)} weights files, first "
            f"{missing[0]}; download or save the model again"
        )
    if files.repository is not None and is_offline_mode():
        return (
            f"the weights of {where} are not in the cache of the hub, and HF_HUB_OFFLINE is set; "
            "unset it to download them once"
        )
    return (
        f"{where} has no {WEIGHTS}. Weights in other formats are not loaded: .bin, .pt and .pth "
        "files are pickles, which can run any code. Look for a safetensors version of the model, "
        "or convert one that you trust: load it with transformers alone and call "
        "model.save_pretrained(folder), then give that folder"
    )


def _sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
