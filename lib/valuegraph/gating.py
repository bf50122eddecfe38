"""Whether answers are fit to draw a graph from: a gate with preset thresholds.

A respondent that answers everything alike looks reliable, and rounding noise or a handful of odd
answers then decides about edges. So answers are looked at before they become a graph::

    scores = score_answers(require_spread(answers))

`valuegraph.discovery.discover` looks once more, at what scores alone can show.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from valuegraph.answers import LOW_MASS, UNITS
from valuegraph.checks import SMALLEST_SPREAD
from valuegraph.psychometrics.grid import AnswerGrid, answer_grid


@dataclass(frozen=True)
class SpreadThresholds:
    """What answers must keep to; to let a respondent pass all the same, give other ones.

    Measured for comparison, in the order of the attributes: the shipped organisms give .61, 1.4,
    1.2, .77, 0 and 0; three small models with random weights .83 to 1.00, .04 to .43, .004 to .11,
    0 to .20, 1 and 0.

    Attributes
    ----------
    same_answer
        At most this share of a role's answers may be its commonest answer (mean over roles). One
        language model is on record with the same answer to 99 % of 520 items.
    item_spread
        At least this must be the standard deviation of a role's log-odds over items (mean over
        roles and formats).
    role_spread
        At least this must be the standard deviation of every value's score over roles, for scores
        made from log-odds.
    role_spread_of_answers
        The same for scores made from answers, which lie in [-1, 1]. In the scores that Kang et al.
        (2025) recorded of Gemma-2B and Llama-3-8B, the least was .16.
    low_mass
        At most this share of answers may be read where yes and no together are less probable than
        `valuegraph.answers.LOW_MASS`.
    unsure
        At most this share of answers may be unsure: they count as 0, and draw scores together.
    """

    same_answer: float = 0.95
    item_spread: float = 0.5
    role_spread: float = 0.2
    role_spread_of_answers: float = SMALLEST_SPREAD
    low_mass: float = 0.25
    unsure: float = 0.25

    def __post_init__(self) -> None:
        for field in fields(self):
            threshold = getattr(self, field.name)
            if not threshold >= 0:
                raise ValueError(f"threshold {field.name} must be 0 or more, got {threshold!r}")


@dataclass(frozen=True, eq=False, repr=False)
class SpreadVerdict:
    """Whether answers are fit to draw a graph from, each figure beside its threshold.

    Attributes
    ----------
    model
        Who answered.
    by
        What scores are made from, ``"log_odds"`` or ``"answer"``.
    n_roles, n_items
        How many there are.
    checks
        One row per check: ``figure``, ``rule`` (``"at most"`` or ``"at least"``), ``threshold``,
        ``unit``, and ``passed``: True, False, or None where these answers cannot tell.
    role_spread
        Standard deviation of each value's score over roles.
    """

    model: str
    by: str
    n_roles: int
    n_items: int
    checks: pd.DataFrame
    role_spread: pd.Series

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that failed."""
        return tuple(self.checks.index[[passed is False for passed in self.checks["passed"]]])

    def __repr__(self) -> str:
        table = self._table().rename_axis(index=None).to_string()
        return f"{self._title()}\n\n{table}"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(self._title())}</p>\n{self._table().to_html(border=0)}"

    def _title(self) -> str:
        verdict = "passed" if self.passed else f"failed ({', '.join(self.failed)})"
        return (
            f"Spread of the answers of {self.model}: {verdict}; {self.n_roles} roles, "
            f"{self.n_items} items, scores by {self.by}"
        )

    def _table(self) -> pd.DataFrame:
        words = {True: "passed", False: "FAILED", None: "not told"}
        return pd.DataFrame(
            {
                "figure": ["–" if np.isnan(x) else f"{x:.3g}" for x in self.checks["figure"]],
                "threshold": [
                    f"{rule} {threshold:g}"
                    for rule, threshold in zip(
                        self.checks["rule"], self.checks["threshold"], strict=True
                    )
                ],
                "unit": self.checks["unit"].to_list(),
                "": [words[passed] for passed in self.checks["passed"]],
            },
            index=self.checks.index,
        )


