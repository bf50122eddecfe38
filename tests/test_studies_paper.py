"""The paper's graph, tables and figures: by hand, and exactly as released."""

import json
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from book_support import paper_figures

from studies import paper, random_model
from studies.paper import orders, recorded, tables
from studies.paper.graphs import PaperGraph, paper_skeletons, transitive_reduction
from valuegraph import downloads
from valuegraph.answers import NO_INTERVENTION as NONE
from valuegraph.graph import ValueGraph
from valuegraph.inventory import load_inventory
from valuegraph.metrics import shd, skeleton_f1
from valuegraph.roles import NO_ROLE

FIXTURES = Path(__file__).parent / "fixtures"
KEPT = {
    model: json.loads((FIXTURES / f"paper_{model}.json").read_text(encoding="utf-8"))
    for model in paper.MODELS
}
REFERENCES = json.loads((FIXTURES / "paper_reference_graphs.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def figures():
    """What `reproduce` returns, by model."""
    return {model: paper.reproduce(model) for model in paper.MODELS}


def leaves(figures, path=()):
    """Every figure with its path; a list counts as one figure."""
    if not isinstance(figures, dict):
        return {path: figures}
    return {p: x for key, inner in figures.items() for p, x in leaves(inner, (*path, key)).items()}


def assert_same(now, kept):
    now, kept = (leaves({k: x for k, x in each.items() if k != "versions"}) for each in (now, kept))
    assert now.keys() == kept.keys()
    for path, number in kept.items():
        if isinstance(number, float):
            assert now[path] == pytest.approx(number, rel=0, abs=1e-9), path
        else:
            assert now[path] == number, path


# ---------------------------------------------------------------- as released


@pytest.mark.parametrize("model", paper.MODELS)
def test_every_figure_is_the_kept_one(figures, model):
    assert_same(figures[model], KEPT[model])
    assert figures[model]["versions"]["causal-learn"] == metadata.version("causal-learn")
    assert json.loads(json.dumps(figures[model])) == figures[model]


def test_computed_figures_stand_beside_the_released_ones(figures):
    for part in paper.PARTS:
        table = paper.beside_published(figures["gemma"], "gemma", part)
        assert table["difference"].abs().max() < 1e-9
        assert not table.isna().any(axis=None)
        if part != "table1":  # Llama's is released with two decimals
            table = paper.beside_published(figures["llama"], "llama", part)
            assert not table["difference"].abs().max() > 1e-9
    table = paper.beside_published(figures["llama"], "llama", "table1")
    assert table["difference"].abs().max() < 0.005
    for model in paper.MODELS:
        assert paper.same_edges(figures[model], model)
    table = paper.beside_published(figures["gemma"], "gemma", "table2")
    released = KEPT["gemma"]["table2"]["gemma"]["sae_refs"]["gap"]
    assert table.loc["sae_refs / gap", "released"] == released and len(table) == 28


@pytest.mark.parametrize(("model", "roles"), [("gemma", (101, 26)), ("llama", (74, 17))])
def test_recorded_rows_are_roles_by_unsteered_and_ten_features(model, roles):
    for split, n in zip(recorded.SPLITS, roles, strict=True):
        scores = paper.load_recorded_scores(model, split)
        assert scores.shape == (11 * n, 17) and not scores.index.has_duplicates
        assert scores.index.names == ["intervention", "role"]
        kept = set(scores.index.unique("intervention"))
        assert kept == {NONE, *map(str, paper.choices()["features"][model])}
        everything = paper.load_recorded_scores(model, split, all_features=True)
        assert len(everything) == 25 * n and everything.loc[scores.index].equals(scores)
    assert tuple(scores.columns) == tuple(paper.choices()["values"])
    prompted = paper.load_hard_prompts(model, "positive")
    assert prompted.index[0] == NO_ROLE and prompted.shape[1] == 17


def test_the_package_holds_the_released_figures_and_the_reference_graphs():
    released = paper.published("gemma")
    assert_same({k: released[k] for k in paper.PARTS}, {k: KEPT["gemma"][k] for k in paper.PARTS})
    for name, edges in REFERENCES.items():
        if name != "note":
            assert paper.reference_graph(name) == [tuple(edge) for edge in edges]


def test_drawings_need_no_scores():
    released = paper.published("gemma")
    svg = paper_figures.draw_paper_graph(released["graphs"]["gemma"], caption="28 arrows").svg
    if "Graphviz" not in svg:  # where the program is missing, words take its place
        assert svg.count('class="edge"') == 28 - 3  # six arrows make three lines without heads
    for value in paper.choices()["values"]:
        assert value in svg
    for model in paper.MODELS:
        paper_figures.plot_table2(paper.published(model)["table2"][model])
    bars = paper_figures.plot_pies(released["pies"]).axes[0].patches
    widths = [100 * up / 260 for up in (16, 21, 82, 58)]
    assert [bar.get_width() for bar in bars[:4]] == pytest.approx(widths)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paper.reproduce("gpt"), "unknown model 'gpt'; choose one of gemma, llama"),
        (lambda: paper.load_recorded_scores("gemma", "dev"), "unknown split 'dev'"),
        (lambda: paper.load_hard_prompts("gemma", "up"), "unknown direction 'up'"),
        (lambda: paper.reference_graph("human"), "unknown reference graph 'human'"),
        (lambda: paper.beside_published({}, "gemma", "table3"), "unknown part 'table3'"),
        (lambda: paper.published("gpt"), "unknown model 'gpt'"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------- the packed tables


def test_roles_are_numbers_and_the_table_is_small():
    path = recorded._file("scores.parquet")
    table = pd.read_parquet(path)
    assert table.columns.tolist() == ["file", "feature", "role", *paper.choices()["values"]]
    assert set(table["file"]) == set(recorded.ORIGINALS) and path.stat().st_size < 100_000
    assert table["role"].unique().tolist() == [-1, *range(1, 126)]
    parts = table[table["role"] > 0].groupby("file", observed=True)["role"]
    ends = {file: (part.min(), part.max()) for file, part in parts}
    assert ends["gemma/train"] == (1, 100) and ends["gemma/test"] == (101, 125)
    assert paper.choices()["steered_role"] == "role 116"


@pytest.mark.skipif(
    not downloads.available(recorded.ORIGINALS.values()),
    reason="set VALUEGRAPH_DATA to a folder with the files of Kang et al., or fetch them once",
)
def test_the_table_is_what_the_original_files_hold():
    table, numbers = pd.read_parquet(recorded._file("scores.parquet")), {}
    for file, name in recorded.ORIGINALS.items():
        ours, theirs = table[table["file"] == file], pd.read_csv(downloads.fetch(name))
        for role in theirs["player_name"].dropna():
            numbers.setdefault(role, len(numbers) + 1)
        assert ours["role"].tolist() == [numbers.get(x, -1) for x in theirs["player_name"]]
        assert ours["feature"].tolist() == theirs["steer_dim"].fillna(-1).tolist()
        values = [c for c in theirs.columns[2:] if f"{c}:scstd" in theirs]
        assert values == ours.columns[3:].tolist()
        # Releases of pandas read the last digit of a CSV file differently.
        np.testing.assert_allclose(ours[values], theirs[values].astype(float), rtol=1e-14)


@pytest.mark.skipif(
    not downloads.available(["value_orientation.csv"]),
    reason="set VALUEGRAPH_DATA to a folder with value_orientation.csv, or fetch it once",
)
def test_questions_are_counted_as_the_inventory_has_them():
    bench = load_inventory("valuebench17")
    labels = bench.items["value"].map(bench.values["label"].str.lower())
    counts, ours = pd.crosstab(labels, -bench.items["key"]), paper.questions()
    assert ours.index.tolist() == paper.choices()["values"] and ours.sum().sum() == 354
    assert ours.to_numpy().tolist() == counts.loc[ours.index.str.lower()].to_numpy().tolist()


# ---------------------------------------------------------------- the graph


def reaches(edges, values):
    table = paper.closure(edges, values)
    return {(a, b) for a in values for b in values if table.at[a, b]}


def test_closure_and_reduction_by_hand():
    assert reaches([("a", "b"), ("b", "a")], "abc") == {
        ("a", "b"), ("b", "a"), ("a", "a"), ("b", "b"),
    }  # fmt: skip
    chain = [("a", "b"), ("b", "c"), ("c", "d")]
    assert transitive_reduction([("a", "d"), *chain, ("a", "c")]) == chain
    # Both ways between b and c: either arrow from a will do, and the first one in the list goes.
    both_ways = [("b", "c"), ("c", "b")]
    assert transitive_reduction([("a", "b"), ("a", "c"), *both_ways]) == [("a", "c"), *both_ways]
    assert transitive_reduction([("a", "c"), ("a", "b"), *both_ways]) == [("a", "b"), *both_ways]


def test_reduction_keeps_what_is_reached_and_is_minimal():
    rng = np.random.default_rng(0)
    for _ in range(10):
        pairs = [(a, b) for a in "abcdef" for b in "abcdef" if a != b and rng.random() < 0.35]
        left = transitive_reduction(pairs)
        assert reaches(left, "abcdef") == reaches(pairs, "abcdef")
        for edge in left:
            assert reaches([e for e in left if e != edge], "abcdef") != reaches(left, "abcdef")


def graph(*edges, values="abcd"):
    return PaperGraph(tuple(values), edges, (30, len(values)))


def test_figures_by_hand():
    small = graph(("a", "b", "->"), ("c", "a", "->"), ("b", "c", "--"), ("c", "d", "->"))
    assert small.expanded == [("a", "b"), ("c", "a"), ("b", "c"), ("c", "b"), ("c", "d")]
    numbers = small.figures()
    assert [numbers[f"n_{x}"] for x in ("raw", "undirected", "expanded", "reduced")] == [4, 1, 5, 4]
    # a, b and c reach each other and d; d reaches nothing: 3 x 3 of the 12 ordered pairs.
    assert (numbers["closure_size"], numbers["closure_fraction"]) == (9, 0.75)
    # c -> b goes, since c -> a -> b leads there too.
    assert numbers["reduced"] == [["a", "b"], ["b", "c"], ["c", "a"], ["c", "d"]]
    assert numbers["scc_directed_only"] == []
    ring = graph(("b", "c", "->"), ("a", "b", "->"), ("c", "a", "->"), ("c", "d", "->"))
    assert ring.directed_cycles == [["a", "b", "c"]]


def test_the_search_finds_a_collider_and_leaves_a_chain_without_direction():
    noise = np.random.default_rng(1).normal(size=(2000, 6))
    x, y, p = noise[:, 0], noise[:, 1], noise[:, 3]
    q = p + noise[:, 4]
    table = {"x": x, "y": y, "z": x + y + noise[:, 2], "p": p, "q": q, "r": q + noise[:, 5]}
    search = paper.paper_graph(pd.DataFrame(table))
    expected = {("x", "z", "->"), ("y", "z", "->"), ("p", "q", "--"), ("q", "r", "--")}
    assert set(search.raw_edges) == expected and search.shape == (2000, 6)


def test_all_skeletons_at_once_are_those_of_the_search_one_by_one():
    scores = [
        random_model(7, np.random.default_rng(seed)).scores(60, np.random.default_rng(seed + 1))
        for seed in range(4)
    ]
    correlations = np.stack([s.corr().to_numpy() for s in scores])
    together = paper_skeletons(correlations, 60)
    for own, table in zip(together, scores, strict=True):
        np.testing.assert_array_equal(own, paper.paper_graph(table).skeleton.skeleton)
    assert 0 < together.sum() < together.size / 2
    by_pair = paper_skeletons(correlations, np.full((7, 7), 60.0))
    np.testing.assert_array_equal(by_pair, together)


# ---------------------------------------------------------------- side by side


def test_distance_is_that_of_value_graphs_and_the_order_of_values_plays_no_part():
    rng = np.random.default_rng(0)
    for _ in range(10):
        kinds = rng.choice(["->", "--", ""], size=(2, 6))
        places = list(zip(*np.triu_indices(4, 1), strict=True))
        edges = [
            [("abcd"[i], "abcd"[j], k) for (i, j), k in zip(places, row, strict=True) if k]
            for row in kinds
        ]
        one, other = (graph(*each) for each in edges)
        pair = [ValueGraph.from_adjacency(tuple("abcd"), x.adjacency) for x in (one, other)]
        assert paper.paper_shd(one, other) == shd(*pair)
        turned = PaperGraph(tuple("dbca"), other.raw_edges, other.shape)
        assert paper.paper_shd(one, turned) == shd(*pair)


def test_directions_by_hand():
    own = graph(("a", "b", "->"), ("b", "c", "->"), ("c", "d", "--"))
    turned = graph(("b", "a", "->"), ("b", "c", "->"), ("d", "c", "->"), values="badc")
    vague = graph(("a", "b", "--"), ("b", "c", "->"), ("c", "d", "<->"))
    table = paper.directions(own, [turned, vague])
    assert list(table.index) == [("b", "c"), ("a", "b")]
    assert table.loc[("b", "c")].tolist() == [1, 0, 0]
    assert table.loc[("a", "b"), ["kept", "turned", "open"]].tolist() == [0, 0.5, 0.5]


def test_shuffles_keep_the_adjacencies_and_the_seed_decides():
    rng = np.random.default_rng(1)
    scores = random_model(6, rng, degree=3).scores(60, rng)
    one, two = (paper.column_orders(scores, orders=3, seed=2) for _ in range(2))
    assert [g.values for g in one] == [g.values for g in two]
    assert len({g.values for g in one}) == 3
    assert all(g.skeleton == paper.paper_graph(scores).skeleton for g in one)


def test_agreements_of_lists_of_edges_by_hand():
    values = tuple("abcdefgh")
    ring = paper.undirected([(values[i], values[(i + 1) % 8]) for i in range(8)], values)
    star = paper.undirected([("a", v) for v in "bcdefgh"], values)
    table = orders.agreements({"ring": ring, "same": ring, "star": star}, draws=199, seed=1)
    table = table.set_index(["a", "b"])
    assert table.loc[("ring", "same"), ["shared", "shd", "f1", "p_value"]].tolist() == [
        8, 0, 1, 0.005,
    ]  # fmt: skip
    row = table.loc[("ring", "star")]
    assert (row["shared"], row["shd"]) == (2, 11)
    # Wherever the star's centre stands, it has two neighbours on the ring.
    assert row["f1"] == skeleton_f1(ring, star) == pytest.approx(row["f1_relabelled"])
    both_ways = paper.undirected([("a", "b"), ("b", "a"), ("b", "c"), ("c", "a")], values)
    assert both_ways.undirected_edges == [("a", "b"), ("a", "c"), ("b", "c")]


# ---------------------------------------------------------------- the tables


def frame(rows):
    """Scores of two values: one pair (value v, value w) per role."""
    roles = [NO_ROLE, "Ann", "Bob", "Cy"]
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


def test_changes_and_signatures_by_hand(scores):
    shuffled = scores.sample(frac=1, random_state=0)
    signs = tables.change_signs(scores)
    assert signs["v"].tolist() == [1, 1, 0, -1, -1, -1, -1, -1]
    assert signs["w"].tolist() == [0, 0, 1, 0, 0, 0, 0, 1]
    assert paper.changes_from_unsteered(scores).equals(signs != 0)
    shares = tables.signatures(shuffled)
    assert shares.loc[("7", "v"), ["up", "down", "same"]].tolist() == [0.5, 0.25, 0.25]
    assert shares.loc[("8", "v"), ["up", "down", "same"]].tolist() == [0, 1, 0]


def test_table1_by_hand(scores):
    table = paper.table1(scores, scores, ["w", "v"])
    assert table["mean_similarity_10values"] == pytest.approx({"7": 1.0, "8": 1.0})
    assert table["noise_ratio"] == {"v": 0.12, "w": 0.0}  # .125 as Python's format prints it
    renamed = scores.rename({"7": "100", "8": "9"}, level=0)
    assert list(paper.table1(renamed, renamed, ["v"])["mean_similarity_10values"]) == ["9", "100"]
    similar = tables.feature_similarity(scores, scores, ["v"])
    # (2 1 1) . (0 4 0) / (sqrt 6 * 4)
    assert similar.at["7", "8"] == pytest.approx(1 / np.sqrt(6))


def test_co_changes_are_split_by_what_can_be_reached():
    rows = pd.DataFrame(
        {"a": [0, 1, 1, 2, 1], "b": [5, 6, 4, 5, 5], "c": [1, 0, 1, 1, 1], "d": [3] * 5}
    )
    together, base = tables.change_rates(tables.changes_from_first(rows).to_numpy(float))
    np.testing.assert_allclose(together[0], [1, 0.5, 0.25, 0])
    np.testing.assert_allclose(base[2], [1, 0.5, 0.25, 0])
    assert np.isnan(together[3]).all()
    reach = paper.closure([("a", "b"), ("b", "c")], "abcd").to_numpy()
    expected, unexpected = tables.expected_unexpected(together, reach)
    np.testing.assert_allclose(expected, [0.375, 0.5, np.nan, np.nan])
    np.testing.assert_allclose(unexpected, [0, 0.5, 2 / 3, np.nan])
    assert tables.gap_of(together, reach) == pytest.approx(0.4375 - np.mean([0, 0.5, 2 / 3]))
    cycle = paper.closure([("a", "b"), ("b", "a")], "abcd").to_numpy()
    assert tables.expected_unexpected(together, cycle)[0][0] == 0.5  # a does not expect itself


def test_table2_takes_prompts_from_unsteered_rows_and_features_from_one_role(scores):
    table = paper.table2(scores, "Bob", {"ours": paper.closure([("v", "w")], "vw")})
    # Ann is the base; v changes for Cy only, and so does w; w changes for Bob and Cy.
    assert table["prompt_ours"]["mean_expected"] == 1
    assert table["prompt_ours"]["mean_unexpected"] == 0.5
    nothing = paper.table2(scores, "Bob", {"none": paper.closure([], "vw")})["sae_none"]
    assert nothing["n_expected_defined"] == 0 and np.isnan(nothing["gap"])
    # Bob: feature 7 changes w only, feature 8 changes v only.
    assert table["sae_ours"]["mean_expected"] == table["sae_ours"]["mean_unexpected"] == 0
    moved_last = pd.concat([scores.drop(index=NONE, level=0), scores.loc[[NONE]]])
    again = paper.table2(moved_last, "Bob", {"ours": paper.closure([("v", "w")], "vw")})
    assert again["sae_ours"] == table["sae_ours"]


def test_hard_prompts_count_up_same_down_of_the_values_aimed_at(scores):
    prompted = frame({NONE: [(1.0, 0.0), (0.5, 1.0), (0.0, -1.0), (1.0, 0.0)]}).loc[NONE]
    counts = tables.hard_prompt_counts(scores, prompted, {"v": "7", "w": "8"})
    assert counts == {"sae": [3, 4, 1], "hard": [2, 4, 2]}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: tables.signatures(pd.concat([s, s.iloc[:1]])), "more than once"),
        (lambda s: tables.signatures(s.drop(index=(NONE, "Bob"))), "'Bob' has steered scores, but"),
        (lambda s: tables.signatures(s.drop(index=NONE, level=0)), "no row has the intervention"),
        (lambda s: tables.feature_similarity(s, s.drop(index="8", level=0), ["v"]), "only one of"),
        (lambda s: tables.changes_from_first(s.iloc[:1]), "got 1 rows"),
        (lambda s: paper.table2(s, "Dee", {}), "no unsteered scores of role 'Dee'"),
    ],
)
def test_incomplete_scores_are_refused(scores, call, message):
    with pytest.raises(ValueError, match=message):
        call(scores)
