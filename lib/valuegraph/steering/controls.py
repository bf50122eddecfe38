"""Controls: what else would have done the same as a feature.

Beside a feature's effect stand four others, each with its costs:

- *random* directions of the same length: what any push does;
- the *same vector at other layers*: whether the place matters;
- a *difference of means* of the same length (`valuegraph.steering.directions`): whether the
  autoencoder was needed;
- the *stance* whose effect on the target is nearest: whether anything but words was needed.

The last two are picked by what they do to the target, of two signs and of all levels, so that
collateral and costs are read at about equal effect; how equal it is stands in the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.interventions import Intervention, Shift
from valuegraph.psychometrics.resampling import (
    LEVEL,
    ratio,
    resampled_mean,
    role_weights,
    with_interval,
)
from valuegraph.rolebank import RoleBank
from valuegraph.steering.changes import changes_of
from valuegraph.steering.costs import ask_with_and_without, costs
from valuegraph.steering.directions import random_directions, relative_dose, with_norm
from valuegraph.steering.prompts import stances

if TYPE_CHECKING:
    from valuegraph.asking.prompts import PromptFormat
    from valuegraph.inventory import Inventory
    from valuegraph.models import Respondent
    from valuegraph.roles import Role

#: Kinds of controls, and of what they are controls, in the order of the table.
KINDS = ("feature", "random", "other layer", "difference of means", "stance")


def control_shifts(
    shift: Shift,
    *,
    n_random: int = 5,
    layers: Sequence[int] = (),
    difference: np.ndarray | None = None,
    seed: int = 0,
) -> list[Shift]:
    """Make the controls of a shift that are shifts, all as long as it is and at the same place.

    Parameters
    ----------
    shift
        The feature's.
    n_random
        Number of random directions.
    layers
        Other layers at which the same vector is added.
    difference
        A difference of means, shape ``(width,)``, of any length; it is added with both signs.
    seed
        Of the random directions.

    Returns
    -------
    list of Shift
        Their origin tells the kind (one of `KINDS`) as ``control``.

    Raises
    ------
    ValueError
        If the shift is zero, or one of the layers is its own.
    """
    if not shift.vector.any():
        raise ValueError(f"shift {shift.name!r} is zero, so that nothing can be compared with it")
    if shift.layer in layers:
        raise ValueError(f"layer {shift.layer} is the shift's own; give other layers")

    def control(kind: str, name: str, **changes: object) -> Shift:
        return replace(shift, name=name, origin={"control": kind}, **changes)

    made = []
    if n_random:
        drawn = random_directions(shift.vector, n_random, seed=seed)
        made += [control("random", f"random {i + 1}", vector=v) for i, v in enumerate(drawn)]
    made += [control("other layer", f"layer {layer}", layer=layer) for layer in layers]
    if difference is not None:
        same = with_norm(difference, float(np.linalg.norm(shift.vector)))
        for word, sign in (("difference of means", 1), ("difference of means, away", -1)):
            made.append(control("difference of means", word, vector=sign * same))
    return made


def compare_controls(
    respondent: Respondent,
    inventory: Inventory,
    roles: Sequence[Role | None],
    shift: Shift,
    value: str,
    *,
    bank: RoleBank,
    difference: np.ndarray | None = None,
    layers: Sequence[int] | None = None,
    n_random: int = 5,
    truth: Mapping[str, float] | None = None,
    texts: Sequence[str] | None = None,
    written: int = 0,
    fmt: PromptFormat | None = None,
    draws: int = 1000,
    level: float = LEVEL,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Put a feature's effect beside those of its controls.

    Parameters
    ----------
    respondent, inventory, roles, fmt, progress
        As for `valuegraph.elicitation.elicit`. Neither feature nor difference of means should have
        been made or chosen on these roles.
    shift
        The feature's.
    value
        The target.
    bank
        Gives the stances.
    difference
        A difference of means for the target; without it that control is left out.
    layers
        Other layers; by default the one below and the one above.
    n_random
        Number of random directions.
    truth
        True effect of a push of the target by value, up to a factor, where it is known.
    texts, written
        How costs are measured; see `valuegraph.steering.costs.costs`.
    draws, level, seed
        Bootstrap resamples of the roles, coverage and seed of the percentile intervals; the seed is
        also that of the random directions.

    Returns
    -------
    pandas.DataFrame
        One row for each intervention, in the order of `KINDS`: ``intervention``, ``kind``,
        ``layer``, ``dose`` (`relative_dose` at the site's last token of its layer; NaN for words),
        and with intervals (``<name>_low``, ``<name>_high``)

        - ``target``: mean change of the target, in log-odds;
        - ``collateral``: mean absolute value of the mean changes of the other values, in log-odds.
          Noise adds to it, so that it is never quite 0;
        - ``cosine`` of the mean changes of all values with `truth`, turned the way in which the
          feature moves the target; NaN without truth;
        - the costs of `valuegraph.steering.costs.COSTS`.

    Raises
    ------
    ValueError
        If the value is unknown, or as from `control_shifts`.
    """
    from valuegraph.asking.states import site_states

    if value not in inventory.codes:
        raise ValueError(f"no value {value!r}; known are {', '.join(inventory.codes)}")
    if layers is None:
        around = (shift.layer - 1, shift.layer + 1)
        layers = [k for k in around if 0 <= k < respondent.n_layers]
    made = control_shifts(shift, n_random=n_random, layers=layers, difference=difference, seed=seed)
    words = stances(inventory, bank, values=[value])
    tried: list[Intervention] = [shift, *made, *words]
    kinds = ["feature", *(s.origin["control"] for s in made), *["stance"] * len(words)]
    answers = ask_with_and_without(respondent, inventory, roles, tried, fmt=fmt, progress=progress)
    changes = changes_of(answers)
    effects = np.array([changes[one.name][value].mean() for one in tried])
    chosen = _nearest(kinds, effects)
    kept = [tried[i] for i in chosen]
    asked = answers["intervention"].isin([one.name for one in tried if one not in kept])
    options = {"draws": draws, "level": level, "seed": seed}
    told = costs(
        respondent,
        inventory,
        roles,
        kept,
        answers=answers[~asked],
        texts=texts,
        written=written,
        fmt=fmt,
        progress=progress,
        **options,
    )
    figures = _figures({one.name: changes[one.name] for one in kept}, value, truth, **options)
    states = {
        layer: site_states(respondent, roles, layer=layer, fmt=fmt)
        for layer in {one.layer for one in kept if isinstance(one, Shift)}
    }
    places = pd.DataFrame(
        {
            "intervention": [one.name for one in kept],
            "kind": [kinds[i] for i in chosen],
            "layer": [one.layer if isinstance(one, Shift) else pd.NA for one in kept],
            "dose": [
                relative_dose(one.vector, states[one.layer]) if isinstance(one, Shift) else np.nan
                for one in kept
            ],
        }
    ).astype({"layer": "Int64"})
    return places.merge(figures, on="intervention").merge(told, on="intervention")


