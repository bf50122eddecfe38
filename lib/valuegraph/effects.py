"""What interventions do to the values and what they cost, told from answers.

Every role is compared with itself without an intervention, and intervals are over roles, resampled
alike for all interventions, which keeps comparisons between them sharp.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION, score_answers
from valuegraph.resampling import intervals, resampled_mean, role_weights
from valuegraph.tables import require

#: Changes of a score up to this size count as unchanged. Log-odds always move a little: a tenth of
#: a log-odds unit moves no probability by more than .025. Scores from answers move in steps.
TOLERANCES = {"log_odds": 0.1, "answer": 0.0}

#: Changes against no intervention: of log-loss on neutral text and of the next word there, both in
#: nats per token; of the probability outside yes and no; and of the share of written answers that
#: say neither yes nor no.
COSTS = ("log_loss", "divergence", "outside", "unparsed")

_ROUNDING = 1e-9  # scores are means of sums, whose rounding must not count as a change


def changes(table: pd.DataFrame, *, by="log_odds", under=None) -> pd.DataFrame:
    """Change of every role's scores under every intervention.

    Parameters
    ----------
    table
        Answers, or scores with the index ``(intervention, role)``, under no intervention and at
        least one other for the same roles.
    by : str
        What answers are scored by, as for `valuegraph.score_answers`.
    under : sequence of str, optional
        Names of the interventions of interest, in this order; by default all there are.

    Returns
    -------
    pandas.DataFrame
        Index ``(intervention, role)`` without the baseline, columns values.
    """
    scores = score_answers(table, by=by) if "item" in table.columns else table
    names = list(scores.index.unique(0)) if scores.index.nlevels == 2 else []
    if NO_INTERVENTION not in names or len(names) < 2:
        there = ", ".join(map(str, names)) or "answers under one of them only"
        needed = f"the baseline {NO_INTERVENTION!r} and at least one intervention"
        raise ValueError(f"effects need {needed}; there are {there}")
    names = [n for n in names if n != NO_INTERVENTION] if under is None else list(under)
    complete = _complete(scores, [NO_INTERVENTION, *names])
    return complete.loc[names] - np.tile(complete.loc[NO_INTERVENTION], (len(names), 1))


def effects_of(
    table: pd.DataFrame, *, by="log_odds", tolerance=None, draws=1000, seed=0
) -> pd.DataFrame:
    """Tell what each intervention changes.

    Parameters
    ----------
    table, by
        As for `changes`; at least two roles.
    tolerance : float, optional
        Changes up to this size count as unchanged; by default that of `TOLERANCES`.
    draws, seed : int
        Bootstrap resamples of the roles.

    Returns
    -------
    pandas.DataFrame
        One row for each intervention and value, columns

        - ``intervention``, ``value``;
        - ``effect``: mean change over roles, in the unit of the scores; ``low``, ``high``: its
          interval;
        - ``up``, ``down``, ``unchanged``: shares of the roles, which sum to 1;
        - ``base_rate``: how often the value changes under the *other* interventions (mean of their
          ``up + down``; NaN without others);
        - ``n_roles``.
    """
    change = changes(table, by=by)
    tolerance = TOLERANCES[by] if tolerance is None else tolerance
    require(tolerance >= 0, f"tolerance must be 0 or more, got {tolerance}")
    mean, low, high = intervals(resampled(change, draws, seed))
    over = tolerance + _ROUNDING
    up = (change > over).groupby(level=0, sort=False).mean()
    down = (change < -over).groupby(level=0, sort=False).mean()
    moved = up + down
    # Rounding may put the ends of a very short interval on one side of the mean.
    figures = {"effect": mean, "low": np.minimum(low, mean), "high": np.maximum(high, mean)}
    figures |= {"up": up, "down": down, "unchanged": 1 - moved}
    figures["base_rate"] = (moved.sum() - moved) / (len(moved) - 1)
    index = pd.MultiIndex.from_product(moved.axes, names=["intervention", "value"])
    effects = pd.DataFrame({name: np.ravel(x) for name, x in figures.items()}, index)
    return effects.assign(n_roles=change.index.unique(1).size).reset_index()


def effect_matrix(effects: pd.DataFrame, column: str = "effect") -> pd.DataFrame:
    """Lay a column of a table of effects out as interventions by values, in their order."""
    wide = effects.pivot(index="intervention", columns="value", values=column)
    wide = wide.loc[effects["intervention"].unique(), effects["value"].unique()]
    return wide.rename_axis(columns=None)


def cosine(effect: Sequence[float], truth: Sequence[float]) -> float:
    """Cosine of two effects on the same values: 1 if they point the same way, -1 if opposed."""
    a, b = np.asarray(effect, dtype=float), np.asarray(truth, dtype=float)
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    if not 0 < norms < np.inf:
        raise ValueError("an effect has no direction if it is zero everywhere, missing or infinite")
    return float(a @ b / norms)


def costs(
    answers: pd.DataFrame, readings=None, written=None, *, draws=1000, seed=0
) -> pd.DataFrame:
    """Tell what interventions cost: harm to what has nothing to do with values.

    An organism was never taught to predict text: a push that makes it less sure of itself *lowers*
    its log-loss. The column ``reads`` tells whether log-loss and divergence tell of harm at all.

    Parameters
    ----------
    answers
        Answers in ``logit`` mode under no intervention and at least one other.
    readings : pandas.DataFrame, optional
        Table of `valuegraph.read_texts` of the same roles under the same interventions.
    written : pandas.DataFrame, optional
        Answers in ``generate`` mode of the same roles under no intervention and the same others; a
        few items do.
    draws, seed : int
        Bootstrap resamples of the roles.

    Returns
    -------
    pandas.DataFrame
        One row for each intervention: ``intervention``; for every cost of `COSTS` its mean over
        roles and the ends of its interval (``<cost>_low``, ``<cost>_high``), NaN where it was not
        measured; ``n_roles``; ``reads``, with readings: whether the respondent reads text better
        than by guessing.
    """
    parts = [changes(_means(answers.assign(outside=1 - answers["mass"]), ["outside"]))]
    if readings is not None:
        parts.append(_means(readings, ["log_loss", "divergence"]))
    if written is not None:
        parts.append(changes(_means(written.assign(unparsed=written["answer"] == 0), ["unparsed"])))
    names = parts[0].index.unique(0)
    table = _complete(pd.concat(parts, axis=1), names).reindex(columns=COSTS)
    made = with_ends(resampled(table, draws, seed), names, table.columns).reset_index()
    made["n_roles"] = table.index.unique(1).size
    return made if readings is None else made.assign(reads=bool(readings["reads"].all()))


def _means(table: pd.DataFrame, figures: list[str]) -> pd.DataFrame:
    """Return means of figures by intervention and role."""
    return table.groupby(["intervention", "role"], sort=False)[figures].mean()


def _complete(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return rows of all roles under each of some interventions, none of them missing."""
    cells = [names, table.index.unique(1)]
    table = table.reindex(pd.MultiIndex.from_product(cells, names=table.index.names))
    if table.isna().any(axis=None):
        name, role = table.index[table.isna().any(axis=1)][0]
        raise ValueError(f"{role!r} lacks answers or figures under {name!r}")
    return table


