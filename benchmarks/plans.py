"""How well plans keep what they promise, beside the best single feature and the best prompt.

Effects of all 64 features of the site's autoencoder, of life facts and of stances are measured on
some roles of each interchange organism. Then for random targets (one to three values, either sign,
all other values held) these ways are carried out on other roles:

* ``plan``: features, effects measured on all train roles; ``refined``: after one correction;
* ``2 roles``, ``2 roles, graph``: features measured on 2 roles, without and with the prior of the
  graph that was discovered from the organism's own answers;
* ``all features``: as ``plan``, without leaving out any that help (sparsity 0);
* ``facts``: life facts instead of features;
* ``single feature``, ``prompt``: what a plan must beat.

A second table tells where the prior of the graph helps, by simulation: to the organisms' measured
effects comes noise by role, as large against the effects as in the recorded answers of Gemma-2B-IT
(1.1) and Llama3-8B-IT (1.3), or smaller; the plan is then judged by the effects without the noise.

    python benchmarks/plans.py --csv plans.csv --cache FOLDER
    python benchmarks/plans.py --measured 16 --prior-csv plans_prior.csv --cache FOLDER
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from valuegraph.discovery import discover
from valuegraph.graphs.total_effects import total_effects
from valuegraph.interventions import Intervention
from valuegraph.inventory import load_inventory
from valuegraph.models import load_model
from valuegraph.organisms.shipped import load_truth, organism_folder
from valuegraph.roles import Role, load_role_bank, sample_roles
from valuegraph.steering.action_effects import effects_from_changes
from valuegraph.steering.action_measuring import ask_scores, effects_from_scores, measured_doses
from valuegraph.steering.actions import Action, feature_actions, told_actions
from valuegraph.steering.effect_prior import fit_prior
from valuegraph.steering.plan_checks import check_of_changes, figures, with_departure
from valuegraph.steering.plan_rivals import best_prompt, best_single
from valuegraph.steering.plans import Plan, plan
from valuegraph.steering.prompts import single_facts, stances
from valuegraph.steering.sae import load_sae

ORGANISMS = ("organism-human", "organism-alien")
N_TARGETS = 24
N_SIMULATED = 12
SIZES = (0.3, 1.2)
LIMIT = 2.0  # multiples of a decoder row; beyond, effects bend by more than 10 %
FEW = 2
NOISE = (0.0, 0.3, 1.2)  # standard deviation by role, as a share of an action's main effect
ROLES = (2, 4, 8, 16, 32, 64, 128)


class Asker:
    """Asks an organism, and keeps the scores in a folder if there is one."""

    def __init__(self, name: str, cache: Path | None) -> None:
        self.name, self.cache = name, cache
        self.respondent, self.inventory = load_model(name), load_inventory()

    def __call__(
        self, what: str, roles: Sequence, interventions: Sequence[Intervention]
    ) -> dict[str, pd.DataFrame]:
        path = None if self.cache is None else self.cache / f"{self.name}-{what}-{len(roles)}.csv"
        if path is not None and path.is_file():
            table = pd.read_csv(path, index_col=["intervention", "role"])
        else:
            scores = ask_scores(self.respondent, self.inventory, roles, interventions)
            table = pd.concat(scores, names=["intervention", "role"])
            if path is not None:
                table.to_csv(path)
            print(f"{self.name}: asked {what}", file=sys.stderr, flush=True)
        names = {"none", *(one.name for one in interventions)}
        if set(table.index.unique("intervention")) != names:
            raise ValueError(f"{path} was asked under other interventions; remove it")
        return {name: table.loc[name] for name in table.index.unique("intervention")}


def draw_targets(values: Sequence[str], seed: int) -> dict[str, float]:
    """Draw one to three values and a change of each, in log-odds."""
    rng = np.random.default_rng((seed, 5))
    chosen = rng.choice(list(values), 1 + seed % 3, replace=False)
    sizes = rng.choice([-1, 1], len(chosen)) * rng.uniform(*SIZES, len(chosen))
    return {str(v): float(size.round(2)) for v, size in zip(chosen, sizes, strict=True)}


def discovered_reach(scores: pd.DataFrame) -> pd.DataFrame:
    """Return total effects by the graph discovered from scores, in the scores' unit."""
    return total_effects(discover(scores), scores.cov())


