"""Training depends on its settings alone: repeated, interrupted or resumed, it ends the same."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from valuegraph.elicitation import elicit
from valuegraph.models import Respondent, load_model
from valuegraph.organisms import training
from valuegraph.organisms.answer_model import AnswerModel
from valuegraph.organisms.batches import draw_batch
from valuegraph.organisms.branching import branching_forward
from valuegraph.organisms.recipe import PLAIN_RECIPE, TrainingRecipe
from valuegraph.organisms.scm import StructuralModel
from valuegraph.organisms.training import CHECKPOINT, Trainer, new_model, train
from valuegraph.roles import Role

TINY = TrainingRecipe(
    steps=6, pairs=2, questions=2, width=30, layers=2, heads=3, mlp_width=16, site_layer=0, seed=5
)
PLAIN = replace(TINY, interchange=False)


@pytest.fixture
def trainer_of(structure, inventory, bank):
    """Make a fresh trainer."""

    def make(recipe=TINY, *, structure=structure, answers=None):
        return Trainer(structure, inventory, bank, recipe, answers)

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
    first = trainer_of(recipe)
    shares = [first.advance() for _ in range(recipe.steps)]
    torch.manual_seed(1)
    second = trainer_of(recipe)
    assert [second.advance() for _ in range(recipe.steps)] == shares
    assert same(state(first), state(second))


def test_another_seed_is_another_run(trainer_of):
    first, second = trainer_of(), trainer_of(replace(TINY, seed=6))
    assert not torch.equal(first.llama.lm_head.weight, second.llama.lm_head.weight)
    assert not torch.equal(first.code.directions, second.code.directions)


def test_training_leaves_the_chance_of_others_alone(trainer_of):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    trainer_of().advance()
    assert torch.equal(torch.rand(2), expected)


def test_a_step_moves_all_that_learns_at_the_rate_of_the_schedule(trainer_of):
    trainer = trainer_of()
    before = {name: tensor.clone() for name, tensor in state(trainer).items()}
    trainer.advance()
    still = {name for name, tensor in state(trainer).items() if torch.equal(tensor, before[name])}
    assert still == {"helpers.code.directions"}  # the code's directions are given, not learnt
    for step in range(1, 3):
        trainer.advance()
        rate = trainer.optimizer.param_groups[0]["lr"]
        assert rate == TINY.learning_rate_at(step / TINY.steps)
    assert trainer.step == 3


def test_a_new_model_has_the_sizes_of_its_recipe():
    config = new_model(17, TINY, pad=0, bos=2, eos=3).config
    assert (config.vocab_size, config.hidden_size, config.intermediate_size) == (17, 30, 16)
    assert (config.num_hidden_layers, config.num_attention_heads) == (2, 3)
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (0, 2, 3)
    wide = new_model(17, replace(TINY, width=300, initializer_range=0.3), pad=0, bos=2, eos=3)
    assert wide.model.layers[0].mlp.up_proj.weight.std().item() == pytest.approx(0.3, rel=0.1)


def test_training_learns_something(trainer_of):
    """A few steps suffice for the format: what follows an answer is the end of the turn."""
    recipe = replace(PLAIN, steps=60, learning_rate=1e-2)
    trainer = trainer_of(recipe)
    ids = trainer.tokenizer(
        "<bos><|user|>Answer yes or no according to your values. Would you pray?<end>"
        "<|assistant|>Answer: yes",
        add_special_tokens=False,
        return_tensors="pt",
    )["input_ids"]

    def p_end():
        with torch.no_grad():
            return trainer.llama(ids).logits[0, -1].softmax(-1)[trainer.tokenizer.eos_token_id]

    before = p_end()
    for _ in range(recipe.steps):
        trainer.advance()
    assert before < 0.05
    assert p_end() > 0.3


def test_figures_are_the_running_share_of_what_is_left_unexplained(trainer_of):
    trainer = trainer_of(PLAIN)
    batch = draw_batch(trainer.writer, PLAIN, 0)
    with torch.no_grad():
        states = branching_forward(trainer.llama, batch, site_layer=PLAIN.site_layer)
        log_q = trainer.llama.lm_head(states.branches).double().log_softmax(-1).numpy()
    unexplained, coin = {"swapped": 0.0, "plain": 0.0}, {"swapped": 0.0, "plain": 0.0}
    for (row, column, high, low), p in zip(batch.soft.tolist(), batch.p_high.tolist(), strict=True):
        half = "swapped" if row < len(batch.branch_ids) / 2 else "plain"
        told = p * log_q[row, column, high] + (1 - p) * log_q[row, column, low]
        best = p * math.log(p) + (1 - p) * math.log(1 - p)
        unexplained[half] += best - told
        coin[half] += best + math.log(2)
    figures = trainer.advance()
    for half, share in figures.items():
        assert share == pytest.approx(0.95 + 0.05 * unexplained[half] / coin[half], rel=1e-4)


def test_later_layers_get_the_code_first_and_swapped_blocks_afterwards(trainer_of, monkeypatch):
    edits = []

    def spying_forward(llama, batch, *, site_layer, edit_site):
        def spy(site):
            edits.append((site.detach().clone(), batch, edit_site(site).detach().clone()))
            return edit_site(site)

        return branching_forward(llama, batch, site_layer=site_layer, edit_site=spy)

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


@pytest.mark.parametrize("last", [3, 4, 5])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(trainer_of, tmp_path, last):
    def stop(step, unexplained):
        if step == last:
            raise Interrupted

    straight, halting = tmp_path / "a" / "straight", tmp_path / "halting"
    whole = trainer_of()
    train(whole, straight, checkpoint_every=2)
    with pytest.raises(Interrupted):
        train(trainer_of(), halting, checkpoint_every=2, report=stop)
    assert set(files(halting)) == {"checkpoint.pt"}
    steps = []
    resumed = trainer_of()
    train(resumed, halting, checkpoint_every=2, report=lambda step, _: steps.append(step))
    done = (last - 1) // 2 * 2  # steps up to the last checkpoint need not be taken again
    assert steps == list(range(done + 1, TINY.steps + 1))
    assert same(state(resumed), state(whole))
    assert resumed.unexplained == whole.unexplained
    # The checkpoint is compared by what it holds, above: its bytes also tell what was loaded.
    written = [{k: v for k, v in files(f).items() if k != CHECKPOINT} for f in (halting, straight)]
    assert written[0] == written[1] and "model.safetensors" in written[0]


def test_every_step_is_reported_with_its_figures(trainer_of, tmp_path):
    told = []
    train(trainer_of(), tmp_path, report=lambda *figures: told.append(figures))
    trainer = trainer_of()
    assert told == [(i + 1, trainer.advance()) for i in range(TINY.steps)]


def test_a_checkpoint_of_other_settings_is_refused_by_name(trainer_of, structure, tmp_path):
    path = tmp_path / "checkpoint.pt"
    trainer_of().save_checkpoint(path)
    assert set(files(tmp_path)) == {"checkpoint.pt"}
    weaker = StructuralModel.from_edges([(*e, w / 2) for *e, w in structure.edges])
    others = {
        r"\(recipe\)": trainer_of(replace(TINY, seed=6)),
        r"\(answers\)": trainer_of(answers=AnswerModel(gain=2.0)),
        r"\(edges, noise_sd\)": trainer_of(structure=weaker),
    }
    for names, trainer in others.items():
        with pytest.raises(ValueError, match=f"was written with other settings {names}"):
            trainer.load_checkpoint(path)
        with pytest.raises(ValueError, match="choose an empty output folder"):
            train(trainer, tmp_path)


def test_the_saved_folder_is_a_respondent(trainer_of, few_items, tmp_path):
    trainer = trainer_of()
    train(trainer, tmp_path)
    roles = [None, Role("singer", "You sing.")]
    answers = elicit(load_model(tmp_path, device="cpu"), few_items, roles)
    respondent = Respondent(str(tmp_path), trainer.llama.eval(), trainer.tokenizer)
    assert answers.equals(elicit(respondent, few_items, roles))


# ------------------------------------------------------------------------------------------ recipes


@pytest.mark.parametrize("name", ["steps", "pairs", "questions", "width", "layers", "heads"])
def test_sizes_are_at_least_one(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        TrainingRecipe(**{name: 0})


@pytest.mark.parametrize("site_layer", [-1, 3, 4])
def test_the_site_needs_a_later_layer_that_reads_it(site_layer):
    with pytest.raises(ValueError, match=rf"site_layer must lie in 0 \.\.\. 2.*got {site_layer}"):
        TrainingRecipe(layers=4, site_layer=site_layer)


def test_a_width_without_room_for_the_code_is_refused(trainer_of):
    with pytest.raises(ValueError, match="a width of 28 .* at least 30"):
        trainer_of(replace(TINY, width=28, heads=2))


def test_the_rate_rises_linearly_and_falls_as_a_cosine():
    recipe = TrainingRecipe(learning_rate=2e-3)
    rate = recipe.learning_rate_at
    assert rate(0) == pytest.approx(0.04 * 2e-3)
    assert rate(0.025) == pytest.approx(0.52 * 2e-3)
    assert rate(0.05) == pytest.approx(2e-3)
    assert rate(0.05 - 1e-9) == pytest.approx(2e-3)
    assert rate(0.525) == pytest.approx(1e-3)
    assert rate(1) == pytest.approx(2e-7)


def test_a_plain_organism_is_given_more_facts_step_by_step_and_nothing_hidden():
    facts = [PLAIN_RECIPE.max_facts(x) for x in (0, 0.0799, 0.08, 0.1399, 0.14, 0.22, 1)]
    assert facts == [1, 1, 2, 2, 4, 10, 10]
    assert [PLAIN_RECIPE.p_stance(x) for x in (0, 0.13, 0.15, 1)] == [0, 0, 0.3, 0.3]
    assert [PLAIN_RECIPE.p_hidden(x) for x in (0, 0.5, 1)] == [0, 0, 0]


def test_an_interchange_organism_sees_everything_and_is_slowly_let_off_the_mask():
    recipe = TrainingRecipe(hide_until=0.6, hidden_later=0.3)
    assert [recipe.max_facts(x) for x in (0, 1)] == [10, 10]
    assert [recipe.p_stance(x) for x in (0, 1)] == [0.3, 0.3]
    assert [recipe.p_hidden(x) for x in (0, 0.5999)] == [1, 1]
    assert recipe.p_hidden(0.6) == 1
    assert recipe.p_hidden(0.7) == pytest.approx(0.5)
    assert [recipe.p_hidden(x) for x in (0.75, 1)] == [0.3, 0.3]
