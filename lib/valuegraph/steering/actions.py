"""Actions: interventions that a plan can dose.

A *shift* is dosed by a coefficient of either sign within its range: a multiple of a feature's
decoder row, or of any other direction. What is *told* is told or not. What a unit of an action does
is measured (`valuegraph.steering.action_measuring`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from valuegraph.interventions import Combination, Intervention, Shift, Told

if TYPE_CHECKING:
    from sae_lens import SAE

    from valuegraph.steering.sae import DecoderRows


@dataclass(frozen=True, eq=False)
class Action:
    """An intervention that can be dosed.

    Attributes
    ----------
    name
        Names it in plans.
    make
        Makes the intervention of a coefficient.
    limit
        Largest absolute coefficient that is useful; 1 for what is told.
    told
        Whether it is told or not, so that its coefficient is 0 or 1.
    group
        Of the actions of one group a plan takes one at most, such as facts of one value, which
        would contradict each other; ``""`` for none.
    cost
        How much an action must be worth to be taken, against others.

    Raises
    ------
    ValueError
        If limit or cost is out of range.
    """

    name: str
    make: Callable[[float], Intervention]
    limit: float = 1.0
    told: bool = False
    group: str = ""
    cost: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.limit < np.inf or (self.told and self.limit != 1):
            raise ValueError(
                f"action {self.name!r} has the limit {self.limit}; it must be positive and finite, "
                "and 1 for what is told"
            )
        if not 0 <= self.cost < np.inf:
            raise ValueError(
                f"action {self.name!r} has the cost {self.cost}; it must be at least 0"
            )


def shift_action(shift: Shift, *, limit: float, cost: float = 1.0) -> Action:
    """Make an action that adds multiples of a shift.

    Parameters
    ----------
    shift
        What a coefficient of 1 adds.
    limit
        Largest absolute coefficient.
    cost
        As for `Action`.
    """

    def make(coefficient: float) -> Shift:
        name = f"{shift.name} x {coefficient:g}"
        origin = {**shift.origin, "coefficient": coefficient}
        return Shift(name, shift.layer, coefficient * shift.vector, shift.where, origin)

    return Action(shift.name, make, limit=limit, cost=cost)


def feature_actions(
    sae: SAE | DecoderRows, features: Sequence[int], *, limit: float, **options: object
) -> list[Action]:
    """Make actions of features, dosed by multiples of their decoder rows.

    Parameters
    ----------
    sae, options
        As for `valuegraph.steering.sae.feature_shift`.
    features
        Indices of the features.
    limit
        Largest absolute coefficient.

    Raises
    ------
    ValueError
        As from `feature_shift`.
    """
    from valuegraph.steering.sae import feature_shift

    actions = []
    for feature in features:
        feature_shift(sae, feature, coefficient=1.0, **options)  # refuses what does not exist

        def make(coefficient: float, feature: int = feature) -> Shift:
            return feature_shift(sae, feature, coefficient=coefficient, **options)

        actions.append(Action(f"feature {feature}", make, limit=limit))
    return actions


def told_actions(told: Sequence[Told]) -> list[Action]:
    """Make actions of what can be told; of those about one value a plan tells one at most.

    Parameters
    ----------
    told
        From `valuegraph.steering.prompts`, so that it is known which value each is about; what is
        of unknown origin excludes nothing.

    Returns
    -------
    list of Action
        In the order given.
    """
    return [
        Action(one.name, lambda _, one=one: one, told=True, group=str(one.origin.get("value", "")))
        for one in told
    ]


def combine(name: str, interventions: Sequence[Intervention]) -> Intervention:
    """Put interventions together; shifts of one layer and place become a single one.

    Parameters
    ----------
    name
        Of the result.
    interventions
        At least one.

    Returns
    -------
    Intervention
        A single shift if shifts of one layer and place are all there is, else a combination.

    Raises
    ------
    ValueError
        If there are none.
    """
    vectors: dict[tuple[int, str], np.ndarray] = {}
    for shift in (shift for part in interventions for shift in part.shifts):
        at = (shift.layer, shift.where)
        vectors[at] = vectors.get(at, 0) + shift.vector
    parts: list[Intervention] = [
        Shift(name, layer, vector, where) for (layer, where), vector in vectors.items()
    ]
    parts += [Told(name, part.text) for part in interventions if part.text]
    if len(parts) == 1 and not interventions[0].text:
        return parts[0]
    return Combination(name, tuple(parts))
