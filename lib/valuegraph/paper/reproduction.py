"""Every figure of Kang et al. (2025), recomputed from the scores that they released.

:func:`reproduce` takes the steps of their code in words of our own and gets the same figures: PC on
the pooled rows (role x steering), edges without direction as arrows both ways, greedy transitive
reduction, table 1, table 2 and the counts under hard prompts.

What the figures mean, and what their error is, are other questions; the other modules of this
package put them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import metadata

import pandas as pd

from valuegraph.paper.graphs import closure, paper_graph
from valuegraph.paper.recorded import (
    HARD_PROMPTS,
    MODELS,
    choices,
    known,
    load_hard_prompts,
    load_recorded_scores,
    published,
    reference_graph,
)
from valuegraph.paper.tables import hard_prompt_counts, table1, table2

PARTS = ("graphs", "table1", "table2", "pies")
LIST_LABELS = {2: ("rows", "columns"), 3: ("up", "same", "down")}
TOLERANCE = "all integers/edge sets exact; floats 1e-9 (deterministic, no randomness in these)"


def reproduce(model: str) -> dict[str, object]:
    """Compute every figure of the paper that the released files of a model allow.

    Parameters
    ----------
    model : {"gemma", "llama"}
        The model.

    Returns
    -------
    dict
        ``versions`` (of the libraries), ``graphs``, ``table1``, ``table2`` (each by model),
        ``pies`` (``<model>_neg`` and ``<model>_pos``, by file) and ``tolerance``; only numbers,
        strings, lists and dicts, ready for :func:`json.dump`.

    Raises
    ------
    ValueError, valuegraph.datasets.DataUnavailable
        As :func:`load_recorded_scores`.
    """
    train = load_recorded_scores(model, "train")
    test = load_recorded_scores(model, "test")
    made = choices()
    graph = paper_graph(train)
    graphs = {
        "ours": closure(graph.expanded, graph.values),
        "refs": closure(reference_graph(made["reference_graph"]), graph.values),
    }
    libraries = ("causal-learn", "numpy", "scipy", "pandas", "networkx", "scikit-learn")
    return {
        "versions": {name: metadata.version(name) for name in libraries},
        "graphs": {model: graph.figures()},
        "table2": {model: table2(test, made["steered_role"], graphs)},
        "table1": {model: table1(train, test, made["table1_values"])},
        "pies": pies(model, test),
        "tolerance": TOLERANCE,
    }


def pies(model: str, test: pd.DataFrame) -> dict[str, dict[str, dict[str, list[int]]]]:
    """Return what the paper shows as pies: one feature a value against a plain instruction.

    Parameters
    ----------
    model : {"gemma", "llama"}
        The model.
    test : pandas.DataFrame
        Its scores in the test roles.

    Returns
    -------
    dict
        ``<model>_neg`` and ``<model>_pos`` -> file of the instructed scores -> counts as by
        :func:`valuegraph.paper.tables.hard_prompt_counts`.
    """
    known("model", model, MODELS)
    counts = {}
    for direction, chosen in choices()["steering"][model].items():
        steering = {value: str(feature) for value, feature in chosen.items()}
        told = load_hard_prompts(model, direction)
        file = HARD_PROMPTS[model, direction]
        counts[f"{model}_{direction[:3]}"] = {file: hard_prompt_counts(test, told, steering)}
    return counts


def beside_published(figures: Mapping[str, object] | None, model: str, part: str) -> pd.DataFrame:
    """Put computed figures beside the released ones.

    Parameters
    ----------
    figures : mapping or None
        What :func:`reproduce` returned, or some of its parts; without the part in question, the
        released figures are shown alone.
    model : {"gemma", "llama"}
        The model.
    part : {"graphs", "table1", "table2", "pies"}
        Which figures.

    Returns
    -------
    pandas.DataFrame
        One row per number, indexed by its path within the part. Columns ``computed``,
        ``released`` and ``difference``; NaN where one of the two does not exist.

    Raises
    ------
    ValueError
        If model or part is unknown.
    """
    known("part", part, PARTS)
    columns = {}
    for column, source in (("computed", figures or {}), ("released", published(model))):
        sections = source.get(part, {})
        numbers = dict(_numbers(sections.get(model, sections)))
        columns[column] = pd.Series(numbers, dtype=float)
    table = pd.DataFrame(columns)
    # Not the order of the alphabet, into which pandas has put them, but that of the figures.
    order = columns["computed"].index if len(columns["computed"]) else columns["released"].index
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
