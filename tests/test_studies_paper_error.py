"""The error of the paper's figures: known clusters, planted graphs, and figures kept of old."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from book_support import paper_figures

from studies import paper, random_model
from studies.paper.error import NULLS, AgainstNull, as_array, f1_of, without_dependence
from studies.paper.graphs import PaperGraph
from studies.paper.tables import changes_from_first, hard_prompt_counts
from valuegraph.answers import NO_INTERVENTION as NONE
from valuegraph.graph import ValueGraph
from valuegraph.metrics import skeleton_f1


def fixture(name):
    path = Path(__file__).parent / "fixtures" / f"paper_{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


KEPT = fixture("error")
VALUES = [f"v{i}" for i in range(10)]


# ---------------------------------------------------------------- as they have always been


@pytest.mark.parametrize("model", paper.MODELS)
def test_figures_of_the_recorded_scores_are_the_kept_ones(model):
    train, test = (paper.load_recorded_scores(model, split) for split in ("train", "test"))
    kept = KEPT[model]

    def edges(**options):
        x = paper.edges_against_null(train, draws=50, seed=1, **options)
        return [x.observed, x.mean, x.sd, x.p_value]

    for null in NULLS:
        assert edges(null=null) == pytest.approx(kept[f"edges, {null}"])
    assert edges(n=paper.effective_rows(train)) == pytest.approx(kept["edges, n by pair"])
    assert paper.effective_n(train) == pytest.approx(kept["effective_n"], rel=1e-9)
    assert paper.clustering(train).mean().tolist() == pytest.approx(kept["clustering"], rel=1e-9)

    options = {"null": "in step", "null_draws": 3, "seed": 1}
    firm = paper.firmness(train, resamples=40, null_resamples=20, **options)
    at_80, null, at_50, p_value = kept["firmness"]
    assert (firm.observed[80], firm.observed[50], firm.p_value[80]) == (at_80, at_50, p_value)
    assert firm.null[:, 80].tolist() == null

    half, table = paper.half_agreement(train, splits=10, null_splits=4, **options)
    mean, relabelled, null, p_value = kept["halves"]
    assert (half.observed, half.p_value) == pytest.approx((mean, p_value))
    assert table["f1_relabelled"].mean() == pytest.approx(relabelled)
    assert half.null.tolist() == pytest.approx(null)

    kept_graph = fixture(model)["graphs"][model]
    graph = PaperGraph(tuple(train), tuple(map(tuple, kept_graph["raw_edges"])), train.shape)
    reach = {"found": graph.closure}
    role, shown = paper.choices()["steered_role"], paper.choices()["table1_values"]
    gaps = paper.table2_gaps(test, role, reach, draws=49, resamples=20, seed=1)
    for what, gap in kept["gaps"].items():
        assert gaps.loc[(what, "found")].to_dict() == pytest.approx(gap, abs=1e-9)
    special = paper.specificity(train, test, shown, draws=99, seed=1)
    assert special._asdict() == pytest.approx(kept["specificity"])
    for direction, expected in kept["aims"].items():
        result = paper.aim(
            train,
            test,
            paper.load_hard_prompts(model, direction),
            paper.chosen_features(model, direction),
            upwards=direction == "positive",
            resamples=50,
            seed=1,
        )
        assert result._asdict() == pytest.approx(expected, abs=1e-9)


def test_planted_graphs_are_searched_as_before_and_clusters_add_false_edges():
    table = paper.planted(40, values=8, interventions=3, models=3, splits=3, seed=1)
    pd.testing.assert_frame_equal(table, pd.DataFrame(KEPT["planted"]))
    table = paper.planted(100, values=8, interventions=6, between=0.8, models=6, splits=2).sum()
    false_pooled = (table["pooled"] - table["pooled_right"]) / table["pooled"]
    false_alone = (table["roles"] - table["roles_right"]) / table["roles"]
    assert false_pooled > 2 * false_alone


# ---------------------------------------------------------------- rows and clusters


def clustered(by_role, by_intervention, *, roles=60, interventions=8, values=3, seed=0):
    """Scores with known shares of variance; the rest is noise."""
    rng = np.random.default_rng(seed)
    rows = (
        np.sqrt(by_role) * rng.standard_normal((roles, 1, values))
        + np.sqrt(by_intervention) * rng.standard_normal((1, interventions, values))
        + np.sqrt(1 - by_role - by_intervention)
        * rng.standard_normal((roles, interventions, values))
    )
    return frame_of(rows)


def frame_of(rows):
    names = [[f"r{i}" for i in range(len(rows))], [f"f{i}" for i in range(rows.shape[1])]]
    index = pd.MultiIndex.from_product(names, names=["role", "intervention"])
    return pd.DataFrame(rows.reshape(-1, rows.shape[2]), index, VALUES[: rows.shape[2]])


def made(*, effects, between, values=10, seed=0, degree=4.0):
    rng = np.random.default_rng(seed)
    model = random_model(values, rng, degree=degree, low=0.4)
    model = model if effects else model.without_effects()
    return model.scores(80, rng, interventions=6, between=between, shift=0.0)


def test_every_score_is_in_its_place_whatever_the_order_of_rows():
    scores = made(effects=True, between=0.5, values=4)
    rows = as_array(scores)
    assert rows.shape == (80, 7, 4)
    np.testing.assert_array_equal(rows[3, 2], scores.loc[("f2", "role 3")])
    swapped = scores.swaplevel()
    np.testing.assert_array_equal(as_array(swapped), rows)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda s: s.drop(index=("f1", "role 2")), "every intervention; .*'role 2', 'f1'"),
        (lambda s: pd.concat([s, s.iloc[:1]]), "without repeated rows"),
        (lambda s: s.xs(NONE), "need an index .intervention, role."),
        (lambda s: s.assign(v00=1.0), "v00 hardly vary"),
    ],
)
def test_rows_that_cannot_be_pooled_are_refused(break_it, message):
    with pytest.raises(ValueError, match=message):
        as_array(break_it(made(effects=True, between=0.5, values=4)))


@pytest.mark.parametrize("null", NULLS)
def test_each_value_keeps_its_own_scores(null):
    rows = as_array(made(effects=True, between=0.5, values=5))
    mixed = without_dependence(rows, null, np.random.default_rng(1))
    for k in range(5):
        np.testing.assert_array_equal(
            np.sort(mixed[:, :, k], axis=None), np.sort(rows[:, :, k], axis=None)
        )
    by_role = [np.sort(x.mean(axis=1), axis=0) for x in (mixed, rows)]
    assert np.allclose(*by_role) == (null != "rows")
    assert np.allclose(mixed.mean(axis=0), rows.mean(axis=0)) == (null == "in step")


def test_planted_shares_of_variance_come_out():
    table = paper.clustering(clustered(0.5, 0.2, roles=400, interventions=200, values=4))
    assert table["role"].mean() == pytest.approx(0.5, abs=0.03)
    assert table["intervention"].mean() == pytest.approx(0.2, abs=0.03)
    assert table["icc"].mean() == pytest.approx(0.5 / 0.8, abs=0.03)
    rows = np.array([[[1.0, 0], [1, 1]], [[3, 0], [3, 0]], [[5, 1], [5, 0]]])
    assert paper.clustering(frame_of(rows)).loc["v0"].tolist() == [1, 0, 0, 1]
    with pytest.raises(ValueError, match="at least 2 roles and 2 interventions, got 1 and 8"):
        paper.clustering(clustered(0.5, 0.2, roles=1))


@pytest.mark.parametrize(("by_role", "by_intervention"), [(0.6, 0.0), (0.4, 0.3)])
def test_effective_rows_give_the_variance_of_correlations_without_dependence(
    by_role, by_intervention
):
    scores = clustered(by_role, by_intervention)
    rows, rng = as_array(scores), np.random.default_rng(2)
    drawn = [
        np.corrcoef(without_dependence(rows, "clusters", rng).reshape(-1, 3).T) for _ in range(3000)
    ]
    pairs = np.triu_indices(3, 1)
    worth = paper.effective_rows(scores)[pairs]
    # The variance of 3000 draws has a standard error of about 2.6 % of itself.
    np.testing.assert_allclose(np.var(drawn, axis=0)[pairs], 1 / (worth - 1), rtol=0.1)
    assert 1 / (paper.effective_n(scores) - 1) == pytest.approx(np.mean(1 / (worth - 1)))


def test_rows_that_only_repeat_roles_are_worth_as_many_as_there_are_roles():
    rows = np.repeat(np.random.default_rng(1).standard_normal((50, 1, 3)), 7, axis=1)
    np.testing.assert_allclose(paper.effective_rows(frame_of(rows)), 50)


# ---------------------------------------------------------------- nulls


def test_clusters_alone_make_edges_and_the_null_knows_it():
    scores = [made(effects=False, between=0.7, seed=seed) for seed in range(6)]
    results = [paper.edges_against_null(each, draws=60, seed=1) for each in scores]
    assert np.mean([each.observed for each in results]) > 8  # of 45 pairs, at level .05
    observed, null = (np.mean([getattr(x, n) for x in results]) for n in ("observed", "mean"))
    assert null == pytest.approx(observed, rel=0.2)
    plain = paper.edges_against_null(scores[0], null="rows", draws=100)
    honest = paper.edges_against_null(scores[0], n=paper.effective_rows(scores[0]), draws=100)
    for each in (plain, honest):
        assert 0.5 < each.mean / (0.05 * 45) < 1.3


def test_a_graph_stands_out_of_its_null():
    scores = made(effects=True, between=0.3, seed=1)
    result = paper.edges_against_null(scores, draws=99)
    assert result.observed > result.mean + 3 * result.sd and result.p_value == 0.01
    firm = paper.firmness(scores, resamples=40, null_draws=19, null_resamples=20)
    assert firm.observed[80] >= 8 and firm.p_value[80] == 0.05
    assert (np.diff(firm.observed) <= 0).all()
    half, table = paper.half_agreement(scores, splits=10, null_draws=19, null_splits=4)
    assert half.observed > table["f1_relabelled"].mean() + 0.2 and half.p_value == 0.05


def test_p_values_by_hand():
    edges = AgainstNull(5, np.array([3, 5, 6, 2]))
    assert (edges.mean, edges.p_value) == (4, 3 / 5)
    several = AgainstNull(np.array([3, 1]), np.array([[3, 2], [1, 0], [0, 0]]))
    assert several.p_value.tolist() == [2 / 4, 2 / 4]


def test_f1_is_the_metric_of_the_library():
    upper = np.triu(np.random.default_rng(0).random((2, 9, 5, 5)) < 0.3, 1)
    one, other = upper | np.swapaxes(upper, -1, -2)
    one[0] = other[0] = False
    names = tuple("abcde")
    for number, a, b in zip(f1_of(one, other), one, other, strict=True):
        pair = (ValueGraph.from_adjacency(names, x) for x in (a, b))
        assert number == pytest.approx(skeleton_f1(*pair))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: paper.firmness(s, null_draws=0), "at least 1, got .500, 0, 100"),
        (lambda s: paper.half_agreement(s.iloc[:21:7]), "every intervention|at least 4 roles"),
        (lambda s: paper.edges_against_null(s, null="all"), "unknown null 'all'; choose one of"),
    ],
)
def test_options_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(clustered(0.5, 0.2, roles=3, interventions=7))


# ---------------------------------------------------------------- base rates


def volatile(rng, rows=300):
    """Values that change independently of each other, the last five far more often."""
    rates = np.array([0.15] * 5 + [0.8] * 5)
    return pd.DataFrame(rng.random((rows, 10)) < rates, columns=VALUES)


SINKS = paper.closure([(a, b) for a in VALUES[:5] for b in VALUES[5:]], VALUES)


def test_sinks_that_are_only_volatile_have_a_gap_and_nothing_beyond_it():
    gap = paper.gap_beyond_base_rates(volatile(np.random.default_rng(0)), SINKS)
    assert gap.raw > 0.4 and gap.from_base_rates == pytest.approx(gap.raw, abs=0.05)
    assert gap.low < 0 < gap.high and gap.null_low < gap.beyond < gap.null_high
    assert gap.p_value > 0.05 and gap.rows == 300


def test_values_that_change_along_are_seen_beyond_their_rates():
    rng = np.random.default_rng(1)
    changed = volatile(rng)
    edges = [(VALUES[i], VALUES[i + 1]) for i in (0, 2, 4, 6)]
    for a, b in edges:
        along = rng.random(len(changed)) < 0.7
        changed[b] = np.where(along, changed[a], changed[b])
    gap = paper.gap_beyond_base_rates(changed, paper.closure(edges, VALUES))
    assert gap.beyond > 0.1 and gap.low > 0 and gap.p_value < 0.01 and gap.phi_p_value < 0.01
    assert gap.raw == pytest.approx(gap.from_base_rates + gap.beyond)


def test_phi_is_the_correlation_of_changes():
    changed = volatile(np.random.default_rng(6))
    gap = paper.gap_beyond_base_rates(changed, SINKS, draws=9, resamples=2)
    r = changed.astype(float).corr().to_numpy().copy()
    np.fill_diagonal(r, np.nan)
    reach = SINKS.to_numpy()
    sides = [np.nanmean(np.where(side, r, np.nan)[rows], axis=1).mean()
             for side, rows in ((reach, slice(5)), (~reach, slice(None)))]  # fmt: skip
    assert gap.phi == pytest.approx(sides[0] - sides[1])
    changed["v7"] = True  # has no correlation with anything, and is left out
    assert np.isfinite(paper.gap_beyond_base_rates(changed, SINKS, draws=9, resamples=2).phi)


def test_the_raw_gap_is_that_of_table_2_and_rows_of_a_unit_are_drawn_together():
    rng = np.random.default_rng(2)
    index = pd.MultiIndex.from_product(
        [[NONE, "7"], [f"r{i}" for i in range(31)]], names=["intervention", "role"]
    )
    scores = pd.DataFrame(rng.integers(0, 3, (62, 10)).astype(float), index, VALUES)
    scores["v3"] = 1.0  # never changes
    entry = paper.table2(scores, "r0", {"sinks": SINKS})["prompt_sinks"]
    once = changes_from_first(scores.xs(NONE))
    single = paper.gap_beyond_base_rates(once, SINKS, draws=9)
    assert (single.raw, single.rows) == (pytest.approx(entry["gap"]), 30)
    thrice = pd.concat([once] * 3, ignore_index=True)
    as_units = paper.gap_beyond_base_rates(thrice, SINKS, units=list(range(30)) * 3, draws=9)
    assert (as_units.low, as_units.high) == pytest.approx((single.low, single.high))
    as_rows = paper.gap_beyond_base_rates(thrice, SINKS, draws=9)
    assert as_rows.high - as_rows.low < 0.8 * (single.high - single.low)


@pytest.mark.parametrize(
    ("graph", "options", "message"),
    [
        (SINKS, {"draws": 0}, "at least 1 draw and 2 resamples"),
        (SINKS, {"units": ["a"]}, "300 rows need as many units, got 1"),
        (paper.closure([], VALUES), {}, "reaches every value or none"),
    ],
)
def test_gaps_that_cannot_be_had_are_refused(graph, options, message):
    with pytest.raises(ValueError, match=message):
        paper.gap_beyond_base_rates(volatile(np.random.default_rng(0)), graph, **options)


# ---------------------------------------------------------------- features


FEATURES = [str(i) for i in range(5)]


def scores_with(effects, *, roles=40, seed=0, names="r"):
    """Steered scores: effects ``(features, values)`` are added to noise."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(roles, 6))
    index = pd.MultiIndex.from_product(
        [[NONE, *FEATURES], [f"{names}{i}" for i in range(roles)]], names=["intervention", "role"]
    )
    steered = own[None] + effects[:, None] + rng.normal(size=(len(FEATURES), *own.shape))
    table = np.concatenate([own[None], steered]).reshape(-1, 6)
    return pd.DataFrame(table, index, VALUES[:6])


