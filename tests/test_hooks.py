"""A shift moves the named tokens of the named layer by what it says, and nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from valuegraph.hooks import decoder_layer, recorded, shifted, shifted_rows
from valuegraph.interventions import Shift

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


@torch.no_grad()
def test_what_is_generated_after_a_prompt_is_left_as_it_comes(model):
    at = torch.tensor([0, 2]), torch.tensor([2, 4]), vectors(model, 2)
    with shifted(model, LAYER, *at), recorded(model, LAYER) as outputs:
        cache = model(IDS, use_cache=True).past_key_values
        # The hook sees one token a row, and in no row is it the one to be shifted.
        model(IDS[:, :1], past_key_values=cache, use_cache=True)
    with shifted(model, LAYER, *at):
        cache = model(IDS, use_cache=True).past_key_values
    with recorded(model, LAYER) as expected:
        model(IDS[:, :1], past_key_values=cache, use_cache=True)
    assert torch.equal(outputs[1], expected[0])
    assert outputs[0][0, 2].ne(states(model)[LAYER][0, 2]).any()


def test_every_row_is_shifted_by_its_own_vector_at_its_own_layer(model):
    a, b, c = (Shift(n, k, vectors(model, 1, k)[0]) for n, k in (("a", 2), ("b", 0), ("c", 0)))
    columns = torch.tensor([3, 1, 4])
    before = states(model)
    with shifted_rows(model, [a, b, c], columns):
        after = states(model)
    moved = [(x != y).any(-1) for x, y in zip(after, before, strict=True)]
    assert moved[0].nonzero().tolist() == [[1, 1], [2, 4]]
    assert moved[2][0].tolist() == [False, False, False, True, False]
    torch.testing.assert_close(after[0][1, 1], before[0][1, 1] + torch.from_numpy(b.vector))
    torch.testing.assert_close(after[0][2, 4], before[0][2, 4] + torch.from_numpy(c.vector))
    torch.testing.assert_close(after[2][0, 3], before[2][0, 3] + torch.from_numpy(a.vector))


def test_rows_without_a_shift_are_left_alone(model):
    before, standing = states(model), hooks(model)
    shift = Shift("b", LAYER, vectors(model, 1)[0])
    with shifted_rows(model, [None, shift, None], torch.tensor([0, 2, 0])):
        after = states(model)
        assert hooks(model) == standing + 1
    assert [(x != y).any(-1)[[0, 2]].any() for x, y in zip(after, before, strict=True)] == [0, 0, 0]
    assert (after[LAYER][1] != before[LAYER][1]).any()
    with shifted_rows(model, [None, None, None], torch.tensor([0, 0, 0])):
        assert hooks(model) == standing
    assert hooks(model) == standing


def test_hooks_of_many_layers_go_when_one_of_them_cannot_be_placed(organism):
    model, standing = organism.model, hooks(organism.model)
    shifts = [Shift(str(k), k, vectors(model, 1)[0]) for k in (0, 1, 9)]
    with pytest.raises(ValueError, match="layer 9 does not exist"):
        with shifted_rows(model, shifts, torch.tensor([0, 0, 0])):
            pass
    assert hooks(model) == standing


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
    vector = Shift("up", 0, [1, 2]).vector
    assert vector.dtype == np.float32
    assert vector.tolist() == [1, 2]


@pytest.mark.parametrize(
    "vector", [[[1.0, 2.0]], 1.0, [1.0, np.nan], [np.inf]], ids=["2d", "0d", "nan", "inf"]
)
def test_a_vector_of_another_shape_or_not_finite_is_refused(vector):
    with pytest.raises(ValueError, match="vector of shift 'up' must be one-dimensional and finite"):
        Shift("up", 0, vector)
