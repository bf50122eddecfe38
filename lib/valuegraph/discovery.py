"""From scores to a graph: causal discovery whose result is always sound, and carries its null.

The unit of independence is the role: one row of scores, one role. Every test is Fisher's z on a
partial correlation, so that people, of whom only correlations are public, can be treated exactly
as a model is.

======== ========================================================== ===========
method   what it assumes beyond linear effects                      edges
======== ========================================================== ===========
pc       no hidden common causes; arrows where all tests agree      CPDAG
exact    the same; one score for a whole graph, at most 12 values   CPDAG
pc-plain that of pc; arrows hang on single tests, often wrongly     CPDAG
fci      hidden common causes are allowed for                       PAG
lingam   no hidden common causes, noise that is not normal          DAG
======== ========================================================== ===========
"""

import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from valuegraph import pc
from valuegraph.correlations import as_correlation, correlations_of
from valuegraph.exact import search_exactly
from valuegraph.graph import CIRCLE, HEAD, NONE, TAIL, ValueGraph, marks_of
from valuegraph.sentences import sentence_facts, sentence_model
from valuegraph.tables import doubts, generator, require_between, require_known, require_whole

#: Least standard deviation of scores over roles, in log-odds, or share of yes less share of no. The
#: least in the answers recorded by Kang et al. (2025) is .16; random weights can give .005.
MIN_SPREAD = 0.05
#: A correlation matrix with a smaller eigenvalue counts as singular.
MIN_EIGENVALUE = 1e-8
#: A smaller one is warned of: two values with a correlation above .98 have it.
NEAR_EIGENVALUE = 0.02


@dataclass(frozen=True, eq=False)
class Correlations:
    """Correlations of values, and the number of independent rows behind them.

    Attributes
    ----------
    matrix : pandas.DataFrame
        Symmetric, positive definite, the same values on both sides.
    n : int
        Number of rows.
    """

    matrix: pd.DataFrame
    n: int

    def __post_init__(self) -> None:
        require_whole(self.n, len(self.matrix) + 2, "n, the number of independent rows,")
        check_correlations(self.matrix)


def discover(
    data: pd.DataFrame | Correlations,
    *,
    method: str = "pc",
    alpha: float = 0.01,
    tiers: Sequence[Sequence[str]] | None = None,
    sentences: pd.DataFrame | None = None,
    null_draws: int = 20,
    seed: int = 0,
    min_spread: float = MIN_SPREAD,
) -> ValueGraph:
    """Search the causal graph over values from the scores of independent roles.

    Parameters
    ----------
    data : pandas.DataFrame or Correlations
        Scores: one row a role, one column a value. An index (intervention, role) may hold a single
        intervention; several are for :func:`valuegraph.acting.acted_graph`. LiNGAM needs scores.
    method : str
        ``"pc"``, ``"exact"``, ``"pc-plain"``, ``"fci"`` or ``"lingam"``; see the top of the module.
    alpha : float
        Significance level of each test: an edge goes if some p > `alpha`. For exact search it sets
        the penalty: a parent is added where the likelihood-ratio test would add it.
    tiers : sequence of sequences of str, optional
        Columns from the earliest to the latest, such as ``[["age", "sex"]]``: nothing causes what
        is in an earlier tier. Columns in no tier come last.
    sentences : pandas.DataFrame, optional
        Which role holds which sentence, as :func:`valuegraph.roles.sentence_table` tells: adds the
        sentence null (:mod:`valuegraph.sentences`).
    null_draws : int
        How often the search is run without dependence between values (each column permuted over
        roles, or independent normal values), and as often on the sentence null; 0 for no null.
    seed : int
        Seed of the null.
    min_spread : float
        Least standard deviation over roles that every value must have, in the unit of the scores.

    Returns
    -------
    ValueGraph
        ``info`` holds ``method``, ``test``, ``alpha``, ``n``, ``tiers``; ``null_edges`` and
        ``null_sd``, mean and standard deviation of the number of edges of the null; ``seed``; and
        what the search counts: ``conflicts``, ``cycles``. With sentences also
        ``sentence_null_edges`` and ``sentence_null_sd``, and ``sentences_only`` where the graph has
        no more edges than 95 % of the sentence null: it may tell of these sentences only.

    Notes
    -----
    Columns are sorted by name before the search, so that their order plays no part. Arrows are less
    certain than edges; :func:`valuegraph.confidence.bootstrap` tells how much.
    """
    names, place, sample, n, run, info = prepared(data, method, alpha, tiers, min_spread)
    marks, counts = run([sample])
    require_whole(null_draws, 0, "null_draws")
    if null_draws:
        rng, p = generator(seed), len(names)
        null, _ = run([independent(sample, n, rng) for _ in range(null_draws)])
        edges = (null > 0).sum(axis=(1, 2)) / 2
        info |= {"null_edges": float(edges.mean()), "null_sd": float(edges.std())}
        info |= {"null_draws": null_draws, "seed": seed}
        chance = alpha * p * (p - 1) / 2
        if edges.sum() > 10 + 3 * null_draws * chance:
            odd = f"{edges.mean():.1f} edges without dependence, where {chance:.1f} are chance"
            warnings.warn(f"{odd}: the tests do not hold for these scores", stacklevel=2)
    if null_draws and sentences is not None:
        model = sentence_model(data, sentences)
        null, _ = run([model.without_dependence(rng).sample for _ in range(null_draws)])
        info |= sentence_facts((null > 0).sum(axis=(1, 2)) / 2, (marks > 0).sum() / 2)
    info |= {name: int(count[0]) for name, count in counts.items()}
    return ValueGraph(names, marks[0][np.ix_(place, place)], info)


