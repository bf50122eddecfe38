"""What interventions are made of: sentences, directions known by construction, controls."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.effects import cosine
from valuegraph.interventions import Shift
from valuegraph.pushes import (
    control_shifts,
    difference_of_means,
    hard_prompts,
    mean_norm,
    random_directions,
    relative_dose,
    single_facts,
    stances,
    with_norm,
)
from valuegraph.roles import make_role

PUSH = Shift("push", 1, np.cos(np.arange(40)), where="site")


def test_stances_are_the_sentences_of_roles(inventory, bank):
    made = stances(inventory, bank)
    assert len({one.name for one in made}) == len(made) == 60
    of_sd = {one.name: one for one in made if one.name.startswith("SD")}
    assert list(of_sd)[0] == "SD: not at all" and list(of_sd)[-1] == "SD: enormously"
    role = make_role("r", bank=bank, stances=[("SD", 1.2)], inventory=inventory)
    assert of_sd["SD: a lot"].text == role.text
    assert [s.name for s in stances(inventory, bank, values=["AC"], levels=[-2])] == [
        "AC: not at all"
    ]


def test_the_origin_tells_kind_value_and_amount(inventory, bank):
    made = [
        *stances(inventory, bank, values=["SE"], levels=[2]),
        *single_facts(bank, ["SE_f1", "N1"]),
        *hard_prompts(inventory, values=["SD"]),
        *hard_prompts(inventory, values=["SD"], inclined=False),
    ]
    table = pd.DataFrame([one.origin for one in made], [one.name for one in made])
    assert list(table["kind"]) == ["stance", "fact", "fact", "hard prompt", "hard prompt"]
    assert tuple(table.loc["fact SE_f1", ["value", "amount"]]) == bank.effects["SE_f1"]
    assert tuple(table.loc["fact N1", ["value", "amount"]]) == ("", 0.0)
    assert made[3].text == (
        "You are inclined to the value of Self-Direction, which means choosing freely."
    )
    assert list(table["amount"][3:]) == [1.0, -1.0]
    assert len(single_facts(bank)) == 80


def test_difference_of_means_by_hand():
    states = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 3.0], [7.0, 9.0]])
    scores = pd.DataFrame({"SE": [3.0, 1.0, 4.0, 2.0]})
    assert difference_of_means(states, scores, "SE").tolist() == [2.0 - 4.5, 2.0 - 5.0]
    assert difference_of_means(states, scores, "SE", share=0.25).tolist() == [2.0, 2.0]


def test_a_difference_of_means_pushes_along_covariances(structure):
    """In a linear system: cov(v) e_v, not T e_v."""
    rng = np.random.default_rng(0)
    u = rng.standard_normal((4000, len(structure.values))) * structure.noise_sd
    axes = np.linalg.qr(rng.standard_normal((12, u.shape[1])))[0].T
    total = structure.total_effects.to_numpy()  # [cause, effect]
    scores = pd.DataFrame(u @ total, columns=list(structure.values))
    states, covariance = u @ axes + 5, scores.cov()
    for value in structure.values:
        moved = axes @ difference_of_means(states, scores, value) @ total
        assert cosine(moved, covariance[value]) > 0.995
    moved = axes @ difference_of_means(states, scores, "TR") @ total
    assert cosine(moved, structure.total_effects.loc["TR"]) < 0.95


def test_random_directions_are_as_long_and_go_everywhere():
    like = np.arange(300.0)
    drawn = random_directions(like, 40, seed=1)
    assert np.allclose(np.linalg.norm(drawn, axis=1), np.linalg.norm(like))
    assert abs(np.corrcoef(drawn) - np.eye(40)).max() < 0.3
    assert np.array_equal(drawn, random_directions(like, 40, seed=1))
    assert not np.array_equal(drawn, random_directions(like, 40, seed=2))


def test_dose_is_relative_to_the_states():
    states = np.array([[3.0, 4.0], [0.0, 1.0]])
    assert mean_norm(states) == 3.0
    assert relative_dose(np.array([0.0, 1.5]), states) == 0.5
    assert relative_dose(with_norm(np.array([2.0, 1.0]), 6), states) == pytest.approx(2)


def test_controls_are_as_long_and_act_at_the_same_place():
    made = control_shifts(PUSH, n_random=3, layers=[0, 2], difference=np.ones(40), seed=1)
    assert len({s.name for s in made}) == len(made) == 7
    norms = [np.linalg.norm(s.vector) for s in made]
    assert np.allclose(norms, np.linalg.norm(PUSH.vector), rtol=1e-5)
    assert {s.where for s in made} == {"site"}
    assert [s.layer for s in made] == [1, 1, 1, 0, 2, 1, 1]
    assert all(np.array_equal(s.vector, PUSH.vector) for s in made[3:5])
    assert np.allclose(made[5].vector, -made[6].vector)
    kinds = ["random"] * 3 + ["other layer"] * 2 + ["difference of means"] * 2
    assert [one.origin["control"] for one in made] == kinds


STATES, SCORES = np.arange(24.0).reshape(6, 4) ** 2, pd.DataFrame({"SE": range(6)})


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda i, b: stances(i, b, values=["XX"]), "'XX'"),
        (lambda i, b: hard_prompts(i, values=["XX"]), "unknown .*'XX'; near are"),
        (lambda i, b: single_facts(b, ["SD_f99"]), "unknown fact.*'SD_f99'"),
        (lambda i, b: difference_of_means(STATES, SCORES[:5], "SE"), "6 roles and scores of 5"),
        (lambda i, b: difference_of_means(STATES, SCORES, "SE", share=0.6), "share is 0.6"),
        (lambda i, b: difference_of_means(STATES, 0 * SCORES, "SE"), "the same for all"),
        (lambda i, b: difference_of_means(STATES[0], SCORES, "SE"), "finite matrix"),
        (lambda i, b: relative_dose(np.ones(3), STATES), "shape"),
        (lambda i, b: with_norm(np.zeros(2), 1), "no length"),
        (lambda i, b: control_shifts(PUSH, layers=[1]), "its layer 1 is among"),
        (lambda i, b: control_shifts(Shift("null", 1, np.zeros(4))), "'null' is zero"),
    ],
)
def test_what_makes_no_sense_is_refused(inventory, bank, use, message):
    with pytest.raises(ValueError, match=message):
        use(inventory, bank)
