"""Data files come from folder, cache or public address, and are always the right ones."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest

from valuegraph import datasets
from valuegraph.datasets import DataFile, DataUnavailable, WrongHash, available, fetch, missing

CONTENT = b"steer_dim,player_name\n,\n"
NAME = "scores.csv"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def public(tmp_path, monkeypatch):
    """A web server on this machine that offers one file, and an empty cache."""
    folder = tmp_path / "public"
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/{NAME}"
    file = DataFile(address, hashlib.sha256(CONTENT).hexdigest(), "this test")
    monkeypatch.setattr(datasets, "FILES", {NAME: file, "other.csv": DataFile(address, "0", "")})
    monkeypatch.setattr(datasets, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("VALUEGRAPH_DATA", raising=False)
    yield folder
    server.shutdown()
    server.server_close()


@pytest.fixture
def offline(public, monkeypatch):
    """The same, with an address at which nobody answers."""
    file = datasets.FILES[NAME]
    nowhere = DataFile("http://127.0.0.1:9/" + NAME, file.sha256, file.source)
    monkeypatch.setitem(datasets.FILES, NAME, nowhere)
    return nowhere


def test_a_download_is_kept_and_used_again(public, tmp_path):
    assert not available(NAME)
    path = fetch(NAME)
    assert path == tmp_path / "cache" / NAME
    assert path.read_bytes() == CONTENT
    assert available(NAME)
    (public / NAME).unlink()
    assert fetch(NAME) == path


def test_progress_is_told_only_where_asked_for(public, capfd, caplog):
    log = pooch.get_logger()
    log.addHandler(caplog.handler)
    try:
        fetch(NAME).unlink()
        assert (caplog.text, capfd.readouterr().err) == ("", "")
        fetch(NAME, progress=True)
    finally:
        log.removeHandler(caplog.handler)
    assert NAME in caplog.text
    assert "100%" in capfd.readouterr().err


def test_a_download_with_a_wrong_hash_is_refused_and_not_kept(public, tmp_path):
    (public / NAME).write_bytes(CONTENT + b"\n")
    expected, found = (hashlib.sha256(x).hexdigest() for x in (CONTENT, CONTENT + b"\n"))
    with pytest.raises(WrongHash, match=f"{NAME}.*{expected}.*{found}"):
        fetch(NAME)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_broken_file_in_the_cache_is_downloaded_again(public, tmp_path):
    fetch(NAME).write_bytes(b"broken")
    assert not available(NAME)
    assert fetch(NAME).read_bytes() == CONTENT


def test_without_network_the_error_names_file_address_and_way_out(offline):
    with pytest.raises(DataUnavailable) as error:
        fetch(NAME)
    for word in (NAME, offline.address, "VALUEGRAPH_DATA"):
        assert word in str(error.value)
    assert isinstance(error.value, FileNotFoundError)


def test_after_one_failed_download_no_other_is_tried(offline, monkeypatch):
    monkeypatch.setitem(datasets.FILES, "other.csv", offline)
    reasons = missing([NAME, "other.csv"])
    assert list(reasons) == [NAME, "other.csv"]
    assert "could not be downloaded" in reasons[NAME]
    assert "not tried" in reasons["other.csv"]


def test_nothing_is_missing_where_all_can_be_had(public):
    assert missing([NAME]) == {}


@pytest.mark.parametrize("subfolder", ["", "paper"])
def test_the_own_folder_comes_first(offline, tmp_path, monkeypatch, subfolder):
    own = tmp_path / "own" / subfolder
    own.mkdir(parents=True)
    (own / NAME).write_bytes(CONTENT)
    monkeypatch.setenv("VALUEGRAPH_DATA", str(tmp_path / "own"))
    assert fetch(NAME) == own / NAME
    assert available(NAME)


def test_a_corrupted_file_in_the_own_folder_is_refused(tmp_path, monkeypatch):
    name = "ans_gemma_train_formal.csv"
    (tmp_path / name).write_bytes(CONTENT)
    monkeypatch.setenv("VALUEGRAPH_DATA", str(tmp_path))
    with pytest.raises(WrongHash) as error:
        fetch(name)
    file = datasets.FILES[name]
    found = hashlib.sha256(CONTENT).hexdigest()
    for word in (name, file.sha256, found, file.address, "VALUEGRAPH_DATA"):
        assert word in str(error.value)
    assert not available(name)
    assert (tmp_path / name).read_bytes() == CONTENT


def test_a_set_folder_without_the_file_is_told(public, tmp_path, monkeypatch):
    monkeypatch.setenv("VALUEGRAPH_DATA", str(tmp_path / "nowhere"))
    assert not available(NAME)
    with pytest.raises(DataUnavailable, match="nowhere.*unset VALUEGRAPH_DATA"):
        fetch(NAME)
    assert list(missing([NAME, "other.csv"])) == [NAME, "other.csv"]


@pytest.mark.parametrize("function", [fetch, available])
def test_an_unknown_name_is_refused_with_the_known_ones(function):
    with pytest.raises(ValueError, match="'scores.xls'.*ans_gemma_train_formal.csv"):
        function("scores.xls")


def test_every_file_has_a_pinned_address_and_a_hash():
    for name, file in datasets.FILES.items():
        owner_repository_commit = file.address.split("/")[3:6]
        assert file.address.startswith("https://raw.githubusercontent.com/")
        assert len(owner_repository_commit[2]) == 40
        assert file.address.endswith("/" + name)
        assert len(bytes.fromhex(file.sha256)) == 32


def test_the_cache_is_that_of_the_user():
    assert "valuegraph" in str(datasets.cache_folder())
