"""Checks of what students write: they say what is wrong, and do not give the answer away.

The check of exercise `elicit-keys` is the function `keys` of the module `elicit` here. It takes the
answer, a function or a value, and returns what is wrong with it in one or two sentences, or None.
The sentence names the case in which the answer fails, so that a student can try it. That a function
returns nothing yet, no check has to ask: its call ends the check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from importlib import import_module

import numpy as np

NOT_YET = "not written yet"


class NotWritten(Exception):
    """A student's function returned nothing, as its stub does."""


@dataclass(frozen=True)
class Checked:
    """What a check found: nothing wrong if `problem` is None."""

    label: str
    problem: str | None

    def __repr__(self) -> str:
        if self.problem is None:
            return f"{self.label}: right"
        return f"{self.label}: {self.problem}"


def check(label: str, answer: object) -> Checked:
    """Check the answer to an exercise of the book, by the label of the exercise.

    Raises
    ------
    ValueError
        No exercise with a check has this label.
    """
    chapter, _, name = label.partition("-")
    try:
        problem_of = getattr(import_module(f"{__name__}.{chapter}"), name.replace("-", "_"))
    except (ModuleNotFoundError, AttributeError):
        raise ValueError(f"no exercise {label!r} has a check") from None
    try:
        return Checked(label, problem_of(written(answer)))
    except NotWritten:
        return Checked(label, NOT_YET)
    except Exception as error:  # a student's code may raise anything
        return Checked(label, f"it stops with {type(error).__name__}: {error}")


def written(answer: object) -> object:
    """An answer that is there; of a function, one that raises `NotWritten` for what is not."""
    if callable(answer):

        @wraps(answer)
        def called(*arguments, **options):
            return written(answer(*arguments, **options))

        return called
    parts = answer if isinstance(answer, tuple) else (answer,)
    if any(part is None or part is ... for part in parts):
        raise NotWritten
    return answer


def differs(
    answer: Callable, right: Callable, cases: dict[str, tuple], tolerance: float = 1e-6
) -> str | None:
    """The first case in which a function returns something else than it should, by its description.

    What is right is computed and not shown: the sentence has the case and what the answer gave.
    """
    for description, arguments in cases.items():
        try:
            given = written(answer(*arguments))
        except NotWritten:
            return NOT_YET
        wanted = right(*arguments)
        if np.shape(given) != np.shape(wanted):
            return f"{description}: shape {np.shape(given)}, but {np.shape(wanted)} is asked for"
        if not np.allclose(given, wanted, atol=tolerance, rtol=tolerance, equal_nan=True):
            shown = np.array2string(np.asarray(given), precision=3, threshold=6)
            return f"{description}: {shown} is not right"
    return None
