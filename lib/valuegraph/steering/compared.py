"""Several ways to push the same values, side by side: features against the simple baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.answers import score_answers
from valuegraph.steering.changes import changes_of_scores
from valuegraph.steering.ranking import axes_of

if TYPE_CHECKING:
    from valuegraph.asking.prompts import PromptFormat
    from valuegraph.interventions import Shift
    from valuegraph.inventory import Inventory
    from valuegraph.models import Respondent
    from valuegraph.roles import Role


def compare_pushes(
    respondent: Respondent,
    inventory: Inventory,
    roles: Sequence[Role | None],
    ways: Mapping[str, Mapping[str, Shift]],
    *,
    expected: pd.DataFrame | None = None,
    by: str = "log_odds",
    fmt: PromptFormat | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Push values in several ways, and tell how far each push does what it should.

    Parameters
    ----------
    respondent, inventory, fmt, progress
        As for `valuegraph.elicitation.elicit`.
    roles
        Held-out roles: on others than those from which the pushes were made.
    ways
        By way and value, the shift that is to raise the value.
    expected
        What a push of each value should move, as for `valuegraph.steering.choice.choose_features`;
        by default each value moves alone.
    by
        What scores are made from, as for `valuegraph.answers.score_answers`.

    Returns
    -------
    pandas.DataFrame
        One row per way and value, in their order, with the columns

        - ``way``, ``value``;
        - ``effect``: mean change of the value itself, in the unit of the scores;
        - ``others``: mean absolute value of the mean changes of the other values;
        - ``cosine`` between the mean changes of all values and what was expected; NaN if nothing
          changed;
        - ``norm``: length of the shift.

    Raises
    ------
    ValueError
        If there is nothing to compare, a value was not asked, or `expected` lacks one.
    """
    from valuegraph.elicitation import elicit

    codes = list(inventory.codes)
    pushes = [(way, value, s) for way, shifts in ways.items() for value, s in shifts.items()]
    if not pushes:
        raise ValueError("there is no push to compare; give at least one way with one value")
    unknown = sorted({value for _, value, _ in pushes} - set(codes))
    if unknown:
        raise ValueError(f"unknown values {', '.join(unknown)}; asked are {', '.join(codes)}")
    axes = pd.DataFrame(axes_of(expected, codes), codes, codes)
    # One shift may serve several values, but every answer needs a name of its own.
    named = [replace(shift, name=f"{way}: {value}") for way, value, shift in pushes]
    answers = elicit(
        respondent, inventory, roles, interventions=[None, *named], fmt=fmt, progress=progress
    )
    changes = changes_of_scores(score_answers(answers, by=by)[codes])
    rows = []
    for (way, value, shift), change in zip(pushes, changes.values(), strict=True):
        mean, axis = change.mean(), axes.loc[value]
        lengths = np.linalg.norm(mean) * np.linalg.norm(axis)
        rows.append(
            {
                "way": way,
                "value": value,
                "effect": mean[value],
                "others": float(mean.drop(value).abs().mean()),
                "cosine": float(mean @ axis / lengths) if lengths else np.nan,
                "norm": float(np.linalg.norm(shift.vector)),
            }
        )
    return pd.DataFrame(rows)
