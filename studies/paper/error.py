"""What clustered rows do to the paper's search: nulls, effective n, resamples, halves.

Every role gave a row under each of several interventions, and the paper's tests count each row as
independent. Throughout, *scores* are a frame with rows ``(intervention, role)`` and columns values.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.progress import track

from studies.paper.graphs import paper_skeletons
from valuegraph.discovery import check_scores

#: What dependence between values is removed by; see :func:`without_dependence`.
NULLS = ("rows", "clusters", "in step")
SHARES = np.linspace(0, 1, 101)  # of resamples, at which firmness counts
CHUNK = 100  # resamples that are searched together, to bound the memory


class AgainstNull(NamedTuple):
    """A figure of the scores, and the same where dependence between values was removed.

    P-values are (1 + draws of the null with a figure as large) / (1 + draws).
    """

    observed: float | np.ndarray  # the figure, or several of them (k,)
    null: np.ndarray  # that of each draw of the null, (draws,) or (draws, k)

    @property
    def mean(self) -> float | np.ndarray:
        """Mean of the null."""
        return self.null.mean(axis=0)

    @property
    def sd(self) -> float | np.ndarray:
        """Standard deviation of the null."""
        return self.null.std(axis=0)

    @property
    def p_value(self) -> float | np.ndarray:
        """Of a figure as large where there is no dependence."""
        as_large = self.null >= np.asarray(self.observed) - 1e-12  # slack for rounding
        return (1 + as_large.sum(axis=0)) / (1 + len(self.null))


def as_array(scores: pd.DataFrame) -> np.ndarray:
    """Take rows apart: every role under every intervention, shape ``(roles, m, p)``."""
    check_scores(scores.reset_index(drop=True))
    levels = ["role", "intervention"]
    if scores.index.has_duplicates or set(scores.index.names) != set(levels):
        raise ValueError("scores need an index (intervention, role) without repeated rows")
    every = pd.MultiIndex.from_product([scores.index.unique(x) for x in levels], names=levels)
    rows = scores.reorder_levels(levels).reindex(every)
    lacking = every[rows.isna().any(axis=1)]
    if len(lacking):
        raise ValueError(f"keep roles with a row under every intervention; {lacking[0]} has none")
    return rows.to_numpy(dtype=float).reshape(*every.levshape, -1)


def clustering(scores: pd.DataFrame) -> pd.DataFrame:
    """Split the variance of each value into what is the role's, the intervention's, and the rest.

    Components of variance of a two-way layout with one row a cell, both sides random. A component
    that comes out negative counts as zero.

    Returns
    -------
    pandas.DataFrame
        Index values. ``role``, ``intervention``, ``rest``: shares, which add up to 1. ``icc``: role
        / (role + rest), the intraclass correlation by role with interventions held fixed: ICC(C,1)
        of McGraw and Wong (1996), Psychological Methods 1, 30-46.
    """
    rows = as_array(scores)
    squares, freedom = _sums_of_squares(rows)
    by_role, by_intervention, rest = squares / freedom[:, None]
    r, m, _ = rows.shape
    parts = np.stack([(by_role - rest) / m, (by_intervention - rest) / r, rest]).clip(min=0)
    names = ["role", "intervention", "rest"]
    table = pd.DataFrame((parts / parts.sum(axis=0)).T, scores.columns, names)
    return table.assign(icc=table["role"] / (table["role"] + table["rest"]))


def effective_rows(scores: pd.DataFrame) -> np.ndarray:
    """Return how many independent rows the correlation of each two values is worth.

    Suppose that roles and interventions are dealt to each value at random (the null
    ``"clusters"``). Then the variance of the correlation of values i and j is exactly

        var_ij = sum over parts of  s_i s_j / df

    over the three parts of the sum of squares (roles, interventions, rest), where s_i is the share
    of a part in the sum of squares of value i and df its degrees of freedom: r - 1, m - 1 and
    (r - 1)(m - 1). Of n independent rows it is 1 / (n - 1). Returns 1 + 1 / var_ij, shape
    ``(p, p)``.
    """
    squares, freedom = _sums_of_squares(as_array(scores))
    shares = squares / squares.sum(axis=0)
    return 1 + 1 / np.einsum("kp,kq,k->pq", shares, shares, 1 / freedom)


def effective_n(scores: pd.DataFrame) -> float:
    """Return one effective number of rows for all pairs: that of the mean variance over pairs."""
    rows = effective_rows(scores)
    return float(1 + 1 / np.mean(1 / (rows[np.triu_indices(len(rows), 1)] - 1)))


def without_dependence(rows: np.ndarray, null: str, rng: np.random.Generator) -> np.ndarray:
    """Return rows ``(roles, m, p)`` in which no value has to do with another.

    Null ``"rows"``: each row of a value goes anywhere, so its clusters are gone too.
    ``"clusters"``: each value gets other roles, with all their rows, and other interventions, for
    all roles. ``"in step"``: other roles only, so that an intervention still moves several values.
    """
    if null not in NULLS:
        raise ValueError(f"unknown null {null!r}; choose one of {', '.join(NULLS)}")
    r, m, p = rows.shape
    mixed = np.empty_like(rows)
    for k in range(p):
        own = rows[:, :, k]
        if null == "rows":
            mixed[:, :, k] = rng.permutation(own.ravel()).reshape(r, m)
            continue
        order = np.arange(m) if null == "in step" else rng.permutation(m)
        mixed[:, :, k] = own[rng.permutation(r)][:, order]
    return mixed


def edges_against_null(
    scores: pd.DataFrame,
    *,
    null: str = "clusters",
    n: float | np.ndarray | None = None,
    draws: int = 400,
    seed: int = 0,
) -> AgainstNull:
    """Count the edges of the paper's search in the scores, and where dependence was removed.

    Parameters
    ----------
    null
        How dependence is removed: see :func:`without_dependence`.
    n
        What the tests take for the number of independent rows; all rows by default, as the paper
        does. An effective number, or one for each pair ``(p, p)``, makes them honest.
    draws, seed
        Draws of the null, and their seed.
    """
    rows, rng = as_array(scores), np.random.default_rng(seed)
    each = [rows, *(without_dependence(rows, null, rng) for _ in range(draws))]
    n = len(scores) if n is None else n
    edges = paper_skeletons(np.stack([_correlation(x) for x in each]), n).sum(axis=(1, 2)) // 2
    return AgainstNull(int(edges[0]), edges[1:])


def firmness(
    scores: pd.DataFrame,
    *,
    resamples: int = 500,
    null: str = "clusters",
    null_draws: int = 50,
    null_resamples: int = 100,
    seed: int = 0,
    progress: bool = False,
) -> AgainstNull:
    """Count the adjacencies of the paper's graph that come back when roles are drawn anew.

    Resampling says how much an edge hangs on single roles. It does not repair a test that takes
    clustered rows for independent ones: a correlation that chance has put into the scores is in
    most of the resamples too. Hence the null. The figures are how many adjacencies come back in at
    least 0 %, 1 %, ..., 100 % of the resamples, ``(101,)``.

    Parameters
    ----------
    resamples, null_resamples
        Resamples of the roles, each with all its rows, and of those of each draw of the null.
    null, null_draws
        How dependence is removed (:func:`without_dependence`), and how often.
    seed, progress
        Seed of everything; whether to show a progress bar.
    """
    sizes = resamples, null_draws, null_resamples
    observed, none = _beside_null(_coming_back, scores, null, sizes, seed, progress)
    return AgainstNull(observed, np.array(none))


def half_agreement(
    scores: pd.DataFrame,
    *,
    splits: int = 100,
    null: str = "in step",
    null_draws: int = 50,
    null_splits: int = 20,
    seed: int = 0,
    progress: bool = False,
) -> tuple[AgainstNull, pd.DataFrame]:
    """Split the roles at random, search both halves as the paper does, and compare adjacencies.

    Both halves go through the same interventions, which alone can make them alike; the null ``"in
    step"`` keeps that. `splits` and `null_splits` are of the roles, and of those of each draw of
    the null; other parameters are those of :func:`firmness`.

    Returns mean F1 over splits, and a table with one row a split: ``f1``, and ``f1_relabelled`` of
    the same two graphs with the values of one half permuted.
    """
    sizes = splits, null_draws, null_splits
    observed, none = _beside_null(_half_f1, scores, null, sizes, seed, progress)
    table = pd.DataFrame(observed.T, columns=["f1", "f1_relabelled"])
    means = np.array([f1.mean() for f1, _ in none])
    return AgainstNull(float(table["f1"].mean()), means), table


def split_skeletons(
    rows: np.ndarray, splits: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the adjacencies of both halves of each split, boolean ``(splits, p, p)`` each."""
    r, m, _ = rows.shape
    if r < 4:
        raise ValueError(f"halves need at least 4 roles, got {r}")
    orders = [rng.permutation(r) for _ in range(splits)]
    parts = [half for order in orders for half in (order[: r // 2], order[r // 2 : r // 2 * 2])]
    skeletons = paper_skeletons(np.stack([_correlation(rows[x]) for x in parts]), r // 2 * m)
    return skeletons[::2], skeletons[1::2]


def f1_of(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return F1 of adjacencies, ``(b, d, d)`` each; 1 where both graphs are empty."""
    shared = (one & other).sum(axis=(1, 2))
    both = one.sum(axis=(1, 2)) + other.sum(axis=(1, 2))
    return np.divide(2 * shared, both, out=np.ones(len(both)), where=both > 0)


def _half_f1(rows: np.ndarray, splits: int, rng: np.random.Generator) -> np.ndarray:
    """Return F1 of each split, and with the labels of one half permuted: ``(2, splits)``."""
    first, second = split_skeletons(rows, splits, rng)
    labels = [rng.permutation(rows.shape[2]) for _ in range(splits)]
    turned = np.stack([x[np.ix_(k, k)] for x, k in zip(second, labels, strict=True)])
    return np.stack([f1_of(first, second), f1_of(first, turned)])


def _beside_null(
    figure: Callable, scores: pd.DataFrame, null: str, sizes: tuple, seed: int, progress: bool
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return a figure ``(rows, size, generator)`` of the scores, and of each draw of the null."""
    size, draws, null_size = sizes
    if min(sizes) < 1:
        raise ValueError(f"numbers of draws must be at least 1, got {sizes}")
    rows = as_array(scores)
    own, *others = np.random.default_rng(seed).spawn(1 + draws)
    none = [
        figure(without_dependence(rows, null, rng), null_size, rng)
        for rng in track(others, "draws of the null", disable=not progress)
    ]
    return figure(rows, size, own), none


def _coming_back(rows: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Count adjacencies that come back in at least each of the shares of the resamples."""
    n, r = rows.shape[0] * rows.shape[1], len(rows)
    own = paper_skeletons(_correlation(rows)[None], n)[0]
    counts = np.zeros(own.shape)
    for start in range(0, resamples, CHUNK):
        size = min(CHUNK, resamples - start)
        drawn = [_correlation(rows[rng.integers(r, size=r)]) for _ in range(size)]
        counts += paper_skeletons(np.stack(drawn), n).sum(axis=0)
    frequencies = counts[np.triu(own)] / resamples
    return (frequencies >= SHARES[:, None] - 1e-9).sum(axis=1)  # slack for rounding


def _correlation(rows: np.ndarray) -> np.ndarray:
    """Return the correlations of the values over all rows, ``(p, p)``."""
    return np.corrcoef(rows.reshape(-1, rows.shape[2]).T)


def _sums_of_squares(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sums of squares ``(3, p)`` of roles, interventions and the rest, and freedom (3,)."""
    r, m, _ = rows.shape
    if r < 2 or m < 2:
        raise ValueError(f"clusters need at least 2 roles and 2 interventions, got {r} and {m}")
    rows = rows - rows.mean(axis=(0, 1))
    by_role, by_intervention = rows.mean(axis=1), rows.mean(axis=0)
    rest = rows - by_role[:, None] - by_intervention
    squares = [m * (by_role**2).sum(0), r * (by_intervention**2).sum(0), (rest**2).sum((0, 1))]
    return np.stack(squares), np.array([r - 1, m - 1, (r - 1) * (m - 1)])
