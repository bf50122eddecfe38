"""Reading and shifting the residual stream while a model runs, and running some layers alone.

The output of layer ``l`` (counted from 0) is the residual stream after it, which SAELens calls
``blocks.l.hook_resid_post``. All context managers work on any decoder with layers that hand on one
residual stream, last as long as their ``with`` block, and can be nested::

    with shifted(model, 12, vectors, tokens):      # add vectors[row] to the marked tokens
    with recorded(model, 12) as states:            # states: one tensor for each forward pass
    with stopped_after(model, 12):                 # pass over the layers above; see `recorded`
    with resumed_after(model, 12, states):         # begin above the layer, with given states

`export_steered` writes a model that is shifted without any of this, for others to run.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from valuegraph.interventions import Intervention, Shift

# The architecture that holds the weights of another as they are, and biases of its MLPs as well.
_HOLDERS = dict.fromkeys(("llama", "mistral", "qwen2", "gemma"), "llama") | {"qwen3": "hy_v3"}


def layers_of(model) -> torch.nn.ModuleList | tuple:
    """Return the layers of a decoder, by whatever name; none where they are not in one row."""
    decoder = model.get_decoder()
    decoder = getattr(decoder, "model", decoder)  # the text model of Llama 4 gives itself
    return next((getattr(decoder, x) for x in ("layers", "h", "blocks") if hasattr(decoder, x)), ())


def decoder_layer(model, layer: int) -> torch.nn.Module:
    """Return a layer of the model, counted from 0."""
    layers = layers_of(model)
    if layer not in range(len(layers)):
        raise ValueError(f"layer {layer} does not exist; there are 0 ... {len(layers) - 1}")
    return layers[layer]


@contextmanager
def _output_changed(model, layer: int, change: Callable) -> Iterator[None]:
    """Replace a layer's output by what `change` makes of it; out of place, it may be shared."""
    name, ran = type(model).__name__, []

    def hook(module, inputs, output):
        # Layers of some architectures return a tuple, or a list.
        ran.append(several := isinstance(output, (tuple, list)))
        hidden, *rest = output if several else (output,)
        if hidden.dim() != 3:
            those = f"layers of {name} hand on several streams at once, as in Gemma 3n"
            raise ValueError(f"{those}: no states, no shifts; asking and sentences work")
        changed = change(hidden)
        return (changed, *rest) if several else changed

    handle = decoder_layer(model, layer).register_forward_hook(hook)
    try:
        yield
        if not ran:  # as layers of Llama 3.2 that attend to pictures
            raise ValueError(f"{name} leaves out layer {layer} for text; take another layer")
    finally:
        handle.remove()


@contextmanager
def shifted(model, layer: int, vectors: torch.Tensor, tokens: torch.Tensor) -> Iterator[None]:
    """Add one vector to some tokens of each row of the batch.

    Parameters
    ----------
    model
        The model whose forward passes are changed.
    layer
        Whose output is shifted.
    vectors
        What is added in each row, shape ``(rows, width)``.
    tokens
        Where it is added, boolean, shape ``(rows, tokens)``. All other tokens keep their bits.
    """

    def add(hidden: torch.Tensor) -> torch.Tensor:
        # 1 or 0 times the vector: exact, and what is zero adds nothing.
        return torch.addcmul(hidden, tokens.to(hidden)[..., None], vectors.to(hidden)[:, None])

    with _output_changed(model, layer, add):
        yield


class _Stop(Exception):
    """Ends a forward pass of which no more is wanted."""


@contextmanager
def recorded(model, layer: int, *, stop: bool = False) -> Iterator[list[torch.Tensor]]:
    """Collect the outputs of a layer.

    Parameters
    ----------
    model, layer
        Whose outputs.
    stop
        Whether the ``with`` block ends at the first of them, without running the layers above; it
        does so in any architecture, whatever its layers return.

    Yields
    ------
    list of torch.Tensor
        One tensor of shape ``(rows, tokens, width)`` for each forward pass, in their order.
    """
    outputs: list[torch.Tensor] = []

    def keep(hidden: torch.Tensor) -> torch.Tensor:
        outputs.append(hidden.detach())
        if stop:
            raise _Stop
        return hidden

    with suppress(_Stop), _output_changed(model, layer, keep):
        yield outputs


@contextmanager
def stopped_after(model, layer: int) -> Iterator[None]:
    """Pass over all layers above one; what the model makes of its states is of no use."""
    decoder_layer(model, layer)
    layers = list(model.get_decoder().layers)
    above = [_PassedOver()] * (len(layers) - layer - 1)
    with _layers_swapped(model, [*layers[: layer + 1], *above]):
        yield


@contextmanager
def resumed_after(model, layer: int, states: torch.Tensor) -> Iterator[None]:
    """Begin above a layer, with given states of shape ``(rows, tokens, width)``.

    Masks, positions and attention caches are the model's own; shifts of the layer's output act.
    """
    decoder_layer(model, layer)
    below = [*[_PassedOver()] * layer, _PassedOver(states)]
    with _layers_swapped(model, [*below, *model.get_decoder().layers[layer + 1 :]]):
        yield


class _PassedOver(torch.nn.Module):
    """Stands in the place of a layer: hands on what comes in, or given states."""

    def __init__(self, states: torch.Tensor | None = None) -> None:
        super().__init__()
        self.states = states
        self.mlp = torch.nn.Identity()  # a layer's MLP may be hooked, too

    def forward(self, hidden: torch.Tensor, **_: object) -> torch.Tensor:
        return hidden if self.states is None else self.states


@contextmanager
def _layers_swapped(model, layers: Sequence[torch.nn.Module]) -> Iterator[None]:
    decoder = model.get_decoder()
    before, decoder.layers = decoder.layers, torch.nn.ModuleList(layers)
    try:
        yield
    finally:
        decoder.layers = before


