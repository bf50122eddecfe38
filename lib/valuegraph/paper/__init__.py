"""Kang et al. (2025): their figures from their scores, and the error of each figure."""

from valuegraph.paper.recorded import (
    MODELS,
    SPLITS,
    answers_behind,
    choices,
    load_hard_prompts,
    load_recorded_scores,
    published,
    recorded_files,
    reference_graph,
)
from valuegraph.paper.reproduction import PARTS, beside_published, pies, reproduce, same_edges

__all__ = [
    "MODELS",
    "PARTS",
    "SPLITS",
    "answers_behind",
    "beside_published",
    "choices",
    "load_hard_prompts",
    "load_recorded_scores",
    "pies",
    "published",
    "recorded_files",
    "reference_graph",
    "reproduce",
    "same_edges",
]
