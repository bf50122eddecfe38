"""How active features are, and how well an autoencoder tells states: in the model's own units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from valuegraph.steering.sae import hook_layer, require_folded, sae_name

if TYPE_CHECKING:
    from sae_lens import SAE


def fold_activation_norm(sae: SAE, states: np.ndarray) -> SAE:
    """Make an autoencoder that was trained on normalised activations fit a model's own.

    It was trained on activations times a factor that makes their mean norm ``sqrt(width)``. The
    factor is estimated anew, ``c = sqrt(width) / mean ||x||`` (Conerly et al., 2024), and folded
    into the weights. The decoder becomes ``W_dec / c``: what a coefficient of 100 adds *before*
    folding, ``100 c`` adds *after* it.

    Parameters
    ----------
    sae
        The autoencoder. It is changed itself, since two copies of a large one may not fit.
    states
        Activations of its layer, shape ``(n, width)``, over as many kinds of token as it will meet.
        The first token of a prompt, whose norm is often far larger, does not belong there.

    Returns
    -------
    sae_lens.SAE
        The same autoencoder; its metadata hold the factor as ``activation_norm``.

    Raises
    ------
    ValueError
        If there is nothing to fold, the activations are normalised in another way, or the states
        do not fit or are zero.

    References
    ----------
    Conerly, T., Templeton, A., Bricken, T., Marcus, J., & Henighan, T. (2024). Update on how we
    train SAEs. Transformer Circuits Thread.
    """
    how = sae.cfg.normalize_activations
    if how != "expected_average_only_in":
        what = "has no activation norm to fold" if how == "none" else f"normalises by {how!r}"
        raise ValueError(
            f"the autoencoder {sae_name(sae)} {what}; only 'expected_average_only_in' can be folded"
        )
    norm = np.linalg.norm(_checked(sae, states), axis=1).mean()
    if norm == 0:
        raise ValueError("the states are zero everywhere, so they have no norm to fold")
    factor = float(np.sqrt(sae.cfg.d_in) / norm)
    sae.fold_activation_norm_scaling_factor(factor)
    sae.cfg.metadata.activation_norm = factor
    return sae


def feature_activity(sae: SAE, states: np.ndarray) -> np.ndarray:
    """Activations of all features on states.

    Parameters
    ----------
    sae
        The autoencoder.
    states
        Shape ``(n, width)``, from its layer.

    Returns
    -------
    numpy.ndarray
        Shape ``(n, d_sae)``; 0 where a feature does not fire.

    Raises
    ------
    ValueError
        If the states are of another width, or the activation norm is not folded.
    """
    require_folded(sae)
    with torch.inference_mode():
        return sae.encode(_tensor(sae, states)).float().cpu().numpy()


def unexplained_variance(sae: SAE, states: np.ndarray) -> float:
    """Share of the variance of states, shape ``(n, width)``, that the autoencoder misses.

    Raises
    ------
    ValueError
        As for `feature_activity`.
    """
    require_folded(sae)
    with torch.inference_mode():
        x = _tensor(sae, states)
        error = x - sae.decode(sae.encode(x))
        return float(error.square().sum() / (x - x.mean(0)).square().sum())


def describe_sae(sae: SAE, states: np.ndarray) -> dict[str, object]:
    """Tell size and quality of an autoencoder on states, shape ``(n, width)``.

    Returns
    -------
    dict
        ``name``; ``layer``; ``width``; ``features``; ``l0`` (features active at a time, mean over
        states); ``alive`` (features that fire on at least one state); ``unexplained`` (see
        `unexplained_variance`); ``row_norm`` (mean length of the decoder's rows).

    Raises
    ------
    ValueError
        As for `feature_activity`.
    """
    fires = feature_activity(sae, states) > 0
    return {
        "name": sae_name(sae),
        "layer": hook_layer(sae),
        "width": int(sae.cfg.d_in),
        "features": int(sae.cfg.d_sae),
        "l0": float(fires.sum(axis=1).mean()),
        "alive": int(fires.any(axis=0).sum()),
        "unexplained": unexplained_variance(sae, states),
        "row_norm": float(sae.W_dec.detach().float().norm(dim=1).mean()),
    }


def _checked(sae: SAE, states: np.ndarray) -> np.ndarray:
    if states.ndim != 2 or states.shape[1] != sae.cfg.d_in:
        raise ValueError(
            f"the autoencoder {sae_name(sae)} reads states of shape (n, {sae.cfg.d_in}), got "
            f"{states.shape}; it must be one of the model and layer that they come from"
        )
    return states


def _tensor(sae: SAE, states: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(_checked(sae, states)).to(sae.W_dec.device, sae.W_dec.dtype)
