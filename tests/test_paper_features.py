"""Features with an effect of their own, and features without one."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.answers import NO_INTERVENTION
from valuegraph.paper.features import aim, specificity
from valuegraph.paper.tables import hard_prompt_counts, table1

VALUES = [f"v{i}" for i in range(6)]
FEATURES = [str(i) for i in range(5)]


def scores_with(effects, *, roles=40, seed=0, names="r"):
    """Steered scores: effects ``(features, values)`` are added to noise."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(roles, len(VALUES)))
    index = pd.MultiIndex.from_product(
        [[NO_INTERVENTION, *FEATURES], [f"{names}{i}" for i in range(roles)]],
        names=["intervention", "role"],
    )
    steered = own[None] + effects[:, None] + rng.normal(size=(len(FEATURES), *own.shape))
    table = np.concatenate([own[None], steered]).reshape(-1, len(VALUES))
    return pd.DataFrame(table, index, VALUES)


@pytest.fixture
def effects():
    return 1.5 * np.random.default_rng(9).choice([-1, 0, 1], size=(5, 6))


def test_features_with_effects_of_their_own_are_recognised(effects):
    found = specificity(scores_with(effects), scores_with(effects, seed=1, names="s"), VALUES)
    assert found.recognised == 5
    assert found.same > found.other + 0.05
    assert found.p_value < 0.05


def test_features_that_all_do_the_same_are_alike_and_not_specific(effects):
    alike = np.repeat(effects[:1], 5, axis=0)
    found = specificity(scores_with(alike), scores_with(alike, seed=1, names="s"), VALUES)
    assert found.same > 0.9
    assert found.same == pytest.approx(found.other, abs=0.02)
    assert found.p_value > 0.05


def test_similarity_with_itself_is_table_1(effects):
    train, test = scores_with(effects), scores_with(effects, seed=1, names="s")
    table = table1(train, test, VALUES[:4])
    found = specificity(train, test, VALUES[:4], draws=9)
    assert found.same == pytest.approx(table["overall_mean"])
    own = pd.Series(np.diag(found.similarity), found.similarity.index)
    assert own.to_dict() == pytest.approx(table["mean_similarity_10values"])


@pytest.fixture
def aimed(effects):
    train, test = scores_with(effects), scores_with(effects, seed=1, names="s")
    told = test.xs(NO_INTERVENTION, level=0) + 0.5
    steering = {v: FEATURES[int(effects[:, i].argmax())] for i, v in enumerate(VALUES)}
    return train, test, told, steering


def test_net_shares_are_those_of_the_counts(aimed):
    train, test, told, steering = aimed
    found = aim(train, test, told, steering, upwards=True, resamples=200)
    counts = hard_prompt_counts(test, told, steering)
    for way, share in (("sae", found.feature), ("hard", found.instruction)):
        up, _, down = counts[way]
        assert share == pytest.approx((up - down) / found.pairs)
    assert found.pairs == 240
    assert found.difference == pytest.approx(found.feature - found.instruction)
    down = aim(train, test, told, steering, upwards=False, resamples=20)
    assert down.feature == -found.feature
    assert down.instruction == -1


def test_a_choice_on_training_roles_finds_features_that_work(aimed, effects):
    train, test, told, steering = aimed
    found = aim(train, test, told, steering, upwards=True, resamples=200)
    assert found.from_train > found.any_feature + 0.2
    assert found.from_train == pytest.approx(found.feature, abs=0.15)
    assert found.wide_low <= found.low <= found.difference <= found.high <= found.wide_high


def test_without_effects_a_choice_gains_nothing(aimed):
    _, _, _, steering = aimed
    none = np.zeros((5, 6))
    train, test = scores_with(none, roles=100), scores_with(none, roles=100, seed=1, names="s")
    told = test.xs(NO_INTERVENTION, level=0)
    found = aim(train, test, told, steering, upwards=True, resamples=200)
    assert abs(found.from_train) < 0.15
    assert found.instruction == 0
    assert found.low < 0.1