@pytest.fixture
def effects():
    return 1.5 * np.random.default_rng(9).choice([-1, 0, 1], size=(5, 6))


def test_features_with_effects_of_their_own_are_recognised(effects):
    train, test = scores_with(effects), scores_with(effects, seed=1, names="s")
    own = paper.specificity(train, test, VALUES[:6])
    assert own.recognised == 5 and own.same > own.other + 0.05 and own.p_value < 0.05
    assert own.same == pytest.approx(paper.table1(train, test, VALUES[:6])["overall_mean"])
    alike = np.repeat(effects[:1], 5, axis=0)
    same = paper.specificity(scores_with(alike), scores_with(alike, seed=1), VALUES[:6])
    assert same.same == pytest.approx(same.other, abs=0.02) and same.p_value > 0.05


def test_net_shares_are_those_of_the_counts_and_a_choice_on_training_roles_works(effects):
    train, test = scores_with(effects), scores_with(effects, seed=1, names="s")
    prompted = test.xs(NONE, level=0) + 0.5
    steering = {v: FEATURES[int(effects[:, i].argmax())] for i, v in enumerate(VALUES[:6])}
    up = paper.aim(train, test, prompted, steering, upwards=True, resamples=200)
    counts = hard_prompt_counts(test, prompted, steering)
    for way, share in (("sae", up.feature), ("hard", up.instruction)):
        assert share == pytest.approx((counts[way][0] - counts[way][2]) / up.pairs)
    assert up.from_train > up.any_feature + 0.2
    assert up.wide_low <= up.low <= up.difference <= up.high <= up.wide_high
    down = paper.aim(train, test, prompted, steering, upwards=False, resamples=20)
    assert (down.feature, down.instruction) == (-up.feature, -1)


