"""Public files of others, which stay out of this package: ValueBench, and answers on record.

``data/downloads.txt`` lists them: name, SHA-256, address at a pinned commit.
"""

import os
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import pooch

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
        raise DataUnavailable(
            f"{name} could not be downloaded from {address} ({type(error).__name__})."
        ) from error


def available(names: Iterable[str]) -> bool:
    """Return whether all files are here, with the right hash, so that no network is needed."""
    files = _registry()
    paths = {files.abspath / name: files.registry.get(name) for name in names}
    return all(path.is_file() and pooch.file_hash(path) == sha for path, sha in paths.items())


def missing(names: Iterable[str]) -> dict[str, str]:
    """Fetch files; return those that cannot be had, with the reason.

    After one failed download no other is tried, so a page without network waits only once.
    """
    reasons: dict[str, str] = {}
    for name in names:
        try:
            if reasons and not available([name]):
                raise DataUnavailable(f"{name} is not here either; its download was not tried.")
            fetch(name)
        except DataUnavailable as error:
            reasons[name] = str(error)
    return reasons
