"""Roles say what their facts and stances say; sampling follows its stated probabilities."""

import numpy as np
import pandas as pd
import pytest

from valuegraph import roles as module
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.roles import (
    NO_ROLE,
    Role,
    RoleBank,
    make_role,
    neutral_texts,
    read_roles,
    role_shifts,
    sample_personas,
    sample_roles,
    split_roles,
    stance_sentence,
)


def small_tables():
    """Facts and stances of a bank of two values, without neutral facts."""
    facts = [("X_f1", "X", 1.0, "You sing."), ("Y_f1", "Y", -0.5, "You limp.")]
    stances = [("much", 1.0, "You like {phrase}."), ("little", -1.0, "You avoid {phrase}.")]
    return (
        pd.DataFrame(facts, columns=["fact", "value", "strength", "text"]),
        pd.DataFrame(stances, columns=["stance", "level", "template"]),
    )


# the bank of the package


def test_facts_grade_each_value_alike_in_short_sentences(bank, inventory):
    facts = bank.facts[bank.facts["value"] != ""]
    strengths = facts.groupby("value")["strength"].apply(list)
    assert tuple(facts["value"].unique()) == SCHWARTZ_ORDER
    assert strengths.map([-2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2].__eq__).all()
    assert bank.facts["text"].str.fullmatch(r"(You|Your) [A-Za-z' ]+\.").all()
    assert bank.facts["text"].str.split().str.len().between(5, 9).all()
    for value, text in facts[["value", "text"]].itertuples(index=False):
        words = inventory.values.loc[value, ["label", "phrase"]].str.lower()
        assert not any(word in text.lower() for word in words)
    assert sorted(bank.stances["level"]) == [-2, -1.2, -0.5, 0.5, 1.2, 2]
    assert bank.effects["N1"] == ("", 0.0) and len(bank.facts_by_value[""]) == 48
    assert repr(bank) == "RoleBank(128 facts, 48 neutral, 6 stances)"


def test_the_bank_of_the_package_is_sound(bank):
    assert bank.facts[["fact", "text"]].apply(lambda column: column.str.lower().is_unique).all()
    assert bank.stances.apply(lambda column: column.is_unique).all()
    assert ((bank.facts["strength"] == 0) == (bank.facts["value"] == "")).all()
    assert bank.stances["template"].str.contains("{phrase}", regex=False).all()


# composing


def test_a_role_is_facts_then_stances(bank, inventory):
    stances = [("SD", 1.2), ("SE", -2)]
    role = make_role("climber", facts=["ST_f8", "N1"], stances=stances, bank=bank,
                     inventory=inventory)  # fmt: skip
    said = "You care a lot about choosing freely. You do not care at all about being safe."
    assert role.text == f"{bank.texts['ST_f8']} {bank.texts['N1']} {said}"
    assert role.facts == ("ST_f8", "N1") and role.stances == (("SD", 1.2), ("SE", -2.0))
    assert len({role, role}) == 1
    sentences = {stance_sentence(bank, inventory, v, x) for v in inventory.codes
                 for x in bank.stances["level"]}  # fmt: skip
    assert len(sentences) == 60


def test_impossible_roles_are_refused(bank, inventory):
    for options, message in (
        ({"facts": ["SD_f9"]}, "unknown fact, value or level 'SD_f9'; near are SD_f"),
        ({"stances": [("SD", 2)]}, "role 'r' has stances; pass inventory"),
        ({"stances": [("SD", 1)], "inventory": inventory}, "level 1; near are"),
        ({"stances": [("XX", 2)], "inventory": inventory}, "unknown .* 'XX'"),
        ({"facts": ["N1", "N1"]}, "role 'r' has a fact or stance twice"),
        ({}, "the text of a role is ''; give one, or use no role"),
    ):
        with pytest.raises(ValueError, match=message):
            make_role("r", bank=bank, **options)
    with pytest.raises(ValueError, match="the name of a role is ' '"):
        Role(" ", "You are a nurse.")


def test_neutral_texts_use_no_sentence_twice(bank):
    texts = neutral_texts(bank, 3, 16)
    assert len({s for text in texts for s in text.split(". ")}) >= 48 - 3
    with pytest.raises(ValueError, match="48 neutral facts do not make 4 texts of 16"):
        neutral_texts(bank, 4, 16)


# sampling


def test_roles_of_a_draw_differ_and_more_roles_begin_alike(bank):
    few, many = (sample_roles(bank, n, seed=0, p_fact=0.3) for n in (500, 3000))
    assert len({role.text for role in many}) == 3000 and many[:500] == few
    assert [role.name for role in few[:2]] == ["role0-0000", "role0-0001"]
    assert not {r.text for r in few} & {r.text for r in sample_roles(bank, 500, seed=1)}


