"""How often a random structure of five values trains in minutes, and how much is found of it.

    python benchmarks/workshop.py --structures 20 --models build/workshop --csv build/workshop.csv

Each structure is drawn, trained by the small recipe, checked as its card is, and then searched as a
neighbour would who does not know it: by observing 400 and 1,000 roles, and by acting on 8. A second
call goes on after the last structure that is in the table. Columns of the table:

* `seed`, `values`; `arrows` of the structure, and `class_arrows`, those of its CPDAG;
* `cpu`, `wall`: seconds of the training (empty where the model was there already);
* `correlation`, `cosine`, `learnt`: what `python -m book_support.workshop learnt` says;
* `watched_400_edges`, `..._edges_right`, `..._arrows`, `..._arrows_right`, `..._shd` against the
  CPDAG, the same for 1,000 roles, and for `acted`, against all arrows.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from book_support.workshop import draw_structure, learnt

import valuegraph as vg
from studies.training.building import build_organism
from studies.training.language import materials
from studies.training.recipe import SMALL_RECIPE
from valuegraph.metrics import shd

WATCHED, ACTED = (400, 1000), 8


def found(way: str, truth: vg.ValueGraph, guess: vg.ValueGraph) -> dict[str, int]:
    """Count edges and arrows of a guess, and those that are right."""
    counts = vg.compare_graphs(truth, guess).counts
    right = counts["guessed_edges"] - counts["extra"]
    figures = {"edges": counts["guessed_edges"], "edges_right": right}
    figures |= {"arrows": counts["guessed_arrows"], "arrows_right": counts["right_arrows"]}
    return {f"{way}_{name}": n for name, n in (figures | {"shd": int(shd(truth, guess))}).items()}


def one(seed: int, folder: Path) -> dict:
    """Train, check and search one structure."""
    truth = draw_structure(seed)
    inventory, bank = materials(truth.values)
    graph = vg.ValueGraph.from_adjacency(truth.values, truth.adjacency, {})
    row = {"seed": seed, "values": " ".join(truth.values), "arrows": len(truth.edges)}
    row |= {"class_arrows": len(truth.cpdag().directed_edges), "cpu": None, "wall": None}
    if not (folder / "training.json").exists():
        wall, cpu = time.perf_counter(), time.process_time()
        build_organism(truth, replace(SMALL_RECIPE, seed=seed), folder, sae_recipe=None)
        row |= {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    row |= learnt(folder)
    if not row["learnt"]:
        return row
    respondent, roles = vg.load_model(folder), vg.sample_roles(bank, max(WATCHED), seed=1)
    scores = vg.score_answers(vg.elicit(respondent, inventory, roles))
    for n in WATCHED:
        guess = vg.discover(scores.iloc[:n], null_draws=0)
        row |= found(f"watched_{n}", truth.cpdag(), guess)
    pushes = vg.word_pushes(inventory, bank)
    answers = vg.elicit(respondent, inventory, roles[:ACTED], interventions=[None, *pushes])
    acted = vg.acted_graph(answers, pushes, null_draws=0)
    return row | found("acted", graph, acted.value_graph())


def main(
    models: Annotated[Path, typer.Option(help="Folder for the models.")],
    csv: Annotated[Path, typer.Option(help="File for the table.")],
    structures: Annotated[int, typer.Option(help="How many.")] = 20,
    first: Annotated[int, typer.Option(help="Seed of the first.")] = 0,
) -> None:
    """Train random structures, and count how many are learnt and found."""
    rows = pd.read_csv(csv).to_dict("records") if csv.exists() else []
    csv.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(first + len(rows), first + structures):
        rows.append(one(seed, models / str(seed)))
        typer.echo(rows[-1])
        pd.DataFrame(rows).round(4).to_csv(csv, index=False)


if __name__ == "__main__":
    typer.run(main)
