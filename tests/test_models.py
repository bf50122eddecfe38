"""Respondents come from folders and names; what cannot be loaded is refused with the way out."""

from pathlib import Path

import pytest
import torch

from valuegraph import models
from valuegraph.elicitation import elicit
from valuegraph.models import HUB_NAMES, load_model
from valuegraph.organisms.shipped import ORGANISMS
from valuegraph.roles import Role


@pytest.fixture
def saved(respondent, tmp_path):
    """A folder in Hugging Face format."""
    respondent.model.save_pretrained(tmp_path)
    respondent.tokenizer.save_pretrained(tmp_path)
    return tmp_path


def test_a_saved_respondent_answers_as_before(respondent, saved, few_items):
    roles = [None, Role("singer", "You sing.")]
    loaded = load_model(saved, device="cpu")
    before, after = elicit(respondent, few_items, roles), elicit(loaded, few_items, roles)
    assert (after.pop("model") == str(saved)).all()
    assert (before.pop("model") == respondent.name).all()
    assert after.equals(before)


def test_a_respondent_knows_its_sizes(organism, gemma):
    assert (organism.width, organism.n_layers) == (40, 3)
    assert (gemma.width, gemma.n_layers) == (32, 3)
    assert organism.device == torch.device("cpu")


@pytest.fixture
def small_folder(organism, tmp_path):
    """A saved organism."""
    organism.model.save_pretrained(tmp_path)
    organism.tokenizer.save_pretrained(tmp_path)
    return tmp_path


def test_a_loaded_model_does_not_train_and_has_the_wanted_type(small_folder):
    model = load_model(str(small_folder), device="cpu").model
    assert not model.training
    assert model.dtype == torch.float32
    assert (
        load_model(small_folder, device="cpu", dtype=torch.bfloat16).model.dtype == torch.bfloat16
    )


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown model 'gema'") as refusal:
        load_model("gema")
    for name in (*ORGANISMS, *HUB_NAMES):
        assert name in str(refusal.value)


@pytest.mark.parametrize("name", ["./nowhere", "/no/where", "a/b/c", "~/nowhere", Path("nowhere")])
def test_a_missing_folder_is_named(name):
    with pytest.raises(FileNotFoundError, match=f"no model folder at {name}"):
        load_model(name)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path} holds no model: config\.json"):
        load_model(tmp_path)


def test_a_home_folder_is_found(small_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(small_folder.parent))
    assert load_model(f"~/{small_folder.name}", device="cpu").width == 40


def test_a_model_without_chat_template_is_refused(small_folder):
    (small_folder / "chat_template.jinja").unlink()
    with pytest.raises(
        ValueError, match=rf"{small_folder} has no chat template.*instruction-tuned"
    ):
        load_model(small_folder, device="cpu")


@pytest.mark.parametrize(("name", "source"), [*HUB_NAMES.items(), ("someone/else", "someone/else")])
def test_a_model_that_the_hub_keeps_back_is_named_with_the_way_out(name, source, monkeypatch):
    asked = []

    class NoHub:
        @staticmethod
        def from_pretrained(source, *, local_files_only):
            asked.append((source, local_files_only))
            raise OSError("gated repository")

    monkeypatch.setattr(models, "AutoTokenizer", NoHub)
    with pytest.raises(OSError, match=f"could not load '{source}'.*HF_TOKEN.*gated repository"):
        load_model(name)
    assert asked == [(source, False)]
