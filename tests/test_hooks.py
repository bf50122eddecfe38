"""A shift moves the named tokens of the named layer by what it says, and nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from valuegraph.hooks import SiteShift, decoder_layer, recorded, shifted

IDS = torch.tensor([[2, 11, 12, 13, 14], [2, 21, 22, 23, 24], [2, 31, 32, 33, 34]])
LAYER = 1


@pytest.fixture
def model(respondent):
    """Each architecture."""
    return respondent.model


@torch.no_grad()
def states(model) -> list[torch.Tensor]:
    """Outputs of all layers, each of shape (3 rows, 5 tokens, width)."""
    with recorded(model, 0) as a, recorded(model, 1) as b, recorded(model, 2) as c:
        model(IDS)
    return [a[0], b[0], c[0]]


def vectors(model, m, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(m, model.config.hidden_size, generator=generator)


def hooks(model) -> int:
    """Number of hooks on the layers; transformers keeps some of its own there at times."""
    return sum(len(layer._forward_hooks) for layer in model.base_model.layers)


def test_only_the_named_tokens_move(model):
    patch = vectors(model, 2)
    expected = states(model)[LAYER]
    expected[0, 2] += patch[0]
    expected[2, 4] += patch[1]
    with shifted(model, LAYER, torch.tensor([0, 2]), torch.tensor([2, 4]), patch):
        assert torch.equal(states(model)[LAYER], expected)


def test_a_shift_reaches_later_layers_later_tokens_and_no_other_rows(model):
    before = states(model)
    with shifted(model, LAYER, torch.tensor([1]), torch.tensor([2]), vectors(model, 1)):
        after = states(model)
    moved = [(a != b).any(-1) for a, b in zip(after, before, strict=True)]
    assert not moved[0].any()
    assert moved[1].nonzero().tolist() == [[1, 2]]
    assert moved[2].nonzero().tolist() == [[1, 2], [1, 3], [1, 4]]


def test_two_shifts_of_one_token_add_up(model):
    one, two = vectors(model, 1), vectors(model, 1, seed=1)
    row, column = torch.tensor([1]), torch.tensor([3])
    expected = states(model)[LAYER]
    expected[1, 3] += one[0]
    expected[1, 3] += two[0]
    with shifted(model, LAYER, row, column, one), shifted(model, LAYER, row, column, two):
        assert torch.equal(states(model)[LAYER], expected)


def test_a_zero_vector_changes_nothing(model):
    before = states(model)
    with shifted(
        model, 0, torch.tensor([1]), torch.tensor([2]), torch.zeros(1, before[0].shape[2])
    ):
        after = states(model)
    assert all(map(torch.equal, after, before))


def test_hooks_go_when_the_context_ends_or_breaks(organism):
    model = organism.model
    before, standing = states(model), hooks(model)
    row = torch.tensor([0])
    with shifted(model, LAYER, row, row, vectors(model, 1)), recorded(model, LAYER):
        assert hooks(model) == standing + 2
    assert hooks(model) == standing
    with pytest.raises(RuntimeError, match="midway"):
        with shifted(model, LAYER, row, row, vectors(model, 1)), recorded(model, LAYER):
            raise RuntimeError("midway")
    assert hooks(model) == standing
    assert all(map(torch.equal, states(model), before))


@torch.no_grad()
def test_what_is_recorded_is_what_the_model_reports(model):
    hidden = model(IDS, output_hidden_states=True).hidden_states
    for layer, state in enumerate(states(model)[:-1]):  # the last one is reported after the norm
        assert torch.equal(state, hidden[layer + 1])


@torch.no_grad()
def test_every_pass_is_recorded_in_turn(organism):
    with recorded(organism.model, 0) as outputs:
        organism.model(IDS)
        organism.model(IDS[:1, :2])
    assert [tuple(output.shape) for output in outputs] == [(3, 5, 40), (1, 2, 40)]


def test_a_layer_that_returns_a_tuple_keeps_the_rest_of_it():
    class Layer(torch.nn.Module):
        def forward(self, hidden):
            return hidden, "attention"

    hidden = torch.arange(12.0).reshape(2, 3, 2)
    original = hidden.clone()
    layer = Layer()
    model = SimpleNamespace(base_model=SimpleNamespace(layers=[layer]))
    expected = original.clone()
    expected[1, 2] += torch.tensor([5.0, 7.0])
    at = torch.tensor([1]), torch.tensor([2]), torch.tensor([[5.0, 7.0]])
    with recorded(model, 0) as before, shifted(model, 0, *at), recorded(model, 0) as after:
        moved, rest = layer(hidden)
    assert rest == "attention"
    assert torch.equal(moved, expected)
    assert torch.equal(before[0], original)
    assert torch.equal(after[0], expected)
    assert torch.equal(hidden, original)  # not moved in place


@pytest.mark.parametrize("layer", [-1, 3])
def test_a_layer_that_does_not_exist_is_refused(model, layer):
    with pytest.raises(ValueError, match=rf"layer {layer} does not exist.*layers 0 \.\.\. 2"):
        decoder_layer(model, layer)
    with pytest.raises(ValueError, match=f"layer {layer} does not exist"), recorded(model, layer):
        pass


def test_a_vector_may_be_any_sequence_of_numbers():
    vector = SiteShift("up", 0, [1, 2]).vector
    assert vector.dtype == np.float32
    assert vector.tolist() == [1, 2]


@pytest.mark.parametrize(
    "vector", [[[1.0, 2.0]], 1.0, [1.0, np.nan], [np.inf]], ids=["2d", "0d", "nan", "inf"]
)
def test_a_vector_of_another_shape_or_not_finite_is_refused(vector):
    with pytest.raises(ValueError, match="vector of shift 'up' must be one-dimensional and finite"):
        SiteShift("up", 0, vector)
