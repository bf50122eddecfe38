"""What an intervention does to the values: mean changes with intervals over roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION, score_answers

if TYPE_CHECKING:
    from valuegraph.asking.prompts import PromptFormat
    from valuegraph.interventions import Shift
    from valuegraph.inventory import Inventory
    from valuegraph.models import Respondent
    from valuegraph.roles import Role


def steer(
    respondent: Respondent,
    inventory: Inventory,
    roles: Sequence[Role | None],
    shifts: Sequence[Shift],
    *,
    fmt: PromptFormat | None = None,
    draws: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Ask with and without each shift, and tell what it changes.

    Parameters
    ----------
    respondent, inventory, roles, fmt, progress
        As for `valuegraph.elicitation.elicit`.
    shifts
        Interventions at the site.
    draws, seed
        As for `effects_of`.

    Returns
    -------
    pandas.DataFrame
        The table of `effects_of`.
    """
    from valuegraph.elicitation import elicit

    answers = elicit(
        respondent, inventory, roles, interventions=[None, *shifts], fmt=fmt, progress=progress
    )
    return effects_of(answers, draws=draws, seed=seed)


def effects_of(
    answers: pd.DataFrame, *, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Mean change of every value under every intervention, with a bootstrap interval over roles.

    Parameters
    ----------
    answers
        Answers that hold the baseline `NO_INTERVENTION` and at least one intervention for the
        same roles.
    draws
        Bootstrap resamples of the roles.
    level
        Coverage of the percentile intervals.
    seed
        Of the resamples.

    Returns
    -------
    pandas.DataFrame
        Columns intervention, value, effect (log-odds, keyed), low, high, in the order of the
        answers.

    Raises
    ------
    ValueError
        If the baseline or an intervention is missing, a role was not asked under all of them,
        there are fewer than two roles, or `level` or `draws` makes no sense.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    changes = changes_of(answers)
    n_roles = len(next(iter(changes.values())))
    if n_roles < 2:
        raise ValueError("an interval over roles needs at least 2 roles under the baseline")
    rng = np.random.default_rng(seed)
    # The same resamples for every intervention keep comparisons between them sharp.
    picks = rng.integers(n_roles, size=(draws, n_roles))
    tail = (1 - level) / 2
    tables = []
    for name, change in changes.items():
        means = change.to_numpy()[picks].mean(axis=1)
        low, high = np.quantile(means, [tail, 1 - tail], axis=0)
        tables.append(
            pd.DataFrame(
                {
                    "intervention": name,
                    "value": change.columns,
                    "effect": change.mean().to_numpy(),
                    "low": low,
                    "high": high,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def changes_of(answers: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Change of every role's scores under every intervention.

    Parameters
    ----------
    answers
        Answers that hold the baseline `NO_INTERVENTION` and at least one intervention for the
        same roles.

    Returns
    -------
    dict of str to pandas.DataFrame
        By intervention, in the order of the answers: roles by values, in log-odds (keyed).

    Raises
    ------
    ValueError
        If the baseline or an intervention is missing, or a role was not asked under all of them.
    """
    scores = score_answers(answers)
    names = list(answers["intervention"].unique())
    if NO_INTERVENTION not in names or len(names) < 2:
        raise ValueError(
            f"effects need the baseline {NO_INTERVENTION!r} and an intervention; the answers hold "
            f"{', '.join(names)}"
        )
    changes = {}
    for name in names:
        if name == NO_INTERVENTION:
            continue
        change = scores.loc[name] - scores.loc[NO_INTERVENTION]
        if change.isna().any(axis=None):
            role = change.index[change.isna().any(axis=1)][0]
            raise ValueError(
                f"not every role was asked under both the baseline and {name!r}: "
                f"{role!r} lacks answers under one of them"
            )
        changes[name] = change
    return changes


def cosine(effect: Sequence[float], truth: Sequence[float]) -> float:
    """Cosine between a measured and a true effect.

    Parameters
    ----------
    effect, truth
        Changes of the same values in the same order, in any unit.

    Returns
    -------
    float
        1 if both point the same way, 0 if they have nothing in common, -1 if they are opposed.

    Raises
    ------
    ValueError
        If one of them is zero everywhere, so that it has no direction.
    """
    a, b = np.asarray(effect, dtype=float), np.asarray(truth, dtype=float)
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    if norms == 0:
        raise ValueError("an effect that is zero on every value has no direction")
    return float(a @ b / norms)
