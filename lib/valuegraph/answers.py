"""The table of answers, and the scores made from it.

Answers are a tidy frame with one row per question put:

============  =====  ==============================================================
column        type   meaning
============  =====  ==============================================================
model         str    respondent
role          str    name of the role, `NO_ROLE` for the baseline
intervention  str    name of the intervention, `NO_INTERVENTION` for none
value         str    value the item is about
item          str    item
key           int    +1 if yes speaks for the value, -1 if it speaks against it
log_odds      float  log-odds of yes against no
mass          float  probability of yes and no together
============  =====  ==============================================================
"""

from __future__ import annotations

import pandas as pd

from valuegraph.tables import require_columns

#: How tables name the cells in which nothing was shifted.
NO_INTERVENTION = "none"

COLUMNS = ("model", "role", "intervention", "value", "item", "key", "log_odds", "mass")


def score_answers(answers: pd.DataFrame) -> pd.DataFrame:
    """Score each value: the mean over its items of ``key * log_odds``.

    With as many items keyed positively as negatively, a liking for yes cancels.

    Parameters
    ----------
    answers
        Answers of one model.

    Returns
    -------
    pandas.DataFrame
        Scores in log-odds, one row per role in order of appearance and one column per value. When
        the answers hold several interventions, the index has the levels intervention and role.

    Raises
    ------
    ValueError
        If a column is missing, there are no answers or several models, or log-odds are missing.
    """
    _check(answers)
    index = ["intervention", "role"] if answers["intervention"].nunique() > 1 else ["role"]
    keyed = answers.assign(score=answers["key"] * answers["log_odds"])
    scores = keyed.groupby([*index, "value"], sort=False)["score"].mean().unstack("value")
    scores.columns.name = None
    return scores[list(answers["value"].unique())]


def yes_bias(answers: pd.DataFrame) -> pd.Series:
    """Liking for yes: mean log-odds of yes, positively and negatively keyed items weighing alike.

    Parameters
    ----------
    answers
        Answers of one model to items keyed both ways.

    Returns
    -------
    pandas.Series
        Log-odds by role, over all interventions in the answers.

    Raises
    ------
    ValueError
        As for `score_answers`, or if all items are keyed the same way, which confounds liking for
        yes with the values.
    """
    _check(answers)
    if answers["key"].nunique() < 2:
        raise ValueError(
            f"all items are keyed {answers['key'].iloc[0]:+d}, so a liking for yes cannot be told "
            "from the values; use an inventory keyed both ways"
        )
    by_key = answers.groupby(["role", "value", "key"], sort=False)["log_odds"].mean()
    return by_key.groupby(["role", "key"], sort=False).mean().groupby("role", sort=False).mean()


def _check(answers: pd.DataFrame) -> None:
    require_columns(answers, COLUMNS, "answers")
    models = answers["model"].unique()
    if len(models) > 1:
        raise ValueError(f"answers of several models ({', '.join(models)}); score them one by one")
    if answers["log_odds"].isna().any():
        row = answers[answers["log_odds"].isna()].iloc[0]
        raise ValueError(
            f"log_odds is missing, first for role {row['role']!r}, item {row['item']!r}; "
            "ask again or drop those answers"
        )
