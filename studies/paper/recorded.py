"""What was released with the paper: scores of two models, choices made by hand, and figures.

Gemma-2B-IT and Llama3-8B-IT, on 17 values of ValueBench. Scores are fetched from their public
address (:mod:`valuegraph.downloads`). Roles and questions were both split: the test roles answered
other questions. So rows of the two files may be compared, but not pooled.

References
----------
Kang, Y., et al. (2025). Are the Values of LLMs Structurally Aligned with Humans? A Causal
Perspective. Findings of ACL 2025. https://aclanthology.org/2025.findings-acl.1188
"""

import json
from collections.abc import Iterable
from importlib import resources

import pandas as pd

from valuegraph.answers import NO_INTERVENTION
from valuegraph.downloads import fetch, missing
from valuegraph.roles import NO_ROLE

MODELS = ("gemma", "llama")
SPLITS = ("train", "test")
HARD_PROMPTS = {
    ("gemma", "negative"): "ans_gemma_test_compare_negative_s1.csv",
    ("gemma", "positive"): "ans_gemma_test_compare_positive_s1.csv",
    ("llama", "negative"): "ans_llama_test_compare_negative.csv",
    ("llama", "positive"): "ans_llama_test_compare_positive.csv",
}


def recorded_files(model: str) -> list[str]:
    """Return the names of the files that :func:`~studies.paper.reproduction.reproduce` needs."""
    require_known("model", model, MODELS)
    scores = [f"ans_{model}_{split}_formal.csv" for split in SPLITS]
    return scores + [name for (owner, _), name in HARD_PROMPTS.items() if owner == model]


def missing_files() -> dict[str, str]:
    """Fetch all files of the paper, and ValueBench; return those that cannot be had, and why."""
    files = [name for model in MODELS for name in recorded_files(model)]
    return missing([*files, "value_orientation.csv"])


def load_recorded_scores(model: str, split: str, *, all_features: bool = False) -> pd.DataFrame:
    """Load the scores of a real model, as recorded by Kang et al.

    Parameters
    ----------
    model, split
        ``"gemma"`` or ``"llama"``; ``"train"``, roles used to find the graph, or ``"test"``, roles
        used to judge it.
    all_features
        Keep all recorded SAE features instead of the ten that the paper keeps.

    Returns
    -------
    pandas.DataFrame
        Scores in [-1, 1]. Index ``(intervention, role)``: SAE feature as a string or ``"none"``,
        name of the role or ``"no role"``. Columns: 17 values.
    """
    require_known("model", model, MODELS)
    require_known("split", split, SPLITS)
    scores = _read_scores(f"ans_{model}_{split}_formal.csv")
    if not all_features:
        kept = [NO_INTERVENTION, *map(str, choices()["features"][model])]
        scores = scores[scores.index.get_level_values(0).isin(kept)]
    return scores


def load_hard_prompts(model: str, direction: str) -> pd.DataFrame:
    """Load the scores of test roles under an instruction against or for each value.

    Index role (``"no role"`` without one), columns 17 values; directions are ``"negative"`` and
    ``"positive"``.
    """
    require_known("model", model, MODELS)
    require_known("direction", direction, ("negative", "positive"))
    return _read_scores(HARD_PROMPTS[model, direction]).droplevel("intervention")


def reference_graph(name: str = "human_18_edges") -> list[tuple[str, str]]:
    """Return one of the lists of arrows, by hand or by a model, that the paper compares with."""
    graphs = choices()["reference_graphs"]
    require_known("reference graph", name, graphs)
    return [tuple(edge) for edge in graphs[name]]


def choices() -> dict[str, object]:
    """Return what the authors chose by hand: features, values shown, roles, reference graphs."""
    return _packaged("choices")


def published(model: str) -> dict[str, object]:
    """Return the released figures, named as by :func:`~studies.paper.reproduction.reproduce`.

    For Gemma all of them, at full precision; for Llama those that the released files hold.
    """
    require_known("model", model, MODELS)
    return _packaged(f"published_{model}")


def require_known(what: str, name: str, names: Iterable[str]) -> None:
    """Refuse a name that is none of the known ones."""
    if name not in names:
        raise ValueError(f"unknown {what} {name!r}; choose one of {', '.join(names)}")


def _packaged(name: str) -> dict[str, object]:
    path = resources.files("studies").joinpath("data", "paper", f"{name}.json")
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
