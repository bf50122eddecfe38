"""Graphs: what is a graph, agreement with causal-learn and gadjid, drawings."""

import itertools
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from valuegraph.graphs.drawing import NO_DOT, circle_positions
from valuegraph.graphs.graph import ValueGraph, cpdag_of
from valuegraph.graphs.orientation import arrows, colliders, meek_closure, orient, reachable
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.palette import GROUP_COLOURS, INK, OTHER_COLOUR, contrast, schwartz_groups, text_on

SVG = "{http://www.w3.org/2000/svg}"
LIGHT, DARK = "#FFFFFF", "#121212"


def random_dag(rng, d, density=0.35):
    order = rng.permutation(d)
    return np.triu(rng.random((d, d)) < density, 1)[np.ix_(order, order)]


def names(d):
    return tuple(f"v{i}" for i in range(d))


def causal_learn_cpdag(dag):
    from causallearn.graph.Dag import Dag
    from causallearn.graph.GraphNode import GraphNode
    from causallearn.utils.DAG2CPDAG import dag2cpdag

    nodes = [GraphNode(name) for name in names(len(dag))]
    graph = Dag(nodes)
    for i, j in np.argwhere(dag):
        graph.add_directed_edge(nodes[i], nodes[j])
    marks = dag2cpdag(graph).graph
    # causal-learn: -1 at [i, j] is a tail at i, so the edge may point from i to j.
    return marks == -1


def markov_equivalent_dags(dag):
    """All DAGs with the skeleton and the unshielded colliders of `dag`, by brute force."""
    pairs = np.argwhere(dag)
    for flips in itertools.product((False, True), repeat=len(pairs)):
        other = np.zeros_like(dag)
        for (i, j), flip in zip(pairs, flips, strict=True):
            other[(j, i) if flip else (i, j)] = True
        acyclic = not np.diag(reachable(other)).any()
        if acyclic and (collider_triples(other) == collider_triples(dag)):
            yield other


def collider_triples(dag):
    skeleton = dag | dag.T
    return {
        (i, k, j)
        for k in range(len(dag))
        for i, j in itertools.combinations(np.flatnonzero(dag[:, k]), 2)
        if not skeleton[i, j]
    }


# what is a graph


def test_edges_survive_the_round_trip():
    directed, undirected = [("a", "b"), ("c", "b")], [("c", "d")]
    graph = ValueGraph.from_edges("a b c d e".split(), directed=directed, undirected=undirected)
    assert graph.directed_edges == directed
    assert graph.undirected_edges == undirected
    assert graph.n_edges == 3
    assert (graph.skeleton == graph.skeleton.T).all()
    assert ValueGraph(graph.values, graph.adjacency) == graph


def test_a_reordered_graph_is_the_same_graph():
    rng = np.random.default_rng(0)
    graph = cpdag_of(random_dag(rng, 8), names(8))
    other = graph.reordered(rng.permutation(graph.values).tolist())
    assert other.values != graph.values
    assert other == graph and hash(other) == hash(graph)
    assert sorted(other.directed_edges) == sorted(graph.directed_edges)
    assert graph != cpdag_of(random_dag(rng, 8), names(8))
    assert graph != ValueGraph(names(7), np.zeros((7, 7), dtype=bool))


def test_a_graph_cannot_be_changed_from_outside():
    adjacency = np.zeros((2, 2), dtype=bool)
    graph = ValueGraph(("a", "b"), adjacency)
    adjacency[0, 1] = True
    assert graph.n_edges == 0
    with pytest.raises(ValueError, match="read-only"):
        graph.adjacency[0, 1] = True


def test_amat_has_the_codes_of_gadjid():
    graph = ValueGraph.from_edges(["a", "b", "c"], directed=[("a", "b")], undirected=[("b", "c")])
    assert graph.to_amat().tolist() == [[0, 1, 0], [0, 0, 2], [0, 2, 0]]
    assert graph.to_amat().dtype == np.int8


