"""Does a feature hang on the seed? All features of two organisms, pushed, and their twins as well::

    python benchmarks/twins.py --out studies/data/twins.csv

Each feature is added at its typical activity (the mean where it fires); its twin, the most similar
feature of an autoencoder trained alike from another seed, is added at the same length.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from book_support.twins import match_twins, twin_pushes

import valuegraph as vg
from valuegraph.effects import changes
from valuegraph.organisms import organism_folder
from valuegraph.sae import feature_activity, hook_layer, load_sae

COLUMNS = "organism feature twin cosine correlation rate size same missed".split()


def measure(name: str, *, n_states: int, n_roles: int) -> pd.DataFrame:
    """A row for each feature of an organism; see `studies.stored.load_study`."""
    model, bank = vg.load_model(name), vg.load_role_bank()
    sae, twin = load_sae(name), load_sae(organism_folder(name) / "sae_seed_1")
    roles = vg.sample_roles(bank, n_states + n_roles, p_fact=0.5, seed=1)
    seen = vg.states(model, roles[:n_states], layer=hook_layer(sae))
    table = match_twins(sae, twin, range(sae.cfg.d_sae), seen)
    activity = feature_activity(sae, seen)
    table["rate"] = (activity > 0).mean(0)
    table = table[table["rate"] > 0].reset_index(drop=True)
    typical = activity.sum(0) / np.maximum(1, (activity > 0).sum(0))
    pushes = [vg.feature_shift(sae, f, coefficient=float(typical[f])) for f in table["feature"]]
    controls = twin_pushes(pushes, table, twin)
    asked = [None, *pushes, *controls]
    answers = vg.elicit(model, vg.load_inventory(), roles[n_states:], interventions=asked)
    mean = changes(answers).groupby(level=0).mean()
    own, other = (mean.loc[[p.name for p in some]].to_numpy() for some in (pushes, controls))
    sizes = np.linalg.norm(own, axis=1)
    table["size"] = sizes / np.sqrt(own.shape[1])
    table["same"] = (own * other).sum(1) / sizes / np.linalg.norm(other, axis=1)
    table["missed"] = np.linalg.norm(own - other, axis=1) / sizes
    return table.assign(organism=name)[COLUMNS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--states", type=int, default=2000)
    parser.add_argument("--roles", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("studies/data/twins.csv"))
    args = parser.parse_args()
    names = ("organism-human", "organism-alien")
    tables = [measure(name, n_states=args.states, n_roles=args.roles) for name in names]
    table = pd.concat(tables).round(4)
    table.to_csv(args.out, index=False)
    close = table["cosine"] > 0.9
    print(table.groupby(["organism", close])[["size", "same", "missed"]].describe().T.to_string())


if __name__ == "__main__":
    main()
