"""Sparse autoencoders of the residual stream, in SAELens' format: load one, and steer by it.

An autoencoder writes a state of the residual stream as a sparse sum of directions, the rows of its
decoder. A *feature* is one of them: its activity says how much of it a state holds
(`valuegraph.steering.activity`), and a multiple of its row can be added to the states of a model
that answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from valuegraph.interventions import Shift
from valuegraph.organisms.shipped import ORGANISMS, organism_folder
from valuegraph.steering.releases import PUBLIC_SAES, load_release

if TYPE_CHECKING:
    from sae_lens import SAE

#: What a coefficient multiplies. The rows of most autoencoders are not of length 1, so the two
#: differ, and a coefficient says nothing without its convention.
DIRECTIONS = {
    "raw row": "the decoder's row as it stands, as in Kang et al. (2025)",
    "unit": "the row at length 1, so that the coefficient is the length of the shift",
}

_FILES = ("cfg.json", "sae_weights.safetensors")


@dataclass(frozen=True, eq=False)
class DecoderRows:
    """Some features of an autoencoder without the rest of it: all that steering needs.

    Attributes
    ----------
    name
        Of the autoencoder.
    hook
        What it reads, such as ``blocks.12.hook_resid_post``.
    rows
        Raw decoder rows by feature, each of shape ``(width,)``.
    activation_norm
        The factor that `valuegraph.steering.activity.fold_activation_norm` folded; None if there
        was none to fold.
    """

    name: str
    hook: str
    rows: dict[int, np.ndarray]
    activation_norm: float | None = None


def load_sae(source: str | Path, *, device: str = "cpu") -> SAE:
    """Load a sparse autoencoder.

    Parameters
    ----------
    source
        A public release (`valuegraph.steering.releases.PUBLIC_SAES`), an organism
        (``organism-human``, ``organism-alien``) for the autoencoder of its site, or a folder in
        SAELens' format, with ``cfg.json`` and ``sae_weights.safetensors``.
    device
        Where to put it.

    Returns
    -------
    sae_lens.SAE
        Its metadata hold ``source``.

    Raises
    ------
    ValueError
        If the organism has no autoencoder, or there is no such name.
    FileNotFoundError
        If the folder holds none.
    OSError
        If the hub does not hand out a public one.
    """
    if source in PUBLIC_SAES:
        sae = load_release(str(source), device=device)
    elif source in ORGANISMS:
        folder = organism_folder(str(source)) / "sae"
        if not folder.is_dir():
            raise ValueError(
                f"{source} has no sparse autoencoder: no shift of its site moves the values, so it "
                "has no use for one. Take organism-human or organism-alien, or make a direction "
                "with difference_of_means"
            )
        sae = _load_folder(folder, device)
    elif isinstance(source, Path) or Path(source).is_dir() or "/" in source:
        sae = _load_folder(Path(source).expanduser(), device)
    else:
        raise ValueError(
            f"unknown sparse autoencoder {source!r}; known are {', '.join(PUBLIC_SAES)}, "
            "organism-human and organism-alien; or give the path of a folder"
        )
    sae.cfg.metadata.source = str(source)
    return sae


def sae_name(sae: SAE) -> str:
    """Name by which an autoencoder was loaded, or else the one that SAELens gives it."""
    return str(sae.cfg.metadata.source or sae.get_name())


def hook_layer(sae: SAE | DecoderRows) -> int:
    """Layer of ``blocks.N.hook_resid_post``, on whose output the autoencoder was trained.

    Raises
    ------
    ValueError
        If it was trained on something else.
    """
    name = sae.hook if isinstance(sae, DecoderRows) else str(sae.cfg.metadata.hook_name)
    parts = name.split(".")
    if len(parts) != 3 or parts[0] != "blocks" or parts[2] != "hook_resid_post":
        raise ValueError(
            f"the autoencoder's hook is {name!r}, which is not the output of a layer "
            "(blocks.N.hook_resid_post); pass layer=..."
        )
    return int(parts[1])


def require_folded(sae: SAE) -> None:
    """Refuse an autoencoder whose activations and rows are not in the model's units."""
    if sae.cfg.normalize_activations != "none":
        raise ValueError(
            f"the autoencoder {sae_name(sae)} was trained on normalised activations "
            f"({sae.cfg.normalize_activations}), so its activations and rows are not in the "
            "model's units; call fold_activation_norm(sae, states) with states of its layer first"
        )