def prepared(data, method="pc", alpha=0.01, tiers=None, min_spread=MIN_SPREAD) -> tuple:
    """Check data and options; return names, their places, sample, rows, search and its facts.

    A sample is scores ``(n, p)`` or correlations ``(p, p)``; n is always larger than p. It has
    values in alphabetical order, and so have all results of the search; names are in the order of
    the data.
    """
    require_known(method, _RUN, "method")
    require_between(alpha, 0, 1, "alpha")
    require_between(min_spread, -1, np.inf, "min_spread")
    only = isinstance(data, Correlations)
    if only and method == "lingam":
        raise ValueError("method 'lingam' needs scores, not correlations")
    if only:
        names, values = tuple(data.matrix), sorted(data.matrix)
        sample, n = data.matrix.loc[values, values].to_numpy(dtype=float), data.n
    else:
        check_scores(data, min_spread=min_spread)
        names, values = tuple(data), sorted(data)
        sample, n = data[values].to_numpy(dtype=float), len(data)
        # Refuses too few rows, and singular correlations.
        Correlations(pd.DataFrame(correlations_of(sample), values, values), n)
    place = [values.index(name) for name in names]
    info = {"method": method, "test": "Fisher z", "alpha": alpha, "n": n}
    info |= {"tiers": tuple(map(tuple, tiers))} if tiers else {}
    info |= {"min_spread": min_spread} if min_spread != MIN_SPREAD else {}
    run = partial(search, n=n, method=method, alpha=alpha, tier=pc.tiers_of(values, tiers))
    return names, place, sample, n, run, info


def are_rows(sample: np.ndarray) -> bool:
    """Return whether samples are rows of scores; else they are correlations."""
    return sample.shape[-2] > sample.shape[-1]


