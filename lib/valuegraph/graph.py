"""Graphs over values: DAGs, equivalence classes (CPDAGs) and graphs with hidden causes (PAGs).

In a linear causal model without hidden common causes, the effect of ``k`` on everything else is
what is left of a regression on ``k`` once the parents of ``k`` are held fixed. A discovered graph
leaves some directions open, and with them who the parents are; so there are several possible
effects (IDA: *intervention calculus when the DAG is absent*).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from valuegraph.drawing import Drawing, draw
from valuegraph.pc import arrows, class_of, reachable, turned

NONE, TAIL, HEAD, CIRCLE = range(4)

#: Kinds of edges ``a link b``: the marks at a and at b, and a name.
LINKS = {
    "→": (TAIL, HEAD, "directed"),
    "—": (TAIL, TAIL, "undirected"),
    "o→": (CIRCLE, HEAD, "half-directed"),
    "o—o": (CIRCLE, CIRCLE, "open"),
    "↔": (HEAD, HEAD, "bidirected"),
}

#: What a caption says of each entry of `info`.
CAPTION = {
    "method": "{method}",
    "alpha": "alpha = {alpha:g}",
    "n": "n = {n}",
    "threshold": "in {threshold:.0%} of {n_resamples} resamples",
    "n_edges": "{n_edges} edges",
    "null_edges": "null {null_edges:.1f} ± {null_sd:.1f} edges",
    "sentence_null_edges": "sentence null {sentence_null_edges:.1f} ± {sentence_null_sd:.1f} edges",
    "sentences_only": "these sentences only",
}


def _edges_of(link: str, doc: str) -> property:
    """Make the list of the edges of one kind a property."""
    return property(lambda self: [(a, b) for a, kind, b in self.edges if kind == link], doc=doc)


@dataclass(frozen=True, eq=False, repr=False)
class ValueGraph:
    """A causal graph over values: each edge has a mark at either end.

    A head at ``b`` says that ``b`` is no cause of ``a``, a tail at ``a`` that ``a`` is a cause of
    ``b``, a circle that either may be. So ``a -> b`` is a cause, ``a <-> b`` a hidden common cause,
    ``a o-> b`` one of the two; ``a - b`` has either direction, but no hidden common cause. Two
    graphs are equal if they have the same values and marks, whatever their order and `info`.

    Attributes
    ----------
    values : tuple of str
        Names of the ``d`` values.
    marks : numpy.ndarray
        int8 ``(d, d)``, read-only: ``marks[i, j]`` is the mark at ``j`` of the edge of ``i`` and
        ``j``; 0 no edge, 1 tail, 2 head, 3 circle. No path of arrows may lead from ``i`` to ``j``
        where their edge has a head at ``i``; so there is no directed cycle.
    info : Mapping
        What has to be printed with the graph: ``method``, ``alpha``, ``n``, ``null_edges`` and
        whatever the method adds. ``edge_frequency``, pairs of values to the share of resamples with
        their edge, sets the width and opacity of lines in drawings.

    References
    ----------
    Zhang, J. (2008). Causal reasoning with ancestral graphs. JMLR 9, 1437-1474.
    """

    values: tuple[str, ...]
    marks: np.ndarray
    info: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values, marks = tuple(self.values), np.array(self.marks)
        named = all(isinstance(value, str) and value.strip() for value in values)
        if isinstance(self.values, str) or not named or len(set(values)) < len(values):
            raise ValueError(f"values must be names that all differ, got {self.values!r}")
        d = len(values)
        if marks.shape != (d, d) or not np.isin(marks, range(4)).all():
            raise ValueError(f"{d} values need a {d} x {d} matrix of marks, 0 to 3, got {marks!r}")
        odd = (marks > 0) != (marks.T > 0)
        odd |= ((marks.T == TAIL) & (marks == CIRCLE)) | (np.eye(d) * marks > 0)
        for i, j in np.argwhere(odd):
            raise ValueError(f"{values[i]} and {values[j]} have no edge of a known kind")
        reach = reachable((marks == HEAD) & (marks.T == TAIL))
        for i, j in np.argwhere(reach & (marks.T == HEAD)):
            path = f"{values[i]} to {values[j]}, but their edge has a head at {values[i]}"
            raise ValueError(f"a directed cycle, or a false <->: arrows lead from {path}")
        marks = marks.astype(np.int8)
        marks.setflags(write=False)
        vars(self).update(values=values, marks=marks, info=dict(self.info))

    @classmethod
    def from_adjacency(
        cls, values: Sequence[str], adjacency: np.ndarray, info: Mapping[str, object] | None = None
    ) -> "ValueGraph":
        """Build a graph without hidden causes.

        Parameters
        ----------
        values : sequence of str
            Names of the ``d`` values.
        adjacency : numpy.ndarray
            0 or 1, shape ``(d, d)``: ``[cause, effect]`` of an arrow; both ways: no direction.
        info : Mapping, optional
            See the class.
        """
        adjacency = np.asarray(adjacency)
        if not np.isin(adjacency, (0, 1)).all():
            raise ValueError("an adjacency holds 0 and 1 (of weights, use weights != 0)")
        return cls(values, marks_of(adjacency.astype(bool)), info or {})

    @property
    def skeleton(self) -> np.ndarray:
        """Edges of any kind, boolean ``(d, d)``, symmetric."""
        return self.marks > 0

    @property
    def adjacency(self) -> np.ndarray:
        """Boolean ``(d, d)``: arrows as ``[cause, effect]``, all other edges both ways."""
        return self.skeleton & ~((self.marks == HEAD) & (self.marks.T == TAIL)).T

    @property
    def n_edges(self) -> int:
        """Number of edges of any kind."""
        return int(self.skeleton.sum()) // 2

    @property
    def edges(self) -> list[tuple[str, str, str]]:
        """All edges as ``(a, link, b)``, with the links of :data:`LINKS`, each once."""
        edges = []
        for link, (at_a, at_b, _) in LINKS.items():
            where = (self.marks.T == at_a) & (self.marks == at_b)
            where = np.triu(where) if at_a == at_b else where
            edges += [(self.values[i], link, self.values[j]) for i, j in np.argwhere(where)]
        return edges

    directed_edges = _edges_of("→", "All ``a -> b`` as ``(a, b)``: a is a cause of b.")
    undirected_edges = _edges_of("—", "All ``a - b``: either way, but nothing hidden causes both.")
    half_directed_edges = _edges_of("o→", "All ``a o-> b`` as ``(a, b)``: b is no cause of a.")
    circle_edges = _edges_of("o—o", "All ``a o-o b``: nothing is known but that there is an edge.")
    bidirected_edges = _edges_of("↔", "All ``a <-> b``: something hidden causes both.")

    def among(self, values: Sequence[str]) -> "ValueGraph":
        """Return the graph of some of the values, in this order; paths through others are lost."""
        for value in values:
            if value not in self.values:
                raise ValueError(f"{value!r} is none of the values {', '.join(self.values)}")
        kept = [self.values.index(value) for value in values]
        return ValueGraph(tuple(values), self.marks[np.ix_(kept, kept)], self.info)

    def cpdag(self) -> "ValueGraph":
        """Return the equivalence class of this DAG: all that correlations can tell of it.

        An arrow is kept if every DAG with the same conditional independences has it: those of
        unshielded colliders, and what follows by Meek's rules.

        References
        ----------
        Meek, C. (1995). Causal inference and causal explanation with background knowledge. UAI 11.
        """
        dag = self.adjacency
        if len(self.directed_edges) < self.n_edges:
            raise ValueError(f"a DAG has no arrows both ways, but has {self.undirected_edges[0]}")
        return ValueGraph.from_adjacency(self.values, class_of(dag, np.zeros(len(dag), dtype=int)))

    @property
    def caption(self) -> str:
        """One line of what has to be known to read the graph; empty without `info`."""
        facts = {**self.info, "n_edges": self.n_edges}
        facts |= {"method": facts["method"].upper()} if "method" in facts else {}
        shown = [k for k in CAPTION if k in facts]
        return ", ".join(CAPTION[k].format(**facts) for k in shown) if self.info else ""

    def draw(self, layout: str = "circle") -> Drawing:
        """Draw the graph as SVG.

        Parameters
        ----------
        layout : str
            ``"circle"`` puts every value at its fixed place, so that drawings can be compared by
            eye; ``"layers"`` puts causes above effects.
        """
        return draw(self.values, self.edges, layout, self.caption, self.info.get("edge_frequency"))

    def _repr_svg_(self) -> str:
        return self.draw().svg

    def __repr__(self) -> str:
        links = [link for _, link, _ in self.edges]
        kinds = [f"{links.count(k)} {v[2]}" for k, v in LINKS.items() if k in links or k in "→—"]
        caption = f"; {self.caption}" if self.caption else ""
        return f"<ValueGraph of {len(self.values)} values: {', '.join(kinds)} edges{caption}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ValueGraph) or set(self.values) != set(other.values):
            return False
        return bool((self.marks == other.among(self.values).marks).all())

    def __hash__(self) -> int:
        return hash((*sorted(self.values), self.among(sorted(self.values)).marks.tobytes()))


def marks_of(adjacency: np.ndarray) -> np.ndarray:
    """Return the marks of boolean adjacencies ``(..., d, d)``; both ways are two tails."""
    back = turned(adjacency)
    return np.where(adjacency & ~back, HEAD, np.where(back, TAIL, NONE)).astype(np.int8)


def total_effects(graph: ValueGraph, covariance: pd.DataFrame) -> pd.DataFrame:
    """Return the effect of every value on every other, as far as a graph can tell.

    Where it leaves open which values are parents of a cause, the effect is the mean over all sets
    of parents that the cause may have.

    Parameters
    ----------
    graph : ValueGraph
        A graph without hidden common causes.
    covariance : pandas.DataFrame
        Covariances of the same values, or correlations: then effects are in standard deviations.

    Returns
    -------
    pandas.DataFrame
        ``[cause, effect]`` in the order of the graph: the change of the effect per unit change of
        the cause. Ones on the diagonal.

    References
    ----------
    Maathuis, M. H., Kalisch, M., Bühlmann, P. (2009). Estimating high-dimensional intervention
    effects from observational data. Annals of Statistics 37, 3133-3164.
    """
    if (graph.marks == CIRCLE).any() or graph.bidirected_edges:
        raise ValueError("effects need a graph without hidden causes; use method 'pc' or 'lingam'")
    names = list(graph.values)
    matrix = covariance.reindex(index=names, columns=names).to_numpy(dtype=float)
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T):
        raise ValueError(f"covariances must be finite and symmetric, over {', '.join(names)}")
    if np.linalg.eigvalsh(matrix)[0] <= 1e-10 * np.trace(matrix):
        raise ValueError("covariances are singular, as of ipsatised scores; use raw scores")
    effects = np.zeros_like(matrix)
    for cause in range(len(names)):
        possible = []
        for parents in _parent_sets(graph, cause):
            held = [cause, *parents]
            slopes = np.linalg.solve(matrix[np.ix_(held, held)], matrix[held])[0]
            slopes[held] = np.eye(len(held))[0]  # exactly, not by rounding
            possible.append(slopes)
        effects[cause] = np.mean(possible, axis=0)
    return pd.DataFrame(effects, names, names).rename_axis(index="cause", columns="effect")


def _parent_sets(graph: ValueGraph, value: int) -> list[list[int]]:
    """Return every set of parents that a value may have without a new collider."""
    skeleton = graph.skeleton
    certain = np.flatnonzero(arrows(graph.adjacency)[:, value])
    both = graph.adjacency & graph.adjacency.T
    near = [j for j in np.flatnonzero(both[value]) if skeleton[j, certain].all()]
    some = (chosen for size in range(len(near) + 1) for chosen in combinations(near, size))
    joined = (chosen for chosen in some if all(skeleton[pair] for pair in combinations(chosen, 2)))
    return [sorted((*certain, *chosen)) for chosen in joined]


def reached(graph: ValueGraph) -> pd.DataFrame:
    """Return which values a change of each may reach, boolean ``[cause, effect]``.

    Edges may be passed both ways unless a head forbids it.
    """
    names = list(graph.values)
    reach = reachable(graph.skeleton & (graph.marks.T != HEAD)) & ~np.eye(len(names), dtype=bool)
    return pd.DataFrame(reach, names, names).rename_axis(index="cause", columns="effect")
