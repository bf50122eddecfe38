"""Model organisms: small models trained on a known causal structure of values.

The truth is a linear structural causal model: each value is the sum of what its causes contribute
and of an exogenous term, which life facts shift. A stance is an intervention ``do(v = level)``.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from valuegraph.graph import ValueGraph
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.roles import Role, load_role_bank, role_shifts
from valuegraph.run_folder import write_whole
from valuegraph.tables import generator, refusing, require

#: Names of the organisms of the package.
ORGANISMS = ("organism-human", "organism-alien", "organism-plain", "organism-surface")

#: A fact of strength 1 shifts an exogenous term by this many of its standard deviations. With facts
#: on 80 % of the values, as `sample_roles` draws them, the variance is then .96 of the model's.
FACT_UNIT = 0.8


@dataclass(frozen=True, eq=False)
class StructuralModel:
    """A linear acyclic structural causal model of ``d`` values, ``v = v W + u`` (row vectors).

    Attributes
    ----------
    values : tuple of str
        Codes of the values.
    weights : numpy.ndarray
        ``W``, shape (d, d): direct effects [cause, effect], in standard deviations of the effect
        per standard deviation of the cause.
    noise_sd : numpy.ndarray
        Standard deviations of the exogenous terms ``u``, shape (d,).
    description : str
        Where the structure comes from.
    facts : dict of str to dict, optional
        What life facts move directly, by fact and value, in standard deviations of the values; by
        default each moves the exogenous term of the one value that it is about.
    """

    values: tuple[str, ...]
    weights: np.ndarray
    noise_sd: np.ndarray
    description: str = ""
    facts: dict[str, dict[str, float]] | None = None

    def __post_init__(self) -> None:
        values, d = tuple(self.values), len(self.values)
        weights, noise_sd = np.array(self.weights, float), np.array(self.noise_sd, float)
        if len(set(values)) < d or weights.shape != (d, d) or noise_sd.shape != (d,):
            raise ValueError(f"shapes do not fit {d} different values: {values}, {weights.shape}.")
        if not np.isfinite(weights).all() or not (np.isfinite(noise_sd) & (noise_sd > 0)).all():
            raise ValueError("weights must be finite, and noise_sd positive and finite.")
        if np.linalg.matrix_power((weights != 0).astype(float), d).any():
            raise ValueError("the weights hold a directed cycle; the model must be acyclic.")
        moves = [move for moved in (self.facts or {}).values() for move in moved.items()]
        finite = all(v in values and np.isfinite(by) for v, by in moves)
        require(finite, f"facts must move known values by finite numbers, got {self.facts!r}")
        weights.setflags(write=False)
        noise_sd.setflags(write=False)
        vars(self).update(values=values, weights=weights, noise_sd=noise_sd)

    @classmethod
    def from_edges(cls, edges, noise_sd=None, *, values=SCHWARTZ_ORDER, description="", facts=None):
        """Build a model from its edges.

        Parameters
        ----------
        edges : sequence of (str, str, float)
            Cause, effect and weight.
        noise_sd : sequence of float, optional
            By default what gives every value a variance of one.
        values : sequence of str
            Codes of the values.
        description, facts
            See the class.
        """
        values = tuple(values)
        weights = pd.DataFrame(0.0, values, values)
        for cause, effect, weight in edges:
            if not {cause, effect} <= set(values) or weights.loc[cause, effect]:
                raise ValueError(f"edge {cause} -> {effect} has an unknown value or stands twice.")
            weights.loc[cause, effect] = weight
        if noise_sd is None:  # one equation per value: its variance, 1, by exogenous variances
            total = cls(values, weights, np.ones(len(values))).total_effects.to_numpy()
            variances = np.linalg.solve((total**2).T, np.ones(len(values)))
            if variances.min() <= 0:
                value = values[variances.argmin()]
                raise ValueError(f"the causes of {value} explain all its variance; lower weights.")
            noise_sd = np.sqrt(variances)
        return cls(values, weights, noise_sd, description, facts)

    @classmethod
    def load(cls, path: str | Path) -> "StructuralModel":
        """Read a model that `save` wrote."""
        with refusing(f"{str(path)!r} is no structural model"):
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            content["noise_sd"] = [content["noise_sd"][value] for value in content["values"]]
            return cls.from_edges(**content)

    def save(self, path: str | Path) -> None:
        """Write the model as JSON, numbers rounded to six decimals."""
        noise = dict(zip(self.values, self.noise_sd.round(6).tolist(), strict=True))
        edges = [[cause, effect, round(weight, 6)] for cause, effect, weight in self.edges]
        content = {"description": self.description, "values": list(self.values), "noise_sd": noise}
        content |= {"edges": edges} | ({"facts": self.facts} if self.facts else {})
        write_whole(Path(path), f"{json.dumps(content, indent=1)}\n".encode())

    @property
    def adjacency(self) -> np.ndarray:
        """Edges of the graph, shape (d, d), boolean [cause, effect]."""
        return self.weights != 0

    @property
    def edges(self) -> list[tuple[str, str, float]]:
        """Cause, effect and weight of each edge."""
        pairs = np.argwhere(self.adjacency)
        return [(self.values[i], self.values[j], float(self.weights[i, j])) for i, j in pairs]

    @property
    def total_effects(self) -> pd.DataFrame:
        """Change of each value [column] per unit of an exogenous term [row], ``(I - W)^-1``."""
        total = np.linalg.inv(np.eye(len(self.values)) - self.weights)
        return pd.DataFrame(total, self.values, self.values)

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariances of the values that the model implies."""
        total = self.total_effects
        return total.T * self.noise_sd**2 @ total

    @property
    def correlation(self) -> pd.DataFrame:
        """Correlations of the values that the model implies."""
        sd = np.sqrt(np.diag(self.covariance))
        return self.covariance / np.outer(sd, sd)

    def cpdag(self) -> ValueGraph:
        """Return the equivalence class of the graph: all that correlations can ever show."""
        return ValueGraph.from_adjacency(self.values, self.adjacency, {}).cpdag()

    def evaluate(self, exogenous: np.ndarray, *, fixed: np.ndarray | None = None) -> np.ndarray:
        """Solve for the values, given exogenous terms and interventions.

        Parameters
        ----------
        exogenous : numpy.ndarray
            Exogenous terms, shape (n, d), in standard deviations of the values.
        fixed : numpy.ndarray, optional
            Levels of interventions ``do(v = level)``, shape (n, d) or (d,); NaN for none.

        Returns
        -------
        numpy.ndarray
            Values, shape (n, d).
        """
        exogenous = np.atleast_2d(np.asarray(exogenous, float))
        if fixed is None:
            return exogenous @ self.total_effects.to_numpy()
        fixed = np.broadcast_to(np.asarray(fixed, float), exogenous.shape)
        free = np.isnan(fixed)
        # An intervention cuts the edges into its value and replaces its exogenous term.
        system = np.eye(len(self.values)) - free[:, :, None] * self.weights.T
        return np.linalg.solve(system, np.where(free, exogenous, fixed)[:, :, None])[:, :, 0]

    def sample(self, n: int, *, seed: int) -> pd.DataFrame:
        """Draw `n` persons with normal exogenous terms; persons by values."""
        noise = generator(seed).standard_normal((n, len(self.values)))
        return pd.DataFrame(self.evaluate(noise * self.noise_sd), columns=list(self.values))


