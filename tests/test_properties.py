"""What holds for every graph, answer and table, tried on many that hypothesis draws."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import valuegraph as vg
from valuegraph import metrics
from valuegraph.graph import ValueGraph
from valuegraph.inventory import read_inventory
from valuegraph.pc import reachable
from valuegraph.prompts import LAYOUTS, WORDINGS, PromptFormat
from valuegraph.reading import is_settled, parse_answer
from valuegraph.resampling import finite_mean, intervals, resampled_covariance, role_weights
from valuegraph.roles import read_roles

quick = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
METRICS = [metrics.skeleton_f1, metrics.arrow_precision, metrics.arrow_recall, metrics.shd]


@st.composite
def dags(draw, most=6):
    """A DAG over up to six values, whose order of causes is none of its columns."""
    d = draw(st.integers(2, most))
    lower = draw(arrays.arrays(bool, (d, d)))
    order = draw(st.permutations(range(d)))
    return ValueGraph.from_adjacency(tuple("ABCDEF"[:d]), np.tril(lower, -1)[np.ix_(order, order)])


@st.composite
def pairs(draw):
    """Two DAGs over the same values."""
    first = draw(dags())
    d = len(first.values)
    lower = draw(arrays.arrays(bool, (d, d)))
    order = draw(st.permutations(range(d)))
    adjacency = np.tril(lower, -1)[np.ix_(order, order)]
    return first, ValueGraph.from_adjacency(first.values, adjacency)


# ---------------------------------------------------------------- graphs and metrics


@quick
@given(dags())
def test_a_class_is_its_own_class_and_has_the_edges_of_its_dag(dag):
    found = dag.cpdag()
    assert (found.skeleton == dag.skeleton).all()
    assert set(found.directed_edges) <= set(dag.directed_edges)
    assert dag.among(dag.values[::-1]).cpdag() == found


@quick
@given(dags(), st.randoms())
def test_the_order_of_values_changes_nothing(dag, chance):
    order = chance.sample(dag.values, len(dag.values))
    other = dag.among(order)
    assert other == dag and hash(other) == hash(dag)
    assert other.cpdag() == dag.cpdag()
    assert vg.reached(dag).loc[order, order].equals(vg.reached(other))


@quick
@given(dags())
def test_what_is_reached_is_the_transitive_closure(dag):
    closure = np.linalg.matrix_power(np.eye(len(dag.values)) + dag.adjacency, len(dag.values)) > 0
    off = ~np.eye(len(dag.values), dtype=bool)
    assert (reachable(dag.adjacency)[off] == closure[off]).all()


@quick
@given(pairs())
def test_distances_are_distances_and_shares_are_shares(two):
    a, b = two
    assert metrics.shd(a, b) == metrics.shd(b, a) >= 0
    assert (metrics.shd(a, b) == 0) == (a == b)
    assert metrics.arrow_precision(a, b) == metrics.arrow_recall(b, a)
    for metric in METRICS[:3]:
        assert 0 <= metric(a, b) <= 1 and metric(a, a) == 1
    assert 0 <= metrics.parent_aid(a, b) <= 1 and metrics.parent_aid(a, a) == 0


@quick
@given(pairs(), dags())
def test_the_hamming_distance_obeys_the_triangle(two, third):
    a, b = two
    assume(third.values == a.values)
    assert metrics.shd(a, b) <= metrics.shd(a, third) + metrics.shd(third, b)


@quick
@given(pairs())
def test_the_kinds_of_edges_add_up(two):
    truth, guess = two
    counts = metrics.compare_graphs(truth, guess).counts
    missed = counts["missing"] + counts["agreed"] + counts["reversed"]
    assert missed == truth.n_edges
    assert counts["extra"] + counts["agreed"] + counts["reversed"] == guess.n_edges


# ---------------------------------------------------------------- answers

WORDS = st.sampled_from(["Yes", "no", "Answer:", "\n", "I", " would", ".", "**", "</think>", "é"])


@quick
@given(st.lists(WORDS, max_size=12).map(" ".join), st.booleans())
def test_an_answer_stands_where_it_is_said_to_stand(text, prefilled):
    answer, start = parse_answer(text, prefilled=prefilled)
    assert (answer == 0) == (start is None)
    if answer:
        word = "yes" if answer == 1 else "no"
        assert text[start:].lower().startswith(word)


@quick
@given(st.lists(WORDS, max_size=8).map(" ".join), st.text(max_size=20), st.booleans())
def test_what_is_settled_is_not_changed_by_what_follows(text, more, prefilled):
    assume(is_settled(text, prefilled=prefilled))
    assert parse_answer(text, prefilled=prefilled) == parse_answer(text + more, prefilled=prefilled)


@quick
@given(
    st.sampled_from(sorted(WORDINGS)),
    st.booleans(),
    st.booleans(),
    st.sampled_from(sorted(LAYOUTS)),
)
def test_a_format_comes_back_from_its_name(wording, yes_first, think, layout):
    try:
        fmt = PromptFormat(wording, yes_first, think, layout)
    except ValueError:
        assume(False)
    assert PromptFormat.from_name(fmt.name) == fmt


def answers_of(log_odds):
    """A table of answers: roles by eight questions on two values, keys in turn."""
    roles, items = log_odds.shape
    rows = pd.DataFrame({"log_odds": log_odds.ravel()})
    rows["role"] = np.repeat([f"r{i}" for i in range(roles)], items)
    rows["item"] = np.tile([f"q{i}" for i in range(items)], roles)
    rows["value"] = np.tile(np.repeat(["AC", "BE"], items // 2), roles)
    rows["key"] = np.tile([1, -1], len(rows) // 2)
    rows["answer"] = np.sign(rows["log_odds"]).astype(int)
    same = {"model": "m", "format": "answer, yes first", "intervention": "none", "mass": 1.0}
    return rows.assign(**same)


NUMBERS = st.floats(-9, 9, allow_nan=False)


@quick
@given(arrays.arrays(float, (5, 8), elements=NUMBERS), NUMBERS)
def test_a_liking_for_yes_changes_no_score_and_a_turned_answer_turns_it(log_odds, liking):
    scores = vg.score_answers(answers_of(log_odds))
    liked = vg.score_answers(answers_of(log_odds + liking))
    np.testing.assert_allclose(liked, scores, atol=1e-9)
    np.testing.assert_allclose(vg.score_answers(answers_of(-log_odds)), -scores, atol=1e-12)
    bias = vg.yes_bias(answers_of(log_odds + liking)) - vg.yes_bias(answers_of(log_odds))
    np.testing.assert_allclose(bias, liking, atol=1e-9)


@quick
@given(arrays.arrays(float, (5, 8), elements=NUMBERS), st.randoms())
def test_the_order_of_answers_plays_no_part(log_odds, chance):
    table = answers_of(log_odds)
    order = chance.sample(range(len(table)), len(table))
    scores, other = vg.score_answers(table), vg.score_answers(table.iloc[order])
    np.testing.assert_allclose(other.loc[scores.index, scores.columns], scores, atol=1e-12)


# ---------------------------------------------------------------- resamples


@quick
@given(st.integers(1, 40), st.integers(0, 30), st.integers(0, 99))
def test_resamples_have_as_many_roles_as_there_are(n, draws, seed):
    weights = role_weights(n, draws, seed=seed)
    assert weights.shape == (1 + draws, n) and (weights[0] == 1).all()
    assert (weights.sum(axis=1) == n).all() and (weights >= 0).all()
    assert (weights == role_weights(n, draws, seed=seed)).all()


@quick
@given(arrays.arrays(float, (7, 3), elements=st.floats(-5, 5).map(lambda x: round(x, 3))))
def test_the_first_covariance_is_numpys(data):
    found = resampled_covariance(data, role_weights(7, 2, seed=1))
    np.testing.assert_allclose(found[0], np.cov(data.T), atol=1e-9)
    np.testing.assert_allclose(found, np.swapaxes(found, 1, 2), atol=1e-12)


def test_what_is_constant_in_a_resample_covaries_with_nothing():
    data = np.random.default_rng(0).normal(size=(30, 4)) / 3
    data[1:, 1] = 0.1  # one role alone makes it vary
    found = resampled_covariance(data, role_weights(30, 20, seed=0))
    without = role_weights(30, 20, seed=0)[:, 0] == 0
    assert 0 < without.sum() < 20
    assert (found[without, 1] == 0).all() and (found[without, :, 1] == 0).all()
    assert (found[~without, 1] != 0).all()


def test_a_mean_leaves_out_what_is_not_known():
    figures = np.array([[np.nan, 2.0, 4.0], [np.nan] * 3])
    np.testing.assert_array_equal(finite_mean(figures), [3.0, np.nan])


@quick
@given(arrays.arrays(float, st.tuples(st.integers(2, 30), st.integers(1, 3)), elements=NUMBERS))
def test_ends_of_an_interval_stand_in_order_among_the_draws(draws):
    estimate, low, high = intervals(draws)
    assert (estimate == draws[0]).all() and (low <= high).all()
    assert (low >= draws[1:].min(axis=0)).all() and (high <= draws[1:].max(axis=0)).all()


# ---------------------------------------------------------------- readers

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)


@quick
@given(st.lists(TEXT, min_size=1, max_size=6, unique_by=lambda t: t.strip().lower()))
def test_roles_come_back_as_they_were_written(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("roles") / "roles.csv"
    table = pd.DataFrame({"name": names, "text": [f"You are {name}." for name in names]})
    table.to_csv(path, index=False)
    try:
        found = read_roles(path)
    except ValueError as error:
        assert str(path) in str(error)
        return
    assert [role.name for role in found] == list(table["name"])
    assert [role.text for role in found] == list(table["text"])


@quick
@given(st.text(max_size=200))
def test_any_text_is_a_questionnaire_or_is_refused_by_its_name(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("items") / "items.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="items.csv"):
        read_inventory(path)
