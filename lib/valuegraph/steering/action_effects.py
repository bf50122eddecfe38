"""What a unit of each action does to each value, with standard errors over roles.

Effects are changes against no intervention in the same roles. They are taken to be proportional to
the coefficient and to add up over actions; how far that holds is measured when a plan is verified.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from valuegraph.steering.actions import Action

if TYPE_CHECKING:
    pass

#: The variance of an effect over few roles is itself uncertain. It is averaged with the mean
#: variance of the action's effects on all values, which counts as that of so many roles more.
BORROWED_ROLES = 4


@dataclass(frozen=True, eq=False)
class ActionEffects:
    """What a unit of each action does to each value, as measured on some roles.

    Attributes
    ----------
    actions
        The actions, in the order of the rows.
    effect
        Mean change of the scores per unit of the coefficient, actions by values.
    error
        Its standard errors, in the same shape.
    correlation
        Correlations of the errors of the actions, which were measured on the same roles; shape
        ``(actions, actions)``.
    n_roles
        Number of roles measured.
    by
        What the scores were made from (`valuegraph.answers.UNITS`).

    Raises
    ------
    ValueError
        If names repeat, shapes disagree, or a number is missing.
    """

    actions: tuple[Action, ...]
    effect: pd.DataFrame
    error: pd.DataFrame
    correlation: np.ndarray
    n_roles: int
    by: str = "log_odds"

    def __post_init__(self) -> None:
        object.__setattr__(self, "actions", tuple(self.actions))
        names = [action.name for action in self.actions]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two actions are called {twice!r}; names must differ")
        for what, frame in (("effect", self.effect), ("error", self.error)):
            if list(frame.index) != names or not frame.columns.equals(self.effect.columns):
                raise ValueError(f"the rows of {what} must be the actions, its columns the values")
            if not np.isfinite(frame.to_numpy(float)).all():
                raise ValueError(f"{what} holds missing or infinite numbers")
        if self.correlation.shape != (len(names), len(names)):
            raise ValueError(
                f"correlation has the shape {self.correlation.shape}; actions are {len(names)}"
            )

    @property
    def values(self) -> list[str]:
        """Codes of the values."""
        return list(self.effect.columns)

    @property
    def degrees(self) -> int:
        """Degrees of freedom of the standard errors."""
        return self.n_roles - 1 + BORROWED_ROLES

    @cached_property
    def moves(self) -> pd.DataFrame:
        """Whether an action moves a value: t-tests at .05 over all of them together (Bonferroni).

        A frame of booleans, actions by values.
        """
        bar = stats.t.ppf(1 - 0.025 / self.effect.size, self.degrees)
        return self.effect.abs() > bar * self.error

    @property
    def table(self) -> pd.DataFrame:
        """The effects of a unit in the form of `valuegraph.steering.effects.effects_of`.

        Columns intervention (name of the action), value, effect, low and high (95 % interval of
        the mean over roles like those measured).
        """
        half = stats.t.ppf(0.975, self.degrees) * self.error.to_numpy().ravel()
        effect = self.effect.to_numpy().ravel()
        return pd.DataFrame(
            {
                "intervention": np.repeat(self.effect.index.to_numpy(), len(self.values)),
                "value": np.tile(self.values, len(self.actions)),
                "effect": effect,
                "low": effect - half,
                "high": effect + half,
            }
        )

    def choose(self, names: Sequence[str]) -> ActionEffects:
        """Keep some actions, in the order given; an unknown name is refused with the known ones."""
        known = [action.name for action in self.actions]
        for name in names:
            if name not in known:
                raise ValueError(f"no action is called {name!r}; there are {', '.join(known)}")
        at = [known.index(name) for name in names]
        return ActionEffects(
            tuple(self.actions[i] for i in at),
            self.effect.iloc[at],
            self.error.iloc[at],
            self.correlation[np.ix_(at, at)],
            self.n_roles,
            self.by,
        )

    def change(self, coefficients: pd.Series) -> pd.DataFrame:
        """Predict the change of each value if effects add up in proportion to the coefficients.

        Parameters
        ----------
        coefficients
            By action; actions that are left out are not taken.

        Returns
        -------
        pandas.DataFrame
            Index value; columns predicted, low and high (95 % interval of the mean over roles like
            those measured).
        """
        c = coefficients.reindex(self.effect.index, fill_value=0.0).to_numpy()
        predicted = c @ self.effect.to_numpy()
        scaled = c[:, None] * self.error.to_numpy()  # (actions, values)
        variance = np.einsum("av,ab,bv->v", scaled, self.correlation, scaled)
        half = stats.t.ppf(0.975, self.degrees) * np.sqrt(np.maximum(variance, 0))
        return pd.DataFrame(
            {"predicted": predicted, "low": predicted - half, "high": predicted + half},
            index=pd.Index(self.values, name="value"),
        )


def effects_from_changes(
    actions: Sequence[Action], changes: np.ndarray, values: Sequence[str], *, by: str = "log_odds"
) -> ActionEffects:
    """Make the effects of actions from the changes of single roles.

    Parameters
    ----------
    actions
        The actions.
    changes
        Change of every role's scores per unit of each action, shape ``(actions, roles, values)``.
    values
        Codes of the values.
    by
        What the scores were made from.

    Raises
    ------
    ValueError
        If the shape does not fit, or there are fewer than two roles.
    """
    changes = np.asarray(changes, dtype=float)
    if changes.ndim != 3 or changes.shape[::2] != (len(actions), len(values)):
        raise ValueError(
            f"changes have the shape {changes.shape}; needed is (actions, roles, values) with "
            f"{len(actions)} actions and {len(values)} values"
        )
    n = changes.shape[1]
    if n < 2:
        raise ValueError(f"standard errors over roles need at least 2 roles, got {n}")
    names = pd.Index([action.name for action in actions], name="action")
    columns = pd.Index(list(values), name="value")
    own = changes.var(axis=1, ddof=1)
    shared = own.mean(axis=1, keepdims=True)
    variance = ((n - 1) * own + BORROWED_ROLES * shared) / (n - 1 + BORROWED_ROLES)
    away = (changes - changes.mean(axis=1, keepdims=True)).reshape(len(actions), -1)
    norms = np.linalg.norm(away, axis=1)
    away = away / np.where(norms > 0, norms, 1)[:, None]
    correlation = away @ away.T
    np.fill_diagonal(correlation, 1.0)
    return ActionEffects(
        tuple(actions),
        pd.DataFrame(changes.mean(axis=1), names, columns),
        pd.DataFrame(np.sqrt(variance / n), names, columns),
        correlation,
        n,
        by,
    )
