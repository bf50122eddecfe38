"""The PC algorithm on correlations, for one matrix or for all resamples of a bootstrap at once.

Plain arrays over a stack of ``b`` graphs of ``d`` variables. ``adjacency[..., i, j]`` says that an
edge may point from ``i`` to ``j``: both ways means undirected, one way an arrow. Every step works
on whole matrices, so that nothing depends on the order of the variables.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from scipy.special import ndtri

BLOCK = 50_000  # sets that are looked at in one call, to bound the memory


def pc(correlations, n, alpha, tier, *, plain=False) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Run PC with the conservative rule for colliders.

    A triple x - y - z with x, z apart is a collider if no set of neighbours of x, or of z, that
    separates x from z holds y, and none if all of them do. Where they disagree nothing is concluded
    from the triple.

    Parameters
    ----------
    correlations : numpy.ndarray
        Shape ``(b, d, d)``, each positive definite.
    n : int
        Number of independent rows behind each.
    alpha : float
        Significance level of each test.
    tier : numpy.ndarray
        Whole numbers ``(d,)``: nothing causes what has a smaller one.
    plain : bool
        Decide by those sets alone that removed the edge of x and z (the original rule).

    Returns
    -------
    adjacency : numpy.ndarray
        Shape ``(b, d, d)``, without directed cycles.
    counts : dict of str to numpy.ndarray
        ``conflicts`` and ``cycles``: edges left undirected because evidence pointed both ways, or
        because they lay on a directed cycle; each ``(b,)``.

    References
    ----------
    Spirtes, P., Glymour, C., Scheines, R. (2000). Causation, Prediction, and Search. MIT Press.
    Ramsey, J., Spirtes, P., Zhang, J. (2006). Adjacency-faithfulness and conservative causal
    inference. UAI 22.
    Colombo, D., Maathuis, M. H. (2014). Order-independent constraint-based causal structure
    learning. JMLR 15, 3921-3962.
    """
    skeleton, separators = skeletons(correlations, n, alpha, tier)
    colliders, chains = triples_of(correlations, n, alpha, tier, skeleton, separators, plain=plain)
    # A collider that time makes impossible claims nothing.
    possible = tier[:, None] <= tier
    colliders &= possible[:, :, None] & possible.T
    return orient(skeleton, colliders.any(axis=3), chains, tier)


def tiers_of(values: Sequence[str], tiers: Sequence[Sequence[str]] | None) -> np.ndarray:
    """Return the number of the tier of each value; values in none come last."""
    tiers = [] if tiers is None else tiers
    if isinstance(tiers, str) or any(isinstance(tier, str) or not len(tier) for tier in tiers):
        raise ValueError(f"tiers must be lists of names, like [['age', 'sex']], got {tiers!r}")
    named = [name for tier in tiers for name in tier]
    for name in named:
        if name not in values or named.count(name) > 1:
            raise ValueError(f"tiers name {name!r} twice, or it is none of {', '.join(values)}")
    place = {name: number for number, tier in enumerate(tiers) for name in tier}
    return np.array([place.get(name, len(tiers)) for name in values])


def critical_correlation(alpha, n, n_given) -> np.ndarray:
    """Return the size from which on a partial correlation is significant by Fisher's z.

    ``p > alpha`` is ``|r| < tanh(z / sqrt(n - n_given - 3))`` with the normal quantile ``z`` at
    ``1 - alpha / 2``; 1 where too few rows are left for a test.
    """
    left = np.asarray(n, dtype=float) - n_given - 3
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(left > 0, np.tanh(-ndtri(alpha / 2) / np.sqrt(left)), 1.0)


