"""Studies: their tables are there, and hold what the pages say of them."""

import pytest

from valuegraph.studies import STUDIES, load_study


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_its_table(name):
    assert len(load_study(name))


def test_verdicts_are_right_in_nine_of_ten_seeds_at_two_thousand_roles():
    table = load_study("verdicts").query("treatment == 'raw'").set_index(["respondent", "n"])
    for organism, verdict in (("organism-human", "inside"), ("organism-alien", "outside")):
        row = table.loc[(organism, 2000)]
        assert row["runs"] >= 10 and row[verdict] >= 0.9 * row["runs"]
        assert row[f"median_p_{verdict}"] < 0.01
    counts = table[["inside", "outside", "cannot tell"]].sum(axis=1)
    assert (counts == table["runs"]).all()


def test_people_are_rarely_outside_and_nothing_without_structure_is_inside():
    table = load_study("verdicts")
    people = table[table["kind"].isin(["country", "other people"])]
    assert people["outside"].sum() <= 0.03 * people["runs"].sum()
    assert table.loc[table["kind"] == "no structure", "inside"].sum() == 0
    margin = table[table["kind"] == "margin"]
    assert margin["inside"].sum() <= 0.02 * margin["runs"].sum()


def test_an_unknown_study_gets_the_known_ones():
    with pytest.raises(ValueError, match="unknown study 'verdict'.*'verdicts'"):
        load_study("verdict")
