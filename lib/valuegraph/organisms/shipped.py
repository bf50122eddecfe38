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


def find_organism(name: str | Path) -> Path:
    """Return the folder of a shipped organism, by name, or of one that was trained, by path.

    Raises
    ------
    FileNotFoundError
        If the name is none of a shipped organism, and no folder with an organism either.
    """
    folder = organism_folder(str(name)) if name in ORGANISMS else Path(name)
    for file in ("structure.json", "training.json"):
        if not (folder / file).is_file():
            raise FileNotFoundError(
                f"no organism {str(name)!r}: {folder / file} is missing; shipped are "
                f"{', '.join(ORGANISMS)}, others are made by `valuegraph organism train`"
            )
    return folder


def load_truth(name: str | Path) -> StructuralModel:
    """Load the structural model that an organism was trained on, by name or folder."""
    return StructuralModel.load(find_organism(name) / "structure.json")


def load_training_record(name: str | Path) -> dict:
    """Load how an organism was trained, by name or folder: recipes, answer model and versions."""
    return _read(find_organism(name) / "training.json")


def load_check(name: str | Path) -> dict:
    """Load what `valuegraph organism check` measured on an organism, as its card tells."""
    return _read(find_organism(name) / "check.json")


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))
