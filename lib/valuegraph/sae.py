"""Sparse autoencoders of the residual stream, in SAELens' format: load, read, steer, choose.

An autoencoder writes a state as a sparse sum of directions, the rows of its decoder. A *feature* is
one of them: its activity says how much of it a state holds, and a multiple of its row can be added
to the states of a model that answers. Functions take any `sae_lens.SAE`, however it was loaded.

Activity says what a feature *reads*, not what it does; choosing by effect finds features that steer
two to three times as well (Arad, Mueller & Belinkov, 2025, EMNLP). Here activity proposes, effects
decide, and all candidates and their ranks are part of the result.
"""

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from huggingface_hub.errors import HTTPError

from valuegraph.answers import NO_INTERVENTION, score_answers
from valuegraph.downloads import PUBLIC_SAES, public_saes
from valuegraph.effects import changes
from valuegraph.interventions import Shift
from valuegraph.organisms import ORGANISMS, organism_folder
from valuegraph.pushes import mean_norm, with_norm
from valuegraph.tables import refusing, require_known, require_whole

#: What a coefficient multiplies: the decoder's row as it stands, as in Kang et al. (2025), or the
#: row at length 1. Rows need not be of length 1, so a coefficient says nothing without this.
CONVENTIONS = ("raw row", "unit")

#: How many activities are computed at a time (64 MB), and how many are handed out at once (1 GB).
PIECE, WHOLE = 2**24, 2**28
#: A mean change by fewer standard deviations of the value over the roles is hardly an effect.
WEAK = 0.1


def load_sae(source: str | Path, *, device: str = "cpu"):
    """Load a sparse autoencoder.

    Parameters
    ----------
    source
        A ``source`` of `valuegraph.public_saes`; ``organism-human`` or ``organism-alien`` for that
        of its site; or a folder with ``cfg.json`` and ``sae_weights.safetensors``.
    device
        Where to put it.

    Returns
    -------
    sae_lens.SAE
        Its metadata hold ``source``. Activation norms are left as they are in the files, except
        where SAELens knows the factor and folds it in.
    """
    from sae_lens import SAE

    name, folder = str(source), Path(source).expanduser()
    folder = organism_folder(source) / "sae" if source in ORGANISMS else folder
    missing = [f for f in ("cfg.json", "sae_weights.safetensors") if not (folder / f).is_file()]
    if name.partition("/")[0] in PUBLIC_SAES:
        if len(listed := public_saes().query("source == @name or release == @name")) != 1:
            way = "take one source of valuegraph.public_saes()"
            raise ValueError(f"{name} names {len(listed)} autoencoders of its release; {way}")
        try:
            sae = SAE.from_pretrained(*listed[["release", "sae_id"]].iloc[0], device=device)
        except (HTTPError, OSError) as error:
            way = f"check the network and HF_HUB_OFFLINE ({type(error).__name__})"
            raise OSError(f"{name} cannot be downloaded; {way}") from error
    elif missing:
        neither = "neither organism-human, organism-alien or a source of valuegraph.public_saes()"
        way_out = f"sae_lens.SAE.from_pretrained({name!r}, FOLDER_IN_IT), which works here as well"
        told = f"no autoencoder {name!r}: it is {neither}, nor a folder with {missing[0]}"
        raise FileNotFoundError(f"{told}. Load a repository of the hub by {way_out}")
    else:
        with refusing(f"the autoencoder {name} cannot be loaded"):
            sae = SAE.load_from_disk(folder, device=device)
    if odd := [w for w, of in sae.state_dict().items() if not of.isfinite().all()]:
        raise ValueError(f"{name} has numbers in {odd[0]} that are not finite; take another")
    sae.cfg.metadata.source = name
    return sae.requires_grad_(False)


def hook_layer(sae) -> int:
    """Layer whose output the autoencoder reads.

    ``blocks.N.hook_resid_post`` is the output of layer N, ``blocks.N.hook_resid_pre`` that of
    layer N - 1.
    """
    _require_usable(sae, normalised=True)
    hook = str(sae.cfg.metadata.hook_name)
    if not (match := re.fullmatch(r"blocks\.(\d+)\.hook_resid_(post|pre)", hook)):
        way = "if that is layer N, set sae.cfg.metadata.hook_name = 'blocks.N.hook_resid_post'"
        raise ValueError(f"{sae_name(sae)} reads {hook!r}, which names no layer; {way}")
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
    require_known(convention, CONVENTIONS, "convention")
    require_whole(feature, 0, f"feature of {sae_name(sae)}", most=sae.cfg.d_sae - 1)
    row, name = _numpy(sae.W_dec[feature]), f"feature {feature} x {coefficient:g}"
    # Some top-k autoencoders decode as if their rows were of length 1.
    if convention == "unit" or getattr(sae.cfg, "rescale_acts_by_decoder_norm", False):
        row, name = with_norm(row, 1.0), name + (" unit" if convention == "unit" else "")
    hook = str(sae.cfg.metadata.hook_name)
    if hook == f"blocks.{layer}.hook_resid_pre":
        raise ValueError(f"{hook} is the output of layer {layer - 1}; pass that, or no layer")
    own = layer is None or (hook.startswith("blocks") and layer == hook_layer(sae))
    name += ("" if own else f", layer {layer}") + ("" if where == "site-end" else f", {where}")
    origin = {"sae": sae_name(sae), "feature": int(feature), "coefficient": float(coefficient)}
    origin |= {"convention": convention, "activation_norm": sae.cfg.metadata.activation_norm}
    layer = hook_layer(sae) if layer is None else layer
    return Shift(name, layer, coefficient * row, where, origin)


