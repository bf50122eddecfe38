"""Rows under several interventions, pooled: interventions as variables, tests that know of roles.

Rows of the same role are not independent, and an intervention moves several values at once. Pooled
rows therefore give false edges by the dozen, unless both are accounted for:

* Every intervention is a variable of its own, set from outside: nothing causes it (joint causal
  inference). Tests between values hold all interventions fixed, which a set of exogenous variables
  allows without loss: rows are centred within each intervention.
* Tests between two values use the number of independent rows that their correlation is worth:

      n_ij = (n - k) / D_ij,    D_ij = m tr(S_i S_j) / (tr S_i tr S_j)

  for ``n`` rows, ``m`` rows a role, ``k = m - 1`` interventions held fixed, and ``S_i`` the
  covariance over roles of value i under the ``m`` interventions, ``(m, m)``. ``D`` is the design
  effect of the product of two clustered variables (Clifford et al. 1989, written there for points
  in space). If all rows of a role are equally correlated, with intraclass correlations r, it is
  ``1 + (m - 1) r_i r_j``.

References
----------
Mooij, J. M., Magliacane, S., Claassen, T. (2020). Joint causal inference from multiple contexts.
JMLR 21, 1-108.
Clifford, P., Richardson, S., Hemon, D. (1989). Assessing the significance of the correlation
between two spatial processes. Biometrics 45, 123-134.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION
from valuegraph.checks import SMALLEST_EIGENVALUE, checked_correlation, checked_scores
from valuegraph.graphs.orientation import orient
from valuegraph.search.colliders import conservative, gather
from valuegraph.search.found import Found
from valuegraph.search.knowledge import Knowledge, tiers_of
from valuegraph.search.reach import reach
from valuegraph.search.skeleton import skeletons


@dataclass(frozen=True, eq=False)
class ContextProblem:
    """Roles under several interventions, ready for a search; see the top of the module.

    Attributes
    ----------
    given
        Names of the variables in the order in which they are returned: values as given, then
        interventions as ``do(name)``.
    names
        The same with values and interventions in alphabetical order, which is that of all arrays.
    scores
        Shape ``(roles, m, p)``: scores of ``p`` values without an intervention (first) and under
        each of the ``m - 1`` others.
    knowledge
        Tiers of the values.
    n_pairs
        Effective number of rows of each pair of values, ``(p, p)``.
    """

    given: tuple[str, ...]
    names: tuple[str, ...]
    scores: np.ndarray
    knowledge: Knowledge
    n_pairs: np.ndarray

    @classmethod
    def from_scores(
        cls,
        scores: pd.DataFrame,
        tiers: Sequence[Sequence[str]] | None,
        *,
        min_spread: float = 0.0,
    ) -> ContextProblem:
        """Check pooled scores and put them in order.

        Parameters
        ----------
        scores
            Index of pairs ``(intervention, role)``, with every role under every intervention, one
            of which is ``"none"``; one numeric column per value.
        tiers
            Groups of values, see :func:`valuegraph.discovery.discover`.

        Raises
        ------
        ValueError
            If that is not what the scores are, or they cannot be searched.
        """
        if not isinstance(scores, pd.DataFrame) or set(scores.index.names) != {
            "intervention",
            "role",
        }:
            raise ValueError(
                "contexts need a DataFrame whose index has the levels 'intervention' and 'role'"
            )
        table = scores.reorder_levels(["intervention", "role"])
        if table.index.has_duplicates:
            twice = table.index[table.index.duplicated()][0]
            raise ValueError(f"intervention {twice[0]!r}, role {twice[1]!r} has more than one row")
        done = sorted({str(name) for name in table.index.unique("intervention")})
        if NO_INTERVENTION not in done or len(done) < 2:
            raise ValueError(
                f"contexts need rows without intervention ({NO_INTERVENTION!r}) and rows with one; "
                f"the scores have {', '.join(done)}"
            )
        interventions = [NO_INTERVENTION, *(name for name in done if name != NO_INTERVENTION)]
        values = tuple(sorted(scores.columns))
        checked_scores(table.reset_index(drop=True), min_spread=min_spread)
        table.index = table.index.set_levels(table.index.levels[0].astype(str), level=0)
        blocks = [table.xs(name).sort_index()[list(values)] for name in interventions]
        for name, block in zip(interventions, blocks, strict=True):
            lacking = blocks[0].index.symmetric_difference(block.index)
            if len(lacking):
                raise ValueError(
                    f"role {lacking[0]!r} has rows under only one of {NO_INTERVENTION!r} and "
                    f"{name!r}; keep roles that were asked under every intervention"
                )
        contexts = tuple(f"do({name})" for name in interventions[1:])
        clash = set(contexts) & set(values)
        if clash:
            raise ValueError(f"a value has the name of an intervention: {clash.pop()!r}")
        array = np.stack([block.to_numpy(dtype=float) for block in blocks], axis=1)
        problem = cls(
            (*scores.columns, *contexts),
            (*values, *contexts),
            array,
            Knowledge.from_tiers(tiers_of(values, tiers)),
            effective_rows(array),
        )
        checked_correlation(pd.DataFrame(_within(array), values, values))
        if problem.n_pairs.min() < len(values) + 2:
            raise ValueError(
                f"{array.shape[0]} roles are worth {problem.n_pairs.min():.0f} independent rows, "
                f"too few for {len(values)} values; ask more roles"
            )
        return problem

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.scores.shape[0] * self.scores.shape[1]

    @property
    def place(self) -> np.ndarray:
        """Where each given name stands among the ordered ones, shape ``(d,)``."""
        return np.array([self.names.index(name) for name in self.given])

    @property
    def facts(self) -> dict[str, object]:
        """What a graph has to tell of its rows; ``n_effective`` is the median over pairs."""
        roles, m, p = self.scores.shape
        pairs = self.n_pairs[np.triu_indices(p, 1)]
        return {
            "n": self.n,
            "n_effective": float(np.median(pairs)),
            "roles": roles,
            "contexts": self.names[p:],
        }

    @property
    def under_null(self) -> np.ndarray:
        """Pairs whose dependence the null removes, boolean ``(d, d)``: pairs of values."""
        value = np.arange(len(self.names)) < self.scores.shape[2]
        return value[:, None] & value & ~np.eye(len(value), dtype=bool)

    @property
    def own(self) -> np.ndarray:
        """The data as they are."""
        return self.scores

    def independent(self, rng: np.random.Generator) -> ContextProblem:
        """Return the same problem without dependence between values.

        Each value gets other roles, all rows of a role together: clusters and the effects of
        interventions stay.
        """
        roles, _, p = self.scores.shape
        mixed = np.stack([self.scores[rng.permutation(roles), :, k] for k in range(p)], axis=2)
        return replace(self, scores=mixed)

    def resampled(self, rng: np.random.Generator) -> np.ndarray:
        """Draw as many roles with replacement, each with all its rows.

        A draw with linearly dependent values is drawn again.

        Raises
        ------
        ValueError
            If twenty draws in a row are linearly dependent.
        """
        roles = len(self.scores)
        for _ in range(20):
            drawn = self.scores[rng.integers(roles, size=roles)]
            centred = drawn - drawn.mean(axis=0)
            if (centred.std(axis=(0, 1)) > 1e-12).all():
                if np.linalg.eigvalsh(_within(drawn))[0] >= SMALLEST_EIGENVALUE:
                    return drawn
        raise ValueError(
            f"twenty resamples of {roles} roles in a row are linearly dependent; ask more roles"
        )

    def search(self, draws: Sequence[np.ndarray], method: str, alpha: float) -> Found:
        """Search some draws by PC: values first, then what the interventions reach.

        An intervention and a value are joined unless they are independent given some neighbours of
        the value, and the other interventions. Where an intervention reaches y but not a neighbour
        z of y, the sets that separate it from z say whether y is a cause or an effect of z.
        """
        _, m, p = self.scores.shape
        within = np.stack([_within(draw) for draw in draws])
        values = skeletons(within, self.n_pairs, alpha, self.knowledge)
        colliders, chains = conservative(
            gather(within, self.n_pairs, alpha, self.knowledge, values)
        )
        b, d = len(draws), len(self.names)
        skeleton = np.zeros((b, d, d), dtype=bool)
        skeleton[:, :p, :p] = values.adjacency
        claims = np.zeros_like(skeleton)
        claims[:, :p, :p] = colliders.any(axis=3)
        all_chains = np.zeros((b, d, d, d), dtype=bool)
        all_chains[:, :p, :p, :p] = chains
        for k, draw in enumerate(draws):
            reached, holds, lacks = reach(draw, values.adjacency[k], alpha)
            for c in range(m - 1):
                skeleton[k, p + c, :p] = skeleton[k, :p, p + c] = reached[c]
                # [y, z]: y reached, z its neighbour, z not reached.
                triple = reached[c][:, None] & values.adjacency[k] & ~reached[c][None, :]
                claims[k, :p, :p] |= (triple & lacks[c].T & ~holds[c].T).T
                all_chains[k, p + c, :p, :p] = triple & holds[c].T & ~lacks[c].T
        tier = np.concatenate([self.knowledge.tier + 1, np.zeros(m - 1, dtype=int)])
        found = orient(skeleton, claims, chains=all_chains, backwards=tier[:, None] > tier[None, :])
        return Found.from_adjacency(
            found.adjacency,
            {
                "conflicts": found.conflicts,
                "cycles": found.cycles,
                "context_edges": skeleton[:, p:, :p].sum(axis=(1, 2)),
            },
        )


def effective_rows(scores: np.ndarray) -> np.ndarray:
    """Return how many independent rows the correlation of each two values is worth.

    Parameters
    ----------
    scores
        Shape ``(roles, m, p)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(p, p)``; see the top of the module. Exact for the variance of the correlation if
        roles are given to each value at random.
    """
    roles, m, _ = scores.shape
    centred = scores - scores.mean(axis=0)
    covariance = np.einsum("rap,rbp->pab", centred, centred) / (roles - 1)
    trace = np.trace(covariance, axis1=1, axis2=2)
    effect = m * np.einsum("iab,jba->ij", covariance, covariance) / np.outer(trace, trace)
    return (roles * m - (m - 1)) / effect


def _within(scores: np.ndarray) -> np.ndarray:
    """Return the correlations of values within interventions, ``(p, p)``."""
    return np.corrcoef((scores - scores.mean(axis=0)).reshape(-1, scores.shape[2]).T)
