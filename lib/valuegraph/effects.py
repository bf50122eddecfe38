"""What interventions do to the values and what they cost, told from answers.

Every role is compared with itself without an intervention, and intervals are over roles, resampled
alike for all interventions, which keeps comparisons between them sharp.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION, score_answers
from valuegraph.resampling import intervals, resampled_mean, role_weights

#: Changes of a score up to this size count as unchanged. Log-odds always move a little: a tenth of
#: a log-odds unit moves no probability by more than .025. Scores from answers move in steps.
TOLERANCES = {"log_odds": 0.1, "answer": 0.0}

#: Costs, and what each is; all are changes against no intervention.
COSTS = {
    "log_loss": "change of log-loss on neutral text, nats per token",
    "divergence": "divergence of the next word on neutral text, nats per token",
    "outside": "change of the probability outside yes and no",
    "unparsed": "change of the share of written answers that say neither yes nor no",
}

_ROUNDING = 1e-9  # scores are means of sums, whose rounding must not count as a change


def changes(table: pd.DataFrame, *, by: str = "log_odds") -> pd.DataFrame:
    """Change of every role's scores under every intervention.

    Parameters
    ----------
    table
        Answers, or scores with the index ``(intervention, role)``, under no intervention and at
        least one other for the same roles.
    by
        What answers are scored by, as for `valuegraph.score_answers`.

    Returns
    -------
    pandas.DataFrame
        Index ``(intervention, role)`` without the baseline, columns values.
    """
    scores = score_answers(table, by=by) if "item" in table.columns else table
    names = list(scores.index.unique(0)) if scores.index.nlevels == 2 else []
    if NO_INTERVENTION not in names or len(names) < 2:
        raise ValueError(
            f"effects need the baseline {NO_INTERVENTION!r} and at least one intervention; there "
            f"are {', '.join(map(str, names)) or 'answers under one of them only'}"
        )
    names.remove(NO_INTERVENTION)
    cells = pd.MultiIndex.from_product([names, scores.index.unique(1)], names=scores.index.names)
    start = scores.loc[NO_INTERVENTION].reindex(scores.index.unique(1))
    change = scores.reindex(cells) - np.tile(start, (len(names), 1))
    if change.isna().any(axis=None):
        name, role = change.index[change.isna().any(axis=1)][0]
        raise ValueError(f"{role!r} lacks answers under the baseline or under {name!r}")
    return change


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
    if not tolerance >= 0:
        raise ValueError(f"tolerance must be 0 or more, got {tolerance}")
    cube = _by_role(change)
    mean, low, high = intervals(_resampled(cube, draws, seed))
    up = (cube > tolerance + _ROUNDING).mean(axis=0)
    down = (cube < -tolerance - _ROUNDING).mean(axis=0)
    moved = up + down
    n_others = len(moved) - 1
    others = (moved.sum(axis=0) - moved) / n_others if n_others else np.full_like(moved, np.nan)
    # Rounding may put the ends of a very short interval on one side of the mean.
    figures = {"effect": mean, "low": np.minimum(low, mean), "high": np.maximum(high, mean)}
    figures |= {"up": up, "down": down, "unchanged": 1 - moved, "base_rate": others}
    cells = [change.index.unique(0), change.columns]
    index = pd.MultiIndex.from_product(cells, names=["intervention", "value"])
    effects = pd.DataFrame({name: x.ravel() for name, x in figures.items()}, index)
    return effects.assign(n_roles=len(cube)).reset_index()


def effect_matrix(effects: pd.DataFrame, column: str = "effect") -> pd.DataFrame:
    """Lay a column of a table of effects out as interventions by values, in their order."""
    if column not in effects.columns:
        raise ValueError(f"no column {column!r}; there are {', '.join(effects.columns)}")
    cells = effects.set_index(["intervention", "value"])[column]
    names, values = (cells.index.unique(level) for level in cells.index.names)
    if not cells.index.is_unique or len(cells) < len(names) * len(values):
        raise ValueError("each intervention needs its effect on each value once")
    return cells.unstack("value").loc[names, values].rename_axis(columns=None)


def cosine(effect: Sequence[float], truth: Sequence[float]) -> float:
    """Cosine of two effects on the same values: 1 if they point the same way, -1 if opposed."""
    a, b = np.asarray(effect, dtype=float), np.asarray(truth, dtype=float)
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    if norms == 0:
        raise ValueError("an effect that is zero on every value has no direction")
    return float(a @ b / norms)


def target_and_collateral(
    table: pd.DataFrame, targets, *, truth=None, by="log_odds", draws=1000, seed=0
) -> pd.DataFrame:
    """Tell what interventions do to their target, to all other values, and whether as they should.

    Parameters
    ----------
    table, by
        As for `changes`.
    targets : str or dict
        The target of all interventions, or of each by its name; others are left out.
    truth : mapping or pandas.DataFrame, optional
        What an intervention should change, up to a positive factor, by value; or a frame with a row
        for each target, such as total effects ``[cause, effect]``.
    draws, seed : int
        Bootstrap resamples of the roles.

    Returns
    -------
    pandas.DataFrame
        One row for each intervention: ``intervention``, ``value`` (its target), and each with the
        ends of its interval (``<name>_low``, ``<name>_high``)

        - ``target``: mean change of the target, in the unit of the scores;
        - ``collateral``: mean absolute value of the mean changes of the other values. Noise adds to
          it, so that it is never quite 0;
        - ``cosine`` of the mean changes of all values with the truth; NaN without a truth or if
          nothing changed.
    """
    change = changes(table, by=by)
    if isinstance(targets, str):
        targets = dict.fromkeys(change.index.unique(0), targets)
    values, known = list(change.columns), change.index.unique(0)
    for name, value in targets.items():
        if name not in known or value not in values:
            raise ValueError(f"no {value!r} under {name!r}; values are {', '.join(values)}")
    means = _resampled(_by_role(change.loc[list(targets)]), draws, seed)
    aimed = np.array([[value == v for v in values] for value in targets.values()])
    target = means[:, aimed]  # (resamples, interventions)
    should = np.full(aimed.shape, np.nan)
    if truth is not None:
        rows = [
            truth.loc[v] if isinstance(truth, pd.DataFrame) else truth for v in targets.values()
        ]
        should = np.array([[row[v] for v in values] for row in rows], dtype=float)
    lengths = np.linalg.norm(means, axis=2) * np.linalg.norm(should, axis=1)
    made = pd.DataFrame({"intervention": list(targets), "value": list(targets.values())})
    for name, figure in {
        "target": target,
        "collateral": np.abs(means * ~aimed).sum(axis=2) / (len(values) - 1),
        "cosine": (means * should).sum(axis=2) / np.where(lengths == 0, np.nan, lengths),
    }.items():
        made[name], made[f"{name}_low"], made[f"{name}_high"] = intervals(figure)
    return made


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
        Table of `valuegraph.read_texts` under the same interventions.
    written : pandas.DataFrame, optional
        Answers in ``generate`` mode under no intervention and the same others; a few items do.
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
    tables = {"outside": _changes_by_role(answers, 1 - answers["mass"])}
    if readings is not None:
        tables |= {
            name: _by_intervention(readings, readings[name]) for name in COSTS if name in readings
        }
    if written is not None:
        tables["unparsed"] = _changes_by_role(written, written["answer"] == 0)
    made = pd.DataFrame({"intervention": tables["outside"].columns})
    for cost in COSTS:
        by_role = tables.get(cost, tables["outside"] * np.nan).reindex(columns=made["intervention"])
        figures = intervals(_resampled(by_role.to_numpy(), draws, seed))
        made[cost], made[f"{cost}_low"], made[f"{cost}_high"] = figures
    made["n_roles"] = len(tables["outside"])
    return made if readings is None else made.assign(reads=bool(readings["reads"].all()))


def _by_role(change: pd.DataFrame) -> np.ndarray:
    """Return changes as an array ``(roles, interventions, values)``."""
    return (
        change.to_numpy().reshape(change.index.unique(0).size, -1, change.shape[1]).swapaxes(0, 1)
    )


def _resampled(by_role: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Return means over roles, then those of resamples, ``(1 + draws, ...)``."""
    if len(by_role) < 2 or draws < 1:
        raise ValueError(f"intervals need 2 roles and 1 draw, got {len(by_role)} and {draws}")
    return resampled_mean(by_role, role_weights(len(by_role), draws, seed=seed))


def _by_intervention(table: pd.DataFrame, figures: pd.Series) -> pd.DataFrame:
    """Return means of figures, roles by interventions."""
    means = figures.astype(float).groupby([table["role"], table["intervention"]], sort=False).mean()
    means = means.unstack("intervention")[table["intervention"].unique()]
    if means.isna().any(axis=None):
        role = means.index[means.isna().any(axis=1)][0]
        raise ValueError(f"{role!r} lacks an intervention, or a figure under one")
    return means


def _changes_by_role(table: pd.DataFrame, figures: pd.Series) -> pd.DataFrame:
    """Return changes of means against no intervention, roles by interventions."""
    means = _by_intervention(table, figures)
    if NO_INTERVENTION not in means:
        raise ValueError(f"costs need answers under {NO_INTERVENTION!r}; there are none")
    return means.drop(columns=NO_INTERVENTION).sub(means[NO_INTERVENTION], axis=0)
