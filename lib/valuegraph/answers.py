"""The table of answers, the scores made from it, and whether it is fit to draw a graph from.

Answers have one row per role, intervention, format and item:

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

Two more columns are optional: ``prior`` (log-odds of yes to questions without content, subtracted
from ``log_odds``) and ``text`` (what was generated).
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from valuegraph.tables import require, require_columns, require_known

#: How tables name cells without an intervention.
NO_INTERVENTION = "none"

COLUMNS = tuple("model role intervention format value item key answer log_odds mass".split())

#: An answer has low mass where the model would rather answer something else than yes or no.
LOW_MASS = 0.5

#: With fewer roles, a correlation of .7 with the liking for yes may well be chance.
FEW_ROLES = 20

#: What scores are made from, and their unit.
UNITS = {"log_odds": "log-odds", "answer": "share of yes less share of no"}

# Rule, threshold and meaning of a failure. For comparison: organisms give .61, 1.4, 1.2, 0, 0 and
# .2 to .56, models with random weights .83 to 1, .04 to .43, .004 to .11, 1, 0 and .3 to .62. A
# model that says no to everything gave .83 in the last; from .7 on, half of a
# score's variance goes with the liking for yes.
_CHECKS = {
    "same_answer": ("at most", 0.95, "nearly everything gets the same answer"),
    "item_spread": ("at least", 0.5, "questions hardly move the answers"),
    "role_spread": ("at least", 0.2, "roles hardly move the scores"),
    "low_mass": ("at most", 0.25, "what is read is not what the model would say; generate answers"),
    "unsure": ("at most", 0.25, "neither yes nor no; log-odds show more, or longer answers"),
    "yes_confound": ("at most", 0.7, "scores show the liking for yes; score them without_yes=True"),
}
_OF_ANSWERS = {"item_spread": 0.0, "role_spread": 0.05}  # thresholds of scores made by answer


def score_answers(
    answers: pd.DataFrame, *, by: str = "log_odds", without_yes: bool = False
) -> pd.DataFrame:
    """Score each value: the mean over its items, and over formats, of ``key * log_odds``.

    With as many items keyed positively as negatively, a liking for yes cancels, so long as it adds
    as much to either kind of items.

    Parameters
    ----------
    answers : pandas.DataFrame
        Answers of one model.
    by : str
        ``"log_odds"``, or ``"answer"`` for the mean of ``key * answer``, which lies in [-1, 1] and
        counts an unsure answer as 0 (the score of Kang et al., 2025).
    without_yes : bool
        Take out what goes with the liking for yes over the roles of an intervention: the residual
        of a regression on it, and the mean. If a value makes roles say yes, that goes, too.

    Returns
    -------
    pandas.DataFrame
        Roles by values, in order of appearance. With several interventions the index has the
        names intervention and role.
    """
    check_answers(answers, by)
    index = ["intervention", "role"] if answers["intervention"].nunique() > 1 else ["role"]
    keyed = answers.assign(score=answers["key"] * answers[by])
    scores = keyed.groupby([*index, "value"], sort=False)["score"].mean().unstack("value")
    scores = scores[list(answers["value"].unique())].rename_axis(columns=None)
    if not without_yes:
        return scores
    # Within interventions, so that what they do to a score stays.
    groups = scores.index.get_level_values(0) if len(index) > 1 else np.zeros(len(scores))
    yes = _liking(answers, by, index)
    yes = yes - yes.groupby(groups).transform("mean")
    slopes = (scores.mul(yes, axis=0).sum() / (yes**2).sum()).fillna(0.0)  # it may not vary
    return scores - pd.DataFrame(np.outer(yes, slopes), scores.index, scores.columns)


def yes_bias(answers: pd.DataFrame, *, by: str = "log_odds") -> pd.Series:
    """Liking for yes: mean log-odds of yes, positively and negatively keyed items weighing alike.

    Parameters
    ----------
    answers : pandas.DataFrame
        Answers of one model.
    by : str
        ``"log_odds"``, or ``"answer"`` for the share of yes less the share of no.

    Returns
    -------
    pandas.Series
        By role, over all interventions in the answers.
    """
    return _liking(answers, by, ["role"])


def _liking(answers: pd.DataFrame, by: str, index: list[str]) -> pd.Series:
    """Average yes over values, then over the two keys."""
    check_answers(answers, by)
    if answers["key"].nunique() < 2:
        raise ValueError("items keyed one way confound a liking for yes with the values.")
    means = answers.groupby([*index, "value", "key"], sort=False)[by].mean()
    for left in ([*index, "key"], index):
        means = means.groupby(left, sort=False).mean()
    return means


class SpreadVerdict(SimpleNamespace):
    """Whether answers are fit to draw a graph from, each figure beside its threshold.

    Attributes
    ----------
    title : str
        Who answered what.
    checks : pandas.DataFrame
        One row per check: ``figure`` (NaN where these answers cannot show it), ``rule`` (``"at
        most"`` or ``"at least"``), ``threshold``, ``meaning`` (of a failure), ``passed``.
    failed : tuple of str
        Names of the checks that failed.
    """

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    def __repr__(self) -> str:
        table = self.checks.drop(columns="meaning").to_string(float_format="{:.3g}".format)
        return f"{self.title}: {'passed' if self.passed else 'failed'}\n\n{table}"


def check_spread(answers: pd.DataFrame, *, by="log_odds", thresholds=None) -> SpreadVerdict:
    """Check whether answers vary over items and roles, and are answers at all.

    Whoever answers everything alike looks reliable, and rounding then decides about edges.

    Parameters
    ----------
    answers : pandas.DataFrame
        Answers of one model under one intervention.
    by : str
        What scores will be made from, ``"log_odds"`` or ``"answer"``.
    thresholds : dict, optional
        Other thresholds, by name of the check: ``same_answer`` (share of a role's commonest answer,
        mean over roles), ``item_spread`` (standard deviation of a role's log-odds over items, mean
        over roles and formats), ``role_spread`` (least standard deviation of a value's score over
        roles), ``low_mass`` and ``unsure`` (shares of answers), ``yes_confound`` (largest absolute
        correlation of a value's score with `yes_bias` over roles; not known of fewer than 20).
    """
    check_answers(answers, by, single=("model", "intervention"))
    thresholds = {**(_OF_ANSWERS if by == "answer" else {}), **(thresholds or {})}
    if not set(thresholds) <= set(_CHECKS) or not all(map(np.isfinite, thresholds.values())):
        raise ValueError(f"thresholds are {thresholds}; known are {', '.join(_CHECKS)}.")
    scores = score_answers(answers, by=by)
    spread = scores.std().where(scores.std() > 1e-9 * scores.abs().max(), 0.0)  # no rounding
    told = len(scores) >= FEW_ROLES and answers["key"].nunique() == 2
    confound = scores.corrwith(yes_bias(answers, by=by)).abs().max() if told else np.nan
    kinds = answers.groupby("role")["answer"].value_counts(normalize=True)
    figures = {
        "same_answer": kinds.groupby("role").max().mean(),
        "item_spread": answers.groupby(["role", "format"])["log_odds"].std().mean(),
        "role_spread": spread.min(),
        "low_mass": (answers["mass"].dropna() < LOW_MASS).mean(),
        "unsure": (answers["answer"] == 0).mean(),
        "yes_confound": confound,
    }
    checks = pd.DataFrame(_CHECKS, index=["rule", "threshold", "meaning"]).T
    checks["threshold"] = [thresholds.get(name, rule[1]) for name, rule in _CHECKS.items()]
    flat = spread.index[spread < checks.loc["role_spread", "threshold"]]
    checks.loc["role_spread", "meaning"] += f" of {', '.join(flat)}"
    checks.insert(0, "figure", pd.Series(figures))
    sign = checks["rule"].map({"at most": 1, "at least": -1})  # what is not known does not fail
    checks["passed"] = ~(sign * (checks["figure"] - checks["threshold"]) > 0)
    title = f"Spread of the answers of {answers['model'].iloc[0]}, {len(scores)} roles, by {by}"
    return SpreadVerdict(title=title, checks=checks, failed=tuple(checks.index[~checks["passed"]]))


def require_spread(answers: pd.DataFrame, *, by="log_odds", thresholds=None) -> pd.DataFrame:
    """Return answers, or refuse those from which no graph should be drawn (see `check_spread`)."""
    verdict = check_spread(answers, by=by, thresholds=thresholds)
    if verdict.passed:
        return answers
    failed = verdict.checks.loc[list(verdict.failed)].itertuples()
    told = (f"{c.Index} {c.figure:.3g}, not {c.rule} {c.threshold:g} ({c.meaning})" for c in failed)
    unfit = f"no graph should be drawn from these answers of {answers['model'].iloc[0]}"
    raise ValueError(f"{unfit}: {'; '.join(told)}. Vary the roles, or set thresholds={{...}}.")


def check_answers(answers: pd.DataFrame, by: str, *, single=("model",)) -> None:
    """Refuse answers without what `by` names, or of several models (or others of `single`)."""
    require_columns(answers, COLUMNS, "answers")
    require_known(by, UNITS, "by")
    for column in single:
        require(answers[column].nunique() < 2, f"answers of several {column}s; take one at a time.")
    keys = set(answers["key"].unique().tolist())
    require(keys <= {1, -1}, f"keys are {keys}; use 1 and -1.")
    odd = ~(np.abs(answers[by].to_numpy(dtype=float)) < 1e9)  # NaN is odd, too
    if odd.any():
        cell = dict(answers.loc[odd, ["role", "item"]].iloc[0])
        raise ValueError(f"{by} is missing or infinite for {cell}; if generated: by='answer'.")
    cells = ["model", "format", "role", "intervention", "item"]
    if len(twice := answers[answers.duplicated(cells)]):
        raise ValueError(f"answered twice: {dict(twice[cells].iloc[0])}; give each answer once.")
