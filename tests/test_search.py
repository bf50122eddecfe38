"""The searches: stacks equal single runs, other implementations agree, knowledge is kept to."""

import itertools

import numpy as np
import pandas as pd
import pytest

from valuegraph.discovery import discover, discover_from_correlation
from valuegraph.graphs.graph import cpdag_of
from valuegraph.graphs.orientation import arrows, open_triples, reachable
from valuegraph.graphs.pag import PartialAncestralGraph
from valuegraph.search.fisher_z import critical_correlation, fisher_z_pvalue
from valuegraph.search.knowledge import Knowledge, tiers_of
from valuegraph.search.lingam import causal_order
from valuegraph.search.pag_rules import Marks, close
from valuegraph.search.pc import pc, pc_plain
from valuegraph.search.skeleton import partials, skeletons
from valuegraph.simulation import random_model

METHODS = ["pc", "pc-plain", "fci", "ges", "lingam"]


def implied(weights):
    total = np.linalg.inv(np.eye(len(weights)) - weights)
    covariance = total @ total.T
    sd = np.sqrt(np.diag(covariance))
    return covariance / np.outer(sd, sd)


def frame(correlation, names):
    return pd.DataFrame(correlation, names, names)


def stack(seed, b=6, d=8, n=300):
    rng = np.random.default_rng(seed)
    return np.stack(
        [np.corrcoef(random_model(d, rng).scores(n, rng).to_numpy().T) for _ in range(b)]
    )


# tests and skeletons


def test_the_threshold_is_where_the_p_value_is_alpha():
    for alpha, n, given in [(0.05, 100, 0), (0.01, 814, 3), (0.2, 30, 5)]:
        critical = float(critical_correlation(alpha, n, given))
        assert fisher_z_pvalue(critical, n, given) == pytest.approx(alpha)


def test_one_inverse_gives_the_partial_correlations_of_all_members():
    correlations = stack(0, b=2)
    sets = np.array([[1, 2, 5], [3, 4, 7]])
    found = partials(correlations, np.array([0, 1]), np.array([0, 6]), sets)
    for row, (which, x) in enumerate([(0, 0), (1, 6)]):
        for place, y in enumerate(sets[row]):
            others = [v for v in sets[row] if v != y]
            c = correlations[which]
            chosen = [x, y, *others]
            p = np.linalg.inv(c[np.ix_(chosen, chosen)])
            assert found[row, place] == pytest.approx(-p[0, 1] / np.sqrt(p[0, 0] * p[1, 1]))


@pytest.mark.parametrize("search", [pc, pc_plain])
def test_a_stack_of_matrices_is_searched_as_each_alone(search):
    correlations = stack(1)
    none = Knowledge.none(8)
    together = search(correlations, 300, 0.05, none)
    for k, correlation in enumerate(correlations):
        alone = search(correlation[None], 300, 0.05, none)
        assert (together.skeleton[k] == alone.skeleton[0]).all()
        assert (together.directed[k] == alone.directed[0]).all()


def test_skeleton_and_separating_sets_are_those_of_causal_learn():
    from causallearn.utils.cit import CIT
    from causallearn.utils.PCUtils.SkeletonDiscovery import skeleton_discovery

    rng = np.random.default_rng(2)
    for _ in range(5):
        rows = random_model(8, rng, degree=4).scores(200, rng).to_numpy()
        theirs = skeleton_discovery(rows, 0.05, CIT(rows, "fisherz"), show_progress=False)
        ours = skeletons(np.corrcoef(rows.T)[None], 200, 0.05, Knowledge.none(8))
        assert (ours.adjacency[0] == (theirs.G.graph != 0)).all()
        for x, z in np.argwhere(ours.separated[0]):
            held = {y for given in theirs.sepset[x, z] for y in given}
            assert set(np.flatnonzero(ours.separators[0, x, z])) == held


# background knowledge


def dags_of_class(dag, tier):
    """All DAGs of the class of `dag` whose arrows respect the tiers, by brute force."""
    target = cpdag_of(dag, [f"v{k}" for k in range(len(dag))])
    pairs = np.argwhere(dag)
    for flips in itertools.product((False, True), repeat=len(pairs)):
        other = np.zeros_like(dag)
        for (i, j), flip in zip(pairs, flips, strict=True):
            other[(j, i) if flip else (i, j)] = True
        if np.diag(reachable(other)).any() or (other & (tier[:, None] > tier)).any():
            continue
        if cpdag_of(other, target.values) == target:
            yield other


def test_with_tiers_the_result_is_the_union_of_all_models_that_respect_them():
    rng = np.random.default_rng(3)
    for _ in range(25):
        model = random_model(6, rng, degree=3)
        dag = model.adjacency
        tier = np.zeros(6, dtype=int)
        # Tiers that the truth respects: later in some causal order.
        order = np.argsort(reachable(dag).sum(axis=0), kind="stable")
        tier[order[3:]] = 1
        union = np.any(list(dags_of_class(dag, tier)), axis=0)
        found = pc(implied(model.weights)[None], 1e12, 0.01, Knowledge.from_tiers(tier))
        adjacency = found.skeleton[0] & ~found.directed[0].T
        assert (adjacency == union).all()