def independent(sample: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return a sample as it would be without dependence between values."""
    if are_rows(sample):
        return rng.permuted(sample, axis=0)
    return draw_correlations(np.eye(len(sample)), n, draws=1, rng=rng)[0]


def draw_correlations(correlation, n, *, draws, rng) -> np.ndarray:
    """Draw sample correlations of `n` normal rows, at a cost that does not grow with `n`.

    Parameters
    ----------
    correlation : numpy.ndarray
        Positive definite, shape ``(d, d)``.
    n : int
        Rows of each sample, more than ``d``.
    draws : int
        Number of samples.
    rng : numpy.random.Generator
        Where randomness comes from.

    Returns
    -------
    numpy.ndarray
        Shape ``(draws, d, d)``.

    References
    ----------
    Bartlett, M. S. (1933). On the theory of statistical regression. Proceedings of the Royal
    Society of Edinburgh 53, 260-283.
    """
    d = len(correlation)
    root = np.tril(rng.standard_normal((draws, d, d)), -1)
    root[:, range(d), range(d)] = np.sqrt(rng.chisquare(n - 1 - np.arange(d), size=(draws, d)))
    root = np.linalg.cholesky(correlation) @ root
    return as_correlation(root @ root.swapaxes(1, 2))


def search(samples, n, method, alpha, tier) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Search a list of samples; return marks ``(b, d, d)`` and counts ``(b,)`` by name."""
    samples = np.stack(samples)
    if method != "lingam" and are_rows(samples):
        samples = correlations_of(samples)
    return _RUN[method](samples, n, alpha, tier)


def _pc(correlations, n, alpha, tier, plain=False):
    adjacency, counts = pc.pc(correlations, n, alpha, tier, plain=plain)
    return marks_of(adjacency), counts


def _exact(correlations, n, alpha, tier):
    return marks_of(search_exactly(correlations, n, alpha, tier)), {}


def _lingam(samples, n, alpha, tier):
    """Order by DirectLiNGAM; keep the edges that tests keep, given all earlier variables."""
    from causallearn.search.FCMBased.lingam import DirectLiNGAM

    adjacency = np.zeros((len(samples), len(tier), len(tier)), dtype=bool)
    prior = np.where(tier[:, None] < tier, 0, -1)  # [to, from]: 0 for no path
    for arrows, rows in zip(adjacency, samples, strict=True):
        order = DirectLiNGAM(prior_knowledge=prior).fit(rows).causal_order_
        correlation, which = np.corrcoef(rows.T)[None], np.zeros(1, dtype=int)
        for k in range(1, len(order)):
            causes, effect = np.array(order[:k]), np.array(order[k : k + 1])
            r = pc.partials(correlation, which, effect, causes[None, None])[0, 0]
            arrows[causes, effect] = np.abs(r) >= pc.critical_correlation(alpha, n, k - 1)
    return marks_of(adjacency), {}


def _fci(correlations, n, alpha, tier):
    """Run causal-learn's FCI, which prints and may contradict itself; see :func:`_sound`."""
    from causallearn.graph.GraphNode import GraphNode
    from causallearn.search.ConstraintBased.FCI import fci
    from causallearn.utils.cit import FisherZ, register_ci_test
    from causallearn.utils.PCUtils.BackgroundKnowledge import BackgroundKnowledge

    class KnownCorrelations(FisherZ):
        def __init__(self, data, n):
            super().__init__(data)
            self.correlation_matrix, self.sample_size = data, n

    register_ci_test("correlations", KnownCorrelations)
    knowledge = BackgroundKnowledge()
    for k, time in enumerate(tier, start=1):
        knowledge.add_node_to_tier(GraphNode(f"X{k}"), int(time))
    options = {"background_knowledge": knowledge, "show_progress": False, "n": n}
    with redirect_stdout(StringIO()):
        graphs = [fci(c, "correlations", float(alpha), **options)[0].graph for c in correlations]
    # Its matrices have at [i, j] the mark at i: 1 head, 2 circle, -1 tail.
    marks = np.array([NONE, HEAD, CIRCLE, TAIL], dtype=np.int8)[pc.turned(np.stack(graphs))]
    return _sound(marks, tier)


def _sound(marks: np.ndarray, tier: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Put heads where tiers want them, and circles where marks say too much or cannot all be."""
    edge, later = marks > 0, tier[:, None] < tier
    marks = np.where(edge & later, HEAD, marks)
    # Tiers alone leave a hidden common cause possible: a tail at i needs some a *-> i - j with a, j
    # apart. Tails at both ends, or against a circle, mean selection bias, which there is none of.
    chains = pc.open_triples(edge) & (marks == HEAD)[..., None]
    vague = (pc.turned(marks) == TAIL) & ((marks != HEAD) | (later & ~chains.any(axis=1)))
    at_i = np.where(vague, CIRCLE, pc.turned(marks))
    directed = (pc.turned(at_i) == HEAD) & (at_i == TAIL)
    cyclic = directed & pc.turned(pc.reachable(directed))
    false = cyclic | (pc.reachable(directed & ~cyclic) & (at_i == HEAD))
    at_i = np.where(false, CIRCLE, at_i)
    return pc.turned(at_i).astype(np.int8), {"conflicts": false.sum(axis=(1, 2))}


_pc_plain = partial(_pc, plain=True)
_RUN = {"pc": _pc, "exact": _exact, "pc-plain": _pc_plain, "fci": _fci, "lingam": _lingam}


def check_scores(scores: pd.DataFrame, *, min_spread: float = 0.0) -> None:
    """Refuse scores that say nothing, or say it more than once; warn of what is hardly a score.

    Parameters
    ----------
    scores : pandas.DataFrame
        One row a role, one column a value: finite numbers.
    min_spread : float
        Least standard deviation over roles that every value must have, in the unit of the scores.
    """
    if not isinstance(scores, pd.DataFrame) or scores.empty:
        raise ValueError(f"scores must be a DataFrame with one row a role, not {type(scores)}")
    data, roles, several = _numbers(scores), scores.index, False
    if isinstance(roles, pd.MultiIndex):
        at = "role" if "role" in roles.names else -1
        several, roles = roles.droplevel(at).nunique() > 1, roles.get_level_values(at)
    if several or roles.has_duplicates:
        others = "answers under several interventions are for acted_graph"
        raise ValueError(f"give one row a role, like scores.xs('none'); {others}")
    sd = data.std(axis=0)
    flat = np.flatnonzero((sd < min_spread) | (sd <= 1e-12 * np.abs(data).max(axis=0)))
    if len(flat):
        why = f"(SD {sd[flat].max():.2g} at most, min_spread is {min_spread:g})"
        way_out = f"{why}: drop these values, or ask more varied roles"
        raise ValueError(f"{', '.join(scores.columns[flat])} hardly vary over roles {way_out}")
    for doubt in doubts(scores):
        warnings.warn(f"{doubt}; drop or mend it, else edges come of it", stacklevel=4)


def check_correlations(matrix: pd.DataFrame) -> None:
    """Refuse a frame that is no correlation matrix, or a singular one; warn of nearly one."""
    correlation, names = _numbers(matrix), matrix.columns
    unit = np.allclose(np.diag(correlation), 1, atol=1e-6) and matrix.index.equals(names)
    if not unit or not np.allclose(correlation, correlation.T, atol=1e-6):
        raise ValueError("correlations must be symmetric, labels included, with a diagonal of ones")
    eigenvalues, vectors = np.linalg.eigh(correlation)
    involved = ", ".join(names[np.abs(vectors[:, 0]) > 0.05])
    if eigenvalues[0] < MIN_EIGENVALUE:
        raise ValueError(f"{involved} are linearly dependent, as ipsatised scores are; drop one")
    if eigenvalues[0] < NEAR_EIGENVALUE:
        why = f"(smallest eigenvalue {eigenvalues[0]:.2g}), as rounded ipsatised scores are"
        warnings.warn(f"{involved} are nearly dependent {why}: edges come of it", stacklevel=5)


def _numbers(frame: pd.DataFrame) -> np.ndarray:
    """Return a frame of finite numbers with different names as floats, or say what is wrong."""
    names = list(frame.columns)
    if len(set(names)) < max(2, len(names)) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"columns must be names of at least 2 values, all different, got {names}")
    for name, column in frame.items():
        if not is_numeric_dtype(column) or column.dtype.kind in "bc":
            raise ValueError(f"column {name} holds {column.dtype}, not numbers")
        odd = column.index[~np.isfinite(column.to_numpy(dtype=float))]
        if len(odd):
            where = f"{len(odd)} times, first at row {odd[0]!r}"
            raise ValueError(f"column {name} is missing or infinite {where}; drop those rows")
    return frame.to_numpy(dtype=float)
