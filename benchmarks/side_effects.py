"""Does the discovered graph predict the side effects of steering?

Respondents whose truth is known, and recorded ones:

* both interchange organisms, under pushes of their autoencoders' features, under directions that
  are differences of means, and under words (stances and single facts);
* the plain organism, whose site does not carry the mechanism, under directions and words;
* the recorded scores of Gemma-2B-IT and Llama3-8B-IT under all recorded features: from the training
  roles to the test roles, who were asked other items, and between halves of the training roles, who
  were asked the same.

For each: the skill of every predictor with its interval. Then, on the interchange organisms, how
skill depends on the number of roles from whose scores the graph and correlations come.

What was elicited is kept in a folder and read again from there; it takes most of the time.

    python benchmarks/side_effects.py --folder FOLDER --csv side_effects.csv
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from causallearn.search.ScoreBased.GES import ges
from scipy.stats import chi2

import valuegraph as vg
from studies import side_effects as by
from studies.paper.graphs import closure, paper_graph
from studies.paper.recorded import load_recorded_scores, reference_graph
from studies.side_effects import Predictor, SideEffects, predict_side_effects
from valuegraph.answers import NO_INTERVENTION
from valuegraph.organisms import organism_folder
from valuegraph.roles import NO_ROLE

INTERCHANGE = ("organism-human", "organism-alien")
BASELINE = 2000  # roles behind the graph
PLAIN_BASELINE = 1000
SIZES = (100, 300, 1000, 2000)
ROLES = {"features": 20, "directions": 10, "words": 10}  # training roles, and as many test roles
ROLE_SEED = 2001
DIRECTION_ROLES = 500  # whose states and scores the differences of means come from
SITE_LAYER = 2
LEVEL = 2.0  # of stances and facts, both signs
CHUNK = 10  # interventions asked at a time, and kept
RECORDED = {"gemma": "Gemma-2B-IT", "llama": "Llama3-8B-IT"}


def say(what: str) -> None:
    print(time.strftime("%H:%M:%S"), what, file=sys.stderr, flush=True)


def kept(folder: Path, name: str, make) -> pd.DataFrame:
    """Read a table from the folder, or make it and keep it there."""
    path = folder / f"{name}.csv"
    if not path.is_file():
        make().to_csv(path)
        say(f"elicited {path.name}")
    table = pd.read_csv(path)
    index = [c for c in ("intervention", "role") if c in table]
    return table.set_index(index)


def baseline_scores(name: str, seed: int, folder: Path) -> pd.DataFrame:
    """Scores of many roles without intervention."""

    def elicited() -> pd.DataFrame:
        n = BASELINE if name in INTERCHANGE else PLAIN_BASELINE
        roles = vg.sample_roles(vg.load_role_bank(), n, seed=seed)
        return vg.score_answers(vg.elicit(vg.load_model(name), vg.load_inventory(), roles))

    return kept(folder, f"{name}-baseline-{seed}", elicited)


def steered_scores(name: str, kind: str, folder: Path) -> pd.DataFrame:
    """Scores of training and test roles without intervention and under all of a kind."""

    def elicited() -> pd.DataFrame:
        respondent, inventory = vg.load_model(name), vg.load_inventory()
        roles = vg.sample_roles(vg.load_role_bank(), 2 * ROLES[kind], seed=ROLE_SEED)
        interventions = [None, *interventions_of(respondent, kind, folder)]
        chunks = []
        for start in range(0, len(interventions), CHUNK):
            some = interventions[start : start + CHUNK]
            chunks.append(
                kept(
                    folder,
                    f"{name}-{kind}-{start // CHUNK:02d}",
                    lambda some=some: scores_under(
                        vg.elicit(respondent, inventory, roles, interventions=some)
                    ),
                )
            )
        return of_roles(pd.concat(chunks), [role.name for role in roles])

    return kept(folder, f"{name}-{kind}", elicited)


def scores_under(answers: pd.DataFrame) -> pd.DataFrame:
    """Scores by intervention and role, even if there is one intervention only."""
    scores = vg.score_answers(answers)
    if scores.index.nlevels == 1:
        scores = pd.concat({answers["intervention"].iloc[0]: scores}, names=["intervention"])
    return scores


def interventions_of(respondent, kind: str, folder: Path) -> list:
    """Make the interventions of a kind: features, directions or words."""
    inventory, bank = vg.load_inventory(), vg.load_role_bank()
    if kind == "words":
        facts = bank.facts["fact"][bank.facts["strength"].abs() == LEVEL]
        stances = vg.stances(inventory, bank, levels=(-LEVEL, LEVEL))
        return [*stances, *vg.single_facts(bank, facts)]
    if kind == "features":
        roles = vg.sample_roles(bank, BASELINE, seed=ROLE_SEED - 1)
        sae = vg.load_sae(organism_folder(respondent.name) / "sae")
        activity = vg.feature_activity(sae, vg.states(respondent, roles, layer=SITE_LAYER))
        # Every live feature, pushed by its mean activation where it is active.
        return [
            vg.feature_shift(sae, int(f), coefficient=float(activity[activity[:, f] > 0, f].mean()))
            for f in np.flatnonzero((activity > 0).mean(axis=0) > 0.001)
        ]
    scores = baseline_scores(respondent.name, 0, folder).iloc[:DIRECTION_ROLES]
    roles = vg.sample_roles(bank, DIRECTION_ROLES, seed=0)
    states = vg.states(respondent, roles, layer=SITE_LAYER)
    return [
        vg.Shift(f"direction {value}", SITE_LAYER, vg.difference_of_means(states, scores, value))
        for value in inventory.codes
    ]


def ges_graph(scores: pd.DataFrame) -> vg.ValueGraph:
    """Search greedily by causal-learn's GES, as the stored study did; a parent is worth p = .01."""
    values = sorted(scores)
    penalty = chi2.isf(0.01, 1) / (2 * np.log(len(scores)))
    found = ges(cov=scores[values].corr().to_numpy(), n=len(scores), lambda_value=penalty)
    graph = vg.ValueGraph.from_adjacency(values, found["G"].graph == -1)
    return graph.among(list(scores))


