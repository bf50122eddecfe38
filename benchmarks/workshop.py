"""How often a random structure of five values trains in minutes, and how much is found of it.

    python benchmarks/workshop.py --structures 20 --json build/workshop.json

Each structure is drawn, trained by the small recipe, checked as its card is, and then searched as a
neighbour would who does not know it: by observing 400 and 1,000 roles, and by acting on 8. With
`--json` each structure is written when it is done, and a second call goes on after the last.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from book_support.workshop import draw_structure, learnt

import valuegraph as vg
from studies.training.building import build_organism
from studies.training.language import materials
from studies.training.recipe import SMALL_RECIPE

WATCHED, ACTED = (400, 1000), 8


def found(truth: vg.ValueGraph, guess: vg.ValueGraph) -> dict[str, int]:
    """Count edges and arrows of a guess, and those that are right."""
    pair = vg.compare_graphs(truth, guess)
    adjacent = guess.skeleton & truth.skeleton
    figures = {"shd": vg.shd(truth, guess), "edges": guess.n_edges}
    figures |= {"edges_right": adjacent.sum() // 2, "arrows": pair.counts["guessed_arrows"]}
    return {k: int(v) for k, v in figures.items()} | {
        "arrows_right": int(pair.counts["right_arrows"])
    }


def one(seed: int, folder: Path) -> dict:
    """Train, check and search one structure."""
    truth = draw_structure(seed)
    inventory, bank = materials(truth.values)
    wall, cpu = time.perf_counter(), time.process_time()
    build_organism(truth, replace(SMALL_RECIPE, seed=seed), folder, sae_recipe=None)
    row = {"seed": seed, "values": list(truth.values), "arrows": len(truth.edges)}
    row |= {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    row |= learnt(folder)
    if not row["learnt"]:
        return row
    respondent, roles = vg.load_model(folder), vg.sample_roles(bank, max(WATCHED), seed=1)
    pushes, class_ = vg.word_pushes(inventory, bank), truth.cpdag()
    scores = vg.score_answers(vg.elicit(respondent, inventory, roles))
    row["class_arrows"] = len(class_.directed_edges)
    for n in WATCHED:
        row[f"watched_{n}"] = found(class_, vg.discover(scores.iloc[:n], null_draws=0))
    answers = vg.elicit(respondent, inventory, roles[:ACTED], interventions=[None, *pushes])
    graph = vg.acted_graph(answers, pushes, null_draws=0)
    firm = {(a, b) for a, b in zip(graph.arrows["cause"], graph.arrows["effect"], strict=True)}
    true = {(a, b) for a, b, _ in truth.edges}
    row["acted"] = {"arrows": len(firm), "arrows_right": len(firm & true)}
    return row


def main(
    structures: Annotated[int, typer.Option(help="How many, from seed 0 on.")] = 20,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
    first: Annotated[int, typer.Option(help="Seed of the first.")] = 0,
) -> None:
    """Train random structures, and count how many are learnt and found."""
    rows = json.loads(json_file.read_text()) if json_file and json_file.exists() else []
    for seed in range(first + len(rows), first + structures):
        folder = Path(tempfile.mkdtemp())
        rows.append(one(seed, folder))
        shutil.rmtree(folder)
        typer.echo(json.dumps(rows[-1]))
        if json_file is not None:
            json_file.parent.mkdir(parents=True, exist_ok=True)
            json_file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
