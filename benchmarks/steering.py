"""How fast a grid of roles and features is asked: 60 roles, 64 features, 80 items on an organism.

Three ways are compared in one process, taking turns, each on a part of the grid::

    python benchmarks/steering.py --json figures.json

* the *split forward*: all features of a role in one call, layers below the shift once a role;
* *batched*: one call for each feature, so that roles share batches and no layer is shared;
* a *loop over cells*: one call for each role and feature.

Then the whole grid is asked in one process and in two. Layers alone bound what the split can gain
over batches: with ``n`` layers and a shift after layer ``l`` at ``n / (n - l - 1)``, which is 2.5
for an organism (5 layers, shift after 2), 3.6 for Gemma-2B (18, after 12) and 5.3 for Llama-3-8B
(32, after 25). The last layer is cheaper than the others (its MLP runs on one token a question), so
that a split just below it can gain more.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from measuring import machine, matrix_product_peak, seconds, write_json
from rich.console import Console
from rich.table import Table

import valuegraph as vg
from valuegraph.interventions import Shift
from valuegraph.models import Respondent
from valuegraph.organisms import organism_folder
from valuegraph.roles import Role
from valuegraph.sae import feature_shift, load_sae

#: Roles of the part of the grid on which the ways are compared.
FEW = 5


def ask(model: Respondent, roles: Sequence[Role], shifts: Sequence[Shift]) -> pd.DataFrame:
    """Ask some roles all items under some shifts."""
    return vg.elicit(model, vg.load_inventory(), roles, interventions=shifts)


def batched(model: Respondent, roles: Sequence[Role], shifts: Sequence[Shift]) -> pd.DataFrame:
    """One call for each shift."""
    return pd.concat([ask(model, roles, [shift]) for shift in shifts])


def loop(model: Respondent, roles: Sequence[Role], shifts: Sequence[Shift]) -> pd.DataFrame:
    """One call for each role and shift."""
    return pd.concat([ask(model, [role], [shift]) for role in roles for shift in shifts])


def share_of_grid(name: str, roles: Sequence[Role], shifts: Sequence[Shift]) -> pd.DataFrame:
    """What one process does: load the organism and ask its share of the roles."""
    torch.set_num_threads(1)
    return ask(vg.load_model(name), roles, shifts)


def whole_grid(
    pool: Parallel, name: str, roles: Sequence[Role], shifts: Sequence[Shift]
) -> list[pd.DataFrame]:
    """Ask the whole grid, each process as many roles."""
    shares = [roles[k :: pool.n_jobs] for k in range(pool.n_jobs)]
    return pool(delayed(share_of_grid)(name, share, shifts) for share in shares)


def largest_difference(answers: pd.DataFrame, others: pd.DataFrame) -> float:
    """Largest difference between log-odds of the same questions, in log-odds."""
    index = ["role", "intervention", "item"]
    log_odds = answers.set_index(index)["log_odds"]
    other = others.set_index(index)["log_odds"]
    return float((log_odds.loc[other.index] - other).abs().max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="organism-human")
    parser.add_argument("--roles", type=int, default=60)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--processes", type=int, nargs="*", default=[2, 1], help="of the grid")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    cpu, name, n_items = torch.device("cpu"), args.model, len(vg.load_inventory().items)
    torch.set_num_threads(1)
    roles = vg.sample_roles(vg.load_role_bank(), args.roles, seed=0)
    model, sae = vg.load_model(name), load_sae(organism_folder(name) / "sae")
    shifts = [feature_shift(sae, k, coefficient=1.0) for k in range(args.features)]
    # Of each way a part of the grid that takes about as long: roles and features.
    parts = {
        "split forward": (ask, roles[:FEW], shifts),
        "batched": (batched, roles[:FEW], shifts[: args.features // 4]),
        "loop over cells": (loop, roles[:1], shifts[: args.features // 2]),
    }
    answers = {way: run(model, *part) for way, (run, *part) in parts.items()}  # warms up, too
    differences = {way: largest_difference(answers["split forward"], answers[way]) for way in parts}
    times: dict[str, list[float]] = {way: [] for way in parts}
    peaks = []
    # The ways take turns, so that a busy minute of the machine hits all of them.
    for _ in range(args.repeats):
        peaks.append(matrix_product_peak(cpu, torch.float32))
        for way, (run, some_roles, some_shifts) in parts.items():
            taken = seconds(lambda r=run, a=some_roles, b=some_shifts: r(model, a, b), cpu)
            times[way].append(taken / len(some_roles) / len(some_shifts))
    cells = args.roles * args.features
    rows = []
    for way in parts:
        per_cell = statistics.median(times[way])
        pairs = zip(times[way], times["split forward"], strict=True)
        ratios = sorted(t / split for t, split in pairs)
        rows.append(
            {
                "way": way,
                "part_of_grid": len(parts[way][1]) * len(parts[way][2]) / cells,
                "ms_per_cell": 1000 * per_cell,
                "answers_per_s": n_items / per_cell,
                "grid_s": cells * per_cell,
                "split_is_faster": statistics.median(ratios),
                "low": ratios[0],
                "high": ratios[-1],
                "largest_difference": differences[way],
            }
        )
    grid = []
    for processes in args.processes:
        with Parallel(n_jobs=processes) as pool:
            whole_grid(pool, name, roles[: 2 * processes], shifts[:2])  # imports
            taken = seconds(lambda p=pool: whole_grid(p, name, roles, shifts), cpu)
        grid.append({"processes": processes, "seconds": taken})
    print_tables(rows, grid, cells, n_items, float(np.max(peaks)))
    write_json(
        {
            "machine": machine(cpu),
            "load_average": os.getloadavg(),
            "model": name,
            "roles": args.roles,
            "features": args.features,
            "items": n_items,
            "matrix_peak_flop_per_s": float(np.max(peaks)),
            "ways": rows,
            "grid": grid,
        },
        args.json,
    )


def print_tables(rows: list[dict], grid: list[dict], cells: int, items: int, peak: float) -> None:
    table = Table(
        title=f"one process, one thread; {cells} cells of {items} items; "
        f"matrix product {peak / 1e9:.0f} GFLOP/s"
    )
    for column in ("way", "part", "ms/cell", "answers/s", "grid, s", "split faster", "range"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for row in rows:
        table.add_row(
            row["way"],
            f"{row['part_of_grid']:.1%}",
            f"{row['ms_per_cell']:.1f}",
            f"{row['answers_per_s']:.0f}",
            f"{row['grid_s']:.0f}",
            f"{row['split_is_faster']:.2f}",
            f"{row['low']:.2f} ... {row['high']:.2f}",
        )
    console = Console()
    console.print(table)
    table = Table(title=f"the whole grid, split forward (load {os.getloadavg()[0]:.1f})")
    for column in ("processes", "seconds"):
        table.add_column(column, justify="right")
    for row in grid:
        table.add_row(str(row["processes"]), f"{row['seconds']:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