def test_tiers_turn_every_edge_across_them():
    rng = np.random.default_rng(4)
    names = [f"v{k:02d}" for k in range(10)]
    scores = random_model(10, rng, degree=4).scores(300, rng).xs("none")
    early, late = names[:3], names[3:]
    for method in ("pc", "pc-plain", "lingam"):
        found = discover(scores, method=method, alpha=0.1, tiers=[early], null_draws=0)
        place = [found.values.index(name) for name in early]
        rest = [found.values.index(name) for name in late]
        assert not found.adjacency[np.ix_(rest, place)].any()
        assert found.adjacency[np.ix_(place, rest)].any()
    found = discover(scores, method="fci", alpha=0.1, tiers=[early], null_draws=0)
    across = found.marks[np.ix_(place, rest)]
    assert set(np.unique(across)) <= {0, 2} and (across == 2).any()


def test_a_pair_that_is_not_searched_makes_no_collider():
    # Of x - y - z nothing is known of x and z: no test separated them, so y is no collider.
    weights = np.zeros((3, 3))
    weights[1, 0] = weights[2, 1] = 0.6
    unsearched = np.zeros((3, 3), dtype=bool)
    unsearched[0, 2] = unsearched[2, 0] = True
    knowledge = Knowledge(np.zeros(3, dtype=int), unsearched, np.zeros(3, dtype=bool))
    for search in (pc, pc_plain):
        found = search(implied(weights)[None], 1000, 0.01, knowledge)
        assert found.skeleton[0].tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
        assert not found.directed.any()


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        ([["age"]], "tier 1 names 'age', which is none of a, b"),
        (["ab"], "tiers must be lists of names"),
        ([["a"], []], "tier 2 of 2 is empty"),
        ([["a"], ["a"]], "'a' is named in tiers twice"),
    ],
)
def test_tiers_that_make_no_sense_are_named(tiers, message):
    with pytest.raises(ValueError, match=message):
        tiers_of(("a", "b"), tiers)


def test_names_in_no_tier_come_last():
    assert tiers_of(("c", "age", "b", "sex"), [["age"], ["sex"]]).tolist() == [2, 0, 2, 1]
    assert tiers_of(("a", "b"), None).tolist() == [0, 0]


def test_what_a_method_cannot_do_is_said():
    scores = random_model(4, np.random.default_rng(0)).scores(50, np.random.default_rng(0))
    scores = scores.xs("none")
    with pytest.raises(ValueError, match="'ges' cannot keep to tiers; use one of pc, .*lingam"):
        discover(scores, method="ges", tiers=[["v00"]])
    with pytest.raises(ValueError, match="'lingam' needs the scores themselves"):
        discover_from_correlation(scores.corr(), 50, method="lingam")


# hidden common causes


def latent_case(rng, observed=6, hidden=2):
    model = random_model(observed + hidden, rng, degree=2.6, low=0.4, high=0.8)
    seen = np.sort(rng.permutation(observed + hidden)[:observed])
    return implied(model.weights)[np.ix_(seen, seen)], model.adjacency, seen


def oracle_fci(correlation, names):
    """The PAG of causal-learn with a test that never errs."""
    from causallearn.search.ConstraintBased.FCI import fci
    from causallearn.utils import cit

    from valuegraph.search.fisher_z import partial_correlation

    class Oracle(cit.CIT_Base):
        def __init__(self, data, **options):
            self.method = "oracle"

        def __call__(self, i, j, given=None):
            given = tuple(sorted(map(int, given or ())))
            r = partial_correlation(correlation, min(i, j), max(i, j), given)
            return float(abs(r) < 1e-6)

    cit.register_ci_test("oracle-of-tests", Oracle)
    data = np.random.default_rng(0).standard_normal((10, len(names)))
    graph, _ = fci(data, "oracle-of-tests", 0.5, verbose=False, show_progress=False)
    return graph.graph


def test_fci_is_that_of_causal_learn_where_tests_never_err():
    rng = np.random.default_rng(5)
    bidirected = compared = 0
    for _ in range(40):
        correlation, _, _ = latent_case(rng, hidden=4)
        names = [f"v{k}" for k in range(6)]
        theirs = oracle_fci(correlation, names)
        if ((theirs == -1) & (theirs.T == -1)).any():
            continue  # a - b means selection bias, of which there is none here
        compared += 1
        found = discover_from_correlation(
            frame(correlation, names), 10**13, method="fci", null_draws=0
        )
        # causal-learn has the mark at j in [j, i]: 1 head, -1 tail, 2 circle; ours 2, 3, 1.
        marks = np.select([theirs == 1, theirs == -1, theirs == 2], [2, 3, 1], 0).T
        assert (found.marks == marks).all()
        bidirected += len(found.bidirected_edges)
    assert bidirected > 0 and compared >= 30


