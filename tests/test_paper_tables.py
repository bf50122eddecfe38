"""The tables of the paper on a few rows, against answers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.answers import NO_INTERVENTION as NONE
from valuegraph.paper.graphs import closure
from valuegraph.paper.tables import (
    change_signs,
    co_changes,
    expected_unexpected,
    hard_prompt_counts,
    noise_ratio,
    signature_similarity,
    signatures,
    table1,
    table2,
    table2_entry,
)
from valuegraph.roles import NO_ROLE

ROLES = [NO_ROLE, "Ann", "Bob", "Cy"]


def frame(rows: dict[str, list[tuple[float, float]]], roles=ROLES) -> pd.DataFrame:
    """Scores of two values: one pair (value v, value w) per role."""
    index = pd.MultiIndex.from_product([rows, roles], names=["intervention", "role"])
    return pd.DataFrame(np.vstack(list(rows.values())), index=index, columns=["v", "w"])


@pytest.fixture
def scores():
    return frame(
        {
            NONE: [(0.0, 0.0), (0.5, 0.0), (0.5, -1.0), (1.0, 0.5)],
            "7": [(0.5, 0.0), (1.0, 0.0), (0.5, -0.5), (0.0, 0.5)],
            "8": [(-1.0, 0.0), (0.0, 0.0), (0.0, -1.0), (0.5, 1.0)],
        }
    )


def test_change_is_against_the_unsteered_score_of_the_same_role(scores):
    signs = change_signs(scores)
    assert signs["v"].tolist() == [1, 1, 0, -1, -1, -1, -1, -1]
    assert signs["w"].tolist() == [0, 0, 1, 0, 0, 0, 0, 1]
    assert NONE not in signs.index.get_level_values("intervention")


def test_order_of_rows_plays_no_part(scores):
    shuffled = scores.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(signatures(shuffled), signatures(scores))


def test_signatures_count_roles(scores):
    counts = signatures(scores)
    assert counts.loc[("7", "v"), ["up", "down", "same"]].tolist() == [2, 1, 1]
    assert counts.loc[("7", "w"), ["up", "down", "same"]].tolist() == [1, 0, 3]
    assert counts.loc[("8", "v"), ["up", "down", "same"]].tolist() == [0, 4, 0]
    assert (counts.sum(axis=1) == len(ROLES)).all()


def test_similarity_is_the_cosine_of_shares(scores):
    seen = signatures(scores)
    same = signature_similarity(seen, seen)
    np.testing.assert_allclose(same, 1.0)
    # Twice as many roles with the same shares look the same.
    np.testing.assert_allclose(signature_similarity(seen, 2 * seen), 1.0)
    other = seen.copy()
    other.loc[("7", "v")] = [1, 2, 1]
    found = signature_similarity(seen, other)
    assert found.at["7", "v"] == pytest.approx(5 / 6)  # (2 1 1) . (1 2 1) / (sqrt 6 sqrt 6)
    assert found.at["8", "w"] == pytest.approx(1)


def test_noise_ratio_is_the_mean_of_the_smallest_shares(scores):
    ratio = noise_ratio(signatures(scores))
    assert ratio["v"] == pytest.approx((1 / 4 + 0) / 2)
    assert ratio["w"] == 0


def test_table1_puts_them_together(scores):
    table = table1(scores, scores, ["w", "v"])
    assert table["mean_similarity_10values"] == pytest.approx({"7": 1.0, "8": 1.0})
    assert table["overall_mean"] == pytest.approx(1)
    assert table["noise_ratio"] == {"v": 0.12, "w": 0.0}  # .125 as Python's format prints it


def test_features_are_listed_by_number(scores):
    renamed = scores.rename({"7": "100", "8": "9"}, level=0)
    assert list(table1(renamed, renamed, ["v"])["mean_similarity_10values"]) == ["9", "100"]


@pytest.fixture
def conditions():
    """Five conditions; a changes in rows 1-4, b in rows 1 and 2, c in row 1, d never."""
    return pd.DataFrame(
        {"a": [0, 1, 1, 2, 1], "b": [5, 6, 4, 5, 5], "c": [1, 0, 1, 1, 1], "d": [3] * 5},
        dtype=float,
    )


def test_co_changes_are_shares_of_rows(conditions):
    together = co_changes(conditions)
    assert together.loc["a"].tolist() == [1, 0.5, 0.25, 0]
    assert together.loc["b"].tolist() == [1, 1, 0.5, 0]
    assert together.loc["c"].tolist() == [1, 1, 1, 0]
    assert together.loc["d"].isna().all()


def test_expected_is_the_mean_over_reachable_values(conditions):
    reach = closure([("a", "b"), ("b", "c")], "abcd")
    split = expected_unexpected(co_changes(conditions), reach)
    assert split["expected"].tolist()[:2] == [(0.5 + 0.25) / 2, 0.5]
    assert split["expected"].tolist()[2:] == pytest.approx([np.nan, np.nan], nan_ok=True)
    assert split["unexpected"].tolist()[:3] == [0, (1 + 0) / 2, (1 + 1 + 0) / 3]
    assert np.isnan(split.at["d", "unexpected"])


def test_a_value_on_a_cycle_does_not_expect_itself(conditions):
    reach = closure([("a", "b"), ("b", "a")], "abcd")
    split = expected_unexpected(co_changes(conditions), reach)
    assert split.at["a", "expected"] == 0.5


def test_table2_entry_by_hand(conditions):
    entry = table2_entry(conditions, closure([("a", "b"), ("b", "c")], "abcd"))
    expected, unexpected = [0.375, 0.5], [0, 0.5, 2 / 3]
    assert entry == pytest.approx(
        {
            "mean_expected": np.mean(expected),
            "mean_unexpected": np.mean(unexpected),
            "sd_expected": np.std(expected),
            "sd_unexpected": np.std(unexpected),
            "gap": np.mean(expected) - np.mean(unexpected),
            "n_expected_defined": 2,
            "n_unexpected_defined": 3,
        }
    )


def test_table2_takes_prompts_from_unsteered_rows_and_features_from_one_role(scores):
    reach = closure([("v", "w")], "vw")
    table = table2(scores, "Bob", {"ours": reach, "none": closure([], "vw")})
    assert list(table) == ["prompt_ours", "prompt_none", "sae_ours", "sae_none"]
    # Ann is the base; v changes for Cy only, and so does w; w changes for Bob and Cy.
    assert table["prompt_ours"]["mean_expected"] == 1
    assert table["prompt_ours"]["mean_unexpected"] == 0.5
    # Bob: feature 7 changes w only, feature 8 changes v only.
    assert table["sae_ours"]["mean_expected"] == 0
    assert table["sae_ours"]["mean_unexpected"] == 0
    assert table["sae_none"]["n_expected_defined"] == 0
    moved_last = pd.concat([scores.drop(index=NONE, level=0), scores.loc[[NONE]]])
    assert table2(moved_last, "Bob", {"ours": reach})["sae_ours"] == table["sae_ours"]


def test_hard_prompts_count_up_same_down_of_the_values_aimed_at(scores):
    prompted = frame({NONE: [(1.0, 0.0), (0.5, 1.0), (0.0, -1.0), (1.0, 0.0)]}).loc[NONE]
    extra = pd.concat([prompted, prompted.loc[["Ann"]].rename({"Ann": "Dee"})])
    counts = hard_prompt_counts(scores, extra, {"v": "7", "w": "8"})
    # v under feature 7: up up same down; w under feature 8: same same same up.
    assert counts["sae"] == [3, 4, 1]
    # v when told: up same down same; w when told: same up same down.
    assert counts["hard"] == [2, 4, 2]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda s: pd.concat([s, s.iloc[:1]]), "more than once"),
        (lambda s: s.drop(index=(NONE, "Bob")), "'Bob' has steered scores, but no unsteered"),
        (lambda s: s.drop(index=NONE, level=0), "no row has the intervention 'none'"),
    ],
)
def test_incomplete_scores_are_refused(scores, break_it, message):
    with pytest.raises(ValueError, match=message):
        signatures(break_it(scores))


def test_other_bad_input_is_refused(scores):
    seen = signatures(scores)
    reach = {"ours": closure([], "vw")}
    with pytest.raises(ValueError, match="only one of the two sets"):
        signature_similarity(seen, seen.drop(index="8", level=0))
    with pytest.raises(ValueError, match="got 1 rows"):
        co_changes(scores.iloc[:1])
    with pytest.raises(ValueError, match="'Dee'"):
        table2(scores, "Dee", reach)
    told = scores.loc[NONE]
    with pytest.raises(ValueError, match="intervention '9'"):
        hard_prompt_counts(scores, told, {"v": "9"})
    with pytest.raises(ValueError, match="'Cy' has no scores under the instruction"):
        hard_prompt_counts(scores, told.drop(index="Cy"), {"v": "7"})
