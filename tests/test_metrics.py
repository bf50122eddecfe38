"""Metrics: agreement with definitions and with gadjid, identities, p-values."""

import itertools

import gadjid
import networkx as nx
import numpy as np
import pandas as pd
import pytest

from valuegraph.graph import CIRCLE, ValueGraph
from valuegraph.metrics import (
    arrow_precision,
    arrow_recall,
    compare_graphs,
    mantel,
    parent_aid,
    permutation_test,
    shd,
    skeleton_f1,
    skeleton_precision,
    skeleton_recall,
)

SHARES = [skeleton_precision, skeleton_recall, skeleton_f1, arrow_precision, arrow_recall]


def random_dag(rng, d=6, share=0.4):
    order = rng.permutation(d)
    matrix = np.triu(rng.random((d, d)) < share, 1)[np.ix_(order, order)]
    return ValueGraph.from_adjacency([f"v{i}" for i in range(d)], matrix)


def of(values, adjacency):
    return ValueGraph.from_adjacency(list(values), adjacency)


CHAIN = of("abc", [[0, 1, 0], [0, 0, 1], [0, 0, 0]])
BACK = of("abc", [[0, 0, 0], [1, 0, 0], [0, 1, 0]])


def test_figures_of_a_pair_counted_by_hand():
    # a -> b kept, b -> c reversed, c - d directed, d -> e missing, a - e extra.
    truth, guess = np.zeros((2, 5, 5), dtype=int)
    truth[0, 1] = truth[1, 2] = truth[2, 3] = truth[3, 2] = truth[3, 4] = 1
    guess[0, 1] = guess[2, 1] = guess[2, 3] = guess[0, 4] = guess[4, 0] = 1
    truth, guess = of("abcde", truth), of("abcde", guess).among("edcba")
    assert shd(truth, guess) == 4
    assert [f(truth, guess) for f in SHARES] == [3 / 4, 3 / 4, 3 / 4, 1 / 3, 1 / 3]
    result = compare_graphs(truth, guess)
    assert result.agreed == (("a", "b"),) and result.reversed == (("b", "c"),)
    assert result.directed == (("c", "d"),) and result.missing == (("d", "e"),)
    assert result.extra == (("a", "e"),) and result.undirected == ()
    counts = result.counts
    assert counts["true_edges"] == counts["guessed_edges"] == 4 and counts["right_arrows"] == 1
    said = "SHD 4; 4 true edges, 4 guessed edges, 3 true arrows"
    assert said in " ".join(repr(result).split())


def test_nothing_claimed_is_precise_and_nothing_to_find_is_found():
    empty = of("abc", np.zeros((3, 3)))
    assert [f(CHAIN, empty) for f in SHARES] == [1, 0, 0, 1, 0]
    assert [f(empty, empty) for f in SHARES] == [1] * 5


def test_edges_that_may_be_hidden_causes_count_as_edges_without_direction():
    pag = ValueGraph(("a", "b"), [[0, CIRCLE], [CIRCLE, 0]])
    assert shd(of("ab", [[0, 1], [1, 0]]), pag) == 0 and shd(of("ab", [[0, 1], [0, 0]]), pag) == 1


@pytest.mark.parametrize("metric", [shd, *SHARES])
def test_a_graph_agrees_with_itself_in_any_order_of_values(metric):
    rng = np.random.default_rng(2)
    for _ in range(8):
        truth, guess = random_dag(rng).cpdag(), random_dag(rng).cpdag()
        assert metric(truth, truth) == (1 if metric in SHARES else 0)
        other = guess.among(rng.permutation(guess.values).tolist())
        assert metric(truth, other) == metric(truth, guess)


def codes(graph):
    return graph.adjacency.astype(np.int8) + (graph.adjacency & graph.adjacency.T)


def test_shd_and_the_kinds_of_edges_agree_with_gadjid():
    rng = np.random.default_rng(3)
    for _ in range(20):
        truth, guess = random_dag(rng).cpdag(), random_dag(rng).cpdag()
        counts = compare_graphs(truth, guess).counts
        differing = counts["true_edges"] + counts["extra"] - counts["agreed"]
        assert shd(truth, guess) == gadjid.shd(codes(truth), codes(guess))[1] == differing


def is_wrong(truth, guess, a, b):
    """Whether the parents of `a` in the guess give a wrong effect on `b` (Peters & Buehlmann)."""
    parents = set(guess.predecessors(a))
    descendants = nx.descendants(truth, a)
    if b in parents:  # the guess says that there is no effect
        return b in descendants
    # Parents adjust rightly if none lies on a causal path or behind it, and they block the rest.
    onto_b = nx.ancestors(truth, b) | {b}
    forbidden = {x for node in descendants & onto_b for x in {node} | nx.descendants(truth, node)}
    if parents & forbidden:
        return True
    without = truth.copy()
    without.remove_edges_from([(a, child) for child in truth.successors(a) if child in onto_b])
    return not nx.is_d_separator(without, {a}, {b}, parents)


