"""Parts share nothing and miss nothing; items are divided within values and keys."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.inventory import Inventory
from valuegraph.personas import sample_personas
from valuegraph.roles import Role
from valuegraph.splitting import split_items, split_roles


def made(**keys) -> Inventory:
    """An inventory with so many (positive, negative) items on each value."""
    rows = [
        (f"{value}{sign:+d}{i}", value, sign, f"Is it {value} {sign} {i}?")
        for value, counts in keys.items()
        for sign, count in zip((1, -1), counts, strict=True)
        for i in range(count)
    ]
    items = pd.DataFrame(rows, columns=["item", "value", "key", "text"])
    # Keys stand in no order, as in a real questionnaire.
    items = items.sample(frac=1, random_state=0)
    values = pd.DataFrame({"label": list(keys), "group": "g", "phrase": "p"}, index=list(keys))
    return Inventory("made", items, values)


# ------------------------------------------------------------------------------ items


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(5))
def test_two_parts_make_the_whole_and_keep_its_order(inventory, share, seed):
    parts = split_items(inventory, share=share, seed=seed)
    ids = inventory.items["item"].tolist()
    train, test = (part.items["item"].tolist() for part in parts)
    assert sorted(train + test) == sorted(ids)
    assert not set(train) & set(test)
    for part, kept in zip(parts, (train, test), strict=True):
        assert kept == [item for item in ids if item in set(kept)]
        assert part.codes == inventory.codes
        whole = inventory.items.set_index("item").loc[kept].reset_index()
        pd.testing.assert_frame_equal(part.items, whole[part.items.columns])


def test_balanced_items_stay_balanced(inventory):
    for part in split_items(inventory, share=0.5, seed=0):
        assert (part.keying == 2).all(axis=None)


@pytest.mark.parametrize("share", np.linspace(0.02, 0.98, 17))
@pytest.mark.parametrize(
    "counts", [(2, 0), (0, 3), (1, 1), (1, 2), (5, 1), (2, 9), (7, 7), (28, 0)]
)
def test_the_share_is_kept_by_value_and_by_key_and_each_key_is_in_both_parts(share, counts):
    train, test = split_items(made(X=counts), share=share, seed=3)
    n = sum(counts)
    least = max(1, sum(count >= 2 for count in counts))
    assert len(train.items) == np.clip(np.floor(share * n + 0.5), least, n - least)
    for sign, count in zip(("positive", "negative"), counts, strict=True):
        got = train.keying.loc["X", sign]
        assert abs(got - share * count) <= 1 + 1e-9
        if count >= 2:
            assert 1 <= got <= count - 1


def test_an_odd_item_goes_to_either_part_by_chance():
    whole = made(X=(3, 3))
    extra = [
        split_items(whole, share=0.5, seed=s)[0].keying.loc["X", "positive"] for s in range(60)
    ]
    assert set(extra) == {1, 2}
    assert 15 < extra.count(1) < 45


def test_every_item_has_its_share_of_chances(few_items):
    n = 400
    trains = [split_items(few_items, share=0.5, seed=seed)[0] for seed in range(n)]
    counts = pd.concat([train.items["item"] for train in trains]).value_counts()
    assert len(counts) == len(few_items.items)
    assert np.abs(counts / n - 0.5).max() < 5 * 0.5 / np.sqrt(n)


def test_same_seed_same_items(inventory):
    def ids(seed):
        return split_items(inventory, share=0.5, seed=seed)[0].items["item"].tolist()

    assert ids(1) == ids(1) != ids(2)


def test_the_parts_are_named_after_the_whole(inventory):
    train, test = split_items(inventory, share=0.5, seed=0)
    assert (train.name, test.name) == ("schwartz10-train", "schwartz10-test")


def test_values_that_cannot_be_divided_are_named():
    with pytest.raises(
        ValueError, match=r"'made' has one item only on X, Z, which cannot stand in"
    ):
        split_items(made(X=(1, 0), Y=(1, 1), Z=(0, 1)), share=0.5, seed=0)


@pytest.mark.parametrize("share", [0, 1, -0.5, 2, float("nan"), "half"])
def test_a_share_that_is_none_is_refused(inventory, share):
    with pytest.raises(ValueError, match="share is .*between 0 and 1"):
        split_items(inventory, share=share, seed=0)


# ------------------------------------------------------------------------------ roles


def test_train_and_test_roles_share_no_text():
    roles = sample_personas(125, seed=0)
    train, test = split_roles(roles, test=25, seed=0)
    assert (len(train), len(test)) == (100, 25)
    assert not {r.text for r in train} & {r.text for r in test}
    assert set(train) | set(test) == set(roles)
    for part in (train, test):
        assert part == [role for role in roles if role in set(part)]


def test_same_seed_same_roles():
    roles = sample_personas(50, seed=0)
    assert split_roles(roles, test=10, seed=1) == split_roles(roles, test=10, seed=1)
    assert split_roles(roles, test=10, seed=1) != split_roles(roles, test=10, seed=2)


def test_every_role_has_its_share_of_chances():
    roles, n = sample_personas(4, seed=0), 400
    tests = [split_roles(roles, test=1, seed=seed)[1][0].name for seed in range(n)]
    shares = pd.Series(tests).value_counts() / n
    assert len(shares) == 4
    assert np.abs(shares - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / n)


def test_a_text_that_appears_twice_is_refused():
    roles = [Role("a", "You sing."), Role("b", "You run."), Role("c", "You sing.")]
    with pytest.raises(ValueError, match="roles a, c have the same text"):
        split_roles(roles, test=1, seed=0)


def test_the_baseline_is_in_neither_part():
    with pytest.raises(ValueError, match=r"baseline \(None\) is among the roles"):
        split_roles([None, *sample_personas(2, seed=0)], test=1, seed=0)


@pytest.mark.parametrize(("test", "told"), [(0, "test is 0"), (3, "3, but"), (1.5, "test is 1.5")])
def test_each_part_has_a_role(test, told):
    with pytest.raises(ValueError, match=told):
        split_roles(sample_personas(3, seed=0), test=test, seed=0)


@pytest.mark.parametrize("seed", [-1, None, 0.5, True])
def test_a_seed_is_a_whole_number(inventory, seed):
    with pytest.raises(ValueError, match=f"seed is {seed}"):
        split_items(inventory, share=0.5, seed=seed)
    with pytest.raises(ValueError, match=f"seed is {seed}"):
        split_roles(sample_personas(3, seed=0), test=1, seed=seed)
