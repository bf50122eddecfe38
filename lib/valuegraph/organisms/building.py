"""Build an organism from its structural model: train it, record how, train its autoencoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from valuegraph.elicitation import site_states
from valuegraph.inventory import load_inventory
from valuegraph.models import load_model
from valuegraph.organisms.recipe import TrainingRecipe
from valuegraph.organisms.scm import StructuralModel
from valuegraph.organisms.training import Trainer, train
from valuegraph.roles import RoleBank, load_role_bank, sample_roles
from valuegraph.steering.sae import train_sae

#: Size of the site's autoencoder, its penalty, and how long it is trained (states drawn with
#: repetition).
SAE_FEATURES, SAE_L1, SAE_SAMPLES = 64, 0.2, 4_000_000

#: Roles whose site it learns from: as many for each share of values that have a fact. Features can
#: only come apart where they do not all occur at once, so these lives are told with fewer facts
#: than those that are asked (0.8).
SAE_ROLES, SAE_FACT_SHARES = 5000, (0.2, 0.5)


def build_organism(
    structure: StructuralModel,
    recipe: TrainingRecipe,
    out: Path,
    *,
    report: Callable[[int, dict[str, float]], None] = lambda step, unexplained: None,
) -> None:
    """Train an organism into a folder; interrupted, a second call goes on where it was.

    The folder gets the model and its tokenizer in Hugging Face format, ``structure.json``,
    ``training.json`` (recipe, answer model, versions) and, for an interchange-trained organism,
    ``sae/`` in SAELens' format.

    Parameters
    ----------
    structure
        What the organism is to follow.
    recipe
        How it is trained.
    out
        The folder.
    report
        Called after each step with the number of steps and the running figures.

    Raises
    ------
    ValueError
        If the folder holds an organism of another structure or recipe.
    """
    bank = load_role_bank()
    trainer = Trainer(structure, load_inventory(), bank, recipe)
    if not (out / "training.json").exists():
        train(trainer, out, report=report)
        structure.save(out / "structure.json")
        record = {
            "recipe": asdict(recipe),
            "answers": asdict(trainer.writer.answers),
            "unexplained": trainer.unexplained,
            "torch": torch.__version__,
        }
        (out / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    else:
        _refuse_another_organism(out, structure, recipe)
    if recipe.interchange and not (out / "sae").is_dir():
        train_site_sae(out, bank, layer=recipe.site_layer, seed=recipe.seed)


def _refuse_another_organism(out: Path, structure: StructuralModel, recipe: TrainingRecipe) -> None:
    record = json.loads((out / "training.json").read_text(encoding="utf-8"))
    wanted = json.loads(json.dumps(asdict(recipe)))  # tuples become lists, as in the record
    differing = [name for name in wanted if wanted[name] != record["recipe"].get(name)]
    if StructuralModel.load(out / "structure.json").edges != structure.edges:
        differing.append("structure")
    if differing:
        raise ValueError(
            f"{out} already holds an organism with another {', '.join(differing)}; choose an "
            "empty folder"
        )


def train_site_sae(folder: Path, bank: RoleBank, *, layer: int, seed: int) -> None:
    """Train the autoencoder of an organism's site into ``folder / "sae"``."""
    respondent = load_model(folder)
    states = np.concatenate(
        [
            site_states(
                respondent,
                sample_roles(bank, SAE_ROLES, seed=10_000 + seed, p_fact=share),
                layer=layer,
            )
            for share in SAE_FACT_SHARES
        ]
    )
    sae = train_sae(
        states, d_sae=SAE_FEATURES, l1=SAE_L1, layer=layer, samples=SAE_SAMPLES, seed=seed
    )
    sae.save_model(str(folder / "sae"))
