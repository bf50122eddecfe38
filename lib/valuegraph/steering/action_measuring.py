"""Measuring what actions do: ask without and with each of them, and take slopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION
from valuegraph.interventions import Intervention
from valuegraph.steering.action_effects import ActionEffects, effects_from_changes
from valuegraph.steering.actions import Action
from valuegraph.steering.changes import scores_under

if TYPE_CHECKING:
    from valuegraph.asking.prompts import PromptFormat
    from valuegraph.inventory import Inventory
    from valuegraph.models import Respondent
    from valuegraph.roles import Role

#: Where the effect of a unit is measured, as a share of the largest coefficient: there the error of
#: a straight line is about as large on the near side as on the far side.
MEASURED_AT = 0.5


def measure_actions(
    respondent: Respondent,
    inventory: Inventory,
    roles: Sequence[Role | None],
    actions: Sequence[Action],
    *,
    by: str = "log_odds",
    fmt: PromptFormat | None = None,
    progress: bool = False,
) -> ActionEffects:
    """Ask under every action, and tell what a unit of it does.

    Shifts are measured on both sides, at `MEASURED_AT` of their limit, and the effect of a unit is
    the slope between the two: what they do alike on both sides cancels. What is told is measured
    as it is.

    Parameters
    ----------
    respondent, inventory, roles, fmt, progress
        As for `valuegraph.elicitation.elicit`.
    actions
        What to measure.
    by
        As for `valuegraph.answers.score_answers`.

    Returns
    -------
    ActionEffects
        Effects of a unit, with standard errors over the roles.

    Raises
    ------
    ValueError
        If there are no actions, two share a name, or there are fewer than two roles.
    """
    if not actions:
        raise ValueError("there are no actions to measure")
    asked = [made for action in actions for _, made in measured_doses(action)]
    scores = ask_scores(respondent, inventory, roles, asked, by=by, fmt=fmt, progress=progress)
    return effects_from_scores(actions, scores, by=by)


def measured_doses(action: Action) -> list[tuple[float, Intervention]]:
    """Return coefficients at which an action is measured, and what they make of it."""
    dose = 1.0 if action.told else MEASURED_AT * action.limit
    return [(c, action.make(c)) for c in ((dose,) if action.told else (-dose, dose))]


def effects_from_scores(
    actions: Sequence[Action], scores: Mapping[str, pd.DataFrame], *, by: str = "log_odds"
) -> ActionEffects:
    """Make the effects of actions from scores under them.

    Parameters
    ----------
    actions
        The actions.
    scores
        Scores of the same roles, roles by values, without intervention (`NO_INTERVENTION`) and
        under each of `measured_doses`, by the intervention's name.
    by
        What the scores were made from.

    Raises
    ------
    ValueError
        If an action was not asked under, or there are fewer than two roles.
    """
    start = scores[NO_INTERVENTION]
    changes = []
    for action in actions:
        slopes = []
        for dose, made in measured_doses(action):
            if made.name not in scores:
                raise ValueError(f"there are no scores under {made.name!r}")
            slopes.append((scores[made.name] - start).to_numpy() / dose)
        changes.append(np.mean(slopes, axis=0))
    return effects_from_changes(actions, np.stack(changes), list(start.columns), by=by)


def ask_scores(
    respondent: Respondent,
    inventory: Inventory,
    roles: Sequence[Role | None],
    interventions: Sequence[Intervention],
    *,
    by: str = "log_odds",
    fmt: PromptFormat | None = None,
    progress: bool = False,
) -> dict[str, pd.DataFrame]:
    """Ask without and with interventions; return scores, roles by values, by intervention."""
    from valuegraph.elicitation import elicit

    answers = elicit(
        respondent,
        inventory,
        roles,
        interventions=[None, *interventions],
        fmt=fmt,
        progress=progress,
    )
    scores = scores_under(answers, by=by)
    return {name: scores.loc[name] for name in scores.index.unique("intervention")}
