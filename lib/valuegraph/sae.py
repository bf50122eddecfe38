"""Sparse autoencoders of the residual stream, in SAELens' format: load, read, steer, choose.

An autoencoder writes a state as a sparse sum of directions, the rows of its decoder. A *feature* is
one of them: its activity says how much of it a state holds, and a multiple of its row can be added
to the states of a model that answers. Functions take any `sae_lens.SAE`, however it was loaded.

Activity says what a feature *reads*, not what it does; choosing by effect finds features that steer
two to three times as well (Arad, Mueller & Belinkov, 2025, EMNLP). Here activity proposes, effects
decide, and all candidates and their ranks are part of the result.
"""

import re
from collections import namedtuple
from pathlib import Path

import numpy as np
import pandas as pd
from huggingface_hub.errors import HTTPError

from valuegraph.answers import NO_INTERVENTION, score_answers
from valuegraph.effects import changes
from valuegraph.interventions import Shift
from valuegraph.organisms import ORGANISMS, organism_folder
from valuegraph.pushes import mean_norm, with_norm

#: What a coefficient multiplies: the decoder's row as it stands, as in Kang et al. (2025), or the
#: row at length 1. Rows need not be of length 1, so a coefficient says nothing without this.
CONVENTIONS = ("raw row", "unit")


PublicSAE = namedtuple("PublicSAE", "model layer gigabytes repository")
_GEMMA = PublicSAE("gemma-2b-it", 12, 0.27, "jbloom/Gemma-2b-IT-Residual-Stream-SAEs")
_LLAMA = PublicSAE("llama-3-8b-it", 25, 2.15, "Juliushanhanhan/llama-3-8b-it-res")
#: The two autoencoders that Kang et al. (2025) steer with. That of Llama was trained on normalised
#: activations: see `fold_activation_norm`.
PUBLIC_SAES = {"gemma-2b-it-res-jb": _GEMMA, "llama-3-8b-it-res-jh": _LLAMA}


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
    n = sae.cfg.d_sae
    if not 0 <= feature < n or convention not in CONVENTIONS:
        raise ValueError(f"no feature {feature} of {n}, or {convention!r} in {CONVENTIONS}")
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


def candidate_pushes(
    sae, states, *, n_candidates=24, min_rate=0.2, strength=1.0, **place
) -> tuple[pd.DataFrame, list[Shift]]:
    """Propose the features that are most active on average, among those that fire often enough.

    Each is pushed both up and down: what lowers a value when added need not raise it as much when
    taken away.

    Parameters
    ----------
    sae : sae_lens.SAE
        A sparse autoencoder of the residual stream.
    states : numpy.ndarray
        States of train roles at the site's last token of its layer, shape ``(n, width)``.
    n_candidates : int
        How many features, at most. 24 in Kang et al. (2025).
    min_rate : float
        Share of the states on which a candidate fires, at least. A feature that fires on few has no
        typical activation.
    strength : float
        How many typical activations a push is; a feature's typical activation is its mean where it
        fires.
    place
        Where the pushes act: ``layer`` and ``where`` as for `valuegraph.feature_shift`.

    Returns
    -------
    table : pandas.DataFrame
        One row for each push: ``intervention``, ``feature``, ``activity_rank`` (1 for the most
        active), ``rate`` (share of the states on which it fires), ``activity`` (mean over all),
        ``sign``, ``coefficient`` (of the raw row).
    shifts : list of Shift
        The same pushes, to elicit answers under.
    """
    activity = feature_activity(sae, states)
    table = pd.DataFrame({"rate": (activity > 0).mean(axis=0), "activity": activity.mean(0, float)})
    most = table["rate"].max()
    table = table[(table["rate"] >= min_rate) & (table["rate"] > 0)].rename_axis("feature")
    if table.empty:
        raise ValueError(f"no feature fires on {min_rate:.0%} of the states, but one on {most:.0%}")
    table = table.nlargest(n_candidates, "activity").reset_index()
    table.insert(1, "activity_rank", table.index + 1)
    rule = (
        f"Of the features that fire on at least {min_rate:.0%} of the train roles, the "
        f"{len(table)} most active are pushed up and down by {strength:g} times their typical "
        "activity."
    )
    table = table.merge(pd.DataFrame({"sign": [1, -1]}), how="cross")
    table["coefficient"] = table["sign"] * strength * (table["activity"] / table["rate"])
    pushes = zip(table["feature"], table["coefficient"], strict=True)
    shifts = [feature_shift(sae, f, coefficient=c, **place) for f, c in pushes]
    table.insert(0, "intervention", [shift.name for shift in shifts])
    table.attrs["rule"] = rule
    return table, shifts


