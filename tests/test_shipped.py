"""The shipped organisms keep what their cards promise: some figures afresh, the rest on record."""

import json

import numpy as np
import pytest

from valuegraph.answers import score_answers
from valuegraph.asking.prompts import WORDINGS, PromptFormat, render_prompt
from valuegraph.elicitation import elicit
from valuegraph.models import load_model
from valuegraph.organisms.card import write_card
from valuegraph.organisms.check import (
    check_biases,
    check_organism,
    check_scores,
    check_stances,
)
from valuegraph.organisms.examined import examine
from valuegraph.organisms.figures import plot_recovery, plot_site_checks
from valuegraph.organisms.shipped import (
    ORGANISMS,
    load_check,
    load_training_record,
    load_truth,
    organism_folder,
)
from valuegraph.organisms.site_checks import mean_changes, site_shifts, site_slopes
from valuegraph.roles import sample_roles
from valuegraph.steering.effects import cosine
from valuegraph.steering.sae import feature_shift, hook_layer, load_sae

INTERCHANGED = ("organism-human", "organism-alien")
VALUES = ("SE", "CO", "TR", "BE", "UN", "SD", "ST", "HE", "AC", "PO")


@pytest.fixture(scope="module", params=ORGANISMS)
def examined(request):
    name = request.param
    return examine(load_model(name), load_truth(name), load_training_record(name))


def test_scores_follow_the_true_values(examined):
    scores = check_scores(examined, n=30)
    assert scores["min_correlation"] > 0.98
    assert np.allclose(list(scores["slope"].values()), examined.answers.gain, rtol=0.1)


def test_planted_biases_are_found(examined):
    biases = check_biases(examined, n=6)
    assert biases["yes_bias"] == pytest.approx(examined.answers.yes_bias, abs=0.1)
    assert biases["order_bias"] == pytest.approx(examined.answers.order_bias, abs=0.1)


@pytest.mark.parametrize("wording", [w for w in WORDINGS if w != PromptFormat().wording])
def test_every_wording_gets_the_same_answers(examined, wording):
    roles = sample_roles(examined.bank, 3, seed=5)
    ask = [
        elicit(examined.respondent, examined.inventory, roles, fmt=PromptFormat(w))["log_odds"]
        for w in (PromptFormat().wording, wording)
    ]
    assert np.corrcoef(*ask)[0, 1] > 0.98


def test_a_stance_sets_its_value_and_what_follows_from_it(examined):
    stances = check_stances(examined, n=20)
    assert stances["correlation_set"] > 0.9
    assert stances["slope_set"] == pytest.approx(1, abs=0.2)
    assert stances["correlation_others"] > 0.96


def test_generated_thought_and_answer_agree_with_the_log_odds(examined):
    """Greedy text is a thought that fits the score, and the answer whose log-odds are positive."""
    respondent, inventory = examined.respondent, examined.inventory
    (role,) = sample_roles(examined.bank, 1, seed=8)
    fmt = PromptFormat(think=True)
    items = inventory.items.iloc[::9]
    phrases = inventory.values["phrase"]
    asked = elicit(respondent, inventory, [role])
    log_odds = asked.set_index("item")["log_odds"]
    scores = score_answers(asked).iloc[0]
    agree = 0
    for item in items.itertuples():
        prompt = render_prompt(respondent.tokenizer, item.text, role, fmt=fmt, prefill="")
        ids = respondent.tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
        out = respondent.model.generate(
            input_ids=ids["input_ids"],
            attention_mask=ids["attention_mask"],
            max_new_tokens=24,
            do_sample=False,
        )
        text = respondent.tokenizer.decode(out[0, ids["input_ids"].shape[1] :])
        assert f"care about {phrases[item.value]}. Answer:" in text
        answer = text.split("Answer:")[1].split("<end>")[0].strip()
        assert answer in ("yes", "no")
        cares = "I do care" in text
        agree += (answer == "yes") == (log_odds[item.item] > 0)
        agree += cares == (scores[item.value] > 0)
    assert agree >= 2 * len(items) - 2  # log-odds near zero may fall either way


@pytest.mark.parametrize("in_blocks", [True, False])
def test_shifting_the_site_works_where_it_should_and_fails_where_it_should(examined, in_blocks):
    slopes, told = site_slopes(examined, n_roles=600, seed=6)
    shifts = site_shifts(examined, slopes, in_blocks=in_blocks)
    measured = mean_changes(examined, sample_roles(examined.bank, 3, seed=7), shifts)
    true = np.array([examined.true_effect(s.name) for s in shifts])
    relative = np.linalg.norm(measured, axis=1) / np.linalg.norm(true, axis=1)
    if examined.respondent.name in INTERCHANGED:
        assert min(map(cosine, measured, true)) > 0.95
        assert relative.min() > 0.7
        assert told.min() > 0.9
    else:
        assert relative.max() < 0.2