def skeletons(correlations, n, alpha, tier) -> tuple[np.ndarray, np.ndarray]:
    """Remove every edge whose ends are independent given some neighbours of either.

    Parameters are those of :func:`pc`; `n` may also be one number for each pair, ``(d, d)``. Within
    a size of the sets held fixed, edges go only after all tests. A set for x and y never holds what
    comes after both.

    Returns
    -------
    skeleton : numpy.ndarray
        Boolean ``(b, d, d)``, symmetric.
    separators : numpy.ndarray
        Boolean ``(b, d, d, d)``, ``[., x, y, z]``: y is in a set that removed the edge x - z.
    """
    b, d = correlations.shape[:2]
    skeleton = np.broadcast_to(~np.eye(d, dtype=bool), correlations.shape).copy()
    separators = np.zeros((b, d, d, d), dtype=bool)
    for size in range(1, d):
        critical = np.broadcast_to(critical_correlation(alpha, n, size - 1), (d, d))
        removed = np.zeros_like(skeleton)
        for which, x, sets in _neighbour_sets(skeleton, size):
            r = partials(correlations, which, x, sets)
            apart = np.abs(r) < critical[x[:, None, None], sets]
            for place in range(size):
                y, others = sets[:, :, place], np.delete(sets, place, axis=2)
                row, column = np.nonzero(apart[:, :, place] & _in_time(tier, x, y, others))
                k, i, j = which[row], x[row], y[row, column]
                removed[k, i, j] = removed[k, j, i] = True
                for held in others[row, column].T:
                    separators[k, i, held, j] = separators[k, j, held, i] = True
        skeleton &= ~removed
    return skeleton, separators


def triples_of(
    correlations, n, alpha, tier, skeleton, separators, *, plain=False
) -> tuple[np.ndarray, np.ndarray]:
    """Return which triples x - y - z are colliders, and which are known to be none.

    Parameters are those of :func:`pc` and the results of :func:`skeletons`; both arrays are boolean
    ``(b, d, d, d)``, ``[., x, y, z]``.
    """
    holds, lacks = separators, ~separators
    if not plain:
        holds, lacks = _separating(correlations, n, alpha, tier, skeleton)
        # Pairs that no set of the final neighbours separates are judged by those that did.
        none = ~(holds | lacks).any(axis=2, keepdims=True)
        holds, lacks = holds | (none & separators), lacks | (none & ~separators)
    triples = open_triples(skeleton)
    return triples & lacks & ~holds, triples & holds & ~lacks


def _separating(correlations, n, alpha, tier, skeleton) -> tuple[np.ndarray, np.ndarray]:
    """Return ``[., x, y, z]``: some neighbours of x or z that separate them hold y; lack y."""
    b, d = skeleton.shape[:2]
    holds, lacks = np.zeros((2, b, d, d, d), dtype=bool)
    wanted = open_triples(skeleton).any(axis=2)  # pairs x, z
    for size in range(d - 1):
        critical = critical_correlation(alpha, n, size)
        for which, x, sets in _neighbour_sets(skeleton, size):
            row, z = np.nonzero(wanted[which, x])
            k, x, sets = which[row], x[row], sets[row]
            r = partials(correlations, k, x, _with_first(z, sets))[:, :, 0]
            apart = (np.abs(r) < critical) & _in_time(tier, x, z[:, None], sets)
            with_y, without_y = _members(apart, sets, d)
            holds[k, x, :, z] |= with_y
            lacks[k, x, :, z] |= without_y
    return holds | np.swapaxes(holds, 1, 3), lacks | np.swapaxes(lacks, 1, 3)