def test_figures_of_the_error_are_drawn():
    scores = clustered(0.5, 0.1, roles=20, values=5)
    edges = {null: paper.edges_against_null(scores, null=null, draws=20) for null in NULLS}
    drawing = paper_figures.plot_null_edges({"one": edges, "two": edges})
    assert [axes.get_title() for axes in drawing.axes] == [
        f"{name}: {edges['rows'].observed} edges" for name in ("one", "two")
    ]
    index = pd.MultiIndex.from_tuples([("role prompts", "graph"), ("features", "graph")])
    gap = paper.gap_beyond_base_rates(volatile(np.random.default_rng(0)), SINKS, draws=9)
    drawing = paper_figures.plot_gaps({"one": pd.DataFrame([gap, gap], index)})
    assert len(drawing.axes) == 2


def test_figures_of_directions_halves_and_features_are_drawn():
    shares = pd.DataFrame({"kept": [1, 0.5], "turned": [0, 0.2], "open": [0, 0.3]})
    drawing = paper_figures.plot_directions({"one": shares, "two": shares[:1]})
    bars = [bar.get_height() for bar in drawing.axes[0].patches]
    assert bars == pytest.approx([100, 50, 0, 30, 0, 20])
    rows = {name: np.array([0.2, 0.4]) for name in ("halves", "permuted", "nothing", "planted")}
    dots = paper_figures.plot_halves({"one": rows, "two": rows}).axes[1].lines
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx([0.3] * 4)
    table = paper.published("gemma")["table1"]["gemma"]
    dots = paper_figures.plot_table1(table).axes[0].lines[0]
    assert list(dots.get_xdata()) == list(table["mean_similarity_10values"].values())