def make_actions(name: str) -> dict[str, list[Action]]:
    """Return all features, facts of strength 1 and 2 of either sign, and all stances."""
    bank, inventory = load_role_bank(), load_inventory()
    facts = [fact for fact, (value, size) in bank.effects.items() if value and abs(size) in (1, 2)]
    return {
        "features": feature_actions(
            load_sae(organism_folder(name) / "sae"), range(64), limit=LIMIT
        ),
        "facts": told_actions(single_facts(bank, facts)),
        "stances": told_actions(stances(inventory, bank)),
    }


def train_roles(n: int) -> list[Role]:
    """Return the roles on which effects are measured."""
    return sample_roles(load_role_bank(), n, seed=99)


def study(
    name: str, cache: Path | None, *, measured_roles: int, held_out: int, n_scores: int
) -> pd.DataFrame:
    """Verify all ways on all targets."""
    asker = Asker(name, cache)
    bank = load_role_bank()
    train = train_roles(measured_roles)
    test = sample_roles(bank, held_out, seed=100)
    actions = make_actions(name)

    def made(*kinds: str) -> list[Intervention]:
        return [one for kind in kinds for a in actions[kind] for _, one in measured_doses(a)]

    features = asker("features", train, made("features"))
    by_words = asker("told", train, made("stances", "facts"))
    baseline = asker("baseline", sample_roles(bank, n_scores, seed=0), [])["none"]
    reach = discovered_reach(baseline)
    measured = {
        "features": effects_from_scores(actions["features"], features),
        "facts": effects_from_scores(actions["facts"], by_words),
        "stances": effects_from_scores(actions["stances"], by_words),
    }
    few = {key: frame.iloc[:FEW] for key, frame in features.items()}
    scarce = effects_from_scores(actions["features"], few)
    ways: dict[tuple[int, str], Plan] = {}
    for number in range(N_TARGETS):
        targets = draw_targets(measured["features"].values, number)
        ways[number, "plan"] = plan(measured["features"], targets)
        ways[number, "all features"] = plan(measured["features"], targets, sparsity=0)
        ways[number, "2 roles"] = plan(scarce, targets)
        ways[number, "2 roles, graph"] = plan(fit_prior(scarce, reach).effects, targets)
        ways[number, "facts"] = plan(measured["facts"], targets)
        ways[number, "single feature"] = best_single(measured["features"], targets)
        ways[number, "prompt"] = best_prompt(measured["stances"], targets)

    def ask_ways(what: str, roles: Sequence, chosen: list[tuple[int, str]]) -> dict:
        asked = {key: renamed(ways[key].intervention, key) for key in chosen}
        scores = asker(what, roles, list(asked.values()))
        return {key: scores[one.name] - scores["none"] for key, one in asked.items()}

    first = [key for key in ways if key[1] == "plan"]
    for key, change in ask_ways("first", train, first).items():
        ways[key[0], "refined"] = with_departure(ways[key], change.mean())
    does = [key for key, one in ways.items() if one.intervention is not None]
    told = [key for key in does if key[1] in ("facts", "prompt")]
    # Shifts share what lies below them, so that they are asked by themselves.
    changes = ask_ways("shifted", test, [key for key in does if key not in told])
    changes |= ask_ways("told-ways", test, told)
    rows = []
    for number in range(N_TARGETS):
        plans = {way: ways[n, way] for n, way in does if n == number}
        check = check_of_changes(plans, {way: changes[number, way] for way in plans})
        for way, one in plans.items():
            rows.append(
                {
                    "organism": name,
                    "number": number,
                    "targets": one.name,
                    "n_targets": len(one.targets),
                    "n_measured": FEW if way.startswith("2 roles") else measured_roles,
                    "n_held_out": held_out,
                    "way": way,
                    "feasible": one.feasible,
                    "predicted_collateral": one.collateral,
                    **check.summary.loc[way],
                }
            )
    return pd.DataFrame(rows)


