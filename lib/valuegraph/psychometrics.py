"""How far scores can be trusted: consistency, stability over formats, and answering habits.

Answers are an array of roles by formats by items. Every figure follows from means and covariances
over roles, so that one weighted product gives it for all resamples of the roles.

References
----------
Cohen, J. (1960). Educational and Psychological Measurement, 20, 37-46 (kappa). Cronbach, L. J.
(1951). Psychometrika, 16, 297-334 (alpha). Paulhus, D. L. (1991). In Measures of Personality and
Social Psychological Attitudes, 17-59 (liking for yes). Shavelson, R. J., Webb, N. M. (1991).
Generalizability Theory: A Primer (shares of variance). Spearman, C. (1910). British Journal of
Psychology, 3, 271-295 (split halves).
"""

import warnings
from contextlib import suppress
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from valuegraph import resampling
from valuegraph.answers import LOW_MASS, check_answers
from valuegraph.correlations import as_correlation
from valuegraph.prompts import PromptFormat
from valuegraph.resampling import finite_mean, ratio, resampled_covariance, resampled_mean
from valuegraph.tables import generator, require_whole

_CONSISTENCY = ("alpha", "split_half", "item_correlation")
_SHARES = ("role_share", "format_share", "role_format_share")


def reliability(answers, *, by="log_odds", n_splits=100, n_boot=1000, seed=0) -> pd.DataFrame:
    r"""Measure reliability and biases from the answers of one model, best in several formats.

    Parameters
    ----------
    answers : pandas.DataFrame
        Answers of one model under one intervention: every role to every item in every format.
    by : str
        What scores are made from, ``"log_odds"`` or ``"answer"`` (for generated answers).
    n_splits, n_boot : int
        Random splits of the items, and resamples of the roles, of which the intervals come.
    seed : int
        Seed of both.

    Returns
    -------
    pandas.DataFrame
        Index ``value`` (``"all"``: the whole instrument) and ``figure``; columns ``estimate``,
        ``low``, ``high``. NaN where these answers cannot show a figure: one format has no retest,
        items keyed one way show no liking for yes, items that go against each other (an alpha below
        -1) no consistency. ``attrs``: model, n_roles.

    Notes
    -----
    Let ``x`` be the log-odds of yes, or the answer (1, 0, -1), ``y = key * x``, and the score of a
    role in a format the mean of ``y`` over the items of a value. Of each value:

    * ``alpha``: Cronbach's alpha of ``y`` over roles; ``split_half``: split-half reliability over
      random splits in which each key is shared out evenly; ``item_correlation``: mean correlation
      between items. All are means over formats: they speak of scores from a single format.
    * ``retest_wording``, ``retest_order``: correlation over roles of the scores in two formats that
      differ in wording alone, or in the order of yes and no alone; mean over all such pairs.
    * ``role_share``, ``format_share``, ``role_format_share``: shares in the variance of scores over
      roles and formats. The first is the reliability of a score from one random format.
    * ``spread``: standard deviation over roles of the score, mean over formats.
    * ``acquiescence``: mean of ``x``, positively and negatively keyed items weighing alike: what a
      value adds to the one it takes from the other. ``yes_share``: the same of yes as a share of
      the answers, unsure ones counting half.

    Of the whole instrument also:

    * ``order_bias``: half of mean ``x`` where no is named first less that where yes is.
    * ``paraphrase_effect``: standard deviation over wordings of mean ``x``, formats being equal in
      all else. It is above 0 by chance alone.
    * shares: means over values. ``low_mass`` and ``unsure``: shares of answers.
    """
    table, items = _complete(answers, by)
    x, answer, mass = (_cells(table, column) for column in (by, "answer", "mass"))
    weights = resampling.role_weights(len(x), n_boot, seed=seed)
    wordings, orders = _groups(table, wording="answer"), _groups(table, yes_first=True)
    figures: dict[str, dict[str, np.ndarray]] = {}
    for value in answers["value"].unique():
        here, part = (items["value"] == value).to_numpy(), items[items["value"] == value]
        keyed = x[:, :, here] * part["key"].to_numpy(float)
        scores = keyed.mean(axis=2)
        halves = _halves(part["key"].to_numpy(), n_splits, seed)
        by_format = [_consistency(k, weights, halves) for k in np.moveaxis(keyed, 1, 0)]
        covariance = resampled_covariance(scores, weights)
        figures[value] = {
            **dict(zip(_CONSISTENCY, finite_mean(np.stack(by_format, axis=-1)), strict=True)),
            "retest_wording": _mean_of_pairs(as_correlation(covariance), wordings),
            "retest_order": _mean_of_pairs(as_correlation(covariance), orders),
            **dict(zip(_SHARES, _variance_shares(scores, covariance, weights), strict=True)),
            "spread": np.sqrt(np.maximum(covariance.mean(axis=(1, 2)), 0.0)),
            **_liking_for_yes(x[:, :, here], answer[:, :, here], part, weights),
        }
    of_formats = resampled_mean(x.mean(axis=2), weights)  # mean yes, (resamples, formats)
    variances = [of_formats[:, group].var(axis=1, ddof=1) for group in wordings]
    no_first, yes_first = np.array(orders, int).reshape(-1, 2).T
    figures["all"] = {
        **_liking_for_yes(x, answer, items, weights),
        "order_bias": finite_mean(of_formats[:, no_first] - of_formats[:, yes_first]) / 2,
        "paraphrase_effect": np.sqrt(finite_mean(np.reshape(variances, (-1, len(weights))).T)),
        **{s: finite_mean(np.stack([f[s] for f in figures.values()], -1)) for s in _SHARES},
        "low_mass": ratio(*(weights @ c.sum(axis=(1, 2)) for c in (mass < LOW_MASS, mass >= 0))),
        "unsure": resampled_mean((answer == 0).mean(axis=(1, 2)), weights),
    }
    table = _table(figures, table)
    alpha = table["estimate"].xs("alpha", level="figure")
    if odd := list(alpha.index[alpha < -1]):
        table.loc[(odd, list(_CONSISTENCY)), :] = np.nan
        reason = "whose items go against each other"
        warnings.warn(f"not told: consistency of {', '.join(odd)}, {reason}", stacklevel=2)
    return table


