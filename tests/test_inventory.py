"""Questionnaires keep their promises, can be divided, and are refused if they are not sound."""

import numpy as np
import pandas as pd
import pytest

from valuegraph import downloads
from valuegraph import inventory as module
from valuegraph.inventory import (
    SCHWARTZ_ORDER,
    Inventory,
    load_inventory,
    read_inventory,
    split_items,
)

needs_valuebench = pytest.mark.skipif(
    not downloads.available(["value_orientation.csv"]),
    reason="set VALUEGRAPH_DATA to a folder with value_orientation.csv, or fetch it once",
)


@pytest.fixture
def small():
    """Items and values of an inventory of two values."""
    rows = [
        ("X1", "X", 1, "Do you sing?"),
        ("X2", "X", -1, "Do you prefer silence?"),
        ("Y1", "Y", 1, "Would you run?"),
    ]
    words = [("Song", "Arts", "singing"), ("Sport", "Body", "running")]
    items = pd.DataFrame(rows, columns=["item", "value", "key", "text"])
    return items, pd.DataFrame(words, index=["X", "Y"], columns=["label", "group", "phrase"])


# the inventory of the package


def test_schwartz10_has_four_plain_questions_each_way(inventory):
    assert inventory.codes == SCHWARTZ_ORDER
    assert (inventory.items.groupby(["value", "key"]).size() == 4).all()
    texts = inventory.items["text"]
    assert texts.str.fullmatch(r"(Would you|Do you|Is it) [a-z' ]+\?").all()
    assert texts.str.split().str.len().between(6, 11).all()
    assert not texts.str.contains(r"\b(?:not|never)\b|n't\b", regex=True).any()


def test_groups_are_stretches_of_the_circle_and_phrases_differ(inventory):
    groups, phrases = inventory.values["group"].tolist(), inventory.values["phrase"]
    changes = sum(a != b for a, b in zip(groups, groups[1:] + groups[:1], strict=True))
    assert changes == len(set(groups)) == 4
    assert phrases.str.split().str[0].is_unique


def test_the_fingerprint_is_that_of_values_and_items_alone(small, inventory):
    # Runs on disk are refused when it changes, so a change must be meant.
    assert inventory.fingerprint == "62ee2c54fdf5ad1b"
    items, values = small
    fingerprint = Inventory("small", items, values).fingerprint
    same = Inventory("other", items.astype({"key": float}).assign(note=""), values[::1])
    assert same.fingerprint == fingerprint and same.items["key"].tolist() == [1, -1, 1]
    other = {Inventory("small", items[::-1], values).fingerprint, fingerprint}
    for table, row, column in ((items, 0, "text"), (items, 0, "item"), (values, "X", "group")):
        changed = table.copy()
        changed.loc[row, column] = "other"
        tables = (changed, values) if table is items else (items, changed)
        other.add(Inventory("small", *tables).fingerprint)
    assert len(other) == 5


def test_tables_are_copies(small):
    items, values = small
    own = Inventory("small", items, values)
    items.loc[0, "key"] = 0
    assert own.items.loc[0, "key"] == 1
    assert repr(own) == "Inventory('small': 2 values, 3 items, 2 keyed +1, 1 -1)"


@pytest.mark.parametrize(
    ("row", "column", "entry", "message"),
    [
        (0, "key", 2, "item 'X1' has value 'X' and key 2; known are 1 and -1, X, Y"),
        (1, "key", float("nan"), "key nan"),
        (2, "value", "Z", "item 'Y1' has value 'Z'"),
        (2, "value", "X", "no item measures Y"),
        (1, "item", "X1", "item 'X1' stands twice"),
        (1, "text", "do you sing? ", r"text 'do you sing\? ' stands twice"),
        (2, "text", "  ", "row 2: text is empty"),
    ],
)
def test_an_item_that_is_not_sound_is_refused(small, row, column, entry, message):
    items, values = small
    items[column] = items[column].astype(object)
    items.loc[row, column] = entry
    with pytest.raises(ValueError, match=f"inventory 'small'.*{message}"):
        Inventory("small", items, values)


def test_tables_that_are_not_sound_are_refused(small):
    items, values = small
    for tables, message in (
        ((items.drop(columns="key"), values), "items, lacks the columns key"),
        ((items[:0], values), "items, lacks rows"),
        ((items, pd.concat([values, values.loc[["X"]]])), "value 'X' stands twice"),
        ((items, values.assign(phrase="")), "phrase is empty"),
    ):
        with pytest.raises(ValueError, match=message):
            Inventory("small", *tables)
    with pytest.raises(ValueError, match="unknown inventory 'pvq'; known are schwartz10, valueb"):
        load_inventory("pvq")


# from a file

ROWS = [
    "item,value,key,text,label,phrase",
    'S1,song,1,"Do you sing, or hum?",Singing,',
    "S2,song,-1.0,Do you prefer silence?,,making music",
    "R1,run,+1,Would you run?,Running,running",
    "R2,run,-1,Would you sit down?,Running,running",
]


def own(tmp_path, *replaced):
    """Write the rows with some texts replaced, and read them."""
    path, content = tmp_path / "mine.csv", "\n".join(ROWS)
    for old, new in replaced:
        content = content.replace(old, new)
    path.write_text(content + "\n", encoding="utf-8")
    return read_inventory(path)


