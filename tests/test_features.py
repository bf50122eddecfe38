"""Features chosen by the rule, on numbers small enough to work out by hand."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from valuegraph.answers import COLUMNS, NO_INTERVENTION
from valuegraph.sae import best_features, candidate_pushes, choose_features, require_unseen


@pytest.fixture
def sae(small_sae):
    """Feature 0 reads the first coordinate of states, and so on; rows are of length 1."""
    import torch

    sae = small_sae()
    sae.W_enc.data, sae.W_dec.data = torch.eye(6)[:, :4], torch.eye(6)[:4]
    sae.b_enc.data, sae.b_dec.data = torch.zeros(4), torch.zeros(6)
    return sae


#: Always; strong but rare; half the time; never.
STATES = np.array([[1, 9, 0, 0], [1, 0, 4, 0], [1, 0, 0, 0], [3, 0, 2, 0.0]])
STATES = np.hstack([STATES, np.zeros((4, 2))])


def test_candidates_are_the_most_active_of_those_that_fire_often(sae):
    table, shifts = candidate_pushes(sae, STATES, min_rate=0.5, strength=0.5)
    assert table["feature"].tolist() == [0, 0, 2, 2]
    assert table["activity_rank"].tolist() == [1, 1, 2, 2]
    assert table["rate"].tolist() == [1.0, 1.0, 0.5, 0.5]
    assert np.allclose(table["activity"], 1.5)
    assert table["sign"].tolist() == [1, -1, 1, -1]
    assert np.allclose(table["coefficient"], [0.75, -0.75, 1.5, -1.5])  # half of where it fires
    assert table["intervention"].tolist() == [shift.name for shift in shifts]
    assert np.allclose([s.vector[[0, 2]].sum() for s in shifts], table["coefficient"])
    everything, _ = candidate_pushes(sae, STATES, min_rate=0)
    assert everything["feature"].unique().tolist() == [1, 0, 2]  # what never fires has no activity
    few, (shift, _) = candidate_pushes(sae, STATES, n_candidates=1, where="prompt")
    assert few["feature"].tolist() == [1, 1] and shift.where == "prompt"


def answers_under(effects, *, spread=(1.0, 2.0)):
    """Answers of three roles whose scores have a known spread, under pushes 0, 1, ..."""
    pushes = {NO_INTERVENTION: (0, 0)} | {f"push {i}": effect for i, effect in enumerate(effects)}
    rows = []
    for (role, base), (name, effect) in product(
        zip("abc", (-1.0, 0.0, 1.0), strict=True), pushes.items()
    ):
        for value, size, change in zip(("SE", "CO"), spread, effect, strict=True):
            cell = ("m", role, name, "f", value, f"{value}1", 1)
            rows.append((*cell, 1, size * base + change, 1.0))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def pushed(effects, **options):
    candidates = pd.DataFrame({"intervention": [f"push {i}" for i in range(len(effects))]})
    candidates["feature"] = range(len(effects))
    return choose_features(answers_under(effects), candidates, **options)


def test_rank_is_by_size_times_specificity():
    table = pushed([[3, 0], [3, 8], [-3, 0], [0, 2]])
    first = table[table["value"] == "SE"]
    assert np.allclose(first["effect"], [3, 3, -3, 0])
    assert np.allclose(first["size"], [3, 3, -3, 0])
    assert np.allclose(first["specificity"], [1, 3 / 5, -1, 0])  # 8 of CO is 4 deviations
    assert np.allclose(first["score"], [3, 9 / 5, -3, 0])
    assert first["rank"].tolist() == [1, 2, 4, 3]
    second = table[table["value"] == "CO"]
    assert np.allclose(second["score"], [0, 4 * 4 / 5, 0, 1])
    assert second["rank"].tolist() == [3, 1, 4, 2]
    best = best_features(table)
    assert best["feature"].to_dict() == {"SE": 0, "CO": 1}
    assert best_features(pushed([[-1, 2]])).index.tolist() == ["CO"]
    assert "the value's own axis" in table.attrs["rule"]


def test_effects_too_small_to_rank_are_called_so():
    with pytest.warns(UserWarning, match=r"no candidate moves CO by 0\.1 standard deviations"):
        table = pushed([[0.3, 0.002], [-0.4, -0.19]])  # CO varies by 2 over the roles
    assert table.query("value == 'CO'")["size"].abs().max() < 0.1


def test_what_is_expected_to_follow_is_no_fault():
    effects = [[2, 0], [2, 4], [-2, 8]]
    expected = pd.DataFrame([[1, 0], [2, 1]], ["CO", "SE"], ["CO", "SE"])
    alone, caused = pushed(effects), pushed(effects, expected=expected)
    assert alone.query("value == 'SE'")["rank"].tolist() == [1, 2, 3]
    of_cause = caused.query("value == 'SE'")
    assert np.allclose(of_cause["specificity"][:2], [np.sqrt(0.5), 1])
    assert of_cause["rank"].tolist() == [2, 1, 3]  # what lowers it stands last, fit or not
    assert "what was expected of the value" in caused.attrs["rule"]


def test_the_rule_tells_all_of_its_options(sae):
    candidates, shifts = candidate_pushes(sae, STATES, min_rate=0.5, strength=2)
    answers = answers_under([[1, 0], [0, 1], [1, 0], [0, 1]])
    names = {f"push {i}": shift.name for i, shift in enumerate(shifts)}
    rule = choose_features(answers.replace({"intervention": names}), candidates).attrs["rule"]
    for part in ("at least 50% of", "the 2 most active", "up and down by 2 times", "own axis"):
        assert part in rule


def test_judging_on_roles_or_items_that_chose_is_refused():
    used = answers_under([[1, 0]])
    with pytest.raises(ValueError, match=r"3 roles were used .*first 'a'.*split_roles"):
        require_unseen(used, used)
    others = used.assign(role=used["role"] + "2")
    with pytest.raises(ValueError, match=r"2 items were used .*split_items"):
        require_unseen(used, others)
    require_unseen(used, others.assign(item=others["item"] + "b"))


EFFECTS = answers_under([[1, 0]])
LIST = pd.DataFrame({"intervention": ["push 0"]})


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda sae: candidate_pushes(sae, STATES, min_rate=1.5), "no feature fires on 150%"),
        (lambda sae: candidate_pushes(sae, STATES[:, 1:4], min_rate=0.9), "reads finite states"),
        (
            lambda sae: candidate_pushes(sae, STATES * [0, 1, 1, 1, 1, 1], min_rate=0.9),
            "no feature fires",
        ),
        (lambda sae: choose_features(EFFECTS, LIST + " x"), "lacks answers .* under 'push 0 x'"),
        (lambda sae: choose_features(EFFECTS.assign(log_odds=1.0), LIST), "SE does not vary"),
    ],
)
def test_what_makes_no_sense_is_refused(sae, use, message):
    with pytest.raises(ValueError, match=message):
        use(sae)