def common_predictors(scores: pd.DataFrame, graph) -> dict[str, Predictor]:
    """Predictors that every respondent can have."""
    values = list(scores.columns)
    return {
        "graph": by.by_graph(graph, scores),
        "graph, adjustment alone": by.by_adjustment(graph, scores),
        "graph, reach alone": by.by_reach(vg.reached(graph), scores),
        "LiNGAM graph": by.by_graph(vg.discover(scores, method="lingam", null_draws=0), scores),
        "GES graph": by.by_graph(ges_graph(scores), scores),
        "correlation": by.by_correlations(scores),
        "partial correlation": by.by_partial_correlations(scores),
        "base rates": by.by_base_rates(values),
        "mean effect": by.by_base_rates(values, per_push=False),
        "nothing": by.by_nothing(values),
    }


def organism_predictors(name: str, scores: pd.DataFrame) -> dict[str, Predictor]:
    """Predictors for an organism, the truth among them."""
    graph, truth = vg.discover(scores), vg.load_truth(name)
    firm = vg.bootstrap(scores, method="pc", n_resamples=200, null_draws=0).graph()
    values = list(scores.columns)
    return {
        "true effects": by.by_truth(truth),
        "true class": by.by_graph(truth.cpdag(), scores),
        **common_predictors(scores, graph),
        "firm graph": by.by_graph(firm, scores),
        "circle": by.by_circle(values),
        "people": by.by_people(values),
    }


def recorded_predictors(train: pd.DataFrame) -> dict[str, Predictor]:
    """Predictors for a recorded model, from its training roles and the references."""
    scores = train.xs(NO_INTERVENTION, level=0)
    values = list(scores.columns)
    reach = closure(paper_graph(train).expanded, values)
    return {
        **common_predictors(scores, vg.discover(scores)),
        "paper's search, reach": by.by_reach(reach & ~np.eye(len(values), dtype=bool), scores),
        **{
            f"reference of {n} edges, reach": by.by_reach(
                closure(reference_graph(f"human_{n}_edges"), values), scores
            )
            for n in (10, 18)
        },
    }


def table_of(result: SideEffects, **about: object) -> pd.DataFrame:
    """Put the skills of one respondent into rows of the study."""
    table = result.skill.reset_index()
    pushes = result.pairs.groupby("intervention")["push"].first().abs()
    counts = result.skill.attrs
    numbers = {
        "interventions": counts["n_interventions"],
        "targets": counts["n_targets"],
        "roles": counts["n_test"],
        "push": pushes.mean(),
        "side": float(np.sqrt((result.pairs["measured"] ** 2).mean())),
    }
    for place, (key, value) in enumerate({**about, **numbers}.items()):
        table.insert(place, key, value)
    return table


def of_roles(scores: pd.DataFrame, roles: Sequence[str]) -> pd.DataFrame:
    """Return the rows of some roles."""
    return scores[scores.index.get_level_values(1).isin(roles)]


