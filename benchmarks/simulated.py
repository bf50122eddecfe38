"""Simulated respondents that are acted on: what benchmarks and tests measure `acted_graph` with."""

from __future__ import annotations

import numpy as np
import pandas as pd

from studies import SimulatedModel
from valuegraph.answers import NO_INTERVENTION
from valuegraph.interventions import Sentence


def true_weights(model: SimulatedModel, table: pd.DataFrame) -> np.ndarray:
    """Weights of a model for the rows (cause, effect) of an acted graph's table."""
    weights = pd.DataFrame(model.weights, model.values, model.values).stack()
    return weights.loc[pd.MultiIndex.from_frame(table[["cause", "effect"]])].to_numpy()


def simulated_answers(
    model: SimulatedModel,
    roles: int,
    rng: np.random.Generator,
    *,
    pushes: int = 4,
    neutral: int = 20,
    items: int = 8,
    noise: float = 0.3,
    sets: bool = True,
    impurity: float = 0.0,
    common: float = 0.0,
    kind: str = "stance",
) -> tuple[pd.DataFrame, list[Sentence]]:
    """Draw answers of roles under pushes of every value up and down by 2, and the pushes.

    Whatever a sentence says, it moves each value by an amount of its own, which is the same for
    all sentences; items differ in how strongly they show their value.

    Parameters
    ----------
    model : SimulatedModel
        Direct effects; they may hold cycles.
    roles, rng, pushes, neutral, items
        Numbers of roles, of pushes and items for each value, and of sentences about none.
    noise : float
        Standard deviation of single answers; of scores it is ``noise / sqrt(items)``.
    sets : bool
        Whether a push sets its value or adds to it.
    impurity : float
        Standard deviation of what each sentence does to every value on the side.
    common : float
        What a hidden cause adds to all values, in standard deviations of their noise.
    kind : str
        Of the pushes.
    """
    d, eye = len(model.values), np.eye(len(model.values))
    target = np.repeat([*range(d), -1], [*d * [pushes], neutral])
    level = np.where(np.arange(len(target)) % 2, 2.0, -2.0)
    own = rng.standard_normal((roles, d)) + common * rng.standard_normal((roles, 1))
    any_sentence = 0.3 * rng.standard_normal(d)
    true = [own @ np.linalg.inv(eye - model.weights)]
    for k, amount in zip(target, level, strict=True):
        pushed, weights = own + any_sentence + impurity * rng.standard_normal(d), model.weights
        if k >= 0 and sets:
            weights = np.where(np.arange(d) == k, 0, weights)
            pushed[:, k] = amount
        elif k >= 0:
            pushed[:, k] += amount
        true.append(pushed @ np.linalg.inv(eye - weights))
    loading = 1 + 0.15 * rng.standard_normal((d, items))
    loading /= loading.mean(axis=1, keepdims=True)
    shown = np.array(true)[..., None] * loading
    shown = shown + noise * rng.standard_normal(shown.shape)
    abouts = ["" if k < 0 else model.values[k] for k in target]
    sentences = [
        Sentence(f"{kind} {n}", f"{n}.", {"kind": kind if v else "neutral", "value": v})
        for n, v in enumerate(abouts)
    ]
    names = [NO_INTERVENTION, *(s.name for s in sentences)]
    levels = [names, [f"role {r}" for r in range(roles)], model.values, range(items)]
    index = pd.MultiIndex.from_product(levels, names=["intervention", "role", "value", "item"])
    table = pd.DataFrame({"log_odds": shown.ravel()}, index).reset_index()
    table["item"] = table["value"] + " " + table["item"].astype(str)
    table["answer"] = np.sign(table["log_odds"]).astype(int)
    return table.assign(model="simulated", format="plain", key=1, mass=1.0), sentences
