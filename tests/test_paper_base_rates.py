"""Base rates: a gap that is nothing else, a gap that is more, and sums that have to add up."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

from valuegraph.answers import NO_INTERVENTION
from valuegraph.paper.base_rates import (
    changes_from_first,
    changes_from_unsteered,
    gap_beyond_base_rates,
    table2_gaps,
)
from valuegraph.paper.graphs import closure
from valuegraph.paper.tables import table2, table2_entry
from valuegraph.roles import NO_ROLE

VALUES = [f"v{i}" for i in range(10)]


def volatile(rng, rows=300):
    """Values that change independently of each other, the last five far more often."""
    rates = np.array([0.15] * 5 + [0.8] * 5)
    return pd.DataFrame(rng.random((rows, 10)) < rates, columns=VALUES)


SINKS = closure([(a, b) for a in VALUES[:5] for b in VALUES[5:]], VALUES)


def test_sinks_that_are_only_volatile_have_a_gap_and_nothing_beyond_it():
    gap = gap_beyond_base_rates(volatile(np.random.default_rng(0)), SINKS)
    assert gap.raw > 0.4
    assert gap.from_base_rates == pytest.approx(gap.raw, abs=0.05)
    assert gap.low < 0 < gap.high
    assert gap.null_low < gap.beyond < gap.null_high
    assert gap.p_value > 0.05


def test_values_that_change_along_are_found_beyond_their_rates():
    rng = np.random.default_rng(1)
    changed = volatile(rng)
    edges = [(VALUES[i], VALUES[i + 1]) for i in (0, 2, 4, 6)]
    for a, b in edges:
        along = rng.random(len(changed)) < 0.7
        changed[b] = np.where(along, changed[a], changed[b])
    gap = gap_beyond_base_rates(changed, closure(edges, VALUES))
    assert gap.beyond > 0.1
    assert gap.low > 0
    assert gap.p_value < 0.01
    assert gap.phi_p_value < 0.01
    assert gap.raw == pytest.approx(gap.from_base_rates + gap.beyond)


def test_phi_is_the_correlation_of_changes():
    changed = volatile(np.random.default_rng(6))
    gap = gap_beyond_base_rates(changed, SINKS, draws=9, resamples=2)
    r = changed.astype(float).corr().to_numpy().copy()
    np.fill_diagonal(r, np.nan)
    reach = SINKS.to_numpy()
    sides = [np.nanmean(np.where(side, r, np.nan)[rows], axis=1).mean()
             for side, rows in ((reach, slice(5)), (~reach, slice(None)))]  # fmt: skip
    assert gap.phi == pytest.approx(sides[0] - sides[1])
    changed["v7"] = True  # has no correlation with anything, and is left out
    assert np.isfinite(gap_beyond_base_rates(changed, SINKS, draws=9, resamples=2).phi)


def test_values_that_all_move_together_do_not_speak_for_a_graph_of_volatile_ones():
    rng = np.random.default_rng(7)
    rates = np.array([0.15] * 5 + [0.8] * 5)
    shared = rng.normal(size=(2000, 1))  # some occasions change everything
    noise = rng.normal(size=(2000, 10))
    together = pd.DataFrame((shared + noise) / np.sqrt(2) < ndtri(rates), columns=VALUES)
    gap = gap_beyond_base_rates(together, SINKS)
    assert gap.raw > 0.2
    assert gap.p_value > 0.05
    assert gap.phi_p_value > 0.05


def test_the_raw_gap_is_that_of_table_2():
    rng = np.random.default_rng(2)
    scores = pd.DataFrame(rng.integers(0, 3, (30, 10)).astype(float), columns=VALUES)
    scores["v3"] = 1.0  # never changes
    gap = gap_beyond_base_rates(changes_from_first(scores), SINKS, draws=9, resamples=2)
    assert gap.raw == pytest.approx(table2_entry(scores, SINKS)["gap"])
    assert gap.rows == 29


def test_chance_gives_flat_p_values():
    rng = np.random.default_rng(3)
    found = [
        gap_beyond_base_rates(volatile(rng, rows=60), SINKS, draws=49, resamples=2).p_value
        for _ in range(60)
    ]
    assert 0.3 < np.mean(found) < 0.7


def test_rows_of_a_unit_are_drawn_together():
    rng = np.random.default_rng(4)
    once = volatile(rng, rows=40)
    thrice = pd.concat([once] * 3, ignore_index=True)
    single = gap_beyond_base_rates(once, SINKS, draws=9)
    as_units = gap_beyond_base_rates(thrice, SINKS, units=list(range(40)) * 3, draws=9)
    assert as_units.beyond == pytest.approx(single.beyond)
    assert (as_units.low, as_units.high) == pytest.approx((single.low, single.high))
    as_rows = gap_beyond_base_rates(thrice, SINKS, draws=9)
    assert as_rows.high - as_rows.low < 0.8 * (single.high - single.low)


def test_changes_from_unsteered_are_by_role():
    index = pd.MultiIndex.from_product(
        [[NO_INTERVENTION, "7"], ["Ann", "Bob"]], names=["intervention", "role"]
    )
    scores = pd.DataFrame({"v": [0.0, 1, 0, 0], "w": [1.0, 1, 0, 1]}, index)
    changed = changes_from_unsteered(scores)
    assert changed.loc[("7", "Ann")].tolist() == [False, True]
    assert changed.loc[("7", "Bob")].tolist() == [True, False]


def test_the_gaps_of_table_2_and_of_all_roles():
    rng = np.random.default_rng(5)
    index = pd.MultiIndex.from_product(
        [["7", NO_INTERVENTION, "8", "9"], [NO_ROLE, "Ann", "Bob", "Cy"]],
        names=["intervention", "role"],
    )
    scores = pd.DataFrame(rng.integers(0, 3, (16, 10)).astype(float), index, VALUES)
    graphs = {"sinks": SINKS, "sources": SINKS.T}
    gaps = table2_gaps(scores, "Bob", graphs, draws=9, resamples=5)
    released = table2(scores, "Bob", graphs)
    for comparison, way in (("role prompts", "prompt"), ("features, one role", "sae")):
        for name in graphs:
            assert gaps[f"{comparison}, {name}"].raw == pytest.approx(
                released[f"{way}_{name}"]["gap"]
            )
    assert [gap.rows for gap in gaps.values()] == [2, 2, 3, 3, 9, 9]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 0}, "at least 1 draw and 2 resamples"),
        ({"units": ["a"]}, "300 rows need as many units, got 1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        gap_beyond_base_rates(volatile(np.random.default_rng(0)), SINKS, **options)


def test_a_graph_that_separates_nothing_is_refused():
    with pytest.raises(ValueError, match="reaches every value or none"):
        gap_beyond_base_rates(volatile(np.random.default_rng(0)), closure([], VALUES))
