"""How many roles it would take to tell, where a comparison with people cannot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

from valuegraph.verdicts.band import HumanBand
from valuegraph.verdicts.ceilings import stepped_up

POWER = 0.8
"""Probability of a verdict at the number of roles that is proposed."""

MOST_ROLES = 20_000
"""No larger number of roles is proposed."""


def needed_roles(
    z: float,
    error: float,
    n: int,
    ceiling: float,
    band_at: Callable[[int], HumanBand],
    *,
    alpha: float,
) -> int | None:
    """Return the number of roles that would give a verdict if the model is what it seems.

    The agreement without noise is the agreement divided by the ceiling. At another n it is
    multiplied by the ceiling that Spearman and Brown's formula gives there, and its error is as
    much smaller as the root of n is larger. The answer is as rough as the agreement that it starts
    from.

    Parameters
    ----------
    z, error
        Agreement on Fisher's scale and its standard error.
    n
        Number of roles behind them.
    ceiling
        Noise ceiling of the model at n.
    band_at
        Gives the human band at a number of people.
    alpha
        Level of both tests.

    Returns
    -------
    int or None
        Rounded up to two digits; None if not even ``MOST_ROLES`` would do.
    """
    if ceiling <= 0:
        return None
    true = np.clip(np.tanh(z) / ceiling, -0.995, 0.995)
    for larger in (round(n * 2 ** (step / 2)) for step in range(1, 40)):
        if larger > MOST_ROLES:
            return None
        expected = np.arctanh(true * np.sqrt(stepped_up(ceiling**2, larger / n)))
        smaller_error = error * np.sqrt(n / larger)
        likely = expected + smaller_error * ndtri((np.arange(40) + 0.5) / 40)
        band = band_at(larger)
        told = band.p_inside(likely, smaller_error) < alpha
        told |= band.p_outside(likely, smaller_error) < alpha
        if told.mean() >= POWER:
            unit = 10 ** (len(str(larger)) - 2)
            return -(-larger // unit) * unit
    return None
