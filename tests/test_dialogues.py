"""Training dialogues are the library's own prompts, answered as the structural model says."""

import numpy as np
import pytest

from valuegraph.asking.prompts import render_prompt
from valuegraph.organisms.answer_model import AnswerModel
from valuegraph.organisms.dialogues import FACT_UNIT, DialogueWriter, Mechanisms, RoleTokens
from valuegraph.organisms.language import THOUGHTS
from valuegraph.organisms.scm import StructuralModel
from valuegraph.roles import Role, role_shifts, sample_roles

D = 10


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sentences(tokenizer, ids) -> list[str]:
    """Sentences of a role's tokens, between the system marker and the end of the turn."""
    text = tokenizer.decode(ids[2:-1])
    return [f"{sentence}." for sentence in text.removesuffix(".").split(". ") if sentence]


def draw_roles(writer, n, seed=0, **options) -> list[RoleTokens]:
    rng = np.random.default_rng(seed)
    return [writer.role(rng, **({"max_facts": 10, "p_stance": 0.5} | options)) for _ in range(n)]


def question(tokenizer, turn) -> str:
    return tokenizer.decode(turn.ids[: turn.ids.index(tokenizer.eos_token_id)])


# ---------------------------------------------------------------------------------- text and tokens


def test_a_dialogue_is_what_the_library_would_ask_and_the_answer(writer, tokenizer, inventory):
    rng = np.random.default_rng(0)
    phrases = list(inventory.values["phrase"])
    for fmt in writer.formats:
        for role in draw_roles(writer, 4, seed=1):
            k = int(rng.integers(D))
            turn = writer.turn(rng, rng.standard_normal(D), k, fmt)
            answer = "Answer: yes" if writer.yes in turn.ids else "Answer: no"
            if fmt.think:
                cares = turn.soft[0][1] == turn.ids[turn.soft[0][0] + 1]
                answer = f"{THOUGHTS[cares].format(phrase=phrases[k])} {answer}"
            told = Role("told", tokenizer.decode(role.ids[2:-1])) if len(role.ids) > 1 else None
            text = render_prompt(
                tokenizer, question(tokenizer, turn), told, fmt=fmt, prefill=answer
            )
            expected = tokenizer(f"{text}<end>", add_special_tokens=False)["input_ids"]
            assert role.ids + writer.instruction(fmt) + turn.ids == expected


def test_several_questions_in_a_row_are_turns_of_one_chat(writer, tokenizer):
    rng = np.random.default_rng(0)
    for fmt in writer.formats:
        turns = [writer.turn(rng, rng.standard_normal(D), k, fmt) for k in range(3)]
        messages = []
        for i, turn in enumerate(turns):
            split = turn.ids.index(tokenizer.eos_token_id) + 1
            asked = question(tokenizer, turn)
            messages += [
                {"role": "user", "content": asked if i else f"{fmt.instruction} {asked}"},
                {"role": "assistant", "content": tokenizer.decode(turn.ids[split + 1 : -1])},
            ]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        expected = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids = [tokenizer.bos_token_id, *writer.instruction(fmt), *writer.in_a_row(turns).ids]
        assert ids == expected


def test_turns_in_a_row_keep_their_targets(writer):
    rng = np.random.default_rng(0)
    for fmt in writer.formats:
        turns = [writer.turn(rng, rng.standard_normal(D), k, fmt) for k in range(3)]
        joined = writer.in_a_row(turns)

        def targets(turn):
            """What stands at each target and after it, in place of where."""
            ids = turn.ids
            return (
                [(ids[p : p + 2], rest) for p, *rest in turn.soft],
                [ids[p : p + 2] for p in turn.hard],
                [(ids[p : p + 2], meaning) for p, meaning in turn.asks],
            )

        separate = [sum(parts, []) for parts in zip(*map(targets, turns), strict=True)]
        assert list(targets(joined)) == separate
    assert writer.in_a_row(turns[:1]) == turns[0]


def test_the_token_before_the_last_of_an_instruction_is_the_site(writer, tokenizer):
    for fmt in writer.formats:
        assert tokenizer.decode(writer.instruction(fmt)[-2:]) == "values."


