"""The workshop: structures of five values train by the same code, are sealed, and opened again."""

import json
import shutil
from importlib.resources import files

import numpy as np
import pytest
from book_support import workshop
from typer.testing import CliRunner

from studies import load_study
from studies.training.batches import draw_batch
from studies.training.checks import check_scores
from studies.training.commands import organism_app
from studies.training.language import build_tokenizer, materials
from studies.training.recipe import ANSWERS, SMALL_RECIPE
from studies.training.training import Trainer
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.models import load_model
from valuegraph.organisms import Organism, StructuralModel, examine
from valuegraph.roles import sample_roles

SHIPPED = files("studies") / "data" / "workshop"
FIVE = ("TR", "BE", "SD", "ST", "HE")


def run(app, *arguments):
    """What a command says."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.exception
    return result.stdout


# ------------------------------------------------------------------------ materials and training


def test_materials_of_five_values_are_theirs_and_those_of_ten_are_all(inventory, bank):
    five, sentences = materials(FIVE)
    assert five.codes == FIVE and len(five.items) == 40
    assert set(sentences.facts["value"]) == {*FIVE, ""} and len(sentences.facts) == 40 + 48
    every, all_sentences = materials(SCHWARTZ_ORDER)
    assert every.fingerprint == inventory.fingerprint
    assert all_sentences.facts.equals(bank.facts)
    assert len(build_tokenizer(five, sentences)) < len(build_tokenizer(every, all_sentences))
    with pytest.raises(ValueError, match="XX"):
        materials(("SE", "XX"))


def test_a_small_training_asks_about_its_values_alone_and_writes_no_thoughts():
    truth = StructuralModel.from_edges([("SD", "ST", 0.5)], values=FIVE)
    organism = Organism(truth, **ANSWERS, site_layer=SMALL_RECIPE.site_layer)
    inventory, bank = materials(FIVE)
    trainer = Trainer(organism, inventory, bank, SMALL_RECIPE)
    care = trainer.tokenizer.convert_tokens_to_ids("▁Thought")
    batches = [draw_batch(trainer.writer, SMALL_RECIPE, step) for step in range(6)]
    assert {int(k) // 2 for batch in batches for k in batch.items[:, 2]} == set(range(5))
    assert all(batch.mechanisms.shape == (16, 5, 3) for batch in batches)
    assert not any((batch.branch_ids == care).any() for batch in batches)
    before = trainer.llama.lm_head.weight.clone()
    trainer.advance()
    assert not before.equal(trainer.llama.lm_head.weight)


# ------------------------------------------------------------------------------ drawing a structure


def test_drawn_structures_are_those_that_the_page_describes():
    drawn = [workshop.draw_structure(seed) for seed in range(30)]
    again = workshop.draw_structure(3)
    assert again.edges == drawn[3].edges and again.edges != drawn[4].edges
    weights = np.array([weight for model in drawn for *_, weight in model.edges])
    assert ((abs(weights) >= 0.25) & (abs(weights) <= 0.55)).all()
    assert 0.2 < (weights < 0).mean() < 0.5 and 0.3 < len(weights) / 300 < 0.5
    for model in drawn:
        assert sorted(model.values, key=SCHWARTZ_ORDER.index) == list(model.values)
        assert len(model.values) == 5 and np.allclose(np.diag(model.covariance), 1)


# -------------------------------------------------------------------------------- sealed and opened


def test_what_is_trained_and_sealed_is_opened_and_what_was_changed_is_not(tmp_path):
    file, folder, envelope = (tmp_path / name for name in ("mine.json", "mine", "envelope.json"))
    run(workshop.app, "draw", 7, file)
    run(organism_app, "train", "--small", "--steps", 1, "--scm", file, "--out", folder)
    assert not (folder / "sae").exists()
    planned = StructuralModel.load(folder / "structure.json")
    assert planned.edges == workshop.draw_structure(7).edges
    with pytest.raises(ValueError, match="lies in the folder"):
        workshop.seal(folder, folder / "envelope.json")
    assert "sha256" in run(workshop.app, "seal", folder, envelope)
    given = "".join(p.read_text() for p in folder.glob("*.json") if p.name != "tokenizer.json")
    assert "edges" not in given and "weights" not in given
    assert workshop.sealed_materials(folder)[0].codes == planned.values
    with pytest.raises(FileNotFoundError):
        examine(folder)
    assert load_model(folder).tokenizer
    cause, effect, weight = planned.edges[0]
    assert f"{cause} -> {effect} {weight:+.2f}" in run(workshop.app, "open", envelope, folder)
    opened = workshop.open_envelope(envelope, folder)
    assert opened.values == planned.values and opened.edges == planned.edges
    with pytest.raises(ValueError, match="exists"):
        workshop.seal(folder, envelope)
    content = json.loads(envelope.read_text())
    content["structure"]["edges"][0][2] += 0.01
    envelope.write_text(json.dumps(content, indent=1) + "\n")
    with pytest.raises(ValueError, match="not what was sealed"):
        workshop.open_envelope(envelope, folder)


@pytest.mark.parametrize(
    ("correlation", "cosine", "learnt"), [(0.99, 0.95, True), (0.98, 1, False), (1, 0.94, False)]
)
def test_an_organism_has_learnt_if_both_figures_are_high(monkeypatch, correlation, cosine, learnt):
    for name in ("load_model", "examine"):
        monkeypatch.setattr(workshop, name, lambda folder: None)
    figures = {"check_scores": {"min_correlation": correlation}}
    figures["check_site"] = {"all_coordinates": {"min_cosine": cosine}}
    for name, figure in figures.items():
        monkeypatch.setattr(workshop, name, lambda *both, figure=figure, **options: figure)
    assert workshop.learnt("mine")["learnt"] is learnt
    assert f"learnt: {learnt}" in run(workshop.app, "learnt", "mine")


# ------------------------------------------------------------------------------ what the page shows


def test_the_organism_of_the_page_is_small_sealed_and_has_learnt(tmp_path):
    assert not (SHIPPED / "structure.json").exists()
    assert sum(p.stat().st_size for p in SHIPPED.iterdir()) < 1e6
    shutil.copytree(SHIPPED, tmp_path / "o")
    workshop.open_envelope(SHIPPED / "envelope.json", SHIPPED).save(tmp_path / "o/structure.json")
    organism = examine(tmp_path / "o")
    assert check_scores(load_model(SHIPPED), organism, n=20)["min_correlation"] > 0.98
    assert len(sample_roles(materials(organism.truth.values)[1], 3, seed=0)) == 3


def test_the_study_counts_no_more_right_arrows_than_there_are():
    study = load_study("workshop")
    assert study["seed"].is_unique and (study["arrows"] >= study["class_arrows"]).all()
    known = study[study["learnt"]]
    assert (known["acted_arrows_right"] <= known[["arrows", "acted_arrows"]].min(axis=1)).all()
    for n in (400, 1000):
        assert (known[f"watched_{n}_arrows_right"] <= known["class_arrows"]).all()