@pytest.mark.parametrize(
    ("values", "adjacency", "message"),
    [
        (["a", "b"], np.zeros((3, 3)), r"shape \(2, 2\), got \(3, 3\)"),
        (["a", "a"], np.zeros((2, 2)), "a appear twice"),
        (["a", " "], np.zeros((2, 2)), "needs a name"),
        ("ab", np.zeros((2, 2)), "got the string 'ab'"),
        (["a", "b"], [[0, 0.4], [0, 0]], r"0\.4.*weights != 0"),
        (["a", "b"], [[0, np.nan], [0, 0]], "nan"),
        (["a", "b"], [[1, 0], [0, 0]], "edge to itself: a"),
        (["a", "b", "c", "d"], np.roll(np.eye(4), 1, axis=1), "cycle through a, b, c, d"),
    ],
)
def test_what_is_no_graph_is_refused(values, adjacency, message):
    with pytest.raises(ValueError, match=message):
        ValueGraph(values, adjacency)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ({"directed": [("a", "x")]}, "'x', which is none of the values a, b"),
        ({"directed": [("a", "b"), ("b", "a")]}, "more than once"),
        ({"directed": [("a", "b")], "undirected": [("b", "a")]}, "more than once"),
        ({"undirected": [("a", "a")]}, "edge to itself: a"),
    ],
)
def test_edges_that_make_no_sense_are_refused(edges, message):
    with pytest.raises(ValueError, match=message):
        ValueGraph.from_edges(["a", "b"], **edges)


def test_an_order_of_other_values_is_refused():
    with pytest.raises(ValueError, match="order of the values a, b is needed, got a, c"):
        ValueGraph(("a", "b"), np.zeros((2, 2))).reordered(["a", "c"])


# equivalence classes


def test_cpdag_agrees_with_causal_learn():
    rng = np.random.default_rng(1)
    for _ in range(150):
        dag = random_dag(rng, int(rng.integers(2, 10)), rng.uniform(0.1, 0.8))
        assert (cpdag_of(dag, names(len(dag))).adjacency == causal_learn_cpdag(dag)).all()


def test_cpdag_is_the_union_of_all_equivalent_dags():
    rng = np.random.default_rng(2)
    for _ in range(25):
        dag = random_dag(rng, 5, 0.5)
        union = np.any(list(markov_equivalent_dags(dag)), axis=0)
        assert (cpdag_of(dag, names(5)).adjacency == union).all()


def test_three_classes_from_the_textbook():
    chain = ValueGraph.from_edges(["a", "b", "c"], directed=[("a", "b"), ("b", "c")])
    assert cpdag_of(chain.adjacency, chain.values).directed_edges == []
    collider = ValueGraph.from_edges(["a", "b", "c"], directed=[("a", "b"), ("c", "b")])
    assert cpdag_of(collider.adjacency, collider.values) == collider
    # The tail of a collider has to point away from it.
    tail = ValueGraph.from_edges(list("abcd"), directed=[("a", "b"), ("c", "b"), ("b", "d")])
    assert cpdag_of(tail.adjacency, tail.values) == tail


def test_a_matrix_that_is_no_dag_has_no_class():
    with pytest.raises(ValueError, match="a and b point at each other"):
        cpdag_of(np.array([[0, 1], [1, 0]]), ("a", "b"))
    with pytest.raises(ValueError, match="directed cycle through a, b, c"):
        cpdag_of(np.roll(np.eye(3), 1, axis=1), ("a", "b", "c"))


# orientation


def test_colliders_of_a_dag_give_its_class_without_any_conflict():
    rng = np.random.default_rng(3)
    for _ in range(50):
        dag = random_dag(rng, 8)
        found = orient(dag | dag.T, colliders(dag))
        assert (found.adjacency == cpdag_of(dag, names(8)).adjacency).all()
        assert (found.conflicts, found.cycles) == (0, 0)


def test_any_claims_give_a_graph_without_cycles_whatever_the_order():
    rng = np.random.default_rng(4)
    conflicts = cycles = 0
    for _ in range(200):
        skeleton = random_dag(rng, 7, 0.5)
        skeleton = skeleton | skeleton.T
        claims = skeleton & (rng.random((7, 7)) < 0.5)
        found = orient(skeleton, claims)
        ValueGraph(names(7), found.adjacency)  # refuses a cycle
        assert ((found.adjacency | found.adjacency.T) == skeleton).all()
        order = rng.permutation(7)
        again = orient(skeleton[np.ix_(order, order)], claims[np.ix_(order, order)])
        assert (again.adjacency == found.adjacency[np.ix_(order, order)]).all()
        assert again[1:] == found[1:]
        conflicts += found.conflicts
        cycles += found.cycles
    assert conflicts > 0 and cycles > 0  # the rules were put to the test