def choose_features(
    answers: pd.DataFrame, candidates: pd.DataFrame, *, expected=None, by="log_odds"
) -> pd.DataFrame:
    """Rank candidates for every value by the effect on it, times how much it is the value alone.

    Where values cause each other, a push of a cause moves its descendants as well: that is what the
    value does, and no fault of the feature. With `expected`, a push is compared with that. By
    default it is compared with the value's own axis, which needs no graph: only this may be used
    where a graph is then to be tested on the features chosen.

    Parameters
    ----------
    answers
        Answers of train roles to train items under no intervention and all candidates.
    candidates
        Table of `candidate_pushes`.
    expected : pandas.DataFrame, optional
        What a push of each value should move ``[pushed, moved]``, such as total effects, each row
        up to a positive factor.
    by : str
        What answers are scored by.

    Returns
    -------
    pandas.DataFrame
        A row for each candidate and value: the columns of `candidates`, then ``value``, ``effect``
        (mean change, in the unit of the scores), ``size`` (the same in standard deviations of the
        value over the roles), ``specificity`` (cosine of all sizes with what is expected),
        ``score`` (size times specificity, negative unless both are positive) and ``rank`` (1 for
        the best of the value). ``.attrs["rule"]`` holds the rule in words.
    """
    change = changes(answers, by=by, under=candidates["intervention"])
    effect = change.groupby(level=0, sort=False).mean()
    spread = score_answers(answers, by=by).loc[NO_INTERVENTION].std()
    if not (spread > 0).all():
        raise ValueError(f"{spread.idxmin()} does not vary over the roles, so a change has no size")
    values = list(effect.columns)
    axes = np.eye(len(values)) if expected is None else expected.loc[values, values].to_numpy()
    sizes, wanted = (effect / spread).to_numpy(), axes / spread.to_numpy()
    norms = np.linalg.norm(sizes, axis=1)[:, None] * np.linalg.norm(wanted, axis=1)
    specificity = np.divide(sizes @ wanted.T, norms, out=np.zeros_like(norms), where=norms > 0)
    score = np.abs(sizes * specificity)
    score[(sizes <= 0) | (specificity <= 0)] *= -1  # it must raise the value, and fit it
    table = candidates.merge(pd.DataFrame({"value": values}), how="cross")
    figures = np.stack([effect, sizes, specificity, score], axis=-1).reshape(-1, 4)
    table[["effect", "size", "specificity", "score"]] = figures
    table["rank"] = (-table["score"]).groupby(table["value"]).rank(method="first").astype(int)
    axis = "the value's own axis" if expected is None else "what was expected of the value"
    table.attrs["rule"] = (
        f"{candidates.attrs.get('rule', '')} For each value they are ranked by its mean change, in "
        "standard deviations over the train roles, times the cosine between all changes, in that "
        f"unit, and {axis}; what does not raise it, or has no positive cosine, stands last."
    )
    return table


def best_features(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the best row of each value from `choose_features`, index ``value``.

    Values that no candidate raises are left out.
    """
    first = table.query("rank == 1 and score > 0").set_index("value")
    return first.loc[[value for value in table["value"].unique() if value in first.index]]


def require_unseen(used: pd.DataFrame, judging: pd.DataFrame) -> None:
    """Refuse answers that judge features on roles or items on which they were chosen.

    Parameters
    ----------
    used, judging
        Answers of which the first were used in choosing.
    """
    for column in ("role", "item"):
        both = sorted(set(judging[column]) & set(used[column]))
        if both:
            first = f"{len(both)} {column}s were used in choosing, first {both[0]!r}"
            raise ValueError(f"{first}; judge on others (split_{column}s)")


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