def organisms(folder: Path, options: dict) -> Iterator[pd.DataFrame]:
    """Predict the side effects of every kind of intervention on every organism."""
    for name in (*INTERCHANGE, "organism-plain"):
        scores = baseline_scores(name, 0, folder)
        predictors = organism_predictors(name, scores)
        for kind in ("features", "directions", "words"):
            if kind == "features" and name not in INTERCHANGE:
                continue
            train, test = split(steered_scores(name, kind, folder))
            result = predict_side_effects(train, test, predictors, baseline=scores, **options)
            say(f"{name}, {kind}: skill of the graph {result.skill.loc['graph', 'skill']:.2f}")
            yield table_of(result, respondent=name, interventions_by=kind, n=len(scores))


def split(scores: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores of training and of test roles: the first half and the rest."""
    halves = np.array_split(scores.index.unique(1), 2)
    return of_roles(scores, halves[0]), of_roles(scores, halves[1])


def recorded(options: dict) -> Iterator[pd.DataFrame]:
    """Predict the side effects of the recorded features."""
    for model, name in RECORDED.items():
        train, test = (
            load_recorded_scores(model, part, all_features=True).drop(index=NO_ROLE, level=1)
            for part in ("train", "test")
        )
        roles = list(train.index.unique(1))
        order = np.random.default_rng(0).permutation(len(roles))
        halves = [of_roles(train, [roles[i] for i in part]) for part in np.array_split(order, 2)]
        for what, first, second in (("other items", train, test), ("same items", *halves)):
            result = predict_side_effects(
                first,
                second,
                recorded_predictors(first),
                baseline=first.xs(NO_INTERVENTION, level=0),
                **options,
            )
            say(f"{name}, {what}: skill of the graph {result.skill.loc['graph', 'skill']:.2f}")
            n = len(first.index.unique(1))
            yield table_of(result, respondent=name, interventions_by=f"features, {what}", n=n)


def by_size(folder: Path, seeds: int) -> Iterator[pd.DataFrame]:
    """Repeat with graphs and correlations from fewer roles, and from other ones."""
    for name in INTERCHANGE:
        truth = vg.load_truth(name)
        train, test = split(steered_scores(name, "features", folder))
        for seed in range(seeds):
            every = baseline_scores(name, seed, folder)
            for n in SIZES:
                scores = every.iloc[:n]
                predictors = {
                    "true class": by.by_graph(truth.cpdag(), scores),
                    **common_predictors(scores, vg.discover(scores, null_draws=0)),
                }
                result = predict_side_effects(
                    train, test, predictors, baseline=scores, permutations=0, draws=2
                )
                yield table_of(result, respondent=name, interventions_by="features", n=n, seed=seed)
            say(f"{name}, seed {seed}")


def sizes_summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds; low and high are the smallest and the largest of the runs."""
    keys = ["respondent", "interventions_by", "n", "predictor"]
    groups = runs.groupby(keys, sort=False)
    table = groups[["interventions", "targets", "roles"]].first()
    table["runs"] = groups.size()
    for figure, ends in (("skill", ""), ("rank", "rank_"), ("lead", "lead_")):
        table[figure] = groups[figure].mean()
        table[f"{ends}low"] = groups[figure].min()
        table[f"{ends}high"] = groups[figure].max()
    table["scale"] = groups["scale"].mean()
    return table.reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="where elicited scores are kept")
    parser.add_argument("--seeds", type=int, default=10, help="role seeds of the sizes")
    parser.add_argument("--draws", type=int, default=1000, help="resamples behind the intervals")
    parser.add_argument("--permutations", type=int, default=999, help="permuted labellings")
    parser.add_argument("--elicit", nargs=2, metavar=("NAME", "KIND"), help="elicit these, no more")
    parser.add_argument("--json", type=Path, help="where every run is written")
    parser.add_argument("--csv", type=Path, help="where the summary is written")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.elicit:
        steered_scores(*options.elicit, options.folder)
        return
    numbers = {"draws": options.draws, "permutations": options.permutations}
    answers = [*recorded(numbers), *organisms(options.folder, numbers)]
    runs = pd.concat(by_size(options.folder, options.seeds), ignore_index=True)
    table = pd.concat(
        [pd.concat(answers).assign(part="answer", runs=1), sizes_summary(runs).assign(part="size")],
        ignore_index=True,
    )
    table.insert(0, "part", table.pop("part"))
    figures = table.select_dtypes("float").columns
    table[figures] = table[figures].round(4)
    print(table.to_string(index=False))
    if options.csv:
        table.to_csv(options.csv, index=False)
    if options.json:
        settings = {"roles": ROLES, "baseline": BASELINE, "sizes": SIZES, **numbers}
        content = {
            "settings": settings,
            "summary": json.loads(table.to_json(orient="records")),
            "sizes": json.loads(runs.to_json(orient="records")),
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