def feature_activity(sae, states: np.ndarray, features=None) -> np.ndarray:
    """Activations, shape ``(n, d_sae)`` or that of `features`, on states ``(n, width)``.

    States are those of its layer. They are encoded a few at a time, and `candidate_pushes` keeps
    sums alone: so a choice out of 262,144 features fits into memory.
    """
    if features is None and (n := len(states) * sae.cfg.d_sae) > WHOLE:
        raise MemoryError(f"all activity is {4e-9 * n:.1f} GB; pass features=[...] or fewer states")
    kept = slice(None) if features is None else list(features)
    for feature in () if features is None else kept:
        require_whole(feature, 0, f"feature of {sae_name(sae)}", most=sae.cfg.d_sae - 1)
    return np.concatenate([_numpy(active[:, kept]) for _, active in _pieces(sae, states)])


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
    rate, _, missed = _summary(sae, states)
    figures = {"name": sae_name(sae), "layer": hook_layer(sae), "width": int(sae.cfg.d_in)}
    figures |= {"features": int(sae.cfg.d_sae), "l0": float(rate.sum())}
    figures |= {"alive": int((rate > 0).sum()), "unexplained": missed}
    return figures | {"row_norm": float(sae.W_dec.detach().norm(dim=1).mean())}


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
    require_whole(n_candidates, 1, "n_candidates")
    rate, activity, missed = _summary(sae, states)
    if missed > 1:
        fault = f"{sae_name(sae)} misses {missed:.0%} of the variance of these states"
        warnings.warn(f"{fault}, more than their mean does; is it of this layer?", stacklevel=2)
    table = pd.DataFrame({"rate": rate, "activity": activity})
    table = table[(table["rate"] >= min_rate) & (table["rate"] > 0)].rename_axis("feature")
    if table.empty:
        most = f"the one that fires most does on {rate.max():.0%}"
        raise ValueError(f"no feature fires on {min_rate:.0%} of the states; {most}")
    table = table.nlargest(n_candidates, "activity").reset_index()
    table.insert(1, "activity_rank", table.index + 1)
    rule = f"Of the features that fire on at least {min_rate:.0%} of the train roles, the "
    rule += f"{len(table)} most active are pushed up and down by {strength:g} times their typical "
    table = table.merge(pd.DataFrame({"sign": [1, -1]}), how="cross")
    table["coefficient"] = table["sign"] * strength * (table["activity"] / table["rate"])
    pushes = zip(table["feature"], table["coefficient"], strict=True)
    shifts = [feature_shift(sae, f, coefficient=c, **place) for f, c in pushes]
    table.insert(0, "intervention", [shift.name for shift in shifts])
    table.attrs["rule"] = f"{rule}activity."
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
    if weak := ", ".join(np.array(values)[np.abs(sizes).max(axis=0) < WEAK]):
        told = f"no candidate moves {weak} by {WEAK:g} standard deviations: its ranks are noise"
        warnings.warn(told, stacklevel=2)
    rule = f"{candidates.attrs.get('rule', '')} For each value they are ranked by its mean change, "
    rule += "in standard deviations over the train roles, times the cosine between all changes, in "
    rule += f"that unit, and {axis}; what does not raise it, or has no positive cosine, comes last."
    table.attrs["rule"] = rule
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
        if both := sorted(set(judging[column]) & set(used[column])):
            first = f"{len(both)} {column}s were used in choosing, first {both[0]!r}"
            raise ValueError(f"{first}; judge on others (split_{column}s)")


def _require_usable(sae, *, normalised=False) -> None:
    """Refuse an autoencoder whose activity and rows are not in the units of the residual stream."""
    hook, how = str(sae.cfg.metadata.hook_name), sae.cfg.normalize_activations
    if re.search(r"mlp|attn|norm|embed|\.ln|hook_(?!resid_p)|blocks\.0\.hook_resid_pre", hook):
        fault = f"reads {hook}, not the output of a layer; take one of blocks.N.hook_resid_post"
    elif how == "none" or normalised:
        return
    elif how == "expected_average_only_in":
        fault = "was trained on normalised states; call fold_activation_norm(sae, states) first"
    else:
        fault = f"normalises each state by itself ({how}), so its rows have no length; take another"
    raise ValueError(f"{sae_name(sae)} {fault}")


def _pieces(sae, states: np.ndarray):
    """Yield states, a few at a time, with the activity of all features on them."""
    _require_usable(sae)
    for some in _tensor(sae, states).split(max(1, PIECE // sae.cfg.d_sae)):
        yield some, sae.encode(some).detach()


def _summary(sae, states: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """How often features fire, their mean activity, and the share of the variance missed."""
    fires, total, missed = np.zeros(sae.cfg.d_sae), 0, 0.0
    for some, active in _pieces(sae, states):
        missed += float((some - sae.decode(active)).detach().square().sum())
        fires, total = fires + _numpy((active > 0).sum(0)), total + _numpy(active).sum(0, float)
    x = _tensor(sae, states)
    return fires / len(x), total / len(x), missed / float((x - x.mean(0)).square().sum())


def _tensor(sae, states: np.ndarray):
    if np.ndim(states) != 2 or np.shape(states)[1] != sae.cfg.d_in or not np.isfinite(states).all():
        reads = f"reads finite states of its model and layer, shape (n, {sae.cfg.d_in})"
        raise ValueError(f"{sae_name(sae)} {reads}; got {np.shape(states)}")
    return sae.W_dec.detach().new_tensor(states)


def _numpy(tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy().copy()
