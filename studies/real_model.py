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
from scipy.optimize import linear_sum_assignment

import valuegraph as vg
from studies.paper.recorded import require_known
from studies.training.building import train_sae
from studies.training.recipe import SAERecipe
from valuegraph.inventory import Inventory
from valuegraph.pushes import difference_of_means, mean_norm, with_norm
from valuegraph.run_folder import read_manifest, read_run
from valuegraph.sae import feature_activity

#: Where the recorded answers stand.
DATA = Path(__file__).parent / "data" / "real_model"
#: The parts of the study, in the order in which they are asked.
PARTS = ("words", "inside", "watched", "written", "features")
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
#: The autoencoder of that layer's states, and the seed of the roles whose states they are.
SAE = SAERecipe(features=512, l1=2.0, samples=600_000, roles=200, fact_shares=(0.5,))
SAE_SEED = 2604


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


def _told(roles) -> tuple[pd.DataFrame, list[list[vg.Role]]]:
    """Return stances by values, 1 for high and -1 for low, and the roles told each of them."""
    stances = [s for s in sentences() if s.origin["kind"] in WORDINGS]
    amounts = pd.DataFrame([{s.origin["value"]: s.origin["amount"]} for s in stances])
    return amounts, [[replace(r, text=f"{r.text} {s.text}") for r in roles] for s in stances]


def _both_ways(value: str, kind: str, layer: int, vector: np.ndarray) -> list[vg.Shift]:
    """Push everywhere along a direction, up and down."""
    return [
        vg.Shift(f"{value}: {kind} {way}", layer, sign * vector, "everywhere", origin)
        for way, sign in (("up", 1.0), ("down", -1.0))
        for origin in [{"kind": kind, "value": value, "amount": sign}]
    ]


def directions(respondent, roles) -> list[vg.Shift]:
    """Pushes inside: means of states told a value high less told it low, in either direction."""
    made, (amounts, told) = [], _told(roles)
    for layer in LAYERS:
        means = [vg.states(respondent, some, layer=layer).mean(axis=0) for some in told]
        means, length = np.array(means), DOSE * mean_norm(means)
        for value in amounts:
            own = amounts[value].notna().to_numpy()
            vector = difference_of_means(means[own], amounts[own], value)
            made += _both_ways(value, f"layer {layer}", layer, with_norm(vector, length))
    return made


def features(respondent) -> tuple[list[vg.Shift], pd.DataFrame]:
    """Pushes by features of the model's own: one for each value, and as many controls.

    The autoencoder learns from all tokens of lives and of roles told the stances, but for the few
    whose states are many times longer. The table has a row for each pushed feature, by value or
    control: the ``share`` of its activity under all stances that falls to those about one value;
    the ``rate`` of tokens on which it fires; its largest ``cosine`` with a feature of another
    autoencoder, trained from another seed.
    """
    bank, (layer,) = vg.load_role_bank(), LAYERS
    amounts, told = _told(vg.sample_roles(bank, 6, seed=SAE_SEED + 1))
    lives = vg.sample_roles(bank, SAE.roles, p_fact=SAE.fact_shares[0], seed=SAE_SEED)
    groups = [sum((told[k] for k in np.flatnonzero(own.notna())), []) for _, own in amounts.items()]
    read = []
    for some in (*groups, lives):
        states = vg.states(respondent, some, layer=layer, where="everywhere")
        length = np.linalg.norm(states, axis=1)
        read.append(states[length < 2 * np.median(length)])
    every = np.concatenate(read)
    scale = mean_norm(every) / np.sqrt(every.shape[1])
    sae, twin = (train_sae(every / scale, SAE, layer, seed=seed) for seed in (0, 1))
    active = [feature_activity(sae, states / scale) for states in read[:-1]]
    rate = (np.concatenate(active) > 0).mean(axis=0)
    mean = np.array([each.mean(axis=0) for each in active])  # values by features
    share, alive = mean / (mean.sum(axis=0) + 1e-12), np.flatnonzero(rate > 0.002)
    best = alive[linear_sum_assignment((mean * share)[:, alive], maximize=True)[1]]
    rest = np.random.default_rng(SAE_SEED).permutation(np.setdiff1d(alive, best))[: len(best)]
    chosen = dict(zip(amounts, best, strict=True))
    chosen |= {f"control {k}": feature for k, feature in enumerate(rest)}
    table = pd.DataFrame({"feature": chosen})
    table["share"], table["rate"] = share.max(axis=0)[table["feature"]], rate[table["feature"]]
    rows, others = (one.W_dec.detach().numpy() for one in (sae, twin))
    rows, others = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (rows, others))
    table["cosine"] = (rows[table["feature"]] @ others.T).max(axis=1)
    length = DOSE * mean_norm(every)
    made = [_both_ways(v, "feature", layer, length * rows[f]) for v, f in chosen.items()]
    return sum(made, []), table


def sweep(part: str, model: Path) -> vg.Sweep:
    """Return what a part asks, and whom; parts are those of `PARTS`."""
    require_known("part", part, PARTS)
    bank, source = vg.load_role_bank(), vg.ModelSource(model, dtype="bfloat16")
    if part == "watched":
        roles, seeds = vg.sample_roles(bank, 100, seed=WATCHED_SEED), [WATCHED_SEED]
        return vg.Sweep(source, vg.load_inventory("schwartz10"), roles, seeds=seeds, block_size=4)
    fewer = 5 if part == "words" else 2
    asked = {"roles": vg.sample_roles(bank, fewer, seed=ACTED_SEED), "seeds": [ACTED_SEED]}
    if part == "words":
        asked["interventions"] = [None, *sentences()]
    elif part == "inside":
        others = vg.sample_roles(bank, 2, seed=STATES_SEED)
        asked["interventions"] = [None, *directions(source.load(), others)]
    elif part == "features":
        made, table = features(source.load())
        table.rename_axis("pushed").to_csv(DATA / "features.csv", float_format="%.4f")
        asked["interventions"] = [None, *made]
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
        name = "directions" if part == "inside" else part
        np.savez_compressed(DATA / f"{name}.npz", **vectors)


def load_answers(part: str) -> pd.DataFrame:
    """Load the recorded answers of a part, one of `PARTS`, as `valuegraph.elicit` returns them."""
    return pd.read_parquet(DATA / f"{part}.parquet").astype({"log_odds": float, "mass": float})
