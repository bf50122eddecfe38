"""The shipped questionnaire keeps its promises; inventories that are not in order are refused."""

import pandas as pd
import pytest

from valuegraph.inventory import SCHWARTZ_ORDER, Inventory, load_inventory


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
    with pytest.raises(ValueError, match=r"'pvq'.*'schwartz10'"):
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
