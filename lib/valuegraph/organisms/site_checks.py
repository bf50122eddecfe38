"""Does the site of an organism obey: shifts of it against the true total effects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from valuegraph.asking.states import site_states
from valuegraph.elicitation import elicit
from valuegraph.interventions import Shift
from valuegraph.organisms.examined import Examined
from valuegraph.organisms.site_code import block_slices
from valuegraph.roles import sample_roles
from valuegraph.steering.activity import feature_activity, unexplained_variance
from valuegraph.steering.changes import changes_of
from valuegraph.steering.effects import cosine
from valuegraph.steering.sae import feature_shift, load_sae


def site_slopes(
    examined: Examined, *, n_roles: int = 2000, seed: int = 1002
) -> tuple[np.ndarray, np.ndarray]:
    """Tell by regression what one unit of each exogenous term is worth at the site.

    The site's states are regressed on all exogenous terms at once, over roles drawn for it.

    Parameters
    ----------
    examined
        The organism.
    n_roles, seed
        Roles of the regression.

    Returns
    -------
    slopes : numpy.ndarray
        Change of the state per unit of each exogenous term, shape ``(d, width)``.
    told : numpy.ndarray
        Share of each exogenous term's variance that the site's state tells, shape ``(d,)``.
    """
    roles = sample_roles(examined.bank, n_roles, seed=seed)
    states = site_states(examined.respondent, roles, layer=examined.site_layer)
    states = states - states.mean(axis=0)
    u = examined.exogenous(roles).to_numpy()
    u = u - u.mean(axis=0)
    slopes = np.linalg.lstsq(u, states, rcond=None)[0]
    readout = np.linalg.lstsq(states, u, rcond=None)[0]
    told = 1 - ((u - states @ readout) ** 2).sum(axis=0) / (u**2).sum(axis=0)
    return slopes, told


def site_shifts(examined: Examined, slopes: np.ndarray, *, in_blocks: bool) -> list[Shift]:
    """Shifts of the site along some slopes, one per value and named by it.

    Parameters
    ----------
    examined
        The organism.
    slopes
        Shape ``(d, width)``, as `site_slopes` returns them.
    in_blocks
        Whether each shift is confined to the coordinates of its value's block.
    """
    if in_blocks:
        confined = np.zeros_like(slopes)
        for k, block in enumerate(block_slices(slopes.shape[1], len(slopes))):
            confined[k, block] = slopes[k, block]
        slopes = confined
    return [
        Shift(value, examined.site_layer, slope)
        for value, slope in zip(examined.truth.values, slopes, strict=True)
    ]


def check_blocks(examined: Examined, *, n_roles: int, seed: int = 1002) -> dict:
    """Shift the site by one unit of each ``u_k``; compare the effects with ``T[:, k]``.

    Parameters
    ----------
    examined
        The organism.
    n_roles
        Roles over which effects are averaged.
    seed
        Of the roles.

    Returns
    -------
    dict
        For shifts confined to blocks and for those in all coordinates: cosine and size of the
        effects by value, size relative to the true effect; and how much the site tells of each
        ``u_k``.
    """
    slopes, told = site_slopes(examined, seed=seed)
    roles = sample_roles(examined.bank, n_roles, seed=seed + 500)
    result = {}
    for name, in_blocks in (("blocks", True), ("all_coordinates", False)):
        shifts = site_shifts(examined, slopes, in_blocks=in_blocks)
        measured = mean_changes(examined, roles, shifts)
        true = np.array([examined.true_effect(s.name) for s in shifts])
        cosines = {
            s.name: _cosine(effect, t) for s, effect, t in zip(shifts, measured, true, strict=True)
        }
        sizes = np.linalg.norm(measured, axis=1) / np.linalg.norm(true, axis=1)
        result[name] = {
            "cosine": cosines,
            "min_cosine": min(cosines.values()),
            "relative_size": dict(zip(cosines, map(float, sizes), strict=True)),
        }
    result["told_by_site"] = dict(zip(examined.truth.values, map(float, told), strict=True))
    return result


def check_sae(examined: Examined, folder: Path, *, n_roles: int, seed: int = 1003) -> dict:
    """Push every live feature; for each value, take the one whose effect is nearest ``T[:, k]``.

    The feature and the sign of its push are chosen on one half of the roles, its cosine is told
    on the other.

    Parameters
    ----------
    examined
        The organism.
    folder
        Its autoencoder.
    n_roles
        Roles over which effects are averaged, both halves together.
    seed
        Of the roles.

    Returns
    -------
    dict
        Size, activity and unexplained variance of the autoencoder, and by value the best
        feature, its sign and its cosine.
    """
    sae = load_sae(folder)
    roles = sample_roles(examined.bank, 4000, seed=seed)
    states = site_states(examined.respondent, roles, layer=examined.site_layer)
    activity = feature_activity(sae, states)
    alive = np.flatnonzero((activity > 0).mean(axis=0) > 0.001)
    shifts = [
        # A push of one typical activation, so that strong and weak features compare.
        feature_shift(sae, int(f), coefficient=float(activity[activity[:, f] > 0, f].mean()))
        for f in alive
    ]
    roles = sample_roles(examined.bank, n_roles, seed=seed + 1)
    changes = _changes(examined, roles, shifts)
    choose, tell = changes[:, ::2].mean(axis=1), changes[:, 1::2].mean(axis=1)
    best = {}
    for value in examined.truth.values:
        true = examined.true_effect(value)
        fit = np.array([_cosine(effect, true) for effect in choose])
        winner = int(np.argmax(np.abs(fit)))
        sign = float(np.sign(fit[winner]))
        best[value] = {
            "feature": int(alive[winner]),
            "sign": sign,
            "cosine": sign * _cosine(tell[winner], true),
        }
    return {
        "d_sae": int(sae.cfg.d_sae),
        "active": float((activity > 0).sum(axis=1).mean()),
        "alive": int(len(alive)),
        "unexplained_variance": unexplained_variance(sae, states),
        "best": best,
        "values_above_.95": sum(entry["cosine"] >= 0.95 for entry in best.values()),
    }


def mean_changes(examined: Examined, roles: Sequence, shifts: Sequence[Shift]) -> np.ndarray:
    """Mean change of the scores under each shift, shape ``(len(shifts), d)``."""
    return _changes(examined, roles, shifts).mean(axis=1)


def _changes(examined: Examined, roles: Sequence, shifts: Sequence[Shift]) -> np.ndarray:
    """Change of each role's scores under each shift, shape ``(len(shifts), len(roles), d)``."""
    answers = elicit(examined.respondent, examined.inventory, roles, interventions=[None, *shifts])
    values = list(examined.truth.values)
    return np.stack([change[values].to_numpy() for change in changes_of(answers).values()])


def _cosine(effect: np.ndarray, true: np.ndarray) -> float:
    return cosine(effect, true) if np.any(effect) else 0.0
