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
from effect_prior import fit_prior

import valuegraph as vg
from valuegraph.interventions import Intervention
from valuegraph.organisms import organism_folder
from valuegraph.plans import (
    MEASURED_AT,
    Plan,
    action_effects,
    best_prompt,
    best_single,
    check_plan,
    effects_from_changes,
    feature_actions,
    plan,
    plan_figures,
    pushes_of,
    refine,
    sentence_actions,
)
from valuegraph.roles import Role

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
        self.respondent, self.inventory = vg.load_model(name), vg.load_inventory()

    def __call__(
        self, what: str, roles: Sequence, interventions: Sequence[Intervention]
    ) -> pd.DataFrame:
        """Scores by intervention and role, under none and each intervention."""
        path = None if self.cache is None else self.cache / f"{self.name}-{what}-{len(roles)}.csv"
        if path is not None and path.is_file():
            table = pd.read_csv(path, index_col=["intervention", "role"])
        else:
            under = [None, *interventions]
            answers = vg.elicit(self.respondent, self.inventory, roles, interventions=under)
            table = vg.score_answers(answers)
            if not interventions:
                table = pd.concat({"none": table}, names=["intervention"])
            if path is not None:
                table.to_csv(path)
            print(f"{self.name}: asked {what}", file=sys.stderr, flush=True)
        names = {"none", *(one.name for one in interventions)}
        if set(table.index.unique("intervention")) != names:
            raise ValueError(f"{path} was asked under other interventions; remove it")
        return table


def draw_targets(values: Sequence[str], seed: int) -> dict[str, float]:
    """Draw one to three values and a change of each, in log-odds."""
    rng = np.random.default_rng((seed, 5))
    chosen = rng.choice(list(values), 1 + seed % 3, replace=False)
    sizes = rng.choice([-1, 1], len(chosen)) * rng.uniform(*SIZES, len(chosen))
    return {str(v): float(size.round(2)) for v, size in zip(chosen, sizes, strict=True)}


def discovered_reach(scores: pd.DataFrame) -> pd.DataFrame:
    """Return total effects by the graph discovered from scores, in the scores' unit."""
    return vg.total_effects(vg.discover(scores), scores.cov())


def make_actions(name: str) -> dict[str, pd.DataFrame]:
    """Return all features, facts of strength 1 and 2 of either sign, and all stances."""
    bank, inventory = vg.load_role_bank(), vg.load_inventory()
    sae = vg.load_sae(organism_folder(name) / "sae")
    facts = [fact for fact, (value, size) in bank.effects.items() if value and abs(size) in (1, 2)]
    return {
        "features": feature_actions(sae, range(64), limit=LIMIT),
        "facts": sentence_actions(vg.single_facts(bank, facts)),
        "stances": sentence_actions(vg.stances(inventory, bank)),
    }


def train_roles(n: int) -> list[Role]:
    """Return the roles on which effects are measured."""
    return vg.sample_roles(vg.load_role_bank(), n, seed=99)


def study(
    name: str, cache: Path | None, *, measured_roles: int, held_out: int, n_scores: int
) -> pd.DataFrame:
    """Verify all ways on all targets."""
    asker = Asker(name, cache)
    bank = vg.load_role_bank()
    train = train_roles(measured_roles)
    test = vg.sample_roles(bank, held_out, seed=100)
    actions = make_actions(name)
    words = pd.concat([actions["stances"], actions["facts"]])
    features = asker("features", train, pushes_of(actions["features"]))
    by_words = asker("told", train, pushes_of(words))
    baseline = asker("baseline", vg.sample_roles(bank, n_scores, seed=0), []).loc["none"]
    reach = discovered_reach(baseline)
    measured = {
        "features": action_effects(actions["features"], features),
        "facts": action_effects(actions["facts"], by_words),
        "stances": action_effects(actions["stances"], by_words),
    }
    few = features[features.index.isin([role.name for role in train[:FEW]], level="role")]
    scarce = action_effects(actions["features"], few)
    ways: dict[tuple[int, str], Plan] = {}
    for number in range(N_TARGETS):
        targets = draw_targets(list(baseline.columns), number)
        ways[number, "plan"] = plan(measured["features"], targets)
        ways[number, "all features"] = plan(measured["features"], targets, sparsity=0)
        ways[number, "2 roles"] = plan(scarce, targets)
        ways[number, "2 roles, graph"] = plan(fit_prior(scarce, reach).effects, targets)
        ways[number, "facts"] = plan(measured["facts"], targets)
        ways[number, "single feature"] = best_single(measured["features"], targets)
        ways[number, "prompt"] = best_prompt(measured["stances"], targets)

    def changes_under(what: str, roles: Sequence, chosen: list[tuple[int, str]]) -> pd.DataFrame:
        """Scores less those without intervention, which are zero then."""
        named = [replace(ways[key].intervention, name=title(key)) for key in chosen]
        scores = asker(what, roles, named)
        return scores.sub(scores.loc["none"], level="role")

    first = [key for key in ways if key[1] == "plan"]
    achieved = changes_under("first", train, first)
    for key in first:
        ways[key[0], "refined"] = refine(ways[key], achieved.loc[["none", title(key)]])
    does = [key for key, one in ways.items() if one.intervention is not None]
    in_words = [key for key in does if key[1] in ("facts", "prompt")]
    # Shifts share what lies below them, so that they are run by themselves.
    shifted = changes_under("shifted", test, [key for key in does if key not in in_words])
    spoken = changes_under("told-ways", test, in_words).drop(index="none", level=0)
    changes = pd.concat([shifted, spoken])
    rows = []
    for number in range(N_TARGETS):
        plans = {way: ways[n, way] for n, way in does if n == number}
        named = {title((number, way)): one for way, one in plans.items()}
        _, summary = check_plan(named, changes.loc[["none", *named]])
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
                    **summary.loc[title((number, way))],
                }
            )
    return pd.DataFrame(rows)


def title(key: tuple[int, str]) -> str:
    return f"{key[0]}: {key[1]}"


def prior_study(name: str, cache: Path | None, measured_roles: int) -> pd.DataFrame:
    """Plan from noisier effects with and without priors, and judge by the effects without noise."""
    actions = make_actions(name)["features"]
    made = pushes_of(actions)  # of each action first the negative dose
    scores = Asker(name, cache)("features", train_roles(measured_roles), made)
    values = list(scores.columns)
    down, up = (np.stack([scores.loc[one.name] for one in made[k::2]]) for k in (0, 1))
    changes = (up - down) / (2 * MEASURED_AT * LIMIT)
    mean = changes.mean(axis=1)
    reaches = {"none": None, "no edges": pd.DataFrame(np.eye(len(values)), values, values)}
    for other in ORGANISMS:
        total = vg.load_truth(other).total_effects
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
            reached = pd.Series(doses.to_numpy() @ mean, values)
            figures = plan_figures(reached, one.targets, one.held)
            rows.append((name, noise, n, prior, usable, one.feasible, *figures.values()))
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