def test_all_wordings_orders_and_thoughts_are_written(writer):
    assert len(set(writer.formats)) == len(writer.formats) == 12


# -------------------------------------------------------------------------------------------- roles


def test_mechanisms_are_what_the_sentences_of_a_role_say(writer, tokenizer, structure, told):
    facts, stances = told
    doubled = 0
    for role in draw_roles(writer, 200):
        exogenous, fixed = np.zeros(D), np.full(D, np.nan)
        topics = []
        for sentence in sentences(tokenizer, role.ids):
            value, size = facts.get(sentence) or stances[sentence]
            if sentence in stances:
                fixed[structure.index(value)] = size
            elif value:
                k = structure.index(value)
                exogenous[k] += size * FACT_UNIT * structure.noise_sd[k]
                topics.append(value)
        doubled += len(topics) - len(set(topics))
        np.testing.assert_allclose(role.mechanisms.exogenous, exogenous, atol=1e-12)
        np.testing.assert_array_equal(role.mechanisms.fixed, fixed)
    assert doubled > 0  # two facts on one value occur, and add up


def test_roles_are_as_full_as_told(writer, tokenizer, told):
    facts, stances = told

    def counts(**options):
        kinds = np.zeros((100, 3), dtype=int)
        for i, role in enumerate(draw_roles(writer, 100, **options)):
            for sentence in sentences(tokenizer, role.ids):
                kinds[i, 2 if sentence in stances else 0 if facts[sentence][0] else 1] += 1
        return kinds

    single = counts(max_facts=1, p_stance=0.0)
    assert (single[:, 0] == 1).all()
    assert set(single[:, 1]) == {0, 1, 2}
    assert (single[:, 2] == 0).all()
    full = counts(max_facts=10, p_stance=1.0)
    assert set(full[:, 0]) >= set(range(11))
    assert set(full[:, 2]) == {1, 2}


def test_a_role_without_sentences_has_no_system_turn(writer, tokenizer):
    roles = draw_roles(writer, 200, max_facts=3, p_stance=0.0)
    shortest = min(len(role.ids) for role in roles)
    bare = [role.ids for role in roles if len(role.ids) == shortest]
    assert all(ids == [tokenizer.bos_token_id] for ids in bare)


def test_sampled_roles_spread_nearly_as_the_structural_model_does(bank, structure):
    strengths = bank.facts.loc[bank.facts["value"] != "", "strength"]
    assert 0.8 * FACT_UNIT**2 * (strengths**2).mean() == pytest.approx(0.96)
    shifts = role_shifts(sample_roles(bank, 4000, seed=0), bank) * FACT_UNIT
    np.testing.assert_allclose(shifts.var(), 0.96, atol=0.06)


def test_mechanisms_are_taken_for_the_named_values_only():
    rng = np.random.default_rng(0)
    base, source = (Mechanisms(*rng.standard_normal((2, D))) for _ in range(2))
    base.fixed[:5], source.fixed[::2] = np.nan, np.nan
    swapped = rng.random(D) < 0.5
    mixed = base.take_from(source, swapped)
    for part in ("exogenous", "fixed"):
        np.testing.assert_array_equal(getattr(mixed, part)[swapped], getattr(source, part)[swapped])
        np.testing.assert_array_equal(getattr(mixed, part)[~swapped], getattr(base, part)[~swapped])


# ------------------------------------------------------------------------------------------ answers


def test_log_odds_of_yes_are_gain_key_value_and_two_biases():
    answers = AnswerModel(gain=2.0, yes_bias=0.3, order_bias=0.1)
    assert answers.log_odds(1.5, 1, True) == pytest.approx(2 * 1.5 + 0.3 - 0.1)
    assert answers.log_odds(1.5, -1, True) == pytest.approx(-2 * 1.5 + 0.3 - 0.1)
    assert answers.log_odds(0.0, -1, False) == pytest.approx(0.3 + 0.1)
    values = np.array([1.0, -2.0])
    np.testing.assert_allclose(
        answers.log_odds(values, np.array([1, -1]), np.array([True, False])), [2.2, 4.4]
    )


