"""Table 2 again: how much of its gap is there because some values change often anyway."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from studies.paper.tables import change_rates, changes_from_unsteered, changes_of_table2, gap_of
from valuegraph.roles import NO_ROLE


class Gap(NamedTuple):
    """The gap between expected and unexpected changes, taken apart.

    It is the mean over values v of how often w changes where v does, for w that the graph reaches
    from v, less the same for all other w. P-values are over permuted labellings of the graph.
    """

    raw: float  # as in table 2
    from_base_rates: float  # if w changed as often where v does as it does anyway
    beyond: float  # the rest: raw - from_base_rates
    low: float  # 95 % interval of beyond, over units
    high: float
    null_low: float  # middle 95 % of beyond with the labels of the graph permuted
    null_high: float
    p_value: float  # of beyond
    raw_p_value: float
    phi: float  # gap of phi, the correlation of two changes, to which base rates set no ceiling
    phi_p_value: float
    rows: int


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
    draws, resamples, seed
        Permuted labellings of the graph; resamples of the units, whose spread the interval puts
        around the estimate; seed of both.
    """
    if draws < 1 or resamples < 2:
        raise ValueError(f"at least 1 draw and 2 resamples are needed, got {draws} and {resamples}")
    table = changed.to_numpy(dtype=float)
    reach = reachable.loc[changed.columns, changed.columns].to_numpy(dtype=bool)
    names = np.arange(len(table)) if units is None else pd.factorize(np.asarray(units))[0]
    if not len(table) or len(names) != len(table):
        raise ValueError(f"{len(table)} rows need as many units, got {len(names)}")
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(reach)) for _ in range(draws)]
    graphs = [reach, *(reach[np.ix_(order, order)] for order in orders)]

    together, base = change_rates(table)
    raw, beyond, phi = (
        np.array([gap_of(rates, graph) for graph in graphs])
        for rates in (together, together - base, _phis(table))
    )
    if np.isnan(raw[0]):
        raise ValueError("the graph reaches every value or none, so there is no gap")
    rows_of = [np.flatnonzero(names == unit) for unit in range(names.max() + 1)]
    again = np.empty(resamples)
    for k in range(resamples):
        drawn = rng.integers(len(rows_of), size=len(rows_of))
        rates = change_rates(table[np.concatenate([rows_of[unit] for unit in drawn])])
        again[k] = gap_of(rates[0] - rates[1], reach)
    low, high = beyond[0] + np.nanquantile(again, [0.025, 0.975]) - np.nanmean(again)
    null_low, null_high = np.nanquantile(beyond[1:], [0.025, 0.975])
    return Gap(
        raw=float(raw[0]),
        from_base_rates=gap_of(base, reach),
        beyond=float(beyond[0]),
        low=float(low),
        high=float(high),
        null_low=float(null_low),
        null_high=float(null_high),
        p_value=_p_value(beyond),
        raw_p_value=_p_value(raw),
        phi=float(phi[0]),
        phi_p_value=_p_value(phi),
        rows=len(table),
    )


def table2_gaps(
    scores: pd.DataFrame, steered_role: str, graphs: Mapping[str, pd.DataFrame], **options: int
) -> pd.DataFrame:
    """Take the gaps of table 2 apart, and those of all roles together.

    Data are those of :func:`~studies.paper.tables.table2`, options those of
    :func:`gap_beyond_base_rates`.

    Returns
    -------
    pandas.DataFrame
        Index ``changes`` (``"role prompts"``, unsteered roles against the first; ``"features, one
        role"`` and ``"features, all roles"``, each role against itself without steering, with
        intervals over roles) and ``graph``; columns as in :class:`Gap`.
    """
    scores = scores.drop(index=NO_ROLE, level=1, errors="ignore")
    prompt, sae = changes_of_table2(scores, steered_role).values()
    every = changes_from_unsteered(scores)
    changes = {
        "role prompts": (prompt, None),
        "features, one role": (sae, None),
        "features, all roles": (every, every.index.get_level_values(1)),
    }
    gaps = {
        (what, name): gap_beyond_base_rates(changed, graph, units=units, **options)
        for what, (changed, units) in changes.items()
        for name, graph in graphs.items()
    }
    index = pd.MultiIndex.from_tuples(gaps, names=["changes", "graph"])
    return pd.DataFrame(gaps.values(), index)


def _phis(changed: np.ndarray) -> np.ndarray:
    """Return the correlations of changes, NaN for values that never or always change."""
    spread = changed.std(axis=0)
    centred = (changed - changed.mean(axis=0)) / np.where(spread > 0, spread, np.nan)
    return centred.T @ centred / len(changed)


def _p_value(gaps: np.ndarray) -> float:
    """Return the p-value of the first gap among those of permuted labellings."""
    # The slack lets labellings that change nothing count as equal in spite of rounding.
    return float((gaps >= gaps[0] - 1e-12).mean())
