"""The chapter on GPUs with a model that is no organism, on a Colab that is made up.

No machine that tests has Gemma, Llama or a GPU. So the cells are run with a small Llama of random
weights in their place, and an autoencoder that was trained on normalised activations, as Llama's.
"""

import json
import sys
import types
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

import valuegraph as vg
from valuegraph.inventory import Inventory
from valuegraph.models import load_model
from valuegraph.runs.plan import ModelSource
from valuegraph.stand_in import Found

CHAPTER = Path(__file__).resolve().parents[1] / "notebooks" / "08_your_own_gpu.ipynb"


def cells():
    for cell in json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]:
        tags = cell["metadata"].get("tags", [])
        if cell["cell_type"] == "code" and "colab-install" not in tags:
            yield "".join(cell["source"])


def save_autoencoder(folder, width):
    """Write one whose activation norm is not folded."""
    import torch
    from sae_lens import StandardSAE, StandardSAEConfig
    from sae_lens.saes.sae import SAEMetadata

    sae = StandardSAE(
        StandardSAEConfig(
            d_in=width,
            d_sae=2 * width,
            normalize_activations="expected_average_only_in",
            metadata=SAEMetadata(hook_name="blocks.1.hook_resid_post"),
        )
    )
    with torch.no_grad():
        rows = torch.randn(sae.W_dec.shape, generator=torch.Generator().manual_seed(0))
        sae.W_dec.copy_(rows)
        sae.W_enc.copy_(rows.T)
    sae.save_model(folder)


@pytest.fixture
def colab(monkeypatch):
    """Where the Drive was mounted."""
    mounted = []
    colab = types.ModuleType("google.colab")
    colab.drive = types.SimpleNamespace(mount=mounted.append)
    if find_spec("google") is None:  # others put packages there
        monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    return mounted


@pytest.fixture
def everything(llama, tmp_path, monkeypatch, colab):
    """What the cells leave behind."""
    model, autoencoder = tmp_path / "tiny", tmp_path / "sae"
    llama.model.save_pretrained(model)
    llama.tokenizer.save_pretrained(model)
    save_autoencoder(autoencoder, llama.width)

    class Tiny(Found):
        sae = str(autoencoder)

    def found(name, *, insist):
        return Tiny(name, ModelSource(str(model)), load_model(model))

    whole = vg.load_inventory()
    items = whole.items.groupby(["value", "key"]).head(2)
    monkeypatch.setattr(vg, "respondent_or_organism", found, raising=False)
    monkeypatch.setattr(
        vg, "load_inventory", lambda name: Inventory(name, items, whole.values), raising=False
    )
    # Random weights are moved by no role, and say neither yes nor no.
    monkeypatch.setattr(vg, "require_spread", lambda answers: answers, raising=False)
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in cells():
            exec(compile(cell, str(CHAPTER), "exec"), names)
            if "N_ROLES" in names:
                names["N_ROLES"] = 40
            if "folder" in names:
                names["on_drive"], names["folder"] = names["folder"], tmp_path / "drive"
    return names


def test_the_cells_run_on_another_model(everything, colab, tmp_path):
    names = everything
    assert colab == ["/content/drive"]
    assert names["runs"] == Path("/content/drive/MyDrive/valuegraph")
    assert not names["found"].is_organism
    assert {role.name[:7] for role in names["roles"]} == {"persona"}
    assert vg.run_status(tmp_path / "drive" / "answers").complete
    assert len(names["answers"]) == 2 * 40 * 40
    # The norm is folded, and every push says so.
    assert names["sae"].cfg.normalize_activations == "none"
    assert all(push.origin["activation_norm"] > 0 for push in names["pushes"])
    assert all(word.origin["kind"] == "hard prompt" for word in names["words"])
    assert len(names["effects"]) == len(names["tried"]) * 10
    for table in ("habits", "scores", "edges", "candidates", "effects", "costs"):
        assert (tmp_path / "drive" / f"{table}.csv").stat().st_size > 100
    assert names["choice"].rule in (tmp_path / "drive" / "about.txt").read_text()
