"""How often the verdict on a model is right, and how it moves with the number of roles.

Eight kinds of respondents whose verdict is known beforehand are compared with people:

* both organisms, over seeds and under every treatment of both sides: one was fitted to people's
  correlations, the other rewired;
* samples of the 13 countries, each against the other twelve, and of other human samples: they are
  people, so "outside" is false at the rate of alpha;
* people measured at .3, .5 and .7 of their reliability: "outside" is false;
* respondents without human structure (independent values; one common factor; people's correlations
  with permuted labels): "inside" is false, and where there is no pattern nothing can be told;
* people with the names of two values exchanged, Security and Universalism, or Achievement and
  Power: "inside" is false;
* the ideal circle of the theory, where correlations fall as a cosine of the distance;
* respondents at the margin: people's correlations mixed with permuted ones until they agree with
  people as the country at the 5 % point does. "Inside" is false at the rate of alpha at most.

Scores of the organisms are read from a folder with files ``human-0.csv``, ``alien-0.csv``, ...
(one row a role, one column a value) or, without one, drawn from their structural models, with
measurement error as small as that of elicited scores.

    python benchmarks/verdicts.py --scores FOLDER --json verdicts.json --csv verdicts.csv
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.special import ndtri

import valuegraph as vg
from valuegraph.correlations import pattern
from valuegraph.discovery import draw_correlations
from valuegraph.humans import (
    MARGIN,
    HumanReference,
    human_band,
    load_human_countries,
    pool_countries,
)
from valuegraph.inventory import SCHWARTZ_ORDER

SIZES = (50, 100, 200, 300, 500, 1000, 2000)
CONTROL_SIZES = (50, 200, 500, 1000)
MARGIN_DRAWS = 10
SCORE_ACCURACY = 0.997  # correlation of elicited scores with the true values
VALUES = list(SCHWARTZ_ORDER)
KINDS = ("other people", "unreliable people", "exchanged", "circle", "no structure")


def organism_scores(name: str, seed: int, folder: Path | None) -> pd.DataFrame:
    """Read the elicited scores of one seed, or draw them."""
    if folder is not None:
        return pd.read_csv(folder / f"{name}-{seed}.csv")[VALUES]
    scores = vg.load_truth(f"organism-{name}").sample(max(SIZES), seed=seed)
    noise = np.random.default_rng((seed, 99)).standard_normal(scores.shape)
    return scores + noise * np.sqrt(1 / SCORE_ACCURACY**2 - 1)


def organism_runs(seed: int, folder: Path | None) -> pd.DataFrame:
    """Compare both organisms of one seed at every size, under every treatment."""
    tables = []
    for name in ("human", "alien"):
        scores = organism_scores(name, seed, folder)
        sizes = [n for n in SIZES if n <= len(scores)]
        for verdict in (vg.compare(scores.iloc[:n], seed=seed) for n in sizes):
            table = verdict.sensitivity.assign(n=verdict.n)
            raw = table["treatment"] == verdict.treatment
            for figure in ("ceiling_model", "ceiling_human", "needed_n"):
                table.loc[raw, figure] = getattr(verdict, figure)
            tables.append(table.assign(respondent=f"organism-{name}", draw=seed))
    return pd.concat(tables)


def control_samples(seed: int) -> Iterator[tuple[str, str, np.ndarray, HumanReference]]:
    """Yield kind, name, correlations of the population and the reference of each control."""
    countries = load_human_countries()
    for name, country in countries.items():
        rest = pool_countries([other for other in countries if other != name])
        yield "country", name, country.correlation.to_numpy(), replace(rest, name="ess11")
    for name in ("gss2012", "ess9_germany", "pvq40"):
        yield "other people", name, vg.load_human(name).correlation.to_numpy(), vg.load_human()
    people = vg.load_human().correlation.loc[VALUES, VALUES].to_numpy()
    for share in (0.3, 0.5, 0.7):
        measured = np.where(np.eye(10), 1.0, share * people)
        yield "unreliable people", f"people at {share}", measured, vg.load_human()
    for one, other in (("SE", "UN"), ("AC", "PO")):
        names = [{one: other, other: one}.get(value, value) for value in VALUES]
        turned = vg.load_human().correlation.loc[names, names].to_numpy()
        yield "exchanged", f"{one} and {other} exchanged", turned, vg.load_human()
    circle = 0.2 + 0.3 * np.cos(2 * np.pi * np.subtract.outer(np.arange(10), np.arange(10)) / 10)
    np.fill_diagonal(circle, 1.0)
    yield "circle", "ideal circle", circle, vg.load_human()
    order = np.random.default_rng((seed, 7)).permutation(10)
    yield "no structure", "permuted labels", people[np.ix_(order, order)], vg.load_human()
    yield "no structure", "independent", np.eye(10), vg.load_human()
    yield "no structure", "one factor", 0.75 * np.eye(10) + 0.25, vg.load_human()


def margin_matrix(n: int, seed: int) -> np.ndarray:
    """Return correlations whose samples of n agree with people as the country at the margin."""
    human = vg.load_human()
    people = human.correlation.to_numpy()
    order = np.random.default_rng((seed, 8)).permutation(10)
    other = people[np.ix_(order, order)]
    band = human_band(human, n)
    target = band.mean + ndtri(MARGIN) * band.between_sd
    low, high = 0.0, 1.0
    for _ in range(12):
        mixed = (low + high) / 2 * people + (1 - (low + high) / 2) * other
        # The same draws at every step, so that halving the interval finds the crossing.
        draws = draw_correlations(mixed, n, draws=1000, rng=np.random.default_rng((seed, 9)))
        too_close = pattern(draws, people).mean() > target
        low, high = (low, (low + high) / 2) if too_close else ((low + high) / 2, high)
    return mixed


def margin_runs(seed: int) -> pd.DataFrame:
    """Compare some samples of respondents at the margin, at every size."""
    verdicts = []
    for n in CONTROL_SIZES:
        root = np.linalg.cholesky(margin_matrix(n, seed)).T
        rng = np.random.default_rng((seed, n))
        for _ in range(MARGIN_DRAWS):
            scores = pd.DataFrame(rng.standard_normal((n, 10)) @ root, columns=VALUES)
            verdicts.append(vg.compare(scores, sensitivity=False, seed=seed))
    return table_of(verdicts).assign(respondent="at the margin", draw=seed)


def control_runs(seed: int) -> pd.DataFrame:
    """Compare one sample of every control at every size."""
    tables = []
    for number, (kind, name, matrix, human) in enumerate(control_samples(seed)):
        rng = np.random.default_rng((seed, number))
        rows = rng.standard_normal((max(CONTROL_SIZES), 10)) @ np.linalg.cholesky(matrix).T
        scores = pd.DataFrame(rows, columns=VALUES)
        options = {"sensitivity": False, "seed": seed}
        verdicts = [vg.compare(scores.iloc[:n], human, **options) for n in CONTROL_SIZES]
        tables.append(table_of(verdicts).assign(respondent=name, kind=kind, draw=seed))
    return pd.concat(tables)


def table_of(verdicts: list) -> pd.DataFrame:
    """Put verdicts into a table, one row each."""
    return pd.DataFrame([verdict.to_dict() for verdict in verdicts])


def summary(runs: pd.DataFrame, by: str) -> pd.DataFrame:
    """Count verdicts by respondent and size."""
    groups = runs.groupby([by, "treatment", "n"], sort=False)
    table = pd.DataFrame({"runs": groups.size()})
    for verdict in ("inside", "outside", "cannot tell"):
        table[verdict] = groups["verdict"].agg(
            lambda verdicts, v=verdict: int((verdicts == v).sum())
        )
    for column in ("agreement", "band_low", "band_high", "ceiling_model", "ceiling_human"):
        table[column] = groups[column].mean().round(3)
    for column in ("p_inside", "p_outside"):
        table[f"median_{column}"] = groups[column].median().map(lambda p: float(f"{p:.2g}"))
    table["median_needed_n"] = groups["needed_n"].median()
    return table.reset_index().rename(columns={by: "respondent"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scores", type=Path, help="folder of elicited scores; else simulated")
    parser.add_argument("--seeds", type=int, default=10, help="role seeds, and draws of controls")
    parser.add_argument("--jobs", type=int, default=1, help="workers; no influence on results")
    parser.add_argument("--json", type=Path, help="where every run is written")
    parser.add_argument("--csv", type=Path, help="where the summary is written")
    options = parser.parse_args()

    def spread(work, *arguments):
        jobs = (delayed(work)(seed, *arguments) for seed in range(options.seeds))
        tables = []
        for table in Parallel(n_jobs=options.jobs, return_as="generator")(jobs):
            tables.append(table)
            print(f"{work.__name__}: {len(tables)} of {options.seeds}", file=sys.stderr)
        return pd.concat(tables, ignore_index=True)

    organisms = spread(organism_runs, options.scores)
    controls = spread(control_runs)
    margin = spread(margin_runs)
    table = pd.concat(
        [
            summary(organisms, "respondent").assign(kind="organism"),
            summary(controls[controls["kind"] == "country"], "kind").assign(kind="country"),
            *(
                summary(controls[controls["kind"] == kind], "respondent").assign(kind=kind)
                for kind in KINDS
            ),
            summary(margin, "respondent").assign(kind="margin"),
        ],
        ignore_index=True,
    )
    table.insert(0, "kind", table.pop("kind"))
    drawn = (table["kind"] != "organism") | (options.scores is None)
    table.insert(1, "scores", np.where(drawn, "drawn", "elicited"))
    print(table.to_string(index=False))
    if options.csv:
        table.to_csv(options.csv, index=False)
    if options.json:
        settings = {
            "scores": "elicited" if options.scores else "drawn from the structural models",
            "seeds": options.seeds,
            "sizes": SIZES,
            "control_sizes": CONTROL_SIZES,
        }
        content = {
            "settings": settings,
            "organisms": json.loads(organisms.to_json(orient="records")),
            "controls": json.loads(controls.to_json(orient="records")),
            "margin": json.loads(margin.to_json(orient="records")),
            "summary": json.loads(table.to_json(orient="records")),
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
