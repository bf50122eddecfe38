"""The organisms that come with the package, and the truth about each."""

from __future__ import annotations

import json
from pathlib import Path

from valuegraph.organisms.scm import StructuralModel

#: Names by which `valuegraph.load_model` knows the shipped organisms.
ORGANISMS = ("organism-human", "organism-alien", "organism-plain")


def organism_folder(name: str) -> Path:
    """Return the folder of a shipped organism's weights, tokenizer, structural model and card.

    Raises
    ------
    ValueError
        If no organism of this name is shipped.
    """
    if name not in ORGANISMS:
        raise ValueError(f"unknown organism {name!r}; shipped are {', '.join(ORGANISMS)}")
    return Path(__file__).parent / "weights" / name.removeprefix("organism-")


def load_truth(name: str) -> StructuralModel:
    """Load the structural model that a shipped organism was trained on."""
    return StructuralModel.load(organism_folder(name) / "structure.json")


def load_training_record(name: str) -> dict:
    """Load how a shipped organism was trained: recipe, answer model and versions."""
    path = organism_folder(name) / "training.json"
    return json.loads(path.read_text(encoding="utf-8"))


def load_check(name: str) -> dict:
    """Load what `valuegraph organism check` measured on a shipped organism, as its card tells."""
    path = organism_folder(name) / "check.json"
    return json.loads(path.read_text(encoding="utf-8"))
