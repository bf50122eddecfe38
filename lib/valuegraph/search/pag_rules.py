"""The rules by which FCI turns circles into heads and tails (Zhang 2008), in sweeps.

Boolean matrices ``head``, ``tail`` and ``circle`` of shape ``(d, d)``: ``[i, j]`` is the mark that
the edge of i and j has at j. Selection bias is not allowed for, so that rules 5-7 are not needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from valuegraph.graphs.orientation import apart, reachable


@dataclass
class Marks:
    """The marks of a graph while rules are applied; ``head`` and ``tail`` exclude each other."""

    edge: np.ndarray
    head: np.ndarray
    tail: np.ndarray

    @property
    def circle(self) -> np.ndarray:
        """Marks that are still open."""
        return self.edge & ~self.head & ~self.tail

    @property
    def directed(self) -> np.ndarray:
        """Arrows ``i -> j``: a head at j and a tail at i."""
        return self.head & self.tail.T

    def settle(self, head: np.ndarray, tail: np.ndarray, frozen: np.ndarray) -> bool:
        """Set the demanded marks where there is a circle; return whether any was set.

        A circle for which both are demanded is frozen: it stays a circle for good.
        """
        free = self.circle & ~frozen
        frozen |= free & head & tail
        head, tail = head & free & ~frozen, tail & free & ~frozen
        self.head |= head
        self.tail |= tail
        return bool(head.any() or tail.any())


def close(marks: Marks, chains: np.ndarray, separators: np.ndarray) -> int:
    """Apply all rules until nothing follows any more, then undo what cannot be.

    Parameters
    ----------
    marks
        Changed in place; arrow heads of colliders are there already.
    chains
        Triples known to be no colliders, boolean ``(d, d, d)``, ``[x, y, z]``.
    separators
        Boolean ``(d, d, d)``: ``[x, z, y]`` if y is in a set that separated x and z.

    Returns
    -------
    int
        Number of marks left as circles because rules disagreed about them.
    """
    frozen = np.zeros_like(marks.edge)
    while True:
        while marks.settle(*_rules_1_to_4(marks, chains, separators), frozen):
            pass
        if not marks.settle(np.zeros_like(frozen), _rules_8_to_10(marks), frozen):
            break
    return int(frozen.sum()) + _repair(marks)


def _rules_1_to_4(
    marks: Marks, chains: np.ndarray, separators: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the heads and tails that one sweep of rules 1 to 4 demands."""
    head, circle, directed = marks.head, marks.circle, marks.directed
    # Rule 1: a *-> b o-* c, no collider: b -> c.
    onward = (head[:, :, None] & chains).any(axis=0) & circle.T  # [b, c]
    heads, tails = onward.copy(), onward.T.copy()
    # Rule 2: a -> b *-> c or a *-> b -> c, and a *-o c: a *-> c.
    heads |= _through(directed, head) | _through(head, directed)
    # Rule 3: a *-> b <-* c, a *-o t o-* c no collider, t *-o b: t *-> b.
    ends = circle[:, :, None] & chains & circle.T[None, :, :]  # [a, t, c]
    heads |= np.einsum("atc,ab,cb->tb", ends.astype(float), head, head, optimize=True) > 0
    # Rule 4: a discriminating path t ... a, b, c for b.
    for b, c in np.argwhere(circle.T & marks.edge):
        for a, t in _discriminating(marks, b, c):
            if separators[t, c, b]:
                tails[c, b] = heads[b, c] = True
            else:
                heads[a, b] = heads[c, b] = heads[b, c] = True
    return heads & marks.edge, tails & marks.edge


def _discriminating(marks: Marks, b: int, c: int) -> list[tuple[int, int]]:
    """Return the neighbour a of b and the far end t of all discriminating paths t ... a, b, c.

    Every value between t and b is a collider on the path and a cause of c; t and c are apart.
    """
    head, into_c = marks.head, marks.directed[:, c]
    found = []
    for a in np.flatnonzero(into_c & head[b]):
        if a == b:
            continue
        seen, queue = {int(a), int(b), int(c)}, [int(a)]
        while queue:
            v = queue.pop()
            for u in map(int, np.flatnonzero(head[:, v])):
                if u in seen:
                    continue
                if not marks.edge[u, c]:
                    found.append((int(a), u))
                elif into_c[u] and head[v, u]:
                    seen.add(u)
                    queue.append(u)
    return found


def _rules_8_to_10(marks: Marks) -> np.ndarray:
    """Return the tails that rules 8 to 10 demand: for ``a o-> c``, the tail at a, ``[c, a]``."""
    open_arrows = marks.head & marks.circle.T  # [a, c]
    if not open_arrows.any():
        return np.zeros_like(marks.edge)
    directed, gap = marks.directed, apart(marks.edge)
    # Rule 8: a -> b -> c.
    tails = _through(directed, directed)
    first = _first_steps(marks, gap)  # [a, m, e]: an uncovered path a, m, ..., e may be directed
    # Rule 9: such a path from a to c whose first step m is no neighbour of c.
    tails |= (first & gap[None, :, :]).any(axis=1)
    # Rule 10: b -> c <- t, paths from a to b and to t whose first steps are no neighbours.
    for a, c in np.argwhere(open_arrows & ~tails):
        causes = np.flatnonzero(directed[:, c])
        starts = first[a][:, causes].astype(float)  # [m, cause]
        both = starts.T @ gap @ starts > 0  # [cause, cause]
        np.fill_diagonal(both, False)
        tails[a, c] = both.any()
    return (tails & open_arrows).T


def _first_steps(marks: Marks, gap: np.ndarray) -> np.ndarray:
    """Return ``[a, m, e]`` if an uncovered, potentially directed path goes a, m, ..., e."""
    possible = marks.edge & ~marks.head.T & ~marks.tail
    steps = np.argwhere(possible)
    d = len(possible)
    onward = np.zeros((len(steps), len(steps)), dtype=bool)
    for k, (u, v) in enumerate(steps):
        onward[k] = (steps[:, 0] == v) & gap[u, steps[:, 1]]
    onward = reachable(onward) | np.eye(len(steps), dtype=bool)
    first = np.zeros((d, d, d), dtype=bool)
    for k, (u, v) in enumerate(steps):
        first[u, v, steps[onward[k], 1]] = True
    return first


def _repair(marks: Marks) -> int:
    """Undo marks that cannot all be true; return how many.

    A tail whose arrow lies on a directed cycle becomes a circle; so do both heads of ``i <-> j`` if
    a path of arrows leads from i to j.
    """
    before = int(marks.circle.sum())
    reach = reachable(marks.directed)
    marks.tail &= ~(marks.directed & reach.T).T
    reach = reachable(marks.directed)
    against = marks.head & marks.head.T & (reach | reach.T)
    marks.head &= ~against
    return int(marks.circle.sum()) - before


def _through(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return ``[i, k]`` if some j has ``first[i, j]`` and ``second[j, k]``."""
    return first.astype(np.float32) @ second.astype(np.float32) > 0
