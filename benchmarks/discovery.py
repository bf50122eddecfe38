"""A bootstrap of PC against a plain loop over causal-learn's `pc`, graph by graph.

    python benchmarks/discovery.py --json build/discovery.json

Both search the same resamples of the same rows: the recorded scores of Llama3-8B-IT (17 values, 814
rows), as if they were independent, for only time and equality matter here. What is compared: every
edge; every direction, with causal-learn told to mark edges on which colliders disagree
(`uc_priority=1`), which we leave undirected; and, where directions differ, whether they are equal
once our two other rules (Meek conflicts, cycles) are applied to causal-learn's own skeleton and
separating sets.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from joblib import Parallel, delayed
from rich.console import Console
from rich.progress import track

from studies.paper.recorded import load_recorded_scores
from valuegraph.discovery import prepared
from valuegraph.graph import HEAD, TAIL
from valuegraph.pc import open_triples, orient

CHUNK = 50


def resampled(sample: np.ndarray, seed: np.random.SeedSequence) -> np.ndarray:
    """Rows drawn with replacement, as the library's bootstrap draws them."""
    return sample[np.random.default_rng(seed).integers(len(sample), size=len(sample))]


def ours(scores: pd.DataFrame, seeds: list, method: str, alpha: float) -> np.ndarray:
    _, _, sample, _, search, _ = prepared(scores, method=method, alpha=alpha)
    marks, _ = search([resampled(sample, seed) for seed in seeds])
    back = np.swapaxes(marks, 1, 2)
    return (marks > 0) & ~((back == HEAD) & (marks == TAIL))


def theirs(rows: np.ndarray, alpha: float) -> tuple[np.ndarray, object]:
    from causallearn.search.ConstraintBased.PC import pc

    result = pc(rows, alpha, "fisherz", uc_rule=0, uc_priority=1, show_progress=False)
    return result.G.graph, result.sepset


def repaired(marks: np.ndarray, sepset: np.ndarray) -> np.ndarray:
    """Our rules on causal-learn's skeleton and separating sets."""
    skeleton = marks != 0
    held = np.zeros((len(skeleton),) * 3, dtype=bool)
    for x, z in np.argwhere(~skeleton & ~np.eye(len(skeleton), dtype=bool)):
        for chosen in sepset[x, z] or ():
            held[x, list(chosen), z] = True
    triples = open_triples(skeleton)
    claims = (triples & ~held).any(axis=2)
    tier = np.zeros(len(skeleton), dtype=int)
    return orient(skeleton[None], claims[None], (triples & held)[None], tier)[0][0]


def main(
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures here.")
    ] = None,
    resamples: Annotated[int, typer.Option(help="Number of resamples.")] = 1000,
    alpha: Annotated[float, typer.Option(help="Significance level.")] = 0.05,
    jobs: Annotated[int, typer.Option(help="Parallel workers of our side.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the resamples.")] = 0,
) -> None:
    scores = load_recorded_scores("llama", "train").reset_index(drop=True)
    _, _, sample, n, _, _ = prepared(scores, method="pc", alpha=alpha)
    seeds = np.random.SeedSequence(seed).spawn(resamples)
    chunks = [seeds[i : i + CHUNK] for i in range(0, resamples, CHUNK)]

    figures: dict[str, object] = {
        "data": "recorded Llama scores",
        "rows": n,
        "values": scores.shape[1],
        "resamples": resamples,
        "alpha": alpha,
        "jobs": jobs,
    }
    graphs = {}
    for method in ("pc-plain", "pc"):
        for n_jobs in sorted({1, jobs}):
            start = time.perf_counter()
            parts = Parallel(n_jobs=n_jobs)(
                delayed(ours)(scores, part, method, alpha) for part in chunks
            )
            figures[f"seconds {method}, {n_jobs} jobs"] = time.perf_counter() - start
        graphs[method] = np.concatenate(parts)

    drawn = [resampled(sample, seed) for seed in seeds]
    start = time.perf_counter()
    reference = [theirs(rows, alpha) for rows in track(drawn, "causal-learn")]
    figures["seconds causal-learn"] = time.perf_counter() - start

    plain = graphs["pc-plain"]
    same_edges = same_marks = same_rules = 0
    for graph, (marks, sepset) in zip(plain, reference, strict=True):
        edges = graph | graph.T
        same_edges += bool((edges == (marks != 0)).all())
        # -1 is a tail: the edge may point away; both ends 1 is a conflict, undirected for us.
        same_marks += bool((graph == ((marks == -1) | ((marks == 1) & (marks.T == 1)))).all())
        same_rules += bool((graph == repaired(marks, sepset)).all())
    figures |= {
        "same skeleton": same_edges,
        "same graph": same_marks,
        "same graph once both follow our rules": same_rules,
        "times faster, pc-plain": figures["seconds causal-learn"]
        / figures[f"seconds pc-plain, {jobs} jobs"],
        "times faster, pc": figures["seconds causal-learn"] / figures[f"seconds pc, {jobs} jobs"],
    }
    console = Console()
    for name, figure in figures.items():
        console.print(
            f"{name:42s} {figure:.2f}" if isinstance(figure, float) else f"{name:42s} {figure}"
        )
    if json_file:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
