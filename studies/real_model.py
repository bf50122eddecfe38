"""One real chat model is asked, by a plan that was committed before its answers.

The plan is the page `book/registered_plan.md`; what it names stands here as code. Every part is a
run that goes on where it was stopped: ``valuegraph-studies real-model words MODEL OUT``.
"""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

import valuegraph as vg
from studies.paper.recorded import require_known
from valuegraph.inventory import Inventory
from valuegraph.pushes import difference_of_means, mean_norm, with_norm
from valuegraph.run_folder import read_manifest, read_run

#: Where the recorded answers stand.
DATA = Path(__file__).parent / "data" / "real_model"
#: The parts of the study, in the order in which they are asked.
PARTS = ("words", "inside", "watched", "written")
#: Wordings of a stance, high and low; the first is that of the role bank.
WORDINGS = {
    "stance": ("You care enormously about {}.", "You do not care at all about {}."),
    "priority": ("What comes first in your life is {}.", "What comes last in your life is {}."),
    "company": ("You admire people who live for {}.", "You laugh at people who live for {}."),
}
#: What the same wordings name where they are about no value.
NOTHING = ("the colour of curtains", "the shape of clouds", "the length of rivers")
#: Seeds of roles: acted on, watched, and those whose states the directions are made of.
ACTED_SEED, WATCHED_SEED, STATES_SEED = 2601, 2602, 2603
#: Layers after which the model is pushed, and the length of a push as a share of the states'.
LAYERS, DOSE = (10,), 0.15


def questions() -> tuple[Inventory, Inventory]:
    """Halves of the questions: those of the pilot, and those under which the model is pushed."""
    return vg.split_items(vg.load_inventory("schwartz10"), share=0.5, seed=26)


def sentences() -> list[vg.Sentence]:
    """Sentences about each value in three wordings and as hard prompts, and neutral ones."""
    inventory, bank = vg.load_inventory("schwartz10"), vg.load_role_bank()
    made = []
    for kind, value, way in product(WORDINGS, inventory.codes, (0, 1)):
        text = WORDINGS[kind][way].format(inventory.values.loc[value, "phrase"])
        origin = {"kind": kind, "value": value, "amount": 1.0 - 2 * way}
        made.append(vg.Sentence(f"{value}: {kind} {('high', 'low')[way]}", text, origin))
    for inclined in (True, False):
        made += vg.hard_prompts(inventory, inclined=inclined)
    for (kind, ways), way in product(WORDINGS.items(), (0, 1)):
        text = ways[way].format(NOTHING[list(WORDINGS).index(kind)])
        origin = {"kind": "neutral", "value": "", "amount": 0.0}
        made.append(vg.Sentence(f"nothing: {kind} {('high', 'low')[way]}", text, origin))
    facts = bank.facts_by_value[""]
    return made + vg.single_facts(bank, facts[:: len(facts) // 6][:6])


def directions(respondent, roles) -> list[vg.Shift]:
    """Pushes inside: means of states told a value high less told it low, in either direction."""
    made, stances = [], [s for s in sentences() if s.origin["kind"] in WORDINGS]
    for layer in LAYERS:
        states, told = [], []
        for one in stances:
            asked = [replace(role, text=f"{role.text} {one.text}") for role in roles]
            states.append(vg.states(respondent, asked, layer=layer).mean(axis=0))
            told.append({one.origin["value"]: one.origin["amount"]})
        states, told = pd.DataFrame(states).to_numpy(), pd.DataFrame(told)
        length = DOSE * mean_norm(states)
        for value in told:
            own = told[value].notna().to_numpy()
            vector = difference_of_means(states[own], told[own], value)
            for amount in (1.0, -1.0):
                name = f"{value}: layer {layer} {'up' if amount > 0 else 'down'}"
                origin = {"kind": f"layer {layer}", "value": value, "amount": amount}
                push = amount * with_norm(vector, length)
                made.append(vg.Shift(name, layer, push, "everywhere", origin))
    return made


def sweep(part: str, model: Path) -> vg.Sweep:
    """Return what a part asks, and whom; parts are those of `PARTS`."""
    require_known("part", part, PARTS)
    bank, source = vg.load_role_bank(), vg.ModelSource(model, dtype="bfloat16")
    if part == "watched":
        roles, seeds = vg.sample_roles(bank, 100, seed=WATCHED_SEED), [WATCHED_SEED]
        return vg.Sweep(source, vg.load_inventory("schwartz10"), roles, seeds=seeds, block_size=4)
    fewer = {"inside": 2, "written": 2}.get(part, 5)
    asked = {"roles": vg.sample_roles(bank, fewer, seed=ACTED_SEED), "seeds": [ACTED_SEED]}
    if part == "words":
        asked["interventions"] = [None, *sentences()]
    elif part == "inside":
        others = vg.sample_roles(bank, 2, seed=STATES_SEED)
        asked["interventions"] = [None, *directions(source.load(), others)]
    else:
        asked["mode"] = "generate"
    return vg.Sweep(source, questions()[1], block_size=8, **asked)


def ask(part: str, model: Path, out: Path, n_jobs: int = 2) -> None:
    """Ask a part into a folder of its own; keep answers, manifest and directions as tables."""
    asked, run = sweep(part, model), out / part
    vg.run_sweep(asked, run, n_jobs=n_jobs, batch_tokens=1024)
    DATA.mkdir(exist_ok=True)
    answers = read_run(run).astype({"log_odds": "float32", "mass": "float32"})
    answers.to_parquet(DATA / f"{part}.parquet", index=False, compression="zstd")
    manifest = json.dumps(read_manifest(run), indent=1)
    (DATA / f"{part}.json").write_text(f"{manifest}\n", encoding="utf-8")
    if vectors := {one.name: one.vector for one in asked.interventions if one and one.shifts}:
        np.savez_compressed(DATA / "directions.npz", **vectors)


def load_answers(part: str) -> pd.DataFrame:
    """Load the recorded answers of a part, one of `PARTS`, as `valuegraph.elicit` returns them."""
    return pd.read_parquet(DATA / f"{part}.parquet").astype({"log_odds": float, "mass": float})
