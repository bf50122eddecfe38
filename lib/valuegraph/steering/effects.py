"""What interventions do to the values: mean changes, with intervals over roles.

Beside the mean change (`valuegraph.steering.changes`) stands in how many roles a value moved at
all, and how often it moves anyway: a value that follows every push says little about any one of
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.psychometrics.resampling import LEVEL, resampled_mean, role_weights
from valuegraph.steering.changes import changes_of_scores, scores_under

if TYPE_CHECKING:
    from valuegraph.asking.prompts import PromptFormat
    from valuegraph.interventions import Intervention
    from valuegraph.inventory import Inventory
    from valuegraph.models import Respondent
    from valuegraph.roles import Role

#: Changes of a score up to this size count as unchanged. Log-odds always move a little: a tenth of
#: a log-odds unit moves no probability by more than .025. Scores from answers move in steps.
TOLERANCES = {"log_odds": 0.1, "answer": 0.0}

#: Columns of a table of effects.
EFFECT_COLUMNS = (
    "intervention",
    "value",
    "effect",
    "low",
    "high",
    "up",
    "down",
    "unchanged",
    "base_rate",
    "n_roles",
)

# Scores are means of sums, whose rounding must not count as a change.
_ROUNDING = 1e-9


def effects(
    respondent: Respondent,
    inventory: Inventory,
    roles: Sequence[Role | None],
    interventions: Sequence[Intervention],
    *,
    by: str = "log_odds",
    tolerance: float | None = None,
    fmt: PromptFormat | None = None,
    mode: str = "logit",
    draws: int = 1000,
    level: float = LEVEL,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Ask with and without each intervention, and tell what it changes.

    Parameters
    ----------
    respondent, inventory, roles, fmt, mode, progress
        As for `valuegraph.elicitation.elicit`.
    interventions
        What is compared with no intervention.
    by, tolerance, draws, level, seed
        As for `effects_of`.

    Returns
    -------
    pandas.DataFrame
        The table of `effects_of`.
    """
    from valuegraph.elicitation import elicit

    answers = elicit(
        respondent,
        inventory,
        roles,
        interventions=[None, *interventions],
        fmt=fmt,
        mode=mode,
        progress=progress,
    )
    return effects_of(answers, by=by, tolerance=tolerance, draws=draws, level=level, seed=seed)


def effects_of(
    answers: pd.DataFrame,
    *,
    by: str = "log_odds",
    tolerance: float | None = None,
    draws: int = 1000,
    level: float = LEVEL,
    seed: int = 0,
) -> pd.DataFrame:
    """Tell from answers what each intervention changes.

    Parameters
    ----------
    answers
        Answers that hold the baseline `NO_INTERVENTION` and at least one intervention for the
        same roles.
    by
        What scores are made from, as for `valuegraph.answers.score_answers`.
    tolerance
        Changes up to this size count as unchanged; by default that of `TOLERANCES`.
    draws, level, seed
        As for `effects_of_scores`.

    Returns
    -------
    pandas.DataFrame
        The table of `effects_of_scores`, in the order of the answers.

    Raises
    ------
    ValueError
        As from `effects_of_scores`.
    """
    scores = scores_under(answers, by=by)
    tolerance = TOLERANCES[by] if tolerance is None else tolerance
    return effects_of_scores(scores, tolerance=tolerance, draws=draws, level=level, seed=seed)


def effects_of_scores(
    scores: pd.DataFrame,
    *,
    tolerance: float,
    draws: int = 1000,
    level: float = LEVEL,
    seed: int = 0,
) -> pd.DataFrame:
    """Tell from scores what each intervention changes.

    Parameters
    ----------
    scores
        Index ``(intervention, role)``, columns values, with rows of the baseline
        `NO_INTERVENTION` for the same roles.
    tolerance
        Changes up to this size count as unchanged, in the unit of the scores.
    draws
        Bootstrap resamples of the roles, the same for every intervention, which keeps comparisons
        between them sharp.
    level
        Coverage of the percentile intervals.
    seed
        Of the resamples.

    Returns
    -------
    pandas.DataFrame
        One row for each intervention and value, columns

        - ``intervention``, ``value``;
        - ``effect``: mean change over roles, in the unit of the scores; ``low``, ``high``: its
          interval;
        - ``up``, ``down``, ``unchanged``: shares of the roles, which sum to 1;
        - ``base_rate``: how often the value changes under the *other* interventions, the mean of
          their ``up + down``; NaN if there is no other. ``1 - unchanged - base_rate`` is how much
          more often this one changes it;
        - ``n_roles``.

    Raises
    ------
    ValueError
        If the baseline or an intervention is missing, a role was not asked under all of them,
        there are fewer than two roles, or an option makes no sense.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    if not tolerance >= 0:
        raise ValueError(f"tolerance must be 0 or more, got {tolerance}")
    changes = changes_of_scores(scores)
    stacked = np.stack([change.to_numpy() for change in changes.values()], axis=1)
    n_roles, n_interventions, n_values = stacked.shape  # (roles, interventions, values)
    if n_roles < 2:
        raise ValueError("an interval over roles needs at least 2 roles under the baseline")
    mean = stacked.mean(axis=0)
    resampled = resampled_mean(stacked, role_weights(n_roles, draws, seed=seed)[1:])
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    up = (stacked > tolerance + _ROUNDING).mean(axis=0)
    down = (stacked < -tolerance - _ROUNDING).mean(axis=0)
    moved = up + down
    others = np.full_like(moved, np.nan)
    if n_interventions > 1:
        others = (moved.sum(axis=0) - moved) / (n_interventions - 1)
    columns = (
        np.repeat(list(changes), n_values),
        np.tile(list(scores.columns), n_interventions),
        # Rounding may put the ends of a very short interval on one side of the mean.
        *(x.ravel() for x in (mean, np.minimum(low, mean), np.maximum(high, mean))),
        *(x.ravel() for x in (up, down, 1 - moved, others)),
        n_roles,
    )
    return pd.DataFrame(dict(zip(EFFECT_COLUMNS, columns, strict=True)))


def effect_matrix(effects: pd.DataFrame, column: str = "effect") -> pd.DataFrame:
    """Lay a table of effects out as interventions by values.

    Parameters
    ----------
    effects
        A table of `effects_of`.
    column
        What stands in the cells.

    Returns
    -------
    pandas.DataFrame
        Index ``intervention``, columns values, both in the order of the table.

    Raises
    ------
    ValueError
        If the column does not exist, or a cell is missing or there twice.
    """
    if column not in effects.columns:
        raise ValueError(f"no column {column!r}; there are {', '.join(effects.columns)}")
    if effects.duplicated(["intervention", "value"]).any():
        row = effects[effects.duplicated(["intervention", "value"])].iloc[0]
        raise ValueError(f"{row['intervention']!r} has several rows for {row['value']}")
    wide = effects.set_index(["intervention", "value"])[column].unstack("value")
    if len(effects) != wide.size:
        raise ValueError("some interventions lack the effect on some values")
    wide = wide.loc[effects["intervention"].unique(), effects["value"].unique()]
    return wide.rename_axis(columns=None)


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
