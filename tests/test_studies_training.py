"""Training depends on its settings alone: repeated, interrupted or resumed, it ends the same."""

import copy
import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from studies.training import training
from studies.training.batches import draw_batch
from studies.training.building import train_sae
from studies.training.commands import organism_app
from studies.training.network import SiteCode, branching_forward
from studies.training.recipe import ANSWERS, SAERecipe, TrainingRecipe
from studies.training.recovery import recovery_figures
from studies.training.structures import (
    ALIEN_MOVES,
    alien_structure,
    correlation_rmse,
    fit_structural_model,
    human_structure,
)
from studies.training.training import CHECKPOINT, Trainer, train
from valuegraph.confidence import bootstrap
from valuegraph.discovery import discover
from valuegraph.elicitation import elicit
from valuegraph.humans import load_human
from valuegraph.metrics import skeleton_precision
from valuegraph.models import Respondent, load_model
from valuegraph.organisms import Organism, StructuralModel, load_truth
from valuegraph.sae import describe_sae, hook_layer, load_sae

TINY = TrainingRecipe(
    steps=6, pairs=2, questions=2, width=30, layers=2, heads=3, mlp_width=16, site_layer=0, seed=5
)
PLAIN, PLAIN_RECIPE = (replace(r, interchange=False) for r in (TINY, TrainingRecipe()))


@pytest.fixture
def trainer_of(structure, inventory, bank):
    """Make a fresh trainer."""

    def make(recipe=TINY, *, structure=structure, **answers):
        truth = Organism(structure, **ANSWERS | answers, site_layer=recipe.site_layer)
        return Trainer(truth, inventory, bank, recipe)

    return make


def state(trainer) -> dict:
    """All tensors of a trainer that training moves."""
    return {f"llama.{k}": v for k, v in trainer.llama.state_dict().items()} | {
        f"helpers.{k}": v for k, v in trainer.helpers.state_dict().items()
    }


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


# ------------------------------------------------------------------------------------------ one run


@pytest.mark.parametrize("recipe", [TINY, PLAIN], ids=["code", "plain"])
def test_two_runs_of_one_seed_are_equal_bit_for_bit(trainer_of, recipe):
    torch.manual_seed(0)
    expected = torch.rand(2)  # training leaves the chance of others alone
    torch.manual_seed(0)
    first = trainer_of(recipe)
    shares = [first.advance() for _ in range(recipe.steps)]
    assert torch.equal(torch.rand(2), expected)
    second, other = trainer_of(recipe), trainer_of(replace(recipe, seed=6))
    assert [second.advance() for _ in range(recipe.steps)] == shares
    assert same(state(first), state(second))
    assert not torch.equal(first.code.directions, other.code.directions)


def test_a_seed_gives_the_model_that_it_always_gave(trainer_of):
    trainer = trainer_of(structure=load_truth("organism-human"))
    for _ in range(6):
        shares = trainer.advance()
    assert shares == pytest.approx({"plain": 19.29116, "swapped": 12.30270}, rel=1e-3)
    assert trainer.llama.lm_head.weight.abs().sum().item() == pytest.approx(1507.0095, rel=1e-4)


def test_a_step_moves_all_that_learns_at_the_rate_of_the_schedule(trainer_of):
    trainer = trainer_of()
    before = {name: tensor.clone() for name, tensor in state(trainer).items()}
    trainer.advance()
    still = {name for name, tensor in state(trainer).items() if torch.equal(tensor, before[name])}
    assert still == {"helpers.code.directions"}  # the code's directions are fixed, not learnt
    trainer.advance()
    assert trainer.optimizer.param_groups[0]["lr"] == TINY.learning_rate_at(1 / TINY.steps)


