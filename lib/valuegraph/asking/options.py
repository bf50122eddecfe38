"""What holds of every way of asking, here or in a long run: modes, and names that label answers."""

from __future__ import annotations

from collections.abc import Sequence

#: How an answer is got: read where it begins, or parsed from what is written.
MODES = ("logit", "generate")


def check_mode(mode: str, *, prior: bool) -> None:
    """Refuse a mode that does not exist, or a prior where nothing is subtracted from.

    Raises
    ------
    ValueError
        If `mode` is none of `MODES`, or a prior is asked for in ``generate`` mode.
    """
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}; known are {', '.join(MODES)}")
    if prior and mode != "logit":
        raise ValueError("a prior can be subtracted from log-odds only; use mode='logit'")


def check_names(names: Sequence[str], what: str) -> None:
    """Refuse names that cannot label answers.

    Parameters
    ----------
    names
        Of all roles, interventions or formats.
    what
        What they are, in the singular.

    Raises
    ------
    ValueError
        If there are none, or one appears twice.
    """
    if not names:
        raise ValueError(f"no {what}s given; give at least one (None stands for no {what})")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(
                f"two {what}s are called {name!r}; names label the answers, so rename one"
            )
        seen.add(name)
