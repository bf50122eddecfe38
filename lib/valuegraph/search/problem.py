"""What a search is given: checked rows or correlations, in an order that the names decide.

Columns are put in alphabetical order before anything is computed and back afterwards. So the order
in which they were given cannot matter, not even to the last bit of a sum, whatever the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from valuegraph.checks import SMALLEST_EIGENVALUE, checked_correlation, checked_scores, require_rows
from valuegraph.search.found import Found
from valuegraph.search.knowledge import Knowledge, tiers_of
from valuegraph.search.methods import NEEDS_ROWS, SEARCHES

Draw = tuple[np.ndarray, np.ndarray | None]
"""Correlations ``(d, d)`` and, if there are any, rows ``(n, d)``."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Independent rows, or their correlations, ready for a search.

    Attributes
    ----------
    given
        Names of the ``d`` variables in the order in which they were given.
    names
        The same in alphabetical order, which is that of all arrays.
    n
        Number of independent rows.
    correlation
        Shape ``(d, d)``, positive definite.
    rows
        Shape ``(n, d)``; None if only correlations are known.
    knowledge
        What is known beforehand.
    """

    given: tuple[str, ...]
    names: tuple[str, ...]
    n: int
    correlation: np.ndarray
    rows: np.ndarray | None
    knowledge: Knowledge

    @classmethod
    def from_scores(
        cls,
        scores: pd.DataFrame,
        tiers: Sequence[Sequence[str]] | None,
        *,
        min_spread: float = 0.0,
    ) -> Problem:
        """Check scores and put their columns in order; see :func:`checked_scores`."""
        data = checked_scores(scores, min_spread=min_spread)
        given = tuple(scores.columns)
        require_rows(len(data), len(given))
        names = tuple(sorted(given))
        rows = data[:, [given.index(name) for name in names]]
        correlation = checked_correlation(pd.DataFrame(np.corrcoef(rows.T), names, names))
        knowledge = Knowledge.from_tiers(tiers_of(names, tiers))
        return cls(given, names, len(rows), correlation, rows, knowledge)

    @classmethod
    def from_correlation(
        cls, correlation: pd.DataFrame, n: int, tiers: Sequence[Sequence[str]] | None
    ) -> Problem:
        """Check correlations and put them in order; see :func:`checked_correlation`."""
        if isinstance(n, bool) or n != int(n):
            raise ValueError(f"n must be a whole number of rows, got {n!r}")
        checked_correlation(correlation)
        given = tuple(correlation.columns)
        require_rows(int(n), len(given))
        names = tuple(sorted(given))
        matrix = correlation.loc[list(names), list(names)].to_numpy(dtype=float)
        return cls(given, names, int(n), matrix, None, Knowledge.from_tiers(tiers_of(names, tiers)))

    @property
    def place(self) -> np.ndarray:
        """Where each given name stands among the ordered ones, shape ``(d,)``."""
        return np.array([self.names.index(name) for name in self.given])

    @property
    def facts(self) -> dict[str, object]:
        """What a graph has to tell of its rows."""
        return {"n": self.n}

    @property
    def under_null(self) -> np.ndarray:
        """Pairs whose dependence the null removes, boolean ``(d, d)``: here all."""
        return ~np.eye(len(self.names), dtype=bool)

    @property
    def own(self) -> Draw:
        """The data as they are."""
        return self.correlation, self.rows

    def search(self, draws: Sequence[Draw], method: str, alpha: float) -> Found:
        """Search some draws, each in the order of ``names``."""
        if method in NEEDS_ROWS:
            found = [SEARCHES[method](r, self.n, alpha, self.knowledge) for _, r in draws]
            return Found(
                *(
                    np.concatenate([getattr(each, name) for each in found])
                    for name in ("skeleton", "directed", "heads")
                )
            )
        correlations = np.stack([correlation for correlation, _ in draws])
        return SEARCHES[method](correlations, self.n, alpha, self.knowledge)

    def independent(self, rng: np.random.Generator) -> Problem:
        """Return the same problem without dependence between variables.

        Rows: every column is permuted on its own. Correlations alone: those of ``n`` rows of
        independent normal values, by Bartlett's decomposition of the Wishart distribution.
        """
        if self.rows is not None:
            rows = rng.permuted(self.rows, axis=0)
            return replace(self, correlation=np.corrcoef(rows.T), rows=rows)
        return replace(self, correlation=normal_correlation(np.eye(len(self.names)), self.n, rng))

    def resampled(self, rng: np.random.Generator) -> Draw:
        """Draw as many rows with replacement; correlations alone: a parametric draw.

        A draw whose correlations are singular (a column came out constant) is drawn again.

        Raises
        ------
        ValueError
            If twenty draws in a row are singular.
        """
        for _ in range(20):
            if self.rows is None:
                return normal_correlation(self.correlation, self.n, rng), None
            rows = self.rows[rng.integers(self.n, size=self.n)]
            if (rows == rows[0]).all(axis=0).any():
                continue
            correlation = np.corrcoef(rows.T)
            if np.linalg.eigvalsh(correlation)[0] >= SMALLEST_EIGENVALUE:
                return correlation, rows
        raise ValueError(
            f"twenty resamples of {self.n} rows in a row are linearly dependent; {self.n} rows are "
            f"too few for a bootstrap of {len(self.names)} variables"
        )


def normal_correlation(correlation: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the correlation matrix of ``n`` rows of normal variables.

    By Bartlett's decomposition of the Wishart distribution, at a cost that does not grow with n.

    Parameters
    ----------
    correlation
        Correlations of the variables, shape ``(d, d)``, positive definite.
    n
        Number of rows.
    rng
        Random numbers.
    """
    d = len(correlation)
    root = np.tril(rng.standard_normal((d, d)), -1)
    root[np.diag_indices(d)] = np.sqrt(rng.chisquare(n - 1 - np.arange(d)))
    root = np.linalg.cholesky(correlation) @ root
    scatter = root @ root.T
    sd = np.sqrt(np.diag(scatter))
    drawn = scatter / np.outer(sd, sd)
    np.fill_diagonal(drawn, 1.0)
    return drawn
