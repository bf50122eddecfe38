"""Rows behind a shared prefix say what they say behind a prefix of their own, to the end."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from valuegraph import shared_prefix
from valuegraph.encoding import pad_left
from valuegraph.forward import Rows
from valuegraph.shared_prefix import can_share, run_prefixes, sharing

# Lengths are all different, and the longest prefix is not the first.
PREFIXES = [[2, 31, 32], [2, 41, 42, 43, 44, 45, 46], [2, 51, 52, 53, 54]]
SUFFIXES = [[61, 62, 63, 64], [71, 72], [81], [91, 92, 93]]
ROWS = [(p, s) for p in range(len(PREFIXES)) for s in range(len(SUFFIXES))]
SHARING = ["organism", "llama", "gemma", "qwen2", "qwen3", "mistral"]


@pytest.fixture(params=SHARING)
def model(request, relative):
    """Each architecture that shares."""
    known = request.param in ("organism", "llama", "gemma")
    return (request.getfixturevalue(request.param) if known else relative(request.param)).model


def shared(model, prefixes=PREFIXES):
    padded = pad_left(prefixes, model.device)
    return run_prefixes(model, padded.ids, padded.mask, padded.positions)


@torch.no_grad()
def logits_alone(model, ids) -> torch.Tensor:
    return model(torch.tensor([ids])).logits[0, -1]


def assert_read_as_alone(model, logits, texts):
    expected = torch.stack([logits_alone(model, ids) for ids in texts])
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)


def test_rows_behind_shared_prefixes_are_those_behind_their_own(model):
    assert can_share(model)
    rows = Rows(model, [SUFFIXES[s] for _, s in ROWS], shared(model))
    assert_read_as_alone(model, rows.read(), [PREFIXES[p] + SUFFIXES[s] for p, s in ROWS])


@pytest.mark.parametrize("behind_a_prefix", [True, False])
def test_rows_that_go_on_say_what_they_say_alone(organism, behind_a_prefix):
    model = organism.model
    texts = [PREFIXES[p] + SUFFIXES[s] for p, s in ROWS]
    if behind_a_prefix:
        rows = Rows(model, [SUFFIXES[s] for _, s in ROWS], shared(model))
    else:
        rows = Rows(model, texts)
    for step in range(4):
        assert_read_as_alone(model, rows.read(keep=True), texts)
        following = [100 + 7 * step + n for n in range(len(texts))]
        rows.append(torch.tensor(following))
        texts = [[*text, token] for text, token in zip(texts, following, strict=True)]


# Row numbers that go on, step by step, counted among those of the step before.
SELECTIONS = {
    "ragged": [[0, 1, 2, 3, 5, 8, 9, 10], [0, 3, 4, 5, 7], [1, 2, 4], [2]],
    "the first prefix drops out": [[4, 5, 6, 7, 8, 10], [0, 3, 5], [1, 2]],
    "the middle prefix drops out": [[0, 1, 8, 9, 10, 11], [1, 2, 5], [0, 2]],
    "the last prefix drops out": [[0, 1, 2, 4], [0, 3]],
    "the longest prefix is left": [[4, 5, 6, 7], [1, 3]],
    "one row of each": [[0, 4, 8], [0, 1, 2], [1]],
    "all": [list(range(12)), list(range(12))],
}


@pytest.mark.parametrize("selections", SELECTIONS.values(), ids=SELECTIONS)
def test_any_of_the_rows_may_go_on(model, selections):
    rows = Rows(model, [SUFFIXES[s] for _, s in ROWS], shared(model))
    texts = [PREFIXES[p] + SUFFIXES[s] for p, s in ROWS]
    rows.read(keep=True)
    for step, chosen in enumerate(selections):
        following = [100 + 7 * step + n for n in range(len(texts))]
        rows.append(torch.tensor(following))
        rows.select(torch.tensor(chosen))
        texts = [[*texts[n], following[n]] for n in chosen]
        assert_read_as_alone(model, rows.read(keep=True), texts)


@pytest.mark.parametrize("of_row", [[0, 0, 1, 2, 2, 2], [1, 1, 1, 2], [0, 2], [1], [0, 0, 1, 1]])
def test_prefixes_can_be_followed_by_any_numbers_of_rows(llama, of_row):
    """Before anything was read, as well as after it."""
    model = llama.model
    chosen = [SUFFIXES[n % 4] for n in range(len(of_row))]
    prefix = shared(model).followed_by(torch.tensor(of_row))
    padded = pad_left(chosen, model.device)
    before = torch.tensor([[len(PREFIXES[p])] for p in of_row])
    n = padded.ids.shape[1]
    seen = torch.ones(n, n, dtype=torch.bool).tril() & padded.mask[:, None, None]
    with torch.inference_mode(), sharing(model):
        logits = model(
            input_ids=padded.ids,
            position_ids=padded.positions + before,
            attention_mask=seen | torch.eye(n, dtype=torch.bool),
            shared_prefix=prefix,
            use_cache=False,
        ).logits[:, -1]
    texts = [PREFIXES[p] + ids for p, ids in zip(of_row, chosen, strict=True)]
    assert_read_as_alone(model, logits, texts)


def test_only_prefixes_that_are_followed_are_kept(llama):
    prefix = shared(llama.model)
    kept = prefix.followed_by(torch.tensor([1, 1, 2]))
    for whole, part in zip(prefix.keys + prefix.values, kept.keys + kept.values, strict=True):
        assert torch.equal(part, whole[1:])
    assert torch.equal(kept.mask, prefix.mask[1:])


def test_a_prefix_is_padded_no_more_than_it_must(llama):
    prefix = shared(llama.model)
    assert prefix.padding == 4
    assert prefix.mask.sum(1).tolist() == [3, 7, 5]
    assert shared(llama.model, [[2, 3], [4, 5]]).padding == 0
    # Two key heads of width 8, in each of three layers.
    assert [tuple(k.shape) for k in prefix.keys + prefix.values] == [(3, 2, 7, 8)] * 6


# ---------------------------------------------------------------------------------- what is spared


def widths_of_the_last_mlp(model):
    """Numbers of tokens that the last layer's MLP is given, pass by pass."""
    widths = []
    mlp = model.base_model.layers[-1].mlp
    handle = mlp.register_forward_hook(lambda m, inputs, output: widths.append(inputs[0].shape[1]))
    return widths, handle