@pytest.mark.parametrize("name", INTERCHANGED)
def test_recorded_best_features_do_what_the_card_says(name):
    examined = examine(load_model(name), load_truth(name), load_training_record(name))
    sae = load_sae(organism_folder(name) / "sae")
    assert hook_layer(sae) == examined.site_layer
    best = load_check(name)["sae"]["best"]
    shifts = [feature_shift(sae, entry["feature"], coefficient=0.7) for entry in best.values()]
    measured = mean_changes(examined, sample_roles(examined.bank, 2, seed=7), shifts)
    signs = [entry["sign"] for entry in best.values()]
    cosines = [
        sign * cosine(effect, examined.true_effect(value))
        for sign, effect, value in zip(signs, measured, best, strict=True)
    ]
    assert sum(c >= 0.95 for c in cosines) >= 9


@pytest.mark.parametrize("name", INTERCHANGED)
def test_recorded_check_meets_what_an_organism_must(name):
    check = load_check(name)
    recovery = check["recovery"]
    assert len(recovery["seeds"]) == 10
    assert recovery["exact_skeletons"]["2000"] >= 9
    assert check["scores"]["min_correlation"] >= 0.99
    assert check["blocks"]["blocks"]["min_cosine"] >= 0.95
    assert check["sae"]["values_above_.95"] >= 9


def test_recorded_check_of_the_plain_organism_shows_good_answers_and_failed_steering():
    check = load_check("organism-plain")
    assert check["scores"]["min_correlation"] >= 0.99
    assert max(check["blocks"]["all_coordinates"]["relative_size"].values()) < 0.2


@pytest.mark.parametrize("name", ORGANISMS)
def test_card_is_what_its_check_writes(name, tmp_path):
    folder = organism_folder(name)
    for file in ("structure.json", "training.json", "model.safetensors"):
        (tmp_path / file).symlink_to(folder / file)
    card = write_card(tmp_path, name, load_check(name))
    assert card.read_text(encoding="utf-8") == (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ORGANISMS)
def test_files_are_small_and_hold_no_pickle(name):
    files = [f for f in organism_folder(name).rglob("*") if f.is_file()]
    assert sum(f.stat().st_size for f in files) < 5e6
    assert {f.suffix for f in files} <= {".safetensors", ".json", ".md", ".jinja"}


@pytest.mark.parametrize("name", ORGANISMS)
def test_structures_differ_where_they_should(name):
    human, truth = load_truth("organism-human"), load_truth(name)
    assert len(truth.edges) == len(human.edges)
    same = {(a, b) for a, b, _ in truth.edges} == {(a, b) for a, b, _ in human.edges}
    assert same == (name != "organism-alien")
    assert np.allclose(np.diag(truth.covariance), 1, atol=1e-4)


def test_unknown_organism_is_refused():
    with pytest.raises(ValueError, match="unknown organism 'organism-x'; shipped are"):
        organism_folder("organism-x")


def test_record_is_json_of_plain_numbers():
    for name in ORGANISMS:
        json.dumps(load_check(name), allow_nan=False)


def test_check_measures_everything_that_card_and_figures_need(tmp_path):
    """A check of few roles, through JSON, into a card and both figures."""
    folder = organism_folder("organism-human")
    examined = examine(
        load_model("organism-human"),
        load_truth("organism-human"),
        load_training_record("organism-human"),
    )
    lines = []
    figures = check_organism(
        examined,
        sae_folder=None,
        seeds=[0, 1],
        sizes=(30, 40),
        steered_roles=2,
        report=lines.append,
    )
    assert lines
    figures["sae"] = load_check("organism-human")["sae"]
    again = json.loads(json.dumps(figures, allow_nan=False))
    for file in ("structure.json", "training.json", "model.safetensors"):
        (tmp_path / file).symlink_to(folder / file)
    text = write_card(tmp_path, "organism-human", again).read_text(encoding="utf-8")
    for heading in ("Structural model", "Recipe", "Answers", "Recovery", "Steering", "Use"):
        assert f"## {heading}" in text
    assert "nan" not in text.lower()
    (axes,) = plot_recovery(again, title="t").axes
    assert axes.get_xlabel() == "number of roles"
    (axes,) = plot_site_checks({"organism-human": again}).axes
    assert len(axes.lines[2].get_xdata()) == 10
