"""Figures of reliability and bias in every resample of the roles.

Each function returns arrays by name: the estimate first, then one figure per resample. The
definitions stand in `valuegraph.reliability.reliability_report`, which puts them together.
"""

from __future__ import annotations

import numpy as np

from valuegraph.answers import LOW_MASS
from valuegraph.psychometrics.coefficients import (
    cronbach_alpha,
    finite_mean,
    item_correlation,
    mean_of_pairs,
    split_half,
    variance_shares,
)
from valuegraph.psychometrics.facets import FormatFacets
from valuegraph.psychometrics.grid import AnswerGrid
from valuegraph.psychometrics.resampling import (
    correlation_of,
    ratio,
    resampled_covariance,
    resampled_mean,
)

Draws = dict[str, np.ndarray]
"""Figures by name, each of shape ``(1 + resamples,)``."""


def consistency(
    grid: AnswerGrid, value: str, by: str, weights: np.ndarray, halves: np.ndarray
) -> Draws:
    """Agreement of the items of a value within a format, mean over formats."""
    here = grid.places(value)
    keyed = grid.yes(by)[:, :, here] * grid.keys[here]
    names = ("alpha", "split_half", "item_correlation")
    by_format = {name: [] for name in names}
    for f in range(len(grid.formats)):  # one at a time: all at once would not fit into memory
        covariance = resampled_covariance(keyed[:, f], weights)
        by_format["alpha"].append(cronbach_alpha(covariance))
        by_format["split_half"].append(split_half(covariance, halves))
        by_format["item_correlation"].append(item_correlation(covariance))
    return {name: finite_mean(np.stack(by_format[name], axis=-1)) for name in names}


def stability(
    grid: AnswerGrid, value: str, by: str, weights: np.ndarray, facets: FormatFacets
) -> Draws:
    """Agreement of the scores of a value between formats, and their spread over roles."""
    scores = grid.scores(value, by)
    covariance = resampled_covariance(scores, weights)
    correlation = correlation_of(covariance)
    mean = resampled_mean(scores, weights)
    role, fmt, role_format = variance_shares(mean, covariance, len(grid.roles))
    return {
        "retest_wording": mean_of_pairs(correlation, list(facets.wording_pairs)),
        "retest_order": mean_of_pairs(correlation, list(facets.order_pairs)),
        "role_share": role,
        "format_share": fmt,
        "role_format_share": role_format,
        "spread": np.sqrt(np.maximum(covariance.mean(axis=(1, 2)), 0.0)),
    }


def liking_for_yes(grid: AnswerGrid, places: np.ndarray, by: str, weights: np.ndarray) -> Draws:
    """Mean of yes over some items: both keys weigh alike, and values alike within each key."""
    items = grid.items.iloc[places]
    if items["key"].nunique() < 2:
        return dict.fromkeys(("acquiescence", "yes_share"), np.full(len(weights), np.nan))
    n_items = items.groupby(["value", "key"])["key"].transform("size")
    n_values = items.groupby("key")["value"].transform("nunique")
    weight = (0.5 / (n_values * n_items)).to_numpy()
    of_roles = {name: grid.yes(name)[:, :, places].mean(axis=1) @ weight for name in (by, "answer")}
    return {
        "acquiescence": resampled_mean(of_roles[by], weights),
        "yes_share": (1 + resampled_mean(of_roles["answer"], weights)) / 2,
    }


def format_effects(grid: AnswerGrid, by: str, weights: np.ndarray, facets: FormatFacets) -> Draws:
    """Order bias and paraphrase effect, on the mean of yes."""
    mean = resampled_mean(grid.yes(by).mean(axis=2), weights)  # (resamples, formats)
    nothing = np.full(len(weights), np.nan)
    order, paraphrase = nothing, nothing
    if facets.order_pairs:
        yes_first, no_first = np.transpose(facets.order_pairs)
        order = (mean[:, no_first] - mean[:, yes_first]).mean(axis=1) / 2
    if facets.wording_groups:
        variances = [mean[:, group].var(axis=1, ddof=1) for group in facets.wording_groups]
        paraphrase = np.sqrt(np.mean(variances, axis=0))
    return {"order_bias": order, "paraphrase_effect": paraphrase}


def quality(grid: AnswerGrid, weights: np.ndarray) -> Draws:
    """Share of answers of low mass among those whose mass is known, and of unsure ones."""
    low = resampled_mean((grid.mass < LOW_MASS).sum(axis=(1, 2)), weights)
    told = resampled_mean((~np.isnan(grid.mass)).sum(axis=(1, 2)), weights)
    return {
        "low_mass": ratio(low, told),
        "unsure": resampled_mean((grid.answer == 0).mean(axis=(1, 2)), weights),
    }