def _neighbour_sets(skeleton: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield graph ``(m,)``, variable ``(m,)`` and all its sets of neighbours ``(m, count, size)``.

    Variables with equally many neighbours come together.
    """
    degree = skeleton.sum(axis=2)
    for k in range(size, int(degree.max(initial=0)) + 1):
        which, x = np.nonzero(degree == k)
        choices = np.array(list(combinations(range(k), size)), dtype=int)
        step = max(1, BLOCK // len(choices))
        for i in range(0, len(which), step):
            part, node = which[i : i + step], x[i : i + step]
            neighbours = np.nonzero(skeleton[part, node])[1].reshape(len(part), k)
            yield part, node, neighbours[:, choices]


def _with_first(z: np.ndarray, sets: np.ndarray) -> np.ndarray:
    """Put z ``(m,)`` before the members of each of its sets ``(m, count, size)``."""
    return np.concatenate([np.broadcast_to(z[:, None, None], (*sets.shape[:2], 1)), sets], axis=2)


def _members(chosen: np.ndarray, sets: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(m, d)``: whether a variable is in some chosen ``(m, count)`` set; out of some."""
    inside = np.zeros((*chosen.shape, d), dtype=bool)
    np.put_along_axis(inside, sets, True, axis=2)
    chosen = chosen[:, :, None]
    return (chosen & inside).any(axis=1), (chosen & ~inside).any(axis=1)


def _in_time(tier: np.ndarray, x: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return ``(m, count)``: no other of a set ``(m, count, size)`` comes after both x and y."""
    return (tier[others] <= np.maximum(tier[x][:, None], tier[y])[:, :, None]).all(axis=2)


def partials(correlations, which, x, sets) -> np.ndarray:
    """Return the partial correlations of a variable with each of a set, given the others of it.

    Parameters
    ----------
    correlations : numpy.ndarray
        Shape ``(b, d, d)``.
    which, x, sets : numpy.ndarray
        Graph ``(m,)``, variable ``(m,)`` and its sets ``(m, count, size)``, whose shape returns.
    """
    which, x = which[:, None, None], x[:, None, None]
    if sets.shape[2] == 1:
        return correlations[which, x, sets]
    if sets.shape[2] == 2:
        near = correlations[which, x, sets]
        far = near[:, :, ::-1]
        between = correlations[which, sets[:, :, :1], sets[:, :, 1:]]
        return (near - far * between) / np.sqrt((1 - far**2) * (1 - between**2))
    every = _with_first(x[:, 0, 0], sets)
    precision = np.linalg.inv(correlations[which[..., None], every[..., None], every[:, :, None]])
    own = np.diagonal(precision, axis1=2, axis2=3)
    return -precision[:, :, 0, 1:] / np.sqrt(own[:, :, :1] * own[:, :, 1:])


def orient(skeleton, claims, chains, tier) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Direct a skeleton by what colliders claim, then by Meek's rules.

    An edge stays undirected if colliders, or Meek's rules in one sweep, demand both directions; so
    does every edge on a directed cycle.

    Parameters
    ----------
    skeleton, claims : numpy.ndarray
        Boolean ``(b, d, d)``: edges, and arrows that some collider claims.
    chains : numpy.ndarray
        Triples known to be no colliders, boolean ``(b, d, d, d)``.
    tier : numpy.ndarray
        As for :func:`pc`, which tells the returns, too.
    """
    backwards = tier[:, None] > tier
    claims = (claims & ~backwards) | (skeleton & backwards.T)
    both = claims & turned(claims)
    adjacency, unresolved = meek_closure(skeleton & ~turned(claims & ~both), chains, both)
    directed = arrows(adjacency)
    acyclic = adjacency | turned(directed & turned(reachable(directed)))
    conflicts = both.sum(axis=(-2, -1)) // 2 + unresolved
    return acyclic, {"conflicts": conflicts, "cycles": (acyclic & ~adjacency).sum(axis=(-2, -1))}


def meek_closure(adjacency, chains=None, settled=None) -> tuple[np.ndarray, np.ndarray]:
    """Direct all edges whose direction follows from the arrows (Meek 1995, rules 1-3).

    Rule 4 is only needed for background knowledge that tiers cannot express.

    Parameters
    ----------
    adjacency : numpy.ndarray
        Boolean ``(..., d, d)``.
    chains : numpy.ndarray, optional
        Triples known to be no colliders, ``(..., d, d, d)``; by default all with the ends apart.
    settled : numpy.ndarray, optional
        Edges that must stay undirected, ``(..., d, d)``.

    Returns
    -------
    adjacency, conflicts : numpy.ndarray
        The directed graphs, and for how many edges a sweep demanded both directions, ``(...)``;
        they stay undirected. None do if the arrows come from a DAG.
    """
    chains = open_triples(adjacency) if chains is None else chains
    settled = np.zeros_like(adjacency) if settled is None else settled
    conflicts = np.zeros(adjacency.shape[:-2], dtype=int)
    while True:
        directed, undirected = arrows(adjacency), adjacency & turned(adjacency)
        # Rule 1: a -> b - c with a, c apart; c -> b would be a new collider.
        demanded = (directed[..., :, :, None] & chains).any(axis=-3)
        # Rule 2: a -> b -> c with a - c; c -> a would close a cycle.
        demanded |= _through(directed, directed)
        # Rule 3: a - b -> d, a - c -> d with b, c apart, and a - d; with d -> a, rule 2 would give
        # b -> a <- c, a new collider.
        between = undirected[..., :, :, None] & directed[..., None, :, :]  # [a, b, d]
        pairs = _through(np.swapaxes(chains, -3, -2), between)  # [a, c, d]: through some b
        demanded |= (pairs & between).any(axis=-2)
        demanded &= undirected & ~settled
        both = demanded & turned(demanded)
        conflicts += both.sum(axis=(-2, -1)) // 2
        settled = settled | both
        demanded &= ~both
        if not demanded.any():
            return adjacency, conflicts
        adjacency = adjacency & ~turned(demanded)


def class_of(dags: np.ndarray, tier: np.ndarray) -> np.ndarray:
    """Return what all graphs have in common that fit as well as a DAG, and keep to the tiers.

    Parameters
    ----------
    dags : numpy.ndarray
        Boolean ``(..., d, d)``, in keeping with the tiers.
    tier : numpy.ndarray
        As for :func:`pc`.

    Returns
    -------
    numpy.ndarray
        Boolean ``(..., d, d)``: the arrows of unshielded colliders, those that lead to a later
        tier, and what follows from them by Meek's rules; all other edges both ways.
    """
    # [x, y, z]: x -> y <- z with x and z apart.
    colliders = open_triples(dags) & dags[..., None] & turned(dags)[..., None, :, :]
    skeleton = (dags | turned(dags)) & (tier[:, None] <= tier)
    return meek_closure(skeleton & ~turned(colliders.any(axis=-1)))[0]


def turned(matrix: np.ndarray) -> np.ndarray:
    """Return the transpose of each matrix of a stack."""
    return np.swapaxes(matrix, -1, -2)


def arrows(adjacency: np.ndarray) -> np.ndarray:
    """Return the arrows of graphs, boolean ``(..., d, d)``: ``[i, j]`` for ``i -> j``."""
    return adjacency & ~turned(adjacency)


def reachable(directed: np.ndarray) -> np.ndarray:
    """Return the transitive closure of arrows, boolean ``(..., d, d)``.

    ``[i, j]`` says that a path of one or more arrows leads from i to j; a true entry on the
    diagonal means a directed cycle.
    """
    while True:
        # Squaring doubles the length of the paths that are covered.
        longer = directed | _through(directed, directed)
        if (longer == directed).all():
            return longer
        directed = longer


def open_triples(adjacency: np.ndarray) -> np.ndarray:
    """Return all ``x - y - z`` with x and z apart, boolean ``(..., d, d, d)``: ``[x, y, z]``."""
    edge = adjacency | turned(adjacency)
    apart = ~(edge | np.eye(edge.shape[-1], dtype=bool))
    return edge[..., :, :, None] & edge[..., None, :, :] & apart[..., :, None, :]


def _through(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return ``[i, k]`` if some j has ``first[i, j]`` and ``second[j, k]``."""
    # Counts below 2**24 are exact in single precision, which multiplies fastest.
    return first.astype(np.float32) @ second.astype(np.float32) > 0
