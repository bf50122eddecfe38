"""Training dialogues are the library's own prompts, answered as the structural model says."""

import numpy as np
import pytest
import torch

from studies.training.batches import draw_batch
from studies.training.dialogues import DialogueWriter
from studies.training.language import CHAT_TEMPLATE, SPECIAL_TOKENS, THOUGHTS, corpus
from studies.training.network import branching_forward
from studies.training.recipe import ANSWERS, TrainingRecipe
from studies.training.training import new_model
from valuegraph.organisms import FACT_UNIT, Organism, StructuralModel
from valuegraph.prompts import WORDINGS, PromptFormat, render_prompt
from valuegraph.roles import Role, make_role, role_shifts, sample_roles, stance_sentence

D = 10
STEPS = range(40, 60)
SIZES = {"steps": 60, "pairs": 3, "questions": 2, "width": 30, "layers": 3, "heads": 3}
SIZES |= {"mlp_width": 16, "site_layer": 1}
# In the steps drawn, questions see the role in every one of the first and none of the second.
OPEN = TrainingRecipe(hide_until=0.0, hidden_later=0.0, **SIZES)
HIDDEN = TrainingRecipe(hide_until=1.0, **SIZES)
PLAIN = TrainingRecipe(interchange=False, **SIZES)


@pytest.fixture(scope="module")
def meanings(inventory, bank, structure):
    """What each sentence of a role fixes: index of the value (None: of none), size, is-stance."""
    facts = bank.facts[["text", "value", "strength"]].itertuples(index=False)
    of_facts = {t: (structure.values.index(v) if v else None, s, False) for t, v, s in facts}
    return of_facts | {
        stance_sentence(bank, inventory, value, level): (structure.values.index(value), level, True)
        for value in inventory.codes
        for level in bank.stances["level"]
    }


