"""PC: exact where tests never err, order-independent, as causal-learn's where it is the same."""

import itertools

import networkx as nx
import numpy as np
import pytest
from causallearn.utils.cit import CIT
from causallearn.utils.PCUtils.SkeletonDiscovery import skeleton_discovery
from scipy.stats import norm

from valuegraph.graph import ValueGraph
from valuegraph.pc import (
    critical_correlation,
    open_triples,
    orient,
    partials,
    pc,
    reachable,
    skeletons,
    tiers_of,
    triples_of,
)


def random_weights(rng, d, share=0.4):
    order = rng.permutation(d)
    sizes = rng.uniform(0.4, 0.9, (d, d)) * rng.choice([-1, 1], (d, d))
    return np.triu(sizes * (rng.random((d, d)) < share), 1)[np.ix_(order, order)]


def implied(weights):
    total = np.linalg.inv(np.eye(len(weights)) - weights)
    covariance = total.T @ total
    sd = np.sqrt(np.diag(covariance))
    return covariance / np.outer(sd, sd)


def noisy(seed, b=5, d=8, n=200, share=0.4):
    rng = np.random.default_rng(seed)
    each = [np.linalg.cholesky(implied(random_weights(rng, d, share))) for _ in range(b)]
    return np.stack([np.corrcoef(root @ rng.standard_normal((d, n))) for root in each])


def no_tiers(d):
    return np.zeros(d, dtype=int)


def test_the_threshold_is_where_the_p_value_is_alpha():
    for alpha, n, given in [(0.05, 100, 0), (0.01, 814, 3), (0.2, 30, 5)]:
        z = np.arctanh(critical_correlation(alpha, n, given)) * np.sqrt(n - given - 3)
        assert 2 * norm.sf(z) == pytest.approx(alpha)
    assert critical_correlation(0.01, 5, 2) == 1


@pytest.mark.parametrize("size", [1, 2, 4])
def test_one_inverse_gives_the_partial_correlations_of_all_members(size):
    correlations = noisy(0, b=2)
    sets = np.array([[[1, 2, 5, 7], [2, 3, 4, 5]], [[3, 4, 7, 0], [1, 2, 5, 3]]])[:, :, :size]
    found = partials(correlations, np.array([0, 1]), np.array([0, 6]), sets)
    for row, (which, x) in enumerate([(0, 0), (1, 6)]):
        for k, place in itertools.product(range(2), range(size)):
            y, others = sets[row, k, place], np.delete(sets[row, k], place)
            p = np.linalg.inv(correlations[which][np.ix_([x, y, *others], [x, y, *others])])
            assert found[row, k, place] == pytest.approx(-p[0, 1] / np.sqrt(p[0, 0] * p[1, 1]))


@pytest.mark.parametrize("plain", [False, True])
def test_where_tests_never_err_the_class_is_found(plain):
    rng = np.random.default_rng(1)
    for _ in range(30):
        weights = random_weights(rng, 6)
        found, counts = pc(implied(weights)[None], 1e12, 0.01, no_tiers(6), plain=plain)
        truth = ValueGraph.from_adjacency(list("abcdef"), weights != 0)
        assert (found[0] == truth.cpdag().adjacency).all()
        assert counts["conflicts"][0] == counts["cycles"][0] == 0


def test_vanishing_partial_correlations_are_d_separations():
    rng = np.random.default_rng(2)
    weights = random_weights(rng, 6)
    graph = nx.DiGraph(list(map(tuple, np.argwhere(weights))))
    graph.add_nodes_from(range(6))
    for x, y in itertools.combinations(range(6), 2):
        for given in itertools.combinations(set(range(6)) - {x, y}, 2):
            sets = np.array([[[y, *given]]])
            r = partials(implied(weights)[None], np.array([0]), np.array([x]), sets)[0, 0, 0]
            assert nx.is_d_separator(graph, {x}, {y}, set(given)) == (abs(r) < 1e-9)


@pytest.mark.parametrize("plain", [False, True])
def test_a_stack_is_searched_as_each_alone_and_in_any_order_of_variables(plain):
    correlations = noisy(3)
    together, _ = pc(correlations, 200, 0.05, no_tiers(8), plain=plain)
    rng = np.random.default_rng(0)
    for correlation, found in zip(correlations, together, strict=True):
        order = rng.permutation(8)
        turned = correlation[np.ix_(order, order)][None]
        alone, _ = pc(turned, 200, 0.05, no_tiers(8), plain=plain)
        assert (alone[0] == found[np.ix_(order, order)]).all()