def test_an_edge_claimed_both_ways_stays_undirected():
    skeleton = np.array([[0, 1], [1, 0]], dtype=bool)
    found = orient(skeleton, skeleton)
    assert (found.adjacency == skeleton).all()
    assert (found.conflicts, found.cycles) == (1, 0)


def test_arrows_on_a_cycle_lose_their_direction_and_others_keep_it():
    # d -> a, and a -> b -> c -> a: only the three edges of the cycle are repaired.
    claims = np.zeros((4, 4), dtype=bool)
    for i, j in [(0, 1), (1, 2), (2, 0), (3, 0)]:
        claims[i, j] = True
    found = orient(claims | claims.T, claims)
    assert found.cycles == 3
    assert np.argwhere(arrows(found.adjacency)).tolist() == [[3, 0]]


def test_meek_rules_one_by_one():
    def closed(directed, undirected):
        graph = ValueGraph.from_edges(list("abcd"), directed=directed, undirected=undirected)
        return set(ValueGraph(graph.values, meek_closure(graph.adjacency)[0]).directed_edges)

    assert closed([("a", "b")], [("b", "c")]) == {("a", "b"), ("b", "c")}
    chain = [("a", "b"), ("b", "c")]
    assert closed(chain, [("a", "c")]) == {*chain, ("a", "c")}
    kite = [("b", "d"), ("c", "d")]
    assert closed(kite, [("a", "b"), ("a", "c"), ("a", "d")]) == {*kite, ("a", "d")}


# drawings


def drawn(graph, **options):
    return ElementTree.fromstring(graph.draw(**options).svg)


@pytest.fixture
def graph():
    return ValueGraph.from_edges(
        SCHWARTZ_ORDER,
        directed=[("SE", "PO"), ("AC", "PO"), ("UN", "BE"), ("TR", "BE")],
        undirected=[("ST", "HE"), ("SE", "CO")],
        info={"method": "pc", "alpha": 0.01, "n": 2000, "null_edges": 0.42, "null_sd": 0.61},
    )


def test_the_drawing_shows_every_value_edge_and_arrow(graph):
    picture = ElementTree.fromstring(graph._repr_svg_())
    assert len(picture.findall(f"{SVG}line")) == graph.n_edges
    assert len(picture.findall(f"{SVG}polygon")) == len(graph.directed_edges)
    assert {text.text for text in picture.iter(f"{SVG}text")} >= set(graph.values)


def test_the_drawing_says_in_words_what_it_shows(graph):
    picture = drawn(graph)
    assert picture.get("role") == "img"
    title, description = picture.find(f"{SVG}title"), picture.find(f"{SVG}desc")
    assert picture.get("aria-labelledby").split() == [title.get("id"), description.get("id")]
    assert title.text == f"Value graph: {graph.n_edges} edges over 10 values"
    for a, b in graph.directed_edges:
        assert f"{a} → {b}" in description.text
    for a, b in graph.undirected_edges:
        assert f"{a} — {b}" in description.text


def test_the_caption_shows_method_level_rows_edges_and_null(graph):
    caption = f"PC, alpha = 0.01, n = 2000, {graph.n_edges} edges, null 0.4 ± 0.6 edges"
    assert graph.caption == caption
    assert caption in {text.text for text in drawn(graph).iter(f"{SVG}text")}
    assert ValueGraph(graph.values, graph.adjacency).caption == ""


def test_the_background_is_transparent_and_colours_read_on_light_and_dark(graph):
    markup = graph.draw().svg
    assert "background" not in markup
    text_colours = set(re.findall(r'<(?:line|polygon|text)[^>]*(?:stroke|fill)="(#\w+)"', markup))
    on_nodes = {text_on(colour) for colour in GROUP_COLOURS.values()}
    for colour in (text_colours - on_nodes) | {*GROUP_COLOURS.values(), OTHER_COLOUR}:
        assert min(contrast(colour, LIGHT), contrast(colour, DARK)) >= 3, colour
    assert min(contrast(INK, LIGHT), contrast(INK, DARK)) >= 4.2
    for colour in (*GROUP_COLOURS.values(), OTHER_COLOUR):
        assert contrast(text_on(colour), colour) >= 4.5
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


