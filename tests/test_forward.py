"""However the forward passes are arranged, the answers are the same, and little is run twice."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import GemmaConfig

from valuegraph import forward
from valuegraph.elicitation import elicit
from valuegraph.forward import Budget, Rows, buckets, default_batch_tokens, shared_layers
from valuegraph.interventions import PLACES, Combination, Sentence, Shift
from valuegraph.prompts import PromptFormat
from valuegraph.roles import Role

ROLES = [
    None,
    Role("singer", "You often leave your keys in the car."),
    Role("guard", "Your home and car are both uninsured. You sleep with every door wide open."),
]
FIGURES = ["log_odds", "mass"]
OPEN = Sentence("open", "You sleep with every door wide open.")


def shift(respondent, layer, where="site-end", seed=0) -> Shift:
    vector = np.random.default_rng((layer, seed)).standard_normal(respondent.width)
    return Shift(f"{where} {layer} {seed}", layer, vector, where)


def at_all_places(respondent, layer) -> list[Shift]:
    return [shift(respondent, layer, where) for where in PLACES]


def known(request, relative, name):
    return (
        request.getfixturevalue(name) if name in ("organism", "llama", "gemma") else relative(name)
    )


def assert_equal(answers, others):
    """Figures up to rounding, all else exactly."""
    np.testing.assert_allclose(answers[FIGURES], others[FIGURES], rtol=0, atol=1e-5)
    pd.testing.assert_frame_equal(answers.drop(columns=FIGURES), others.drop(columns=FIGURES))


# ---- how much at once


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("budget", [1, 40, 200, 10**6])
def test_every_row_is_in_one_group_within_the_budget_and_with_little_padding(budget, copies):
    lengths = np.random.default_rng(0).integers(1, 60, size=80).tolist()
    groups = list(buckets(lengths, budget=budget, copies=copies))
    assert sorted(row for group in groups for row in group) == list(range(80))
    for group in groups:
        own = [lengths[row] for row in group]
        assert own == sorted(own)
        assert len(group) == 1 or max(own) * len(group) * copies <= budget
        assert max(own) <= 1.2 * min(own)


def test_no_group_could_take_the_next_row():
    lengths = [10, 10, 10, 12, 13, 20, 20]
    assert list(buckets(lengths, budget=10**6)) == [[0, 1, 2, 3], [4], [5, 6]]
    assert list(buckets(lengths, budget=30)) == [[0, 1, 2], [3, 4], [5], [6]]
    assert list(buckets([10, 50, 11, 20], budget=60, slack=np.inf)) == [[0, 2, 3], [1]]
    assert list(buckets([], budget=10)) == []


def test_the_budget_is_halved_where_memory_runs_out_and_nowhere_else():
    budget, tried = Budget(700), []
    while not tried or tried[-1] > 100:
        memory = nullcontext() if budget.tokens <= 100 else pytest.warns(match="going on with")
        with memory, budget as tokens:
            tried.append(tokens)
            if tokens > 100:
                raise torch.OutOfMemoryError("fake")
    assert tried == [700, 350, 175, 87]
    with pytest.raises(RuntimeError, match="something else"), budget:
        raise RuntimeError("something else")
    assert budget.tokens == 87
    with pytest.raises(MemoryError, match="not hold one prompt.*quantize='4bit'"):
        with Budget(1):
            raise torch.OutOfMemoryError("fake")


def test_a_gpu_gets_as_many_tokens_as_half_of_its_free_memory_holds(monkeypatch, organism):
    sizes = {"hidden_size": 2048, "intermediate_size": 16384, "num_hidden_layers": 18}
    heads = {"num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 256}
    model = SimpleNamespace(config=GemmaConfig(**sizes, **heads), dtype=torch.bfloat16)
    gpu = SimpleNamespace(device=torch.device("cuda"), model=model)
    for free, tokens in ((20 * 10**9, 19848), (0, 1024)):  # few are tried all the same
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, 10**12))
        assert default_batch_tokens(gpu) == pytest.approx(tokens, rel=1e-3)
    assert default_batch_tokens(organism) == 8192
    wide = SimpleNamespace(device=torch.device("cpu"), model=model, width=2048)
    assert default_batch_tokens(wide) == 1024  # activations that stay in a processor's cache


@pytest.mark.parametrize("mode", ["logit", "generate"])
@pytest.mark.parametrize("batch_tokens", [1, 70])
@pytest.mark.parametrize("name", ["organism", "gemma2"])  # sharing prefixes or not
def test_the_size_of_a_batch_plays_no_part(request, relative, few_items, name, batch_tokens, mode):
    respondent = known(request, relative, name)
    pushes = [shift(respondent, 0), shift(respondent, 1)]
    settings = {"interventions": pushes, "mode": mode, "max_new_tokens": 4}
    answers = elicit(respondent, few_items, ROLES[1:], batch_tokens=batch_tokens, **settings)
    assert_equal(answers, elicit(respondent, few_items, ROLES[1:], **settings))


@pytest.mark.parametrize("mode", ["logit", "generate"])
@pytest.mark.parametrize("name", ["organism", "gemma2"])
def test_where_memory_runs_out_fewer_are_asked_at_a_time(
    monkeypatch, request, relative, few_items, name, mode
):
    """Also while the states that cells share are computed, and while something is written."""
    respondent = known(request, relative, name)
    pushes = [None, shift(respondent, 1), shift(respondent, 1, seed=1)]
    settings = {"interventions": pushes, "mode": mode, "max_new_tokens": 4}
    expected = elicit(respondent, few_items, ROLES, **settings)
    read, sizes = Rows.read, []

    def read_little(rows, **options):
        sizes.append(rows._mask.numel())
        if sizes[-1] > 250:
            raise torch.OutOfMemoryError("fake")
        return read(rows, **options)

    monkeypatch.setattr(Rows, "read", read_little)
    with pytest.warns(match="out of GPU memory; going on with batch_tokens=2500"):
        answers = elicit(respondent, few_items, ROLES, batch_tokens=5000, **settings)
    assert_equal(answers, expected)
    assert max(sizes) > 250
    assert sum(size > 250 for size in sizes) < 8  # what was too much is not tried again and again


# ---- what cells share


def unsplit(monkeypatch, *arguments, **settings):
    """Ask as `elicit` does, but every cell through all layers."""
    with monkeypatch.context() as patched:
        everything = lambda cells, n_layers: [(None, list(range(len(cells))))]  # noqa: E731
        patched.setattr(forward, "shared_layers", everything)
        return elicit(*arguments, **settings)


def test_cells_are_grouped_by_the_layer_up_to_which_they_share():
    def cell(prompt, *layers):
        return prompt, tuple(Shift("s", layer, [0.0]) for layer in layers)

    cells = [cell(1, 1), cell(0), cell(0, 3), cell(1, 0, 2), cell(1, 3), cell(0, 1), cell(2, 0)]
    assert shared_layers(cells, 4) == [(None, [3, 6]), (1, [1, 2, 5, 0, 4])]
    assert shared_layers([*cells, cell(2, 0)], 4) == [
        (None, []),
        (1, [1, 2, 5, 0, 4]),
        (0, [3, 6, 7]),
    ]
    assert shared_layers(cells[1:3], 4) == [(None, [0, 1])]  # nothing above the last layer


@pytest.mark.parametrize("batch_tokens", [None, 150])
def test_with_shared_layers_or_without_the_answers_are_the_same(
    monkeypatch, respondent, few_items, batch_tokens
):
    """Shifts of all layers and places at once, with and without a sentence."""
    shifts = [s for layer in (0, 1, 2) for s in at_all_places(respondent, layer)]
    both = Combination("both", [shifts[7], OPEN, shifts[2]])
    settings = {"interventions": [shifts[0], None, *shifts[1:], OPEN, both]}
    answers = elicit(respondent, few_items, ROLES, batch_tokens=batch_tokens, **settings)
    assert_equal(answers, unsplit(monkeypatch, respondent, few_items, ROLES, **settings))
    by_intervention = answers.pivot(index=["role", "item"], columns="intervention")["log_odds"]
    moved = by_intervention.sub(by_intervention["none"], axis=0).abs().mean()
    # What is added after the last layer is seen only where the answer is read.
    assert set(moved.index[moved < 1e-4]) == {"none", "site-end 2 0", "site 2 0"}


@pytest.mark.parametrize(
    ("name", "layout"), [("qwen2", "chat"), ("qwen3", "chat"), ("gemma", "kang-plain")]
)
def test_so_it_is_for_others(monkeypatch, request, relative, few_items, name, layout):
    respondent = known(request, relative, name)
    settings = {"interventions": [None, *at_all_places(respondent, 1)], "prior": True}
    settings["formats"] = PromptFormat(layout=layout)
    answers = elicit(respondent, few_items, ROLES, **settings)
    assert_equal(answers, unsplit(monkeypatch, respondent, few_items, ROLES, **settings))


def test_lower_layers_see_each_role_once_and_upper_ones_each_cell(llama, few_items):
    def tokens_by_layer(interventions, **settings) -> list[int]:
        counts, layers = [0, 0, 0], llama.model.base_model.layers

        def count(layer, output):
            counts[layer] += output.shape[0] * output.shape[1]

        handles = [
            module.register_forward_hook(lambda m, i, output, layer=layer: count(layer, output))
            for layer, module in enumerate(layers)
        ]
        elicit(llama, few_items, ROLES[:1], interventions=interventions, **settings)
        for handle in handles:
            handle.remove()
        return counts

    once = tokens_by_layer([None])
    assert len(set(once)) == 1
    pushes = [None, *(shift(llama, 1, seed=k) for k in range(6))]
    expected = [once[0], once[0], 7 * once[0]]
    assert tokens_by_layer(pushes) == expected
    assert tokens_by_layer(pushes, batch_tokens=2 * once[0]) == expected  # in several batches


@pytest.mark.parametrize("name", ["llama", "gemma2", "seam"])
def test_where_nothing_is_spared_nothing_is_split(monkeypatch, request, relative, few_items, name):
    respondent = relative(name) if name == "gemma2" else request.getfixturevalue(name)
    shifts, settings = [shift(respondent, 1), shift(respondent, 1, seed=1)], {}
    if name == "llama":
        settings = {"mode": "generate", "max_new_tokens": 2}
    monkeypatch.setattr(forward, "LowerLayers", None)  # not to be called
    answers = elicit(respondent, few_items, ROLES, interventions=shifts, **settings)
    assert len(answers) == len(ROLES) * len(shifts) * len(few_items.items)


@pytest.mark.parametrize("mode", ["logit", "generate"])
@pytest.mark.parametrize("name", ["organism", "gemma", "qwen3", "gemma3"])
def test_sharing_a_prefix_changes_no_answer(monkeypatch, request, relative, few_items, name, mode):
    respondent = known(request, relative, name)
    pushes = [None, *at_all_places(respondent, 1), OPEN]
    settings = {"mode": mode, "max_new_tokens": 6, "interventions": pushes}
    shared = elicit(respondent, few_items, ROLES, **settings)
    monkeypatch.setattr(forward, "can_share", lambda model, tokens: False)
    monkeypatch.setattr(forward, "run_prefixes", None)  # not to be called
    assert_equal(shared, elicit(respondent, few_items, ROLES, **settings))


@pytest.mark.parametrize("where", PLACES)
def test_a_zero_shift_is_no_shift_to_the_bit(llama, few_items, where):
    zero = [Shift(f"zero {k}", 1, np.zeros(llama.width), where) for k in range(3)]
    answers = elicit(llama, few_items, ROLES, interventions=[None, *zero])
    by_shift = answers["log_odds"].to_numpy().reshape(len(ROLES), 4, -1)
    np.testing.assert_allclose(by_shift[:, 1:], by_shift[:, :1].repeat(3, axis=1), atol=1e-6)
    others = elicit(llama, few_items, ROLES, interventions=[None, *at_all_places(llama, 1)[:3]])
    moved = others["log_odds"].to_numpy().reshape(len(ROLES), 4, -1)
    np.testing.assert_array_equal(by_shift[:, 0], moved[:, 0])
    assert (moved[:, 1:] != moved[:, :1]).all()