def test_fci_with_tiers_claims_nothing_that_is_false():
    rng = np.random.default_rng(6)
    tails = heads = 0
    for _ in range(60):
        correlation, dag, seen = latent_case(rng, observed=6, hidden=3)
        ancestor = reachable(dag)[np.ix_(seen, seen)]
        names = [f"v{k}" for k in range(6)]
        first = [names[k] for k in range(6) if not ancestor[:, k].any()]
        if not 0 < len(first) < 6:
            continue
        found = discover_from_correlation(
            frame(correlation, names), 10**13, method="fci", tiers=[first], null_draws=0
        )
        # [i, j] head at j: j is no ancestor of i; tail at j: j is one.
        assert not (ancestor.T & (found.marks == 2)).any()
        assert not (~ancestor.T & (found.marks == 3)).any()
        tails += int((found.marks == 3).sum())
        heads += int((found.marks == 2).sum())
    assert tails > 0 and heads > 0


def test_no_noisy_pag_contradicts_itself():
    rng = np.random.default_rng(7)
    for _ in range(40):
        scores = random_model(8, rng, degree=5, low=0.1).scores(80, rng).xs("none")
        found = discover(scores, method="fci", alpha=0.2, null_draws=0)
        PartialAncestralGraph(found.values, found.marks)  # refuses contradictions


def test_any_colliders_at_all_give_marks_that_can_be_true():
    rng = np.random.default_rng(8)
    undone = 0
    for _ in range(200):
        edge = np.triu(rng.random((7, 7)) < 0.5, 1)
        edge = edge | edge.T
        head = edge & (rng.random((7, 7)) < 0.4)
        chains = open_triples(edge) & (rng.random((7, 7, 7)) < 0.5)
        separators = rng.random((7, 7, 7)) < 0.5
        marks = Marks(edge, head.copy(), np.zeros_like(edge))
        undone += close(marks, chains | np.swapaxes(chains, 0, 2), separators)
        assert not (marks.head & marks.tail).any()
        codes = np.select([marks.head, marks.tail, marks.circle], [2, 3, 1], 0)
        PartialAncestralGraph([f"v{k}" for k in range(7)], codes)  # refuses contradictions
    assert undone > 0


# GES and LiNGAM


def test_ges_finds_the_class_and_returns_a_class():
    rng = np.random.default_rng(8)
    for _ in range(5):
        model = random_model(6, rng, degree=2, low=0.4, high=0.7)
        names = list(model.values)
        found = discover_from_correlation(
            frame(implied(model.weights), names), 10**6, method="ges", null_draws=0
        )
        assert found == model.cpdag


def test_ges_adds_an_edge_where_the_test_at_alpha_would():
    names = ["a", "b"]
    n = 400
    critical = float(np.sqrt(1 - np.exp(-3.841459 / n)))  # likelihood ratio at .05
    for r, edges in ((critical * 1.01, 1), (critical * 0.99, 0)):
        found = discover_from_correlation(
            frame([[1, r], [r, 1]], names), n, method="ges", alpha=0.05, null_draws=0
        )
        assert found.n_edges == edges


def skewed_rows(rng, model, n):
    noise = rng.exponential(size=(n, len(model.values))) - 1
    return noise @ np.linalg.inv(np.eye(len(model.values)) - model.weights).T


def test_lingam_orders_causes_before_effects_as_causal_learn_does():
    from causallearn.search.FCMBased.lingam import DirectLiNGAM

    rng = np.random.default_rng(9)
    for _ in range(3):
        model = random_model(6, rng, degree=2.5, low=0.4, high=0.7)
        rows = skewed_rows(rng, model, 3000)
        order = causal_order(rows, np.zeros(6, dtype=int))
        place = np.argsort(order)
        assert all(place[i] < place[j] for i, j in np.argwhere(model.adjacency))
        theirs = DirectLiNGAM()
        theirs.fit(rows)
        assert order.tolist() == list(theirs.causal_order_)
        scores = pd.DataFrame(rows, columns=list(model.values))
        found = discover(scores, method="lingam", alpha=0.001, null_draws=0)
        assert (arrows(found.adjacency) == model.adjacency).all()


# order


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_columns_changes_nothing(method):
    rng = np.random.default_rng(10)
    scores = random_model(8, rng, degree=4).scores(200, rng).xs("none")
    first = discover(scores, method=method, alpha=0.1, null_draws=2)
    for _ in range(30 if method != "ges" else 5):
        shuffled = discover(
            scores[rng.permutation(scores.columns)], method=method, alpha=0.1, null_draws=2
        )
        assert shuffled == first
        assert shuffled.info == first.info


@pytest.mark.parametrize("method", METHODS)
def test_other_names_give_the_same_graph_under_other_names(method):
    rng = np.random.default_rng(11)
    scores = random_model(8, rng, degree=4).scores(200, rng).xs("none")
    first = discover(scores, method=method, alpha=0.1, null_draws=0)
    for _ in range(3):
        names = dict(zip(scores.columns, rng.permutation(scores.columns), strict=True))
        other = discover(scores.rename(columns=names), method=method, alpha=0.1, null_draws=0)
        back = {new: old for old, new in names.items()}
        assert {(back[a], back[b]) for a, b in other.directed_edges} == set(first.directed_edges)
        assert other.n_edges == first.n_edges
