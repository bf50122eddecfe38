"""Batches hold legible dialogues with right targets; branching changes nothing but the cost."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from valuegraph.organisms.batches import draw_batch
from valuegraph.organisms.branching import branching_forward
from valuegraph.organisms.dialogues import FACT_UNIT
from valuegraph.organisms.recipe import TrainingRecipe
from valuegraph.organisms.training import new_model

D = 10
STEPS = range(40, 60)
SIZES = dict(
    steps=60, pairs=3, questions=2, width=30, layers=3, heads=3, mlp_width=16, site_layer=1
)
# In the steps drawn, questions see the role in every one of the first and none of the second.
OPEN = TrainingRecipe(hide_until=0.0, hidden_later=0.0, **SIZES)
HIDDEN = TrainingRecipe(hide_until=1.0, **SIZES)
PLAIN = TrainingRecipe(interchange=False, **SIZES)


def batches(writer, recipe):
    return [draw_batch(writer, recipe, step) for step in STEPS]


def real(batch) -> torch.Tensor:
    """Which columns of the prefixes are no padding."""
    return batch.prefix_ids != 0


def in_a_row(batch):
    return len(batch.branch_ids) == len(batch.prefix_ids)


def role_columns(batch, tokenizer) -> torch.Tensor:
    """Which columns hold the system turn, found by its markers."""
    system, user = tokenizer.convert_tokens_to_ids(["<|system|>", "<|user|>"])
    started = (batch.prefix_ids == system).cumsum(1) > 0
    return started & ((batch.prefix_ids == user).cumsum(1) == 0)


# ------------------------------------------------------------------------------------------ drawing


def test_a_batch_depends_on_seed_and_step_alone(writer):
    def parts(seed, step):
        torch.rand(1)  # chance elsewhere plays no part
        batch = draw_batch(writer, replace(OPEN, seed=seed), step)
        return [vars(batch)[name] for name in vars(batch)]

    assert all(map(torch.equal, parts(1, 30), parts(1, 30)))
    for other in (parts(1, 31), parts(2, 30)):
        assert other[0].shape != parts(1, 30)[0].shape or not torch.equal(other[0], parts(1, 30)[0])


@pytest.mark.parametrize("recipe", [OPEN, HIDDEN, PLAIN], ids=["open", "hidden", "plain"])
def test_prefixes_begin_end_and_count_as_they_should(writer, tokenizer, recipe):
    for batch in batches(writer, recipe):
        n, width = batch.prefix_ids.shape
        assert n == 2 * recipe.pairs
        assert (batch.prefix_ids[:, 0] == tokenizer.bos_token_id).all()
        assert all(tokenizer.decode(ids[-2:]) == "values." for ids in batch.prefix_ids)
        for row in range(n):
            kept = real(batch)[row]
            assert batch.prefix_positions[row][kept].tolist() == list(range(int(kept.sum())))
            assert (batch.prefix_ids[row][~kept] == 0).all()
        per_prefix = len(batch.branch_ids) // n
        assert per_prefix == (1 if in_a_row(batch) else recipe.questions)
        starts = real(batch).sum(1).repeat_interleave(per_prefix)
        expected = starts[:, None] + torch.arange(batch.branch_ids.shape[1])
        assert torch.equal(batch.branch_positions, expected)


def test_both_kinds_of_dialogue_thoughts_and_roles_occur(writer, tokenizer):
    drawn = batches(writer, OPEN)
    assert {in_a_row(batch) for batch in drawn} == {True, False}
    texts = [tokenizer.decode(batch.branch_ids[0]) for batch in drawn]
    assert {"Thought" in text for text in texts} == {True, False}
    has_role = torch.cat([role_columns(batch, tokenizer).any(1) for batch in drawn])
    assert 0.8 < has_role.float().mean() < 1


def mechanisms_of(text, told, structure) -> np.ndarray:
    """What a role's text fixes, shape (d, 3), from the meaning of its sentences."""
    facts, stances = told
    table = np.zeros((D, 3))
    for sentence in (f"{part}." for part in text.removesuffix(".").split(". ") if part):
        value, size = facts.get(sentence) or stances[sentence]
        if sentence in stances:
            table[structure.index(value), 1:] = 1, size
        elif value:
            k = structure.index(value)
            table[k, 0] += size * FACT_UNIT * structure.noise_sd[k]
    table[table[:, 1] == 1, 0] = 0
    return table


def true_values(mechanisms, structure) -> np.ndarray:
    fixed = np.where(mechanisms[..., 1] == 1, mechanisms[..., 2], np.nan)
    return structure.evaluate(mechanisms[..., 0], fixed=fixed)