def resampled(change: pd.DataFrame, draws: int, seed: int) -> np.ndarray:
    """Return means over roles, then those of resamples of the roles.

    Parameters
    ----------
    change
        Index ``(intervention, role)``, as `changes` returns it.
    draws, seed
        Bootstrap resamples, the same for all interventions and columns.

    Returns
    -------
    numpy.ndarray
        Shape ``(1 + draws, interventions, columns)``.
    """
    names, roles = (change.index.unique(level) for level in (0, 1))
    require(len(roles) > 1 and draws > 0, f"need 2 roles and 1 draw, got {len(roles)} and {draws}")
    by_role = change.to_numpy().reshape(len(names), len(roles), -1).swapaxes(0, 1)
    return resampled_mean(by_role, role_weights(len(roles), draws, seed=seed))


def with_ends(drawn: np.ndarray, rows: pd.Index, columns: Sequence[str]) -> pd.DataFrame:
    """Lay figures out in a table with the ends of their intervals, ``<column>_low`` and ``_high``.

    Parameters
    ----------
    drawn
        Figures of all resamples, shape ``(1 + draws, rows, columns)``, the estimate first.
    rows, columns
        What they are of, and their names.
    """
    parts = zip(("", "_low", "_high"), intervals(drawn), strict=True)
    return pd.concat([pd.DataFrame(x, rows, columns).add_suffix(end) for end, x in parts], axis=1)