@dataclass(frozen=True, eq=False)
class Organism:
    """What an organism was trained to answer, for checks of everything that is measured on it.

    Log-odds of yes are ``gain * key * value + yes_bias``, and `order_bias` more or less where the
    instruction names yes first or last.

    Attributes
    ----------
    truth : StructuralModel
        Structure of its values.
    gain, yes_bias, order_bias : float
        In log-odds; `gain` per standard deviation of a value, `order_bias` for the option named
        last.
    site_layer : int
        Layer after which its site is read and shifted.
    """

    truth: StructuralModel
    gain: float
    yes_bias: float
    order_bias: float
    site_layer: int

    def exogenous(self, roles: list[Role]) -> pd.DataFrame:
        """Exogenous terms of roles made of facts, roles by values, in the values' unit."""
        if any(role is not None and role.stances for role in roles):
            raise ValueError("a role has a stance, which sets a value; leave stances out here.")
        shifts = role_shifts(roles, load_role_bank(), self.truth.values)
        if self.truth.facts is None:
            return shifts * (FACT_UNIT * self.truth.noise_sd)
        effects = pd.DataFrame(self.truth.facts).T[list(shifts)]
        for name, role in zip(shifts.index, roles, strict=True):
            shifts.loc[name] = effects.reindex(role.facts if role else []).sum()
        return shifts

    def true_values(self, roles: list[Role]) -> pd.DataFrame:
        """Values of roles made of facts, in standard deviations, roles by values."""
        return self.exogenous(roles) @ self.truth.total_effects

    def true_effect(self, value: str) -> pd.Series:
        """Change of each score (log-odds) per unit of a value's exogenous term."""
        return self.gain * self.truth.total_effects.loc[value]

    def log_odds(self, value: np.ndarray, key: np.ndarray, yes_first: np.ndarray) -> np.ndarray:
        """Log-odds of yes for values (standard deviations), keys (+-1) and orders (bool)."""
        order = self.order_bias * np.where(yes_first, -1.0, 1.0)
        return self.gain * np.asarray(key) * np.asarray(value) + self.yes_bias + order


def organism_folder(name: str | Path) -> Path:
    """Return the folder of an organism of the package, by name, or of one of your own, by path."""
    folder = Path(name)
    if name in ORGANISMS:
        folder = Path(__file__).parent / "data" / "organisms" / str(name).removeprefix("organism-")
    if not (folder / "structure.json").is_file():
        raise FileNotFoundError(f"{str(name)!r} is none of {ORGANISMS}, nor an organism's folder.")
    return folder


def load_truth(name: str | Path) -> StructuralModel:
    """Load the structural model that an organism was trained on, by name or folder."""
    return StructuralModel.load(organism_folder(name) / "structure.json")


def load_training_record(name: str | Path) -> dict:
    """Load how an organism was trained: recipe, gain and biases, versions."""
    return json.loads((organism_folder(name) / "training.json").read_text(encoding="utf-8"))


def load_check(name: str | Path) -> dict:
    """Load what was measured on an organism after its training, as its card says."""
    return json.loads((organism_folder(name) / "check.json").read_text(encoding="utf-8"))


def examine(name: str | Path) -> Organism:
    """Load the truth about an organism, by name or folder."""
    record = load_training_record(name)
    site_layer = record["recipe"]["site_layer"]
    return Organism(load_truth(name), **record["answers"], site_layer=site_layer)
