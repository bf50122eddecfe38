"""Kang et al. (2025): their figures from their scores, and the error of each figure."""

from studies.paper.base_rates import gap_beyond_base_rates, table2_gaps
from studies.paper.control import planted
from studies.paper.error import (
    NULLS,
    clustering,
    edges_against_null,
    effective_n,
    effective_rows,
    firmness,
    half_agreement,
)
from studies.paper.features import aim, specificity
from studies.paper.graphs import closure, paper_graph, undirected
from studies.paper.orders import agreements, column_orders, directions, paper_shd
from studies.paper.recorded import (
    MODELS,
    choices,
    load_hard_prompts,
    load_recorded_scores,
    published,
    questions,
    reference_graph,
)
from studies.paper.reproduction import (
    PARTS,
    beside_published,
    chosen_features,
    pies,
    reproduce,
    same_edges,
)
from studies.paper.tables import changes_from_unsteered, table1, table2

__all__ = [
    "MODELS", "NULLS", "PARTS", "agreements", "aim", "beside_published", "changes_from_unsteered",
    "choices", "chosen_features", "closure", "clustering", "column_orders", "directions",
    "edges_against_null", "effective_n", "effective_rows", "firmness",
    "gap_beyond_base_rates", "half_agreement", "load_hard_prompts", "load_recorded_scores",
    "paper_graph", "paper_shd", "pies", "planted", "published", "questions",
    "reference_graph", "reproduce", "same_edges", "specificity", "table1", "table2",
    "table2_gaps", "undirected",
]  # fmt: skip
