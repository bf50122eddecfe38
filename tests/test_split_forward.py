"""Layers below a shift are run once for all shifts of a role, and no answer tells of it."""

import numpy as np
import pandas as pd
import pytest
import torch

from valuegraph import elicitation as cells
from valuegraph import forward as split_forward
from valuegraph.elicitation import elicit
from valuegraph.encoding import encode_prompts
from valuegraph.forward import Rows, SplitForward
from valuegraph.interventions import PLACES, Combination, Sentence, Shift
from valuegraph.prompts import PromptFormat
from valuegraph.roles import Role

ROLES = [
    None,
    Role("singer", "You often leave your keys in the car."),
    Role("guard", "Your home and car are both uninsured. You sleep with every door wide open."),
]


def shift(respondent, layer, where="site-end", seed=0) -> Shift:
    vector = np.random.default_rng((layer, seed)).standard_normal(respondent.width)
    return Shift(f"{where} {layer} {seed}", layer, vector, where)


def at_all_places(respondent, layer) -> list[Shift]:
    return [shift(respondent, layer, where) for where in PLACES]


@pytest.fixture
def unsplit(monkeypatch):
    """Ask as `elicit` does, but every cell through all layers."""

    def ask(*arguments, **settings):
        with monkeypatch.context() as patched:
            patched.setattr(
                cells, "shared_layers", lambda asked, n: [(None, list(range(len(asked))))]
            )
            return elicit(*arguments, **settings)

    return ask


def counting(monkeypatch) -> list[SplitForward]:
    made = []

    class Counted(SplitForward):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(cells, "SplitForward", Counted)
    return made


def assert_equal(answers, others):
    figures = ["log_odds", "mass"]
    np.testing.assert_allclose(answers[figures], others[figures], rtol=0, atol=1e-5)
    pd.testing.assert_frame_equal(answers.drop(columns=figures), others.drop(columns=figures))


# ---------------------------------------------------------------------------------- nothing changes


@pytest.mark.parametrize("batch_tokens", [None, 1, 150])
def test_split_or_not_the_answers_are_the_same(
    monkeypatch, respondent, few_items, unsplit, batch_tokens
):
    """Shifts of all layers and places at once, with and without something told."""
    made = counting(monkeypatch)
    shifts = [s for layer in (0, 1, 2) for s in at_all_places(respondent, layer)]
    told = Sentence("told", "You sleep with every door wide open.")
    both = [
        Combination("both", [shifts[7], told, shifts[2]]),
        Combination("one", [told, shifts[5]]),
    ]
    settings = {"interventions": [shifts[0], None, *shifts[1:], told, *both]}
    answers = elicit(respondent, few_items, ROLES, batch_tokens=batch_tokens, **settings)
    assert [split.layer for split in made] == [0, 1]
    assert_equal(answers, unsplit(respondent, few_items, ROLES, **settings))
    assert len(made) == 2
    by_intervention = answers.pivot(index=["role", "item"], columns="intervention")["log_odds"]
    moved = by_intervention.sub(by_intervention["none"], axis=0).abs().mean()
    # What is added after the last layer is seen only where the answer is read.
    assert set(moved.index[moved < 1e-4]) == {"none", "site-end 2 0", "site 2 0"}


@pytest.mark.parametrize("name", ["qwen2", "qwen3", "mistral"])
def test_so_it_is_for_other_architectures(relative, few_items, unsplit, name):
    respondent = relative(name)
    settings = {"interventions": [None, *at_all_places(respondent, 1)], "prior": True}
    answers = elicit(respondent, few_items, ROLES, **settings)
    assert_equal(answers, unsplit(respondent, few_items, ROLES, **settings))


@pytest.mark.parametrize(("name", "layout"), [("gemma", "kang-plain"), ("llama", "kang-headers")])
def test_so_it_is_where_the_site_comes_first(request, few_items, unsplit, name, layout):
    respondent = request.getfixturevalue(name)
    settings = {
        "interventions": at_all_places(respondent, 0),
        "formats": PromptFormat(layout=layout),
    }
    answers = elicit(respondent, few_items, ROLES, **settings)
    assert_equal(answers, unsplit(respondent, few_items, ROLES, **settings))


def test_an_organism_that_has_learnt_to_answer_answers_alike(human, inventory, bank, unsplit):
    from valuegraph.roles import sample_roles

    roles = sample_roles(bank, 2, seed=0)
    settings = {"interventions": [None, *at_all_places(human, 2), *at_all_places(human, 3)]}
    answers = elicit(human, inventory, roles, **settings)
    assert_equal(answers, unsplit(human, inventory, roles, **settings))


