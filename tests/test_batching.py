"""Batches hold every row once and no more than they may, and less where memory runs out."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from valuegraph.asking.batching import buckets, default_batch_tokens, with_back_off

# ------------------------------------------------------------------------------------------ buckets


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("budget", [1, 40, 200, 10**6])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_row_is_in_one_group_within_the_budget_and_with_little_padding(seed, budget, copies):
    lengths = np.random.default_rng(seed).integers(1, 60, size=80).tolist()
    groups = list(buckets(lengths, budget=budget, copies=copies))
    assert sorted(row for group in groups for row in group) == list(range(80))
    for group in groups:
        own = [lengths[row] for row in group]
        assert own == sorted(own)
        assert len(group) == 1 or max(own) * len(group) * copies <= budget
        assert max(own) <= 1.2 * min(own)
        assert sum(max(own) - n for n in own) <= 0.2 * sum(own)


def test_no_group_could_take_the_next_row():
    lengths = [10, 10, 10, 12, 13, 20, 20]
    assert list(buckets(lengths, budget=10**6)) == [[0, 1, 2, 3], [4], [5, 6]]
    assert list(buckets(lengths, budget=30)) == [[0, 1, 2], [3, 4], [5], [6]]
    assert list(buckets(lengths, budget=30, copies=2)) == [[0], [1], [2], [3], [4], [5], [6]]


def test_padding_is_no_matter_where_the_slack_is_endless():
    lengths = [10, 50, 11, 20]
    assert list(buckets(lengths, budget=10**6, slack=np.inf)) == [[0, 2, 3, 1]]
    assert list(buckets(lengths, budget=60, slack=np.inf)) == [[0, 2, 3], [1]]
    assert list(buckets(lengths, budget=10**6, slack=0)) == [[0], [2], [3], [1]]


def test_rows_of_one_length_keep_their_order():
    assert list(buckets([5, 7, 5, 7, 5], budget=100)) == [[0, 2, 4], [1, 3]]


def test_no_rows_make_no_groups():
    assert list(buckets([], budget=10)) == []


# -------------------------------------------------------------------------------------- backing off


def test_the_budget_is_halved_until_memory_suffices(monkeypatch):
    tried, emptied = [], []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))

    def run(budget):
        tried.append(budget)
        if budget > 100:
            raise torch.OutOfMemoryError("fake")
        return "done"

    assert with_back_off(run, 700) == ("done", 87)
    assert tried == [700, 350, 175, 87]
    assert len(emptied) == 3


def test_a_budget_that_suffices_stays():
    assert with_back_off(lambda budget: budget + 1, 700) == (701, 700)


def test_a_single_token_is_the_last_try():
    tried = []

    def run(budget):
        tried.append(budget)
        raise torch.OutOfMemoryError("fake")

    with pytest.raises(
        MemoryError, match=r'one prompt; load the model with quantize="4bit"'
    ) as told:
        with_back_off(run, 9)
    assert tried == [9, 4, 2, 1]
    assert isinstance(told.value.__cause__, torch.OutOfMemoryError)


def test_other_errors_are_passed_on():
    tried = []

    def run(budget):
        tried.append(budget)
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        with_back_off(run, 700)
    assert tried == [700]


# ----------------------------------------------------------------------------------- default budget


def test_a_processor_gets_a_fixed_number_of_tokens(organism):
    assert default_batch_tokens(organism) == 8192


def on_a_gpu(
    monkeypatch, free, *, dtype=torch.bfloat16, hidden=2048, mlp=16384, key_heads=1, head=256
):
    """Default budget of a model on a GPU that is made up."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10 * free))
    config = SimpleNamespace(
        hidden_size=hidden,
        intermediate_size=mlp,
        num_hidden_layers=18,
        num_attention_heads=8,
        num_key_value_heads=key_heads,
        head_dim=head,
    )
    model = SimpleNamespace(config=config, dtype=dtype)
    return default_batch_tokens(SimpleNamespace(device=torch.device("cuda"), model=model))


def test_a_gpu_gets_as_many_tokens_as_its_free_memory_holds(monkeypatch):
    tokens = on_a_gpu(monkeypatch, 20 * 10**9)
    # Of each token, the widest layer holds three numbers a unit and eight a coordinate; of it and
    # of five that are written after it, every layer keeps a key and a value.
    held = (3 * 16384 + 8 * 2048) * (2 + 4) + 6 * 2 * 18 * 256 * 2
    assert tokens * held == pytest.approx(10 * 10**9, rel=1e-3)
    assert on_a_gpu(monkeypatch, 40 * 10**9) == pytest.approx(2 * tokens, abs=1)
    assert on_a_gpu(monkeypatch, 20 * 10**9, dtype=torch.float32) < tokens
    assert on_a_gpu(monkeypatch, 20 * 10**9, hidden=4096) < tokens
    assert on_a_gpu(monkeypatch, 20 * 10**9, mlp=2 * 16384) < tokens
    # Some architectures do not tell; four times the stream's width is common.
    told, untold = (on_a_gpu(monkeypatch, 20 * 10**9, mlp=mlp) for mlp in (4 * 2048, None))
    assert told == untold
    # Nor heads: there are then as many of keys as of queries, and they share the stream's width.
    told, untold = (
        on_a_gpu(monkeypatch, 20 * 10**9, key_heads=heads, head=head)
        for heads, head in ((8, 2048 // 8), (None, None))
    )
    assert told == untold < tokens


def test_a_full_gpu_is_tried_all_the_same(monkeypatch):
    assert on_a_gpu(monkeypatch, 0) == 1024