def test_figures_are_the_running_share_of_what_is_left_unexplained(trainer_of):
    trainer = trainer_of(PLAIN)
    batch = draw_batch(trainer.writer, PLAIN, 0)
    with torch.no_grad():
        states = branching_forward(trainer.llama, batch, PLAIN.site_layer)
        log_q = trainer.llama.lm_head(states.branches).double().log_softmax(-1).numpy()
    unexplained, coin = {"swapped": 0.0, "plain": 0.0}, {"swapped": 0.0, "plain": 0.0}
    for (row, column, high, low), p in zip(batch.soft.tolist(), batch.p_high.tolist(), strict=True):
        half = "swapped" if row < len(batch.branch_ids) / 2 else "plain"
        reached = p * log_q[row, column, high] + (1 - p) * log_q[row, column, low]
        best = p * math.log(p) + (1 - p) * math.log(1 - p)
        unexplained[half] += best - reached
        coin[half] += best + math.log(2)
    for half, share in trainer.advance().items():
        assert share == pytest.approx(0.95 + 0.05 * unexplained[half] / coin[half], rel=1e-4)


def test_later_layers_get_the_code_first_and_swapped_blocks_afterwards(trainer_of, monkeypatch):
    edits = []

    def spying_forward(llama, batch, site_layer, edit_site):
        def spy(site):
            edits.append((site.detach().clone(), batch, edit_site(site).detach().clone()))
            return edit_site(site)

        return branching_forward(llama, batch, site_layer, spy)

    monkeypatch.setattr(training, "branching_forward", spying_forward)
    trainer = trainer_of(replace(TINY, taught_until=0.5))
    for step in range(TINY.steps):
        code = copy.deepcopy(trainer.code)
        trainer.advance()
        site, batch, edited = edits.pop()
        if step < 3:
            assert (edited - code(batch.acting)).detach().std() == pytest.approx(0.1, rel=0.3)
        else:
            assert torch.equal(edited, code.swap(site, batch.swapped))
    trainer_of(PLAIN).advance()
    site, _, edited = edits.pop()
    assert torch.equal(edited, site)


# -------------------------------------------------------------------------- interrupted and resumed


class Interrupted(Exception):
    """Stands for whatever ends a run early."""