def check_spread(
    answers: pd.DataFrame,
    *,
    by: str = "log_odds",
    thresholds: SpreadThresholds = SpreadThresholds(),  # noqa: B008 - frozen
) -> SpreadVerdict:
    """Check whether answers vary enough over items and roles, and are answers at all.

    Parameters
    ----------
    answers
        Answers of one model under one intervention: every role to every item in every format.
    by
        What the scores will be made from, as for `valuegraph.answers.score_answers`.
    thresholds
        What they must keep to.

    Returns
    -------
    SpreadVerdict
        Each figure beside its threshold. ``item_spread`` is told of log-odds only, ``low_mass``
        only where a mass was recorded.

    Raises
    ------
    ValueError
        If the answers are not those of one model and intervention, a cell is missing or there
        twice, or there are fewer than 2 roles.
    """
    grid = answer_grid(answers, by=by, least_roles=2)
    role_spread = pd.Series(
        {value: _spread(grid.scores(value, by).mean(axis=1)) for value in grid.values}
    )
    in_log_odds = by == "log_odds"
    told = ~np.isnan(grid.mass)
    least = thresholds.role_spread if in_log_odds else thresholds.role_spread_of_answers
    rows = {
        "same_answer": (_same_answer(grid), "at most", thresholds.same_answer, "share"),
        "item_spread": (
            grid.log_odds.std(axis=2, ddof=1).mean()
            if in_log_odds and grid.n_items > 1
            else np.nan,
            "at least",
            thresholds.item_spread,
            UNITS["log_odds"],
        ),
        "role_spread": (role_spread.min(), "at least", least, UNITS[by]),
        "low_mass": (
            (grid.mass[told] < LOW_MASS).mean() if told.any() else np.nan,
            "at most",
            thresholds.low_mass,
            "share",
        ),
        "unsure": ((grid.answer == 0).mean(), "at most", thresholds.unsure, "share"),
    }
    checks = pd.DataFrame.from_dict(
        rows, orient="index", columns=["figure", "rule", "threshold", "unit"]
    ).rename_axis("check")
    checks["passed"] = pd.Series(
        {name: _passes(*row[:3]) for name, row in rows.items()}, dtype=object
    )
    return SpreadVerdict(
        grid.model, by, len(grid.roles), grid.n_items, checks, role_spread.rename("role_spread")
    )


#: What a failed check means, and the way out.
_MEANINGS = {
    "same_answer": "the same answer is given to nearly everything",
    "item_spread": "questions hardly move the answers",
    "role_spread": "roles hardly move the scores of {flat}",
    "low_mass": "what is read is not what the model would say; generated answers may be",
    "unsure": "neither yes nor no; log-odds tell more, or allow longer answers",
}


def require_spread(
    answers: pd.DataFrame,
    *,
    by: str = "log_odds",
    thresholds: SpreadThresholds = SpreadThresholds(),  # noqa: B008 - frozen
) -> pd.DataFrame:
    """Refuse answers from which no graph should be drawn.

    Parameters
    ----------
    answers, by, thresholds
        As for `check_spread`.

    Returns
    -------
    pandas.DataFrame
        The answers as they were given.

    Raises
    ------
    ValueError
        As for `check_spread`, and if a check fails; the message tells which, and the way out.
    """
    verdict = check_spread(answers, by=by, thresholds=thresholds)
    if verdict.passed:
        return answers
    lines = []
    for name in verdict.failed:
        row = verdict.checks.loc[name]
        below = verdict.role_spread[~(verdict.role_spread >= row["threshold"])].index
        wanted = f"{row['rule']} {row['threshold']:g} is wanted"
        meaning = _MEANINGS[name].format(flat=", ".join(below))
        lines.append(f"{name} is {row['figure']:.3g}, {wanted} ({meaning})")
    settings = ", ".join(f"{_threshold_name(name, by)}=..." for name in verdict.failed)
    raise ValueError(
        f"no graph should be drawn from these answers of {verdict.model}: {'; '.join(lines)}. "
        "Ask a model that plays roles, more varied roles, or in another format; drop values that "
        f"do not vary; or go on all the same with thresholds=SpreadThresholds({settings})"
    )


def _threshold_name(check: str, by: str) -> str:
    is_of_answers = check == "role_spread" and by == "answer"
    return "role_spread_of_answers" if is_of_answers else check


def _spread(scores: np.ndarray) -> float:
    """Return the standard deviation, 0 where only rounding makes a difference."""
    sd = scores.std(ddof=1)
    return float(sd) if sd > 1e-9 * np.abs(scores).max() else 0.0


def _same_answer(grid: AnswerGrid) -> float:
    """Return the share of each role's commonest answer, mean over roles."""
    given = grid.answer.reshape(len(grid.roles), -1)
    return float(np.max([(given == kind).mean(axis=1) for kind in (1, 0, -1)], axis=0).mean())


def _passes(figure: float, rule: str, threshold: float) -> bool | None:
    if np.isnan(figure):
        return None
    return bool(figure <= threshold if rule == "at most" else figure >= threshold)