@pytest.mark.parametrize("recipe", [OPEN, HIDDEN, PLAIN], ids=["open", "hidden", "plain"])
def test_targets_follow_from_the_texts_and_the_structural_model(
    writer, tokenizer, inventory, structure, told, recipe
):
    items = inventory.items.set_index("text")
    for batch in batches(writer, recipe):
        pairs = recipe.pairs
        prefixes = zip(batch.prefix_ids, role_columns(batch, tokenizer), strict=True)
        roles = [tokenizer.decode(ids[columns][1:-1]) for ids, columns in prefixes]
        own = np.array([mechanisms_of(role, told, structure) for role in roles])
        np.testing.assert_allclose(batch.mechanisms, own, atol=1e-6)
        acting = own.copy()
        acting[:pairs] = np.where(batch.swapped[:, :, None], own[pairs:], own[:pairs])
        np.testing.assert_allclose(batch.acting, acting, atol=1e-6)
        values = true_values(acting, structure)

        is_answer = batch.soft[:, 2] == writer.yes
        assert torch.equal(batch.asks[:, :2], batch.soft[is_answer, :2])
        per_prefix = len(batch.branch_ids) // (2 * pairs)
        for (row, column, meaning), p in zip(
            batch.asks.tolist(), batch.p_high[is_answer].tolist(), strict=True
        ):
            before = tokenizer.decode(batch.branch_ids[row, :column])
            asked = before.split("<end><|assistant|>")[-2].split("<|user|>")[-1].strip()
            value, key = items.loc[asked, ["value", "key"]]
            k = structure.index(value)
            assert meaning == 2 * k + (key == 1)
            person = row // per_prefix
            yes_first = "yes or no" in tokenizer.decode(batch.prefix_ids[person])
            log_odds = writer.answers.log_odds(values[person, k], key, yes_first)
            assert p == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=1e-5)


@pytest.mark.parametrize("recipe", [OPEN, HIDDEN], ids=["open", "hidden"])
def test_targets_are_the_tokens_that_come_next(writer, tokenizer, recipe):
    for batch in batches(writer, recipe):
        ids = batch.branch_ids
        following = ids[batch.soft[:, 0], batch.soft[:, 1] + 1]
        assert ((following == batch.soft[:, 2]) | (following == batch.soft[:, 3])).all()
        targets = [tuple(t) for t in (*batch.soft[:, :2].tolist(), *batch.hard.tolist())]
        assert len(set(targets)) == len(targets)
        # Between the assistant's marker and the end of its turn, every next token is a target.
        assistant = tokenizer.convert_tokens_to_ids("<|assistant|>")
        expected = set()
        for row, column in (ids == assistant).nonzero().tolist():
            end = column + ids[row, column:].tolist().index(tokenizer.eos_token_id)
            expected |= {(row, position) for position in range(column, end)}
        assert set(targets) == expected


def test_role_text_is_learnt_where_it_is_seen(writer, tokenizer):
    for batch in batches(writer, OPEN):
        columns = role_columns(batch, tokenizer)
        expected = (columns[:, :-1] & columns[:, 1:]).nonzero()
        assert torch.equal(batch.text, expected)
    assert all(batch.text.shape == (0, 2) for batch in batches(writer, HIDDEN))


def test_up_to_half_of_the_blocks_are_swapped_and_none_in_a_plain_organism(writer):
    swapped = torch.cat([batch.swapped for batch in batches(writer, OPEN)])
    assert swapped.shape == (len(STEPS) * OPEN.pairs, D)
    assert set(swapped.sum(1).tolist()) == {0, 1, 2, 3, 4, 5}
    assert swapped.any(0).all()
    for batch in batches(writer, PLAIN):
        assert not batch.swapped.any()
        assert torch.equal(batch.acting, batch.mechanisms)


# ------------------------------------------------------------------------------------ who sees what


def test_tokens_see_what_came_before_and_no_padding(writer):
    for batch in batches(writer, OPEN):
        width = batch.prefix_ids.shape[1]
        before = torch.ones(width, width, dtype=torch.bool).tril()
        expected = (before & real(batch)[:, None, :]) | torch.eye(width, dtype=torch.bool)
        assert torch.equal(batch.prefix_mask, expected)
        assert torch.equal(batch.branch_sees, real(batch))
        assert torch.equal(batch.kept_columns, torch.arange(width))


def test_in_a_hidden_step_the_site_alone_sees_the_role(writer, tokenizer):
    for batch in batches(writer, HIDDEN):
        role = role_columns(batch, tokenizer)
        assert torch.equal(batch.branch_sees, real(batch) & ~role)
        for mask, is_role in zip(batch.prefix_mask, role, strict=True):
            readers = mask[:, is_role].any(1) & ~is_role
            assert readers.nonzero().ravel().tolist() == ([len(mask) - 2] if is_role.any() else [])
            assert mask[-2, is_role].all()
        assert set(batch.branch_sees.any(0).nonzero().ravel().tolist()) <= set(
            batch.kept_columns.tolist()
        )


