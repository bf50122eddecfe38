"""Every figure of Kang et al. (2025), recomputed from the scores that they released.

The steps of their code in words of our own: PC on the pooled rows (role x steering), edges without
direction as arrows both ways, greedy transitive reduction, table 1, table 2 and the counts under
hard prompts. What the figures mean, and what their error is, is the matter of the other modules.
"""

from collections.abc import Iterator, Mapping
from importlib import metadata

import pandas as pd

from studies.paper.graphs import closure, paper_graph
from studies.paper.recorded import (
    ORIGINALS,
    choices,
    load_hard_prompts,
    load_recorded_scores,
    published,
    reference_graph,
    require_known,
)
from studies.paper.tables import hard_prompt_counts, table1, table2

PARTS = ("graphs", "table1", "table2", "pies")
LIST_LABELS = {2: ("rows", "columns"), 3: ("up", "same", "down")}
LIBRARIES = ("causal-learn", "numpy", "scipy", "pandas", "networkx", "scikit-learn")
TOLERANCE = "all integers/edge sets exact; floats 1e-9 (deterministic, no randomness in these)"


def reproduce(model: str) -> dict[str, object]:
    """Compute every figure of the paper that the released files of a model allow.

    Returns
    -------
    dict
        ``versions`` (of the libraries), ``graphs``, ``table1``, ``table2`` (each by model),
        ``pies`` (``<model>_neg`` and ``<model>_pos``, by file) and ``tolerance``; ready for JSON.
    """
    train, test = (load_recorded_scores(model, split) for split in ("train", "test"))
    made, graph = choices(), paper_graph(train)
    reference = closure(reference_graph(made["reference_graph"]), graph.values)
    graphs = {"ours": graph.closure, "refs": reference}
    return {
        "versions": {name: metadata.version(name) for name in LIBRARIES},
        "graphs": {model: graph.figures()},
        "table2": {model: table2(test, made["steered_role"], graphs)},
        "table1": {model: table1(train, test, made["table1_values"])},
        "pies": pies(model, test),
        "tolerance": TOLERANCE,
    }


def pies(model: str, test: pd.DataFrame) -> dict[str, dict[str, dict[str, list[int]]]]:
    """Return what the paper shows as pies: one feature a value against a plain instruction.

    ``<model>_neg`` and ``<model>_pos`` -> file of the scores under the instruction -> counts, see
    :func:`~studies.paper.tables.hard_prompt_counts`; `test` are the scores in the test roles.
    """
    counts = {}
    for direction in ("negative", "positive"):
        prompted, file = load_hard_prompts(model, direction), ORIGINALS[f"{model}/{direction}"]
        count = hard_prompt_counts(test, prompted, chosen_features(model, direction))
        counts[f"{model}_{direction[:3]}"] = {file: count}
    return counts


def chosen_features(model: str, direction: str) -> dict[str, str]:
    """Return the feature that the authors chose to move each value in a direction."""
    return {value: str(x) for value, x in choices()["steering"][model][direction].items()}


def beside_published(figures: Mapping[str, object], model: str, part: str) -> pd.DataFrame:
    """Put computed figures beside the released ones.

    Figures are those of :func:`reproduce`, or the part of them that is asked for (one of
    :data:`PARTS`). One row per number, by its path within the part; columns ``computed``,
    ``released`` and ``difference``, NaN where nothing was released.
    """
    require_known("part", part, PARTS)
    columns = {}
    for column, source in (("computed", figures), ("released", published(model))):
        sections = source.get(part, {})
        numbers = dict(_numbers(sections.get(model, sections)))
        columns[column] = pd.Series(numbers, dtype=float)
    table = pd.DataFrame(columns)
    # Not the order of the alphabet, into which pandas has put them, but that of the figures.
    order = columns["computed"].index
    table = table.loc[[*order, *table.index.difference(order)]]
    table["difference"] = table["computed"] - table["released"]
    return table


def same_edges(figures: Mapping[str, object], model: str) -> bool:
    """Return whether the computed reduced graph has the same edges as the released one."""
    ours, theirs = (x["graphs"][model]["reduced"] for x in (figures, published(model)))
    return sorted(map(tuple, ours)) == sorted(map(tuple, theirs))


def _numbers(section: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, float]]:
    """Walk through nested figures and yield each number with its path; edges are passed by."""
    if isinstance(section, int | float):
        yield " / ".join(path), section
    elif isinstance(section, Mapping):
        for key, inner in section.items():
            # The counts of one direction come from one file, whose name only lengthens the path.
            yield from _numbers(inner, path if key.endswith(".csv") else (*path, key))
    elif isinstance(section, list) and len(section) in LIST_LABELS:
        for key, inner in zip(LIST_LABELS[len(section)], section, strict=True):
            yield from _numbers(inner, (*path, key))
