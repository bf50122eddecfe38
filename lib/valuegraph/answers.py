"""The table of answers, and the scores made from it.

Answers are a tidy frame with one row per question put:

============  =====  =============================================================================
column        type   meaning
============  =====  =============================================================================
model         str    respondent
role          str    name of the role, `NO_ROLE` for the baseline
intervention  str    name of the intervention, `NO_INTERVENTION` for none
format        str    name of the prompt format
value         str    value the item is about
item          str    item
key           int    +1 if yes speaks for the value, -1 if it speaks against it
answer        int    +1 yes, -1 no, 0 unsure
log_odds      float  log-odds of yes against no where the answer begins; NaN if none was generated
mass          float  probability of yes and no together in that place; NaN likewise
============  =====  =============================================================================

Two more columns are there when they were asked for: ``prior`` (log-odds of yes to questions without
content, subtracted from ``log_odds``) and ``text`` (what was generated).
"""

from __future__ import annotations

import pandas as pd

from valuegraph.tables import require_columns

#: How tables name the cells in which nothing was shifted.
NO_INTERVENTION = "none"

COLUMNS = (
    "model",
    "role",
    "intervention",
    "format",
    "value",
    "item",
    "key",
    "answer",
    "log_odds",
    "mass",
)

#: An answer is read at low mass where yes and no together are less probable than this: the model
#: would more likely have said something else.
LOW_MASS = 0.5

#: What a score can be made from, and the unit it is then told in.
UNITS = {"log_odds": "log-odds", "answer": "share of yes less share of no"}


def score_answers(answers: pd.DataFrame, *, by: str = "log_odds") -> pd.DataFrame:
    """Score each value: the mean over its items, and over formats, of ``key * log_odds``.

    With as many items keyed positively as negatively, a liking for yes cancels.

    Parameters
    ----------
    answers
        Answers of one model.
    by
        ``"log_odds"``, or ``"answer"`` for the mean of ``key * answer``, which lies in [-1, 1] and
        counts an unsure answer as 0 (the score of Kang et al., 2025).

    Returns
    -------
    pandas.DataFrame
        Scores, one row per role in order of appearance and one column per value. When
        the answers hold several interventions, the index has the levels intervention and role.

    Raises
    ------
    ValueError
        If a column is missing, there are no answers or several models, `by` is neither of the two,
        or log-odds are missing where the score is made from them.
    """
    if by not in UNITS:
        raise ValueError(f"by is {by!r}; a score is made from {' or '.join(map(repr, UNITS))}")
    _check(answers, by)
    index = ["intervention", "role"] if answers["intervention"].nunique() > 1 else ["role"]
    keyed = answers.assign(score=answers["key"] * answers[by])
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
    _check(answers, "log_odds")
    if answers["key"].nunique() < 2:
        raise ValueError(
            f"all items are keyed {answers['key'].iloc[0]:+d}, so a liking for yes cannot be told "
            "from the values; use an inventory keyed both ways"
        )
    by_key = answers.groupby(["role", "value", "key"], sort=False)["log_odds"].mean()
    return by_key.groupby(["role", "key"], sort=False).mean().groupby("role", sort=False).mean()


def _check(answers: pd.DataFrame, column: str) -> None:
    require_columns(answers, COLUMNS, "answers")
    models = answers["model"].unique()
    if len(models) > 1:
        raise ValueError(f"answers of several models ({', '.join(models)}); score them one by one")
    if answers[column].isna().any():
        row = answers[answers[column].isna()].iloc[0]
        raise ValueError(
            f"{column} is missing, first for role {row['role']!r}, item {row['item']!r}; "
            "ask again, drop those answers, or score generated answers with by='answer'"
        )
