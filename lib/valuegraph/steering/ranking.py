"""The arithmetic of choosing features: candidates by activity, ranks by size and specificity.

`valuegraph.steering.choice` asks a respondent; here is what it makes of the answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def candidates_by_activity(
    activity: np.ndarray, *, n_candidates: int, min_rate: float
) -> pd.DataFrame:
    """Propose the features that are most active on average, among those that fire often enough.

    Parameters
    ----------
    activity
        Activations, shape ``(n, d_sae)``, not negative.
    n_candidates
        How many, at most.
    min_rate
        Share of the ``n`` states on which a candidate fires, at least.

    Returns
    -------
    pandas.DataFrame
        Index ``feature``, the most active first; columns ``rate``, ``activity`` (mean over all
        states) and ``typical`` (mean where it fires).

    Raises
    ------
    ValueError
        If no feature fires often enough.
    """
    fires = activity > 0
    rate, mean = fires.mean(axis=0), activity.mean(axis=0, dtype=float)
    often = np.flatnonzero((rate >= min_rate) & (rate > 0))
    if not len(often):
        raise ValueError(
            f"no feature fires on {min_rate:.0%} of the states; the most frequent one does on "
            f"{rate.max():.0%}, so lower min_rate"
        )
    top = often[np.argsort(-mean[often], kind="stable")][:n_candidates]
    return pd.DataFrame(
        {"rate": rate[top], "activity": mean[top], "typical": mean[top] / rate[top]},
        index=pd.Index(top.tolist(), name="feature"),
    )


def rank_pushes(
    pushes: pd.DataFrame, effects: np.ndarray, spread: pd.Series, axes: np.ndarray
) -> pd.DataFrame:
    """Rank pushes for every value by size times specificity.

    Parameters
    ----------
    pushes
        One row per push, with any columns.
    effects
        Mean changes, shape ``(pushes, d)``.
    spread
        Standard deviation of each value's score over roles, indexed by the ``d`` values.
    axes
        What a push of each value should move, shape ``(d, d)``, values pushed by values moved, in
        the unit of `effects`.

    Returns
    -------
    pandas.DataFrame
        The columns of `pushes` with value, effect, size, specificity, score and rank, as in
        `FeatureChoice`.
    """
    sizes = effects / spread.to_numpy()  # in standard deviations, so that values compare
    wanted = axes / spread.to_numpy()
    norms = np.linalg.norm(sizes, axis=1)[:, None] * np.linalg.norm(wanted, axis=1)
    specificity = np.divide(sizes @ wanted.T, norms, out=np.zeros_like(norms), where=norms > 0)
    score = np.abs(sizes * specificity)
    score[(sizes <= 0) | (specificity <= 0)] *= -1  # it must raise the value, and fit it
    rank = pd.DataFrame(-score).rank(method="first").to_numpy().astype(int)
    d = len(spread)
    table = pushes.loc[pushes.index.repeat(d)].reset_index(drop=True)
    return table.assign(
        value=np.tile(spread.index, len(pushes)),
        effect=effects.ravel(),
        size=sizes.ravel(),
        specificity=specificity.ravel(),
        score=score.ravel(),
        rank=rank.ravel(),
    )


def axes_of(expected: pd.DataFrame | None, codes: Sequence[str]) -> np.ndarray:
    """Lay out what a push of each value should move: shape ``(d, d)``, pushed by moved.

    Parameters
    ----------
    expected
        Rows values pushed, columns values moved; None where each value moves alone.
    codes
        The ``d`` values.

    Raises
    ------
    ValueError
        If a value is missing, or an entry is not finite.
    """
    if expected is None:
        return np.eye(len(codes))
    lost = [c for c in codes if c not in expected.index or c not in expected.columns]
    if lost:
        raise ValueError(f"expected has no row and column for {', '.join(lost)}; it needs both")
    axes = expected.loc[list(codes), list(codes)].to_numpy(dtype=float)
    if not np.isfinite(axes).all():
        raise ValueError("expected holds NaN or infinite entries; fill them with numbers")
    return axes