def test_frequencies_are_as_stated(bank):
    n = 2000
    roles = sample_roles(bank, n, seed=1, p_fact=0.7, max_neutral=3)
    counts = pd.Series([fact for role in roles for fact in role.facts]).value_counts()
    # five standard errors of a binomial share
    facts = bank.facts.loc[bank.facts["value"] != "", "fact"]
    share = counts.reindex(facts, fill_value=0) / n
    assert np.abs(share - 0.7 / 8).max() < 5 * np.sqrt(0.7 / 8 * (1 - 0.7 / 8) / n)
    values = [[bank.effects[fact][0] for fact in role.facts] for role in roles]
    neutral = pd.Series([of_role.count("") for of_role in values]).value_counts() / n
    assert sorted(neutral.index) == [0, 1, 2, 3]
    assert np.abs(neutral - 1 / 4).max() < 5 * np.sqrt(0.25 * 0.75 / n)
    assert all(v == "" or of_role.count(v) == 1 for of_role in values for v in of_role)
    first = pd.Series([of_role[0] for of_role in values]).value_counts()[list(SCHWARTZ_ORDER)] / n
    assert np.abs(first - first.mean()).max() < 5 * np.sqrt(0.1 * 0.9 / n)
    correlations = np.corrcoef(role_shifts(roles, bank).to_numpy().T)
    assert np.abs(correlations - np.eye(10)).max() < 5 / np.sqrt(n)


def test_a_role_without_facts_gets_a_neutral_one(bank):
    roles = sample_roles(bank, 10, seed=0, p_fact=0.0, max_neutral=0)
    assert all(len(role.facts) == 1 for role in roles)
    assert (role_shifts(roles, bank) == 0).all(axis=None)


def test_a_draw_can_have_every_role_there_is_and_no_more(monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 500)
    own = RoleBank(*small_tables())
    assert len(sample_roles(own, 2, seed=0, p_fact=1.0, max_neutral=0)) == 2  # two orders
    with pytest.raises(ValueError, match="only 2 of 3 different roles could be drawn"):
        sample_roles(own, 3, seed=0, p_fact=1.0, max_neutral=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 2.5}, "n is 2.5"),
        ({"p_fact": float("nan")}, "p_fact is nan"),
        ({"max_neutral": 49}, "max_neutral 49 does not fit 48 neutral facts"),
        ({"seed": None}, "seed is None"),
    ],
)
def test_sampling_refuses_impossible_options(bank, options, message):
    with pytest.raises(ValueError, match=message):
        sample_roles(bank, **({"n": 5, "seed": 0} | options))


def test_personas_differ_and_more_of_them_begin_alike():
    everybody = sample_personas(4416, seed=2)
    assert len({role.text for role in everybody}) == 4416
    assert everybody[:30] == sample_personas(30, seed=2)
    assert all(role.text.startswith("You are a") and not role.facts for role in everybody)
    with pytest.raises(ValueError, match="only 4416 different personas"):
        sample_personas(4417, seed=2)


# shifts, files, divisions


def test_shifts_are_sums_of_strengths_in_the_order_of_the_values(bank, inventory):
    facts = ["SD_f8", "SE_f1", "N3", "SD_f4"]
    role = make_role("r", facts=facts, stances=[("PO", 2)], bank=bank, inventory=inventory)
    shifts = role_shifts([None, role], bank, SCHWARTZ_ORDER[::-1])
    assert shifts.index.tolist() == [NO_ROLE, "r"]
    assert tuple(shifts.columns) == SCHWARTZ_ORDER[::-1]
    assert (shifts.loc[NO_ROLE] == 0).all()
    expected = dict.fromkeys(SCHWARTZ_ORDER[::-1], 0.0) | {"SD": 2 - 0.5, "SE": -2}
    assert shifts.loc["r"].to_dict() == expected


def test_shifts_that_are_not_known_are_refused(bank):
    role = make_role("r", facts=["SD_f8"], bank=bank)
    for roles, message in (
        ([Role("nurse", "You are a nurse.")], "role 'nurse' is not of a bank"),
        ([Role("r", "You left.", facts=("gone",))], "unknown fact, value or level 'gone'"),
        ([role, role], "role 'r' stands twice"),
    ):
        with pytest.raises(ValueError, match=message):
            role_shifts(roles, bank)
    with pytest.raises(ValueError, match="'SD'; near are"):
        role_shifts([role], bank, values=("SE", "CO"))


def test_roles_of_ones_own_are_read_from_a_file(tmp_path):
    path = tmp_path / "roles.csv"
    path.write_text('name,text\nold,"You are old, and wise."\nyoung,You are young.\n')
    assert read_roles(path) == [
        Role("old", "You are old, and wise."),
        Role("young", "You are young."),
    ]
    for text, message in (
        ("name,text\na,You sing.\nA,You run.\n", "name 'A' stands twice"),
        ("name,text\na,You sing.\nb,you sing.\n", "text 'you sing.' stands twice"),
        (f"name,text\n{NO_ROLE},You sing.\n", "names the baseline"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_roles(path)


def test_train_and_test_roles_share_no_text_and_keep_their_order():
    roles = sample_personas(125, seed=0)
    train, test = split_roles(roles, test=25, seed=0)
    assert (len(train), len(test)) == (100, 25) and set(train) | set(test) == set(roles)
    for part in (train, test):
        assert part == [role for role in roles if role in set(part)]
    assert split_roles(roles, test=25, seed=0) == (train, test)
    assert split_roles(roles, test=25, seed=1) != (train, test)


@pytest.mark.parametrize(
    ("roles", "test", "message"),
    [
        ([Role("a", "You sing."), Role("b", "You sing."), Role("c", "I")], 1, "stands twice"),
        ([None, Role("a", "You sing.")], 1, "None out of both"),
        ([Role("a", "You sing.")], 1, "test is 1 of 1 roles"),
        ([Role("a", "You sing."), Role("b", "You run.")], 0, "test is 0"),
    ],
)
def test_divisions_that_cannot_be_are_refused(roles, test, message):
    with pytest.raises(ValueError, match=message):
        split_roles(roles, test=test, seed=0)
