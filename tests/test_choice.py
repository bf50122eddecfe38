"""Chosen by the rule, features do what the truth of an organism says; bad use is refused."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.organisms.shipped import load_truth
from valuegraph.roles import sample_roles
from valuegraph.splitting import split_items, split_roles
from valuegraph.steering.choice import choose_features
from valuegraph.steering.compared import compare_pushes
from valuegraph.steering.directions import direction_shift, random_directions
from valuegraph.steering.sae import feature_shift, load_sae


@pytest.fixture(scope="module")
def halves(bank, inventory):
    train, test = split_roles(sample_roles(bank, 13, seed=4), test=3, seed=0)
    train_items, rest = split_items(inventory, share=0.25, seed=0)
    return train, test, train_items, split_items(rest, share=0.34, seed=0)[0]


@pytest.fixture(scope="module")
def sae():
    return load_sae("organism-human")


@pytest.fixture(scope="module")
def choice(human, sae, halves):
    train, _, items, _ = halves
    return choose_features(human, sae, items, train, n_candidates=24)


@pytest.fixture(scope="module")
def expected():
    truth = load_truth("organism-human")
    return pd.DataFrame(truth.total_effects.T, truth.values, truth.values)


def test_chosen_features_push_their_values_on_held_out_roles_and_items(
    human, sae, choice, halves, expected
):
    _, test, _, items = halves
    choice.require_unseen(test, items)
    best = {value: choice.best(value) for value in items.codes}
    features = {
        value: feature_shift(sae, b.feature, coefficient=b.coefficient) for value, b in best.items()
    }
    at_random = {
        value: direction_shift(random_directions(s.vector, 1, seed=k)[0], value, layer=s.layer)
        for k, (value, s) in enumerate(features.items())
    }
    ways = {"feature": features, "random": at_random}
    table = compare_pushes(human, items, test, ways, expected=expected).set_index("way")
    assert table.loc["feature", "cosine"].min() > 0.95
    assert table.loc["feature", "effect"].min() > 0.3
    assert table.loc["random", "cosine"].abs().mean() < 0.6
    np.testing.assert_allclose(table.loc["feature", "norm"], table.loc["random", "norm"], rtol=1e-5)


def test_the_table_holds_all_candidates_and_ranks(choice, inventory):
    table = choice.table
    assert len(table) == 24 * 2 * 10
    for _, of_value in table.groupby("value"):
        assert sorted(of_value["rank"]) == list(range(1, 49))
        by_rank = of_value.sort_values("rank")["score"]
        assert by_rank.is_monotonic_decreasing
    candidates = choice.candidates
    assert candidates["activity_rank"].tolist() == list(range(1, 25))
    assert candidates["activity"].is_monotonic_decreasing
    assert (candidates["rate"] >= 0.2).all()
    assert (np.sign(table["coefficient"]) == table["sign"]).all()
    chosen = choice.chosen()
    assert list(chosen.index) == list(inventory.codes)
    assert (chosen["rank"] == 1).all()
    assert chosen.at["SE", "feature"] == choice.best("SE").feature
    assert choice.best("SE").coefficient == chosen.at["SE", "coefficient"]


def test_the_rule_is_told_in_words(choice):
    assert choice.sae == "organism-human"
    for part in ("at least 20% of", "the 24 most active", "1 times", "up and down", "own axis"):
        assert part in choice.rule
    assert choice.parameters["n_candidates"] == 24


def test_judging_on_train_roles_or_items_is_refused(choice, halves, inventory):
    train, test, items, held_out = halves
    with pytest.raises(ValueError, match=r"1 roles were used in choosing, first .*split_roles"):
        choice.require_unseen([None, *test, train[0]], held_out)
    with pytest.raises(ValueError, match=r"20 items were used in choosing, first .*split_items"):
        choice.require_unseen(test, inventory)


def test_what_was_not_asked_has_no_best(choice):
    with pytest.raises(ValueError, match="unknown value 'XX'; features were chosen for SE, CO"):
        choice.best("XX")


def test_strength_ways_and_expectations_are_kept(human, sae, few_items, bank, expected):
    choice = choose_features(
        human,
        sae,
        few_items,
        sample_roles(bank, 4, seed=9),
        n_candidates=3,
        strength=0.5,
        signs=(-1,),
        expected=expected,
        where="site",
    )
    assert set(choice.table["sign"]) == {-1}
    typical = choice.table["activity"] / choice.table["rate"]
    np.testing.assert_allclose(choice.table["coefficient"], -0.5 * typical)
    assert "0.5 times its typical activation, down only" in choice.rule
    assert "what was expected of the value" in choice.rule
    assert choice.parameters["where"] == "site"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_candidates": 0}, "n_candidates is 0"),
        ({"min_rate": 1.5}, "min_rate must lie between 0 and 1, got 1.5"),
        ({"strength": -1}, "strength must be positive, got -1"),
        ({"signs": (2,)}, r"signs must be one of .*, got \(2,\)"),
        ({"expected": pd.DataFrame([[1.0]], ["SE"], ["SE"])}, "no row and column for ST"),
        ({"layer": 9}, "layer 9"),
    ],
)
def test_bad_options_are_refused(human, sae, few_items, bank, options, message):
    with pytest.raises(ValueError, match=message):
        choose_features(human, sae, few_items, sample_roles(bank, 2, seed=9), **options)


def test_roles_are_needed(human, sae, few_items, bank, organism):
    roles = sample_roles(bank, 2, seed=9)
    for too_few in (roles[:1], [None, *roles]):
        with pytest.raises(ValueError, match="at least 2 roles, none of them None"):
            choose_features(human, sae, few_items, too_few)
    with pytest.raises(ValueError, match=r"reads states of shape \(n, 96\)"):
        choose_features(organism, sae, few_items, roles)
