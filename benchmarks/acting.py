"""What acting costs and gives, beside watching, on organisms and on simulated respondents.

    python benchmarks/acting.py --out studies/data/calibration --organism FOLDER ...

``acting.csv`` has rows for each organism and number of roles: the cells that acting asks (one role
under one sentence), its seconds, and its arrows, right and false; beside it, PC and bagged exact
search on as many roles as that makes cells, in the same run; and acting by pushes of the residual
stream. The organisms are those of the package and, by their folders, others.

``acting_coverage.csv`` has rows for each kind and size of simulated respondents: how often 95 %
intervals hold the true weight, the share of arrows that is found, and of the pairs that no arrow
joins the share that is claimed; with cells, and seconds of the regression. Values, roles and pushes
are varied one at a time. Folders for organisms of random structures come of

    valuegraph-studies organism train --scm studies/data/calibration/random-0.json --out FOLDER
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from simulated import simulated_answers, true_weights

import valuegraph as vg
from studies import random_model

ORGANISMS = ("organism-human", "organism-alien", "organism-plain", "organism-surface")
USUAL = {"values": 10, "roles": 8, "pushes": 4}
NOISY = np.sqrt(8)  # of single answers; scores of eight have a reliability of .5
#: Kinds of respondents, and sizes of the experiment: what differs from the usual.
KINDS = (
    ("clean", {}),
    ("pushes add, instead of setting", {"sets": False}),
    ("impure pushes", {"impurity": 0.3, "pushes": 12}),
    ("a hidden common cause", {"common": 0.8}),
    ("reliability .5, 30 roles", {"noise": NOISY, "roles": 30}),
    ("reliability .5, 100 roles", {"noise": NOISY, "roles": 100}),
    *((f"{n} values", {"values": n}) for n in (5, 20)),
    *((f"{n} roles", {"roles": n}) for n in (2, 3, 4, 16)),
    *((f"{n} pushes of each value", {"pushes": n}) for n in (2, 8, 16)),
)


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
            row = {"organism": Path(name).name, "way": way}
            row |= {"roles": n if way == "acting" else asked, "cells": asked}
            row |= {"asking": per_cell * asked, "searching": seconds}
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
    row = {"organism": Path(name).name, "way": "acting inside", "roles": n}
    row |= {"cells": n * (1 + len(pushes)), "aimed": len(targets), "refused": ""}
    try:
        found = arrows(vg.acted_graph(answers, pushes, targets=targets))
    except ValueError as error:  # a value has no push, or pushes do nothing
        found, row["refused"] = set(), str(error)
    return row | judged(found, truth)


def coverage(kind: str, models: int, *, values: int, roles: int, **options) -> dict:
    """Draw models and respondents; count intervals that hold the truth, and false arrows."""
    rng, seconds = np.random.default_rng(0), 0.0
    held, right, false, absent, true_arrows = [], 0, 0, 0, 0
    for _ in range(models):
        model = random_model(values, rng)
        answers, pushes = simulated_answers(model, roles, rng, **options)
        begun = time.perf_counter()
        table = vg.acted_graph(answers, pushes, null_draws=0).table
        seconds += time.perf_counter() - begun
        true = true_weights(model, table)
        held.append(((table["low"] <= true) & (true <= table["high"])).mean())
        right += (table["firm"] & (true != 0)).sum()
        false += (table["firm"] & (true == 0)).sum()
        absent, true_arrows = absent + (true == 0).sum(), true_arrows + (true != 0).sum()
    row = {"kind": kind, "values": values, "roles": roles, "pushes": options["pushes"]}
    row |= {"models": models, "covered": np.mean(held), "error": np.std(held) / models**0.5}
    row |= {"arrows": true_arrows, "found": right, "absent": absent, "false": false}
    return row | {"cells": roles * (1 + len(pushes)), "seconds": seconds / models}


def main(
    out: Annotated[Path, typer.Option(help="Folder for both tables.")],
    roles: Annotated[list[int] | None, typer.Option(help="Roles to act on.")] = None,
    watched: Annotated[int, typer.Option(help="Most roles to watch.")] = 1128,
    models: Annotated[int, typer.Option(help="Simulated models of each kind.")] = 60,
    organism: Annotated[list[str] | None, typer.Option(help="Folders of others.")] = None,
) -> None:
    """Measure cost and coverage of acting."""
    out.mkdir(parents=True, exist_ok=True)

    def keep(name: str, rows: list[dict]) -> None:
        """Write what is there so far, and show it."""
        table = pd.DataFrame(rows)
        table.to_csv(out / f"{name}.csv", index=False, float_format="%.4g")
        typer.echo(table.round(3).to_string())

    rows, kinds = [], []
    for name in (*ORGANISMS, *(organism or ())):
        rows += [*cost(name, roles or [2, 4, 8], watched), inside(name, 8)]
        keep("acting", rows)
    for kind, options in KINDS:
        kinds.append(coverage(kind, models, **USUAL | options))
        keep("acting_coverage", kinds)


if __name__ == "__main__":
    typer.run(main)