def test_a_turn_is_answered_with_the_probability_of_the_answer_model(writer, tokenizer, inventory):
    rng = np.random.default_rng(0)
    items = inventory.items.set_index("text")
    for fmt in writer.formats:
        for k in range(D):
            values = rng.standard_normal(D)
            turn = writer.turn(rng, values, k, fmt)
            item = items.loc[question(tokenizer, turn)]
            assert item["value"] == inventory.codes[k]
            position, high, low, p = turn.soft[-1]
            assert (high, low) == (writer.yes, writer.no)
            expected = sigmoid(writer.answers.log_odds(values[k], item["key"], fmt.yes_first))
            assert p == pytest.approx(expected)
            assert turn.asks == [(position, 2 * k + (item["key"] == 1))]
            if fmt.think:
                assert turn.soft[0][3] == pytest.approx(sigmoid(writer.answers.gain * values[k]))


def test_every_token_of_an_answer_is_a_target_once(writer, tokenizer):
    rng = np.random.default_rng(0)
    assistant = tokenizer.convert_tokens_to_ids("<|assistant|>")
    for fmt in writer.formats:
        turn = writer.turn(rng, np.zeros(D), 3, fmt)
        soft = [position for position, *_ in turn.soft]
        assert len(soft) == 1 + fmt.think
        targets = sorted(soft + turn.hard)
        assert targets == list(range(turn.ids.index(assistant), len(turn.ids) - 1))
        for position, high, low, _ in turn.soft:
            assert turn.ids[position + 1] in (high, low)


def test_answers_and_thoughts_come_as_often_as_they_should(writer):
    rng = np.random.default_rng(0)
    fmt = next(f for f in writer.formats if f.think)
    given, p = [], []
    for _ in range(1500):
        turn = writer.turn(rng, rng.standard_normal(D), int(rng.integers(D)), fmt)
        given.append([turn.ids[position + 1] == high for position, high, *_ in turn.soft])
        p.append([entry[3] for entry in turn.soft])
    given, p = np.array(given), np.array(p)
    # Far above and far below one half, so that a mere average cannot hide a mistake.
    for part in (p > 0.7, p < 0.3):
        for column in (0, 1):
            rows = part[:, column]
            error = np.sqrt((p * (1 - p))[rows, column].sum()) / rows.sum()
            assert abs((given - p)[rows, column].mean()) < 4 * error


# ------------------------------------------------------------------------------------------- values


def test_a_stance_is_an_intervention_whatever_the_facts_say(writer, structure):
    zero = np.zeros(D)
    for value, level in (("TR", -2.0), ("SE", 1.2), ("PO", 0.5)):
        fixed = np.full(D, np.nan)
        fixed[structure.index(value)] = level
        np.testing.assert_allclose(
            writer.values([Mechanisms(zero, fixed)])[0], structure.do({value: level}), atol=1e-12
        )
        facts = np.where(np.isnan(fixed), 0, 3.0)  # facts on the very value of the stance
        np.testing.assert_allclose(
            writer.values([Mechanisms(facts, fixed)])[0], structure.do({value: level}), atol=1e-12
        )


def test_facts_act_through_total_effects(writer, structure):
    mechanisms = [Mechanisms(u, np.full(D, np.nan)) for u in np.eye(D)]
    np.testing.assert_allclose(writer.values(mechanisms), structure.total_effects.T)


# ------------------------------------------------------------------------------------ seeds, errors


def test_a_seed_names_roles_and_turns(writer):
    a, b, c = (draw_roles(writer, 5, seed=seed) for seed in (1, 1, 2))
    assert [role.ids for role in a] == [role.ids for role in b] != [role.ids for role in c]
    turns = [
        writer.turn(np.random.default_rng(7), np.ones(D), 2, writer.formats[1]) for _ in range(2)
    ]
    assert turns[0] == turns[1]


def test_inventory_and_structural_model_must_agree(tokenizer, inventory, bank, structure):
    backwards = StructuralModel.from_edges(structure.edges, values=structure.values[::-1])
    with pytest.raises(ValueError, match=r"inventory asks about \('SE', .* model has \('PO'"):
        DialogueWriter(tokenizer, inventory, bank, backwards, AnswerModel())
