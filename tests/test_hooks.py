"""A shift moves the named tokens of the named layer by what it says, and nothing else."""

from types import SimpleNamespace

import pytest
import torch

from valuegraph.hooks import decoder_layer, recorded, resumed_after, shifted, stopped_after

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


def at(*tokens, rows=3, columns=5) -> torch.Tensor:
    """Mask of some (row, column) pairs."""
    mask = torch.zeros(rows, columns, dtype=torch.bool)
    for row, column in tokens:
        mask[row, column] = True
    return mask


def test_only_the_named_tokens_move_each_by_the_vector_of_its_row(model):
    patch = vectors(model, 3)
    expected = states(model)[LAYER]
    expected[0, 2] += patch[0]
    expected[2, 1] += patch[2]
    expected[2, 4] += patch[2]
    with shifted(model, LAYER, patch, at((0, 2), (2, 1), (2, 4))):
        assert torch.equal(states(model)[LAYER], expected)


def test_a_shift_reaches_later_layers_later_tokens_and_no_other_rows(model):
    before = states(model)
    with shifted(model, LAYER, vectors(model, 3), at((1, 2))):
        after = states(model)
    moved = [(a != b).any(-1) for a, b in zip(after, before, strict=True)]
    assert not moved[0].any()
    assert moved[1].nonzero().tolist() == [[1, 2]]
    assert moved[2].nonzero().tolist() == [[1, 2], [1, 3], [1, 4]]


def test_two_shifts_of_one_token_add_up(model):
    one, two = vectors(model, 3), vectors(model, 3, seed=1)
    expected = states(model)[LAYER]
    expected[1, 3] += one[1]
    expected[1, 3] += two[1]
    token = at((1, 3))
    with shifted(model, LAYER, one, token), shifted(model, LAYER, two, token):
        assert torch.equal(states(model)[LAYER], expected)


def test_a_zero_vector_changes_nothing(model):
    before = states(model)
    with shifted(model, 0, 0 * vectors(model, 3), torch.ones(3, 5, dtype=torch.bool)):
        after = states(model)
    assert all(map(torch.equal, after, before))


def test_hooks_go_when_the_context_ends_or_breaks(organism):
    model = organism.model
    before, standing, tokens = states(model), hooks(model), at((0, 0))
    with shifted(model, LAYER, vectors(model, 3), tokens), recorded(model, LAYER):
        assert hooks(model) == standing + 2
    assert hooks(model) == standing
    with pytest.raises(RuntimeError, match="midway"):
        with shifted(model, LAYER, vectors(model, 3), tokens), recorded(model, LAYER):
            raise RuntimeError("midway")
    assert hooks(model) == standing
    assert all(map(torch.equal, states(model), before))


# ------------------------------------------------------------------------------ some layers alone


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_layers_up_to_one_and_those_above_it_make_the_whole_model(model, layer):
    with torch.no_grad():
        expected = model(IDS).logits
        with stopped_after(model, layer), recorded(model, layer) as lower:
            model(IDS)
        with resumed_after(model, layer, lower[0]):
            logits = model(0 * IDS).logits  # which tokens they were is not asked again
    assert torch.equal(logits, expected)
    assert torch.equal(lower[0], states(model)[layer])


def test_a_shift_of_given_states_is_one_of_the_layer_they_came_from(model):
    before, patch, token = states(model), vectors(model, 3), at((1, 2))
    with torch.no_grad():
        with shifted(model, LAYER, patch, token):
            expected = model(IDS).logits
        kept = before[LAYER].clone()
        with resumed_after(model, LAYER, kept), shifted(model, LAYER, patch, token):
            assert torch.equal(model(IDS).logits, expected)
    assert torch.equal(kept, before[LAYER])  # not moved in place


@pytest.mark.parametrize("context", [stopped_after, resumed_after])
def test_all_layers_come_back_when_the_context_ends_or_breaks(organism, context):
    model, before = organism.model, states(organism.model)
    given = () if context is stopped_after else (before[LAYER],)
    layers = model.base_model.layers
    with pytest.raises(RuntimeError, match="midway"), context(model, LAYER, *given):
        assert model.base_model.layers is not layers
        raise RuntimeError("midway")
    assert model.base_model.layers is layers
    assert all(map(torch.equal, states(model), before))
    with pytest.raises(ValueError, match="layer 3 does not exist"), context(model, 3, *given):
        pass


# --------------------------------------------------------------------------------------- recording


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
    patch, token = torch.tensor([[9.0, 9.0], [5.0, 7.0]]), at((1, 2), rows=2, columns=3)
    with recorded(model, 0) as before, shifted(model, 0, patch, token), recorded(model, 0) as after:
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
