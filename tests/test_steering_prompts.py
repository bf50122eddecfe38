"""Interventions in words: stances, facts and hard prompts."""

import pytest

from valuegraph.interventions import Told
from valuegraph.roles import make_role
from valuegraph.steering.prompts import hard_prompts, prompt_table, single_facts, stances


def test_stances_are_the_sentences_of_roles(inventory, bank):
    told = stances(inventory, bank)
    assert len(told) == 60
    assert len({one.name for one in told}) == 60
    of_sd = {one.name: one for one in told if one.name.startswith("SD")}
    assert list(of_sd)[0] == "SD: not at all"
    assert list(of_sd)[-1] == "SD: enormously"
    role = make_role("r", bank=bank, stances=[("SD", 1.2)], inventory=inventory)
    assert of_sd["SD: a lot"].text == role.text
    one = stances(inventory, bank, values=["AC"], levels=[-2])
    assert [t.name for t in one] == ["AC: not at all"]


def test_facts_are_told_one_at_a_time(bank):
    told = single_facts(bank)
    assert len(told) == 80
    table = prompt_table(told)
    assert table.loc["fact SD_f3", "text"] == bank.texts["SD_f3"]
    assert tuple(table.loc["fact SD_f3", ["value", "amount"]]) == bank.effects["SD_f3"]
    neutral = prompt_table(single_facts(bank, ["N1"]))
    assert tuple(neutral.loc["fact N1", ["value", "amount"]]) == ("", 0.0)


def test_hard_prompts_keep_the_frame_of_the_paper(inventory):
    for_it, against = (hard_prompts(inventory, inclined=way) for way in (True, False))
    assert len(for_it) == len(against) == 10
    assert not {one.name for one in for_it} & {one.name for one in against}
    texts = {one.name: one.text for one in for_it + against}
    assert texts["SD: hard prompt for"] == (
        "You are inclined to the value of Self-Direction, which means choosing freely."
    )
    assert texts["SD: hard prompt against"].startswith("You are disinclined to")
    assert prompt_table(against)["amount"].tolist() == [-1.0] * 10


def test_organisms_know_stances_and_facts_but_no_hard_prompt(tokenizer, inventory, bank):
    def known(told):
        return all(tokenizer.unk_token_id not in tokenizer(one.text)["input_ids"] for one in told)

    assert known(stances(inventory, bank))
    assert known(single_facts(bank))
    assert not known(hard_prompts(inventory))


def test_kinds_mix_in_one_table(inventory, bank):
    table = prompt_table(
        [
            *stances(inventory, bank, values=["SE"], levels=[2]),
            *single_facts(bank, ["SE_f1"]),
            *hard_prompts(inventory, values=["SE"]),
        ]
    )
    assert table["kind"].tolist() == ["stance", "fact", "hard prompt"]
    assert (table["value"] == "SE").all()


def test_what_is_unknown_is_refused(inventory, bank):
    with pytest.raises(ValueError, match="no value 'XX'"):
        stances(inventory, bank, values=["XX"])
    with pytest.raises(ValueError, match="no value 'XX'"):
        hard_prompts(inventory, values=["XX"])
    with pytest.raises((ValueError, KeyError), match="7"):
        stances(inventory, bank, levels=[7])
    with pytest.raises(ValueError, match="no fact 'SD_f99'"):
        single_facts(bank, ["SD_f99"])
    with pytest.raises(ValueError, match="'own' is about is not known"):
        prompt_table([Told("own", "You like tea.")])
