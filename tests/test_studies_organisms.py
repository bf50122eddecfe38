"""The shipped organisms keep what their cards promise: some figures afresh, the rest on record."""

import json
from functools import partial

import numpy as np
import pytest

from studies.training import checks
from studies.training.card import write_card
from valuegraph.answers import score_answers
from valuegraph.effects import changes, cosine
from valuegraph.elicitation import elicit
from valuegraph.models import load_model
from valuegraph.organisms import ORGANISMS, examine, load_check, load_truth, organism_folder
from valuegraph.prompts import WORDINGS, PromptFormat
from valuegraph.roles import sample_roles
from valuegraph.sae import feature_shift, hook_layer, load_sae

INTERCHANGED = ("organism-human", "organism-alien", "organism-surface")

SURFACE = "organism-surface"


@pytest.fixture(scope="module", params=ORGANISMS)
def both(request):
    """The respondent, and the truth about it."""
    return load_model(request.param), examine(request.param)


def test_scores_biases_and_stances_are_as_they_should_be(both):
    _, organism = both
    scores = checks.check_scores(*both, n=20)
    assert scores["min_correlation"] > 0.98
    assert np.allclose(list(scores["slope"].values()), organism.gain, rtol=0.1)
    biases = checks.check_biases(*both, n=4)
    assert biases["yes_bias"] == pytest.approx(organism.yes_bias, abs=0.1)
    assert biases["order_bias"] == pytest.approx(organism.order_bias, abs=0.1)
    stances = checks.check_stances(*both, n=10)
    assert stances["correlation_set"] > 0.9 and stances["correlation_others"] > 0.96
    assert stances["slope_set"] == pytest.approx(1, abs=0.2)


def test_every_wording_gets_the_same_answers(both, inventory, bank):
    roles = sample_roles(bank, 3, seed=5)
    formats = [PromptFormat(wording) for wording in WORDINGS]
    answers = elicit(both[0], inventory, roles, formats=formats)
    answers = answers["log_odds"].to_numpy().reshape(len(formats), -1)
    assert np.corrcoef(answers).min() > 0.98


def test_written_thought_and_answer_agree_with_the_log_odds(both, few_items, bank):
    """Greedy text is a thought that fits the score, and the answer whose log-odds are positive."""
    roles = sample_roles(bank, 1, seed=8)
    read = elicit(both[0], few_items, roles)
    written = elicit(both[0], few_items, roles, mode="generate")
    cares = written["text"].str.contains("I do care about")
    score = written["value"].map(score_answers(read).iloc[0])
    agree = (written["answer"] > 0) == (read["log_odds"] > 0)
    assert (written["answer"] != 0).all()
    assert agree.sum() + (cares == (score > 0)).sum() >= 2 * len(written) - 2  # some are near zero


def test_shifting_the_site_works_where_it_should_and_fails_where_it_should(both):
    respondent, organism = both
    result = checks.check_site(respondent, organism, n_roles=2, regression_roles=300)
    for part in ("blocks", "all_coordinates"):
        sizes = list(result[part]["relative_size"].values())
        if respondent.name in INTERCHANGED:
            assert result[part]["min_cosine"] > 0.95 and min(sizes) > 0.7
        else:
            assert max(sizes) < 0.2
    assert respondent.name not in INTERCHANGED or min(result["told_by_site"].values()) > 0.9


# In organism-surface a fact moves all values, and so does a feature that stands for facts.
@pytest.mark.parametrize("name", ["organism-human", "organism-alien"])
def test_recorded_best_features_do_what_the_card_says(name, inventory, bank):
    organism, sae = examine(name), load_sae(organism_folder(name) / "sae")
    assert hook_layer(sae) == organism.site_layer
    best = load_check(name)["sae"]["best"]
    shifts = [feature_shift(sae, one["feature"], coefficient=one["sign"]) for one in best.values()]
    roles = sample_roles(bank, 2, seed=7)
    answers = elicit(load_model(name), inventory, roles, interventions=[None, *shifts])
    effects = changes(answers).groupby("intervention").mean()[list(best)]
    cosines = [
        cosine(effects.loc[shift.name], organism.true_effect(value))
        for shift, value in zip(shifts, best, strict=True)
    ]
    assert sum(c >= 0.95 for c in cosines) >= 9


