"""Names of values: what may be one, and their order."""

from __future__ import annotations

from collections.abc import Sequence


def checked_names(values: Sequence[str]) -> tuple[str, ...]:
    """Return the names as a tuple, or say what is wrong with them.

    Raises
    ------
    ValueError
        If they are one string, one of them is no string or blank, or they repeat.
    """
    if isinstance(values, str):
        raise ValueError(f"values must be a sequence of names, got the string {values!r}")
    values = tuple(values)
    odd = [value for value in values if not isinstance(value, str) or not value.strip()]
    if odd:
        raise ValueError(f"every value needs a name, got {odd[0]!r}")
    if len(set(values)) != len(values):
        twice = sorted({value for value in values if values.count(value) > 1})
        raise ValueError(f"names of values must differ, but {', '.join(twice)} appear twice")
    return values


def checked_order(values: tuple[str, ...], order: Sequence[str]) -> tuple[tuple[str, ...], list]:
    """Return another order of the values, and the place of each in the present one.

    Raises
    ------
    ValueError
        If ``order`` does not hold the same values.
    """
    order = tuple(order)
    if sorted(order) != sorted(values):
        raise ValueError(
            f"an order of the values {', '.join(values)} is needed, "
            f"got {', '.join(map(str, order))}"
        )
    return order, [values.index(value) for value in order]
