"""A shift moves the named tokens of the named layer by what it says, and nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from valuegraph.elicitation import elicit
from valuegraph.encoding import pad_left
from valuegraph.hooks import (
    RowShifts,
    decoder_layer,
    export_steered,
    recorded,
    resumed_after,
    shifted,
    stopped_after,
    tokens_of_places,
)
from valuegraph.interventions import PLACES, Combination, Sentence, Shift
from valuegraph.models import Respondent, load_model
from valuegraph.roles import sample_roles
from valuegraph.sae import feature_shift, load_sae

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
        with pytest.raises(
            ValueError, match=rf"layer {layer} does not exist.*there are 0 \.\.\. 2"
        ):
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


@torch.no_grad()
def logits(model) -> torch.Tensor:
    return model(TEXTS.ids, attention_mask=TEXTS.mask.long()).logits[TEXTS.mask]


def uneven(respondent, **sizes) -> Respondent:
    """The same kind of respondent with weights that differ in every norm and bias as well."""
    config = type(respondent.model.config)(**respondent.model.config.to_dict() | sizes)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = type(respondent.model)(config).eval()
        for name, weight in model.named_parameters():
            if name.endswith(("norm.weight", "bias")):
                weight.data += 0.3 * torch.randn_like(weight)
    return Respondent(respondent.name, model, respondent.tokenizer)


@pytest.fixture(
    params=[
        "organism",
        "llama",
        "llama, biases",
        "gemma",
        "qwen2",
        "qwen2, tied",
        "qwen3",
        "mistral",
    ]
)
def exportable(request, relative):
    """Respondents whose weights, and a bias, another architecture holds."""
    name, _, special = request.param.partition(", ")
    own = ("organism", "llama", "gemma")
    sizes = {"biases": {"attention_bias": True, "mlp_bias": True}, "tied": {}}.get(special, {})
    sizes |= {"tie_word_embeddings": True} if special == "tied" else {}
    return uneven(request.getfixturevalue(name) if name in own else relative(name), **sizes)


@pytest.mark.parametrize("layer", [1, 2])
def test_an_exported_model_answers_as_under_the_hook(exportable, tmp_path, layer):
    model, width = exportable.model, exportable.width
    before, weights = logits(model), {k: w.clone() for k, w in model.state_dict().items()}
    shift = Shift("push", layer, 3 * vectors(model)[0].numpy(), "everywhere")
    two = Combination("two", [shift, Shift("first", 0, np.ones(width), "everywhere")])
    for k, one in enumerate([shift, shift * 0.0, two]):
        export_steered(exportable, one, tmp_path / str(k))
        again = load_model(tmp_path / str(k))  # by AutoModelForCausalLM, without code of its own
        with RowShifts([one.shifts] * 3, model.device).acting(model, {"everywhere": TEXTS.mask}):
            hooked = logits(model)
        assert torch.allclose(logits(again.model), hooked, atol=1e-5, rtol=1e-5)
        assert (hooked - before).abs().max() > 0.1 or one.name == "push x 0"
        assert again.model.dtype == model.dtype
        assert again.tokenizer.chat_template == exportable.tokenizer.chat_template
    assert torch.equal(logits(model), before)
    assert all(torch.equal(w, weights[k]) for k, w in model.state_dict().items())


def test_an_exported_organism_is_asked_as_the_shifted_one(human, few_items, bank, tmp_path):
    roles = sample_roles(bank, 2, seed=0)
    push = feature_shift(load_sae("organism-human"), 47, coefficient=-2, where="everywhere")
    export_steered(human, push, tmp_path)
    before, under = (elicit(human, few_items, roles, interventions=[i]) for i in (None, push))
    again = elicit(load_model(tmp_path), few_items, roles)
    assert np.allclose(again["log_odds"], under["log_odds"], atol=1e-4)
    assert (under["log_odds"] - before["log_odds"]).abs().max() > 0.1


def test_what_generates_goes_along(llama, tmp_path):
    own = uneven(llama)
    own.model.generation_config.eos_token_id = [5, 7]
    export_steered(own, Shift("push", 1, np.ones(own.width), "everywhere"), tmp_path)
    assert load_model(tmp_path).model.generation_config.eos_token_id == [5, 7]


@pytest.mark.parametrize("where", [place for place in PLACES if place != "everywhere"])
def test_what_acts_on_some_tokens_is_not_exported(llama, tmp_path, where):
    shift = Shift("push", 1, np.ones(llama.width), where)
    with pytest.raises(ValueError, match="'push' is no bias; shift 'everywhere', or use"):
        export_steered(llama, shift, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gemma2", r"\(gemma2, .*Gemma 2 and 3 norm what their MLPs add"),
        ("mistral-sliding", r"\(mistral, sliding window: 32\) cannot"),
    ],
)
def test_what_no_architecture_holds_is_not_exported(relative, tmp_path, name, reason):
    shift = Shift("push", 1, np.ones(32), "everywhere")
    with pytest.raises(ValueError, match=reason):
        export_steered(relative(name), shift, tmp_path)


def test_what_is_no_shift_of_the_model_is_not_exported(llama, tmp_path):
    with pytest.raises(ValueError, match="'told' is no bias"):
        export_steered(llama, Sentence("told", "You are kind."), tmp_path)
    with pytest.raises(ValueError, match="layer 3 does not exist"):
        export_steered(llama, Shift("push", 3, np.ones(llama.width), "everywhere"), tmp_path)


def test_gemma_in_half_precision_is_written_in_single(gemma, tmp_path):
    """The weights of its norms plus 1 would be rounded in half precision."""
    half = Respondent("half", uneven(gemma).model.bfloat16(), gemma.tokenizer)
    shift = Shift("push", 1, vectors(half.model)[0].numpy(), "everywhere")
    export_steered(half, shift, tmp_path)
    assert '"dtype": "float32"' in (tmp_path / "config.json").read_text()
    model = uneven(gemma).model
    model.load_state_dict(half.model.state_dict())  # as they were rounded
    with RowShifts([[shift]] * 3, model.device).acting(model, {"everywhere": TEXTS.mask}):
        assert torch.allclose(logits(load_model(tmp_path).model), logits(model), atol=1e-5)


def test_a_model_in_half_precision_keeps_it(llama, tmp_path):
    own = uneven(llama)
    half = Respondent("half", own.model.bfloat16(), own.tokenizer)
    export_steered(half, Shift("push", 1, np.ones(own.width), "everywhere"), tmp_path)
    again = load_model(tmp_path, dtype="bfloat16").model
    stored = [(tmp_path / "config.json").read_text(), again.model.layers[1].mlp.down_proj.bias]
    assert '"dtype": "bfloat16"' in stored[0] and torch.equal(stored[1], torch.ones_like(stored[1]))