def decoder_rows(sae: SAE, features: Sequence[int]) -> DecoderRows:
    """Take some features out of an autoencoder, so that the rest of it can be let go.

    Parameters
    ----------
    sae
        The autoencoder.
    features
        Their numbers.

    Returns
    -------
    DecoderRows
        It stands for the autoencoder in `feature_shift` and `neuronpedia_url`.

    Raises
    ------
    ValueError
        If there is no such feature, or the activation norm is not folded.
    """
    require_folded(sae)
    for feature in features:
        if not 0 <= feature < sae.cfg.d_sae:
            raise ValueError(
                f"feature {feature} does not exist; this autoencoder has 0 ... {sae.cfg.d_sae - 1}"
            )
    rows = {int(f): sae.W_dec[f].detach().float().cpu().numpy().copy() for f in features}
    metadata = sae.cfg.metadata
    return DecoderRows(sae_name(sae), str(metadata.hook_name), rows, metadata.activation_norm)


def feature_shift(
    sae: SAE | DecoderRows,
    feature: int,
    *,
    coefficient: float,
    layer: int | None = None,
    where: str = "site-end",
    direction: str = "raw row",
) -> Shift:
    """Return the intervention that adds a multiple of a feature's decoder row.

    Parameters
    ----------
    sae
        A sparse autoencoder of the residual stream, or rows of it.
    feature
        Number of the feature.
    coefficient
        Multiple of the direction, of either sign. At 0 nothing is changed.
    layer
        Whose output is shifted; by default the one that the autoencoder reads.
    where
        Which tokens are concerned; a key of `valuegraph.interventions.PLACES`.
    direction
        What the coefficient multiplies; a key of `DIRECTIONS`.

    Returns
    -------
    Shift
        Named after feature and coefficient, and after all that is not the default. Its origin
        tells ``sae``, ``feature``, ``coefficient``, ``direction``, ``layer``, ``where`` and, if
        one was folded, ``activation_norm``.

    Raises
    ------
    ValueError
        If there is no such feature, place or direction, no layer is known, the activation norm is
        not folded, or a row of length 0 should become one of length 1.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"direction is {direction!r}; there are {', '.join(DIRECTIONS)}")
    kept = sae if isinstance(sae, DecoderRows) else decoder_rows(sae, [feature])
    if feature not in kept.rows:
        raise ValueError(
            f"feature {feature} is not among the rows that were kept of {kept.name}: "
            f"{', '.join(map(str, kept.rows))}"
        )
    row, name = kept.rows[feature], f"feature {feature} x {coefficient:g}"
    if direction == "unit":
        length = np.linalg.norm(row)
        if length == 0:
            raise ValueError(f"the row of feature {feature} is zero, so it has no direction")
        row, name = row / length, f"{name} unit"
    if layer is None:
        layer = hook_layer(kept)
    elif kept.hook != f"blocks.{layer}.hook_resid_post":
        name = f"{name}, layer {layer}"
    if where != "site-end":
        name = f"{name}, {where}"
    origin = {
        "sae": kept.name,
        "feature": int(feature),
        "coefficient": float(coefficient),
        "direction": direction,
        "layer": layer,
        "where": where,
    }
    if kept.activation_norm is not None:
        origin["activation_norm"] = kept.activation_norm
    return Shift(name, layer, coefficient * row, where, origin)


def neuronpedia_url(sae: SAE | DecoderRows, feature: int) -> str | None:
    """Address of a feature's page on Neuronpedia, which shows what it fires on.

    Returns
    -------
    str or None
        None for an autoencoder that was not loaded as one of `PUBLIC_SAES`.
    """
    name = sae.name if isinstance(sae, DecoderRows) else sae_name(sae)
    if name not in PUBLIC_SAES:
        return None
    return f"https://www.neuronpedia.org/{PUBLIC_SAES[name].neuronpedia}/{feature}"


def _load_folder(folder: Path, device: str) -> SAE:
    for name in _FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"no sparse autoencoder in {folder}: {name} is missing; write one with "
                "sae.save_model(folder)"
            )
    from sae_lens import SAE

    return SAE.load_from_disk(folder, device=device)
