"""Random linear models, and scores from them that are clustered as real ones are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION
from valuegraph.graph import ValueGraph


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


def random_model(
    d: int,
    rng: np.random.Generator,
    *,
    degree: float = 2.5,
    low: float = 0.2,
    high: float = 0.6,
    negative: float = 0.3,
) -> SimulatedModel:
    """Draw a random model of `d` values: an order, edges along it, and their weights.

    A value has `degree` edges on average. Weights are from `low` to `high` in size, and a share of
    `negative` of them is negative.
    """
    order = rng.permutation(d)
    edges = np.tril(rng.random((d, d)) < degree / (d - 1), -1)[np.ix_(order, order)]
    signs = np.where(rng.random((d, d)) < negative, -1, 1)
    weights = np.where(edges, signs * rng.uniform(low, high, (d, d)), 0.0)
    return SimulatedModel(tuple(f"v{k:02d}" for k in range(d)), weights.T)
