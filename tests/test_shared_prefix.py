"""Rows behind a shared prefix read what they read behind a prefix of their own, to the end."""

import pytest
import torch

from valuegraph.encoding import pad_left
from valuegraph.forward import Rows
from valuegraph.hooks import RowShifts
from valuegraph.shared_prefix import can_share, run_prefixes, sharing

# Lengths are all different, and the longest prefix is not the first.
PREFIXES = [[2, 31, 32], [2, 41, 42, 43, 44, 45, 46], [2, 51, 52, 53, 54]]
SUFFIXES = [[61, 62, 63, 64], [71, 72], [81], [91, 92, 93]]
TEXTS = [prefix + suffix for prefix in PREFIXES for suffix in SUFFIXES]


@pytest.fixture(params=["organism", "llama", "gemma", "qwen2", "qwen3", "mistral", "gemma3"])
def model(request, relative):
    """Each architecture that shares."""
    known = request.param in ("organism", "llama", "gemma")
    return (request.getfixturevalue(request.param) if known else relative(request.param)).model


def rows_behind(model, prefix):
    own = pad_left(SUFFIXES * len(PREFIXES), model.device)
    return Rows(model, own, RowShifts((), None), prefix=prefix)


def prefixes(model):
    return run_prefixes(model, pad_left(PREFIXES, model.device))


@torch.no_grad()
def assert_read_as_alone(model, logits, texts):
    alone = torch.stack([model(torch.tensor([ids])).logits[0, -1] for ids in texts])
    torch.testing.assert_close(logits[:, -1], alone, rtol=0, atol=1e-5)


# Numbers of the rows that go on, step by step, counted among those of the step before.
SELECTIONS = {
    "ragged": [[0, 1, 2, 3, 5, 8, 9, 10], [0, 3, 4, 5, 7], [1, 2, 4], [2]],
    "the first prefix drops out": [[4, 5, 6, 7, 8, 10], [0, 3, 5], [1, 2]],
    "the longest prefix is left": [[4, 5, 6, 7], [1, 3]],
    "all stay": [list(range(12)), list(range(12))],
}


@pytest.mark.parametrize("chosen", SELECTIONS.values(), ids=SELECTIONS)
def test_rows_are_read_as_alone_and_any_of_them_may_go_on(model, chosen):
    assert can_share(model, 100)
    prefix, texts = prefixes(model), TEXTS
    kept = [k.clone() for k in prefix.keys]
    rows = rows_behind(model, prefix)
    assert_read_as_alone(model, rows.read(keep=True), texts)
    for step, stay in enumerate(chosen):
        following = [100 + 7 * step + n for n in range(len(texts))]
        rows.append(torch.tensor(following))
        rows.select(torch.tensor(stay))
        texts = [[*texts[n], following[n]] for n in stay]
        assert len(rows) == len(texts)
        assert_read_as_alone(model, rows.read(keep=True), texts)
    assert all(map(torch.equal, prefix.keys, kept))  # so that others can follow it


def test_rows_without_a_prefix_are_whole_texts(llama):
    rows = Rows(llama.model, pad_left(TEXTS, llama.device), RowShifts((), None))
    assert_read_as_alone(llama.model, rows.read(keep=True), TEXTS)
    rows.append(torch.arange(100, 112))
    rows.select(torch.tensor([1, 8]))
    texts = [[*TEXTS[n], 100 + n] for n in (1, 8)]
    assert_read_as_alone(llama.model, rows.read(keep=True), texts)


def test_only_prefixes_that_are_followed_are_kept(llama):
    prefix = prefixes(llama.model)
    assert prefix.padding == 4
    assert prefix.mask.sum(1).tolist() == [3, 7, 5]
    followed = prefix.followed_by(torch.tensor([1, 1, 2]))
    whole, part = prefix.keys + prefix.values, followed.keys + followed.values
    assert all(torch.equal(b, a[1:]) for a, b in zip(whole, part, strict=True))
    assert followed.slots.shape == (2, 2)


def test_the_last_mlp_runs_on_the_last_token_alone(model):
    widths, mlp = [], model.base_model.layers[-1].mlp
    handle = mlp.register_forward_hook(lambda m, inputs, out: widths.append(inputs[0].shape[1]))
    rows_behind(model, prefixes(model)).read()
    handle.remove()
    assert widths == [1, 1]


@pytest.mark.parametrize("name", ["mistral-sliding", "gemma2"])
def test_windows_and_capped_attention_do_not_share(relative, name):
    assert not can_share(relative(name).model)


@pytest.mark.parametrize(
    ("change", "shares"),
    [
        ({"model_type": "gemma3"}, False),
        ({"sliding_window": 4096}, False),
        ({"sliding_window": None}, True),
        ({"use_bidirectional_attention": True}, False),
    ],
)
def test_the_configuration_decides(monkeypatch, llama, change, shares):
    for name, value in change.items():
        monkeypatch.setattr(llama.model.config, name, value, raising=False)
    assert can_share(llama.model) == shares


@pytest.mark.parametrize(("tokens", "shares"), [(512, True), (513, False), (torch.inf, False)])
def test_a_window_is_as_good_as_none_while_it_holds_all_tokens(relative, tokens, shares):
    assert can_share(relative("gemma3").model, tokens) == shares


def test_a_model_shares_as_long_as_the_context_lasts(llama):
    model = llama.model
    mlp, before = model.base_model.layers[-1].mlp, model.config._attn_implementation
    with pytest.raises(RuntimeError, match="midway"), sharing(model):
        assert model.config._attn_implementation != before and mlp._forward_pre_hooks
        raise RuntimeError("midway")
    assert model.config._attn_implementation == before and not mlp._forward_pre_hooks
