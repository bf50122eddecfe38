"""Every figure of Kang et al. (2025), recomputed from the scores that they released.

*Are the Values of LLMs Structurally Aligned with Humans?* comes with the scores of Gemma-2B-IT and
Llama3-8B-IT on 17 values of ValueBench, and with the code of its analysis. :func:`reproduce` takes
the same steps in words of our own and gets the same figures: PC on the pooled rows (role x
steering), edges without direction as arrows both ways, greedy transitive reduction, table 1,
table 2 and the counts under hard prompts.

What the figures mean, and what their error is, are other questions; :mod:`valuegraph.discovery`
asks them with rows that are independent.

References
----------
Kang, Y., Wang, J., Li, Y., Wang, M., Tu, W., Wang, Q., Li, H., Wu, T., Feng, X., Zhong, F., &
Zheng, Z. (2025). Findings of ACL 2025, 23147-23161. https://aclanthology.org/2025.findings-acl.1188
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata, resources

import pandas as pd

from valuegraph.answers import NO_INTERVENTION
from valuegraph.datasets import fetch
from valuegraph.paper_graphs import Edge, closure, paper_graph
from valuegraph.paper_tables import hard_prompt_counts, table1, table2
from valuegraph.roles import NO_ROLE

MODELS = ("gemma", "llama")
SPLITS = ("train", "test")
PARTS = ("graphs", "table1", "table2", "pies")
HARD_PROMPTS = {
    ("gemma", "negative"): "ans_gemma_test_compare_negative_s1.csv",
    ("gemma", "positive"): "ans_gemma_test_compare_positive_s1.csv",
    ("llama", "negative"): "ans_llama_test_compare_negative.csv",
    ("llama", "positive"): "ans_llama_test_compare_positive.csv",
}
LIST_LABELS = {2: ("rows", "columns"), 3: ("up", "same", "down")}
TOLERANCE = "all integers/edge sets exact; floats 1e-9 (deterministic, no randomness in these)"


def recorded_files(model: str) -> list[str]:
    """Return the names of the data files that :func:`reproduce` needs.

    Raises
    ------
    ValueError
        If the model is unknown.
    """
    _known("model", model, MODELS)
    scores = [f"ans_{model}_{split}_formal.csv" for split in SPLITS]
    return scores + [name for (who, _), name in HARD_PROMPTS.items() if who == model]


def load_recorded_scores(model: str, split: str, *, all_features: bool = False) -> pd.DataFrame:
    """Load the scores that a real model gave, as recorded by Kang et al.

    Parameters
    ----------
    model : {"gemma", "llama"}
        Gemma-2B-IT or Llama3-8B-IT.
    split : {"train", "test"}
        Roles used to find the graph, or roles used to judge it.
    all_features : bool, optional
        Keep all recorded SAE features instead of the ten that the paper keeps.

    Returns
    -------
    pandas.DataFrame
        Scores in [-1, 1]. Index ``(intervention, role)``: SAE feature as a string or ``"none"``,
        name of the role or ``"no role"``. Columns: 17 values.

    Raises
    ------
    ValueError
        If model or split is unknown, or the file is another one than expected.
    valuegraph.datasets.DataUnavailable
        If the file cannot be had.
    """
    _known("model", model, MODELS)
    _known("split", split, SPLITS)
    scores = _read_scores(f"ans_{model}_{split}_formal.csv")
    if not all_features:
        kept = [NO_INTERVENTION, *map(str, choices()["features"][model])]
        scores = scores[scores.index.get_level_values(0).isin(kept)]
    return scores


def load_hard_prompts(model: str, direction: str) -> pd.DataFrame:
    """Load the scores under an instruction to be inclined, or disinclined, to each value.

    Parameters
    ----------
    model : {"gemma", "llama"}
        The model.
    direction : {"negative", "positive"}
        Whether the instruction speaks against or for the value.

    Returns
    -------
    pandas.DataFrame
        Index role (``"no role"`` without one), columns 17 values.

    Raises
    ------
    ValueError, valuegraph.datasets.DataUnavailable
        As :func:`load_recorded_scores`.
    """
    _known("model", model, MODELS)
    _known("direction", direction, ("negative", "positive"))
    return _read_scores(HARD_PROMPTS[model, direction]).droplevel("intervention")


def reference_graph(name: str = "human_18_edges") -> list[Edge]:
    """Return one of the edge lists, written by hand or by a model, that the paper compares with.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    graphs = choices()["reference_graphs"]
    _known("reference graph", name, tuple(graphs))
    return [tuple(edge) for edge in graphs[name]]


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
        :func:`valuegraph.paper_tables.hard_prompt_counts`.
    """
    _known("model", model, MODELS)
    counts = {}
    for direction, chosen in choices()["steering"][model].items():
        steering = {value: str(feature) for value, feature in chosen.items()}
        told = load_hard_prompts(model, direction)
        file = HARD_PROMPTS[model, direction]
        counts[f"{model}_{direction[:3]}"] = {file: hard_prompt_counts(test, told, steering)}
    return counts


def choices() -> dict[str, object]:
    """Return what the authors chose by hand: features, values shown, roles, reference graphs."""
    return _packaged("choices")


def published(model: str) -> dict[str, object]:
    """Return the figures that were released with the paper, named as by :func:`reproduce`.

    For Gemma all of them, at full precision; for Llama those that the released files hold.

    Raises
    ------
    ValueError
        If the model is unknown.
    """
    _known("model", model, MODELS)
    return _packaged(f"published_{model}")


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
    _known("part", part, PARTS)
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


def _known(what: str, name: str, names: Sequence[str]) -> None:
    """Refuse a name that is none of the known ones."""
    if name not in names:
        raise ValueError(f"unknown {what} {name!r}; choose one of {', '.join(names)}")


def _packaged(name: str) -> dict[str, object]:
    """Read a JSON file that comes with the package."""
    path = resources.files("valuegraph").joinpath("data", "paper", f"{name}.json")
    return json.loads(path.read_text(encoding="utf-8"))


def _read_scores(name: str) -> pd.DataFrame:
    """Read one released file into a frame of scores."""
    table = pd.read_csv(fetch(name))
    features = [NO_INTERVENTION if pd.isna(x) else str(int(x)) for x in table["steer_dim"]]
    roles = table["player_name"].fillna(NO_ROLE)
    index = pd.MultiIndex.from_arrays([features, roles], names=["intervention", "role"])
    others = {"steer_dim", "player_name", "stds", "scstds"}
    values = [c for c in table.columns if c not in others and not c.endswith(":scstd")]
    return table[values].astype(float).set_axis(index)