@pytest.mark.parametrize("name", ORGANISMS)
def test_recorded_check_meets_what_an_organism_must(name):
    check = load_check(name)
    json.dumps(check, allow_nan=False)
    assert check["scores"]["min_correlation"] >= 0.99
    if name == SURFACE:  # there is no structure, and yet edges
        edges = [run["edges"] for run in check["recovery"]["firm"]["runs"] if run["n"] == 2000]
        assert min(edges) > 5 and check["blocks"]["blocks"]["min_cosine"] >= 0.9
    elif name in INTERCHANGED:
        assert len(check["recovery"]["seeds"]) == 10
        assert check["recovery"]["exact_skeletons"]["2000"] >= 9
        assert check["blocks"]["blocks"]["min_cosine"] >= 0.95
        assert check["sae"]["values_above_.95"] >= 9
    else:
        assert max(check["blocks"]["all_coordinates"]["relative_size"].values()) < 0.2


@pytest.mark.parametrize("name", ORGANISMS)
def test_card_is_what_its_check_writes_and_files_are_small(name, tmp_path):
    folder = organism_folder(name)
    for file in ("structure.json", "training.json", "model.safetensors"):
        (tmp_path / file).symlink_to(folder / file)
    card = write_card(tmp_path, name, load_check(name))
    assert card.read_text(encoding="utf-8") == (folder / "README.md").read_text(encoding="utf-8")
    files = [f for f in folder.rglob("*") if f.is_file()]
    assert sum(f.stat().st_size for f in files) < 5e6
    assert {f.suffix for f in files} <= {".safetensors", ".json", ".md", ".jinja"}  # no pickle


@pytest.mark.parametrize("name", ORGANISMS)
def test_structures_differ_where_they_should(name):
    human, truth = load_truth("organism-human"), load_truth(name)
    if name == SURFACE:
        assert truth.edges == [] and len(truth.facts) == 80
        return
    assert len(truth.edges) == len(human.edges)
    same = {(a, b) for a, b, _ in truth.edges} == {(a, b) for a, b, _ in human.edges}
    assert same == (name != "organism-alien")
    assert np.allclose(np.diag(truth.covariance), 1, atol=1e-4)


def test_check_measures_everything_that_the_card_needs(tmp_path, monkeypatch):
    """A check of few roles, through JSON, into a card."""
    folder, lines = organism_folder("organism-human"), []
    monkeypatch.setattr(checks, "load_sae", lambda folder: few_features(load_sae(folder)))
    monkeypatch.setattr(checks, "sample_roles", few_roles)
    for name in ("check_scores", "check_biases", "check_stances"):
        monkeypatch.setattr(checks, name, partial(getattr(checks, name), n=12))
    figures = checks.check_organism(
        load_model("organism-human"),
        examine("organism-human"),
        sae_folder=folder / "sae",
        seeds=[0, 1],
        sizes=(30, 40),
        steered_roles=2,
        report=lines.append,
    )
    assert len(lines) == 2 + 2
    again = json.loads(json.dumps(figures, allow_nan=False))
    assert {k: set(v) for k, v in again.items()} == {
        k: set(v) for k, v in load_check("organism-human").items()
    }
    for file in ("structure.json", "training.json", "model.safetensors"):
        (tmp_path / file).symlink_to(folder / file)
    text = write_card(tmp_path, "organism-human", again).read_text(encoding="utf-8")
    assert "nan" not in text.lower() and text.count("\n## ") == 6


def few_roles(bank, n, **options):
    """As many roles as a test has time for."""
    return sample_roles(bank, min(n, 40), **options)


def few_features(sae):
    """The autoencoder with six features that ever fire."""
    sae.b_enc.data[6:] = -1e3
    return sae
