"""Exercises of *Comparing with humans*."""

from __future__ import annotations

import numpy as np
import pandas as pd
from book_support.exercises import differs
from scipy import stats

from valuegraph import ValueGraph
from valuegraph.correlations import mantel_r
from valuegraph.humans import HumanBand
from valuegraph.metrics import shd as distance


def shd(answer) -> str | None:
    """`answer(a, b)`: the number of pairs of values on which two graphs differ."""
    none, arrow, line = np.zeros((3, 3, 3), dtype=bool)
    arrow[0, 1] = line[0, 1] = line[1, 0] = True
    one_pair = {
        "0 -> 1 in one graph, no edge in the other": (arrow, none),
        "0 -> 1 in one graph, 1 -> 0 in the other": (arrow, arrow.T),
        "0 -> 1 in one graph, 0 - 1 in the other": (arrow, line),
        "0 - 1 in one graph, no edge in the other": (line, none),
    }
    for case, graphs in one_pair.items():
        if not np.isclose(found := answer(*graphs), 1):
            return f"{case}: that is one pair, and you count {found}"
    rng = np.random.default_rng(5)
    some = [_mixed(rng, 6) for _ in range(4)]
    cases = {"the same graph twice": (some[0], some[0])}
    cases |= {f"two graphs of six values ({k})": (some[k - 1], some[k]) for k in (1, 2, 3)}
    return differs(answer, lambda a, b: distance(_graph(a), _graph(b)), cases)


def null(answer) -> str | None:
    """`answer(model, people, orders)`: p of agreeing as well where labels are permuted."""
    rng = np.random.default_rng(1)
    people, model = (np.corrcoef(rng.normal(size=(20, 5)).T) for _ in range(2))
    orders = [rng.permutation(5) for _ in range(60)]
    given = answer(model, people, orders)
    exchanged, same = [np.array([1, 0, 2, 3, 4])] * 19, [np.arange(5)] * 4
    if np.isclose(answer(people, people, exchanged), 0):
        return "a perfect model, 19 orders that fit it less: p = 0 says that chance never could"
    if np.isclose(answer(people, people, same), 1 / 5):
        return "orders that change nothing agree just as well, and you do not count them"
    wrong = {
        "rows change places; what of the columns?": {"permute": lambda m, order: m[order]},
        "those that agree *less* well are counted": {"beats": np.less_equal},
        "columns are compared, not pairs: each pair should count once": {"agreement": _column},
    }
    for told, how in wrong.items():
        if np.isclose(given, _p_permuted(model, people, orders, **how)):
            return f"five values, 60 orders: {told}"
    cases = {
        "five values, 60 orders": (model, people, orders),
        "the same matrix twice, 19 orders that exchange two values": (people, people, exchanged),
        "orders that change nothing": (people, people, same),
    }
    return differs(answer, _p_permuted, cases)


def spread(answer) -> str | None:
    """`answer(agreement, countries)`: p that one more country agrees as little or less."""
    countries = np.array([0.95, 0.9, 0.93, 0.88, 0.97, 0.91])
    given = answer(0.8, countries)
    z, others = np.arctanh(0.8), np.arctanh(countries)
    far, sd = z - others.mean(), others.std(ddof=1)
    raw = (0.8 - countries.mean()) / (countries.std(ddof=1) * np.sqrt(7 / 6))
    wrong = {
        "this is the other tail": 1 - _p_country(0.8, countries),
        "both tails are counted": 2 * _p_country(0.8, countries),
        "you compare correlations as they are, without Fisher's z": stats.t.cdf(raw, 5),
        "that is the error of the mean, not how far countries spread": stats.t.cdf(
            far / (sd / np.sqrt(6)), 5
        ),
        "their mean is itself known from six countries only": stats.t.cdf(far / sd, 5),
        "six countries do not tell their spread exactly; which distribution takes account of it?": (
            stats.norm.cdf(far / (sd * np.sqrt(7 / 6)))
        ),
    }
    for told, p in wrong.items():
        if np.isclose(given, p):
            return f"a model at .8, six countries: {told}"
    cases = {
        "a model at .8, six countries": (0.8, countries),
        "a model at their mean": (np.tanh(others.mean()), countries),
        "a model at -.1": (-0.1, countries),
        "a model at .9, three countries": (0.9, countries[:3]),
    }
    return differs(answer, _p_country, cases)


def _mixed(rng: np.random.Generator, d: int) -> np.ndarray:
    """Arrows and lines without a directed cycle, in random order."""
    arrows = np.triu(rng.random((d, d)) < 0.5, 1)
    return _permuted(arrows | (arrows & (rng.random((d, d)) < 0.4)).T, rng.permutation(d))


def _graph(adjacency: np.ndarray) -> ValueGraph:
    return ValueGraph.from_adjacency([f"v{k}" for k in range(len(adjacency))], adjacency)


def _permuted(matrix: np.ndarray, order: np.ndarray) -> np.ndarray:
    return matrix[np.ix_(order, order)]


def _column(a: np.ndarray, b: np.ndarray) -> float:
    return np.corrcoef(a[:, 0], b[:, 0])[0, 1]


def _p_permuted(
    model, people, orders, permute=_permuted, beats=np.greater_equal, agreement=mantel_r
) -> float:
    found = agreement(model, people)
    others = np.array([agreement(permute(model, order), people) for order in orders])
    return (1 + (beats(others, found) | np.isclose(others, found)).sum()) / (1 + len(orders))


def _p_country(agreement: float, countries: np.ndarray) -> float:
    """What the library says of countries whose agreement is known without error."""
    z, table = np.arctanh(countries), pd.DataFrame(index=range(len(countries)))
    return float(
        HumanBand(0, table, z.mean(), z.std(ddof=1), 0.0).p_outside(np.arctanh(agreement), 0.0)
    )