def test_every_group_has_its_colour():
    assert set(schwartz_groups()) == set(SCHWARTZ_ORDER)
    assert set(schwartz_groups().values()) == set(GROUP_COLOURS)


def test_schwartz_values_have_fixed_places_and_opposites_face_each_other():
    all_places = circle_positions(SCHWARTZ_ORDER)
    some = circle_positions(("UN", "SE"))
    assert some == {value: all_places[value] for value in ("UN", "SE")}
    for value, opposite in zip(SCHWARTZ_ORDER[:5], SCHWARTZ_ORDER[5:], strict=True):
        assert np.allclose(np.add(all_places[value], all_places[opposite]), 0)
    assert np.allclose(all_places["SE"], (0, -1))


def test_other_values_stand_evenly_on_the_circle_in_the_given_order():
    places = np.array(list(circle_positions(names(17)).values()))
    steps = np.linalg.norm(places - np.roll(places, 1, axis=0), axis=1)
    assert np.allclose(steps, steps[0])


def test_names_with_markup_and_without_edges_can_be_drawn():
    graph = ValueGraph(("<a> & 'b'", "Positive coping"), np.zeros((2, 2)))
    picture = drawn(graph)
    assert "<a> & 'b'" in {text.text for text in picture.iter(f"{SVG}text")}
    assert "no edges" in picture.find(f"{SVG}desc").text


def test_drawings_on_one_page_have_ids_of_their_own_that_do_not_change(graph):
    empty = ValueGraph(graph.values, np.zeros((10, 10)))
    ids = [drawn(each).find(f"{SVG}title").get("id") for each in (graph, graph, empty)]
    assert ids[0] == ids[1] != ids[2]


def test_a_drawing_can_be_saved(graph, tmp_path):
    path = graph.draw().save(tmp_path / "graph.svg")
    assert path.read_text(encoding="utf-8") == graph._repr_svg_()


def test_an_unknown_layout_is_refused(graph):
    with pytest.raises(ValueError, match="unknown layout 'tree'; choose one of circle, layers"):
        graph.draw(layout="tree")


def test_without_dot_the_layers_become_the_circle_with_a_hint(graph, monkeypatch):
    monkeypatch.setenv("PATH", "")
    picture = drawn(graph, layout="layers")
    assert NO_DOT in {text.text for text in picture.iter(f"{SVG}text")}
    assert len(picture.findall(f"{SVG}line")) == graph.n_edges


def test_layers_take_their_places_from_dot(monkeypatch):
    # What dot 2.43 answers for a -> b, a - c, so that the test needs no Graphviz.
    answer = """graph 1 1.5 1.5
node 0 0.375 1.25 0.5 0.5 a solid circle black lightgrey
node 1 0.375 0.25 0.5 0.5 b solid circle black lightgrey
node 2 1.125 1.25 0.5 0.5 c solid circle black lightgrey
edge 0 1 4 0.375 1.0 0.375 0.9 0.375 0.75 0.375 0.64 solid black
edge 0 2 4 0.6 1.25 0.7 1.25 0.8 1.25 0.875 1.25 solid black
stop
"""
    monkeypatch.setattr("graphviz.Digraph.pipe", lambda self, **options: answer)
    graph = ValueGraph.from_edges(["a", "b", "c"], directed=[("a", "b")], undirected=[("a", "c")])
    picture = drawn(graph, layout="layers")
    assert len(picture.findall(f"{SVG}path")) == 2
    (tip,) = picture.findall(f"{SVG}polygon")
    top = {
        node.find(f"{SVG}text").text: float(node.find(f"{SVG}rect").get("y"))
        for node in picture.findall(f"{SVG}g")
    }
    assert top["a"] == top["c"] < top["b"]
    # The head ends where the node of b begins: y of the tip, half a node above b's centre.
    assert float(tip.get("points").split()[0].split(",")[1]) == pytest.approx(72 * 1.0, abs=1)
