"""Choosing features by a stated rule: what is active, then what does most, and does it alone.

Activity says what a feature *reads*, not what it does; choosing by effect finds features that steer
two to three times as well (Arad, Mueller & Belinkov, 2025, EMNLP). Here activity proposes, effects
decide, and all candidates and their ranks are part of the result.
"""

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION, score_answers
from valuegraph.effects import changes
from valuegraph.interventions import Shift
from valuegraph.sae import feature_activity, feature_shift


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
    table = candidates.loc[candidates.index.repeat(len(values))].reset_index(drop=True)
    table["value"] = np.tile(values, len(candidates))
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
