"""Recorded data of others: where it lies in public, what it must be, and how it gets here.

The files stay out of this project. :func:`fetch` takes a file from the folder that the environment
variable ``VALUEGRAPH_DATA`` names where that is set, else from the cache of this user, else from
its public address, and in each case compares its SHA-256 with the one in :data:`FILES`, so that
every figure rests on the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

FOLDER_VARIABLE = "VALUEGRAPH_DATA"
"""Environment variable with the folder that holds the files (or their subfolder ``paper``)."""

TIMEOUT = 15
"""Seconds until a public address that does not answer counts as out of reach."""


class DataUnavailable(FileNotFoundError):
    """A file is neither here nor can it be downloaded now."""


class WrongHash(ValueError):
    """A file is here, but it is not the file that it should be."""


@dataclass(frozen=True)
class DataFile:
    """A public file at a pinned commit.

    Attributes
    ----------
    address : str
        Public address (URL) of the file.
    sha256 : str
        SHA-256 of its bytes, hexadecimal.
    source : str
        Who made it, and under which licence.
    """

    address: str
    sha256: str
    source: str


def _table() -> dict[str, DataFile]:
    """Return the table of files; address and source are told once for each repository."""
    github = "https://raw.githubusercontent.com"
    paper = (
        f"{github}/bigai-nlco/ValueCausalGraph/d78dff0dd6377e1b50f433a3b783b6101c21daab/"
        "tutorials/useful_data/",
        "Kang et al. (2025), MIT",
        {
            "ans_gemma_train_formal.csv": (
                "faa632849af5817267418f1e7e4c6f4ef8525ce408e04d4baa94c7ffa4c1e38f"
            ),
            "ans_gemma_test_formal.csv": (
                "4ec8780962e18970a3836d1a56205bed821311d02f83efe9cbd7d99a6faecbc9"
            ),
            "ans_gemma_test_compare_negative_s1.csv": (
                "2563e94d485774fcbfc4a60be3c42e164bf700a8475d39b57821a4ed25a049e2"
            ),
            "ans_gemma_test_compare_positive_s1.csv": (
                "465c6d0e819624b68bf12bdddfc14c6194d15fdb80a816df0b8934ae111abf68"
            ),
            "ans_llama_train_formal.csv": (
                "40df82d9588988e90f5af970a109a4c3072eda717c5d9508b08f326303baabe7"
            ),
            "ans_llama_test_formal.csv": (
                "73f803726d3cd238789e0d23f529b04c0f4db09c0f2b40d4ad1a472075b84142"
            ),
            "ans_llama_test_compare_negative.csv": (
                "60c9898c893660efcb09830d0e3ee6ec343c0a6c3348cdc99ab27d474d86b372"
            ),
            "ans_llama_test_compare_positive.csv": (
                "e5608a424b69b0a9299c77d08ed7b0caa67237066b9ce426c61dc04214287c52"
            ),
        },
    )
    valuebench = (
        f"{github}/Value4AI/ValueBench/188773443c1f2f24ff3223e46216bd74ed91ae51/data/",
        "Ren et al. (2024), MIT",
        {
            "value_orientation.csv": (
                "cb81699e9ed621477d120246b3facd4d2943e880a93e19a68bdb4deaed9f6f11"
            ),
        },
    )
    return {
        name: DataFile(folder + name, sha256, source)
        for folder, source, hashes in (paper, valuebench)
        for name, sha256 in hashes.items()
    }


FILES: dict[str, DataFile] = _table()
"""What can be fetched, by file name."""


def cache_folder() -> Path:
    """Return the folder in which downloads are kept for this user."""
    import pooch

    return Path(pooch.os_cache("valuegraph"))


def fetch(name: str, *, progress: bool = False) -> Path:
    """Return the path of a data file, downloading it if need be.

    Where ``VALUEGRAPH_DATA`` is set, that folder (with its subfolder ``paper``) is the only place
    looked at, so that tests and builds do the same with and without a network. Otherwise the cache
    is used, and the public address the first time.

    Parameters
    ----------
    name : str
        A name in :data:`FILES`.
    progress : bool, optional
        Show a progress bar while downloading, if tqdm is installed.

    Returns
    -------
    pathlib.Path
        A file whose SHA-256 has just been checked.

    Raises
    ------
    ValueError
        If the name is unknown.
    DataUnavailable
        If the file is not here and cannot be downloaded.
    WrongHash
        If the file, here or at its public address, is another one than expected.
    """
    file = _known(name)
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        path = _in_folder(name, Path(folder).expanduser())
        _check_hash(path, file.sha256, f"Replace it by {file.address}, or unset {FOLDER_VARIABLE}.")
        return path
    return _cached_or_downloaded(name, file, progress)


def available(name: str) -> bool:
    """Return whether :func:`fetch` would succeed without using the network.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    import pooch

    file = _known(name)
    folder = os.environ.get(FOLDER_VARIABLE)
    try:
        path = _in_folder(name, Path(folder).expanduser()) if folder else cache_folder() / name
    except DataUnavailable:
        return False
    return path.is_file() and pooch.file_hash(str(path)) == file.sha256