def test_the_last_mlp_runs_on_the_last_token_alone_and_changes_no_answer(model, monkeypatch):
    def ask():
        widths, handle = widths_of_the_last_mlp(model)
        logits = Rows(model, [SUFFIXES[s] for _, s in ROWS], shared(model)).read()
        handle.remove()
        return logits, widths

    spared, widths = ask()
    assert widths == [1, 1]
    monkeypatch.setattr(shared_prefix, "_last_state_only", nullcontext)
    full, widths = ask()
    assert widths == [7, 4]
    torch.testing.assert_close(spared, full, rtol=0, atol=1e-5)


# --------------------------------------------------------------------------------------- who shares


@pytest.mark.parametrize("name", ["mistral-sliding", "gemma2"])
def test_windows_and_capped_attention_do_not_share(relative, name):
    assert not can_share(relative(name).model)


@pytest.mark.parametrize(
    ("change", "shares"),
    [
        ({}, True),
        ({"model_type": "gemma3"}, False),
        ({"sliding_window": 4096}, False),
        ({"sliding_window": None}, True),
        ({"use_bidirectional_attention": True}, False),
    ],
)
def test_what_decides_stands_in_the_configuration(monkeypatch, llama, change, shares):
    for name, value in change.items():
        monkeypatch.setattr(llama.model.config, name, value, raising=False)
    assert can_share(llama.model) == shares


# ---------------------------------------------------------------------- the model is left as it was


def test_a_model_shares_as_long_as_the_context_lasts(llama):
    model = llama.model
    mlp, before = model.base_model.layers[-1].mlp, model.config._attn_implementation
    with sharing(model):
        assert model.config._attn_implementation != before
        assert mlp._forward_pre_hooks
    assert model.config._attn_implementation == before
    assert not mlp._forward_pre_hooks
    with pytest.raises(RuntimeError, match="midway"), sharing(model):
        raise RuntimeError("midway")
    assert model.config._attn_implementation == before
    assert not mlp._forward_pre_hooks


def test_a_prefix_can_be_followed_again_and_again(llama):
    prefix = shared(llama.model)
    kept = [k.clone() for k in prefix.keys]
    rows = [SUFFIXES[s] for _, s in ROWS]
    first = Rows(llama.model, rows, prefix)
    logits = first.read(keep=True)
    first.append(torch.arange(12))
    first.select(torch.tensor([0, 5]))
    first.read(keep=True)
    np.testing.assert_array_equal(Rows(llama.model, rows, prefix).read(), logits)
    assert all(map(torch.equal, prefix.keys, kept))
