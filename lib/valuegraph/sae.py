"""Sparse autoencoders of the residual stream, in SAELens' format: load one, read it, steer by it.

An autoencoder writes a state as a sparse sum of directions, the rows of its decoder. A *feature* is
one of them: its activity says how much of it a state holds, and a multiple of its row can be added
to the states of a model that answers. Functions take any `sae_lens.SAE`, however it was loaded.
"""

import re
from collections import namedtuple
from pathlib import Path

import numpy as np
from huggingface_hub.errors import HTTPError

from valuegraph.interventions import Shift
from valuegraph.organisms import ORGANISMS, organism_folder
from valuegraph.pushes import mean_norm, with_norm

#: What a coefficient multiplies: the decoder's row as it stands, as in Kang et al. (2025), or the
#: row at length 1. Rows need not be of length 1, so a coefficient says nothing without this.
CONVENTIONS = ("raw row", "unit")


#: The two autoencoders that Kang et al. (2025) steer with. That of Llama was trained on normalised
#: activations: see `fold_activation_norm`.
PublicSAE = namedtuple("PublicSAE", "model layer gigabytes repository")
_RELEASES = {
    "gemma-2b-it-res-jb": ("gemma-2b-it", 12, 0.27, "jbloom/Gemma-2b-IT-Residual-Stream-SAEs"),
    "llama-3-8b-it-res-jh": ("llama-3-8b-it", 25, 2.15, "Juliushanhanhan/llama-3-8b-it-res"),
}
PUBLIC_SAES = {name: PublicSAE(*release) for name, release in _RELEASES.items()}


def load_sae(source: str | Path, *, device: str = "cpu"):
    """Load a sparse autoencoder.

    Parameters
    ----------
    source
        A key of `PUBLIC_SAES`; an organism (``organism-human``, ``organism-alien``) for that of its
        site; or a folder with ``cfg.json`` and ``sae_weights.safetensors``.
    device
        Where to put it.

    Returns
    -------
    sae_lens.SAE
        Its metadata hold ``source``. Activation norms are left as they are in the files.
    """
    from sae_lens import SAE

    folder = organism_folder(source) / "sae" if source in ORGANISMS else Path(source).expanduser()
    missing = [f for f in ("cfg.json", "sae_weights.safetensors") if not (folder / f).is_file()]
    if source in PUBLIC_SAES:
        public = PUBLIC_SAES[source]
        hook = f"blocks.{public.layer}.hook_resid_post"
        try:
            sae = SAE.from_pretrained(source, hook, device=device)
        except (HTTPError, OSError) as error:
            raise OSError(
                f"{source} cannot be downloaded ({type(error).__name__}): check the network and "
                f"HF_HUB_OFFLINE, or load the files of https://huggingface.co/{public.repository}"
            ) from error
    elif missing:
        raise FileNotFoundError(
            f"no autoencoder {str(source)!r}: {folder / missing[0]} is missing. There are "
            f"{', '.join(PUBLIC_SAES)}, organism-human, organism-alien and folders of "
            "sae.save_model; SAE.from_pretrained of SAELens loads others of the hub, and "
            "difference_of_means makes directions without any"
        )
    else:
        sae = SAE.load_from_disk(folder, device=device)
    sae.cfg.metadata.source = str(source)
    return sae.requires_grad_(False)


def hook_layer(sae) -> int:
    """Layer whose output the autoencoder reads.

    ``blocks.N.hook_resid_post`` is the output of layer N, ``blocks.N.hook_resid_pre`` that of
    layer N - 1.
    """
    hook = str(sae.cfg.metadata.hook_name)
    match = re.fullmatch(r"blocks\.(\d+)\.hook_resid_(post|pre)", hook)
    if not match or hook == "blocks.0.hook_resid_pre":
        raise ValueError(f"{sae_name(sae)} reads {hook}, not the output of a layer; pass layer=...")
    return int(match[1]) - (match[2] == "pre")


def sae_name(sae) -> str:
    """Name by which an autoencoder was loaded, or else the one that SAELens gives it."""
    return str(sae.cfg.metadata.source or sae.get_name())