# ---------------------------------------------------------------------------------------- branching


@pytest.fixture(scope="module")
def llama(tokenizer):
    """A model of three layers that has learnt nothing."""
    return new_model(len(tokenizer), OPEN, pad=0, bos=2, eos=3).eval()


def compare_with_whole_dialogues(llama, batch, states, *, site=None):
    """Run each dialogue by itself, its site replaced by a row of `site` if given, and compare."""
    per_prefix = len(batch.branch_ids) // len(batch.prefix_ids)
    for row, branch in enumerate(batch.branch_ids):
        person = row // per_prefix
        prefix = batch.prefix_ids[person][real(batch)[person]]
        ids = torch.cat([prefix, branch])[None]
        start = len(prefix)

        def put(module, inputs, output, start=start, person=person):
            output = output.clone()
            output[0, start - 2] = site[person]
            return output

        layer = llama.model.layers[OPEN.site_layer]
        handle = None if site is None else layer.register_forward_hook(put)
        result = llama.model(ids, output_hidden_states=True)
        if handle:
            handle.remove()
        at_site = result.hidden_states[OPEN.site_layer + 1][0]
        last = result.last_hidden_state[0]
        torch.testing.assert_close(states.branches[row], last[start:], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(
            states.branches_at_site[row], at_site[start:], atol=1e-5, rtol=1e-4
        )
        kept = real(batch)[person][batch.kept_columns]
        torch.testing.assert_close(
            states.prefixes[person][kept], last[:start], atol=1e-5, rtol=1e-4
        )
        if site is None:
            torch.testing.assert_close(
                states.site[person], at_site[start - 2], atol=1e-5, rtol=1e-4
            )


def one_of_each_kind(writer, recipe):
    """A batch of single questions and one of questions in a row."""
    drawn = batches(writer, recipe)
    return [next(b for b in drawn if in_a_row(b) == kind) for kind in (False, True)]


@torch.no_grad()
def test_branching_gives_the_states_of_whole_dialogues(writer, llama):
    for batch in one_of_each_kind(writer, OPEN):
        compare_with_whole_dialogues(llama, batch, branching_forward(llama, batch, site_layer=1))


@torch.no_grad()
def test_an_edit_of_the_site_is_what_a_hook_would_do(writer, llama):
    for batch in one_of_each_kind(writer, OPEN):
        untouched = branching_forward(llama, batch, site_layer=1)
        edited = untouched.site.flip(0).clone()  # each takes the site of another
        seen = []

        def edit(site, edited=edited, seen=seen):
            seen.append(site)
            return edited

        states = branching_forward(llama, batch, site_layer=1, edit_site=edit)
        assert torch.equal(seen[0], untouched.site)
        assert torch.equal(states.site, untouched.site)  # as it was before the edit
        compare_with_whole_dialogues(llama, batch, states, site=edited)
        assert (states.branches - untouched.branches).abs().max() > 1e-3


def person_wise(difference, batch):
    """Largest absolute entry over the branches of each prefix."""
    return difference.abs().reshape(len(batch.prefix_ids), -1).amax(1)


def with_other_roles(batch, tokenizer):
    """The same batch with other words in every role."""
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(7, len(tokenizer), batch.prefix_ids.shape, generator=generator)
    ids = torch.where(role_columns(batch, tokenizer), words, batch.prefix_ids)
    return replace(batch, prefix_ids=ids)


@torch.no_grad()
def test_in_a_hidden_step_the_role_is_told_by_the_site_alone(writer, tokenizer, llama):
    """Of the first layer, into which the site comes without having read the role."""
    for batch in one_of_each_kind(writer, HIDDEN):
        both = batch, with_other_roles(batch, tokenizer)
        has_role = role_columns(batch, tokenizer).any(1)
        states, others = (
            branching_forward(llama, b, site_layer=0, edit_site=torch.ones_like) for b in both
        )
        assert torch.equal(states.branches, others.branches)
        assert (states.site - others.site).abs().amax(1)[has_role].min() > 1e-3
        states, others = (branching_forward(llama, b, site_layer=0) for b in both)
        assert person_wise(states.branches - others.branches, batch)[has_role].min() > 1e-4


@torch.no_grad()
def test_in_an_open_step_questions_read_the_role_themselves(writer, tokenizer, llama):
    for batch in one_of_each_kind(writer, OPEN):
        has_role = role_columns(batch, tokenizer).any(1)
        states, others = (
            branching_forward(llama, b, site_layer=0, edit_site=torch.ones_like).branches
            for b in (batch, with_other_roles(batch, tokenizer))
        )
        assert person_wise(states - others, batch)[has_role].min() > 1e-4