def files(folder) -> dict:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("last", [3, 5])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(trainer_of, few_items, tmp_path, last):
    def stop(step, unexplained):
        if step == last:
            raise Interrupted

    straight, halting = tmp_path / "a" / "straight", tmp_path / "halting"
    whole = trainer_of()
    train(whole, straight, checkpoint_every=2)
    with pytest.raises(Interrupted):
        train(trainer_of(), halting, checkpoint_every=2, report=stop)
    assert set(files(halting)) == {CHECKPOINT}
    steps, resumed = [], trainer_of()
    train(resumed, halting, checkpoint_every=2, report=lambda step, _: steps.append(step))
    assert steps == list(range((last - 1) // 2 * 2 + 1, TINY.steps + 1))
    assert same(state(resumed), state(whole)) and resumed.unexplained == whole.unexplained
    written = [{k: v for k, v in files(f).items() if k != CHECKPOINT} for f in (halting, straight)]
    assert written[0] == written[1] and "model.safetensors" in written[0]
    answers = elicit(load_model(straight, device="cpu"), few_items, [None])
    trained = Respondent(str(straight), whole.llama.eval(), whole.tokenizer)
    assert answers["log_odds"].equals(elicit(trained, few_items, [None])["log_odds"])


def test_a_checkpoint_of_other_settings_is_refused_by_name(trainer_of, structure, tmp_path):
    path = tmp_path / CHECKPOINT
    trainer_of().save_checkpoint(path)
    assert set(files(tmp_path)) == {CHECKPOINT}
    weaker = StructuralModel.from_edges([(*e, w / 2) for *e, w in structure.edges])
    others = {
        r"\(recipe\)": trainer_of(replace(TINY, seed=6)),
        r"\(answers\)": trainer_of(gain=2.0),
        r"\(edges, noise_sd\)": trainer_of(structure=weaker),
    }
    for names, trainer in others.items():
        with pytest.raises(ValueError, match=f"was written with other settings {names}"):
            trainer.load_checkpoint(path)
    with pytest.raises(ValueError, match="choose an empty folder"):
        train(trainer, tmp_path)


def test_the_command_trains_keeps_what_is_there_and_refuses_to_mix(tmp_path):
    run = CliRunner().invoke
    structure, out = str(tmp_path / "mine.json"), tmp_path / "o"
    human_structure().save(structure)
    arguments = ["train", "--plain", "--steps", "1", "--out", str(out), "--scm"]
    assert run(organism_app, [*arguments, structure]).exit_code == 0
    written = files(out)
    assert {"model.safetensors", "tokenizer.json", "structure.json", "training.json"} <= set(
        written
    )
    assert CHECKPOINT not in written
    assert json.loads(written["training.json"])["recipe"]["steps"] == 1
    assert run(organism_app, [*arguments, "human"]).exit_code == 0
    assert files(out) == written
    assert "(edges, noise_sd)" in str(run(organism_app, [*arguments, "alien"]).exception)
    assert "(recipe)" in str(run(organism_app, [*arguments, "human", "--seed", "1"]).exception)
    assert "'martian': give human" in str(run(organism_app, [*arguments, "martian"]).exception)


# ---------------------------------------------------------------------------------- recipe and code


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"layers": 4, "site_layer": 3}, "one of 4 layers must come after site_layer 3"),
        ({"width": 30, "heads": 4}, "width 30 must be a multiple of twice the 4 heads"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TrainingRecipe(**options)


def test_schedules():
    rate = TrainingRecipe(learning_rate=2e-3).learning_rate_at
    rates = [rate(x) / 2e-3 for x in (0, 0.025, 0.05, 0.525, 1)]
    assert rates == pytest.approx([0.04, 0.52, 1, 0.5, 1e-4])
    assert [PLAIN_RECIPE.max_facts(x) for x in (0, 0.08, 0.14, 0.22, 1)] == [1, 2, 4, 10, 10]
    assert [PLAIN_RECIPE.p_stance(x) for x in (0, 0.13, 0.15, 1)] == [0, 0, 0.3, 0.3]
    hidden = [TrainingRecipe().p_hidden(x) for x in (0, 0.5999, 0.7, 0.75, 1)]
    assert hidden == pytest.approx([1, 1, 0.5, 0.3, 0.3]) and PLAIN_RECIPE.p_hidden(0) == 0


def test_swapping_blocks_is_swapping_mechanisms():
    code, d = SiteCode(23, 5, seed=3), 5
    with torch.no_grad():
        code.offset.copy_(torch.linspace(-1, 1, 23))
    flat = code.directions.reshape(3 * d, 23)
    torch.testing.assert_close(flat @ flat.T, torch.eye(3 * d), atol=1e-6, rtol=0)
    mechanisms = torch.randn(8, d, 3, generator=torch.Generator().manual_seed(0))
    swapped = torch.rand(4, d, generator=torch.Generator().manual_seed(1)) < 0.5
    mixed = torch.where(swapped[:, :, None], mechanisms[4:], mechanisms[:4])
    states = code(mechanisms)
    expected = code(torch.cat([mixed, mechanisms[4:]]))
    torch.testing.assert_close(code.swap(states, swapped), expected)
    torch.testing.assert_close(code.power(mechanisms), (states - states.mean(0)).square().mean())
    with pytest.raises(ValueError, match=r"a width of 14 .* 5 values; choose .* at least 15"):
        SiteCode(14, 5, seed=0)


# --------------------------------------------------------------------------------------- structures


@pytest.mark.parametrize(
    "edges",
    [
        [("A", "C", 0.5), ("B", "C", 0.5), ("C", "D", 0.5), ("B", "E", -0.4)],
        [("A", "B", 0.4), ("A", "C", 0.5), ("B", "D", 0.4), ("C", "D", 0.4), ("D", "E", -0.5)],
    ],
)
def test_a_known_structure_comes_out_of_its_correlations(edges):
    truth = StructuralModel.from_edges(edges, values=tuple("ABCDE"))
    fitted = fit_structural_model(truth.correlation, n=20_000, min_weight=0.05)
    assert fitted.cpdag() == truth.cpdag()
    np.testing.assert_allclose(fitted.correlation, truth.correlation, atol=1e-3)
    np.testing.assert_allclose(np.diag(fitted.covariance), 1)


def test_weak_weights_are_raised_and_the_others_make_up_for_it():
    truth = StructuralModel.from_edges([("A", "B", 0.1), ("B", "C", -0.6)], values=tuple("ABC"))
    fitted = fit_structural_model(truth.correlation, n=5000, min_weight=0.25)
    strengths = sorted(abs(weight) for *_, weight in fitted.edges)
    # With a at .25, the best b minimises (b - .6)^2 + (.25 b - .1 * .6)^2.
    np.testing.assert_allclose(strengths, [0.25, (0.6 + 0.25 * 0.06) / (1 + 0.25**2)], atol=1e-4)
    independent = pd.DataFrame(np.eye(3), list("ABC"), list("ABC"))
    assert fit_structural_model(independent, n=400, min_weight=0.1).edges == []


def test_the_shipped_structures_are_those_that_are_fitted_and_rewired():
    human, alien, people = human_structure(), alien_structure(), load_human("ess11").correlation
    for made, name in ((human, "organism-human"), (alien, "organism-alien")):
        shipped = load_truth(name)
        assert made.description == shipped.description
        np.testing.assert_allclose(made.weights, shipped.weights, atol=2e-6)
        np.testing.assert_allclose(made.noise_sd, shipped.noise_sd, atol=2e-6)
    assert correlation_rmse(human.correlation, people) < 0.06
    assert correlation_rmse(alien.correlation, people) > 0.15
    ends = [{(a, b) for a, b, _ in model.edges} for model in (human, alien)]
    assert ends[0] - ends[1] == set(ALIEN_MOVES)


# ---------------------------------------------------------------------------- recovery, autoencoder


def test_recovery_counts_what_searches_find_and_goes_through_json():
    model = alien_structure()
    truth, sizes = model.cpdag(), (50, 4000)
    samples = {seed: model.sample(4000, seed=seed) for seed in (0, 1)}
    figures = recovery_figures(truth, samples, sizes=sizes)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    runs = pd.DataFrame(figures["runs"])
    assert len(runs) == 2 * 2 * 2 and figures["seeds"] == [0, 1]
    recall = runs.groupby("n")["skeleton_recall"].mean()
    assert recall[50] < 0.8 and recall[4000] > 0.99
    perfect = (runs["skeleton_recall"] == 1) & (runs["skeleton_precision"] == 1)
    assert (runs["exact"] == perfect).all()
    guess = discover(samples[1].head(50), alpha=0.01, null_draws=0)
    row = runs.query("seed == 1 and n == 50 and method == 'pc'").iloc[0]
    assert row["arrows"] == len(guess.directed_edges)
    assert row["skeleton_precision"] == skeleton_precision(truth, guess)
    firm = pd.DataFrame(figures["firm"]["runs"])
    many = firm[firm["n"] == 4000]
    assert (many["arrows"] > 5).all() and (many["arrows"] == many["arrows_right"]).all()
    options = {"method": "pc", "alpha": 0.05, "n_resamples": 200, "null_draws": 0, "seed": 0}
    guess = bootstrap(samples[0].iloc[:50], **options).graph(threshold=0.8)
    row = firm.query("seed == 0 and n == 50 and alpha == 0.05").iloc[0]
    assert (row["edges"], row["arrows"]) == (guess.n_edges, len(guess.directed_edges))
    with pytest.raises(ValueError, match="seed 0 has 4000 roles, not 7000"):
        recovery_figures(truth, samples, sizes=(7000,))


def test_an_autoencoder_finds_the_sources_that_states_are_made_of(tmp_path):
    rng = np.random.default_rng(1)
    directions = np.linalg.qr(np.random.default_rng(0).standard_normal((12, 4)))[0].T
    present = rng.random((4000, 4)) < 0.15
    states = (present * rng.uniform(0.5, 2, present.shape)) @ directions + 3.0
    sae = train_sae(states, SAERecipe(features=8, l1=0.3, samples=500_000), 2, seed=0)
    rows = sae.W_dec.detach().numpy()
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.abs(rows @ directions.T).max(axis=0).min() > 0.99
    sae.save_model(str(tmp_path))
    again = load_sae(tmp_path)
    assert hook_layer(again) == 2
    assert describe_sae(again, states)["unexplained"] < 0.1
    short = SAERecipe(features=4, l1=0.1, samples=5000)
    a, b, c = (train_sae(states, short, 0, seed=seed).W_dec.detach() for seed in (3, 3, 4))
    assert torch.equal(a, b) and not torch.equal(a, c)
