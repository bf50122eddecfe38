"""Figures in one style: axes labelled, colours safe for colour-blind readers, white background.

Every function takes tables, reports or graphs and returns a matplotlib ``Figure``, already closed
in pyplot: a notebook shows it once, as the value of its cell, and no figure is left behind. Graphs
draw themselves (:meth:`valuegraph.graphs.graph.ValueGraph.draw`).
"""

from valuegraph.plots.agreement import plot_agreement
from valuegraph.plots.comparison import EDGE_LINES, plot_graph_comparison
from valuegraph.plots.doses import plot_doses
from valuegraph.plots.effect_map import plot_effect_map
from valuegraph.plots.effects import plot_effects
from valuegraph.plots.plan_ways import plot_steps, plot_ways
from valuegraph.plots.plans import plot_plan, plot_plan_study, plot_prior_study
from valuegraph.plots.reliability import plot_biases, plot_reliability, plot_variance_shares
from valuegraph.plots.scores import plot_correlation, plot_scores
from valuegraph.plots.spread import plot_spread
from valuegraph.plots.truth import plot_against_truth

__all__ = [
    "EDGE_LINES",
    "plot_against_truth",
    "plot_agreement",
    "plot_biases",
    "plot_graph_comparison",
    "plot_correlation",
    "plot_doses",
    "plot_effect_map",
    "plot_effects",
    "plot_plan",
    "plot_plan_study",
    "plot_prior_study",
    "plot_reliability",
    "plot_scores",
    "plot_spread",
    "plot_steps",
    "plot_variance_shares",
    "plot_ways",
]
