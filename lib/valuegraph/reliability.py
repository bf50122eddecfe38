"""How far scores can be trusted: consistency, stability over formats, and answering habits.

The answers to the same items of the same roles in several formats (wordings, orders of yes and no)
show what in a score is the role's and what is the questionnaire's. High reliability alone says
little: whoever answers everything alike is reliable too. See `valuegraph.gating` for that.

References
----------
Paulhus, D. L. (1991). Measurement and control of response bias. In Measures of Personality and
Social Psychological Attitudes, Academic Press, 17-59.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from valuegraph.answers import LOW_MASS, UNITS
from valuegraph.psychometrics.coefficients import finite_mean, random_halves
from valuegraph.psychometrics.draws import (
    consistency,
    format_effects,
    liking_for_yes,
    quality,
    stability,
)
from valuegraph.psychometrics.facets import FormatFacets, format_facets
from valuegraph.psychometrics.grid import answer_grid
from valuegraph.psychometrics.reports import html_report, text_report, unknown_figures
from valuegraph.psychometrics.resampling import LEVEL, interval_table, role_weights, with_interval

#: Figures told of each value, and what they are called in print.
VALUE_FIGURES = {
    "alpha": "alpha",
    "split_half": "split half",
    "item_correlation": "item r",
    "retest_wording": "retest wording",
    "retest_order": "retest order",
    "role_share": "role share",
    "format_share": "format share",
    "role_format_share": "role x format share",
    "spread": "spread",
    "acquiescence": "acquiescence",
    "yes_share": "share of yes",
}

#: Figures told of the whole instrument, and what they are called in print.
WHOLE_FIGURES = {
    "acquiescence": "acquiescence",
    "yes_share": "share of yes, both keys weighing alike",
    "order_bias": "order bias, towards the option named last",
    "paraphrase_effect": "paraphrase effect (SD over wordings)",
    "role_share": "share of score variance: role",
    "format_share": "share of score variance: format",
    "role_format_share": "share of score variance: role x format",
    "low_mass": f"share of answers with mass below {LOW_MASS:g}",
    "unsure": "share of answers unsure",
}


@dataclass(frozen=True, eq=False, repr=False)
class ReliabilityReport:
    """What the answers of one model tell about the trust that its scores deserve.

    Every figure ``x`` stands beside the ends of its interval, ``x_low`` and ``x_high``.

    Attributes
    ----------
    model
        Who answered.
    by
        What scores are made from, ``"log_odds"`` or ``"answer"``; `spread` and the biases are in
        its unit.
    formats
        Names of the formats.
    n_roles
        Number of roles, the units that were resampled.
    values
        One row per value: ``items``, ``positive`` and ``negative`` (numbers of items keyed each
        way), and the figures `VALUE_FIGURES`, defined in `reliability_report`.
    whole
        One row per figure of `WHOLE_FIGURES`: ``estimate``, ``low``, ``high``, ``unit``.
    unknown
        Figures that cannot be told from these answers (NaN in the tables): ``figure``, ``value``
        (empty for the whole instrument), ``reason``.
    """

    model: str
    by: str
    formats: tuple[str, ...]
    n_roles: int
    values: pd.DataFrame
    whole: pd.DataFrame
    unknown: pd.DataFrame

    def __repr__(self) -> str:
        return text_report(*self._parts())

    def _repr_html_(self) -> str:
        return html_report(*self._parts())

    def _parts(self) -> tuple:
        """Return what is printed; of the three shares of variance, that of roles says enough."""
        title = (
            f"Reliability of {self.model}: {self.n_roles} roles, {self.values['items'].sum()} "
            f"items, {len(self.formats)} format(s), scores by {self.by}"
        )
        unsaid = ("format_share", "role_format_share")
        names = {name: label for name, label in VALUE_FIGURES.items() if name not in unsaid}
        known = self.unknown[~self.unknown["figure"].isin(unsaid) | (self.unknown["value"] == "")]
        return title, self.values, names, self.whole, WHOLE_FIGURES, known


def reliability_report(
    answers: pd.DataFrame,
    *,
    by: str = "log_odds",
    n_splits: int = 100,
    n_boot: int = 1000,
    level: float = LEVEL,
    seed: int = 0,
) -> ReliabilityReport:
    r"""Measure reliability and biases from the answers of one model, best in several formats.

    Parameters
    ----------
    answers
        Answers of one model under one intervention: every role to every item in every format.
    by
        What scores are made from, as for `valuegraph.answers.score_answers`. Generated answers
        are read ``by="answer"``.
    n_splits
        Number of random splits for the split-half reliability.
    n_boot
        Number of resamples of the roles, from which the percentile intervals come; 0 for none.
    level
        Coverage of the intervals.
    seed
        Seed of splits and resamples.

    Returns
    -------
    ReliabilityReport
        Figures with intervals; what these answers cannot tell is NaN, with the reason.

    Raises
    ------
    ValueError
        If the answers are not those of one model and intervention, a cell is missing or there
        twice, there are fewer than 3 roles, or an option is out of its range.

    Notes
    -----
    Let ``x`` be the log-odds of yes, or the answer (1, 0 or -1), ``y = key * x``, and the score of
    a role in a format the mean of ``y`` over the items of a value. Of each value:

    * ``alpha``: Cronbach's alpha of ``y`` over roles, ``split_half``: its split-half
      reliability over `n_splits` random splits in which each key is shared out evenly,
      ``item_correlation``: the mean correlation between items. All three in each format, then
      averaged over formats: they speak of scores from a single format.
    * ``retest_wording``, ``retest_order``: correlation over roles of the scores in two formats
      that differ in wording alone, or in the order of yes and no alone; mean over all such pairs.
    * ``role_share``, ``format_share``, ``role_format_share``: shares of the variance of scores
      over roles and formats (`valuegraph.psychometrics.coefficients.variance_shares`). The first is
      the reliability of a score from one format when formats are drawn at random.
    * ``spread``: standard deviation over roles of the score, mean over formats.
    * ``acquiescence``: the mean of ``x`` over positively keyed items and its mean over negatively
      keyed ones, averaged; over roles and formats. A value adds to the one what it takes from the
      other, so that what is left is a liking for yes (Paulhus, 1991). ``yes_share``: the same of
      yes as a share of the answers, an unsure one counting as half a yes; .5 is no liking.

    Of the whole instrument:

    * ``acquiescence``, ``yes_share``: as above, with the means over positively (negatively) keyed
      items taken over the values that have such items.
    * ``order_bias``: half of the mean ``x`` where no is named first less that where yes is, over
      pairs of formats that differ in this alone. Positive: the option named last is liked.
    * ``paraphrase_effect``: standard deviation over wordings of the mean ``x``, formats being equal
      in all else; root mean square over groups of such formats. As any standard deviation of
      means it is above 0 by chance alone, and, like ``format_share``, drawn upwards by resampling.
    * ``role_share`` and so on: means over values. ``low_mass``: share of answers that were read
      where yes and no together had a probability below `LOW_MASS`. ``unsure``: share of answers 0.
    """
    grid = answer_grid(answers, by=by, least_roles=3)
    weights = role_weights(len(grid.roles), n_boot, seed=seed)
    facets = format_facets(grid.formats)
    rows, shares = [], {name: [] for name in _SHARES}
    for value in grid.values:
        keys = grid.keys[grid.places(value)]
        draws = {
            **consistency(grid, value, by, weights, random_halves(keys, n_splits, seed=seed)),
            **stability(grid, value, by, weights, facets),
            **liking_for_yes(grid, grid.places(value), by, weights),
        }
        row = {"items": len(keys), "positive": sum(keys > 0), "negative": sum(keys < 0)}
        for name in VALUE_FIGURES:
            row |= with_interval(name, draws[name], level=level)
        rows.append(row)
        for name in _SHARES:
            shares[name].append(draws[name])
    values = pd.DataFrame(rows, pd.Index(grid.values, name="value"))
    draws = {
        **liking_for_yes(grid, np.arange(len(grid.items)), by, weights),
        **format_effects(grid, by, weights, facets),
        **{name: finite_mean(np.stack(shares[name], axis=-1)) for name in _SHARES},
        **quality(grid, weights),
    }
    whole = interval_table({name: draws[name] for name in WHOLE_FIGURES}, level=level)
    whole["unit"] = [UNITS[by] if name in _IN_UNIT else "share" for name in WHOLE_FIGURES]

    def reason(figure: str, value: str) -> str:
        n_items = values.loc[value, "items"] if value else grid.n_items
        return _reason(figure, n_items, len(grid.formats), facets)

    return ReliabilityReport(
        model=grid.model,
        by=by,
        formats=grid.formats,
        n_roles=len(grid.roles),
        values=values,
        whole=whole,
        unknown=unknown_figures(values[list(VALUE_FIGURES)], whole, reason),
    )


_SHARES = ("role_share", "format_share", "role_format_share")
_IN_UNIT = ("acquiescence", "order_bias", "paraphrase_effect")


def _reason(figure: str, n_items: int, n_formats: int, facets: FormatFacets) -> str:
    """Say why a figure is NaN."""
    if figure in ("alpha", "split_half", "item_correlation") and n_items == 1:
        return "a single item has no other to agree with"
    if figure in ("acquiescence", "yes_share"):
        return "all items are keyed one way, so a liking for yes cannot be told from the values"
    if figure in ("retest_wording", "paraphrase_effect") and not facets.wording_pairs:
        return facets.reason("wording")
    if figure in ("retest_order", "order_bias") and not facets.order_pairs:
        return facets.reason("order")
    if figure in _SHARES and n_formats == 1:
        return "there is one format only; ask the same roles in others"
    if figure == "low_mass":
        return "no mass was recorded"
    return "the answers do not vary over roles"
