"""What was released with the paper: scores of two models, choices by hand, and figures.

*Are the Values of LLMs Structurally Aligned with Humans?* comes with the scores of Gemma-2B-IT and
Llama3-8B-IT on 17 values of ValueBench. They are fetched from their public address
(:mod:`valuegraph.datasets`); what its authors chose by hand comes with this package.

Roles and questions were both split: the questions that the test roles were asked are none of those
of the training roles. So rows of the two files may be compared, but not pooled.

References
----------
Kang, Y., Wang, J., Li, Y., Wang, M., Tu, W., Wang, Q., Li, H., Wu, T., Feng, X., Zhong, F., &
Zheng, Z. (2025). Findings of ACL 2025, 23147-23161. https://aclanthology.org/2025.findings-acl.1188
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION
from valuegraph.datasets import fetch
from valuegraph.paper.graphs import Edge
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
    """Return the names of the data files that :func:`reproduce` needs.

    Raises
    ------
    ValueError
        If the model is unknown.
    """
    known("model", model, MODELS)
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
    known("model", model, MODELS)
    known("split", split, SPLITS)
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
    known("model", model, MODELS)
    known("direction", direction, ("negative", "positive"))
    return _read_scores(HARD_PROMPTS[model, direction]).droplevel("intervention")


def reference_graph(name: str = "human_18_edges") -> list[Edge]:
    """Return one of the edge lists, written by hand or by a model, that the paper compares with.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    graphs = choices()["reference_graphs"]
    known("reference graph", name, tuple(graphs))
    return [tuple(edge) for edge in graphs[name]]


def answers_behind(scores: pd.DataFrame) -> pd.Series:
    """Return for each value the least number of answers of which all its scores can be the mean.

    Answers count -1, 0 or 1, so that scores are multiples of one over their number.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns values.

    Raises
    ------
    ValueError
        If no number up to 50 will do.
    """
    table = scores.to_numpy()[:, :, None] * np.arange(1, 51)
    whole = (abs(table - table.round()) < 1e-6).all(axis=0)
    odd = scores.columns[~whole.any(axis=1)]
    if len(odd):
        raise ValueError(f"the scores of {odd[0]} are no means of 50 or fewer answers")
    return pd.Series(1 + whole.argmax(axis=1), scores.columns)


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
    known("model", model, MODELS)
    return _packaged(f"published_{model}")


def known(what: str, name: str, names: Sequence[str]) -> None:
    """Refuse a name that is none of the known ones.

    Raises
    ------
    ValueError
        If it is not.
    """
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