def test_an_inventory_of_ones_own_is_read_from_a_file(tmp_path, inventory):
    mine = own(tmp_path)
    assert mine.name == "mine" and mine.codes == ("song", "run")
    assert mine.items["key"].tolist() == [1, -1, 1, -1]
    assert mine.values.loc["song"].tolist() == ["Singing", "mine", "making music"]
    plain = own(tmp_path, (",label,phrase", ""), (",Singing,", ""), (",,making music", ""),
                (",Running,running", ""))  # fmt: skip
    assert plain.values.loc["run"].tolist() == ["run", "mine", "run"]
    inventory.items.join(inventory.values, on="value").to_csv(tmp_path / "copy.csv", index=False)
    assert read_inventory(tmp_path / "copy.csv").fingerprint == inventory.fingerprint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("S1,song,1,", "S1,song,yes,", "item 'S1' has value 'song' and key nan"),
        ("S1,song,1,", "S1,song,,", "row 2: key is empty"),
        ("R2,run", "R2,walk", "value '(run|walk)' has one item; a score needs two"),
        (",Singing,", ",,", "label of 'song' is missing or differs"),
        ("Running,running\nR2", "Jogging,running\nR2", "label of 'run' is missing or differs"),
    ],
)
def test_a_file_that_is_not_sound_is_refused(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=message):
        own(tmp_path, (old, new))


# division


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_parts_share_no_item_and_have_all_values_and_keys(inventory, share):
    learn, judge = split_items(inventory, share=share, seed=3)
    assert [learn.name, judge.name] == ["schwartz10-learn", "schwartz10-judge"]
    both = pd.concat([learn.items, judge.items])
    assert sorted(both["item"]) == sorted(inventory.items["item"])
    for part, of_eight in ((learn, share), (judge, 1 - share)):
        counts = part.items.groupby("value").size()
        assert (abs(counts - 8 * of_eight) <= (0.5 if 0.2 < share < 0.8 else 1.3)).all()
        assert part.items.groupby("value")["key"].nunique().eq(2).all()
        assert part.items["item"].tolist() == sorted(
            part.items["item"], key=inventory.items["item"].tolist().index
        )


def test_each_item_has_its_chance_and_the_seed_decides(few_items):
    n = 40
    learned = [split_items(few_items, share=0.5, seed=s)[0].items["item"] for s in range(n)]
    shares = pd.concat(learned).value_counts() / n
    assert len(shares) == 8 and abs(shares - 0.5).max() < 5 * 0.5 / np.sqrt(n)
    assert split_items(few_items, share=0.5, seed=1)[0].items["item"].equals(learned[1])


def test_divisions_that_cannot_be_are_refused(inventory, small):
    with pytest.raises(ValueError, match="share is 1.*between 0 and 1"):
        split_items(inventory, share=1, seed=0)
    with pytest.raises(ValueError, match="value 'Y' has one item"):
        split_items(Inventory("small", *small), share=0.5, seed=0)
    with pytest.raises(ValueError, match="seed is None"):
        split_items(inventory, share=0.5, seed=None)


# ValueBench


def test_rules_of_valuebench(tmp_path, monkeypatch):
    rows = [
        ("Q1", "Joy of Song", 1, "Do you sing?"),
        ("Q1", "Joy of Song", -1, "Is silence better than song?"),
        ("Q2", "Joy of Song", 1, "do you SING? "),  # the first again
        ("Q2", "joy of song", 1, "Do you hum?"),  # the same value in other capitals
        ("Q3", "Sport", 1, "Do you run?"),
        ("Q3", "Sport", 1, "Is running fun?"),  # shared with Rest
        ("Q3", "Sport", -1, "Do you sit all day?"),
        ("Q4", "Rest", -1, "is running fun?"),
        ("Q4", "Rest", 1, "Do you sleep well?"),
        ("Q4", "Rest", 1, "Do you nap?"),
        ("Q5", "Alone", 1, "Is one question enough?"),  # a value of one item
    ]
    path = tmp_path / "value_orientation.csv"
    columns = ["questionnaire", "value", "agreement", "question"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    monkeypatch.setattr(module, "fetch", lambda name: path)
    made = load_inventory("valuebench")
    assert made.values["label"].to_dict() == {
        "JoySon": "Joy of Song",
        "Res": "Rest",
        "Spo": "Sport",
    }
    assert made.values.loc["JoySon", ["group", "phrase"]].tolist() == ["Q1, Q2", "joy of song"]
    assert made.items["item"].tolist() == [
        *("JoySon2", "JoySon3", "JoySon5", "Res10", "Res11", "Spo6", "Spo8")
    ]
    assert made.items["key"].tolist() == [1, -1, 1, 1, 1, 1, -1]


def test_codes_tell_values_apart():
    names = ["religious", "religiosity", "joy of song", "sport", "sporty spirit"]
    codes = module._codes(names)
    expected = ["Religious", "Religiosity", "JoySon", "Spo", "SpoSpi"]
    assert [codes[name] for name in names] == expected


@needs_valuebench
@pytest.mark.parametrize(
    ("name", "values", "items", "fingerprint"),
    [("valuebench17", 17, 354, "7574fc76937750f0"), ("valuebench", 212, 1470, "37be53cb9430b529")],
)
def test_valuebench_is_prepared_as_stated(name, values, items, fingerprint):
    prepared = load_inventory(name)
    assert (len(prepared.values), len(prepared.items)) == (values, items)
    assert prepared.fingerprint == fingerprint
