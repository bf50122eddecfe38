"""Whether values are asked from both sides, and whether it shows where they are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.valuebench import PAPER_ROWS, valuebench_tables


def positive_share(values: list[str]) -> pd.Series:
    """Return for each value of the paper the share of its questions to which yes speaks for it.

    Parameters
    ----------
    values
        Names as the recorded scores have them; upper and lower case count as the same.

    Raises
    ------
    ValueError
        If ValueBench has no such value with enough questions.
    valuegraph.datasets.DataUnavailable
        If ValueBench cannot be had.
    """
    items, table = valuebench_tables(min_rows=PAPER_ROWS)
    labels = items["value"].map(table["label"]).str.lower()
    shares = (items["key"] > 0).groupby(labels).mean()
    unknown = [value for value in values if value.lower() not in shares.index]
    if unknown:
        raise ValueError(
            f"ValueBench has no value {unknown[0]!r} with {PAPER_ROWS} or more questions"
        )
    return pd.Series([shares[value.lower()] for value in values], values, name="positive")


@dataclass(frozen=True)
class YesSaying:
    """Correlations among values that are asked from one side only, and of all other pairs.

    A liking for yes that differs between roles raises the former.

    Attributes
    ----------
    one_sided, others
        Mean correlation.
    p_value
        (1 + other choices of as many values with a difference as large) / (1 + choices).
    """

    one_sided: float
    others: float
    p_value: float


def yes_saying(
    scores: pd.DataFrame, one_sided: list[str], *, draws: int = 1999, seed: int = 0
) -> YesSaying:
    """Look for a liking for yes in the correlations of scores.

    Parameters
    ----------
    scores
        One row per role, columns values.
    one_sided
        Values asked from one side only; at least two, and not all.
    draws
        Random choices of as many values.
    seed
        Seed of the choices.

    Raises
    ------
    ValueError
        If there are too few values on either side.
    """
    if not 2 <= len(one_sided) < scores.shape[1]:
        raise ValueError(
            f"at least two of the values, and not all, must be one-sided, got {len(one_sided)} of "
            f"{scores.shape[1]}"
        )
    correlation = scores.corr().to_numpy()
    upper = np.triu_indices(len(correlation), 1)

    def means(chosen: np.ndarray) -> tuple[float, float]:
        within = np.outer(chosen, chosen)[upper]
        return float(correlation[upper][within].mean()), float(correlation[upper][~within].mean())

    own = scores.columns.isin(one_sided)
    inside, others = means(own)
    rng = np.random.default_rng(seed)
    drawn = np.array([np.subtract(*means(rng.permutation(own))) for _ in range(draws)])
    p_value = float((1 + (drawn >= inside - others - 1e-12).sum()) / (1 + draws))
    return YesSaying(inside, others, p_value)
