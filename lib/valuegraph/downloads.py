"""Public files of others, as they were released: ValueBench, and recorded scores of two models.

``data/downloads.txt`` lists them: name, SHA-256, address at a pinned commit. Sparse autoencoders
are listed by SAELens, which also fetches them; what is said of them here comes from its list.
"""

import os
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import pandas as pd
import pooch

#: Releases of SAELens that read the residual stream of instruct models of up to 9 B. Kang et al.
#: (2025) steer with the first two.
PUBLIC_SAES = """gemma-2b-it-res-jb llama-3-8b-it-res-jh gemma-scope-2-270m-it-res
gemma-scope-2-1b-it-res gemma-scope-2-4b-it-res gemma-scope-9b-it-res-canonical
llama-3.1-8b-instruct-andyrdt goodfire-llama-3.1-8b-instruct qwen2.5-7b-instruct-andyrdt
llama_scope_r1_distill""".split()

FOLDER_VARIABLE = "VALUEGRAPH_DATA"

pooch.get_logger().setLevel("WARNING")  # pages of the book would print each download


class DataUnavailable(FileNotFoundError):
    """A file is not here and cannot be downloaded now."""


def _registry() -> pooch.Pooch:
    """List all files with hash and address; they lie in the user's own folder or in the cache."""
    files = pooch.create(pooch.os_cache("valuegraph"), "", env=FOLDER_VARIABLE)
    files.load_registry(resources.files("valuegraph").joinpath("data", "downloads.txt"))
    if (files.abspath / "paper").is_dir():
        files.path = files.abspath / "paper"
    return files


def fetch(name: str) -> Path:
    """Return the path of a file whose SHA-256 has just been checked.

    Parameters
    ----------
    name : str
        Name of the file, such as ``"value_orientation.csv"``. Where the environment variable
        ``VALUEGRAPH_DATA`` names a folder, the file must be there or in its subfolder ``paper``;
        otherwise it is downloaded into the user's cache the first time.
    """
    files = _registry()
    if name not in files.registry:
        raise ValueError(f"unknown file {name!r}; known are {', '.join(sorted(files.registry))}.")
    path, address = files.abspath / name, files.get_url(name)
    if os.environ.get(FOLDER_VARIABLE):
        place = f"{FOLDER_VARIABLE} points to {files.path}"
        if not path.is_file():
            raise DataUnavailable(f"{place}, which lacks {name}; it is at {address}.")
        if not available([name]):
            raise ValueError(f"{path} has another SHA-256 than {address}; replace it by that file.")
        return path
    try:
        return Path(files.fetch(name, downloader=pooch.HTTPDownloader(timeout=15)))
    except PermissionError:
        raise  # of the cache, not of the network
    except OSError as error:
        met = type(error).__name__
        raise DataUnavailable(f"{name} could not be downloaded from {address} ({met}).") from error


def available(names: Iterable[str]) -> bool:
    """Return whether all files are here, with the right hash, so that no network is needed."""
    files = _registry()
    paths = {files.abspath / name: files.registry.get(name) for name in names}
    return all(path.is_file() and pooch.file_hash(path) == sha for path, sha in paths.items())


def public_saes(model: str | Path | None = None) -> pd.DataFrame:
    """List public sparse autoencoders, of one model or of all that `PUBLIC_SAES` are about.

    Parameters
    ----------
    model
        Name or folder of a model, such as ``"google/gemma-3-1b-it"``.

    Returns
    -------
    pandas.DataFrame
        A row each: ``source`` (what `valuegraph.load_sae` takes), ``release``, ``sae_id``,
        ``model``, ``neuronpedia`` (its page there), ``layer`` (whose output it reads), ``hook`` and
        ``width`` (number of features, such as ``"16k"``). Width and page are missing where SAELens
        does not tell. A ``sae_id`` on ``_seed_1`` is a twin, trained alike from another seed: a
        feature ``f`` with a ``torch.cosine_similarity(twin.W_dec, sae.W_dec[[f]]).max()`` far below
        1 hangs on the seed.
    """
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    rows = [
        (f"{release}/{sae_id}", release, sae_id, listed.model, listed.neuronpedia_id[sae_id])
        for release, listed in get_pretrained_saes_directory().items()
        for sae_id in (listed.saes_map if release in PUBLIC_SAES else ())
    ]
    table = pd.DataFrame(rows, columns=["source", "release", "sae_id", "model", "neuronpedia"])
    layer = table["sae_id"].str.extract(r"^(?:.*?layer_|blocks\.|l)(\d+)")[0]
    names = table["sae_id"] + "/" + table["neuronpedia"].fillna("")
    table["layer"], table["hook"] = layer.astype(int), "blocks." + layer + ".hook_resid_post"
    table["width"] = names.str.extract(r"(?:width_|-)(\d+[km])(?:_|/|$)")[0]
    own = table["model"].map(_bare) == _bare(model or "")
    return table if model is None else table[own].reset_index(drop=True)


def _bare(model: str | Path) -> str:
    """Name of a model without its owner, however its makers spell it."""
    return Path(model).name.lower().removeprefix("meta-").replace("-instruct", "-it")
