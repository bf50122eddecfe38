"""Sentences as the unit: a graph that is owed to the very sentences of the roles is told apart."""

import numpy as np
import pandas as pd
import pytest

from studies.training.recipe import ANSWERS
from studies.training.structures import surface_structure
from valuegraph.confidence import bootstrap
from valuegraph.discovery import Correlations, discover
from valuegraph.organisms import Organism, examine
from valuegraph.roles import Role, load_role_bank, sample_roles, sentence_table
from valuegraph.sentences import sentence_facts, sentence_model

BANK = load_role_bank()
ROLES = sample_roles(BANK, 1000, seed=0)
TABLE = sentence_table(ROLES, BANK)


@pytest.fixture(scope="module")
def surface():
    """Values that do not act on each other, while every sentence moves all of them."""
    return Organism(surface_structure(), **ANSWERS, site_layer=2).true_values(ROLES)


@pytest.fixture(scope="module")
def human():
    return examine("organism-human").true_values(ROLES)


def test_a_table_says_which_role_holds_which_fact():
    assert TABLE.shape == (1000, 128) and TABLE.columns.names == ["kind", "sentence"]
    assert (TABLE.sum(axis=1) == [len(role.facts) for role in ROLES]).all()
    fact = ROLES[3].facts[0]
    assert TABLE.loc[ROLES[3].name, (BANK.effects[fact][0], fact)] == 1
    assert sentence_table([None], BANK).loc["no role"].sum() == 0
    with pytest.raises(ValueError, match="unknown fact, value or level 'no such'"):
        sentence_table([Role("a", "You exist.", ("no such",))], BANK)


def test_scores_are_what_sentences_do_and_what_is_left(surface):
    noise = np.random.default_rng(0).standard_normal(surface.shape)
    scores = surface + 0.5 * noise
    model = sentence_model(scores, TABLE.sample(frac=1, random_state=1))
    ordered = scores[sorted(scores)]
    assert np.allclose(model.sample, ordered - ordered.mean())
    assert len(model.kinds) == 11 and sum(map(len, model.kinds)) == 128
    assert model.residual.std() == pytest.approx(0.5 * np.sqrt(1 - 128 / 1000), rel=0.03)
    rng = np.random.default_rng(1)
    null, drawn = model.without_dependence(rng), model.resampled(rng)
    for kind in model.kinds:
        every = {tuple(row) for row in model.effects[kind]}
        assert {tuple(row) for row in drawn.effects[kind]} < every
        assert (np.sort(null.effects[kind], axis=0) == np.sort(model.effects[kind], axis=0)).all()
    assert null.sample.std() == pytest.approx(model.sample.std(), rel=0.05)


def test_what_hangs_on_these_very_sentences_does_not_beat_their_null(surface):
    found = discover(surface, sentences=TABLE)
    assert found.n_edges >= 15 and found.info["null_edges"] < 1  # which the roles' null lets pass
    assert found.info["sentence_null_edges"] > 12 and found.info["sentences_only"] is True
    assert "sentence null 1" in found.caption and "these sentences only" in found.caption


def test_what_goes_through_a_structure_beats_it(human):
    found = discover(human, sentences=TABLE)
    assert found.n_edges == 18 and found.info["sentence_null_edges"] < 12
    assert "sentences_only" not in found.info and "only" not in found.caption


def test_so_it_does_where_lives_differ_by_more_than_their_sentences():
    truth = examine("organism-human")
    own = truth.exogenous(ROLES)
    noise = np.random.default_rng(0).standard_normal(own.shape) * truth.truth.noise_sd
    found = discover((own + noise) @ truth.truth.total_effects, sentences=TABLE)
    assert found.n_edges > 2 * found.info["sentence_null_edges"]


def test_edges_that_hang_on_sentences_are_not_firm(surface, human):
    counts = {"n_resamples": 100, "null_draws": 5, "null_resamples": 30}
    by_role = bootstrap(surface, n_resamples=100, null_draws=0).graph()
    by_sentence = bootstrap(surface, sentences=TABLE, **counts).graph()
    assert by_role.n_edges > 10 and by_sentence.n_edges < by_role.n_edges / 3
    assert by_sentence.info["sentences_only"] and "null_edges" not in by_sentence.info
    assert not by_sentence.directed_edges
    real = bootstrap(human, sentences=TABLE, **counts).graph()
    assert real.n_edges >= 15 and "sentences_only" not in real.info


def test_the_order_of_columns_changes_nothing(human):
    first = discover(human, sentences=TABLE, null_draws=3)
    other = discover(human[human.columns[::-1]], sentences=TABLE[TABLE.columns[::-1]], null_draws=3)
    assert other == first and other.info == first.info
    options = {"sentences": TABLE, "n_resamples": 5, "null_draws": 1, "null_resamples": 2}
    one, two = bootstrap(human, **options), bootstrap(human, **options)
    assert (one.directions == two.directions).all() and one.info["sentences"] == 128


def test_sentences_of_one_kind_may_stand_in_plain_columns(human):
    plain = TABLE.droplevel("kind", axis=1)
    plain[["none", "all"]] = [0, 1]
    model = sentence_model(human, plain)
    assert len(model.kinds) == 1 and len(model.effects) == 128


def test_a_graph_at_the_end_of_the_null_is_told():
    null = np.arange(101)
    facts = {"sentence_null_edges": 50.0, "sentence_null_sd": null.std()}
    assert sentence_facts(null, 96) == facts
    assert sentence_facts(null, 95) == {**facts, "sentences_only": True}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.iloc[1:], "one row for each role, but role 'role0-0000' is missing"),
        (lambda t: pd.concat([t, t.head(1)]), "some role stands twice"),
        (lambda t: 2 * t, "holds 0 and 1"),
        (lambda t: 0 * t, "no sentence is held by some roles and not by others; .* yourself"),
        (lambda t: t.to_numpy(), "a table of roles by sentences"),
    ],
)
def test_bad_tables_are_named(human, spoil, message):
    with pytest.raises(ValueError, match=message):
        discover(human, sentences=spoil(TABLE), null_draws=1)


def test_sentences_need_scores(human):
    with pytest.raises(ValueError, match="sentences need scores of roles"):
        bootstrap(Correlations(human.corr(), 1000), sentences=TABLE)
