"""Build an organism from its structural model: train it, record how, train its autoencoder."""

import contextlib
import io
import json
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from studies.training.language import materials
from studies.training.recipe import ANSWERS, SAERecipe, TrainingRecipe
from studies.training.training import CHECKPOINT, Trainer, refuse_other, settings_of, train
from valuegraph.models import load_model
from valuegraph.organisms import Organism, StructuralModel, examine, load_training_record
from valuegraph.probing import states
from valuegraph.roles import sample_roles


def build_organism(
    structure: StructuralModel,
    recipe: TrainingRecipe,
    out: Path,
    *,
    sae_recipe: SAERecipe | None,
    report: Callable[[int, dict[str, float]], None] = lambda step, unexplained: None,
    stage: Callable[[str], None] = lambda line: None,
) -> None:
    """Train an organism into a folder; interrupted, a second call goes on where it was.

    The folder gets model and tokenizer in Hugging Face format, ``structure.json``,
    ``training.json`` (recipes, answers, versions), and with a recipe for it an autoencoder and its
    twin from another seed. `report` gets the number of steps and the running figures.
    """
    inventory, bank = materials(structure.values)
    organism = Organism(structure, **ANSWERS, site_layer=recipe.site_layer)
    record_file = out / "training.json"
    if record_file.exists():
        theirs = TrainingRecipe(**load_training_record(out)["recipe"])
        refuse_other(out, settings_of(organism, recipe), settings_of(examine(out), theirs))
        stage(f"{out} holds this organism already")
    else:
        trainer = Trainer(organism, inventory, bank, recipe)
        train(trainer, out, report=report)
        structure.save(out / "structure.json")
        record = {
            "recipe": asdict(recipe),
            "answers": ANSWERS,
            "unexplained": trainer.unexplained,
            "versions": {name: version(name) for name in ("torch", "transformers", "sae-lens")},
        }
        record |= {"sae": asdict(sae_recipe)} if sae_recipe else {}
        record_file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (out / CHECKPOINT).unlink(missing_ok=True)  # only now is nothing lost without it
    if sae_recipe and not (out / "sae").is_dir():
        stage("training the sparse autoencoder of its site")
        respondent, layer = load_model(out), recipe.site_layer
        options = {"n": sae_recipe.roles, "seed": 10_000 + recipe.seed}
        lives = [sample_roles(bank, p_fact=share, **options) for share in sae_recipe.fact_shares]
        at_site = np.concatenate([states(respondent, roles, layer=layer) for roles in lives])
        # Its twin tells what hangs on the seed. No interruption leaves half an autoencoder.
        for name, seed in (("sae_seed_1", recipe.seed + 1), ("sae", recipe.seed)):
            if not (out / name).is_dir():
                sae = train_sae(at_site, sae_recipe, layer, seed=seed)
                sae.save_model(str(out / f"{name}.partial"))
                (out / f"{name}.partial").rename(out / name)


def train_sae(states: np.ndarray, recipe: SAERecipe, layer: int, *, seed: int):
    """Train a standard sparse autoencoder (ReLU, L1) on states ``(n, width)`` of a layer."""
    import sae_lens
    from sae_lens.saes.sae import SAEMetadata

    batch = 1024
    steps = max(1, recipe.samples // batch)
    data, generator = torch.from_numpy(states).float(), torch.Generator().manual_seed(seed)
    # SAELens' own progress bar goes to standard error whatever one wants.
    quiet = contextlib.redirect_stderr(io.StringIO())
    with torch.random.fork_rng(), warnings.catch_warnings(), quiet:
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        config = sae_lens.StandardTrainingSAEConfig(
            d_in=states.shape[1],
            d_sae=recipe.features,
            l1_coefficient=recipe.l1,
            l1_warm_up_steps=steps // 10,
            device="cpu",
            metadata=SAEMetadata(hook_name=f"blocks.{layer}.hook_resid_post"),
        )
        trainee = sae_lens.StandardTrainingSAE(config)
        # Starting at the mean spares the features from learning what all states share.
        trainee.b_dec.data = torch.from_numpy(states.mean(axis=0)).float()
        schedule = sae_lens.config.SAETrainerConfig(
            total_training_samples=steps * batch,
            train_batch_size_samples=batch,
            lr=2e-3,
            lr_end=2e-4,
            lr_warm_up_steps=steps // 20,
            lr_decay_steps=steps // 2,
            logger=sae_lens.LoggingConfig(log_to_wandb=False),
        )
        drawn = iter(lambda: data[torch.randint(len(data), (batch,), generator=generator)], None)
        trained = sae_lens.SAETrainer(cfg=schedule, sae=trainee, data_provider=drawn).fit()
        with tempfile.TemporaryDirectory() as folder:
            trained.save_inference_model(folder)
            return sae_lens.SAE.load_from_disk(folder, device="cpu")
