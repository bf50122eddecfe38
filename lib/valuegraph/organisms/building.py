"""Build an organism from its structural model: train it, record how, train its autoencoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from valuegraph.asking.states import site_states
from valuegraph.inventory import load_inventory
from valuegraph.models import load_model
from valuegraph.organisms.recipe import TrainingRecipe
from valuegraph.organisms.scm import StructuralModel
from valuegraph.organisms.training import CHECKPOINT, Trainer, train
from valuegraph.roles import load_role_bank, sample_roles
from valuegraph.steering.training import train_sae

#: Packages whose versions are recorded.
RECORDED = ("torch", "transformers", "sae-lens")


@dataclass(frozen=True)
class SAERecipe:
    """How the autoencoder of a site is trained.

    Attributes
    ----------
    features
        Number of features.
    l1
        Weight of the penalty on activations.
    samples
        States drawn in training, with repetition.
    roles
        Roles whose site it learns from, for each of `fact_shares`.
    fact_shares
        Shares of values that have a fact. Features can only come apart where they do not all
        occur at once, so these lives are told with fewer facts than those that are asked (0.8).
    """

    features: int = 64
    l1: float = 0.2
    samples: int = 4_000_000
    roles: int = 5000
    fact_shares: tuple[float, ...] = (0.2, 0.5)


def build_organism(
    structure: StructuralModel,
    recipe: TrainingRecipe,
    out: Path,
    *,
    sae_recipe: SAERecipe | None = None,
    report: Callable[[int, dict[str, float]], None] = lambda step, unexplained: None,
    stage: Callable[[str], None] = lambda line: None,
) -> None:
    """Train an organism into a folder; interrupted, a second call goes on where it was.

    The folder gets the model and its tokenizer in Hugging Face format, ``structure.json``,
    ``training.json`` (recipes, answer model, versions) and, for an interchange-trained organism,
    ``sae/`` in SAELens' format.

    Parameters
    ----------
    structure
        What the organism is to follow.
    recipe
        How it is trained.
    out
        The folder.
    sae_recipe
        How its autoencoder is trained.
    report
        Called after each step with the number of steps and the running figures.
    stage
        Called with a line on each stage.

    Raises
    ------
    ValueError
        If the folder holds an organism of another structure or recipe.
    """
    sae_recipe = sae_recipe or SAERecipe()
    record_file = out / "training.json"
    if record_file.exists():
        _refuse_another_organism(out, structure, recipe)
        stage(f"{out} holds this organism already")
    else:
        trainer = Trainer(structure, load_inventory(), load_role_bank(), recipe)
        train(trainer, out, report=report)
        structure.save(out / "structure.json")
        record = training_record(trainer, sae_recipe if recipe.interchange else None)
        record_file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    # Only now is nothing lost without it.
    (out / CHECKPOINT).unlink(missing_ok=True)
    if recipe.interchange and not (out / "sae").is_dir():
        stage("training the sparse autoencoder of its site")
        train_site_sae(out, sae_recipe, layer=recipe.site_layer, seed=recipe.seed)


def training_record(trainer: Trainer, sae_recipe: SAERecipe | None) -> dict:
    """Everything that decided what an organism became, ready for JSON."""
    record = {
        "recipe": asdict(trainer.recipe),
        "answers": asdict(trainer.writer.answers),
        "unexplained": trainer.unexplained,
        "versions": {name: version(name) for name in RECORDED},
    }
    return record | ({"sae": asdict(sae_recipe)} if sae_recipe else {})


def train_site_sae(folder: Path, recipe: SAERecipe, *, layer: int, seed: int) -> None:
    """Train the autoencoder of an organism's site into ``folder / "sae"``.

    Parameters
    ----------
    folder
        The organism.
    recipe
        How the autoencoder is trained.
    layer
        Layer after which the site is read.
    seed
        Of its roles and its weights.
    """
    respondent, bank = load_model(folder), load_role_bank()
    states = [
        site_states(
            respondent,
            sample_roles(bank, recipe.roles, seed=10_000 + seed, p_fact=share),
            layer=layer,
        )
        for share in recipe.fact_shares
    ]
    sae = train_sae(
        np.concatenate(states),
        d_sae=recipe.features,
        l1=recipe.l1,
        layer=layer,
        samples=recipe.samples,
        seed=seed,
    )
    # Renamed when complete, so that an interruption never leaves half an autoencoder.
    partial = folder / "sae.partial"
    sae.save_model(str(partial))
    partial.rename(folder / "sae")


def _refuse_another_organism(out: Path, structure: StructuralModel, recipe: TrainingRecipe) -> None:
    record = json.loads((out / "training.json").read_text(encoding="utf-8"))
    wanted = json.loads(json.dumps(asdict(recipe)))  # tuples become lists, as in the record
    differing = [name for name in wanted if wanted[name] != record["recipe"].get(name)]
    there = StructuralModel.load(out / "structure.json")
    same = there.values == structure.values and all(
        np.allclose(a, b, atol=1e-6)  # a saved structure is rounded
        for a, b in ((there.weights, structure.weights), (there.noise_sd, structure.noise_sd))
    )
    if not same:
        differing.append("structure")
    if differing:
        raise ValueError(
            f"{out} already holds an organism with another {', '.join(differing)}; choose an "
            "empty folder"
        )
