"""Directions of the residual stream that need no autoencoder: the baselines of steering.

An autoencoder's feature has to do better than a difference of two means or a regression, which
anyone can compute, and than a random direction of the same length. The *dose* of a shift is its
length relative to the states that it is added to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.interventions import Shift
from valuegraph.splitting import require_whole

if TYPE_CHECKING:
    from valuegraph.asking.prompts import PromptFormat
    from valuegraph.models import Respondent
    from valuegraph.roles import Role


def difference_of_means(
    states: np.ndarray, scores: pd.DataFrame, value: str, *, share: float = 0.5
) -> np.ndarray:
    """Mean state of the roles that score high on a value, minus that of those that score low.

    What goes along with the value among the roles goes into the direction too. In a linear causal
    system, where a state holds the exogenous terms ``u`` and the values are ``v = T u``, the
    difference holds each ``u_k`` by ``cov(u_k, v)``, so that a push along it moves the values along
    their *covariances* with the value, ``cov(v) e_v``; a push of the value itself would move them
    along its *effects*, ``T e_v``. The two agree only for a value that has no causes.

    Parameters
    ----------
    states
        States of the roles, shape ``(n, width)``, as `valuegraph.asking.states.site_states` gives
        them. Give train roles only: on others the direction is to be tried.
    scores
        Scores of the same roles, in the same order; one column per value.
    value
        Column of the value.
    share
        Share of the roles in each group, up to 0.5. A smaller share compares extremes.

    Returns
    -------
    numpy.ndarray
        Shape ``(width,)``, in the units of the states: the step from low to high.

    Raises
    ------
    ValueError
        If states and scores are not of the same roles, there is no such value, `share` leaves no
        role in a group, or the value does not vary.
    """
    states = _matrix(states)
    _check_same_roles(states, scores)
    if value not in scores.columns:
        raise ValueError(f"unknown value {value!r}; scores hold {', '.join(map(str, scores))}")
    if not 0 < share <= 0.5:
        raise ValueError(f"share must lie between 0 and 0.5, got {share}")
    n = int(share * len(states))
    if n < 1:
        raise ValueError(f"a share of {share} of {len(states)} roles is none; give more roles")
    score = scores[value].to_numpy(dtype=float)
    if not np.isfinite(score).all():
        raise ValueError(f"scores of {value} are missing for some roles; leave those roles out")
    if np.ptp(score) == 0:
        raise ValueError(f"all roles score {score[0]:g} on {value}, so none is high and none low")
    order = np.argsort(score, kind="stable")
    return states[order[-n:]].mean(axis=0) - states[order[:n]].mean(axis=0)


def regression_directions(states: np.ndarray, scores: pd.DataFrame) -> pd.DataFrame:
    """Slopes of the states on all values at once: the step that goes along with one value alone.

    Where a difference of means holds what goes along with a value, a regression holds the other
    values fixed. In a linear causal system whose states hold the exogenous terms ``u = (I - B) v``,
    its direction for a value moves that value and no other: it pushes the value and takes back what
    its children would owe to that.

    Parameters
    ----------
    states, scores
        As for `difference_of_means`.

    Returns
    -------
    pandas.DataFrame
        Values by width: change of the state per unit of each score.

    Raises
    ------
    ValueError
        If states and scores are not of the same roles, a score is missing, or there are too few
        roles to tell the values apart.
    """
    states = _matrix(states)
    _check_same_roles(states, scores)
    design = np.column_stack([np.ones(len(scores)), scores.to_numpy(dtype=float)])
    if not np.isfinite(design).all():
        raise ValueError("scores are missing for some roles; leave those roles out")
    if len(states) <= design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        raise ValueError(
            f"{len(states)} roles cannot tell {scores.shape[1]} values apart: give more roles, and "
            "scores of which none is fixed by the others (centred scores sum to zero)"
        )
    slopes = np.linalg.lstsq(design, states, rcond=None)[0][1:]
    return pd.DataFrame(slopes, index=list(scores.columns))


def random_directions(like: np.ndarray, n: int, *, seed: int) -> np.ndarray:
    """Draw directions at random that are as long as a given one: shape ``(n, width)``."""
    require_whole(n, 1, "n is")
    require_whole(seed, 0, "seed is")
    like = np.asarray(like, dtype=float)
    drawn = np.random.default_rng(seed).standard_normal((n, len(like)))
    return drawn * (np.linalg.norm(like) / np.linalg.norm(drawn, axis=1, keepdims=True))


def with_norm(vector: np.ndarray, norm: float) -> np.ndarray:
    """Stretch a direction to a length.

    Raises
    ------
    ValueError
        If the direction is zero.
    """
    length = np.linalg.norm(vector)
    if length == 0:
        raise ValueError("a direction of zeros has no length to stretch")
    return np.asarray(vector, dtype=float) * (norm / length)


def mean_norm(states: np.ndarray) -> float:
    """Mean length of states, shape ``(n, width)``: ``mean ||h||``."""
    return float(np.linalg.norm(_matrix(states), axis=1).mean())


def relative_dose(vector: np.ndarray, states: np.ndarray) -> float:
    """Length of a shift relative to the states that it is added to, ``||delta|| / mean ||h||``.

    Parameters
    ----------
    vector
        The shift, shape ``(width,)``.
    states
        States of the same layer at the tokens concerned, shape ``(n, width)``.

    Raises
    ------
    ValueError
        If the states are of another width.
    """
    vector, states = np.asarray(vector), _matrix(states)
    if vector.shape != states.shape[1:]:
        raise ValueError(
            f"the shift has shape {vector.shape}, but the states have width {states.shape[1]}"
        )
    return float(np.linalg.norm(vector) / mean_norm(states))


def shift_dose(
    respondent: Respondent,
    roles: Sequence[Role | None],
    shift: Shift,
    *,
    fmt: PromptFormat | None = None,
) -> float:
    """Measure the dose of a shift where it acts: ``||delta|| / mean ||h||``.

    The mean of the states' norms is taken over the roles at the tokens concerned, after the layer
    that is shifted and before it is (`valuegraph.asking.states.place_norms`).

    Parameters
    ----------
    respondent, roles, fmt
        As for `valuegraph.asking.states.site_states`.
    shift
        At any layer and place.

    Raises
    ------
    ValueError
        If the shift does not fit the respondent, or there are no roles.
    """
    from valuegraph.asking.states import place_norms

    if shift.vector.shape != (respondent.width,):
        raise ValueError(
            f"shift {shift.name!r} has {len(shift.vector)} coordinates, but the residual stream of "
            f"{respondent.name} has {respondent.width}"
        )
    norms = place_norms(respondent, roles, layer=shift.layer, where=shift.where, fmt=fmt)
    return float(np.linalg.norm(shift.vector) / norms.mean())


def direction_shift(
    direction: np.ndarray,
    made_of: str,
    *,
    layer: int,
    coefficient: float = 1.0,
    where: str = "site-end",
) -> Shift:
    """Return the intervention that adds a multiple of a direction.

    Parameters
    ----------
    direction
        Shape ``(width,)``.
    made_of
        How the direction was made, in words, such as ``"difference of means of AC"``.
    layer
        Whose output is shifted.
    coefficient
        Multiple of the direction, of either sign.
    where
        Which tokens are concerned; a key of `valuegraph.interventions.PLACES`.

    Returns
    -------
    Shift
        Named after `made_of`, and after all that is not the default. Its origin tells
        ``direction`` (`made_of`), ``coefficient``, ``layer`` and ``where``.
    """
    place = "" if where == "site-end" else f", {where}"
    origin = {
        "direction": made_of,
        "coefficient": float(coefficient),
        "layer": layer,
        "where": where,
    }
    name = f"{made_of} x {coefficient:g}, layer {layer}{place}"
    return Shift(name, layer, coefficient * np.asarray(direction), where, origin)


def _check_same_roles(states: np.ndarray, scores: pd.DataFrame) -> None:
    if len(states) != len(scores):
        raise ValueError(
            f"there are states of {len(states)} roles and scores of {len(scores)}; give both for "
            "the same roles in the same order"
        )


def _matrix(states: np.ndarray) -> np.ndarray:
    states = np.asarray(states)
    if states.ndim != 2 or not states.size or not np.isfinite(states).all():
        raise ValueError(f"states must be a finite matrix (n, width), got shape {states.shape}")
    return states
