"""Rows of the same roles under several interventions, as one array: what clustering looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from valuegraph.checks import checked_scores

NULLS = ("rows", "clusters", "in step")
"""Ways of removing dependence between values, see :meth:`PooledScores.without_dependence`."""


@dataclass(frozen=True, eq=False)
class PooledScores:
    """Scores of every role under every intervention.

    Attributes
    ----------
    values, interventions, roles
        Names, of ``p``, ``m`` and ``r``.
    array
        Scores, shape ``(r, m, p)``.
    """

    values: tuple[str, ...]
    interventions: tuple[str, ...]
    roles: tuple[str, ...]
    array: np.ndarray

    @classmethod
    def from_scores(cls, scores: pd.DataFrame) -> PooledScores:
        """Take rows ``(intervention, role)`` apart.

        Raises
        ------
        ValueError
            If the index is another one, a row comes twice or is missing, or the scores cannot be
            searched.
        """
        if set(scores.index.names) != {"intervention", "role"}:
            raise ValueError(
                f"pooled scores need an index with the levels 'intervention' and 'role', got "
                f"{list(scores.index.names)}"
            )
        if scores.index.has_duplicates:
            twice = scores.index[scores.index.duplicated()][0]
            raise ValueError(f"the row {twice} comes more than once")
        checked_scores(scores.reset_index(drop=True))
        names = {level: tuple(scores.index.unique(level)) for level in ("role", "intervention")}
        every = pd.MultiIndex.from_product(names.values(), names=list(names))
        rows = scores.reorder_levels(list(names))
        lacking = every.difference(rows.index)
        if len(lacking):
            raise ValueError(
                f"role {lacking[0][0]!r} has no row under intervention {lacking[0][1]!r}; keep "
                f"roles that were asked under every intervention"
            )
        shape = (len(names["role"]), len(names["intervention"]), scores.shape[1])
        array = rows.loc[every].to_numpy(dtype=float).reshape(shape)
        return cls(tuple(scores.columns), names["intervention"], names["role"], array)

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.roles) * len(self.interventions)

    @property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the pairs of values, each once."""
        return np.triu_indices(len(self.values), 1)

    @property
    def correlation(self) -> np.ndarray:
        """Correlations of the values over all rows, ``(p, p)``."""
        return np.corrcoef(self.array.reshape(-1, len(self.values)).T)

    def among(self, roles: Sequence[int] | np.ndarray) -> PooledScores:
        """Return the rows of some roles, by their numbers; one that comes twice counts twice."""
        names = tuple(self.roles[i] for i in roles)
        return replace(self, roles=names, array=self.array[np.asarray(roles)])

    def resampled(self, rng: np.random.Generator) -> PooledScores:
        """Draw as many roles with replacement, each with all its rows."""
        return self.among(rng.integers(len(self.roles), size=len(self.roles)))

    def within_interventions(self) -> PooledScores:
        """Return scores less their mean over roles under the same intervention."""
        return replace(self, array=self.array - self.array.mean(axis=0))

    def without_dependence(self, rng: np.random.Generator, null: str = "clusters") -> PooledScores:
        """Return scores in which no value has to do with another.

        Every value keeps its own scores; what goes with what is drawn anew.

        Parameters
        ----------
        rng
            Random numbers.
        null
            ``"rows"``: each row of a value goes anywhere, so its clusters are gone too.
            ``"clusters"``: each value gets other roles, with all their rows, and other
            interventions, for all roles. Its clusters stay as they were. ``"in step"``: other roles
            only, so that an intervention still moves several values at once.

        Raises
        ------
        ValueError
            If the null is none of the three.
        """
        if null not in NULLS:
            raise ValueError(f"unknown null {null!r}; choose one of {', '.join(NULLS)}")
        r, m, p = self.array.shape
        mixed = np.empty_like(self.array)
        for k in range(p):
            own = self.array[:, :, k]
            if null == "rows":
                mixed[:, :, k] = rng.permutation(own.ravel()).reshape(r, m)
                continue
            order = np.arange(m) if null == "in step" else rng.permutation(m)
            mixed[:, :, k] = own[rng.permutation(r)][:, order]
        return replace(self, array=mixed)