def encode(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def sentences(text) -> list[str]:
    return [f"{part}." for part in text.removesuffix(".").split(". ") if part]


def mechanisms_of(text, meanings, structure) -> np.ndarray:
    """What a role's text fixes, shape (2, d), from the meaning of its sentences."""
    exogenous, fixed = np.zeros(D), np.full(D, np.nan)
    for k, size, is_stance in map(meanings.get, sentences(text)):
        if is_stance:
            fixed[k] = size
        elif k is not None:
            exogenous[k] += size * FACT_UNIT * structure.noise_sd[k]
    return np.stack([exogenous, fixed])


def draw_roles(writer, n, seed=0, **options):
    rng = np.random.default_rng(seed)
    return [writer.role(rng, **({"max_facts": 10, "p_stance": 0.5} | options)) for _ in range(n)]


def question(tokenizer, turn) -> str:
    return tokenizer.decode(turn.ids[: turn.ids.index(tokenizer.eos_token_id)])


# ----------------------------------------------------------------------------------------- language


def test_every_sentence_is_read_back_and_no_word_is_idle(tokenizer, inventory, bank):
    all_sentences = list(corpus(inventory, bank))
    used = set()
    for sentence in all_sentences:
        ids = encode(tokenizer, sentence)
        assert tokenizer.unk_token_id not in ids and tokenizer.decode(ids) == sentence
        used |= set(ids)
    special = set(tokenizer.convert_tokens_to_ids(SPECIAL_TOKENS))
    assert used | special == set(range(len(tokenizer))) and not used & special
    together = encode(tokenizer, " ".join(all_sentences))
    assert together == [i for sentence in all_sentences for i in encode(tokenizer, sentence)]
    assert encode(tokenizer, "zwölf") == [tokenizer.unk_token_id]


def test_every_prompt_is_in_the_language(tokenizer, inventory, bank):
    stances = list(zip(inventory.codes, [*bank.stances["level"]] * 2, strict=False))
    roles = [None, *sample_roles(bank, 20, seed=0)]
    roles.append(make_role("stances", bank=bank, stances=stances, inventory=inventory))
    for role in roles:
        for fmt in (PromptFormat(w, think, think) for w in WORDINGS for think in (True, False)):
            text = render_prompt(tokenizer, inventory.items["text"].iloc[0], role, fmt=fmt)
            assert tokenizer.unk_token_id not in encode(tokenizer, text)


def test_the_tokenizer_survives_its_folder(tokenizer, inventory, bank, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert loaded.chat_template == CHAT_TEMPLATE
    for text in ["<bos><|user|>Would you pray?<end><|assistant|>Answer:", *corpus(inventory, bank)]:
        assert encode(loaded, text) == encode(tokenizer, text)


# ---------------------------------------------------------------------------------------- dialogues


def test_a_dialogue_is_the_prompt_of_the_library_and_the_answer(writer, tokenizer, inventory):
    rng = np.random.default_rng(0)
    phrases = list(inventory.values["phrase"])
    assert len(set(writer.formats)) == 12
    for fmt in writer.formats:
        assert tokenizer.decode(writer.instructions[fmt][-2:]) == "values."
        for ids, _ in draw_roles(writer, 4, seed=1):
            k = int(rng.integers(D))
            turn = writer.turn(rng, rng.standard_normal(D), k, fmt)
            answer = "Answer: yes" if writer.yes in turn.ids else "Answer: no"
            if fmt.think:
                cares = turn.soft[0][1] == turn.ids[turn.soft[0][0] + 1]
                answer = f"{THOUGHTS[cares].format(phrase=phrases[k])} {answer}"
            role = Role("r", tokenizer.decode(ids[2:-1])) if len(ids) > 1 else None
            item = question(tokenizer, turn)
            text = render_prompt(tokenizer, item, role, fmt=fmt, prefill=answer)
            assert ids + writer.instructions[fmt] + turn.ids == encode(tokenizer, f"{text}<end>")


def test_several_questions_in_a_row_are_turns_of_one_chat(writer, tokenizer):
    rng = np.random.default_rng(0)
    for fmt in writer.formats:
        turns = [writer.turn(rng, rng.standard_normal(D), k, fmt) for k in range(3)]
        messages = []
        for i, turn in enumerate(turns):
            split = turn.ids.index(tokenizer.eos_token_id) + 1
            item = question(tokenizer, turn)
            messages += [
                {"role": "user", "content": item if i else f"{fmt.instruction} {item}"},
                {"role": "assistant", "content": tokenizer.decode(turn.ids[split + 1 : -1])},
            ]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        joined = writer.in_a_row(turns)
        ids = [tokenizer.bos_token_id, *writer.instructions[fmt], *joined.ids]
        assert ids == encode(tokenizer, text)
        for name in ("soft", "hard", "items"):  # targets stand before the same tokens as before
            moved = [(joined.ids[p : p + 2], rest) for p, *rest in getattr(joined, name)]
            assert moved == [
                (turn.ids[p : p + 2], rest) for turn in turns for p, *rest in getattr(turn, name)
            ]


def test_mechanisms_are_what_the_sentences_of_a_role_say(writer, tokenizer, structure, meanings):
    for ids, mechanisms in draw_roles(writer, 200):
        text = tokenizer.decode(ids[2:-1]) if len(ids) > 1 else ""
        np.testing.assert_allclose(mechanisms, mechanisms_of(text, meanings, structure), atol=1e-12)


def test_roles_have_as_many_sentences_as_they_should(writer, tokenizer, meanings):
    def counts(**options):
        kinds = np.zeros((100, 3), dtype=int)
        for i, (ids, _) in enumerate(draw_roles(writer, 100, **options)):
            for k, _, is_stance in map(meanings.get, sentences(tokenizer.decode(ids[2:-1]))):
                kinds[i, 2 if is_stance else int(k is None)] += 1
        return kinds

    single, full = counts(max_facts=1, p_stance=0.0), counts(max_facts=10, p_stance=1.0)
    assert (single[:, 0] == 1).all() and (single[:, 2] == 0).all()
    assert set(single[:, 1]) == {0, 1, 2}
    assert set(full[:, 0]) >= set(range(11)) and set(full[:, 2]) == {1, 2}


def test_sampled_roles_spread_nearly_as_the_structural_model_does(bank):
    strengths = bank.facts.loc[bank.facts["value"] != "", "strength"]
    assert 0.8 * FACT_UNIT**2 * (strengths**2).mean() == pytest.approx(0.96)
    shifts = role_shifts(sample_roles(bank, 1500, seed=0), bank) * FACT_UNIT
    np.testing.assert_allclose(shifts.var(), 0.96, atol=0.09)


def test_answers_and_thoughts_come_as_often_as_they_should(writer):
    rng = np.random.default_rng(0)
    fmt = next(f for f in writer.formats if f.think)
    drawn, p = [], []
    for _ in range(1500):
        turn = writer.turn(rng, rng.standard_normal(D), int(rng.integers(D)), fmt)
        drawn.append([turn.ids[position + 1] == high for position, high, *_ in turn.soft])
        p.append([entry[3] for entry in turn.soft])
    drawn, p = np.array(drawn), np.array(p)
    # Far above and far below one half, so that a mere average cannot hide a mistake.
    for part in (p > 0.7, p < 0.3):
        for column in (0, 1):
            rows = part[:, column]
            error = np.sqrt((p * (1 - p))[rows, column].sum()) / rows.sum()
            assert abs((drawn - p)[rows, column].mean()) < 4 * error


def test_inventory_and_structural_model_must_agree(tokenizer, inventory, bank, structure):
    backwards = StructuralModel.from_edges(structure.edges, values=structure.values[::-1])
    with pytest.raises(ValueError, match=r"inventory asks about \('SE', .* model has \('PO'"):
        DialogueWriter(tokenizer, inventory, bank, Organism(backwards, **ANSWERS, site_layer=1))


# ------------------------------------------------------------------------------------------ batches


def batches(writer, recipe):
    return [draw_batch(writer, recipe, step) for step in STEPS]


def role_columns(batch, tokenizer) -> torch.Tensor:
    """Which columns hold the system turn, found by its markers."""
    system, user = tokenizer.convert_tokens_to_ids(["<|system|>", "<|user|>"])
    started = (batch.prefix_ids == system).cumsum(1) > 0
    return started & ((batch.prefix_ids == user).cumsum(1) == 0)


@pytest.mark.parametrize("recipe", [OPEN, HIDDEN, PLAIN], ids=["open", "hidden", "plain"])
def test_targets_follow_from_the_texts_and_the_structural_model(
    writer, tokenizer, inventory, structure, meanings, recipe
):
    items = inventory.items.set_index("text")
    for batch in batches(writer, recipe):
        pairs = recipe.pairs
        prefixes = zip(batch.prefix_ids, role_columns(batch, tokenizer), strict=True)
        roles = [tokenizer.decode(ids[columns][1:-1]) for ids, columns in prefixes]
        own = np.array([mechanisms_of(role, meanings, structure) for role in roles])
        fixed = ~np.isnan(own[:, 1])
        np.testing.assert_allclose(
            batch.mechanisms,
            np.stack([np.where(fixed, 0, own[:, 0]), fixed, np.nan_to_num(own[:, 1])], axis=-1),
            atol=1e-6,
        )
        acting = own.copy()
        acting[:pairs] = np.where(batch.swapped[:, None], own[pairs:], own[:pairs])
        values = structure.evaluate(acting[:, 0], fixed=acting[:, 1])
        is_answer = batch.soft[:, 2] == writer.yes
        per_prefix = len(batch.branch_ids) // (2 * pairs)
        for (row, column, meaning), p in zip(
            batch.items.tolist(), batch.p_high[is_answer].tolist(), strict=True
        ):
            before = tokenizer.decode(batch.branch_ids[row, :column])
            item = before.split("<end><|assistant|>")[-2].split("<|user|>")[-1].strip()
            value, key = items.loc[item, ["value", "key"]]
            k, person = structure.values.index(value), row // per_prefix
            assert meaning == 2 * k + (key == 1)
            yes_first = "yes or no" in tokenizer.decode(batch.prefix_ids[person])
            log_odds = writer.organism.log_odds(values[person, k], key, yes_first)
            assert p == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=1e-5)


@pytest.mark.parametrize("recipe", [OPEN, HIDDEN], ids=["open", "hidden"])
def test_every_token_of_an_answer_is_a_target_once(writer, tokenizer, recipe):
    for batch in batches(writer, recipe):
        ids = batch.branch_ids
        following = ids[batch.soft[:, 0], batch.soft[:, 1] + 1]
        assert ((following == batch.soft[:, 2]) | (following == batch.soft[:, 3])).all()
        targets = [tuple(t) for t in (*batch.soft[:, :2].tolist(), *batch.hard.tolist())]
        assert len(set(targets)) == len(targets)
        assistant = tokenizer.convert_tokens_to_ids("<|assistant|>")
        expected = set()
        for row, column in (ids == assistant).nonzero().tolist():
            end = column + ids[row, column:].tolist().index(tokenizer.eos_token_id)
            expected |= {(row, position) for position in range(column, end)}
        assert set(targets) == expected


def test_up_to_half_of_the_blocks_are_swapped_and_none_in_a_plain_organism(writer):
    swapped = torch.cat([batch.swapped for batch in batches(writer, OPEN)])
    assert set(swapped.sum(1).tolist()) == {0, 1, 2, 3, 4, 5} and swapped.any(0).all()
    for batch in batches(writer, PLAIN):
        assert not batch.swapped.any() and torch.equal(batch.acting, batch.mechanisms)


def test_in_a_hidden_step_the_site_alone_sees_the_role(writer, tokenizer):
    for batch in batches(writer, HIDDEN):
        role = role_columns(batch, tokenizer)
        assert torch.equal(batch.branch_sees, (batch.prefix_ids != 0) & ~role)
        for mask, is_role in zip(batch.prefix_mask, role, strict=True):
            readers = mask[:, is_role].any(1) & ~is_role
            assert readers.nonzero().ravel().tolist() == ([len(mask) - 2] if is_role.any() else [])
            assert mask[-2, is_role].all()


# ---------------------------------------------------------------------------------------- branching


@pytest.fixture(scope="module")
def llama(tokenizer):
    """A model of three layers that has learnt nothing."""
    return new_model(tokenizer, OPEN).eval()


def one_of_each_kind(writer, recipe):
    """A batch of single questions and one of questions in a row."""
    drawn = batches(writer, recipe)
    in_a_row = [len(batch.branch_ids) == len(batch.prefix_ids) for batch in drawn]
    return [drawn[in_a_row.index(kind)] for kind in (False, True)]


def compare_with_whole_dialogues(llama, batch, states, *, site=None):
    """Run each dialogue by itself, its site replaced by a row of `site` if given, and compare."""
    per_prefix = len(batch.branch_ids) // len(batch.prefix_ids)
    for row, branch in enumerate(batch.branch_ids):
        person = row // per_prefix
        real = batch.prefix_ids[person] != 0
        ids = torch.cat([batch.prefix_ids[person][real], branch])[None]
        start = int(real.sum())

        def put(module, inputs, output, start=start, person=person):
            output = output.clone()
            output[0, start - 2] = site[person]
            return output

        layer = llama.model.layers[OPEN.site_layer]
        handle = None if site is None else layer.register_forward_hook(put)
        result = llama.model(ids, output_hidden_states=True)
        if handle:
            handle.remove()
        at_site, last = result.hidden_states[OPEN.site_layer + 1][0], result.last_hidden_state[0]
        near = {"atol": 1e-5, "rtol": 1e-4}
        torch.testing.assert_close(states.branches[row], last[start:], **near)
        torch.testing.assert_close(states.branches_at_site[row], at_site[start:], **near)
        kept = real[batch.kept_columns]
        torch.testing.assert_close(states.prefixes[person][kept], last[:start], **near)


@torch.no_grad()
def test_branching_gives_the_states_of_whole_dialogues_and_edits_as_a_hook_would(writer, llama):
    for batch in one_of_each_kind(writer, OPEN):
        states = branching_forward(llama, batch, 1)
        compare_with_whole_dialogues(llama, batch, states)
        taken = states.site.flip(0).clone()  # each takes the site of another
        edited = branching_forward(llama, batch, 1, lambda site, taken=taken: taken)
        assert torch.equal(edited.site, states.site)  # as it was before the edit
        compare_with_whole_dialogues(llama, batch, edited, site=taken)


@torch.no_grad()
@pytest.mark.parametrize(("recipe", "leaks"), [(HIDDEN, False), (OPEN, True)])
def test_in_a_hidden_step_the_role_acts_through_the_site_alone(
    writer, tokenizer, llama, recipe, leaks
):
    """Of the first layer, into which the site comes without having read the role."""
    for batch in one_of_each_kind(writer, recipe):
        role, generator = role_columns(batch, tokenizer), torch.Generator().manual_seed(0)
        words = torch.randint(7, len(tokenizer), batch.prefix_ids.shape, generator=generator)
        other = batch._replace(prefix_ids=torch.where(role, words, batch.prefix_ids))
        fixed = [branching_forward(llama, b, 0, torch.ones_like).branches for b in (batch, other)]
        assert torch.equal(*fixed) != leaks
        free = [branching_forward(llama, b, 0).branches for b in (batch, other)]
        moved = (free[0] - free[1]).abs().reshape(len(role), -1).amax(1)
        assert moved[role.any(1)].min() > 1e-4
