"""How far the frequencies of a bootstrap can be trusted, on random models, organisms and the null.

    python benchmarks/calibration.py --out studies/data/calibration

Three tables: `models.csv` (random models with clustered rows: what of the firm edges and arrows is
true, and how many edges are found where there are none), `recorded.csv` (the null of the recorded
scores of Gemma and Llama) and `organisms.csv` (firm arrows on both organisms, by number of roles).
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
from valuegraph.downloads import DataUnavailable
from valuegraph.pc import arrows

ALPHA = 0.05
SIZES = (6, 10, 14, 17)
ROLES = (100, 200, 400, 800)
INTERVENTIONS = (2, 5, 10)
BETWEEN = (0.3, 0.6, 0.8)
DEGREES = (1.5, 2.5, 3.5)
RELIABILITY = 0.997  # correlation of an organism's scores with the true values


def null_rates(scores: pd.DataFrame, contexts: bool, alpha: float, draws: int, seed: int) -> float:
    """Share of the pairs of values that have an edge where dependence was removed."""
    graph = vg.discover(scores, alpha=alpha, contexts=contexts, null_draws=draws, seed=seed)
    d = scores.shape[1]
    return graph.info["null_edges"] / (d * (d - 1) / 2)


def model_row(number: int, seed: int, resamples: int, draws: int) -> list[dict]:
    """One random model: rows of roles alone, and of roles under interventions."""
    rng = np.random.default_rng([seed, number])
    d, roles = SIZES[number % 4], ROLES[number // 4 % 4]
    k, between = INTERVENTIONS[number % 3], BETWEEN[number // 3 % 3]
    degree = DEGREES[number // 2 % 3]
    model = random_model(d, rng, degree=degree)
    truth, compelled = model.adjacency, arrows(model.cpdag.adjacency)
    pooled = model.scores(roles, rng, interventions=k, between=between)
    rows = []
    for unit in ("roles", "contexts"):
        contexts = unit == "contexts"
        scores = pooled if contexts else pooled.xs("none")
        firm = vg.bootstrap(
            scores,
            method="pc",
            alpha=ALPHA,
            contexts=contexts,
            n_resamples=resamples,
            null_draws=0,
            seed=number,
        ).graph()
        firm = firm.among(model.values)
        edges = np.triu(firm.skeleton)
        pointed = arrows(firm.adjacency)
        false = []
        for _ in range(draws):
            empty = model.without_effects().scores(
                roles, rng, interventions=k if contexts else 0, between=between
            )
            empty = empty if contexts else empty.xs("none")
            graph = vg.discover(empty, alpha=ALPHA, contexts=contexts, null_draws=0)
            false.append(graph.among(model.values).n_edges)
        rows.append(
            {
                "model": number,
                "unit": unit,
                "values": d,
                "true_edges": int(truth.sum()),
                "roles": roles,
                "interventions": k if contexts else 0,
                "between": between,
                "firm_edges": int(edges.sum()),
                "firm_edges_true": int((edges & (truth | truth.T)).sum()),
                "firm_arrows": int(pointed.sum()),
                "firm_arrows_true": int((pointed & truth).sum()),
                "firm_arrows_compelled": int((pointed & compelled).sum()),
                "null_rate_per_alpha": float(np.mean(false)) / (d * (d - 1) / 2) / ALPHA,
            }
        )
    return rows


def recorded_rows(draws: int) -> list[dict]:
    """The null of the recorded scores."""
    rows = []
    for model in ("gemma", "llama"):
        try:
            pooled = load_recorded_scores(model, "train")
        except DataUnavailable as error:
            typer.echo(f"left out: {error}", err=True)
            continue
        for alpha in (0.01, 0.05):
            for unit, contexts in (("roles", False), ("contexts", True)):
                scores = pooled if contexts else pooled.xs("none")
                rate = null_rates(scores, contexts, alpha, draws, 0)
                rows.append(
                    {
                        "model": model,
                        "unit": unit,
                        "alpha": alpha,
                        "draws": draws,
                        "null_rate_per_alpha": rate / alpha,
                    }
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
    rows = []
    for number in track(range(models), "random models"):
        rows += model_row(number, 0, resamples, draws)
    tables = {
        "models": pd.DataFrame(rows),
        "recorded": pd.DataFrame(recorded_rows(10 * draws)),
        "organisms": pd.DataFrame(organism_rows((400, 800, 1200, 2000), seeds, resamples, scores)),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(out / f"{name}.csv", index=False, float_format="%.4f")
        console.print(table.to_string())
    by_unit = tables["models"].groupby("unit")
    summary = {
        unit: {
            "firm_edges": int(part["firm_edges"].sum()),
            "share_true": float(part["firm_edges_true"].sum() / part["firm_edges"].sum()),
            "firm_arrows": int(part["firm_arrows"].sum()),
            "arrows_true": float(part["firm_arrows_true"].sum() / part["firm_arrows"].sum()),
            "null_rate_per_alpha": float(part["null_rate_per_alpha"].mean()),
            "null_rate_per_alpha_max": float(part["null_rate_per_alpha"].max()),
        }
        for unit, part in by_unit
    }
    summary["settings"] = {
        "models": models,
        "resamples": resamples,
        "draws": draws,
        "seeds": seeds,
        "alpha": ALPHA,
        "elicited": scores is not None,
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    console.print_json(data=summary)


if __name__ == "__main__":
    typer.run(main)
