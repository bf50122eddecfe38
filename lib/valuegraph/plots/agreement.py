"""Agreement of answers read as log-odds with generated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valuegraph.agreement import AgreementReport
from valuegraph.plots._panels import interval_rows
from valuegraph.style import figure_in_style, in_circular_order

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_agreement(report: AgreementReport) -> Figure:
    """Show how far log-odds and generated answers of one model say the same.

    Parameters
    ----------
    report
        From `valuegraph.agreement.agreement_report`.

    Returns
    -------
    matplotlib.figure.Figure
        Three panels with a row per value: correlations of scores and of answers, shares of answers
        that differ in sign or are unsure, and Cohen's kappa. Lines are the intervals; what could
        not be told is left out.
    """
    table = report.values.loc[in_circular_order(report.values.index)]
    size = (7.0, 1.5 + 0.27 * len(table))
    with figure_in_style(ncols=3, sharey=True, figsize=size) as (figure, panels):
        interval_rows(
            panels[0],
            table,
            {"score_correlation": "of scores", "answer_correlation": "of answers"},
            xlabel="correlation r",
            span=(0, 1),
        )
        interval_rows(
            panels[1],
            table,
            {"sign_differs": "other sign", "unsure": "unsure"},
            xlabel="share of answers",
            span=(0, 0.5),
        )
        interval_rows(panels[2], table, {"kappa": "Cohen's kappa"}, xlabel="kappa", span=(0, 1))
        figure.suptitle(
            f"{report.model}: log-odds against generated answers, {report.n_roles} roles",
            fontsize="medium",
        )
    return figure
