"""Cutting a sweep into blocks and shards, and the settings it is described by."""

import numpy as np
import pytest

from valuegraph.asking.prompts import PromptFormat
from valuegraph.interventions import Shift
from valuegraph.roles import Role
from valuegraph.runs.plan import ModelSource, Sweep, cut, of_shard, parse_shard

ROLES = (None, Role("a", "You are a nurse."), Role("b", "You are a baker."))


def cells_of(blocks):
    return [
        (block.fmt, role, intervention)
        for block in blocks
        for role in range(*block.roles)
        for intervention in range(*block.interventions)
    ]


@pytest.mark.parametrize("n_formats, n_roles, n_interventions", [(1, 1, 1), (2, 7, 3), (1, 5, 40)])
@pytest.mark.parametrize("block_size", [1, 2, 3, 16, 1000])
def test_blocks_hold_every_cell_once_and_in_order(n_formats, n_roles, n_interventions, block_size):
    blocks = cut(n_formats, n_roles, n_interventions, block_size=block_size)
    assert cells_of(blocks) == [
        (f, r, i) for f in range(n_formats) for r in range(n_roles) for i in range(n_interventions)
    ]
    assert [block.number for block in blocks] == list(range(len(blocks)))
    assert all(1 <= block.cells <= block_size for block in blocks)
    assert sum(block.cells for block in blocks) == n_formats * n_roles * n_interventions


def test_shards_share_the_blocks_evenly_and_none_twice():
    blocks = cut(2, 11, 1, block_size=2)
    shards = [of_shard(blocks, (i, 5)) for i in range(1, 6)]
    assert sorted(block.number for shard in shards for block in shard) == list(range(len(blocks)))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_shards_are_read_as_they_are_said():
    assert parse_shard("2/4") == (2, 4)
    assert parse_shard(" 1/1 ") == (1, 1)


@pytest.mark.parametrize("text", ["5/4", "0/4", "0/0"])
def test_a_shard_that_does_not_exist_is_refused(text):
    with pytest.raises(ValueError, match=rf"no shard {text}; give i/n with i from 1 to n"):
        parse_shard(text)


@pytest.mark.parametrize("text", ["", "1", "1/", "1/2/3", "-1/2", "one/two"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(ValueError, match="not of the form i/n"):
        parse_shard(text)


def test_a_sweep_names_its_model_by_a_string_and_takes_the_format_of_its_mode(few_items):
    sweep = Sweep("organism-human", few_items, [None])
    assert sweep.model == ModelSource("organism-human")
    assert sweep.format_names == ["answer, yes first"]
    assert Sweep("organism-human", few_items, [None], mode="generate").formats[0].think


def test_a_type_of_weights_is_known_by_its_name():
    import torch

    assert ModelSource("m", dtype=torch.bfloat16).dtype == "bfloat16"
    assert ModelSource("m", device=torch.device("cpu")).device == "cpu"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"roles": ()}, "no roles given; give at least one"),
        ({"interventions": ()}, "no interventions given; give at least one"),
        ({"roles": (None, None)}, "two roles are called 'no role'"),
        ({"interventions": 2 * (Shift("x", 0, np.ones(3)),)}, "interventions are called 'x'"),
        ({"formats": 2 * (PromptFormat(),)}, "two formats are called 'answer, yes first'"),
        ({"mode": "guess"}, "unknown mode 'guess'; known are logit, generate"),
        ({"mode": "generate", "prior": True}, "use mode='logit'"),
        ({"block_size": 0}, "block_size must be a whole number of at least 1, got 0"),
        ({"max_new_tokens": 1.5}, "max_new_tokens must be a whole number of at least 1, got 1.5"),
    ],
)
def test_a_sweep_that_cannot_be_asked_is_refused(few_items, change, message):
    with pytest.raises(ValueError, match=message):
        Sweep(**{"model": "organism-human", "inventory": few_items, "roles": ROLES, **change})
