"""A model's files come from a folder or the hub; what cannot be had is refused with the way out.

The hub is a server on this machine that speaks the hub's language, so the errors are those that its
own client makes of the answers.
"""

import hashlib
import json
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants, snapshot_download

from valuegraph import model_files
from valuegraph.model_files import HUB_NAMES, INDEX, WEIGHTS, fetch_weights, find_files
from valuegraph.models import load_model
from valuegraph.organisms import ORGANISMS

COMMIT = "0123456789" * 4
PARTS = ("model-1-of-2.safetensors", "model-2-of-2.safetensors")
SHARDED = {"weight_map": {"a": PARTS[0], "b": PARTS[1], "c": PARTS[0]}}


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does for one repository, whatever its name."""

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        state, files = self.server.state, self.server.files
        self.server.asked.append(self.path)
        parts = self.path.split("?")[0].split("/")
        if state == "missing":
            self.answer(401, X_Error_Code="RepoNotFound")
        elif state == "down":
            self.answer(500)
        elif parts[1] != "api":
            body = files["/".join(parts[5:])]
            if state == "gated":
                self.answer(403, X_Error_Code="GatedRepo")
            else:
                self.answer(200, body, ETag=hashlib.sha256(body).hexdigest(), X_Repo_Commit=COMMIT)
        elif "tree" in parts:
            tree = [
                {"type": "file", "path": path, "size": len(body), "oid": f"{i:040x}"}
                for i, (path, body) in enumerate(files.items())
            ]
            self.answer(200, json.dumps(tree).encode(), Content_Type="application/json")
        elif parts[-1] in ("main", COMMIT):
            about = {"id": "owner/model", "sha": COMMIT, "siblings": []}
            self.answer(200, json.dumps(about).encode(), Content_Type="application/json")
        else:
            self.answer(404, X_Error_Code="RevisionNotFound")

    do_HEAD = do_GET


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that offers a configuration and weights, and an empty cache."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.state, server.asked = "open", []
    server.files = {"config.json": b"{}", WEIGHTS: b"weights"}
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    huggingface_hub.close_session()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    address = f"http://127.0.0.1:{server.server_port}"
    here = partial(snapshot_download, endpoint=address, cache_dir=tmp_path / "cache")
    monkeypatch.setattr(model_files, "snapshot_download", here)
    yield server
    server.shutdown()
    server.server_close()
    huggingface_hub.close_session()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    return tmp_path


def hash_of(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_model_of_the_hub_is_the_one_that_was_uploaded(hub, llama, tmp_path):
    llama.model.save_pretrained(tmp_path / "upload")
    llama.tokenizer.save_pretrained(tmp_path / "upload")
    uploaded = {path.name: path.read_bytes() for path in (tmp_path / "upload").iterdir()}
    hub.files = uploaded | {"pytorch_model.bin": b"pickle", "modeling_own.py": b"raise SystemExit"}
    respondent = load_model("owner/model", device="cpu")
    assert (respondent.name, respondent.revision) == ("owner/model", COMMIT)
    assert respondent.tokenizer.name_or_path == "owner/model"
    there, here = respondent.model.state_dict(), llama.model.state_dict()
    assert there.keys() == here.keys() and all(there[k].equal(here[k]) for k in here)
    # Neither code nor pickles were even fetched.
    assert {Path(p.split("?")[0]).name for p in hub.asked if "/resolve/" in p} == set(uploaded)


def test_what_was_fetched_once_is_found_without_the_hub(hub, monkeypatch):
    first = find_files("owner/model")
    assert first == find_files("owner/model", revision=COMMIT)
    assert fetch_weights(first) == COMMIT
    hub.state = "down"
    assert fetch_weights(find_files("owner/model")) == COMMIT
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert find_files("owner/model") == first
    assert fetch_weights(first) == COMMIT


def test_weights_are_fetched_after_everything_else_was_in_order(hub):
    hub.files["config.json"] = b'{"model_type": "t5"}'
    with pytest.raises(ValueError, match="architecture: t5.* is no decoder"):
        load_model("owner/model", device="cpu")
    assert not any(WEIGHTS in path for path in hub.asked)


@pytest.mark.parametrize("single", [False, True])
def test_parts_are_fetched_unless_there_is_a_single_file(hub, single):
    hub.files = {"config.json": b"{}", INDEX: json.dumps(SHARDED).encode()}
    hub.files |= dict.fromkeys([*PARTS, "consolidated.safetensors"], b"x")
    hub.files |= {WEIGHTS: b"whole"} if single else {}
    files = find_files("owner/model")
    assert fetch_weights(files) == COMMIT
    there = {path.name for path in files.folder.glob("*.safetensors")}
    assert there == ({WEIGHTS} if single else set(PARTS))


@pytest.mark.parametrize(
    ("state", "name", "options", "message"),
    [
        ("gated", "gemma-2b-it", {}, "google/gemma-2b-it is gated.*/google/gemma-2b-it .*HF_TOKEN"),
        ("gated", "someone/else", {}, "someone/else is gated.*organism-human.* need no hub"),
        ("missing", "owner/modle", {}, "no model owner/modle, or it is private.*spelling"),
        ("open", "owner/model", {"revision": "v9"}, "no revision 'v9'.*owner/model/commits/main"),
        ("down", "owner/model", {}, r"could not be downloaded \(HTTPStatusError\); try again"),
    ],
)
def test_what_the_hub_refuses_is_told_with_the_way_out(hub, state, name, options, message):
    hub.state = state
    with pytest.raises(OSError, match=message):
        load_model(name, device="cpu", **options)


def test_half_a_download_is_told(hub, monkeypatch):
    with monkeypatch.context() as offline:
        offline.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(OSError, match="only the cache was searched: HF_HUB_OFFLINE is set"):
            load_model("owner/model", device="cpu")
        assert hub.asked == []
    files = find_files("owner/model")
    with monkeypatch.context() as offline:
        offline.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(OSError, match="HF_HUB_OFFLINE is set"):
            fetch_weights(files)
    hub.files[WEIGHTS] = None  # the server fails in the middle of its answer
    with pytest.raises(OSError, match="owner/model .*try again"):
        fetch_weights(files)


def test_pickled_weights_are_not_even_fetched(hub):
    hub.files = {"config.json": b"{}", "pytorch_model.bin": b"pickle"}
    with pytest.raises(OSError, match="weights files, first model.safetensors.*Pickled"):
        fetch_weights(find_files("owner/model"))
    assert not any("pytorch_model" in path for path in hub.asked)


@pytest.mark.parametrize("name", ["owner/a model", "owner/-x-", "owner/a..b"])
def test_a_name_that_the_hub_does_not_allow_is_told(name):
    with pytest.raises(ValueError, match=f"'{name}' is no name of the hub"):
        load_model(name, device="cpu")


def test_the_weights_of_a_folder_are_named_by_their_hash(folder):
    assert fetch_weights(find_files(folder)) == hash_of(b"weights")
    (folder / "config.json").write_text('{"note": "not the weights"}')
    assert fetch_weights(find_files(folder)) == hash_of(b"weights")
    # transformers, too, takes the single file where there is an index beside it.
    (folder / INDEX).write_text(json.dumps(SHARDED))
    assert fetch_weights(find_files(folder)) == hash_of(b"weights")
    (folder / WEIGHTS).rename(folder / PARTS[0])
    with pytest.raises(OSError, match="lacks 1 of its 2 weights files, first model-2-of-2"):
        fetch_weights(find_files(folder))
    (folder / PARTS[1]).write_bytes(b"more")
    listing = f"{hash_of(b'weights')[7:]}  {PARTS[0]}\n{hash_of(b'more')[7:]}  {PARTS[1]}\n"
    assert fetch_weights(find_files(folder)) == hash_of(listing.encode())


@pytest.mark.parametrize("part", ["../x.safetensors", "/x.safetensors", "a/x.safetensors", "x.bin"])
def test_an_index_names_files_beside_it_only(folder, part):
    (folder / WEIGHTS).unlink()
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": part}}))
    with pytest.raises(ValueError, match=f"names '{part}', no safetensors file beside it"):
        fetch_weights(find_files(folder))


def test_folders_that_are_no_models_are_named(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert find_files(f"~/{folder.name}").folder == folder
    for name in (folder, "organism-human"):
        with pytest.raises(ValueError, match="without revision 'main'; leave it out"):
            find_files(name, revision="main")
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=rf"{folder} holds no model .* of an adapter"):
        find_files(folder)
    (folder / "adapter_config.json").unlink()
    (folder / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=rf"{folder} holds no model with a config\.json"):
        find_files(folder)


@pytest.mark.parametrize("name", ["./nowhere", "/no/where", "a/b/c", "~/nowhere", Path("nowhere")])
def test_a_missing_folder_is_named(name):
    with pytest.raises(FileNotFoundError, match=f"no model folder {name}; known names"):
        find_files(name)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown model 'gema'") as refusal:
        find_files("gema")
    assert all(name in str(refusal.value) for name in (*ORGANISMS, *HUB_NAMES))
