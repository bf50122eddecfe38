"""How far the frequencies of a bootstrap can be trusted, on random models, organisms and the null.

    python benchmarks/calibration.py --out studies/data/calibration

Three tables: `models.csv` (random models: what of the firm edges and arrows is true, and how many
edges are found where there are none), `recorded.csv` (the null of the recorded scores of Gemma and
Llama) and `organisms.csv` (firm arrows on both organisms, by number of roles).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.progress import track

import valuegraph as vg
from studies.paper.recorded import load_recorded_scores
from studies.simulation import random_model
from valuegraph.pc import arrows

ALPHA = 0.05
SIZES = (6, 10, 14, 17)
ROLES = (100, 200, 400, 800)
# Rows under interventions are drawn and left out: so the random numbers are those of the stored
# table.
INTERVENTIONS = (2, 5, 10)
BETWEEN = (0.3, 0.6, 0.8)
DEGREES = (1.5, 2.5, 3.5)
RELIABILITY = 0.997  # correlation of an organism's scores with the true values


def model_row(number: int, seed: int, resamples: int, draws: int) -> dict:
    """One random model, searched by one row a role."""
    rng = np.random.default_rng([seed, number])
    d, roles = SIZES[number % 4], ROLES[number // 4 % 4]
    k, between = INTERVENTIONS[number % 3], BETWEEN[number // 3 % 3]
    degree = DEGREES[number // 2 % 3]
    model = random_model(d, rng, degree=degree)
    truth, compelled = model.adjacency, arrows(model.cpdag.adjacency)
    scores = model.scores(roles, rng, interventions=k, between=between).xs("none")
    options = {"method": "pc", "alpha": ALPHA, "null_draws": 0}
    firm = vg.bootstrap(scores, n_resamples=resamples, seed=number, **options).graph()
    edges = np.triu(firm.skeleton)
    pointed = arrows(firm.adjacency)
    false = []
    for _ in range(draws):
        empty = model.without_effects().scores(roles, rng, between=between).xs("none")
        false.append(vg.discover(empty, **options).n_edges)
    return {
        "model": number,
        "values": d,
        "true_edges": int(truth.sum()),
        "roles": roles,
        "firm_edges": int(edges.sum()),
        "firm_edges_true": int((edges & (truth | truth.T)).sum()),
        "firm_arrows": int(pointed.sum()),
        "firm_arrows_true": int((pointed & truth).sum()),
        "firm_arrows_compelled": int((pointed & compelled).sum()),
        "null_rate_per_alpha": float(np.mean(false)) / (d * (d - 1) / 2) / ALPHA,
    }


def recorded_rows(draws: int) -> list[dict]:
    """The null of the recorded scores."""
    rows = []
    for model in ("gemma", "llama"):
        scores = load_recorded_scores(model, "train").xs("none")
        for alpha in (0.01, 0.05):
            graph = vg.discover(scores, alpha=alpha, null_draws=draws)
            pairs = scores.shape[1] * (scores.shape[1] - 1) / 2
            rate = graph.info["null_edges"] / pairs / alpha
            rows.append(
                {"model": model, "alpha": alpha, "draws": draws, "null_rate_per_alpha": rate}
            )
    return rows


def organism_scores(name: str, n: int, seed: int, folder: Path | None) -> pd.DataFrame:
    """Elicited scores where a folder has them, else draws of the structure with a little noise."""
    if folder is not None:
        table = pd.read_csv(folder / f"{name}-{seed}.csv")
        return table[list(vg.load_truth(f"organism-{name}").values)].head(n)
    scores = vg.load_truth(f"organism-{name}").sample(n, seed=seed)
    noise = np.random.default_rng([seed, 1]).standard_normal(scores.shape)
    return scores + noise * scores.std().to_numpy() * np.sqrt(RELIABILITY**-2 - 1)


def organism_rows(
    sizes: tuple[int, ...], seeds: int, resamples: int, folder: Path | None
) -> list[dict]:
    """Firm arrows on both organisms, seeds added up."""
    rows = []
    cells = [
        (name, method, alpha, n)
        for name in ("human", "alien")
        for method in ("pc", "pc-plain")
        for alpha in (0.01, 0.05)
        for n in sizes
    ]
    for name, method, alpha, n in track(cells, "organisms"):
        truth = vg.load_truth(f"organism-{name}")
        compelled = arrows(truth.cpdag().adjacency)
        counts = np.zeros(5, dtype=int)
        for seed in range(seeds):
            firm = vg.bootstrap(
                organism_scores(name, n, seed, folder),
                method=method,
                alpha=alpha,
                n_resamples=resamples,
                null_draws=0,
                seed=seed,
            ).graph()
            pointed, edges = arrows(firm.adjacency), np.triu(firm.skeleton)
            both = truth.adjacency | truth.adjacency.T
            counts += [
                pointed.sum(),
                (pointed & truth.adjacency).sum(),
                (pointed & compelled).sum(),
                edges.sum(),
                (edges & both).sum(),
            ]
        names = ("arrows", "arrows_true", "arrows_compelled", "edges", "edges_true")
        rows.append(
            {"organism": name, "method": method, "alpha": alpha, "roles": n, "seeds": seeds}
            | {key: int(count) for key, count in zip(names, counts, strict=True)}
        )
    return rows


def main(
    out: Annotated[Path, typer.Option(help="Folder of the three tables.")],
    models: Annotated[int, typer.Option(help="Number of random models.")] = 24,
    resamples: Annotated[int, typer.Option(help="Resamples of each bootstrap.")] = 200,
    draws: Annotated[int, typer.Option(help="Draws of each null.")] = 40,
    seeds: Annotated[int, typer.Option(help="Role seeds of each organism.")] = 10,
    scores: Annotated[Path | None, typer.Option(help="Folder of elicited scores.")] = None,
) -> None:
    console = Console()
    numbers = track(range(models), "random models")
    rows = [model_row(number, 0, resamples, draws) for number in numbers]
    tables = {
        "models": pd.DataFrame(rows),
        "recorded": pd.DataFrame(recorded_rows(10 * draws)),
        "organisms": pd.DataFrame(organism_rows((400, 800, 1200, 2000), seeds, resamples, scores)),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(out / f"{name}.csv", index=False, float_format="%.4f")
        console.print(table.to_string())
    table = tables["models"]
    summary = {
        "roles": {
            "firm_edges": int(table["firm_edges"].sum()),
            "share_true": float(table["firm_edges_true"].sum() / table["firm_edges"].sum()),
            "firm_arrows": int(table["firm_arrows"].sum()),
            "arrows_true": float(table["firm_arrows_true"].sum() / table["firm_arrows"].sum()),
            "null_rate_per_alpha": float(table["null_rate_per_alpha"].mean()),
            "null_rate_per_alpha_max": float(table["null_rate_per_alpha"].max()),
        },
        "settings": {
            "models": models,
            "resamples": resamples,
            "draws": draws,
            "seeds": seeds,
            "alpha": ALPHA,
            "elicited": scores is not None,
        },
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    console.print_json(data=summary)


if __name__ == "__main__":
    typer.run(main)