def test_the_distance_of_dags_agrees_with_its_definition_on_networkx():
    rng = np.random.default_rng(0)
    for _ in range(20):
        truth, guess = random_dag(rng), random_dag(rng)
        graphs = [nx.DiGraph(dag.directed_edges) for dag in (truth, guess)]
        for graph in graphs:
            graph.add_nodes_from(truth.values)
        pairs = list(itertools.permutations(truth.values, 2))
        expected = sum(is_wrong(*graphs, a, b) for a, b in pairs) / len(pairs)
        assert parent_aid(truth, guess) == pytest.approx(expected)


def test_a_reversed_chain_is_wrong_about_all_and_a_full_order_is_forgiven():
    full = of("abc", [[0, 1, 1], [0, 0, 1], [0, 0, 0]])
    assert parent_aid(CHAIN, BACK) == 1 and parent_aid(CHAIN, full) == 0


def test_the_distance_takes_values_in_any_order_and_classes_for_guesses():
    rng = np.random.default_rng(4)
    for _ in range(20):
        truth, guess = random_dag(rng), random_dag(rng).cpdag()
        other = guess.among(rng.permutation(guess.values).tolist())
        assert parent_aid(truth, truth) == 0
        assert 0 <= parent_aid(truth, other) == parent_aid(truth, guess) <= 1
    # All edges are left open, so that no effect is identified.
    assert parent_aid(CHAIN, CHAIN.cpdag()) == 1


def test_metrics_take_the_smallest_graphs_and_matrices():
    arrow = of("ab", [[0, 1], [0, 0]])
    assert parent_aid(arrow, arrow) == 0
    three = pd.DataFrame(np.eye(3), list("abc"), list("abc"))
    three.loc["a", "b"] = three.loc["b", "a"] = 0.5
    assert mantel(three, three) == pytest.approx(1)
    assert permutation_test(mantel, three, three, larger_is_closer=True, draws=1).p_value in (
        0.5,
        1,
    )


def test_a_permutation_test_draws_999_labellings_from_seed_0_unless_told():
    rng = np.random.default_rng(3)
    a, b = (pd.DataFrame(np.corrcoef(rng.normal(size=(5, 9)))) for _ in range(2))
    told = permutation_test(mantel, a, b, larger_is_closer=True, draws=999, seed=0)
    assert permutation_test(mantel, a, b, larger_is_closer=True) == told


def test_only_dags_are_truths():
    pag = ValueGraph(("a", "b"), [[0, CIRCLE], [CIRCLE, 0]])
    for odd in (CHAIN.cpdag(), pag, of("a", [[0]])):
        with pytest.raises(ValueError, match="must be a DAG over 2 values or more"):
            parent_aid(odd, odd)
    with pytest.raises(ValueError, match="only one has c, z"):
        shd(CHAIN, of("abz", np.zeros((3, 3))))


def test_mantel_asks_for_the_pattern_alone():
    rng = np.random.default_rng(5)
    a, b = (
        pd.DataFrame(np.corrcoef(rng.normal(size=(5, 40))), [*"abcde"], [*"abcde"]) for _ in "12"
    )
    upper = np.triu_indices(5, 1)
    expected = np.corrcoef(a.to_numpy()[upper], b.to_numpy()[upper])[0, 1]
    order = list("cdeab")
    assert mantel(a, b.loc[order, order]) == pytest.approx(expected)
    assert mantel(a, 0.3 * a + 0.5) == pytest.approx(1)
    with pytest.raises(ValueError, match="the same 3 values or more"):
        mantel(a, b.iloc[:4, :4])
    with pytest.raises(ValueError, match="all pairs of one of the matrices are equal"):
        mantel(a, a * 0 + 0.2)


def test_p_values_agree_with_all_permutations():
    truth = of("abcd", [[0, 1, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]])
    guess = of("abcd", [[0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]])
    every = [
        shd(truth, ValueGraph(guess.values, guess.marks[np.ix_(order, order)]))
        for order in itertools.permutations(range(4))
    ]
    test = permutation_test(shd, truth, guess, larger_is_closer=False, draws=3000)
    assert test.p_value == pytest.approx(np.mean(np.array(every) <= test.value), abs=0.03)
    assert test.null_mean == pytest.approx(np.mean(every), abs=0.05)


def test_a_metric_of_ones_own_may_be_tested():
    rng = np.random.default_rng(6)
    a = pd.DataFrame(np.corrcoef(rng.normal(size=(6, 40))), [*"abcdef"], [*"abcdef"])
    assert permutation_test(mantel, a, a, larger_is_closer=True, draws=99).p_value == 0.01

    def rmse(truth, guess):
        return float(np.sqrt(((truth - guess) ** 2).to_numpy().mean()))

    assert permutation_test(rmse, a, a, draws=99, larger_is_closer=False).p_value == 0.01
    with pytest.raises(ValueError, match="draws is 0"):
        permutation_test(mantel, a, a, larger_is_closer=True, draws=0)
