"""A model against another model, where there are no people to compare with.

Scores on values that no public study measured in people can still be compared between models, with
the halves of each model as the ceiling. Two questions are kept apart. *Is there anything in
common?* Labels of one model are permuted. *Is there a difference?* Roles are exchanged between the
models: if both have the same correlations, it does not matter which role answered for which.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
from scipy.special import ndtri

from valuegraph.assessment import permutation_test
from valuegraph.checks import checked_scores
from valuegraph.comparison import MIN_ROLES
from valuegraph.matrices import (
    as_correlation,
    correlations_without_each,
    jackknife_error,
    mantel,
)
from valuegraph.verdicts.band import pattern
from valuegraph.verdicts.ceilings import ceiling, split_half_scores
from valuegraph.verdicts.verdict import written_p, written_r


@dataclass(frozen=True, eq=False, repr=False)
class ModelComparison:
    """What the correlations of two models have in common, and whether they differ.

    Attributes
    ----------
    names
        What the models are called.
    n
        Number of roles of each.
    paired
        Whether both were asked in the same roles.
    agreement
        Correlation of both models' correlations over pairs of values.
    low, high
        95 % interval of the agreement, over roles.
    p_shared
        p-value of having nothing in common: permuted labels agree as well.
    p_differ
        p-value of being the same: roles exchanged between the models agree as little.
    exchanged
        Mean agreement after exchange: what would be seen if both were the same.
    split_halves
        Agreement of two halves of the roles, by model.
    ceiling
        Largest agreement that the noise of both models leaves possible.
    alpha
        Level of both tests.
    """

    names: tuple[str, str]
    n: int
    paired: bool
    agreement: float
    low: float
    high: float
    p_shared: float
    p_differ: float
    exchanged: float
    split_halves: tuple[float, float]
    ceiling: float
    alpha: float

    @property
    def verdict(self) -> str:
        """What the two tests come to together.

        ``"alike"`` if there is something in common and no difference was found, ``"alike, not the
        same"`` if both were found, ``"different"`` if only a difference was, else ``"cannot
        tell"``.
        """
        if self.p_shared < self.alpha:
            return "alike, not the same" if self.p_differ < self.alpha else "alike"
        return "different" if self.p_differ < self.alpha else "cannot tell"

    @property
    def reasons(self) -> list[str]:
        """What the verdict rests on, in sentences."""
        first, second = self.names
        return [
            f"Agreement over pairs of values: r = {written_r(self.agreement)}, 95 % interval "
            f"{written_r(self.low)} to {written_r(self.high)}, {self.n} roles each"
            f"{', the same for both' if self.paired else ''}.",
            f"With permuted labels as close: {written_p(self.p_shared)}.",
            f"With roles exchanged between them as far apart: {written_p(self.p_differ)} "
            f"(mean r = {written_r(self.exchanged)}).",
            f"Two halves of the roles agree by {written_r(self.split_halves[0])} for {first}, "
            f"{written_r(self.split_halves[1])} for {second}; noise leaves at most "
            f"{written_r(self.ceiling)} between the two.",
        ]

    def to_dict(self) -> dict[str, object]:
        """Return all figures in one flat dictionary, ready for JSON."""
        figures = {
            name: getattr(self, name)
            for name in (
                "n", "paired", "agreement", "low", "high", "p_shared", "p_differ", "exchanged",
                "ceiling", "alpha", "verdict",
            )
        }  # fmt: skip
        halves = zip(("first", "second"), self.names, self.split_halves, strict=True)
        for place, name, half in halves:
            figures |= {place: name, f"split_half_{place}": half}
        return figures

    def __repr__(self) -> str:
        return "\n".join([f"{' and '.join(self.names)}: {self.verdict}.", *self.reasons])

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(line)}</li>" for line in self.reasons)
        title = f"{' and '.join(self.names)}: {self.verdict}."
        return f"<p><strong>{escape(title)}</strong></p>\n<ul>{items}</ul>"


def compare_models(
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    names: tuple[str, str] = ("first", "second"),
    alpha: float = 0.01,
    draws: int = 999,
    seed: int = 0,
) -> ModelComparison:
    """Say what the values of two models have in common, and whether they differ.

    Parameters
    ----------
    first, second
        Scores on the same values, one row per role. Roles that both have (by their index) are
        taken, if there are at least 30 of them, and are exchanged one by one; otherwise the larger
        table is cut to as many roles as the smaller one has, drawn at random.
    names
        What the models are called.
    alpha
        Level of both tests.
    draws
        Permuted labellings, and exchanges.
    seed
        Seed of every draw.

    Returns
    -------
    ModelComparison
        Agreement with its interval, both p-values and the ceiling.

    Raises
    ------
    ValueError
        If the scores are not in order, are over different values or fewer than 30 roles, or an
        option is out of its range.
    """
    if not 1 / (draws + 1) < alpha < 1:
        raise ValueError(
            f"alpha must lie between 1 / (draws + 1) = {1 / (draws + 1):.2g} and 1, got {alpha!r}"
        )
    for table in (first, second):
        checked_scores(table)
    if set(first.columns) != set(second.columns):
        odd = sorted(set(first.columns) ^ set(second.columns))
        raise ValueError(
            f"the models have different values; only one has {', '.join(odd)}. Compare them on "
            f"what both have"
        )
    rng = np.random.default_rng((seed, 1))
    a, b, paired = _same_roles(first, second[list(first.columns)], rng)
    a, b = ((x - x.mean(axis=0)) / x.std(axis=0) for x in (a, b))
    r = mantel(*_frames(a, b))
    left = [correlations_without_each(x) for x in (a, b)]
    if paired:
        together = np.array([pattern(*pair) for pair in zip(*left, strict=True)])
        error = jackknife_error(together)
    else:
        whole = [np.corrcoef(x.T) for x in (a, b)]
        error = np.hypot(
            jackknife_error(pattern(left[0], whole[1])), jackknife_error(pattern(left[1], whole[0]))
        )
    z, reach = np.arctanh(r), ndtri(0.975) * error
    exchanged = np.array([_exchanged(a, b, paired, rng) for _ in range(draws)])
    halves = tuple(split_half_scores(x, seed=seed) for x in (a, b))
    return ModelComparison(
        names=names,
        n=len(a),
        paired=paired,
        agreement=r,
        low=float(np.tanh(z - reach)),
        high=float(np.tanh(z + reach)),
        p_shared=permutation_test(mantel, *_frames(a, b), draws=draws, seed=seed).p_value,
        p_differ=float((1 + (exchanged <= r + 1e-12).sum()) / (1 + draws)),
        exchanged=float(exchanged.mean()),
        split_halves=halves,
        ceiling=ceiling(halves[0]) * ceiling(halves[1]),
        alpha=alpha,
    )


def _same_roles(
    first: pd.DataFrame, second: pd.DataFrame, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return as many rows of both, those of the same roles if enough are."""
    shared = first.index.intersection(second.index)
    if len(shared) >= MIN_ROLES:
        return first.loc[shared].to_numpy(float), second.loc[shared].to_numpy(float), True
    n = min(len(first), len(second))
    if n < MIN_ROLES:
        raise ValueError(
            f"{n} roles are too few to compare models; ask at least {MIN_ROLES}, better some "
            f"hundreds"
        )
    rows = [
        table.to_numpy(float)[np.sort(rng.permutation(len(table))[:n])] for table in (first, second)
    ]
    return rows[0], rows[1], False


def _frames(a: np.ndarray, b: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the correlations of both as frames."""
    return pd.DataFrame(np.corrcoef(a.T)), pd.DataFrame(np.corrcoef(b.T))


def _exchanged(a: np.ndarray, b: np.ndarray, paired: bool, rng: np.random.Generator) -> float:
    """Return the agreement after roles have changed sides at random."""
    if paired:
        swap = rng.random(len(a)) < 0.5
        one, other = np.where(swap[:, None], b, a), np.where(swap[:, None], a, b)
    else:
        rows = rng.permutation(np.concatenate([a, b]))
        one, other = rows[: len(a)], rows[len(a) :]
    return float(np.tanh(pattern(as_correlation(np.cov(one.T)), as_correlation(np.cov(other.T)))))
