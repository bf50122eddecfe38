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


def test_the_graph_tells_side_effects_where_pushes_are_pushes_of_causes():
    table = load_study("side_effects").query("part == 'answer'")
    table = table.set_index(["respondent", "interventions_by", "predictor"]).sort_index()
    for organism in ("organism-human", "organism-alien"):
        for kind in ("features", "words"):
            skill = table.loc[(organism, kind), "skill"]
            assert skill["true effects"] > 0.9 and skill["LiNGAM graph"] > 0.9
            assert skill["true class"] > skill["graph"] > skill["correlation"] > skill["circle"]
        # A difference of means is no push of one cause: there, correlations are right.
        row = table.loc[(organism, "directions", "correlation")]
        assert row["skill"] > 0.9 and row["lead_high"] < 0
    alien = table.loc[("organism-alien", ["features", "words"], "correlation"), "lead_low"]
    assert (alien > 0).all()


def test_neither_graph_nor_correlations_tell_the_side_effects_of_recorded_features():
    table = load_study("side_effects").query("part == 'answer'")
    table = table[table["interventions_by"].str.contains("items")]
    assert table["respondent"].nunique() == 2
    for _, rows in table.groupby(["respondent", "interventions_by"]):
        skill = rows.set_index("predictor")["skill"]
        assert abs(skill[["graph", "correlation"]]).max() < 0.03
    same = table[table["interventions_by"].str.contains("same")].set_index("predictor")
    assert (same.loc["noise ceiling", "skill"] > 0.7).all()


def test_an_unknown_study_gets_the_known_ones():
    with pytest.raises(ValueError, match="unknown study 'verdict'.*'verdicts'"):
        load_study("verdict")
