"""ValueBench is prepared by the stated rules; facts about its file hold where the file is here."""

import re

import pandas as pd
import pytest

from valuegraph import valuebench
from valuegraph.datasets import DataUnavailable, available
from valuegraph.inventory import Inventory, load_inventory
from valuegraph.splitting import split_items
from valuegraph.valuebench import FILE, PAPER_ROWS, tables_of, value_codes, valuebench_tables

needs_file = pytest.mark.skipif(
    not available(FILE),
    reason=f"{FILE} is not here: set VALUEGRAPH_DATA to a folder with it, or fetch it once",
)

# questionnaire, value, agreement, question; what becomes of each is said behind it
ROWS = [
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


@pytest.fixture
def rows():
    table = pd.DataFrame(ROWS, columns=["questionnaire", "value", "agreement", "question"])
    return table.assign(item="a statement")


# ------------------------------------------------------------------------------ the rules


def test_tables_make_an_inventory(rows):
    items, values = tables_of(rows)
    inventory = Inventory("made", items, values)
    assert inventory.codes == ("JoySon", "Res", "Spo")
    assert inventory.values["label"].tolist() == ["Joy of Song", "Rest", "Sport"]
    assert inventory.values["phrase"].tolist() == ["joy of song", "rest", "sport"]
    assert inventory.values["group"].tolist() == ["Q1, Q2", "Q4", "Q3"]


def test_items_stand_by_value_and_are_named_after_their_rows(rows):
    items, _ = tables_of(rows)
    assert items["item"].tolist() == "JoySon2 JoySon3 JoySon5 Res10 Res11 Spo6 Spo8".split()
    for item, row in zip(items.itertuples(), (0, 1, 3, 8, 9, 4, 6), strict=True):
        told = rows.iloc[row]
        assert (item.key, item.text) == (told["agreement"], told["question"])
        assert item.questionnaire == told["questionnaire"]


def test_a_question_of_two_values_is_left_out_of_both(rows):
    assert not tables_of(rows)[0]["text"].str.lower().str.contains("running fun").any()


def test_a_question_is_shared_only_among_the_values_asked_for(rows):
    # Rest has too few rows to be asked about, so it claims no question.
    enough = rows.drop(index=9)
    items, values = tables_of(enough, min_rows=3)
    assert values.index.tolist() == ["JoySon", "Spo"]
    assert items["text"].str.contains("running fun").sum() == 1


def test_rows_are_counted_as_they_stand_in_the_file(rows):
    assert tables_of(rows, min_rows=4)[1].index.tolist() == ["JoySon"]
    with pytest.raises(ValueError, match="no value of ValueBench has 5 rows"):
        tables_of(rows, min_rows=5)


def test_a_file_without_its_columns_is_refused(rows):
    with pytest.raises(ValueError, match="ValueBench: column agreement is missing"):
        tables_of(rows.drop(columns="agreement"))


def test_codes_are_short_and_differ_even_without_capitals():
    names = ["Social", "Sociability", "Order", "Orderliness", "Fear of Losing Face", "Anxiety"]
    names += ["Anxiety Disorder", "Modesty", "Moderation", "Self-Direction", "Loyalty"]
    codes = value_codes(names)
    assert codes == {
        "Social": "Social",
        "Sociability": "Sociability",
        "Order": "Order",
        "Orderliness": "Orderliness",
        "Fear of Losing Face": "FeaLosFac",
        "Anxiety": "Anx",
        "Anxiety Disorder": "AnxDis",
        "Modesty": "Modesty",
        "Moderation": "Moderation",
        "Self-Direction": "SelDir",
        "Loyalty": "Loy",
    }
    assert value_codes(["Modest", "Modern"]) == {"Modest": "Modest", "Modern": "Modern"}
    assert value_codes(["Control", "Contrast", "Console"])["Console"] == "Cons"


def test_names_that_are_too_much_alike_are_refused():
    with pytest.raises(ValueError, match="'Self-Harm', 'Self harm' are too much alike"):
        value_codes(["Self-Harm", "Self harm", "Joy"])


def test_inventories_by_name_are_made_of_the_fetched_file(rows, tmp_path, monkeypatch):
    many = pd.concat([rows, *[rows.assign(question=rows["question"] + f" {i}") for i in range(6)]])
    many.to_csv(tmp_path / FILE, index=False)
    monkeypatch.setattr(valuebench, "fetch", lambda name: tmp_path / name)
    everything, largest = load_inventory("valuebench"), load_inventory("valuebench17")
    assert everything.codes == ("Alo", "JoySon", "Res", "Spo")
    assert largest.codes == ("JoySon", "Res", "Spo")
    assert (everything.name, largest.name) == ("valuebench", "valuebench17")


def test_without_the_file_it_is_told_where_it_comes_from(monkeypatch, tmp_path):
    monkeypatch.setenv("VALUEGRAPH_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable, match=FILE):
        load_inventory("valuebench17")


# ------------------------------------------------------------------------------ the file itself


@pytest.fixture(scope="module")
def paper():
    return load_inventory("valuebench17")


@needs_file
def test_the_seventeen_values_are_those_of_the_paper(paper):
    named = (
        "Achievement, Aesthetic, Anxiety Disorder, Breadth of Interest, Economic, Empathy, "
        "Organization, Political, Positive coping, Religious, Resilience, Social, "
        "Social Complexity, Social Cynicism, Theoretical, Uncertainty Avoidance, Understanding"
    )
    assert paper.values["label"].tolist() == named.split(", ")


@needs_file
def test_eight_of_the_seventeen_are_keyed_positively_only(paper):
    only = paper.keying.index[paper.keying["negative"] == 0]
    assert paper.values.loc[only, "label"].tolist() == [
        "Aesthetic",
        "Economic",
        "Political",
        "Religious",
        "Resilience",
        "Social",
        "Social Cynicism",
        "Theoretical",
    ]
    assert (paper.keying["positive"] > 0).all()


@needs_file
def test_the_documentation_tells_the_numbers_that_hold(paper):
    told = re.sub(r"\s+", " ", valuebench_tables.__doc__)
    file = pd.read_csv(valuebench.fetch(FILE), keep_default_na=False)
    file["name"] = file["value"].str.lower()
    file["asked"] = file["question"].str.strip().str.lower()
    rows_of = file["name"].map(file["name"].value_counts())
    for asked, name, sentence in (
        (file, "valuebench", "All values: of {rows} rows, {again} go"),
        (file[rows_of >= PAPER_ROWS], "valuebench17", "of {rows} rows, {again} go"),
    ):
        once = asked.drop_duplicates(["asked", "name"])
        shared = once[once["asked"].duplicated(keep=False)]
        questions = shared["asked"].nunique()
        numbers = {"rows": len(asked), "again": len(asked) - len(once)}
        assert sentence.format(**numbers) in told
        assert f"{questions} questions ({len(shared)} rows)" in told
        inventory = load_inventory(name)
        counts = inventory.items["value"].value_counts()
        assert f"{len(inventory.items)} items" in told
        assert (counts >= 2).all()
        keys = shared.groupby("asked")["agreement"].nunique()
        if name == "valuebench":
            assert f"{(keys > 1).sum()} of them with keys that contradict" in told
            assert f"{len(inventory.items)} items of {len(inventory.codes)} values" in told
        else:
            assert (keys == 1).all()
            assert (counts.min(), counts.idxmin()) == (14, "BreInt")
            assert (counts.max(), counts.idxmax()) == (28, "PosCop")
    assert file["value"].nunique() == 224
    assert file["name"].nunique() == 222


@needs_file
def test_the_same_item_has_the_same_name_in_both_inventories(paper):
    everything = load_inventory("valuebench").items.set_index("item")
    both = paper.items[paper.items["item"].isin(everything.index)]
    assert len(both) > 250
    assert (everything.loc[both["item"], "text"].to_numpy() == both["text"].to_numpy()).all()


@needs_file
def test_items_are_divided_within_each_value(paper):
    train, test = split_items(paper, share=0.5, seed=0)
    assert train.codes == test.codes == paper.codes
    assert ((train.keying - test.keying).abs() <= 1).all(axis=None)