def missing(names: Iterable[str], *, progress: bool = False) -> dict[str, str]:
    """Fetch several files and return those that cannot be had, each with the reason.

    After one failed download no other is tried, so that a page without network waits only once.

    Parameters
    ----------
    names : iterable of str
        Names in :data:`FILES`.
    progress : bool, optional
        As in :func:`fetch`.

    Returns
    -------
    dict of str to str
        Empty if all files are here now.

    Raises
    ------
    ValueError, WrongHash
        As in :func:`fetch`.
    """
    reasons: dict[str, str] = {}
    offline = False
    for name in names:
        if offline and not available(name):
            reasons[name] = f"{name} is not in the cache ({cache_folder()}); download not tried."
            continue
        try:
            fetch(name, progress=progress)
        except DataUnavailable as error:
            reasons[name] = str(error)
            offline = FOLDER_VARIABLE not in os.environ
    return reasons


def _known(name: str) -> DataFile:
    """Return the entry of a file, or say which there are."""
    if name not in FILES:
        raise ValueError(f"unknown data file {name!r}; known are {', '.join(sorted(FILES))}")
    return FILES[name]


def _in_folder(name: str, folder: Path) -> Path:
    """Return where a file lies in the reader's own folder."""
    for path in (folder / name, folder / "paper" / name):
        if path.is_file():
            return path
    raise DataUnavailable(
        f"{FOLDER_VARIABLE} is set to {folder}, but neither that folder nor its subfolder 'paper' "
        f"holds {name}. Put the file there (it is public at {FILES[name].address}), or unset "
        f"{FOLDER_VARIABLE} to have it downloaded."
    )


def _cached_or_downloaded(name: str, file: DataFile, progress: bool) -> Path:
    """Return the cached file; pooch downloads it if it is absent or has another hash."""
    import pooch

    bar = progress and find_spec("tqdm") is not None
    http = pooch.HTTPDownloader(progressbar=bar, timeout=TIMEOUT)

    def download(address: str, target: str, manager: object) -> None:
        # pooch compares hashes too; this error comes first, and is of the same class everywhere.
        http(address, target, manager)
        _check_hash(
            Path(target),
            file.sha256,
            "Nothing was kept; try again.",
            what=f"what came from {address}",
        )

    logger = pooch.get_logger()
    logger.disabled = not progress  # pages of the book would print each download
    try:
        return Path(
            pooch.retrieve(
                url=file.address,
                known_hash=f"sha256:{file.sha256}",
                fname=name,
                path=cache_folder(),
                downloader=download,
            )
        )
    except PermissionError:
        # The cache cannot be written: the reader has to hear that, and not of the network.
        raise
    except OSError as error:
        raise DataUnavailable(
            f"{name} is not in the cache ({cache_folder()}) and could not be downloaded from "
            f"{file.address} ({type(error).__name__}). Try again with a network, or put the file "
            f"into a folder and set {FOLDER_VARIABLE} to that folder."
        ) from error
    finally:
        logger.disabled = False


def _check_hash(path: Path, expected: str, way_out: str, *, what: str | None = None) -> None:
    """Compare the SHA-256 of a file with the expected one."""
    import pooch

    found = pooch.file_hash(str(path))
    if found != expected:
        raise WrongHash(
            f"{what or path} is not the expected file: its SHA-256 should be {expected}, "
            f"but is {found}. {way_out}"
        )
