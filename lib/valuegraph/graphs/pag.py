"""Graphs that allow for hidden common causes: what FCI returns.

In a :class:`PartialAncestralGraph` every end of an edge has a mark. A head at ``b`` says that ``b``
is no cause of ``a``, a tail at ``a`` that ``a`` is a cause of ``b``, and a circle that either may
be. So ``a -> b`` is a cause, ``a <-> b`` a hidden common cause, ``a o-> b`` one of the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from valuegraph.graphs.captions import caption_of
from valuegraph.graphs.drawing import draw
from valuegraph.graphs.drawn_edges import DrawnEdge, frequency_of
from valuegraph.graphs.orientation import reachable
from valuegraph.graphs.svg import Drawing
from valuegraph.search.names import checked_names, checked_order

NONE, CIRCLE, HEAD, TAIL = range(4)
MARK_NAMES = {CIRCLE: "circle", HEAD: "head", TAIL: "tail"}
_SYMBOLS = {
    "o-o": (CIRCLE, CIRCLE),
    "o->": (CIRCLE, HEAD),
    "->": (TAIL, HEAD),
    "<->": (HEAD, HEAD),
}

Edge = tuple[str, str]


@dataclass(frozen=True, eq=False, repr=False)
class PartialAncestralGraph:
    """A graph over values whose edges may be due to hidden common causes (a PAG).

    Two graphs are equal if they have the same values and the same marks; the order of the values
    and ``info`` play no part.

    Attributes
    ----------
    values
        Names of the ``d`` values.
    marks
        int8 ``(d, d)``, read-only. ``marks[i, j]`` is the mark at ``j`` of the edge of ``i`` and
        ``j``: 0 no edge, 1 circle, 2 head, 3 tail (as in pcalg's ``amat.pag``).
    info
        As in :class:`valuegraph.graphs.graph.ValueGraph`.

    Raises
    ------
    ValueError
        If names repeat, the shape does not fit, an entry is none of the marks, an edge has a mark
        at one end only or ends like ``a - b`` and ``a -o b`` (which mean selection bias), the
        arrows form a cycle, or ``a <-> b`` although a path of arrows leads from a to b.

    References
    ----------
    Zhang, J. (2008). Causal reasoning with ancestral graphs. JMLR 9, 1437-1474.
    """

    values: tuple[str, ...]
    marks: np.ndarray
    info: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = checked_names(self.values)
        marks = np.array(self.marks)
        d = len(values)
        if marks.shape != (d, d):
            raise ValueError(f"{d} values need marks of shape ({d}, {d}), got {marks.shape}")
        if not np.isin(marks, (NONE, CIRCLE, HEAD, TAIL)).all():
            raise ValueError("marks must be 0 (no edge), 1 (circle), 2 (head) or 3 (tail)")
        marks = marks.astype(np.int8)
        for i, j in np.argwhere((marks > 0) != (marks.T > 0)):
            raise ValueError(f"the edge of {values[i]} and {values[j]} has a mark at one end only")
        for i in np.flatnonzero(np.diag(marks)):
            raise ValueError(f"a value cannot have an edge to itself: {values[i]}")
        for i, j in np.argwhere((marks.T == TAIL) & (marks != HEAD)):
            raise ValueError(
                f"the edge of {values[i]} and {values[j]} has a tail at {values[i]}, so it needs a "
                f"head at {values[j]}"
            )
        directed = (marks == HEAD) & (marks.T == TAIL)
        reach = reachable(directed)
        for i in np.flatnonzero(np.diag(reach)):
            raise ValueError(f"the arrows form a directed cycle through {values[i]}")
        for i, j in np.argwhere((marks == HEAD) & (marks.T == HEAD) & reach):
            raise ValueError(
                f"{values[i]} <-> {values[j]} says that neither is a cause of the other, but a "
                f"path of arrows leads from {values[i]} to {values[j]}"
            )
        marks.setflags(write=False)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "marks", marks)
        object.__setattr__(self, "info", dict(self.info))

    @classmethod
    def from_edges(
        cls,
        values: Sequence[str],
        edges: Iterable[tuple[str, str, str]],
        info: Mapping[str, object] | None = None,
    ) -> PartialAncestralGraph:
        """Build a graph from triples ``(a, symbol, b)``; symbols are o-o, o->, -> and <->.

        Raises
        ------
        ValueError
            If an edge names an unknown value or symbol, or a pair is given twice.
        """
        values = checked_names(values)
        marks = np.zeros((len(values), len(values)), dtype=np.int8)
        for a, symbol, b in edges:
            if a not in values or b not in values:
                raise ValueError(
                    f"edge ({a}, {b}) names a value that is none of {', '.join(values)}"
                )
            if symbol not in _SYMBOLS:
                raise ValueError(f"unknown edge {symbol!r}; choose one of {', '.join(_SYMBOLS)}")
            i, j = values.index(a), values.index(b)
            if marks[i, j]:
                raise ValueError(f"the pair {a}, {b} is given more than once")
            marks[j, i], marks[i, j] = _SYMBOLS[symbol]
        return cls(values, marks, info or {})

    @property
    def skeleton(self) -> np.ndarray:
        """Edges without their marks, boolean ``(d, d)``, symmetric."""
        return self.marks > 0

    @property
    def n_edges(self) -> int:
        """Number of edges of any kind."""
        return int(self.skeleton.sum()) // 2

    @property
    def directed_edges(self) -> list[Edge]:
        """All ``a -> b`` as ``(a, b)``: a is a cause of b, perhaps by way of others."""
        return self._where((self.marks == HEAD) & (self.marks.T == TAIL))

    @property
    def bidirected_edges(self) -> list[Edge]:
        """All ``a <-> b``, each once: neither causes the other, something hidden causes both."""
        return self._where(np.triu((self.marks == HEAD) & (self.marks.T == HEAD)))

    @property
    def half_directed_edges(self) -> list[Edge]:
        """All ``a o-> b`` as ``(a, b)``: b is no cause of a, whatever a is of b."""
        return self._where((self.marks == HEAD) & (self.marks.T == CIRCLE))

    @property
    def undirected_edges(self) -> list[Edge]:
        """All ``a o-o b``, each once: an edge about whose direction nothing is known."""
        return self._where(np.triu((self.marks == CIRCLE) & (self.marks.T == CIRCLE)))

    def reordered(self, values: Sequence[str]) -> PartialAncestralGraph:
        """Return the same graph with its values in another order.

        Raises
        ------
        ValueError
            If ``values`` are not the values of this graph.
        """
        values, order = checked_order(self.values, values)
        return PartialAncestralGraph(values, self.marks[np.ix_(order, order)], self.info)

    @property
    def caption(self) -> str:
        """One line of what has to be known to read the graph; empty without ``info``."""
        return caption_of(self.info, self.n_edges)

    def draw(self, *, layout: str = "circle") -> Drawing:
        """Draw the graph as SVG; see :meth:`valuegraph.graphs.graph.ValueGraph.draw`."""
        frequency = self.info.get("edge_frequency")
        edges = []
        for i, j in np.argwhere(np.triu(self.skeleton)):
            # A single arrow is drawn from its cause.
            if (self.marks[j, i], self.marks[i, j]) in ((HEAD, TAIL), (HEAD, CIRCLE)):
                i, j = j, i
            a, b = self.values[i], self.values[j]
            at_a, at_b = MARK_NAMES[self.marks[j, i]], MARK_NAMES[self.marks[i, j]]
            edges.append(DrawnEdge(a, b, at_a, at_b, frequency_of(a, b, frequency)))
        return draw(self.values, edges, layout=layout, caption=self.caption)

    def _where(self, mask: np.ndarray) -> list[Edge]:
        """Return the pairs at which a matrix is true, as names."""
        return [(self.values[i], self.values[j]) for i, j in np.argwhere(mask)]

    def _repr_svg_(self) -> str:
        return self.draw().svg

    def __repr__(self) -> str:
        caption = f"; {self.caption}" if self.caption else ""
        return (
            f"<PartialAncestralGraph of {len(self.values)} values: {len(self.directed_edges)} "
            f"arrows, {len(self.bidirected_edges)} with hidden common causes, "
            f"{self.n_edges - len(self.directed_edges) - len(self.bidirected_edges)} "
            f"undecided{caption}>"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PartialAncestralGraph):
            return NotImplemented
        if sorted(self.values) != sorted(other.values):
            return False
        return bool((self.marks == other.reordered(self.values).marks).all())

    def __hash__(self) -> int:
        kinds = (self.directed_edges, self.half_directed_edges)
        pairs = (self.bidirected_edges, self.undirected_edges)
        return hash(
            (
                frozenset(self.values),
                *map(frozenset, kinds),
                *(frozenset(map(frozenset, edges)) for edges in pairs),
            )
        )
