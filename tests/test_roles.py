"""Roles say what their facts and stances say; sampling follows its stated probabilities."""

from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest

from valuegraph.inventory import SCHWARTZ_ORDER, load_inventory
from valuegraph.roles import (
    NO_ROLE,
    Role,
    RoleBank,
    load_role_bank,
    make_role,
    read_roles,
    role_shifts,
    roles_fingerprint,
    sample_roles,
    stance_sentence,
)

STRENGTHS = [-2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2]


@pytest.fixture(scope="module")
def bank() -> RoleBank:
    """The bank that comes with the package."""
    return load_role_bank()


@pytest.fixture(scope="module")
def inventory():
    """The inventory that comes with the package."""
    return load_inventory()


def small_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Facts and stances of a bank of two values, without neutral facts."""
    facts = pd.DataFrame(
        [("X_f1", "X", 1.0, "You sing."), ("Y_f1", "Y", -0.5, "You limp.")],
        columns=["fact", "value", "strength", "text"],
    )
    stances = pd.DataFrame(
        [("much", 1.0, "You like {phrase}."), ("little", -1.0, "You avoid {phrase}.")],
        columns=["stance", "level", "template"],
    )
    return facts, stances


# ------------------------------------------------------------------------------ the shipped bank


def test_each_value_has_the_same_eight_strengths(bank):
    facts = bank.facts[bank.facts["value"] != ""]
    assert tuple(facts["value"].unique()) == SCHWARTZ_ORDER
    assert facts.groupby("value")["strength"].apply(list).map(lambda s: s == STRENGTHS).all()


def test_there_are_at_least_forty_neutral_facts(bank):
    assert len(bank.facts_by_value[""]) >= 40
    assert all(bank.effects[fact] == ("", 0.0) for fact in bank.facts_by_value[""])


def test_facts_are_short_sentences_about_you(bank):
    texts = bank.facts["text"]
    assert texts.str.fullmatch(r"(You|Your) [A-Za-z' ]+\.").all()
    assert texts.str.split().str.len().between(5, 9).all()


def test_facts_do_not_name_their_value(bank, inventory):
    for _, row in bank.facts[bank.facts["value"] != ""].iterrows():
        assert inventory.values.loc[row["value"], "label"].lower() not in row["text"].lower()
        assert inventory.values.loc[row["value"], "phrase"] not in row["text"].lower()


def test_every_fact_has_a_word_of_its_own(bank):
    words = bank.facts["text"].str.lower().str.findall(r"[a-z']+").map(set)
    counts = words.explode().value_counts()
    assert words.map(lambda w: any(counts[x] == 1 for x in w)).all()


def test_stances_grade_both_directions_alike(bank):
    levels = sorted(bank.stances["level"])
    assert levels == [-x for x in reversed(levels)]
    assert levels == [-2, -1.2, -0.5, 0.5, 1.2, 2]


def test_repr_tells_the_size(bank):
    assert repr(bank) == "RoleBank(80 facts on 10 values, 48 neutral facts, 6 stances)"


# ------------------------------------------------------------------------------ composing


def test_role_is_facts_then_stances(bank, inventory):
    role = make_role(
        "climber",
        facts=["ST_f8", "N1"],
        stances=[("SD", 1.2), ("SE", -2)],
        bank=bank,
        inventory=inventory,
    )
    assert role.text == " ".join(
        [
            bank.texts["ST_f8"],
            bank.texts["N1"],
            "You care a lot about choosing freely.",
            "You do not care at all about being safe.",
        ]
    )
    assert role.facts == ("ST_f8", "N1")
    assert role.stances == (("SD", 1.2), ("SE", -2.0))
    assert role == make_role(
        "climber", facts=role.facts, stances=role.stances, bank=bank, inventory=inventory
    )
    assert len({role, role}) == 1


def test_stance_sentences_are_all_different(bank, inventory):
    levels = bank.stances["level"]
    said = {stance_sentence(bank, inventory, v, x) for v in inventory.codes for x in levels}
    assert len(said) == len(inventory.codes) * len(levels)


def test_unknown_stance_is_refused_with_what_is_known(bank, inventory):
    with pytest.raises(ValueError, match=r"level 1; choose one of -2, -1\.2, -0\.5, 0\.5, 1\.2, 2"):
        stance_sentence(bank, inventory, "SD", 1)
    with pytest.raises(ValueError, match=r"no value 'XX' in inventory 'schwartz10'; known are SE"):
        stance_sentence(bank, inventory, "XX", 2)


def test_impossible_roles_are_refused(bank, inventory):
    with pytest.raises(ValueError, match=r"role 'r': no fact 'SD_f9'.*SD_f"):
        make_role("r", facts=["SD_f9"], bank=bank)
    with pytest.raises(ValueError, match=r"role 'r' has stances but no inventory"):
        make_role("r", stances=[("SD", 2)], bank=bank)
    with pytest.raises(ValueError, match=r"role 'r' has the text ''"):
        make_role("r", bank=bank)
    with pytest.raises(ValueError, match=r"has the stance on 'SD' twice"):
        make_role("r", stances=[("SD", 2), ("SD", -2)], bank=bank, inventory=inventory)
    with pytest.raises(ValueError, match=r"has the fact 'N1' twice"):
        make_role("r", facts=["N1", "N1"], bank=bank)


@pytest.mark.parametrize("text", ["", "  \n", None])
def test_role_without_text_points_to_the_baseline(text):
    with pytest.raises(ValueError, match=r"role 'nobody' has the text .*put None in the list"):
        Role("nobody", text)


def test_role_without_name_is_refused():
    with pytest.raises(ValueError, match=r"name is ' '"):
        Role(" ", "You are a nurse.")


# ------------------------------------------------------------------------------ sampling


def test_same_seed_same_roles_and_more_roles_begin_alike(bank):
    assert sample_roles(bank, 20, seed=3) == sample_roles(bank, 20, seed=3)
    assert sample_roles(bank, 40, seed=3)[:20] == sample_roles(bank, 20, seed=3)
    texts = [{r.text for r in sample_roles(bank, 20, seed=s)} for s in (3, 4)]
    assert not texts[0] & texts[1]


def test_no_value_is_told_twice(bank):
    for role in sample_roles(bank, 200, seed=0, p_fact=1.0):
        told = [bank.effects[fact][0] for fact in role.facts]
        assert sorted(v for v in told if v) == sorted(SCHWARTZ_ORDER)
        assert told.count("") <= 2


def test_frequencies_are_those_asked_for(bank):
    n = 2000
    roles = sample_roles(bank, n, seed=1, p_fact=0.7, max_neutral=3)
    counts = pd.Series([fact for role in roles for fact in role.facts]).value_counts()
    # five standard errors of a binomial share
    valued = bank.facts.loc[bank.facts["value"] != "", "fact"]
    share = counts.reindex(valued, fill_value=0) / n
    assert np.abs(share - 0.7 / 8).max() < 5 * np.sqrt(0.7 / 8 * (1 - 0.7 / 8) / n)
    neutral = pd.Series([sum(not bank.effects[f][0] for f in r.facts) for r in roles])
    shares = neutral.value_counts(normalize=True)
    assert set(shares.index) == {0, 1, 2, 3}
    assert np.abs(shares - 1 / 4).max() < 5 * np.sqrt(0.25 * 0.75 / n)


def test_values_are_told_independently_and_in_any_order(bank):
    n = 2000
    roles = sample_roles(bank, n, seed=2)
    correlations = np.corrcoef(role_shifts(roles, bank).to_numpy().T)
    assert np.abs(correlations - np.eye(10)).max() < 5 / np.sqrt(n)
    first = pd.Series([bank.effects[role.facts[0]][0] for role in roles]).value_counts() / n
    first = first[list(SCHWARTZ_ORDER)]
    assert np.abs(first - first.mean()).max() < 5 * np.sqrt(0.1 * 0.9 / n)


def test_role_with_nothing_to_say_gets_one_neutral_fact(bank):
    roles = sample_roles(bank, 10, seed=0, p_fact=0.0, max_neutral=0)
    assert all(len(role.facts) == 1 for role in roles)
    assert (role_shifts(roles, bank) == 0).all(axis=None)
    with pytest.raises(ValueError, match=r"the bank has no neutral ones"):
        sample_roles(RoleBank(*small_tables()), 1, seed=0, p_fact=0.0, max_neutral=0)


def test_all_roles_of_a_draw_differ_and_more_roles_begin_alike(bank):
    few, many = (sample_roles(bank, n, seed=0, p_fact=0.3) for n in (500, 3000))
    texts = [role.text for role in many]
    assert len(set(texts)) == 3000
    assert [role.name for role in many[:2]] == ["role0-0000", "role0-0001"]
    assert many[:500] == few


def tellings(sizes, neutral, silent):
    """All that a role can tell, by trying: choices of facts in every order."""
    facts = [
        [*([None] if silent else []), *(f"{v}{i}" for i in range(size))]
        for v, size in enumerate(sizes)
    ]
    extras = [(), *((f"n{i}",) for i in range(neutral))]
    told = {
        order
        for chosen in product(*facts, extras)
        for order in permutations([f for f in (*chosen[:-1], *chosen[-1]) if f is not None])
    }
    return told - {()}


@pytest.mark.parametrize("p_fact", [0.5, 1.0])
@pytest.mark.parametrize("max_neutral", [0, 1])
def test_a_draw_can_have_every_role_there_is_and_no_more(p_fact, max_neutral):
    rows = [("A1", "A", 1.0), ("A2", "A", -1.0), ("B1", "B", 1.0), ("N1", "", 0.0), ("N2", "", 0.0)]
    facts = pd.DataFrame(rows, columns=["fact", "value", "strength"])
    facts["text"] = [f"You like {fact}." for fact in facts["fact"]]
    own = RoleBank(facts, small_tables()[1])
    possible = len(tellings((2, 1), 2 * max_neutral, silent=p_fact < 1))
    if max_neutral == 0 and p_fact < 1:
        possible += 2  # a role without text gets one of the two neutral facts
    options = {"seed": 0, "p_fact": p_fact, "max_neutral": max_neutral}
    roles = sample_roles(own, possible, **options)
    assert len({role.text for role in roles}) == possible
    with pytest.raises(ValueError, match=f"n is {possible + 1}.*only {possible} different roles"):
        sample_roles(own, possible + 1, **options)


def test_roles_too_rare_to_be_found_are_told(bank):
    with pytest.raises(ValueError, match=r"no new role in 10000 draws after 48 of 49.*too rare"):
        sample_roles(bank, 49, seed=0, p_fact=1e-12, max_neutral=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, r"n is 0; give a whole number of at least 1"),
        ({"n": 2.5}, r"n is 2\.5"),
        ({"p_fact": -0.1}, r"p_fact is -0\.1"),
        ({"p_fact": 1.01}, r"p_fact is 1\.01"),
        ({"p_fact": float("nan")}, r"p_fact is nan"),
        ({"max_neutral": -1}, r"max_neutral is -1; the bank allows 0 to 48"),
        ({"max_neutral": 49}, r"max_neutral is 49"),
        ({"seed": -1}, r"seed is -1"),
        ({"seed": None}, r"seed is None"),
    ],
)
def test_sampling_refuses_impossible_options(bank, options, message):
    with pytest.raises(ValueError, match=message):
        sample_roles(bank, **({"n": 5, "seed": 0} | options))


# ------------------------------------------------------------------------------ shifts


def test_shifts_are_the_sums_of_the_strengths(bank):
    role = make_role("r", facts=["SD_f8", "SE_f1", "N3", "SD_f4"], bank=bank)
    shifts = role_shifts([None, role], bank)
    assert shifts.index.tolist() == [NO_ROLE, "r"]
    assert tuple(shifts.columns) == SCHWARTZ_ORDER
    assert (shifts.loc[NO_ROLE] == 0).all()
    expected = dict.fromkeys(SCHWARTZ_ORDER, 0.0) | {"SD": 2 - 0.5, "SE": -2}
    assert shifts.loc["r"].to_dict() == expected


def test_shifts_of_sampled_roles_equal_the_hand_sum(bank):
    roles = sample_roles(bank, 50, seed=7)
    facts = bank.facts.set_index("fact")
    shifts = role_shifts(roles, bank)
    for role in roles:
        told = facts.loc[list(role.facts)]
        by_hand = told[told["value"] != ""].groupby("value")["strength"].sum()
        expected = by_hand.reindex(SCHWARTZ_ORDER, fill_value=0.0)
        assert shifts.loc[role.name].to_dict() == expected.to_dict()


def test_shifts_follow_the_order_of_values_and_ignore_stances(bank, inventory):
    plain = make_role("r", facts=["SD_f8"], bank=bank)
    told = make_role("r", facts=["SD_f8"], stances=[("PO", 2)], bank=bank, inventory=inventory)
    backwards = role_shifts([plain], bank, values=SCHWARTZ_ORDER[::-1])
    pd.testing.assert_frame_equal(backwards[list(SCHWARTZ_ORDER)], role_shifts([told], bank))


def test_shifts_that_are_not_known_are_refused(bank):
    role = make_role("r", facts=["SD_f8"], bank=bank)
    with pytest.raises(ValueError, match=r"'SD_f8' of role 'r' concerns 'SD', which is not among"):
        role_shifts([role], bank, values=("SE", "CO"))
    with pytest.raises(ValueError, match=r"role 'nurse' lists neither facts nor stances"):
        role_shifts([Role("nurse", "You are a nurse.")], bank)
    with pytest.raises(ValueError, match=r"role 'r': no fact 'gone' in the role bank"):
        role_shifts([Role("r", "You left.", facts=("gone",))], bank)
    with pytest.raises(ValueError, match=r"role 'r' appears twice"):
        role_shifts([role, role], bank)


# ------------------------------------------------------------------------------ roles of your own


def test_roles_are_read_from_a_file(tmp_path):
    path = tmp_path / "roles.csv"
    path.write_text('name,text\nnurse,"You nurse, day and night."\nclown,You make jokes.\n')
    assert read_roles(path) == [
        Role("nurse", "You nurse, day and night."),
        Role("clown", "You make jokes."),
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("name,role\nnurse,You nurse.\n", "column 'text' is missing.*found 'name', 'role'"),
        ("name,text\nnurse,\n", "row 2: text is empty"),
        ("name,text\na,You nurse.\na,You sing.\n", "name 'a' appears twice"),
        ("name,text\na,You nurse.\nb,You nurse.\n", "text 'You nurse.' appears twice"),
        ("name,text\nno role,You nurse.\n", "a role is called 'no role'"),
    ],
)
def test_a_file_of_roles_that_is_not_in_order_is_refused(tmp_path, content, told):
    (tmp_path / "roles.csv").write_text(content)
    with pytest.raises(ValueError, match=told):
        read_roles(tmp_path / "roles.csv")


def test_a_fingerprint_tells_names_texts_and_order():
    one, two = Role("one", "You sing."), Role("two", "You run.")
    assert roles_fingerprint([one, two]) == roles_fingerprint(iter([one, two]))
    told = [
        [one, two],
        [two, one],
        [one],
        [None, one],
        [None],
        [],
        [Role("uno", "You sing.")],
        [Role("one", "You hum.")],
    ]
    assert len({roles_fingerprint(roles) for roles in told}) == len(told)
    assert len(bytes.fromhex(roles_fingerprint(told[0]))) == 8


# ------------------------------------------------------------------------------ banks of your own


def test_unknown_bank_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'jobs'.*'life_facts'"):
        load_role_bank("jobs")


@pytest.mark.parametrize(
    ("table", "column", "entry", "message"),
    [
        (0, "fact", "X_f1", r"fact id 'X_f1' appears twice"),
        (0, "text", "You sing.", r"text 'You sing\.' appears twice"),
        (0, "text", " ", r"text of fact 'Y_f1' is ' '"),
        (0, "strength", 0.0, r"fact 'Y_f1' has value 'Y' and strength 0\.0; a neutral fact"),
        (0, "strength", float("inf"), r"strength of fact 'Y_f1' is inf"),
        (0, "strength", "strong", r"strength of fact 'Y_f1' is 'strong'"),
        (0, "value", "", r"fact 'Y_f1' has value '' and strength -0\.5"),
        (0, "value", None, r"fact 'Y_f1' has value (None|nan)"),
        (1, "stance", "much", r"stance id 'much' appears twice"),
        (1, "level", 1.0, r"two stances have the level 1\.0"),
        (1, "level", float("nan"), r"level of stance 'little' is nan"),
        (1, "template", "You avoid it.", r"stance 'little' lacks '\{phrase\}'"),
    ],
)
def test_bank_that_is_not_in_order_is_refused(table, column, entry, message):
    tables = small_tables()
    tables[table][column] = tables[table][column].astype(object)
    tables[table].loc[1, column] = entry
    with pytest.raises(ValueError, match=message):
        RoleBank(*tables)


def test_bank_without_facts_or_without_a_column_is_refused():
    facts, stances = small_tables()
    with pytest.raises(ValueError, match=r"facts: the table is empty"):
        RoleBank(facts.iloc[:0], stances)
    with pytest.raises(ValueError, match=r"stances: column template is missing"):
        RoleBank(facts, stances.drop(columns="template"))