def test_skeleton_and_separating_sets_are_those_of_causal_learn():
    rng = np.random.default_rng(4)
    for _ in range(4):
        rows = rng.standard_normal((200, 8)) @ np.linalg.cholesky(implied(random_weights(rng, 8))).T
        theirs = skeleton_discovery(rows, 0.05, CIT(rows, "fisherz"), show_progress=False)
        ours, separators = skeletons(np.corrcoef(rows.T)[None], 200, 0.05, no_tiers(8))
        assert (ours[0] == (theirs.G.graph != 0)).all()
        for x, z in np.argwhere(~ours[0] & ~np.eye(8, dtype=bool)):
            held = {y for given in theirs.sepset[x, z] for y in given}
            assert set(np.flatnonzero(separators[0, x, :, z])) == held


def test_colliders_follow_from_all_separating_sets_together():
    alpha, n, d = 0.05, 200, 7
    for correlation in noisy(5, d=d):
        skeleton, separators = skeletons(correlation[None], n, alpha, no_tiers(d))
        found = triples_of(correlation[None], n, alpha, no_tiers(d), skeleton, separators)
        for x, y, z in np.argwhere(open_triples(skeleton)[0]):
            held = []
            for end, other in ((x, z), (z, x)):
                near = np.flatnonzero(skeleton[0, end])
                for size in range(len(near) + 1):
                    for given in itertools.combinations(near, size):
                        sets = np.array([[[other, *given]]])
                        r = partials(correlation[None], np.array([0]), np.array([end]), sets)
                        if abs(r[0, 0, 0]) < critical_correlation(alpha, n, size):
                            held.append(y in given)
            held = held or [separators[0, x, y, z]]
            assert found[0][0, x, y, z] == (not any(held))
            assert found[1][0, x, y, z] == all(held)


def test_with_tiers_the_result_is_the_union_of_all_models_that_respect_them():
    rng = np.random.default_rng(6)
    for _ in range(12):
        weights = random_weights(rng, 5, 0.5)
        dag, names = weights != 0, list("abcde")
        order = np.argsort(reachable(dag).sum(axis=0), kind="stable")  # causes first
        tier = np.zeros(5, dtype=int)
        tier[order[3:]] = 1
        union, pairs = np.zeros_like(dag), np.argwhere(dag)
        for flips in itertools.product((False, True), repeat=len(pairs)):
            other = np.zeros_like(dag)
            for (i, j), flip in zip(pairs, flips, strict=True):
                other[(j, i) if flip else (i, j)] = True
            if np.diag(reachable(other)).any() or (other & (tier[:, None] > tier)).any():
                continue
            turned = ValueGraph.from_adjacency(names, other)
            if turned.cpdag() == ValueGraph.from_adjacency(names, dag).cpdag():
                union |= other
        found, _ = pc(implied(weights)[None], 1e12, 0.01, tier)
        assert (found[0] == union).all()


def test_disagreement_never_leaves_a_cycle_or_a_direction():
    rng = np.random.default_rng(7)
    conflicts = cycles = 0
    for _ in range(100):
        skeleton = np.triu(rng.random((6, 6)) < 0.6, 1)[None]
        skeleton = skeleton | skeleton.swapaxes(1, 2)
        claims = skeleton & (rng.random(skeleton.shape) < 0.4)
        chains = open_triples(skeleton) & (rng.random((1, 6, 6, 6)) < 0.5)
        found, counts = orient(skeleton, claims, chains | chains.swapaxes(1, 3), no_tiers(6))
        assert ((found | found.swapaxes(1, 2)) == skeleton).all()
        assert not np.diag(reachable(found[0] & ~found[0].T)).any()
        assert (found & found.swapaxes(1, 2))[claims & claims.swapaxes(1, 2)].all()
        conflicts, cycles = conflicts + counts["conflicts"][0], cycles + counts["cycles"][0]
    assert conflicts > 0 and cycles > 0


def test_names_in_no_tier_come_last_and_odd_tiers_are_named():
    assert tiers_of(("c", "age", "b", "sex"), [["age"], ["sex"]]).tolist() == [2, 0, 2, 1]
    assert tiers_of(("a", "b"), None).tolist() == [0, 0]
    for tiers, message in {
        (("age",),): "'age' twice, or it is none of a, b",
        (("a",), ("a",)): "tiers name 'a' twice",
        ("ab",): "tiers must be lists of names",
        (("a",), ()): "tiers must be lists of names",
    }.items():
        with pytest.raises(ValueError, match=message):
            tiers_of(("a", "b"), tiers)
