"""Commands on organisms: train, check, card."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TextColumn

from studies.training.building import build_organism
from studies.training.card import write_card
from studies.training.checks import check_organism
from studies.training.recipe import SMALL_RECIPE, SAERecipe, TrainingRecipe
from studies.training.structures import STRUCTURES
from valuegraph.models import load_model
from valuegraph.organisms import StructuralModel, examine, organism_folder

organism_app = typer.Typer(help="Train and check organisms.", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(help="A shipped organism, or a folder that train wrote.")]


@organism_app.command()
def train(
    scm: Annotated[str, typer.Option(help="human, alien, or the JSON file of a structural model.")],
    out: Annotated[Path, typer.Option(help="Folder for the model; training resumes in it.")],
    seed: Annotated[int, typer.Option(help="Of weights and dialogues.")] = 0,
    plain: Annotated[bool, typer.Option(help="Train without interchange.")] = False,
    small: Annotated[bool, typer.Option(help="Train a smaller model, for few values.")] = False,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.")] = None,
) -> None:
    """Train an organism on a structural model; interrupted, it goes on where it was."""
    if scm not in STRUCTURES and not Path(scm).is_file():
        raise ValueError(f"no structure {scm!r}: give {', '.join(STRUCTURES)} or a structure.json")
    structure = STRUCTURES[scm]() if scm in STRUCTURES else StructuralModel.load(scm)
    recipe = SMALL_RECIPE if small else TrainingRecipe()
    recipe = replace(recipe, interchange=not plain, seed=seed)
    recipe = recipe if steps is None else replace(recipe, steps=steps)
    left = "unexplained: plain {task.fields[plain]:.3f}, swapped {task.fields[swapped]:.3f}"
    columns = (*Progress.get_default_columns(), TextColumn(left))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("training", total=recipe.steps, plain=1.0, swapped=1.0)

        def report(step: int, unexplained: dict[str, float]) -> None:
            progress.update(task, completed=step, **unexplained)

        sae = None if small or plain else SAERecipe()
        build_organism(structure, recipe, out, sae_recipe=sae, report=report, stage=_say)


@organism_app.command()
def check(
    name: _Name,
    json_file: Annotated[Path, typer.Option("--json", help="JSON file to write.")],
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of the recovery check.")] = 10,
) -> None:
    """Measure an organism afresh; its card is written from these figures."""
    sae = organism_folder(name) / "sae"
    options = {"sae_folder": sae if sae.is_dir() else None, "seeds": range(seeds), "report": _say}
    figures = check_organism(load_model(name), examine(name), **options)
    json_file.parent.mkdir(parents=True, exist_ok=True)
    json_file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    _say(f"wrote {json_file}")


@organism_app.command()
def card(
    name: _Name, figures: Annotated[Path, typer.Option(help="JSON file that check wrote.")]
) -> None:
    """Write an organism's card (README.md beside the weights) from the figures of a check."""
    measured = json.loads(figures.read_text(encoding="utf-8"))
    _say(f"wrote {write_card(organism_folder(name), name, measured)}")


def _say(line: str) -> None:
    typer.echo(line, err=True)
