"""How well pushes hit what they were aimed at, for chapter 5."""

import numpy as np
import pandas as pd

from valuegraph.effects import changes, resampled, with_ends
from valuegraph.resampling import ratio


def target_and_collateral(
    table: pd.DataFrame, targets, *, truth=None, by="log_odds", draws=1000, seed=0
) -> pd.DataFrame:
    """Tell what interventions do to their target, to all other values, and whether as they should.

    Parameters
    ----------
    table, by
        As for `valuegraph.effects.changes`.
    targets : str or dict
        The target of all interventions, or of each by its name; others are left out.
    truth : mapping or pandas.DataFrame, optional
        What an intervention should change, up to a positive factor, by value; or a frame with a row
        for each target, such as total effects ``[cause, effect]``.
    draws, seed : int
        Bootstrap resamples of the roles.

    Returns
    -------
    pandas.DataFrame
        One row for each intervention: ``intervention``, ``value`` (its target), and each with the
        ends of its interval (``<name>_low``, ``<name>_high``)

        - ``target``: mean change of the target, in the unit of the scores;
        - ``collateral``: mean absolute value of the mean changes of the other values. Noise adds to
          it, so that it is never quite 0;
        - ``cosine`` of the mean changes of all values with the truth; NaN without a truth or if
          nothing changed.
    """
    one = isinstance(targets, str)
    change = changes(table, by=by, under=None if one else targets)
    values, names = list(change), change.index.unique(0)
    aims = [targets if one else targets[name] for name in names]
    if unknown := set(aims) - set(values):
        raise ValueError(f"no value {unknown.pop()!r}; values are {', '.join(values)}")
    means = resampled(change, draws, seed)
    others = np.array([[v != value for v in values] for value in aims])
    if truth is None:
        truth = dict.fromkeys(values, np.nan)
    should = truth.loc[aims] if isinstance(truth, pd.DataFrame) else pd.DataFrame([truth])
    should = should[values].to_numpy(dtype=float)
    lengths = np.linalg.norm(means, axis=2) * np.linalg.norm(should, axis=1)
    figures = {
        "target": means[:, ~others],
        "collateral": np.abs(means * others).sum(axis=2) / (len(values) - 1),
        "cosine": ratio((means * should).sum(axis=2), lengths),
    }
    rows = pd.MultiIndex.from_arrays([names, aims], names=["intervention", "value"])
    return with_ends(np.stack(list(figures.values()), axis=2), rows, figures).reset_index()
