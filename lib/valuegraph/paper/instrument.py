"""The recorded scores searched as this library does: by role, or with features as contexts."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from valuegraph.answers import NO_INTERVENTION
from valuegraph.confidence import bootstrap
from valuegraph.discovery import discover


def searched(
    scores: pd.DataFrame,
    *,
    alphas: Sequence[float] = (0.05, 0.01),
    null_draws: int = 100,
    resamples: int = 200,
    null_resamples: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Search the unsteered rows, and all rows as contexts, at several levels.

    Parameters
    ----------
    scores
        Index ``(intervention, role)``, columns values.
    alphas
        Levels of the tests.
    null_draws
        Draws of the null of the graph; a tenth of them, at least one, are resampled for the null of
        the firm edges.
    resamples, null_resamples
        Resamples of the roles, and of each such draw.
    seed
        Seed of everything.

    Returns
    -------
    pandas.DataFrame
        Index ``rows`` (``"roles"`` or ``"contexts"``) and ``alpha``. ``n`` rows or what they are
        worth; ``edges`` between values, ``null`` and ``null_sd``; ``firm``, edges in 80 % of the
        resamples, and ``null_firm``.
    """
    values = list(scores.columns)
    found = {}
    for rows, table in (("roles", scores.xs(NO_INTERVENTION, level=0)), ("contexts", scores)):
        for alpha in alphas:
            options = {"alpha": alpha, "contexts": rows == "contexts", "seed": seed}
            graph = discover(table, null_draws=null_draws, **options)
            firm = bootstrap(
                table,
                n_resamples=resamples,
                null_draws=max(1, null_draws // 10),
                null_resamples=null_resamples,
                **options,
            ).graph()
            found[rows, alpha] = {
                "n": graph.info.get("n_effective", graph.info["n"]),
                "edges": graph.among(values).n_edges,
                "null": graph.info["null_edges"],
                "null_sd": graph.info["null_sd"],
                "firm": firm.among(values).n_edges,
                "null_firm": firm.info["null_edges"],
            }
    table = pd.DataFrame.from_dict(found, orient="index")
    table.index.names = ["rows", "alpha"]
    return table