def _nearest(kinds: Sequence[str], effects: np.ndarray) -> list[int]:
    """Keep all, but of differences of means and stances the one nearest to the first effect."""
    chosen = []
    for kind in KINDS:
        of_kind = [i for i, k in enumerate(kinds) if k == kind]
        if kind in ("difference of means", "stance") and of_kind:
            of_kind = [min(of_kind, key=lambda i: abs(effects[i] - effects[0]))]
        chosen += of_kind
    return chosen


def _figures(
    changes: Mapping[str, pd.DataFrame],
    value: str,
    truth: Mapping[str, float] | None,
    *,
    draws: int,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """Target, collateral and cosine of each, the feature first, with intervals over roles."""
    values = list(next(iter(changes.values())).columns)
    at = values.index(value)
    stacked = np.stack([change.to_numpy() for change in changes.values()], axis=1)
    means = resampled_mean(stacked, role_weights(len(stacked), draws, seed=seed))
    collateral = np.abs(np.delete(means, at, axis=2)).mean(axis=2)
    cosines = np.full(collateral.shape, np.nan)
    if truth is not None:
        way = np.sign(means[0, 0, at])
        true = way * np.array([truth[v] for v in values], dtype=float)
        cosines = ratio(means @ true, np.linalg.norm(means, axis=2) * np.linalg.norm(true))
    rows = []
    for i, name in enumerate(changes):
        row = {"intervention": name}
        for figure, found in (
            ("target", means[:, i, at]),
            ("collateral", collateral[:, i]),
            ("cosine", cosines[:, i]),
        ):
            row |= with_interval(figure, found, level=level)
        rows.append(row)
    return pd.DataFrame(rows)