def agreement(read: pd.DataFrame, written: pd.DataFrame, *, n_boot=1000, seed=0) -> pd.DataFrame:
    """Compare answers read as log-odds with generated ones, cell by cell.

    Parameters
    ----------
    read : pandas.DataFrame
        Answers of one model under one intervention, with log-odds.
    written : pandas.DataFrame
        Its generated answers, of the same roles to the same items in the same formats. Whether a
        format wants a thought does not matter.
    n_boot, seed : int
        Number and seed of the resamples of the roles, of which the intervals come.

    Returns
    -------
    pandas.DataFrame
        Index ``value`` (``"all"``: all together) and ``figure``; columns ``estimate``, ``low``,
        ``high``; NaN where one kind does not vary, or both never differ from one answer.

        * ``score_correlation``: correlation over roles of the scores by log-odds and by generated
          answers (all: mean over values).
        * ``answer_correlation``: of log-odds and generated answers (1, 0, -1), not keyed.
        * ``sign_differs``: share of answers with another sign, where neither is unsure.
        * ``kappa``: Cohen's kappa of the same answers.
        * ``unsure``: share of generated answers that are neither yes nor no.
    """
    if set(read["format"]) != set(written["format"]):
        written = written.assign(format=written["format"].str.replace(", think", ""))
        read = read.assign(format=read["format"].str.replace(", think", ""))
    (first, items), (second, others) = _complete(read, "log_odds"), _complete(written, "answer")
    odd = [*first.index.symmetric_difference(second.index)][:1]
    if odd or not np.array_equal(items, others):
        raise ValueError(f"the tables hold different answers: {odd or 'models or keys differ'}.")
    kinds = ((first, "log_odds"), (first, "answer"), (second, "answer"))
    cells = np.stack([_cells(table, column) for table, column in kinds])
    keys = items["key"].to_numpy(float)
    weights, figures = resampling.role_weights(cells.shape[1], n_boot, seed=seed), {}
    for value in (*read["value"].unique(), "all"):
        here = (items["value"] == value).to_numpy() | (value == "all")
        figures[value] = _agreement(*cells[..., here], keys[here], weights)
    of_values = [draws["score_correlation"] for draws in figures.values()][:-1]
    figures["all"]["score_correlation"] = finite_mean(np.stack(of_values, axis=-1))
    return _table(figures, first)


