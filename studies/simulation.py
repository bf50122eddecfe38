"""Random linear models, and scores from them that are clustered as real ones are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION
from valuegraph.graph import ValueGraph
from valuegraph.interventions import Sentence


@dataclass(frozen=True, eq=False)
class SimulatedModel:
    """A linear acyclic model of ``d`` values with normal noise of variance one.

    Attributes
    ----------
    values : tuple of str
        Names of the values.
    weights : numpy.ndarray
        Direct effects, ``(d, d)``: ``weights[cause, effect]``.
    """

    values: tuple[str, ...]
    weights: np.ndarray

    @property
    def adjacency(self) -> np.ndarray:
        """Arrows of the graph, boolean ``(d, d)``: ``[cause, effect]``."""
        return self.weights != 0

    @property
    def cpdag(self) -> ValueGraph:
        """All that correlations can tell of the graph."""
        return ValueGraph.from_adjacency(self.values, self.adjacency).cpdag()

    def without_effects(self) -> "SimulatedModel":
        """Return the model in which no value acts on another."""
        return SimulatedModel(self.values, np.zeros_like(self.weights))

    def scores(
        self,
        roles: int,
        rng: np.random.Generator,
        *,
        interventions: int = 0,
        between: float = 0.5,
        shift: float = 0.5,
    ) -> pd.DataFrame:
        """Draw scores of roles under interventions.

        The noise of a value has a part that stays with the role and a part that is new in each row;
        both run through the same model. Each intervention shifts the noise of one value.

        Parameters
        ----------
        roles : int
            Number of roles.
        rng : numpy.random.Generator
            Where randomness comes from.
        interventions : int
            How many interventions there are beside ``"none"``.
        between : float
            Share of the noise's variance that stays with the role.
        shift : float
            What an intervention adds to its value, in standard deviations of the noise.

        Returns
        -------
        pandas.DataFrame
            Index ``(intervention, role)``, columns values.
        """
        d, m = len(self.values), 1 + interventions
        own = np.sqrt(between) * rng.standard_normal((1, roles, d))
        noise = own + np.sqrt(1 - between) * rng.standard_normal((m, roles, d))
        for number in range(1, m):
            noise[number, :, rng.integers(d)] += shift
        rows = noise @ np.linalg.inv(np.eye(d) - self.weights)
        names = [NO_INTERVENTION, *(f"f{k}" for k in range(1, m))]
        index = pd.MultiIndex.from_product(
            [names, [f"role {k}" for k in range(roles)]], names=["intervention", "role"]
        )
        return pd.DataFrame(rows.reshape(-1, d), index, list(self.values))

    def answers(
        self,
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
        d, eye = len(self.values), np.eye(len(self.values))
        target = np.repeat([*range(d), -1], [*d * [pushes], neutral])
        level = np.where(np.arange(len(target)) % 2, 2.0, -2.0)
        own = rng.standard_normal((roles, d)) + common * rng.standard_normal((roles, 1))
        any_sentence = 0.3 * rng.standard_normal(d)
        true = [own @ np.linalg.inv(eye - self.weights)]
        for k, amount in zip(target, level, strict=True):
            pushed, weights = own + any_sentence + impurity * rng.standard_normal(d), self.weights
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
        abouts = ["" if k < 0 else self.values[k] for k in target]
        sentences = [
            Sentence(f"{kind} {n}", f"{n}.", {"kind": kind if v else "neutral", "value": v})
            for n, v in enumerate(abouts)
        ]
        names = [NO_INTERVENTION, *(s.name for s in sentences)]
        levels = [names, [f"role {r}" for r in range(roles)], self.values, range(items)]
        index = pd.MultiIndex.from_product(levels, names=["intervention", "role", "value", "item"])
        table = pd.DataFrame({"log_odds": shown.ravel()}, index).reset_index()
        table["item"] = table["value"] + " " + table["item"].astype(str)
        table["answer"] = np.sign(table["log_odds"]).astype(int)
        return table.assign(model="simulated", format="plain", key=1, mass=1.0), sentences


def random_model(
    d: int,
    rng: np.random.Generator,
    *,
    degree: float = 2.5,
    low: float = 0.2,
    high: float = 0.6,
    negative: float = 0.3,
) -> SimulatedModel:
    """Draw a random model: an order of the values, edges along it, and their weights.

    Parameters
    ----------
    d : int
        Number of values.
    rng : numpy.random.Generator
        Where randomness comes from.
    degree : float
        Expected number of edges at a value.
    low, high : float
        Range of the weights' sizes.
    negative : float
        Share of negative weights.
    """
    order = rng.permutation(d)
    edges = np.tril(rng.random((d, d)) < degree / (d - 1), -1)[np.ix_(order, order)]
    signs = np.where(rng.random((d, d)) < negative, -1, 1)
    weights = np.where(edges, signs * rng.uniform(low, high, (d, d)), 0.0)
    return SimulatedModel(tuple(f"v{k:02d}" for k in range(d)), weights.T)
