"""What bfloat16 saves on a CPU, and what it changes in the answers of a real model::

    python benchmarks/precision.py --model Qwen/Qwen2.5-1.5B-Instruct --json FILE

Both precisions are asked in turn in one process. A processor that computes in bfloat16
(``avx512_bf16`` or ``amx_bf16`` in ``lscpu``) reads in half the time; elsewhere bfloat16 is slower
than float32, not faster. What it changes has to be compared with how far roles move a score.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from measuring import machine, matrix_product_peak, write_json

import valuegraph as vg

DTYPES = ("float32", "bfloat16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="a name of the hub, or a folder")
    parser.add_argument("--roles", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args()
    cpu, inventory = torch.device("cpu"), vg.load_inventory()
    roles = vg.sample_roles(vg.load_role_bank(), args.roles, seed=0)
    models = {dtype: vg.load_model(args.model, device="cpu", dtype=dtype) for dtype in DTYPES}
    # Seconds of the processor: other programs take part of the clock's.
    took: dict[str, list[float]] = {dtype: [] for dtype in DTYPES}
    answers = {}
    for _ in range(args.repeats):
        for dtype, model in models.items():
            start = time.process_time()
            answers[dtype] = vg.elicit(model, inventory, roles)
            took[dtype].append(time.process_time() - start)
    exact, rough = answers.values()
    change = (rough["log_odds"] - exact["log_odds"]).abs()
    scores, other = (vg.score_answers(table, by="log_odds") for table in (exact, rough))
    median = {dtype: statistics.median(times) for dtype, times in took.items()}
    figures = {
        "machine": machine(cpu),
        "model": Path(args.model).name,
        "roles": args.roles,
        "cpu_seconds": took,
        "faster": median["float32"] / median["bfloat16"],
        "matrix_product_faster": matrix_product_peak(cpu, torch.bfloat16)
        / matrix_product_peak(cpu, torch.float32),
        "log_odds_spread": float(exact["log_odds"].std()),
        "log_odds_change": float(change.mean()),
        "log_odds_change_at_most": float(change.max()),
        "answers_that_turn": float(
            (np.sign(exact["log_odds"]) != np.sign(rough["log_odds"])).mean()
        ),
        "score_spread_over_roles": float(scores.std().mean()),
        "score_change": float((scores - other).abs().to_numpy().mean()),
        "score_change_at_most": float((scores - other).abs().to_numpy().max()),
    }
    print(figures)
    write_json(figures, args.json)


if __name__ == "__main__":
    main()
