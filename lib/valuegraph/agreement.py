"""Whether answers read as log-odds and answers that are generated say the same.

The probability of the first token and the text that follows can disagree (Wang et al., 2024), so
what is read at a prefilled answer is held against what the same model writes.

References
----------
Cohen, J. (1960). A coefficient of agreement for nominal scales. Educational and Psychological
Measurement, 20, 37-46.
Wang, X., et al. (2024). "My Answer is C": First-Token Probabilities Do Not Match Text Answers in
Instruction-Tuned Language Models. Findings of ACL 2024, 7407-7416.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.psychometrics.coefficients import finite_mean
from valuegraph.psychometrics.grid import AnswerGrid, answer_grid
from valuegraph.psychometrics.matching import matched
from valuegraph.psychometrics.reports import html_report, text_report, unknown_figures
from valuegraph.psychometrics.resampling import (
    LEVEL,
    correlation_of,
    interval_table,
    ratio,
    resampled_covariance,
    resampled_mean,
    role_weights,
    with_interval,
)

#: Figures told, and what they are called in print.
AGREEMENT_FIGURES = {
    "score_correlation": "r of scores",
    "answer_correlation": "r of answers",
    "sign_differs": "sign differs",
    "kappa": "kappa",
    "unsure": "unsure",
}


@dataclass(frozen=True, eq=False, repr=False)
class AgreementReport:
    """How far log-odds and generated answers of one model say the same.

    Attributes
    ----------
    model
        Who answered.
    formats
        Names of the formats in which the log-odds were read.
    n_roles, n_answers
        Number of roles, the units that were resampled, and of answers of either kind.
    values
        One row per value: ``items``, and each of `AGREEMENT_FIGURES`, defined in
        `agreement_report`, with the ends of its interval (``x``, ``x_low``, ``x_high``).
    whole
        One row per figure, over all values: ``estimate``, ``low``, ``high``, ``unit``.
    unknown
        Figures that cannot be told from these answers (NaN in the tables): ``figure``, ``value``
        (empty for all values together), ``reason``.
    """

    model: str
    formats: tuple[str, ...]
    n_roles: int
    n_answers: int
    values: pd.DataFrame
    whole: pd.DataFrame
    unknown: pd.DataFrame

    def __repr__(self) -> str:
        return text_report(*self._parts())

    def _repr_html_(self) -> str:
        return html_report(*self._parts())

    def _parts(self) -> tuple:
        title = (
            f"Log-odds against generated answers of {self.model}: {self.n_roles} roles, "
            f"{self.n_answers} answers of either kind"
        )
        return title, self.values, AGREEMENT_FIGURES, self.whole, AGREEMENT_FIGURES, self.unknown


def agreement_report(
    logit_answers: pd.DataFrame,
    generated_answers: pd.DataFrame,
    *,
    n_boot: int = 1000,
    level: float = LEVEL,
    seed: int = 0,
) -> AgreementReport:
    """Compare answers read as log-odds with generated ones, cell by cell.

    Parameters
    ----------
    logit_answers
        Answers of one model under one intervention, with log-odds.
    generated_answers
        Its generated answers, to the same items of the same roles in the same formats. Whether a
        format asks for a thought does not matter: it often does where answers are generated only.
    n_boot
        Number of resamples of the roles, from which the percentile intervals come; 0 for none.
    level
        Coverage of the intervals.
    seed
        Seed of the resamples.

    Returns
    -------
    AgreementReport
        Figures with intervals; what these answers cannot tell is NaN, with the reason.

    Raises
    ------
    ValueError
        If the two tables do not hold the same cells or models, either is not as
        `valuegraph.psychometrics.grid.answer_grid` asks, there are fewer than 3 roles, or an option
        is out of its range.

    Notes
    -----
    Of each value, and of all together:

    * ``score_correlation``: correlation over roles of the scores made from log-odds with the
      scores made from generated answers (mean over the values).
    * ``answer_correlation``: correlation of log-odds with generated answers (1, 0, -1), both as
      they are and not keyed, over all answers.
    * ``sign_differs``: share of answers with another sign than that of the log-odds, among those
      where neither is unsure. An answer read as log-odds is unsure only at exactly 0.
    * ``kappa``: Cohen's kappa of the same answers, ``(p - e) / (1 - e)`` with ``p`` the share of
      equal ones and ``e`` that expected if the two kinds were independent (Cohen, 1960).
    * ``unsure``: share of generated answers that are neither yes nor no.
    """
    read = answer_grid(logit_answers, by="log_odds", least_roles=3)
    said = matched(answer_grid(generated_answers, by="answer", least_roles=3), read)
    weights = role_weights(len(read.roles), n_boot, seed=seed)
    rows, score_correlations = [], []
    for value in read.values:
        here = read.places(value)
        draws = {
            "score_correlation": _score_correlation(read, said, value, weights),
            **_answer_agreement(read, said, here, weights),
        }
        score_correlations.append(draws["score_correlation"])
        row = {"items": len(here)}
        for name in AGREEMENT_FIGURES:
            row |= with_interval(name, draws[name], level=level)
        rows.append(row)
    values = pd.DataFrame(rows, pd.Index(read.values, name="value"))
    draws = {
        "score_correlation": finite_mean(np.stack(score_correlations, axis=-1)),
        **_answer_agreement(read, said, np.arange(read.n_items), weights),
    }
    whole = interval_table({name: draws[name] for name in AGREEMENT_FIGURES}, level=level)
    whole["unit"] = ["", "", "share of sure answers", "", "share of answers"]
    return AgreementReport(
        model=read.model,
        formats=read.formats,
        n_roles=len(read.roles),
        n_answers=read.answer.size,
        values=values,
        whole=whole,
        unknown=unknown_figures(
            values[list(AGREEMENT_FIGURES)], whole, lambda figure, value: _REASONS[figure]
        ),
    )


_REASONS = {
    "score_correlation": "scores of one kind do not vary over roles",
    "answer_correlation": "answers of one kind are all the same",
    "sign_differs": "there is no answer of which both kinds are sure",
    "kappa": "where both kinds are sure, both give the same answer to everything",
}


def _score_correlation(
    read: AnswerGrid, said: AnswerGrid, value: str, weights: np.ndarray
) -> np.ndarray:
    pair = [read.scores(value, "log_odds").mean(axis=1), said.scores(value, "answer").mean(axis=1)]
    return correlation_of(resampled_covariance(np.stack(pair, axis=1), weights))[:, 0, 1]


def _answer_agreement(
    read: AnswerGrid, said: AnswerGrid, places: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Agreement of single answers to some items, in every resample."""
    log_odds, first = read.log_odds[:, :, places], read.answer[:, :, places]
    second = said.answer[:, :, places]

    def mean(cells: np.ndarray) -> np.ndarray:
        return resampled_mean(cells.mean(axis=(1, 2)), weights)

    x, y = (kind - kind.mean() for kind in (log_odds, second))
    covariance = mean(x * y) - mean(x) * mean(y)
    variances = [np.maximum(mean(z * z) - mean(z) ** 2, 0.0) for z in (x, y)]
    # Rounding leaves something of what is constant, which would pass for variance.
    product = np.prod(
        [
            np.where(v > 1e-12 * (z * z).mean(), v, 0)
            for v, z in zip(variances, (x, y), strict=True)
        ],
        axis=0,
    )
    sure = (first != 0) & (second != 0)
    both = {(a, b): mean((first == a) & (second == b)) for a in (1, -1) for b in (1, -1)}
    n_sure = mean(sure)
    differing = ratio(both[1, -1] + both[-1, 1], n_sure)
    yes = [ratio(both[1, 1] + both[a], n_sure) for a in ((1, -1), (-1, 1))]
    by_chance = yes[0] * yes[1] + (1 - yes[0]) * (1 - yes[1])
    return {
        "answer_correlation": ratio(covariance, np.sqrt(product)),
        "sign_differs": differing,
        "kappa": ratio(
            1 - differing - by_chance, np.where(by_chance > 1 - 1e-12, 0, 1 - by_chance)
        ),
        "unsure": mean(second == 0),
    }