@pytest.mark.parametrize("where", PLACES)
def test_a_zero_shift_is_no_shift_to_the_bit(llama, few_items, where):
    zero = [Shift(f"zero {k}", 1, np.zeros(llama.width), where) for k in range(3)]
    answers = elicit(llama, few_items, ROLES, interventions=[None, *zero])
    by_shift = answers["log_odds"].to_numpy().reshape(len(ROLES), 4, -1)
    others = elicit(llama, few_items, ROLES, interventions=[None, *at_all_places(llama, 1)[:3]])
    moved = others["log_odds"].to_numpy().reshape(len(ROLES), 4, -1)
    np.testing.assert_array_equal(by_shift[:, 0], moved[:, 0])
    np.testing.assert_allclose(by_shift[:, 1:], by_shift[:, :1].repeat(3, axis=1), atol=1e-6)
    assert (moved[:, 1:] != moved[:, :1]).all()


# ----------------------------------------------------------------------------------- what is spared


def tokens_by_layer(model, run) -> list[int]:
    """How many tokens each layer is given, padding included."""
    counts = [0] * len(model.base_model.layers)

    def counter(layer):
        def count(module, inputs, output):
            counts[layer] += output.shape[0] * output.shape[1]

        return count

    handles = [
        module.register_forward_hook(counter(layer))
        for layer, module in enumerate(model.base_model.layers)
    ]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return counts


def test_lower_layers_see_each_role_once_and_upper_ones_each_cell(llama, few_items):
    shifts = [shift(llama, 1, seed=k) for k in range(6)]

    def ask(interventions, **settings):
        return tokens_by_layer(
            llama.model,
            lambda: elicit(llama, few_items, ROLES[:1], interventions=interventions, **settings),
        )

    once = ask([None])
    assert len(set(once)) == 1
    split = ask([None, *shifts])
    assert split == [once[0], once[0], 7 * once[0]]
    small_batches = ask([None, *shifts], batch_tokens=2 * once[0])
    assert small_batches == split


@pytest.mark.parametrize(
    "settings",
    [
        {"layers": (2, 2, 2)},  # nothing above the last layer
        {"layers": (0,)},  # one cell a role
        {"layers": (1, 1), "mode": "generate", "max_new_tokens": 2},
        {"layers": (1, 1), "name": "gemma2"},
        {"layers": (1, 1), "name": "seam"},
    ],
    ids=["last layer", "one shift", "generate", "no sharing", "seam"],
)
def test_where_nothing_is_spared_nothing_is_split(
    monkeypatch, request, relative, few_items, settings
):
    name = settings.pop("name", "llama")
    respondent = relative(name) if name == "gemma2" else request.getfixturevalue(name)
    shifts = [shift(respondent, k, seed=n) for n, k in enumerate(settings.pop("layers"))]
    monkeypatch.setattr(cells, "SplitForward", None)  # not to be called
    answers = elicit(respondent, few_items, ROLES, interventions=shifts, **settings)
    assert len(answers) == len(ROLES) * len(shifts) * len(few_items.items)


def test_the_states_handed_out_are_those_of_the_whole_prompts(gemma):
    questions = ["Would you pray?", "Do you often leave the house unlocked at night?"]
    fmt = PromptFormat()
    prompts = encode_prompts(gemma, questions, ROLES, fmt=fmt, prefill="Answer:")
    split = SplitForward(gemma.model, prompts, 1)
    split.prepare([2, 0, 2], 1000)
    states = split.states([2, 0], [1, 0])
    lengths = [len(ids) for ids in prompts.suffixes]
    assert states.shape == (4, max(lengths), gemma.width)
    for row, (p, q) in enumerate([(2, 1), (2, 0), (0, 1), (0, 0)]):
        with torch.no_grad():
            whole = gemma.model(torch.tensor([prompts.row(p, q)]), output_hidden_states=True)
        expected = whole.hidden_states[2][0, -lengths[q] :]
        torch.testing.assert_close(states[row, -lengths[q] :], expected, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="keys of the lower layers are missing"):
        Rows(gemma.model, prompts.suffixes, resume=(1, states[:2])).read(keep=True)


# ----------------------------------------------------------------------------- memory that runs out


def test_where_memory_runs_out_below_or_above_fewer_are_asked(monkeypatch, organism, few_items):
    settings = {"interventions": [None, *at_all_places(organism, 1)]}
    expected = elicit(organism, few_items, ROLES, **settings)
    run_prefixes, seen = split_forward.run_prefixes, []

    def fail_at_times(model, ids, *arguments):
        seen.append(len(ids))
        if len(seen) in (1, 3, 6):
            raise torch.OutOfMemoryError("fake")
        return run_prefixes(model, ids, *arguments)

    monkeypatch.setattr(split_forward, "run_prefixes", fail_at_times)
    assert_equal(elicit(organism, few_items, ROLES, batch_tokens=1200, **settings), expected)
    assert len(seen) > 6
