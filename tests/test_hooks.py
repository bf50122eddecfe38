"""A shift moves the named tokens of the named layer by what it says, and nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from valuegraph.encoding import pad_left
from valuegraph.hooks import (
    RowShifts,
    decoder_layer,
    recorded,
    resumed_after,
    shifted,
    stopped_after,
    tokens_of_places,
)
from valuegraph.interventions import PLACES, Shift

IDS = torch.tensor([[2, 11, 12, 13, 14], [2, 21, 22, 23, 24], [2, 31, 32, 33, 34]])
TEXTS = pad_left([[2, 11, 12, 13, 14], [2, 21, 22], [2, 31, 32, 33]], torch.device("cpu"))
SITES = [range(1, 3), range(1, 2), range(1, 4)]


@pytest.fixture
def model(respondent):
    """Each architecture."""
    return respondent.model


@torch.no_grad()
def states(model, ids=IDS, **options) -> list[torch.Tensor]:
    """Outputs of all three layers, each of shape (rows, tokens, width)."""
    with recorded(model, 0) as a, recorded(model, 1) as b, recorded(model, 2) as c:
        model(ids, **options)
    return [a[0], b[0], c[0]]


def vectors(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, model.config.hidden_size, generator=generator)


def at(*tokens, rows=3, columns=5) -> torch.Tensor:
    """Mask of some (row, column) pairs."""
    mask = torch.zeros(rows, columns, dtype=torch.bool)
    mask[tuple(torch.tensor(tokens).T)] = True
    return mask


def test_only_the_named_tokens_move_each_by_the_vector_of_its_row(model):
    before, patch = states(model), vectors(model)
    expected = before[1].clone()
    for row, column in ((0, 2), (2, 1), (2, 4)):
        expected[row, column] += patch[row]
    with shifted(model, 1, patch, at((0, 2), (2, 1), (2, 4))):
        after = states(model)
    assert torch.equal(after[1], expected)
    assert torch.equal(after[0], before[0])
    with shifted(model, 1, patch, at((1, 2))):
        moved = (states(model)[2] != before[2]).any(-1)
    assert moved.nonzero().tolist() == [[1, 2], [1, 3], [1, 4]]


def test_shifts_of_one_token_add_up_and_zero_is_nothing(model):
    one, two, token = vectors(model), vectors(model, seed=1), at((1, 3))
    expected = states(model)[1]
    with shifted(model, 1, 0 * one, at((0, 0), (1, 3))):
        assert torch.equal(states(model)[1], expected)
    expected[1, 3] += one[1]
    expected[1, 3] += two[1]
    with shifted(model, 1, one, token), shifted(model, 1, two, token):
        assert torch.equal(states(model)[1], expected)


@torch.no_grad()
def test_what_is_recorded_is_what_the_model_reports(model):
    hidden = model(IDS, output_hidden_states=True).hidden_states
    for layer, state in enumerate(states(model)[:-1]):  # the last one is reported after the norm
        assert torch.equal(state, hidden[layer + 1])


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_layers_up_to_one_and_those_above_it_make_the_whole_model(model, layer):
    patch, token = vectors(model), at((1, 2))
    with torch.no_grad():
        with shifted(model, layer, patch, token):
            expected = model(IDS).logits
        with stopped_after(model, layer), recorded(model, layer) as lower:
            model(IDS)
        kept = lower[0].clone()
        with resumed_after(model, layer, lower[0]), shifted(model, layer, patch, token):
            logits = model(0 * IDS).logits  # which tokens they were plays no part
    assert torch.equal(logits, expected)
    assert torch.equal(lower[0], kept)  # not moved in place


@pytest.mark.parametrize("context", [shifted, recorded, stopped_after, resumed_after])
def test_the_model_is_as_before_when_a_context_ends_or_breaks(organism, context):
    model, before = organism.model, states(organism.model)
    options = {shifted: (vectors(model), at((0, 0))), resumed_after: (before[1],)}.get(context, ())
    layers, hooks = model.base_model.layers, len(model.base_model.layers[1]._forward_hooks)
    with pytest.raises(RuntimeError, match="midway"), context(model, 1, *options):
        raise RuntimeError("midway")
    assert model.base_model.layers is layers
    assert len(layers[1]._forward_hooks) == hooks
    assert all(map(torch.equal, states(model), before))
    for layer in (-1, 3):
        with pytest.raises(ValueError, match=rf"layer {layer} does not exist.*layers 0 \.\.\. 2"):
            with context(model, layer, *options):
                pass


def test_a_layer_that_returns_a_tuple_keeps_the_rest_of_it():
    class Layer(torch.nn.Module):
        def forward(self, hidden):
            return hidden, "attention"

    hidden, layer = torch.zeros(2, 3, 2), Layer()
    model = SimpleNamespace(get_decoder=lambda: SimpleNamespace(layers=[layer]))
    patch, token = torch.tensor([[9.0, 9.0], [5.0, 7.0]]), at((1, 2), rows=2, columns=3)
    with shifted(model, 0, patch, token), recorded(model, 0) as after:
        moved, rest = layer(hidden)
    assert rest == "attention" and decoder_layer(model, 0) is layer
    assert torch.equal(moved, after[0]) and moved[1, 2].tolist() == [5, 7]
    assert moved.count_nonzero() == 2 and not hidden.any()


def test_a_pass_ends_at_a_recorded_layer_where_no_more_is_wanted(organism):
    model, ran, after = organism.model, [], False
    layers = model.get_decoder().layers
    handles = [x.register_forward_hook(lambda *_, k=k: ran.append(k)) for k, x in enumerate(layers)]
    with recorded(model, 1, stop=True) as outputs:
        model(TEXTS.ids)
        after = True
    for handle in handles:
        handle.remove()
    assert (len(outputs), ran, after) == (1, [0, 1], False)
    assert torch.equal(outputs[0], states(model, TEXTS.ids)[1])


# ---- rows and their shifts


def shift(name, layer, where="site-end", width=40):
    generator = np.random.default_rng([*name.encode()])
    return Shift(name, layer, generator.standard_normal(width), where)


def test_places_are_tokens_and_no_padding():
    places = tokens_of_places(TEXTS.mask, SITES)
    assert set(places) == set(PLACES)
    columns = {k: [row.nonzero()[:, 0].tolist() for row in v] for k, v in places.items()}
    assert columns["site"] == [[1, 2], [3], [2, 3, 4]]  # of 5 columns, all texts ending in the last
    assert columns["site-end"] == [[2], [3], [4]]
    everything = [[0, 1, 2, 3, 4], [2, 3, 4], [1, 2, 3, 4]]
    assert columns["prompt"] == columns["everywhere"] == everything
    assert set(tokens_of_places(TEXTS.mask)) == {"prompt", "everywhere"}
    assert not tokens_of_places(TEXTS.mask, [range(0)] * 3)["site-end"].any()


@pytest.mark.parametrize("where", PLACES)
def test_each_row_moves_by_its_own_shifts_at_its_own_tokens(organism, where):
    """Two shifts of a row at one layer and place add up; other rows keep their bits."""
    model, places = organism.model, tokens_of_places(TEXTS.mask, SITES)
    options = {"attention_mask": TEXTS.mask.long(), "position_ids": TEXTS.positions}
    a, b, c = shift("a", 1, where), shift("b", 1, where), shift("c", 1, where)
    before = states(model, TEXTS.ids, **options)
    shifts = RowShifts([(b, c), (), (a,)], model.device)
    with shifts.take([1, 2, 0]).acting(model, places):
        after = states(model, TEXTS.ids, **options)
    expected = before[1].clone()
    expected[1, places[where][1]] += torch.from_numpy(a.vector)
    expected[2, places[where][2]] += torch.from_numpy(b.vector + c.vector)
    torch.testing.assert_close(after[1], expected)
    assert torch.equal(after[2][0], before[2][0])
    with shifts.acting(model, {}):  # a place that is not there is not shifted
        assert torch.equal(states(model, TEXTS.ids, **options)[1], before[1])
