"""Graphs from acting: right where the truth is known, with errors that can be trusted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from simulated import simulated_answers, true_weights

from studies import SimulatedModel, random_model
from valuegraph.acting import acted_graph, find_targets
from valuegraph.effects import changes, effect_matrix, effects_of
from valuegraph.elicitation import elicit
from valuegraph.interventions import Sentence
from valuegraph.organisms import load_truth
from valuegraph.pushes import stances, word_pushes
from valuegraph.roles import sample_roles

LOOP = SimulatedModel(
    ("a", "b", "c", "d"),
    np.array([[0, 0.5, 0, 0], [0.4, 0, -0.6, 0], [0, 0, 0, 0.3], [0, 0, 0, 0]]),
)


def simulated(model=LOOP, *, seed=0, roles=8, **options):
    return simulated_answers(model, roles, np.random.default_rng(seed), **options)


def arrows(graph):
    return set(zip(graph.arrows["cause"], graph.arrows["effect"], strict=True))


def edges_of(model):
    return {(model.values[i], model.values[j]) for i, j in np.argwhere(model.weights != 0)}


@pytest.mark.parametrize("sets", [True, False], ids=["set", "added to"])
def test_without_noise_weights_are_right_and_feedback_is_found(sets):
    graph = acted_graph(*simulated(noise=0, sets=sets))
    np.testing.assert_allclose(graph.weights, LOOP.weights, atol=0.01)  # items differ
    assert arrows(graph) == edges_of(LOOP) and ("b", "a") in arrows(graph)
    assert graph.info["null_arrows"] == 0 and graph.info["side_effects"] < 0.02
    assert graph.draw().svg.count("<svg") == 1


def test_the_strongest_arrow_stands_first_and_two_items_are_enough():
    found = acted_graph(*simulated(noise=0), null_draws=0).arrows
    assert found[["cause", "effect"]].to_numpy().tolist()[:2] == [["b", "c"], ["a", "b"]]
    assert "index" not in found
    assert len(acted_graph(*simulated(items=2), null_draws=0).table) == 12


def test_a_caption_speaks_of_a_null_where_there_was_one():
    assert acted_graph(*simulated()).caption.endswith(" arrows beyond 0.08, null 0.0 arrows")
    assert acted_graph(*simulated(), null_draws=0).caption.endswith(" arrows beyond 0.08")


def test_responses_are_those_of_the_model():
    truth = np.linalg.inv(np.eye(4) - LOOP.weights)
    graph = acted_graph(*simulated(noise=0))
    np.testing.assert_allclose(graph.responses(), truth / np.diag(truth)[:, None], atol=0.01)
    only_firm = acted_graph(*simulated(noise=0.3)).responses(firm=True)
    assert only_firm.loc["d", "a"] == 0  # nothing leads from d


# Simulated respondents on which intervals have to keep their word.
REGIMES = {
    "clean": {},
    "added to": {"sets": False},
    "impure": {"impurity": 0.3, "pushes": 6},
    "hidden cause": {"common": 0.8},
    "reliability .5": {"noise": np.sqrt(8), "roles": 40},
    "three roles": {"roles": 3},
}


@pytest.mark.parametrize("options", REGIMES.values(), ids=REGIMES)
def test_intervals_cover_and_false_arrows_are_rare(options):
    rng, covered, false, absent = np.random.default_rng(0), [], 0, 0
    for _ in range(10):
        model = random_model(10, rng)
        table = acted_graph(*simulated(model, seed=rng, **options), null_draws=0).table
        true = true_weights(model, table)
        covered.append(((table["low"] <= true) & (true <= table["high"])).mean())
        false, absent = false + (table["firm"] & (true == 0)).sum(), absent + (true == 0).sum()
    assert 0.92 <= np.mean(covered) <= 0.98
    assert false <= 0.01 * absent


def test_where_nothing_passes_on_there_is_no_arrow():
    """Every sentence moves all values at random: correlated, and yet without causes."""
    surface = SimulatedModel(LOOP.values, np.zeros((4, 4)))
    for seed in range(5):
        graph = acted_graph(*simulated(surface, seed=seed, common=1.0, impurity=0.2, pushes=8))
        assert arrows(graph) == set() and graph.info["null_arrows"] < 0.05 * 12
        assert graph.info["side_effects"] == pytest.approx(0.2, abs=0.05)


def families(*, spill):
    """Two kinds of pushes of the same respondent; pushes of `a` by the second spill over to d."""
    first, sentences = simulated(seed=1)
    second, others = simulated(seed=1, kind="fact", neutral=0)
    pushed = second["intervention"].isin(s.name for s in others if s.origin["value"] == "a")
    up = second["intervention"].str.split().str[-1].where(pushed, "0").astype(int) % 2 * 2 - 1
    second.loc[pushed & (second["value"] == "d"), "log_odds"] += spill * up[pushed]
    renamed = {s.name: f"f{s.name}" for s in others}
    second = second[second["intervention"] != "none"].replace({"intervention": renamed})
    others = [Sentence(renamed[s.name], s.text, s.origin) for s in others]
    return acted_graph(pd.concat([first, second]), [*sentences, *others])


def test_two_families_confirm_each_other_or_contest():
    agreed = families(spill=0)
    assert list(agreed.families.index) == ["stance", "fact"]
    assert arrows(agreed) == edges_of(LOOP)
    assert set(agreed.arrows["status"]) == {"confirmed"}
    split = families(spill=2.0).table.set_index(["cause", "effect"])
    assert split.loc[("a", "d"), "differ"] < 1e-3 < split.loc[("a", "b"), "differ"]
    assert split.loc[("a", "d"), "status"] in ("", "contested")
    assert split.loc[("a", "b"), "status"] == "confirmed"


def test_few_wild_sentences_hardly_move_the_weights():
    answers, sentences = simulated(pushes=8)
    wild = [s.name for s in sentences if s.origin["value"] == "b"][:2]
    answers.loc[answers["intervention"].isin(wild) & (answers["value"] == "d"), "log_odds"] += 3
    graph = acted_graph(answers, sentences)
    assert np.abs(graph.weights - LOOP.weights).to_numpy().max() < 0.15
    assert graph.info["misfit_p"] < 1e-6


def test_an_unknown_target_shows_in_the_direct_pushes():
    answers, sentences = simulated()
    name = next(s.name for s in sentences if s.origin["value"] == "c")
    known = [s for s in sentences if s.name != name]
    graph = acted_graph(answers, known)
    rows = answers[answers["intervention"].isin(["none", name])]
    direct = graph.direct_pushes(effect_matrix(effects_of(rows, draws=1))).loc[name].abs()
    assert direct.idxmax() == "c" and direct.drop("c").max() < 0.4 * direct["c"]
    features = [Sentence(s.name, s.text, {"kind": "feature"}) for s in sentences]
    targets = {s.name: s.origin["value"] for s in sentences}
    named = acted_graph(answers, features, targets=targets)
    pd.testing.assert_frame_equal(named.weights, acted_graph(answers, sentences).weights)


REGIMES_OF_TARGETS = {
    "clean": {},
    "added to": {"sets": False},
    "hidden cause": {"common": 0.8},
    "reliability .5": {"noise": np.sqrt(8), "roles": 40},
}


@pytest.mark.parametrize("options", REGIMES_OF_TARGETS.values(), ids=REGIMES_OF_TARGETS)
def test_targets_that_nobody_knows_are_found(options):
    model = random_model(8, np.random.default_rng(3))
    answers, sentences = simulated(model, neutral=6, **options)
    unknown = [
        replace(s, origin={"kind": "feature"} | ({} if s.origin["value"] else {"value": ""}))
        for s in sentences
    ]
    found = find_targets(answers, unknown)
    assert found["target"].to_dict() == {s.name: s.origin["value"] for s in sentences}
    assert (found["others"] == 0).mean() > 0.9
    targets = found["target"].to_dict()
    graph = acted_graph(answers, unknown, targets=targets, null_draws=0)
    assert arrows(graph) <= edges_of(model)


def test_without_noise_a_push_of_two_values_is_known_for_one():
    answers, sentences = simulated(noise=0.05)
    both = sentences[0].name  # it is about a
    answers.loc[(answers["intervention"] == both) & (answers["value"] == "c"), "log_odds"] += 1
    found = find_targets(answers, sentences)
    assert found.loc[both, "target"] == "a" and found.loc[both, "others"] == 1


def test_a_pilot_tells_how_large_an_experiment_must_be():
    model = random_model(8, np.random.default_rng(5))
    pilot = acted_graph(*simulated(model, noise=1.5, roles=10), null_draws=0)
    wished = 0.8 * pilot.needed().loc["roles", "error"]
    plan = pilot.needed(wished).loc["roles"]
    assert plan["now"] == 10 < plan["needed"] < np.inf
    larger = acted_graph(*simulated(model, noise=1.5, roles=int(plan["needed"])), null_draws=0)
    assert larger.needed().loc["roles", "error"] == pytest.approx(wished, rel=0.15)
    assert (pilot.needed(1e-9)["needed"] == np.inf).sum() >= 2
    pd.testing.assert_frame_equal(pilot.needed(), pilot.needed(0.1, share=0.9))


def test_order_and_seed_decide_nothing_but_the_null():
    answers, sentences = simulated()
    graph = acted_graph(answers, sentences)
    shuffled = acted_graph(answers.sample(frac=1, random_state=1), sentences[::-1], seed=9)
    weights = shuffled.weights.loc[graph.weights.index, graph.weights.columns]
    pd.testing.assert_frame_equal(weights, graph.weights)


def test_a_graph_without_feedback_is_a_value_graph_too():
    model = random_model(6, np.random.default_rng(2), low=0.3)
    graph = acted_graph(*simulated(model))
    assert set(graph.value_graph().directed_edges) == edges_of(model)
    with pytest.raises(ValueError, match="feedback"):
        acted_graph(*simulated()).value_graph()


REFUSED = {
    "too few interventions: a 4, b 4, c 0, d 4, and 20": lambda a, s: (
        a,
        [x for x in s if x.origin["value"] != "c"],
    ),
    "too few interventions: a 0, b 0, c 0, d 0, and 0": lambda a, s: (a, [Sentence("x", "x.", {})]),
    "no answer of 'role 3' to 'b 1' under 'stance 2'": lambda a, s: (
        a[~((a["role"] == "role 3") & (a["item"] == "b 1") & (a["intervention"] == "stance 2"))],
        s,
    ),
    "no answer of 'role 0' to 'a 0' under 'none'": lambda a, s: (a[a["intervention"] != "none"], s),
    "answers of one role": lambda a, s: (a[a["role"] == "role 0"], s),
    "a has a single item": lambda a, s: (a[(a["value"] != "a") | (a["item"] == "a 0")], s),
    "about e, which is not asked": lambda a, s: (a, [*s, Sentence("x", "x.", {"value": "e"})]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_incomplete_is_refused(message):
    with pytest.raises(ValueError, match=message):
        acted_graph(*REFUSED[message](*simulated()))


def test_three_interventions_beyond_the_unknowns_are_enough_and_two_are_not():
    # Four values pushed once: an equation has three pushes, three weights and an intercept.
    assert acted_graph(*simulated(pushes=1, neutral=4), null_draws=0).info["pushes"] == 8
    with pytest.raises(ValueError, match="too few interventions"):
        acted_graph(*simulated(pushes=1, neutral=3), null_draws=0)


def test_bad_options_are_refused():
    answers, sentences = simulated()
    with pytest.raises(ValueError, match="floor must be 0 or more, got -1"):
        acted_graph(answers, sentences, floor=-1)
    with pytest.raises(ValueError, match="targets name 'who', which is none"):
        acted_graph(answers, sentences, targets={"who": "a"})


def test_four_roles_give_the_arrows_of_an_organism(human, inventory, bank):
    pushes = stances(inventory, bank, levels=[-2, -1.2, 1.2, 2])
    roles = sample_roles(bank, 4, seed=5)
    answers = elicit(human, inventory, roles, interventions=[None, *pushes])
    assert len(changes(answers)) == 4 * len(pushes)
    graph, truth = acted_graph(answers, pushes), load_truth("organism-human")
    true = {(a, b) for a, b, _ in truth.edges}
    assert arrows(graph) <= true and len(true - arrows(graph)) <= 1
    true = pd.DataFrame(truth.weights, truth.values, truth.values)
    assert (graph.weights - true).abs().to_numpy().max() < 0.1


def test_words_to_act_with_are_about_every_value_and_about_none(inventory, bank):
    made = word_pushes(inventory, bank, neutral=6)
    kinds = pd.Series([one.origin["kind"] for one in made]).value_counts()
    assert kinds.to_dict() == {"fact": 86, "stance": 40}
    assert sum(one.origin["value"] == "" for one in made) == 6
    with pytest.raises(ValueError, match="neutral facts, is 49; .* 0 to 48"):
        word_pushes(inventory, bank, neutral=49)
