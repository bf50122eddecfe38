"""Changes: each role's score under an intervention less the same role's score without it."""

from __future__ import annotations

import pandas as pd

from valuegraph.answers import NO_INTERVENTION, score_answers


def changes_of(answers: pd.DataFrame, *, by: str = "log_odds") -> dict[str, pd.DataFrame]:
    """Change of every role's scores under every intervention.

    Parameters
    ----------
    answers, by
        As for `valuegraph.answers.score_answers`; the answers hold the baseline `NO_INTERVENTION`
        and at least one intervention for the same roles.

    Returns
    -------
    dict of str to pandas.DataFrame
        As from `changes_of_scores`.
    """
    return changes_of_scores(scores_under(answers, by=by))


def changes_of_scores(scores: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Change of every role's scores under every intervention.

    Parameters
    ----------
    scores
        Index ``(intervention, role)``, columns values, with rows of the baseline
        `NO_INTERVENTION` for the same roles.

    Returns
    -------
    dict of str to pandas.DataFrame
        By intervention, in the order of the scores: roles by values, in the unit of the scores.

    Raises
    ------
    ValueError
        If the baseline or an intervention is missing, or a role was not asked under all of them.
    """
    names = list(scores.index.get_level_values(0).unique()) if scores.index.nlevels == 2 else []
    if NO_INTERVENTION not in names or len(names) < 2:
        raise ValueError(
            f"effects need the baseline {NO_INTERVENTION!r} and an intervention; there are "
            f"answers under {', '.join(map(str, names)) or 'one of them only'}"
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


def scores_under(answers: pd.DataFrame, *, by: str = "log_odds") -> pd.DataFrame:
    """Score answers by intervention and role.

    Parameters
    ----------
    answers, by
        As for `valuegraph.answers.score_answers`.

    Returns
    -------
    pandas.DataFrame
        Index ``(intervention, role)``, even if there is one intervention only; columns values.
    """
    scores = score_answers(answers, by=by)
    if scores.index.nlevels == 1:
        scores = pd.concat({answers["intervention"].iloc[0]: scores}, names=["intervention"])
    return scores
