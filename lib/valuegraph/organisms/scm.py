"""Linear structural causal models over values: the truth that an organism is trained on.

A model says how much each value owes to other values and how much to the life of a person:
``v = B v + u``, hence ``v = T u`` with the total effects ``T = (I - B)^-1``. The exogenous terms
``u`` are what life facts shift; a stance ("you care a lot about ...") is an intervention
``do(v_k = c)``, after which the parents of ``v_k`` no longer matter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.organisms.variances import unit_variance_noise

if TYPE_CHECKING:
    from valuegraph.graphs.graph import ValueGraph


@dataclass(frozen=True, eq=False)
class StructuralModel:
    """A linear acyclic structural causal model.

    Attributes
    ----------
    values
        Codes of the ``d`` values.
    weights
        Direct effects, shape ``(d, d)``: ``weights[child, parent]``, in standard deviations of
        the child for one standard deviation of the parent.
    noise_sd
        Standard deviations of the exogenous terms, shape ``(d,)``, all positive.
    description
        Where the structure comes from.

    Raises
    ------
    ValueError
        If values repeat, shapes disagree, the weights hold NaN or a cycle, or a standard deviation
        is not positive.
    """

    values: tuple[str, ...]
    weights: np.ndarray
    noise_sd: np.ndarray
    description: str = ""

    def __post_init__(self) -> None:
        values = tuple(self.values)
        weights = np.array(self.weights, dtype=float)
        noise_sd = np.array(self.noise_sd, dtype=float)
        d = len(values)
        if len(set(values)) != d:
            raise ValueError(f"values must be distinct, got {values}")
        if weights.shape != (d, d) or noise_sd.shape != (d,):
            raise ValueError(
                f"{d} values need weights of shape ({d}, {d}) and noise_sd of shape ({d},), "
                f"got {weights.shape} and {noise_sd.shape}"
            )
        if not np.isfinite(weights).all():
            raise ValueError("weights hold NaN or infinite entries")
        if not (np.isfinite(noise_sd) & (noise_sd > 0)).all():
            raise ValueError(f"noise_sd must be positive and finite, got {noise_sd.tolist()}")
        # A matrix is that of an acyclic graph exactly if it is nilpotent on its support.
        if np.linalg.matrix_power((weights != 0).astype(float), d).any():
            raise ValueError("the weights hold a directed cycle; a StructuralModel must be acyclic")
        for array in (weights, noise_sd):
            array.setflags(write=False)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "noise_sd", noise_sd)

    @property
    def total_effects(self) -> np.ndarray:
        """``T = (I - B)^-1``, shape ``(d, d)``: column ``k`` is what ``u_k`` does to the values."""
        return np.linalg.inv(np.eye(len(self.values)) - self.weights)

    @property
    def covariance(self) -> np.ndarray:
        """Implied covariance ``T diag(noise_sd^2) T'`` of the values, shape ``(d, d)``."""
        total = self.total_effects
        return (total * self.noise_sd**2) @ total.T

    @property
    def correlation(self) -> pd.DataFrame:
        """Implied correlations of the values, a frame labelled by value on both sides."""
        covariance = self.covariance
        sd = np.sqrt(np.diag(covariance))
        return pd.DataFrame(covariance / np.outer(sd, sd), self.values, self.values)

    @property
    def adjacency(self) -> np.ndarray:
        """Edges of the graph, shape ``(d, d)``, boolean: ``adjacency[parent, child]``."""
        return (self.weights != 0).T

    @property
    def edges(self) -> list[tuple[str, str, float]]:
        """All direct effects as ``(parent, child, weight)``."""
        return [
            (self.values[parent], self.values[child], float(self.weights[child, parent]))
            for parent, child in np.argwhere(self.adjacency)
        ]

    def cpdag(self) -> ValueGraph:
        """Return the equivalence class of the graph: all that correlations alone can ever tell."""
        from valuegraph.graphs.graph import cpdag_of

        return cpdag_of(self.adjacency, self.values)

    def evaluate(self, exogenous: np.ndarray, *, fixed: np.ndarray | None = None) -> np.ndarray:
        """Solve for the values, given the exogenous terms and any interventions.

        Parameters
        ----------
        exogenous
            Exogenous terms ``u``, shape ``(n, d)``, in units of the values' standard deviation.
        fixed
            Interventions ``do(v_k = c)``, shape ``(n, d)`` or ``(d,)``; NaN where a value is left
            to its parents.

        Returns
        -------
        numpy.ndarray
            The values, shape ``(n, d)``.

        Raises
        ------
        ValueError
            If a shape does not fit the model.
        """
        exogenous = np.atleast_2d(np.asarray(exogenous, dtype=float))
        d = len(self.values)
        if exogenous.shape[1] != d:
            raise ValueError(
                f"exogenous has {exogenous.shape[1]} columns, the model has {d} values"
            )
        if fixed is None:
            return exogenous @ self.total_effects.T
        fixed = np.broadcast_to(np.asarray(fixed, dtype=float), exogenous.shape)
        is_free = np.isnan(fixed)
        # An intervention cuts the incoming edges of its value and replaces its exogenous term.
        system = np.eye(d) - is_free[:, :, None] * self.weights
        return np.linalg.solve(system, np.where(is_free, exogenous, fixed)[:, :, None])[:, :, 0]

    def do(self, interventions: Mapping[str, float]) -> np.ndarray:
        """Return the expected values under interventions, exogenous terms at their mean of zero.

        Parameters
        ----------
        interventions
            Level ``c`` of each ``do(v_k = c)``, by code of the value.

        Returns
        -------
        numpy.ndarray
            Shape ``(d,)``.

        Raises
        ------
        ValueError
            If a value is unknown.
        """
        fixed = np.full((1, len(self.values)), np.nan)
        for value, level in interventions.items():
            fixed[0, self.index(value)] = level
        return self.evaluate(np.zeros((1, len(self.values))), fixed=fixed)[0]

    def sample(self, n: int, *, seed: int) -> pd.DataFrame:
        """Draw persons with Gaussian exogenous terms.

        Parameters
        ----------
        n
            Number of persons, at least 1.
        seed
            Same seed, same persons.

        Returns
        -------
        pandas.DataFrame
            Persons by values.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        noise = np.random.default_rng(seed).standard_normal((n, len(self.values)))
        return pd.DataFrame(self.evaluate(noise * self.noise_sd), columns=list(self.values))

    def index(self, value: str) -> int:
        """Return the position of a value; an unknown code is refused with the known ones."""
        if value not in self.values:
            raise ValueError(f"unknown value {value!r}; this model has {', '.join(self.values)}")
        return self.values.index(value)

    def save(self, path: str | Path) -> None:
        """Write the model as JSON, numbers rounded to six decimals."""
        content = {
            "description": self.description,
            "values": list(self.values),
            "noise_sd": dict(zip(self.values, self.noise_sd.round(6).tolist(), strict=True)),
            "edges": [[parent, child, round(w, 6)] for parent, child, w in self.edges],
        }
        Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> StructuralModel:
        """Read a model that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file names values that it does not list, gives a value no noise_sd, or the model
            is not valid.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"no structural model at {path}; write one with StructuralModel.save"
            )
        content = json.loads(path.read_text(encoding="utf-8"))
        if sorted(content["noise_sd"]) != sorted(content["values"]):
            raise ValueError(
                f"{path} lists the values {', '.join(content['values'])}, but has noise_sd of "
                f"{', '.join(content['noise_sd'])}; each value needs one"
            )
        return cls.from_edges(
            content["edges"],
            [content["noise_sd"][value] for value in content["values"]],
            values=tuple(content["values"]),
            description=content["description"],
        )

    @classmethod
    def from_edges(
        cls,
        edges: Sequence[tuple[str, str, float]],
        noise_sd: Sequence[float] | None = None,
        *,
        values: tuple[str, ...] = SCHWARTZ_ORDER,
        description: str = "",
    ) -> StructuralModel:
        """Build a model from a list of edges.

        Parameters
        ----------
        edges
            Triples ``(parent, child, weight)``.
        noise_sd
            Standard deviations of the exogenous terms, shape ``(d,)``; by default those that make
            every value's variance one.
        values
            Codes of the values.
        description
            Where the structure comes from.

        Raises
        ------
        ValueError
            If an edge names an unknown value or is given twice, the edges form a cycle, or the
            parents of a value explain a variance of one or more and there is no `noise_sd`.
        """
        d = len(values)
        weights = np.zeros((d, d))
        for parent, child, weight in edges:
            unknown = {parent, child} - set(values)
            if unknown:
                raise ValueError(f"edge {parent} -> {child} names unknown values {sorted(unknown)}")
            if weights[values.index(child), values.index(parent)]:
                raise ValueError(f"edge {parent} -> {child} is given twice; keep one of the two")
            weights[values.index(child), values.index(parent)] = weight
        if noise_sd is None:
            noise_sd = unit_variance_noise(cls(values, weights, np.ones(d)).weights, values)
        return cls(values, weights, np.asarray(noise_sd, dtype=float), description)