def _complete(answers: pd.DataFrame, by: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sort answers by role, format and item, each of which must be there once; also items."""
    check_answers(answers, by, single=("model", "intervention"))
    items = answers[["model", "value", "item", "key"]].drop_duplicates().sort_values("item")
    axes = ["role", "format", "item"]
    cells = pd.MultiIndex.from_product([sorted(set(answers[axis])) for axis in axes])
    if cells.levshape[0] < 3:
        raise ValueError(f"answers of {cells.levshape[0]} roles; at least 3 are needed.")
    table = answers.set_index(axes)
    if len(lacking := cells.difference(table.index)):
        raise ValueError(f"{lacking[0]} is missing; every role needs every answer.")
    return table.loc[cells], items


def _cells(table: pd.DataFrame, column: str) -> np.ndarray:
    """One column of a complete table, (roles, formats, items)."""
    return table[column].to_numpy(float).reshape(table.index.levshape)


def _consistency(keyed: np.ndarray, weights: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """Alpha, split-half reliability and mean item correlation in one format, (3, resamples)."""
    k, c = keyed.shape[1], resampled_covariance(keyed, weights)
    alpha = ratio(k, k - 1) * (1 - ratio(np.trace(c, axis1=1, axis2=2), c.sum(axis=(1, 2))))
    a, b = halves.T.astype(float), (~halves).T.astype(float)  # (items, splits)
    to_b = c @ b
    within = (a * (c @ a)).sum(axis=1) * (b * to_b).sum(axis=1)
    r = finite_mean(ratio((a * to_b).sum(axis=1), np.sqrt(np.maximum(within, 0.0))))
    return np.stack([alpha, ratio(2 * r, 1 + r), _mean_of_pairs(as_correlation(c), [range(k)])])


def _halves(keys: np.ndarray, n_splits: int, seed: int) -> np.ndarray:
    """Draw splits of the items in two halves that share out each key evenly, (splits, items)."""
    require_whole(n_splits, 1, "n_splits")
    rng, halves = generator(seed), np.zeros((n_splits, len(keys)), dtype=bool)
    for half in halves:
        order = rng.permutation(len(keys))
        half[order[np.argsort(keys[order], kind="stable")][rng.integers(2) :: 2]] = True
    return halves


def _mean_of_pairs(matrices: np.ndarray, groups: list) -> np.ndarray:
    """Mean of the entries of each matrix that pair members of a group; NaN without any."""
    pairs = [pair for group in groups for pair in combinations(group, 2)]
    rows, columns = np.array(pairs, int).reshape(-1, 2).T
    return finite_mean(matrices[:, rows, columns])


def _variance_shares(scores: np.ndarray, covariance: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Shares of role, format and role x format in the variance of scores, by mean squares."""
    n, k = scores.shape
    if k < 2:
        return np.full((3, len(weights)), np.nan)
    role = covariance.sum(axis=(1, 2)) / k
    rest = (np.trace(covariance, axis1=1, axis2=2) - role) / (k - 1)
    of_format = resampled_mean(scores, weights).var(axis=1, ddof=1) - rest / n
    parts = np.maximum([(role - rest) / k, of_format, rest], 0.0)
    return ratio(parts, parts.sum(axis=0))


def _liking_for_yes(x, answer, items: pd.DataFrame, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Mean of yes, both keys weighing alike, and values alike within each key."""
    n_items = items.groupby(["value", "key"])["key"].transform("size")
    n_values = items.groupby("key")["value"].transform("nunique")
    weight = (0.5 / (n_values * n_items)).to_numpy()
    weight = weight if items["key"].nunique() == 2 else np.full(len(items), np.nan)
    mean, share = (resampled_mean(c.mean(axis=1) @ weight, weights) for c in (x, answer))
    return {"acquiescence": mean, "yes_share": (1 + share) / 2}


def _groups(table: pd.DataFrame, **facet) -> list[list[int]]:
    """Find formats that differ in one facet alone, in groups of two or more."""
    groups: dict[PromptFormat, list[int]] = {}
    for i, name in enumerate(table.index.levels[1]):  # "no first" before "yes first"
        with suppress(ValueError):  # a format of other origin is in no group
            groups.setdefault(replace(PromptFormat.from_name(name), **facet), []).append(i)
    return [group for group in groups.values() if len(group) > 1]


def _agreement(x, a, b, keys: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Agreement of log-odds `x` and their signs `a` with generated answers `b`."""

    def mean(cells: np.ndarray) -> np.ndarray:
        return resampled_mean(cells.mean(axis=(1, 2)), weights)

    scores = np.stack([(kind * keys).mean(axis=(1, 2)) for kind in (x, b)], axis=1)
    r = as_correlation(resampled_covariance(scores, weights))
    x, y = x - x.mean(), b - b.mean()
    # Rounding leaves something of what is constant, which would pass for variance.
    pairs = [(mean(z * z) - mean(z) ** 2, 1e-12 * (z * z).mean()) for z in (x, y)]
    sds = [np.sqrt(np.where(v > least, v, 0.0)) for v, least in pairs]
    sure = (a != 0) & (b != 0)
    differs = ratio(mean(sure & (a != b)), mean(sure))
    yes_a, yes_b = (ratio(mean(sure & (kind > 0)), mean(sure)) for kind in (a, b))
    chance = yes_a * yes_b + (1 - yes_a) * (1 - yes_b)
    differs[chance > 1 - 1e-12] = np.nan  # a single answer to everything is no agreement
    of_answers = ratio(mean(x * y) - mean(x) * mean(y), sds[0] * sds[1])
    figures = {"score_correlation": r[:, 0, 1], "answer_correlation": of_answers}
    kappa = ratio(1 - differs - chance, 1 - chance)
    return figures | {"sign_differs": differs, "kappa": kappa, "unsure": mean(b == 0)}


def _table(figures: dict, cells: pd.DataFrame) -> pd.DataFrame:
    """Lay figures in all resamples out as estimates with intervals."""
    draws = pd.DataFrame({(v, n): d for v, of_v in figures.items() for n, d in of_v.items()})
    ends = dict(zip(("estimate", "low", "high"), resampling.intervals(draws.values), strict=True))
    table = pd.DataFrame(ends, draws.columns.set_names(["value", "figure"]))
    table.attrs = {"model": cells["model"].iloc[0], "n_roles": cells.index.levshape[0]}
    return table
