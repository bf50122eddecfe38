"""Files come from folder, cache or public address, and are always the right ones."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest

from valuegraph import downloads
from valuegraph.downloads import DataUnavailable, available, fetch

CONTENT, NAME, OTHER = b"name,score\n,\n", "scores.csv", "other.csv"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def public(tmp_path, monkeypatch):
    """A server on this machine offers one file of two in the registry; the cache is empty."""
    folder = tmp_path / "public"
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    address = f"http://127.0.0.1:{server.server_port}/{NAME}"
    lines = [f"{NAME} {sha256} {address}", f"{OTHER} {sha256} http://127.0.0.1:9/{OTHER}"]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "downloads.txt").write_text("\n".join(lines))
    monkeypatch.setattr(downloads.resources, "files", lambda package: tmp_path)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("VALUEGRAPH_DATA", raising=False)
    yield folder
    server.shutdown()
    server.server_close()


def test_a_download_is_kept_and_used_again_without_a_word(public, tmp_path, capfd):
    assert not available([NAME])
    path = fetch(NAME)
    assert path == tmp_path / "cache" / NAME and path.read_bytes() == CONTENT
    assert available([NAME])
    (public / NAME).unlink()
    assert fetch(NAME) == path
    assert capfd.readouterr().err == ""


def test_wrong_bytes_are_refused_or_replaced(public, tmp_path):
    fetch(NAME).write_bytes(b"broken")
    assert not available([NAME])
    assert fetch(NAME).read_bytes() == CONTENT
    fetch(NAME).unlink()
    (public / NAME).write_bytes(CONTENT + b"\n")
    with pytest.raises(ValueError, match="hash"):
        fetch(NAME)
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_network_the_reason_is_given(public):
    with pytest.raises(DataUnavailable, match=r"other.csv could not be .*127.0.0.1:9.*Connection"):
        fetch(OTHER)


@pytest.mark.parametrize("subfolder", ["", "paper"])
def test_a_folder_of_ones_own_is_the_only_place(public, tmp_path, monkeypatch, subfolder):
    own = tmp_path / "own" / subfolder
    own.mkdir(parents=True)
    monkeypatch.setenv("VALUEGRAPH_DATA", str(tmp_path / "own"))
    with pytest.raises(DataUnavailable, match="VALUEGRAPH_DATA points to .*own.* lacks scores.csv"):
        fetch(NAME)
    (own / NAME).write_bytes(CONTENT)
    assert fetch(NAME) == own / NAME and available([NAME])
    (own / NAME).write_bytes(b"mine")
    with pytest.raises(ValueError, match="another SHA-256"):
        fetch(NAME)
    assert (own / NAME).read_bytes() == b"mine" and not available([NAME])


def test_names_are_known_and_addresses_pinned():
    files = downloads._registry()
    assert len(files.registry) == 9
    for name, sha256 in files.registry.items():
        address = files.get_url(name)
        assert address.startswith("https://raw.githubusercontent.com/")
        assert address.endswith("/" + name) and len(address.split("/")[5]) == 40
        assert len(bytes.fromhex(sha256)) == 32
    with pytest.raises(ValueError, match="unknown file 'x.csv'; known are ans_gemma_test_comp"):
        fetch("x.csv")
