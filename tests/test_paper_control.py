"""Planted graphs: what is counted is consistent, and more roles find more."""

import pandas as pd

from valuegraph.paper.control import planted


def test_more_roles_find_more_of_the_truth_and_the_seed_decides():
    few, many = (
        planted(roles, values=8, interventions=3, models=4, splits=3) for roles in (40, 300)
    )
    for table in (few, many):
        assert (table["pooled_right"] <= table[["pooled", "true"]].min(axis=1)).all()
        assert (table["roles_right"] <= table[["roles", "true"]].min(axis=1)).all()
        assert table["halves"].between(0, 1).all()
    assert (many["roles_right"] / many["true"]).mean() > (few["roles_right"] / few["true"]).mean()
    assert (many["roles_right"] / many["true"]).mean() > 0.8
    assert many["halves"].mean() > few["halves"].mean()
    again = planted(40, values=8, interventions=3, models=4, splits=3)
    pd.testing.assert_frame_equal(few, again)


def test_clusters_add_false_edges_to_pooled_rows_only():
    table = planted(100, values=8, interventions=6, between=0.8, models=6, splits=2).sum()
    false_pooled = (table["pooled"] - table["pooled_right"]) / table["pooled"]
    false_alone = (table["roles"] - table["roles_right"]) / table["roles"]
    assert false_pooled > 2 * false_alone