class RowShifts:
    """What is added to the rows of a batch; each row has its own, at its own layers and places.

    Parameters
    ----------
    shifts
        Those of each row; several of one row at one layer and place add up.
    device
        Where the vectors are put.
    """

    def __init__(self, shifts: Sequence[Sequence[Shift]], device: torch.device) -> None:
        self._vectors: dict[tuple[int, str], torch.Tensor] = {}  # by layer and place: (rows, width)
        for row, of_row in enumerate(shifts):
            for shift in of_row:
                zeros = torch.zeros(len(shifts), len(shift.vector))
                vectors = self._vectors.setdefault((shift.layer, shift.where), zeros)
                vectors[row] += torch.from_numpy(shift.vector)
        self._vectors = {at: vectors.to(device) for at, vectors in self._vectors.items()}

    def take(self, rows) -> "RowShifts":
        """Return the shifts of some rows, in any order and any number of times."""
        taken = RowShifts((), None)
        taken._vectors = {at: vectors[rows] for at, vectors in self._vectors.items()}
        return taken

    @contextmanager
    def acting(self, model, places: Mapping[str, torch.Tensor]) -> Iterator[None]:
        """Let the shifts act; those of a place that is not among `places` do not.

        Parameters
        ----------
        model
            The model whose forward passes are changed.
        places
            The tokens of each place, boolean, shape ``(rows, tokens)``.
        """
        with ExitStack() as stack:
            for (layer, where), vectors in self._vectors.items():
                if where in places:
                    stack.enter_context(shifted(model, layer, vectors, places[where]))
            yield


def tokens_of_places(mask: torch.Tensor, sites: Sequence[range] | None = None) -> dict:
    """Tell which tokens of some prompts belong to each place.

    Parameters
    ----------
    mask
        Which columns hold a token, boolean, shape ``(rows, columns)``; padding is on the left.
    sites
        Tokens of the site in each row's text; without them the rows have no site.

    Returns
    -------
    dict of str to torch.Tensor
        By place (one of `PLACES`), boolean, shape ``(rows, columns)``.
    """
    places = {"prompt": mask, "everywhere": mask}
    if sites:
        number = torch.arange(mask.shape[1], device=mask.device) - (~mask).sum(1, keepdim=True)
        ends = torch.tensor([(site.start, site.stop) for site in sites], device=mask.device)
        start, stop = ends.T[..., None]
        places["site"] = (start <= number) & (number < stop)
        places["site-end"] = places["site"] & (number == stop - 1)
    return places


def export_steered(respondent, shift: Intervention, folder) -> None:
    """Write a model that is always shifted, as a folder for plain ``AutoModelForCausalLM``.

    A vector added after a layer at *all* tokens is a bias of the last linear map that writes there,
    ``mlp.down_proj``. The other weights stay what they are, in an architecture that has this bias:
    Llama's for Llama, Mistral, Qwen2 and Gemma; Hunyuan's third (``hy_v3``), all layers dense, for
    Qwen3. Logits are those under the hook, up to rounding; Gemma is written in float32.

    Parameters
    ----------
    respondent : Respondent
        Whom to write, with the tokenizer. Gemma 2 and 3 norm what an MLP adds, and attention that
        slides over a window needs architectures without such a bias: they are refused.
    shift
        What acts ``"everywhere"``. A shift of the prompt or of its site is no bias: let it act
        everywhere and measure its effects again, or use `valuegraph.elicit` instead.
    folder : str or Path
        Where to write.

    Examples
    --------
    With a benchmark (not run here): ``lm_eval --model hf --model_args pretrained=FOLDER``.
    """
    model, config = respondent.model, respondent.model.config.to_dict()
    kind, window, state = config["model_type"], config.get("sliding_window"), model.state_dict()
    if shift.text or any(one.where != "everywhere" for one in shift.shifts):
        raise ValueError(f"{shift.name!r} is no bias; shift 'everywhere', or use valuegraph.elicit")
    if kind not in _HOLDERS or window or "quantization_config" in config:
        told = f"{respondent.name} ({kind}, sliding window: {window}) cannot hold the bias exactly"
        way = f"take one of {', '.join(_HOLDERS)}, unquantised and without sliding window"
        raise ValueError(f"{told}; {way} (Gemma 2 and 3 norm what their MLPs add)")
    if kind == "gemma":  # it scales its embeddings, and counts the weights of norms from 1
        state = {name: w.float() + name.endswith("norm.weight") for name, w in state.items()}
        embedded, config["tie_word_embeddings"] = "model.embed_tokens.weight", False
        state[embedded] = state[embedded] * respondent.width**0.5
    config |= {"mlp_bias": True, "mlp_layer_types": ["dense"] * respondent.n_layers}
    config["attention_bias"] = "model.layers.0.self_attn.q_proj.bias" in state
    known = AutoConfig.for_model(_HOLDERS[kind]).to_dict().keys() & config.keys() - {"model_type"}
    config = AutoConfig.for_model(_HOLDERS[kind], **{name: config[name] for name in known})
    with torch.device("meta"):  # the weights are those of the model, not copied
        steered = AutoModelForCausalLM.from_config(config)
    new = {name: w.shape for name, w in steered.named_parameters() if name not in state}
    state |= {name: state["model.norm.weight"].new_zeros(shape) for name, shape in new.items()}
    steered.load_state_dict(state, assign=True)
    for one in shift.shifts:
        down = decoder_layer(steered, one.layer).mlp.down_proj
        down.bias = torch.nn.Parameter(down.bias + torch.from_numpy(one.vector).to(down.bias))
    steered.generation_config = model.generation_config
    steered.save_pretrained(folder)
    respondent.tokenizer.save_pretrained(folder)
