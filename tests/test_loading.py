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
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from valuegraph import loading
from valuegraph.elicitation import elicit
from valuegraph.loading import HUB_NAMES, INDEX, WEIGHTS, fetch_weights, find_files
from valuegraph.models import load_model
from valuegraph.organisms.shipped import ORGANISMS

COMMIT = "0123456789" * 4


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
    monkeypatch.setattr(loading, "snapshot_download", here)
    yield server
    server.shutdown()
    server.server_close()
    huggingface_hub.close_session()


@pytest.fixture
def unplugged(monkeypatch, tmp_path):
    """An address at which nobody answers."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    huggingface_hub.close_session()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    nowhere = partial(
        snapshot_download, endpoint="http://127.0.0.1:9", cache_dir=tmp_path / "cache"
    )
    monkeypatch.setattr(loading, "snapshot_download", nowhere)
    yield
    huggingface_hub.close_session()


# ------------------------------------------------------------------------------ from the hub


@pytest.mark.filterwarnings("ignore::valuegraph.elicitation.DoubtfulAnswers")
@pytest.mark.parametrize("architecture", ["llama", "gemma"])
def test_a_model_of_the_hub_answers_as_the_one_that_was_uploaded(
    architecture, hub, request, tmp_path, few_items
):
    uploaded = request.getfixturevalue(architecture)
    uploaded.model.save_pretrained(tmp_path / "upload")
    uploaded.tokenizer.save_pretrained(tmp_path / "upload")
    hub.files = {
        path.name: path.read_bytes() for path in (tmp_path / "upload").iterdir() if path.is_file()
    }
    hub.files |= {"pytorch_model.bin": b"pickle", "modeling_own.py": b"raise SystemExit"}
    respondent = load_model("owner/model", device="cpu")
    assert respondent.revision == COMMIT
    assert respondent.name == "owner/model"
    assert respondent.tokenizer.name_or_path == "owner/model"
    before, after = elicit(uploaded, few_items, [None]), elicit(respondent, few_items, [None])
    assert after.drop(columns="model").equals(before.drop(columns="model"))
    fetched = {Path(path.split("?")[0]).name for path in hub.asked if "/resolve/" in path}
    assert not fetched & {"pytorch_model.bin", "modeling_own.py"}
    assert fetched == set(hub.files) - {"pytorch_model.bin", "modeling_own.py"}


def test_what_was_fetched_once_is_found_without_the_hub(hub, monkeypatch):
    first = find_files("owner/model")
    assert fetch_weights(first) == COMMIT
    hub.state = "down"
    assert fetch_weights(find_files("owner/model")) == COMMIT
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert find_files("owner/model") == first
    assert fetch_weights(first) == COMMIT


def test_weights_are_fetched_after_everything_else_was_found_in_order(hub):
    hub.files["config.json"] = b'{"model_type": "t5"}'
    with pytest.raises(ValueError, match="'t5', which is no decoder"):
        load_model("owner/model", device="cpu")
    assert not any(WEIGHTS in path for path in hub.asked)


def test_all_parts_of_sharded_weights_are_fetched_and_no_others(hub):
    parts = ["model-1-of-2.safetensors", "model-2-of-2.safetensors"]
    index = {"weight_map": {"a": parts[0], "b": parts[1], "c": parts[0]}}
    hub.files = {"config.json": b"{}", INDEX: json.dumps(index).encode()}
    hub.files |= dict.fromkeys([*parts, "consolidated.safetensors"], b"x")
    files = find_files("owner/model")
    assert fetch_weights(files) == COMMIT
    there = {path.name for path in files.folder.glob("*.safetensors")}
    assert there == set(parts)


def test_a_commit_can_be_asked_for(hub):
    assert find_files("owner/model", revision=COMMIT).folder.name == COMMIT


# ----------------------------------------------------------------------------- what the hub refuses


@pytest.mark.parametrize(("name", "source"), [*HUB_NAMES.items(), ("someone/else", "someone/else")])
def test_a_gated_model_is_told_with_its_licence_page_and_the_token(name, source, hub):
    hub.state = "gated"
    with pytest.raises(OSError, match=f"{source} is gated: .*HF_TOKEN") as refusal:
        load_model(name, device="cpu")
    assert f"https://huggingface.co/{source} " in str(refusal.value)
    assert isinstance(refusal.value.__cause__, GatedRepoError)
    for organism in ORGANISMS:
        assert organism in str(refusal.value)


def test_a_missing_or_private_model_is_told_with_the_spelling(hub):
    hub.state = "missing"
    with pytest.raises(
        OSError, match="no model owner/modle, or it is private.*spelling"
    ) as refusal:
        load_model("owner/modle", device="cpu")
    assert type(refusal.value.__cause__) is RepositoryNotFoundError


def test_a_revision_that_does_not_exist_is_told_with_the_list(hub):
    with pytest.raises(OSError, match="no revision 'v9'.*owner/model/commits/main") as refusal:
        load_model("owner/model", device="cpu", revision="v9")
    assert isinstance(refusal.value.__cause__, RevisionNotFoundError)


def test_offline_and_not_cached_is_told_with_the_variable(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="not wholly, in the cache.*HF_HUB_OFFLINE is set") as told:
        load_model("owner/model", device="cpu")
    assert isinstance(told.value.__cause__, LocalEntryNotFoundError)
    assert hub.asked == []


def test_offline_with_half_a_model_is_told_too(hub, monkeypatch):
    files = find_files("owner/model")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="not wholly, in the cache.*HF_HUB_OFFLINE is set"):
        fetch_weights(files)


def test_no_network_is_told_as_such(unplugged):
    with pytest.raises(OSError, match=r"cannot be reached \(ConnectError\); check the network"):
        load_model("owner/model", device="cpu")


def test_a_hub_that_is_down_is_told_as_such(hub):
    hub.state = "down"
    with pytest.raises(OSError, match=r"cannot be reached \(HfHubHTTPError\).*try again"):
        load_model("owner/model", device="cpu")


def test_a_download_that_breaks_off_is_told_as_such(hub, monkeypatch):
    files = find_files("owner/model")
    hub.files[WEIGHTS] = None  # the server fails in the middle of its answer
    with pytest.raises(OSError, match="owner/model .*try again"):
        fetch_weights(files)


def test_a_repository_without_a_configuration_is_no_model(hub):
    hub.files = {"adapter_config.json": b"{}", "model.gguf": b"x"}
    with pytest.raises(OSError, match="owner/model has no config.json, .*adapters and GGUF"):
        load_model("owner/model", device="cpu")


@pytest.mark.parametrize("name", ["owner/a model", "owner/-x-", "owner/a..b"])
def test_a_name_that_the_hub_does_not_allow_is_told(name, unplugged):
    with pytest.raises(ValueError, match=f"'{name}' is no name of the hub"):
        load_model(name, device="cpu")


def test_pickled_weights_are_not_even_fetched(hub):
    hub.files = {"config.json": b"{}", "pytorch_model.bin": b"pickle"}
    with pytest.raises(OSError, match="no model.safetensors.*pickles.*save_pretrained"):
        fetch_weights(find_files("owner/model"))
    assert not any("pytorch_model" in path for path in hub.asked)


# ------------------------------------------------------------------------------ folders


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    return tmp_path


def test_the_weights_of_a_folder_are_named_by_their_hash(folder):
    found = fetch_weights(find_files(folder))
    assert found == "sha256:" + hashlib.sha256(b"weights").hexdigest()
    (folder / "config.json").write_text('{"note": "not the weights"}')
    assert fetch_weights(find_files(folder)) == found
    (folder / WEIGHTS).write_bytes(b"Weights")
    assert fetch_weights(find_files(folder)) != found


def test_the_hash_of_sharded_weights_is_that_of_their_list(folder):
    (folder / WEIGHTS).unlink()
    (folder / INDEX).write_text(json.dumps({"weight_map": {"x": "b.safetensors", "y": "a"}}))
    with pytest.raises(OSError, match="lacks 2 of its 2 weights files, first a;"):
        fetch_weights(find_files(folder))
    for name in ("a", "b.safetensors"):
        (folder / name).write_bytes(name.encode())
    listing = "".join(
        f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in ("a", "b.safetensors")
    )
    expected = "sha256:" + hashlib.sha256(listing.encode()).hexdigest()
    assert fetch_weights(find_files(folder)) == expected


def test_a_folder_with_pickled_weights_is_told(folder):
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
    with pytest.raises(OSError, match=rf"{folder} has no model.safetensors.*pickles"):
        fetch_weights(find_files(folder))


def test_a_folder_has_no_revisions(folder):
    for name in (folder, "organism-human"):
        with pytest.raises(ValueError, match="no revision 'main'; leave `revision` out"):
            find_files(name, revision="main")


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown model 'gema'") as refusal:
        find_files("gema")
    for name in (*ORGANISMS, *HUB_NAMES):
        assert name in str(refusal.value)


@pytest.mark.parametrize("name", ["./nowhere", "/no/where", "a/b/c", "~/nowhere", Path("nowhere")])
def test_a_missing_folder_is_named(name):
    with pytest.raises(FileNotFoundError, match=f"no model folder at {name}"):
        find_files(name)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path} holds no model: config\.json"):
        find_files(tmp_path)


def test_a_home_folder_is_found(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert find_files(f"~/{folder.name}").folder == folder
