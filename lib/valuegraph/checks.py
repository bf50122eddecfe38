"""What scores and correlations must be like before a search may see them.

Search algorithms take a constant column, a missing value or rows of the same role without a
word and return a graph that looks like any other. These checks speak instead.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

SMALLEST_EIGENVALUE = 1e-8
"""A correlation matrix with a smaller eigenvalue counts as singular."""


SMALLEST_SPREAD = 0.05
"""Scores whose standard deviation over roles is smaller count as flat, in the unit of the scores:
log-odds, or share of yes less share of no. The least in the answers of Gemma-2B and Llama-3-8B that
Kang et al. (2025) recorded is .16; a model with random weights can give .005 (log-odds)."""


def checked_scores(scores: pd.DataFrame, *, min_spread: float = 0.0) -> np.ndarray:
    """Return the scores as floats, or say what is wrong with them.

    Parameters
    ----------
    scores
        One row per role, one column per value.
    min_spread
        Least standard deviation over roles that every value must have, in the scores' unit.

    Returns
    -------
    numpy.ndarray
        Shape ``(n, d)``, finite, every column varying.

    Raises
    ------
    ValueError
        If an entry is missing, infinite or no number, a column is constant, spreads less than
        `min_spread` or is named twice, or a role has more than one row.
    """
    if not min_spread >= 0:
        raise ValueError(f"min_spread must be 0 (no bound) or more, got {min_spread!r}")
    if not isinstance(scores, pd.DataFrame):
        raise ValueError(
            f"scores must be a DataFrame with roles as rows and values as columns, "
            f"got {type(scores).__name__}"
        )
    _require_names(tuple(scores.columns))
    _require_independent(scores.index)
    _require_numeric(scores, "score")
    data = scores.to_numpy(dtype=float)
    if not len(data):
        raise ValueError("the scores have no rows; a graph needs one row per role")
    # Rounding noise on a constant column would pass a test for equality.
    spread = data.std(axis=0) > 1e-12 * np.abs(data).max(axis=0)
    flat = [name for name, varies in zip(scores.columns, spread, strict=True) if not varies]
    if flat:
        raise ValueError(
            f"the scores of {', '.join(flat)} do not vary over roles, so nothing can be said about "
            f"their edges; drop them (scores.drop(columns={flat})) or ask more varied roles"
        )
    sd = data.std(axis=0)
    low = [
        f"{name} (SD {s:.2g})" for name, s in zip(scores.columns, sd, strict=True) if s < min_spread
    ]
    if low:
        raise ValueError(
            f"the scores of {', '.join(low)} hardly vary over roles: at least {min_spread:g} is "
            "wanted, so that no graph is drawn from a respondent that answers everyone alike. "
            "gating.check_spread(answers) tells more; ask more varied roles, drop these values, or "
            "give a smaller min_spread, as scores in another unit may need"
        )
    return data


def _require_names(names: tuple[str, ...]) -> None:
    """Refuse too few, unnamed or repeated columns."""
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        raise ValueError(f"columns must be names of values, got {odd[0]!r}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"the columns {', '.join(twice)} appear more than once; keep one of each")
    if len(names) < 2:
        raise ValueError(f"a graph needs at least 2 values, got {len(names)}")


def _require_independent(index: pd.Index) -> None:
    """Refuse rows that are not one role each."""
    roles = index
    if isinstance(index, pd.MultiIndex):
        if "intervention" in index.names:
            interventions = index.get_level_values("intervention").unique()
            if len(interventions) > 1:
                raise ValueError(
                    f"the rows pool {len(interventions)} interventions; rows of the same role are "
                    f"not independent. Take one of them, e.g. "
                    f"scores.xs({interventions.tolist()[0]!r}, level='intervention'), or pool them "
                    f"as contexts: discover(scores, contexts=True)"
                )
        roles = index.get_level_values("role" if "role" in index.names else -1)
    repeated = roles[roles.duplicated()]
    if len(repeated):
        raise ValueError(
            f"role {repeated.tolist()[0]!r} has more than one row; rows of the same role are not "
            f"independent. Keep one row per role, or their mean (scores.groupby(level=...).mean())"
        )


def _require_numeric(table: pd.DataFrame, what: str) -> None:
    """Refuse columns that are no numbers, or hold missing or infinite ones."""
    for name, column in table.items():
        if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            raise ValueError(f"column {name} holds {column.dtype}, not numbers")
        missing = column.isna()
        if missing.any():
            raise ValueError(
                f"column {name}: {int(missing.sum())} of {len(column)} entries are missing, first "
                f"at row {column.index[missing].tolist()[0]!r}; drop those rows or ask again"
            )
        infinite = ~np.isfinite(column.to_numpy(dtype=float))
        if infinite.any():
            row = column.index[infinite].tolist()[0]
            raise ValueError(f"column {name}: the {what} at row {row!r} is infinite")


def require_rows(n: int, d: int) -> None:
    """Refuse too few rows: a test given all other values has n - (d - 2) - 3 degrees of freedom.

    Parameters
    ----------
    n
        Number of rows.
    d
        Number of values.

    Raises
    ------
    ValueError
        If ``n < d + 2``.
    """
    if n < d + 2:
        raise ValueError(
            f"{n} rows are too few for {d} values: Fisher's z test needs at least {d + 2} "
            f"(values + 2), and a graph worth reading needs hundreds"
        )


def checked_correlation(correlation: pd.DataFrame) -> np.ndarray:
    """Return the correlations, or say why tests cannot be made with them.

    Parameters
    ----------
    correlation
        Frame with the same values on both sides.

    Returns
    -------
    numpy.ndarray
        Shape ``(d, d)``, symmetric and positive definite with ones on the diagonal.

    Raises
    ------
    ValueError
        If the frame is no correlation matrix, or singular.
    """
    names = tuple(correlation.columns)
    _require_names(names)
    if tuple(correlation.index) != names:
        raise ValueError(
            f"the correlations need the same values on both sides; the columns are "
            f"{', '.join(names)}, the index is {', '.join(map(str, correlation.index))}"
        )
    _require_numeric(correlation, "correlation")
    matrix = correlation.to_numpy(dtype=float)
    if not np.allclose(matrix, matrix.T, atol=1e-6):
        raise ValueError("the correlations must be symmetric, but the two halves differ")
    if not np.allclose(np.diag(matrix), 1, atol=1e-6):
        raise ValueError("the correlations must have ones on the diagonal; are they covariances?")
    eigenvalues, vectors = np.linalg.eigh(matrix)
    if eigenvalues[0] < -1e-6:
        raise ValueError(
            f"this is no correlation matrix: its smallest eigenvalue is {eigenvalues[0]:.3g}"
        )
    if eigenvalues[0] < SMALLEST_EIGENVALUE:
        weights = zip(names, vectors[:, 0], strict=True)
        involved = [name for name, weight in weights if abs(weight) > 0.05]
        raise ValueError(
            f"the values {', '.join(involved)} are linearly dependent, so tests that hold others "
            f"fixed have no answer. Ipsatised (centred) scores always are: use raw scores, or drop "
            f"one of these values"
        )
    return matrix
