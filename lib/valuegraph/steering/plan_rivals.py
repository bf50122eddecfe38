"""What a plan must beat: the best single action, and the best prompt, for the same targets.

Both are plans too, of one action or of one stance for each targeted value, so that they are
verified in the same way (`valuegraph.steering.plan_checks`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from valuegraph.steering.action_effects import ActionEffects
from valuegraph.steering.plan_checks import figures
from valuegraph.steering.plans import TOLERANCE, Plan, check_held, check_targets

# Simpler ways are compared where they achieve between half and twice the target, if any does.
_FAIR_SHARE = (0.5, 2.0)


def best_single(
    effects: ActionEffects,
    targets: Mapping[str, float],
    *,
    hold: Sequence[str] | None = None,
) -> Plan:
    """Choose the single action that comes nearest to the targets, as the way that plans must beat.

    A shift is dosed until its share of the targets is 1, within its range. Of all actions that
    achieve between half and twice the target, the one is taken whose change, brought to equal
    target, is nearest to what is asked for: targets met, held values unmoved (sum of absolute
    deviations).

    Parameters
    ----------
    effects
        Measured effects of the actions to choose from.
    targets, hold
        As for `valuegraph.steering.plans.plan`.

    Returns
    -------
    Plan
        Of one action.

    Raises
    ------
    ValueError
        As from `plan`.
    """
    asked = check_targets(effects, targets)
    share = effects.effect[asked.index] @ asked / (asked @ asked)
    doses = []
    for action in effects.actions:
        dose = 1.0
        if not action.told:
            per_unit = share[action.name]
            wanted = 1 / per_unit if per_unit != 0 else 0.0
            dose = float(np.clip(wanted, -action.limit, action.limit))
        doses.append(pd.Series({action.name: dose}))
    rule = f"the best single one of {len(effects.actions)} actions"
    return _nearest(effects, doses, asked, check_held(effects, asked, hold), rule)


def best_prompt(
    effects: ActionEffects,
    targets: Mapping[str, float],
    *,
    hold: Sequence[str] | None = None,
) -> Plan:
    """Choose the best prompt: one stance for each targeted value, told together.

    Chosen like the best single action, from all combinations of levels.

    Parameters
    ----------
    effects
        Measured effects of stances; those about one value are a group of that name, as
        `valuegraph.steering.actions.told_actions` makes them.
    targets, hold
        As for `valuegraph.steering.plans.plan`.

    Returns
    -------
    Plan
        Of as many actions as there are targets.

    Raises
    ------
    ValueError
        As from `plan`, or if there is no stance about a targeted value.
    """
    asked = check_targets(effects, targets)
    about = {v: [a.name for a in effects.actions if a.told and a.group == v] for v in asked.index}
    for value, names in about.items():
        if not names:
            raise ValueError(f"no stance about {value} was measured")
    doses = [pd.Series(1.0, list(names)) for names in product(*about.values())]
    rule = f"the best of {len(doses)} prompts with one stance for each targeted value"
    return _nearest(effects, doses, asked, check_held(effects, asked, hold), rule)


def _nearest(
    effects: ActionEffects,
    candidates: Sequence[pd.Series],
    targets: pd.Series,
    held: list[str],
    rule: str,
) -> Plan:
    """Take the candidate that is nearest to what is asked for when brought to equal target."""
    matrix = np.stack(
        [c.reindex(effects.effect.index, fill_value=0.0).to_numpy() for c in candidates]
    )
    change = matrix @ effects.effect.to_numpy()
    on_target = change[:, [effects.values.index(v) for v in targets.index]]
    share = on_target @ targets.to_numpy() / (targets @ targets)
    scale = 1 / np.where(share > 0, share, np.nan)[:, None]
    off_target = np.abs(scale * on_target - targets.to_numpy()).sum(axis=1)
    off_held = np.abs(scale * change[:, [effects.values.index(v) for v in held]]).sum(axis=1)
    low, high = _FAIR_SHARE
    fair = (share >= low) & (share <= high)
    deviation = np.where(fair, off_target + off_held, np.inf)
    best = int(deviation.argmin()) if fair.any() else int(np.abs(share - 1).argmin())
    coefficients = candidates[best][candidates[best] != 0].rename("coefficient")
    start = pd.Series(0.0, effects.values)
    miss = figures(pd.Series(change[best], effects.values), targets, held)["miss"]
    reason = f"misses the targets by {miss:.0%} at most"
    return Plan(
        effects, targets, tuple(held), coefficients, start, bool(miss <= TOLERANCE), reason, rule
    )
