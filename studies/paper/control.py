"""The same search on scores whose graph is known, to see what a good answer looks like."""

import numpy as np
import pandas as pd
from rich.progress import track

from studies.paper.error import as_array, f1_of, split_skeletons
from studies.paper.graphs import ALPHA, paper_skeletons
from studies.simulation import random_model
from valuegraph.answers import NO_INTERVENTION
from valuegraph.discovery import discover


def planted(
    roles: int,
    *,
    values: int = 17,
    interventions: int = 10,
    between: float = 0.6,
    models: int = 20,
    splits: int = 10,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Search random models, whose rows are clustered by role as the recorded ones are.

    Each role has one row without and one under each intervention, and shares `between` of the
    noise's variance among them. Models have about 2.5 edges a value, of weights .2 to .6 in size
    (:func:`studies.simulation.random_model`); the roles of each are split in halves `splits` times.

    Returns
    -------
    pandas.DataFrame
        One row per model: ``true`` edges; ``pooled`` and ``pooled_right``, edges that the paper's
        search gives on all rows and how many are true; ``roles`` and ``roles_right``, the same of
        :func:`valuegraph.discovery.discover` on the rows without intervention; ``halves``, mean F1
        of the paper's search on two halves of the roles.
    """
    rng = np.random.default_rng(seed)
    table = []
    for _ in track(range(models), "planted models", disable=not progress):
        model = random_model(values, rng)
        scores = model.scores(roles, rng, interventions=interventions, between=between)
        true = model.cpdag.skeleton
        pooled = paper_skeletons(scores.corr().to_numpy()[None], len(scores))[0]
        alone = discover(scores.xs(NO_INTERVENTION), alpha=ALPHA, null_draws=0).skeleton
        counts = {"true": true, "pooled": pooled, "pooled_right": pooled & true}
        counts |= {"roles": alone, "roles_right": alone & true}
        row = {name: edges.sum() // 2 for name, edges in counts.items()}
        halves = split_skeletons(as_array(scores), splits, rng)
        table.append({**row, "halves": f1_of(*halves).mean()})
    return pd.DataFrame(table)
