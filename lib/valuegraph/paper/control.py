"""The same questions put to scores whose graph is known, to see what a good answer looks like."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rich.progress import track

from valuegraph.answers import NO_INTERVENTION
from valuegraph.discovery import discover
from valuegraph.paper.graphs import paper_skeletons
from valuegraph.paper.halves import skeleton_agreement, split_skeletons
from valuegraph.paper.pooled import PooledScores
from valuegraph.simulation import random_model


def planted(
    roles: int,
    *,
    values: int = 17,
    interventions: int = 10,
    between: float = 0.6,
    alpha: float = 0.05,
    models: int = 20,
    splits: int = 10,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Search random models, whose rows are clustered by role as the recorded ones are.

    Parameters
    ----------
    roles, values, interventions
        Sizes; each role has one row without and one under each intervention.
    between
        Share of the noise's variance that stays with the role.
    alpha
        Level of the search on roles alone.
    models
        Number of random models (:func:`valuegraph.simulation.random_model`): about 2.5 edges a
        value, of weights .2 to .6 in size.
    splits
        Random halves of the roles of each.
    seed
        Seed of everything.
    progress
        Show a progress bar.

    Returns
    -------
    pandas.DataFrame
        One row per model: ``true`` edges; ``pooled`` and ``pooled_right``, found by the paper's
        search on all rows and true of them; ``roles`` and ``roles_right``, found by
        :func:`valuegraph.discovery.discover` on the rows without intervention; ``halves``, mean F1
        of the paper's search on two halves of the roles.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for _ in track(range(models), "planted models", disable=not progress):
        model = random_model(values, rng)
        scores = model.scores(roles, rng, interventions=interventions, between=between)
        pooled = PooledScores.from_scores(scores)
        true = model.cpdag.skeleton
        found = paper_skeletons(pooled.correlation[None], pooled.n)[0]
        alone = discover(scores.xs(NO_INTERVENTION), alpha=alpha, null_draws=0).skeleton
        rows.append(
            {
                "true": true.sum() // 2,
                "pooled": found.sum() // 2,
                "pooled_right": (found & true).sum() // 2,
                "roles": alone.sum() // 2,
                "roles_right": (alone & true).sum() // 2,
                "halves": skeleton_agreement(*split_skeletons(pooled, splits, rng)).mean(),
            }
        )
    return pd.DataFrame(rows)