def feature_shift(
    sae, feature: int, *, coefficient: float, layer=None, where="site-end", convention="raw row"
) -> Shift:
    """Make the intervention that adds a multiple of a feature's decoder row.

    Parameters
    ----------
    sae : sae_lens.SAE
        An autoencoder of the residual stream. The shift holds a copy of its row: a large
        autoencoder can be let go once the shifts are made.
    feature
        Number of the feature.
    coefficient
        Multiple of the row, of either sign.
    layer : int, optional
        Whose output is shifted; by default the one that the autoencoder reads.
    where : str
        Which tokens are concerned; a key of `valuegraph.interventions.PLACES`.
    convention : str
        What the coefficient multiplies; a key of `CONVENTIONS`.

    Returns
    -------
    Shift
        Named after feature and coefficient, and after all that is not the default.
    """
    _require_usable(sae)
    if not 0 <= feature < sae.cfg.d_sae or convention not in CONVENTIONS:
        raise ValueError(
            f"no feature {feature} of {sae.cfg.d_sae}, or {convention!r} in {CONVENTIONS}"
        )
    row, name = _numpy(sae.W_dec[feature]), f"feature {feature} x {coefficient:g}"
    if convention == "unit":
        row, name = with_norm(row, 1.0), f"{name} unit"
    own = layer is None or sae.cfg.metadata.hook_name == f"blocks.{layer}.hook_resid_post"
    name += ("" if own else f", layer {layer}") + ("" if where == "site-end" else f", {where}")
    origin = {"sae": sae_name(sae), "feature": int(feature), "coefficient": float(coefficient)}
    origin |= {"convention": convention, "activation_norm": sae.cfg.metadata.activation_norm}
    layer = hook_layer(sae) if layer is None else layer
    return Shift(name, layer, coefficient * row, where, origin)


def feature_activity(sae, states: np.ndarray) -> np.ndarray:
    """Activations of all features, shape ``(n, d_sae)``, on states ``(n, width)`` of its layer."""
    _require_usable(sae)
    return _numpy(sae.encode(_tensor(sae, states)))


def fold_activation_norm(sae, states: np.ndarray):
    """Make an autoencoder that was trained on normalised activations fit a model's own.

    It was trained on activations times a factor that makes their mean norm ``sqrt(width)``. The
    factor is estimated anew, ``c = sqrt(width) / mean ||x||`` (Conerly et al., 2024), and folded
    into the weights. The decoder becomes ``W_dec / c``: what a coefficient of 100 adds *before*
    folding, ``100 c`` adds *after* it.

    Parameters
    ----------
    sae : sae_lens.SAE
        The autoencoder. It is changed itself, since two copies of a large one may not fit.
    states
        States of its layer, shape ``(n, width)``, over as many kinds of token as it will meet. The
        first token of a prompt, whose norm is often far larger, does not belong there.

    Returns
    -------
    sae_lens.SAE
        The same autoencoder; its metadata hold the factor as ``activation_norm``.

    References
    ----------
    Conerly, T., Templeton, A., Bricken, T., Marcus, J., & Henighan, T. (2024). Update on how we
    train SAEs. Transformer Circuits Thread.
    """
    if sae.cfg.normalize_activations != "expected_average_only_in":
        raise ValueError(f"{sae_name(sae)} has no activation norm that could be folded")
    factor = float(np.sqrt(sae.cfg.d_in)) / mean_norm(_numpy(_tensor(sae, states)))
    sae.fold_activation_norm_scaling_factor(factor)
    sae.cfg.metadata.activation_norm = factor
    return sae


def describe_sae(sae, states: np.ndarray) -> dict[str, object]:
    """Tell size and quality of an autoencoder on states of its layer, shape ``(n, width)``.

    Returns
    -------
    dict
        ``name``; ``layer``; ``width``; ``features``; ``l0`` (features active at a time, mean over
        states); ``alive`` (features that fire on at least one state); ``unexplained`` (share of the
        variance of the states that it misses); ``row_norm`` (mean length of the decoder's rows).
    """
    x, fires = _tensor(sae, states), feature_activity(sae, states) > 0
    missed = (x - sae.decode(sae.encode(x))).square().sum() / (x - x.mean(0)).square().sum()
    figures = {"name": sae_name(sae), "layer": hook_layer(sae), "width": int(sae.cfg.d_in)}
    figures |= {"features": int(sae.cfg.d_sae), "l0": float(fires.sum(axis=1).mean())}
    figures |= {"alive": int(fires.any(axis=0).sum()), "unexplained": float(missed.detach())}
    return figures | {"row_norm": float(np.linalg.norm(_numpy(sae.W_dec), axis=1).mean())}


def _require_usable(sae) -> None:
    """Refuse an autoencoder whose activity and rows are not in the units of the residual stream."""
    hook, how = str(sae.cfg.metadata.hook_name), sae.cfg.normalize_activations
    if "mlp" in hook or "attn" in hook:
        fault = f"reads {hook}; take one of hook_resid_post or hook_resid_pre"
    elif how == "expected_average_only_in":
        fault = "was trained on normalised states; call fold_activation_norm(sae, states) first"
    elif how != "none":
        fault = f"normalises each state by itself ({how}), so its rows have no length; take another"
    else:
        return
    raise ValueError(f"{sae_name(sae)} {fault}")


def _tensor(sae, states: np.ndarray):
    if np.ndim(states) != 2 or np.shape(states)[1] != sae.cfg.d_in:
        reads = f"reads states of its model and layer, shape (n, {sae.cfg.d_in})"
        raise ValueError(f"{sae_name(sae)} {reads}; got {np.shape(states)}")
    return sae.W_dec.detach().new_tensor(states)


def _numpy(tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy().copy()
