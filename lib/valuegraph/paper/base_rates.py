"""Table 2 again: how much of its gap is there because some values change often anyway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION
from valuegraph.paper.tables import change_signs
from valuegraph.roles import NO_ROLE


@dataclass(frozen=True)
class Gap:
    """The gap between expected and unexpected changes, taken apart.

    Attributes
    ----------
    raw
        Gap as in table 2: mean over values v of how often w changes where v does, for w that the
        graph reaches from v, less the same for all other w.
    from_base_rates
        The gap if w changed as often where v does as it does anyway.
    beyond
        The rest: raw - from_base_rates.
    low, high
        95 % interval of ``beyond``, over units.
    null_low, null_high
        Middle 95 % of ``beyond`` with the labels of the graph permuted.
    p_value
        (1 + labellings with ``beyond`` as large) / (1 + labellings).
    raw_p_value
        The same for ``raw``.
    phi, phi_p_value
        The gap between the phi coefficients of expected and of unexpected changes, and its p-value.
        A value that changes often has little room to change even more often; phi, the correlation
        of two changes, takes that into account.
    rows
        Number of rows.
    """

    raw: float
    from_base_rates: float
    beyond: float
    low: float
    high: float
    null_low: float
    null_high: float
    p_value: float
    raw_p_value: float
    phi: float
    phi_p_value: float
    rows: int


def changes_from_first(scores: pd.DataFrame) -> pd.DataFrame:
    """Return which values differ from the first row: the changes behind table 2.

    Returns
    -------
    pandas.DataFrame
        Boolean; the first row, which cannot differ from itself, is left out.
    """
    return scores.iloc[1:] != scores.iloc[0]


def changes_from_unsteered(scores: pd.DataFrame) -> pd.DataFrame:
    """Return which values differ from the unsteered row of the same role, for all roles.

    Parameters
    ----------
    scores
        As for :func:`valuegraph.paper.tables.change_signs`.

    Returns
    -------
    pandas.DataFrame
        Boolean, index ``(intervention, role)`` without the unsteered rows.
    """
    return change_signs(scores) != 0


def table2_gaps(
    scores: pd.DataFrame,
    steered_role: str,
    graphs: Mapping[str, pd.DataFrame],
    *,
    draws: int = 999,
    resamples: int = 500,
    seed: int = 0,
) -> dict[str, Gap]:
    """Take the gaps of table 2 apart, and those of all roles together.

    Parameters
    ----------
    scores
        Scores of the test roles. Rows without a role are left out, as in table 2.
    steered_role
        Role whose rows under every feature the paper compares.
    graphs
        Name -> boolean values x values, whether a path leads from row to column.
    draws, resamples, seed
        As in :func:`gap_beyond_base_rates`.

    Returns
    -------
    dict
        ``"<comparison>, <graph>"`` -> gap, where the comparison is ``"role prompts"`` (unsteered
        roles against the first), ``"features, one role"`` or ``"features, all roles"`` (each
        against itself without steering; intervals over roles).
    """
    scores = scores.drop(index=NO_ROLE, level=1, errors="ignore")
    one = scores.xs(steered_role, level=1)
    one = pd.concat([one.loc[[NO_INTERVENTION]], one.drop(index=NO_INTERVENTION)])
    every = changes_from_unsteered(scores)
    changes = {
        "role prompts": (changes_from_first(scores.xs(NO_INTERVENTION, level=0)), None),
        "features, one role": (changes_from_first(one), None),
        "features, all roles": (every, list(every.index.get_level_values(1))),
    }
    options = {"draws": draws, "resamples": resamples, "seed": seed}
    return {
        f"{comparison}, {name}": gap_beyond_base_rates(changed, graph, units=units, **options)
        for comparison, (changed, units) in changes.items()
        for name, graph in graphs.items()
    }


def gap_beyond_base_rates(
    changed: pd.DataFrame,
    reachable: pd.DataFrame,
    *,
    units: Sequence[str] | None = None,
    draws: int = 999,
    resamples: int = 500,
    seed: int = 0,
) -> Gap:
    """Take the gap of table 2 apart into base rates and the rest, and test the rest.

    Parameters
    ----------
    changed
        Boolean, rows of conditions, columns values.
    reachable
        Boolean, values x values: whether a path leads from row to column.
    units
        What each row belongs to, such as its role; units are resampled whole. By default each row
        is a unit.
    draws
        Permuted labellings of the graph.
    resamples
        Resamples of the units, for the interval.
    seed
        Seed of both.

    Returns
    -------
    Gap
        The interval takes the spread of the resamples and puts it around the estimate.

    Raises
    ------
    ValueError
        If no row is given, units do not fit, the graph reaches everything or nothing, or a number
        is out of its range.
    """
    if draws < 1 or resamples < 2:
        raise ValueError(f"at least 1 draw and 2 resamples are needed, got {draws} and {resamples}")
    table = changed.to_numpy(dtype=float)
    reach = reachable.loc[changed.columns, changed.columns].to_numpy(dtype=bool)
    names = np.arange(len(table)) if units is None else pd.factorize(np.asarray(units))[0]
    if not len(table) or len(names) != len(table):
        raise ValueError(f"{len(table)} rows need as many units, got {len(names)}")
    together, base = _rates(table)
    raw, from_base = _gap(together, reach), _gap(base, reach)
    if np.isnan(raw):
        raise ValueError("the graph reaches every value or none, so there is no gap")
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(reach)) for _ in range(draws)]
    relabelled = [reach[np.ix_(order, order)] for order in orders]
    null = np.array([_gap(together - base, graph) for graph in relabelled])
    raw_null = np.array([_gap(together, graph) for graph in relabelled])
    phis = _phis(table)
    phi, phi_null = _gap(phis, reach), np.array([_gap(phis, graph) for graph in relabelled])
    beyond = raw - from_base
    rows_of = [np.flatnonzero(names == unit) for unit in range(names.max() + 1)]
    again = np.empty(resamples)
    for k in range(resamples):
        drawn = rng.integers(len(rows_of), size=len(rows_of))
        rates = _rates(table[np.concatenate([rows_of[unit] for unit in drawn])])
        again[k] = _gap(rates[0] - rates[1], reach)
    low, high = beyond + np.nanquantile(again, [0.025, 0.975]) - np.nanmean(again)
    # The slack lets labellings that change nothing count as equal in spite of rounding.
    return Gap(
        raw=raw,
        from_base_rates=from_base,
        beyond=beyond,
        low=float(low),
        high=float(high),
        null_low=float(np.nanquantile(null, 0.025)),
        null_high=float(np.nanquantile(null, 0.975)),
        p_value=float((1 + (null >= beyond - 1e-12).sum()) / (1 + draws)),
        raw_p_value=float((1 + (raw_null >= raw - 1e-12).sum()) / (1 + draws)),
        phi=phi,
        phi_p_value=float((1 + (phi_null >= phi - 1e-12).sum()) / (1 + draws)),
        rows=len(table),
    )


def _rates(changed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how often w changes where v does, ``[v, w]``, and how often anyway, same shape.

    Both are NaN where v never changes, so that their gaps are means over the same values.
    """
    times = changed.sum(axis=0)
    times = np.where(times > 0, times, np.nan)
    together = (changed.T @ changed) / times[:, None]
    base = np.where(np.isnan(times)[:, None], np.nan, changed.mean(axis=0)[None])
    return together, base


def _phis(changed: np.ndarray) -> np.ndarray:
    """Return the correlations of changes, NaN for values that never or always change."""
    spread = changed.std(axis=0)
    spread = np.where(spread > 0, spread, np.nan)
    centred = (changed - changed.mean(axis=0)) / spread
    return centred.T @ centred / len(changed)


def _gap(rates: np.ndarray, reach: np.ndarray) -> float:
    """Return mean over v of the mean over expected w, less the same for the others."""
    known = ~np.eye(len(reach), dtype=bool) & ~np.isnan(rates)
    sides = []
    for chosen in (reach & known, ~reach & known):
        count = chosen.sum(axis=1)
        if not count.any():
            return float("nan")
        sums = np.where(chosen, rates, 0.0).sum(axis=1)
        sides.append((sums[count > 0] / count[count > 0]).mean())
    return float(sides[0] - sides[1])
