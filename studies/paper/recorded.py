"""What was released with the paper: scores of two models, choices made by hand, and figures.

Gemma-2B-IT and Llama3-8B-IT, on 17 values of ValueBench. The scores are kept in one table, exactly
as released, with numbers in place of names of roles; `scripts/pack_scores.py` makes it from the
original files. Roles and questions were both split: the test roles answered other questions. So
rows of the two splits may be compared, but not pooled.

References
----------
Kang, Y., et al. (2025). Are the Values of LLMs Structurally Aligned with Humans? A Causal
Perspective. Findings of ACL 2025. https://aclanthology.org/2025.findings-acl.1188
"""

import json
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import pandas as pd

from valuegraph.answers import NO_INTERVENTION
from valuegraph.roles import NO_ROLE

MODELS = ("gemma", "llama")
SPLITS = ("train", "test")
#: What the table of scores holds -> name of the file as released.
ORIGINALS = {
    "gemma/train": "ans_gemma_train_formal.csv",
    "gemma/test": "ans_gemma_test_formal.csv",
    "gemma/negative": "ans_gemma_test_compare_negative_s1.csv",
    "gemma/positive": "ans_gemma_test_compare_positive_s1.csv",
    "llama/train": "ans_llama_train_formal.csv",
    "llama/test": "ans_llama_test_formal.csv",
    "llama/negative": "ans_llama_test_compare_negative.csv",
    "llama/positive": "ans_llama_test_compare_positive.csv",
}


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
        ``"role 1"`` and so on, the same in both models, or ``"no role"``. Columns: 17 values.
    """
    require_known("model", model, MODELS)
    require_known("split", split, SPLITS)
    scores = _scores(f"{model}/{split}")
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
    return _scores(f"{model}/{direction}").droplevel("intervention")


def reference_graph(name: str = "human_18_edges") -> list[tuple[str, str]]:
    """Return one of the lists of arrows, by hand or by a model, that the paper compares with."""
    graphs = choices()["reference_graphs"]
    require_known("reference graph", name, graphs)
    return [tuple(edge) for edge in graphs[name]]


def choices() -> dict[str, object]:
    """Return what the authors chose by hand: features, values shown, roles, reference graphs."""
    return _packaged("choices")


def questions() -> pd.DataFrame:
    """Return how many questions of ValueBench speak ``for`` and ``against`` each value."""
    return pd.read_csv(_file("questions.csv"), comment="#", index_col="value")


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
    return json.loads(_file(f"{name}.json").read_text(encoding="utf-8"))


def _file(name: str) -> Path:
    return resources.files("studies").joinpath("data", "paper", name)


def _scores(file: str) -> pd.DataFrame:
    """Read the rows of one released file, in its order."""
    table = pd.read_parquet(_file("scores.parquet"), filters=[("file", "==", file)])
    features = [NO_INTERVENTION if x < 0 else str(x) for x in table.pop("feature")]
    roles = [NO_ROLE if x < 0 else f"role {x}" for x in table.pop("role")]
    index = pd.MultiIndex.from_arrays([features, roles], names=["intervention", "role"])
    return table.drop(columns="file").set_axis(index)
