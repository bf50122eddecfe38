"""The shipped questionnaire keeps its promises; inventories that are not in order are refused."""

import pandas as pd
import pytest

from valuegraph.inventory import SCHWARTZ_ORDER, Inventory, load_inventory, read_inventory


@pytest.fixture
def small() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Items and values of an inventory of two values."""
    items = pd.DataFrame(
        [
            ("X1", "X", 1, "Do you sing?"),
            ("X2", "X", -1, "Do you prefer silence?"),
            ("Y1", "Y", 1, "Would you run?"),
        ],
        columns=["item", "value", "key", "text"],
    )
    values = pd.DataFrame(
        {"label": ["Song", "Sport"], "group": ["Arts", "Body"], "phrase": ["singing", "running"]},
        index=["X", "Y"],
    )
    return items, values


def test_schwartz10_asks_each_value_four_times_each_way():
    inventory = load_inventory()
    assert inventory.codes == SCHWARTZ_ORDER
    assert (inventory.keying == 4).all(axis=None)
    assert inventory.keying.shape == (10, 2)
    ids = [f"{value}{i}" for value in SCHWARTZ_ORDER for i in range(1, 9)]
    assert inventory.items["item"].tolist() == ids


def test_agreeing_with_everything_scores_zero_in_a_balanced_inventory():
    items = load_inventory().items
    always_yes = items["key"] * 1.0
    assert (always_yes.groupby(items["value"]).mean() == 0).all()


def test_schwartz10_questions_are_plain_and_short():
    texts = load_inventory().items["text"]
    assert texts.str.fullmatch(r"(Would you|Do you|Is it) [a-z' ]+\?").all()
    assert texts.str.split().str.len().between(6, 11).all()


def test_negative_items_ask_for_the_opposite_instead_of_negating():
    items = load_inventory().items
    negated = items["text"].str.contains(r"\b(?:not|never)\b|n't\b", regex=True)
    assert not negated.any()


def test_phrases_are_distinct_and_fit_into_a_sentence():
    phrases = load_inventory().values["phrase"]
    assert phrases.is_unique
    assert phrases.str.split().str.len().between(2, 4).all()
    first_words = phrases.str.split().str[0]
    assert first_words.is_unique


def test_the_order_puts_each_group_in_one_stretch_of_the_circle():
    groups = load_inventory().values["group"].tolist()
    changes = sum(a != b for a, b in zip(groups, groups[1:] + groups[:1], strict=True))
    assert changes == len(set(groups)) == 4


def test_tables_are_copies(small):
    items, values = small
    inventory = Inventory("small", items, values)
    items.loc[0, "key"] = 0
    values.loc["X", "label"] = ""
    assert inventory.items.loc[0, "key"] == 1
    assert inventory.values.loc["X", "label"] == "Song"
    assert load_inventory().items is not load_inventory().items


def test_own_inventory_counts_its_keys(small):
    inventory = Inventory("small", *small)
    assert inventory.codes == ("X", "Y")
    assert inventory.keying.loc["X"].tolist() == [1, 1]
    assert inventory.keying.loc["Y"].tolist() == [1, 0]
    assert "2 values, 3 items, 2 keyed +1 and 1 keyed -1" in repr(inventory)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'pvq'.*'schwartz10', 'valuebench17', 'valuebench'"):
        load_inventory("pvq")


@pytest.mark.parametrize("table", ["items", "values"])
def test_empty_table_is_refused(small, table):
    items, values = small
    kept = {"items": items, "values": values}
    kept[table] = kept[table].iloc[:0]
    with pytest.raises(ValueError, match=rf"'small', {table}: the table is empty"):
        Inventory("small", **kept)


@pytest.mark.parametrize(
    ("row", "column", "entry", "message"),
    [
        (0, "key", 0, r"item 'X1' has key 0; use 1"),
        (0, "key", 2, r"item 'X1' has key 2"),
        (1, "key", float("nan"), r"item 'X2' has key nan"),
        (1, "item", "X1", r"item id 'X1' appears twice"),
        (1, "item", "", r"item id in row 1 is ''"),
        (1, "text", "do you sing? ", r"question 'do you sing\? ' appears twice"),
        (2, "text", "  ", r"text of item 'Y1' is '  '"),
        (2, "text", None, r"text of item 'Y1' is (None|nan)"),
        (2, "value", "Z", r"item 'Y1' measures the unknown value 'Z'; known are X, Y"),
        (2, "value", "X", r"no item measures Y"),
    ],
)
def test_item_that_is_not_in_order_is_refused(small, row, column, entry, message):
    items, values = small
    items[column] = items[column].astype(object)
    items.loc[row, column] = entry
    with pytest.raises(ValueError, match=message):
        Inventory("small", items, values)


def test_missing_column_is_named_with_those_found(small):
    items, values = small
    with pytest.raises(ValueError, match=r"items: column key is missing.*found item, value, text"):
        Inventory("small", items.drop(columns="key"), values)


def test_value_without_phrase_or_with_a_second_row_is_refused(small):
    items, values = small
    with pytest.raises(ValueError, match=r"value code 'X' appears twice"):
        Inventory("small", items, pd.concat([values, values.loc[["X"]]]))
    values.loc["Y", "phrase"] = ""
    with pytest.raises(ValueError, match=r"phrase of value 'Y' is ''"):
        Inventory("small", items, values)


# ------------------------------------------------------------------------------ fingerprint


def test_a_fingerprint_depends_on_nothing_but_values_and_items(small):
    items, values = small
    fingerprint = Inventory("small", items, values).fingerprint
    assert len(bytes.fromhex(fingerprint)) == 8
    same = [
        Inventory("another name", items, values),
        Inventory("small", items.set_axis([9, 7, 8]), values.rename_axis("code")),
        Inventory("small", items.assign(source="a book"), values.assign(note="")),
        Inventory("small", items.astype({"key": float}), values),
        Inventory("small", items[items.columns[::-1]], values[values.columns[::-1]]),
    ]
    assert {inventory.fingerprint for inventory in same} == {fingerprint}


def test_a_fingerprint_tells_every_change(small):
    items, values = small
    found = {Inventory("small", items, values).fingerprint}
    for column, entry in (("item", "X9"), ("value", "Y"), ("key", -1), ("text", "Do you hum?")):
        changed = items.copy()
        changed.loc[0, column] = entry
        found.add(Inventory("small", changed, values).fingerprint)
    for column in ("label", "group", "phrase"):
        changed = values.copy()
        changed.loc["X", column] = "other"
        found.add(Inventory("small", items, changed).fingerprint)
    found.add(Inventory("small", items[::-1], values).fingerprint)
    found.add(Inventory("small", items, values[::-1]).fingerprint)
    assert len(found) == 10


def test_the_fingerprint_of_the_shipped_inventory_stands():
    # Runs on disk are refused when it changes, so a change must be meant.
    assert load_inventory().fingerprint == "62ee2c54fdf5ad1b"


# ------------------------------------------------------------------------------ from a file


ROWS = [
    "item,value,key,text",
    'S1,song,1,"Do you sing, or hum?"',
    "S2,song,-1,Do you prefer silence?",
    "R1,run,+1,Would you run?",
    "R2,run,-1.0,Would you sit down?",
]


@pytest.fixture
def own(tmp_path):
    """Writes the rows of a file, some of them replaced."""

    def write(rows=ROWS, **replaced):
        path = tmp_path / "mine.csv"
        rows = [replaced.get(f"row{number}", row) for number, row in enumerate(rows, start=1)]
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    return write


def test_an_inventory_of_ones_own_is_read_from_a_file(own):
    inventory = read_inventory(own())
    assert inventory.name == "mine"
    assert inventory.codes == ("song", "run")
    assert inventory.items["key"].tolist() == [1, -1, 1, -1]
    assert inventory.items["text"][0] == "Do you sing, or hum?"
    assert inventory.values.loc["song"].to_dict() == {
        "label": "song",
        "group": "mine",
        "phrase": "song",
    }
    assert read_inventory(own(), name="hobbies").name == "hobbies"


def test_values_are_described_in_one_of_their_rows_at_least(own):
    rows = [
        "item,value,key,text,label,group,phrase",
        "S1,song,1,Do you sing?,Singing,,making music",
        "S2,song,-1,Do you prefer silence?,,Arts,making music",
        "R1,run,1,Would you run?,,Body,running",
        "R2,run,-1,Would you sit down?,Running,Body,running",
    ]
    inventory = read_inventory(own(rows))
    assert inventory.values.loc["song"].tolist() == ["Singing", "Arts", "making music"]
    assert inventory.values.loc["run"].tolist() == ["Running", "Body", "running"]
    with pytest.raises(
        ValueError, match="label of value 'run' is empty in every row; tell it once"
    ):
        read_inventory(own(rows, row5=rows[4].replace("Running", "")))
    with pytest.raises(ValueError, match="phrase of value 'song' is 'humming' and 'making music'"):
        read_inventory(own(rows, row2=rows[1].replace("making music", "humming")))


def test_the_shipped_inventory_comes_back_from_its_file(tmp_path):
    shipped = load_inventory()
    table = shipped.items.join(shipped.values, on="value")
    table.to_csv(tmp_path / "copy.csv", index=False)
    assert read_inventory(tmp_path / "copy.csv").fingerprint == shipped.fingerprint


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({"row1": "item,value,text"}, "column 'key' is missing.*found 'item', 'value', 'text'"),
        ({"row1": "item,value,key,question"}, "column 'text' is missing.*found .*'question'"),
        ({"row3": "S2,song,0,Do you prefer silence?"}, "row 3: key is '0'; use 1 where"),
        ({"row3": "S2,song,no,Do you prefer silence?"}, "row 3: key is 'no'"),
        ({"row3": "S2,song,nan,Do you prefer silence?"}, "row 3: key is 'nan'"),
        ({"row3": "S2,song,,Do you prefer silence?"}, "row 3: key is empty"),
        ({"row5": "R2,run,-1,"}, "row 5: text is empty"),
        ({"row3": "S1,song,-1,Do you prefer silence?"}, "item id 'S1' appears twice"),
        ({"row5": "R2,run,-1,would you RUN?"}, r"question 'would you RUN\?' appears twice"),
        ({"row5": "R2,walk,1,Would you walk?"}, "one item only on run, walk; a score needs two"),
    ],
)
def test_a_file_that_is_not_in_order_is_refused(own, rows, told):
    with pytest.raises(ValueError, match=told):
        read_inventory(own(**rows))