def renamed(intervention: Intervention, key: tuple[int, str]) -> Intervention:
    return replace(intervention, name=f"{key[0]}: {key[1]}")


def prior_study(name: str, cache: Path | None, measured_roles: int) -> pd.DataFrame:
    """Plan from noisier effects with and without priors, and judge by the effects without noise."""
    actions = make_actions(name)["features"]
    asked = [measured_doses(action) for action in actions]
    scores = Asker(name, cache)(
        "features", train_roles(measured_roles), [one for ab in asked for _, one in ab]
    )
    slopes = [(scores[b.name] - scores[a.name]) / (y - x) for (x, a), (y, b) in asked]
    changes, values = np.stack([slope.to_numpy() for slope in slopes]), list(slopes[0].columns)
    mean = changes.mean(axis=1)
    reaches = {"none": None, "no edges": pd.DataFrame(np.eye(len(values)), values, values)}
    for other in ORGANISMS:
        truth = load_truth(other)
        total = pd.DataFrame(truth.total_effects.T, truth.values, truth.values)
        reaches["true graph" if other == name else "the other's graph"] = total
    rows = []
    for noise, n, seed in product(NOISE, ROLES, range(N_SIMULATED)):
        rng = np.random.default_rng((seed, n))
        drawn = changes[:, rng.integers(changes.shape[1], size=n)]
        size = noise * np.abs(mean).max(axis=1)[:, None, None]
        drawn = drawn + size * rng.standard_normal(drawn.shape)
        measured = effects_from_changes(actions, drawn, values)
        usable = int(measured.moves.any(axis=1).sum())
        for prior, reach in reaches.items():
            used = measured if reach is None else fit_prior(measured, reach).effects
            one = plan(used, draw_targets(values, seed), sparsity=0)
            doses = one.coefficients.reindex(used.effect.index, fill_value=0.0)
            made = pd.Series(doses.to_numpy() @ mean, values)
            found = figures(made, one.targets, one.held)
            rows.append((name, noise, n, prior, usable, one.feasible, *found.values()))
    columns = ["organism", "noise", "n_roles", "prior", "usable", "feasible"]
    table = pd.DataFrame(rows, columns=[*columns, "miss", "share", "collateral", "equal"])
    groups = table.groupby(columns[:4], sort=False)
    return pd.DataFrame(
        {
            "targets": groups.size(),
            "usable": groups["usable"].median(),
            "feasible": groups["feasible"].mean().round(3),
            "median_miss": groups["miss"].median().round(4),
            "median_collateral": groups["equal"].median().round(4),
        }
    ).reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--organism", choices=ORGANISMS, action="append", help="default: both")
    parser.add_argument("--cache", type=Path, help="folder in which scores are kept")
    parser.add_argument("--roles", type=int, default=400, help="roles that the graph is found from")
    parser.add_argument("--measured", type=int, default=48, help="roles that effects come from")
    parser.add_argument("--held-out", type=int, default=48, help="roles that plans are tried on")
    parser.add_argument("--csv", type=Path, help="where the table of verified plans is written")
    parser.add_argument("--prior-csv", type=Path, help="where the table on the prior is written")
    options = parser.parse_args()
    names = options.organism or ORGANISMS
    if options.csv:
        tables = [
            study(
                name,
                options.cache,
                measured_roles=options.measured,
                held_out=options.held_out,
                n_scores=options.roles,
            )
            for name in names
        ]
        table = pd.concat(tables, ignore_index=True)
        floats = table.select_dtypes("float").columns
        table[floats] = table[floats].round(4)
        table.to_csv(options.csv, index=False)
        groups = table.groupby(["organism", "way"], sort=False)
        print(groups[["miss", "collateral", "at_equal_target", "ratio", "n_actions"]].median())
    if options.prior_csv:
        table = pd.concat([prior_study(name, options.cache, options.measured) for name in names])
        table.to_csv(options.prior_csv, index=False)
        print(table.to_string(index=False))


if __name__ == "__main__":
    main()
