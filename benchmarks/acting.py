"""What acting costs and gives, beside watching, on organisms and on simulated respondents.

    python benchmarks/acting.py --json build/acting.json

*Cost*: for each organism and number of roles, the cells that acting asks (one role under one
sentence), its seconds, and its arrows, right and false; beside it, PC and bagged exact search on as
many roles as that makes cells, in the same run. *Inside*: the same by pushes of the residual
stream. *Coverage*: on simulated respondents, how often 95 % intervals hold the true weight, and how
many false arrows are claimed for each pair of values that no arrow joins. *Size*: the same, with
cells and seconds of the regression, by the numbers of values, roles and pushes.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from simulated import simulated_answers, true_weights

import valuegraph as vg
from studies import random_model

REGIMES = {
    "clean": {},
    "added to, not set": {"sets": False},
    "impure": {"impurity": 0.3, "pushes": 12},
    "hidden cause": {"common": 0.8},
    "reliability .5": {"noise": np.sqrt(8), "roles": 30},
    "reliability .5, many": {"noise": np.sqrt(8), "roles": 100},
    "three roles": {"roles": 3},
}

#: Numbers of values, roles and pushes of each value, one varied at a time.
SIZES = [
    {"values": values, "roles": roles, "pushes": pushes}
    for values, roles, pushes in (
        *((d, 8, 4) for d in (5, 10, 20)),
        *((10, r, 4) for r in (2, 4, 16)),
        *((10, 8, p) for p in (2, 8, 16)),
    )
]


def judged(claimed: set, truth: vg.StructuralModel) -> dict[str, int]:
    """Count claimed arrows that are right and false."""
    true = {(a, b) for a, b, _ in truth.edges}
    return {"right": len(claimed & true), "false": len(claimed - true), "true": len(true)}


def arrows(graph) -> set:
    """Firm arrows of an acted graph."""
    return set(zip(graph.arrows["cause"], graph.arrows["effect"], strict=True))


def cost(name: str, sizes: list[int], most_watched: int) -> list[dict]:
    """Act on so many roles by words, and watch as many as that makes cells."""
    respondent, truth = vg.load_model(name), vg.load_truth(name)
    inventory, bank = vg.load_inventory(), vg.load_role_bank()
    roles, pushes = vg.sample_roles(bank, most_watched, seed=1), vg.word_pushes(inventory, bank)
    begun = time.perf_counter()
    acted = vg.elicit(respondent, inventory, roles[: max(sizes)], interventions=[None, *pushes])
    per_cell = (time.perf_counter() - begun) / (max(sizes) * (1 + len(pushes)))
    scores = vg.score_answers(vg.elicit(respondent, inventory, roles))
    rows = []
    for n in sizes:
        cells = n * (1 + len(pushes))
        watched = scores.iloc[:cells]
        searches = {
            "acting": lambda n=n: arrows(
                vg.acted_graph(acted[acted["role"].isin([r.name for r in roles[:n]])], pushes)
            ),
            "pc": lambda w=watched: set(vg.discover(w, null_draws=0).directed_edges),
            "exact, bagged": lambda w=watched: set(
                vg.bootstrap(w, method="exact", n_resamples=100, null_draws=0)
                .graph(threshold=0.8)
                .directed_edges
            ),
        }
        for way, search in searches.items():
            begun = time.perf_counter()
            claimed = search()
            seconds = time.perf_counter() - begun
            asked = cells if way == "acting" else len(watched)
            row = {"organism": name, "way": way, "roles": n if way == "acting" else asked}
            row |= {"cells": asked, "asking": per_cell * asked, "searching": seconds}
            rows.append(row | judged(claimed, truth))
    return rows


def inside(name: str, n: int) -> dict:
    """Act by pushes inside: features whose targets words tell, or differences of means."""
    respondent, truth = vg.load_model(name), vg.load_truth(name)
    inventory, bank = vg.load_inventory(), vg.load_role_bank()
    layer, roles = vg.examine(name).site_layer, vg.sample_roles(bank, 400 + n, seed=2)
    states = vg.states(respondent, roles[n:], layer=layer)
    by_words = vg.word_pushes(inventory, bank)
    words = vg.elicit(respondent, inventory, roles[:n], interventions=[None, *by_words])
    graph = vg.acted_graph(words, by_words)
    try:
        sae = vg.load_sae(Path(name) / "sae" if Path(name).is_dir() else name)
    except (ValueError, OSError):  # a plain organism has none
        scores = vg.score_answers(vg.elicit(respondent, inventory, roles[n:]))
        means = {v: vg.difference_of_means(states, scores, v) for v in inventory.codes}
        pushes = [
            vg.Shift(f"{v} {s:+d}", layer, s * d, origin={"value": v, "kind": "difference"})
            for v, d in means.items()
            for s in (-1, 1)
        ]
        targets = {push.name: push.origin["value"] for push in pushes}
    else:
        activity = vg.feature_activity(sae, states)
        alive = np.flatnonzero((activity > 0).mean(axis=0) > 0.01)
        sizes = {f: activity[activity[:, f] > 0, f].mean() for f in alive}
        pushes = [
            vg.feature_shift(sae, int(f), coefficient=s * c)
            for f, c in sizes.items()
            for s in (-1, 1)
        ]
        targets = {}
    answers = vg.elicit(respondent, inventory, roles[:n], interventions=[None, *pushes])
    if not targets:
        direct = graph.direct_pushes(vg.effect_matrix(vg.effects_of(answers, draws=1)))
        share = direct.abs().div(direct.abs().sum(axis=1), axis=0)
        targets = share[share.max(axis=1) > 0.5].idxmax(axis=1).to_dict()
    try:
        found = vg.acted_graph(answers, pushes, targets=targets)
    except ValueError as error:
        return {"organism": name, "pushes": len(pushes), "aimed": len(targets), "why": str(error)}
    sizes = {"pushes": len(pushes), "aimed": len(targets)}
    return {"organism": name, **sizes, **judged(arrows(found), truth)}


def coverage(models: int, *, values: int = 10, roles: int = 8, **options) -> dict:
    """Draw models and respondents; count intervals that hold the truth, and false arrows."""
    rng, seconds, cells = np.random.default_rng(0), 0.0, 0
    held, right, false, absent, true_arrows = [], 0, 0, 0, 0
    for _ in range(models):
        model = random_model(values, rng)
        answers, pushes = simulated_answers(model, roles, rng, **options)
        cells, begun = roles * (1 + len(pushes)), time.perf_counter()
        table = vg.acted_graph(answers, pushes, null_draws=0).table
        seconds += time.perf_counter() - begun
        true = true_weights(model, table)
        held.append(((table["low"] <= true) & (true <= table["high"])).mean())
        right += (table["firm"] & (true != 0)).sum()
        false += (table["firm"] & (true == 0)).sum()
        absent, true_arrows = absent + (true == 0).sum(), true_arrows + (true != 0).sum()
    figures = {"covered": np.mean(held), "error": np.std(held) / models**0.5}
    figures |= {"found": right / true_arrows, "false_share": false / absent}
    return figures | {"cells": cells, "seconds": seconds / models}


def shown(console: Console, title: str, rows: list[dict]) -> None:
    """Print rows as a table."""
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(f"{x:.3g}" if isinstance(x, float) else str(x) for x in row.values()))
    console.print(table)


def main(
    json_file: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
    roles: Annotated[list[int] | None, typer.Option(help="Roles to act on.")] = None,
    watched: Annotated[int, typer.Option(help="Most roles to watch.")] = 1128,
    models: Annotated[int, typer.Option(help="Simulated models of each regime.")] = 30,
    organism: Annotated[list[str] | None, typer.Option(help="Names or folders.")] = None,
) -> None:
    """Measure cost and coverage of acting."""
    console, sizes = Console(), roles or [2, 4, 8]
    names = organism or ("organism-human", "organism-alien", "organism-plain")
    results = {
        "cost": [row for name in names for row in cost(name, sizes, watched)],
        "inside": [inside(name, 8) for name in names],
        "coverage": [
            {"regime": regime} | coverage(models, **options)
            for regime, options in REGIMES.items()
            if models
        ],
        "size": [size | coverage(models, **size) for size in SIZES if models],
    }
    for title, rows in results.items():
        if rows:
            shown(console, title, rows)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(results, indent=1, default=float) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
