"""Graphs over values: edges with and without direction, and what may be said about them.

A :class:`ValueGraph` is what discovery returns and what comparison takes: a partially directed
graph without directed cycles. Correlations alone can tell a causal graph only up to its
equivalence class (the CPDAG), in which some edges have a direction and some have not;
:func:`cpdag_of` turns a known causal graph into that class.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from valuegraph.graphs.captions import caption_of
from valuegraph.graphs.drawing import draw
from valuegraph.graphs.drawn_edges import drawn_edges
from valuegraph.graphs.orientation import arrows, colliders, meek_closure, reachable
from valuegraph.graphs.svg import Drawing
from valuegraph.search.names import checked_names, checked_order

Edge = tuple[str, str]


@dataclass(frozen=True, eq=False, repr=False)
class ValueGraph:
    """A partially directed acyclic graph over values.

    Two graphs are equal if they have the same values and the same edges; the order of the values
    and ``info`` play no part.

    Attributes
    ----------
    values
        Names of the ``d`` values.
    adjacency
        Boolean ``(d, d)``, read-only. ``adjacency[i, j]`` says that an edge between ``i`` and ``j``
        may point from ``i`` to ``j``: ``i -> j`` if only ``[i, j]`` is true, undirected if both.
    info
        What has to be printed with the graph: ``method``, ``alpha``, ``n``, ``null_edges`` (mean
        number of edges found where there are none), ``null_sd`` and whatever the method adds.
        ``edge_frequency``, pairs of values to the share of resamples with their edge, sets the
        width and opacity of lines in drawings.

    Raises
    ------
    ValueError
        If names repeat, the shape does not fit, an entry is neither 0 nor 1, a value has an edge to
        itself, or the arrows form a cycle.
    """

    values: tuple[str, ...]
    adjacency: np.ndarray
    info: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = checked_names(self.values)
        adjacency = np.array(self.adjacency)
        d = len(values)
        if adjacency.shape != (d, d):
            raise ValueError(
                f"{d} values need an adjacency of shape ({d}, {d}), got {adjacency.shape}"
            )
        if not np.isin(adjacency, (0, 1)).all():
            odd = adjacency[~np.isin(adjacency, (0, 1))].flat[0]
            raise ValueError(
                f"adjacency holds {odd!r}; it says only whether an edge is there (use weights != 0)"
            )
        adjacency = adjacency.astype(bool)
        loops = [values[i] for i in np.flatnonzero(np.diag(adjacency))]
        if loops:
            raise ValueError(f"a value cannot have an edge to itself: {', '.join(loops)}")
        on_cycle = np.diag(reachable(arrows(adjacency)))
        if on_cycle.any():
            names = ", ".join(values[i] for i in np.flatnonzero(on_cycle))
            raise ValueError(f"the arrows form a directed cycle through {names}")
        adjacency.setflags(write=False)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "adjacency", adjacency)
        object.__setattr__(self, "info", dict(self.info))

    @classmethod
    def from_edges(
        cls,
        values: Sequence[str],
        *,
        directed: Iterable[Edge] = (),
        undirected: Iterable[Edge] = (),
        info: Mapping[str, object] | None = None,
    ) -> ValueGraph:
        """Build a graph from lists of edges.

        Parameters
        ----------
        values
            Names of all values, also of those without an edge.
        directed
            Pairs ``(cause, effect)``.
        undirected
            Pairs in any order.
        info
            See the class.

        Raises
        ------
        ValueError
            If an edge names an unknown value, or a pair is given more than once.
        """
        values = checked_names(values)
        index = {value: i for i, value in enumerate(values)}
        adjacency = np.zeros((len(values), len(values)), dtype=bool)
        for edges, both in ((directed, False), (undirected, True)):
            for a, b in edges:
                for value in (a, b):
                    if value not in index:
                        raise ValueError(
                            f"edge ({a}, {b}) names {value!r}, which is none of the values "
                            f"{', '.join(values)}"
                        )
                i, j = index[a], index[b]
                if adjacency[i, j] or adjacency[j, i]:
                    raise ValueError(
                        f"the pair {a}, {b} is given more than once; an edge without direction "
                        f"belongs in `undirected`, once"
                    )
                adjacency[i, j] = True
                adjacency[j, i] |= both
        return cls(values, adjacency, info or {})

    @property
    def skeleton(self) -> np.ndarray:
        """Edges without their direction, boolean ``(d, d)``, symmetric."""
        return self.adjacency | self.adjacency.T

    @property
    def directed_edges(self) -> list[Edge]:
        """All arrows as ``(cause, effect)``, in the order of the values."""
        return [(self.values[i], self.values[j]) for i, j in np.argwhere(arrows(self.adjacency))]

    @property
    def undirected_edges(self) -> list[Edge]:
        """All edges without direction, each once, in the order of the values."""
        both = np.triu(self.adjacency & self.adjacency.T)
        return [(self.values[i], self.values[j]) for i, j in np.argwhere(both)]

    @property
    def n_edges(self) -> int:
        """Number of edges, with and without direction."""
        return int(self.skeleton.sum()) // 2

    def reordered(self, values: Sequence[str]) -> ValueGraph:
        """Return the same graph with its values in another order.

        Raises
        ------
        ValueError
            If ``values`` are not the values of this graph.
        """
        values, order = checked_order(self.values, values)
        return ValueGraph(values, self.adjacency[np.ix_(order, order)], self.info)

    def among(self, values: Sequence[str]) -> ValueGraph:
        """Return the graph of some of the values, e.g. without age and sex.

        Edges are kept as they are; what ran through the other values is not put into new edges.

        Raises
        ------
        ValueError
            If one of them is no value of this graph.
        """
        values = checked_names(values)
        unknown = [value for value in values if value not in self.values]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is none of the values {', '.join(self.values)}")
        kept = [self.values.index(value) for value in values]
        return ValueGraph(values, self.adjacency[np.ix_(kept, kept)], self.info)

    def to_amat(self) -> np.ndarray:
        """Return the int8 matrix that gadjid reads with ``edge_direction="from row to column"``.

        Returns
        -------
        numpy.ndarray
            Shape ``(d, d)``: 1 at ``[i, j]`` for ``i -> j``, 2 at ``[i, j]`` and ``[j, i]`` for an
            undirected edge, else 0.
        """
        undirected = self.adjacency & self.adjacency.T
        return (self.adjacency.astype(np.int8) + undirected).astype(np.int8)

    @property
    def caption(self) -> str:
        """One line of what has to be known to read the graph; empty without ``info``."""
        return caption_of(self.info, self.n_edges)

    def draw(self, *, layout: str = "circle") -> Drawing:
        """Draw the graph as SVG.

        Parameters
        ----------
        layout
            ``"circle"`` puts every value at its fixed place (Schwartz's circle, if the values are
            his), so that two drawings can be compared by eye. ``"layers"`` lets Graphviz put causes
            above effects; where its ``dot`` program is missing, the circle is drawn with a hint.

        Raises
        ------
        ValueError
            If the layout is neither of the two.
        """
        edges = drawn_edges(
            self.directed_edges, self.undirected_edges, self.info.get("edge_frequency")
        )
        return draw(self.values, edges, layout=layout, caption=self.caption)

    def _repr_svg_(self) -> str:
        return self.draw().svg

    def __repr__(self) -> str:
        caption = f"; {self.caption}" if self.caption else ""
        return (
            f"<ValueGraph of {len(self.values)} values: {len(self.directed_edges)} directed, "
            f"{len(self.undirected_edges)} undirected edges{caption}>"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ValueGraph):
            return NotImplemented
        if sorted(self.values) != sorted(other.values):
            return False
        return bool((self.adjacency == other.reordered(self.values).adjacency).all())

    def __hash__(self) -> int:
        undirected = frozenset(frozenset(edge) for edge in self.undirected_edges)
        return hash((frozenset(self.values), frozenset(self.directed_edges), undirected))


def cpdag_of(dag_adjacency: np.ndarray, values: Sequence[str]) -> ValueGraph:
    """Return the equivalence class of a causal graph: all that correlations can tell of it.

    An arrow is kept if every DAG with the same conditional independences has it. Those are the
    arrows of unshielded colliders and what follows from them by Meek's rules.

    Parameters
    ----------
    dag_adjacency
        Arrows of a DAG, shape ``(d, d)``: ``[cause, effect]``.
    values
        Names of the ``d`` values.

    Returns
    -------
    ValueGraph
        The completed partially directed acyclic graph (CPDAG).

    Raises
    ------
    ValueError
        If the matrix is no DAG: wrong shape, a cycle, or a pair with arrows both ways.

    References
    ----------
    Meek, C. (1995). Causal inference and causal explanation with background knowledge. UAI 11.
    """
    dag = ValueGraph(values, dag_adjacency)
    if dag.undirected_edges:
        a, b = dag.undirected_edges[0]
        raise ValueError(f"a DAG has no arrows both ways, but {a} and {b} point at each other")
    skeleton = dag.skeleton
    adjacency, _ = meek_closure(skeleton & ~colliders(dag.adjacency).T)
    return ValueGraph(dag.values, adjacency)
