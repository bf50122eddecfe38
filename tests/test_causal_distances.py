"""Causal distances: agreement with the definition and with networkx, guards, identities."""

import itertools

import networkx as nx
import numpy as np
import pytest

from valuegraph.graphs.causal_distances import (
    CAUSAL_DISTANCES,
    ancestor_aid,
    ancestor_jaccard,
    is_cpdag,
    oset_aid,
    parent_aid,
    sid,
)
from valuegraph.graphs.graph import ValueGraph, cpdag_of

EACH = pytest.mark.parametrize("metric", CAUSAL_DISTANCES.values(), ids=CAUSAL_DISTANCES)


def random_dag(rng, d=6, share=0.4):
    order = rng.permutation(d)
    matrix = np.triu(rng.random((d, d)) < share, 1)[np.ix_(order, order)]
    return ValueGraph([f"v{i}" for i in range(d)], matrix)


def random_cpdag(rng, **options):
    dag = random_dag(rng, **options)
    return cpdag_of(dag.adjacency, dag.values)


def as_networkx(dag):
    graph = nx.DiGraph(dag.directed_edges)
    graph.add_nodes_from(dag.values)
    return graph


def is_wrong(truth, guess, a, b):
    """Whether the parents of `a` in the guess give a wrong effect on `b` (Peters & Buehlmann)."""
    parents = set(guess.predecessors(a))
    descendants = nx.descendants(truth, a)
    if b in parents:  # the guess says that there is no effect
        return b in descendants
    # Parents adjust rightly if none lies on a causal path or behind it, and they block the rest.
    forbidden = set()
    for node in descendants & (nx.ancestors(truth, b) | {b}):
        forbidden |= {node} | nx.descendants(truth, node)
    if parents & forbidden:
        return True
    without = truth.copy()
    onto_b = nx.ancestors(truth, b) | {b}
    without.remove_edges_from([(a, child) for child in truth.successors(a) if child in onto_b])
    return not nx.is_d_separator(without, {a}, {b}, parents)


def test_sid_agrees_with_its_definition_on_networkx():
    rng = np.random.default_rng(0)
    for _ in range(40):
        truth, guess = random_dag(rng), random_dag(rng)
        graphs = as_networkx(truth), as_networkx(guess)
        pairs = list(itertools.permutations(truth.values, 2))
        expected = sum(is_wrong(*graphs, a, b) for a, b in pairs) / len(pairs)
        assert sid(truth, guess) == pytest.approx(expected)
        assert parent_aid(truth, guess) == pytest.approx(expected)


def test_ancestors_agree_with_networkx():
    rng = np.random.default_rng(1)
    for _ in range(30):
        truth, guess = random_dag(rng), random_dag(rng)
        a, b = (
            {(x, y) for y in dag.values for x in nx.ancestors(as_networkx(dag), y)}
            for dag in (truth, guess)
        )
        assert ancestor_jaccard(truth, guess) == pytest.approx(len(a & b) / len(a | b))


@EACH
def test_a_graph_agrees_with_itself_and_the_order_of_values_changes_nothing(metric):
    rng = np.random.default_rng(2)
    make = random_dag if metric is sid else random_cpdag
    for _ in range(10):
        truth, guess = make(rng), make(rng)
        assert metric(truth, truth) == (1 if metric is ancestor_jaccard else 0)
        other = guess.reordered(rng.permutation(guess.values).tolist())
        assert metric(truth, other) == metric(truth, guess)
        assert 0 <= metric(truth, guess) <= 1


def test_a_reversed_chain_is_wrong_about_every_effect_and_shares_no_ancestor():
    chain = ValueGraph.from_edges(tuple("abc"), directed=[("a", "b"), ("b", "c")])
    back = ValueGraph.from_edges(tuple("abc"), directed=[("c", "b"), ("b", "a")])
    assert sid(chain, back) == 1
    assert ancestor_jaccard(chain, back) == 0


def test_an_order_without_edges_left_out_is_forgiven_by_ancestors_only():
    chain = ValueGraph.from_edges(tuple("abc"), directed=[("a", "b"), ("b", "c")])
    full = ValueGraph.from_edges(tuple("abc"), directed=[("a", "b"), ("b", "c"), ("a", "c")])
    assert parent_aid(chain, full) == ancestor_aid(chain, full) == oset_aid(chain, full) == 0
    assert ancestor_jaccard(chain, full) == 1


@pytest.mark.parametrize("metric", [parent_aid, ancestor_aid, oset_aid, ancestor_jaccard])
def test_any_acyclic_guess_is_read_without_a_panic(metric):
    rng = np.random.default_rng(3)
    for _ in range(60):
        dag = random_dag(rng, d=7).adjacency
        undone = dag | (dag & (rng.random(dag.shape) < rng.random())).T
        guess = ValueGraph([f"v{i}" for i in range(7)], undone)
        assert 0 <= metric(random_cpdag(rng, d=7), guess) <= 1


def test_classes_of_dags_are_recognised_and_others_are_not():
    rng = np.random.default_rng(4)
    assert all(is_cpdag(random_cpdag(rng, d=7, share=rng.random())) for _ in range(60))
    assert is_cpdag(ValueGraph.from_edges(("a", "b"), undirected=[("a", "b")]))
    assert not is_cpdag(ValueGraph.from_edges(("a", "b"), directed=[("a", "b")]))
    # Meek's first rule would direct b - c.
    assert not is_cpdag(
        ValueGraph.from_edges(tuple("abc"), directed=[("a", "b")], undirected=["bc"])
    )
    # However a square is directed, it gets a collider that it does not show.
    assert not is_cpdag(ValueGraph.from_edges(tuple("abcd"), undirected=["ab", "bc", "cd", "da"]))


def test_sid_refuses_edges_without_direction_and_names_the_way_out():
    dag = ValueGraph.from_edges(("a", "b"), directed=[("a", "b")])
    undirected = ValueGraph.from_edges(("a", "b"), undirected=[("a", "b")])
    with pytest.raises(ValueError, match="the guess has an edge without direction .a - b.*paren"):
        sid(dag, undirected)
    with pytest.raises(ValueError, match="the truth has an edge without direction"):
        sid(undirected, dag)


@pytest.mark.parametrize("metric", [parent_aid, ancestor_aid, oset_aid])
def test_a_truth_that_is_no_class_is_refused(metric):
    odd = ValueGraph.from_edges(tuple("abc"), directed=[("a", "b")], undirected=["bc"])
    with pytest.raises(ValueError, match="neither a DAG nor a CPDAG.*cpdag_of"):
        metric(odd, odd)


@EACH
def test_other_values_are_refused(metric):
    one, other = (ValueGraph(values, np.zeros((2, 2))) for values in (("a", "b"), ("a", "x")))
    with pytest.raises(ValueError, match="only the truth has b, only the guess has x"):
        metric(one, other)


@pytest.mark.parametrize("metric", [sid, parent_aid, ancestor_aid, oset_aid])
def test_a_single_value_is_refused(metric):
    lone = ValueGraph(("a",), np.zeros((1, 1)))
    with pytest.raises(ValueError, match="at least 2 values"):
        metric(lone, lone)
