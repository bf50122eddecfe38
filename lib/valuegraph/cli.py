"""Command line: ask models, train and check organisms, reproduce the paper's figures."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from valuegraph.console import console, say
from valuegraph.runs.commands import runs_app

app = typer.Typer(
    help="Causal value graphs of language models.", no_args_is_help=True, add_completion=False
)
organism_app = typer.Typer(help="Train and check organisms.", no_args_is_help=True)
app.add_typer(runs_app)
app.add_typer(organism_app, name="organism")


def main() -> None:
    """Run the command line; bad input ends in one line, not in a traceback."""
    warnings.showwarning = _say_warning
    try:
        app()
    except (ValueError, OSError, MemoryError, ImportError) as error:
        say(f"error: {error}")
        raise SystemExit(1) from error


@app.command()
def reproduce(
    model: Annotated[str, typer.Option(help="gemma or llama: whose recorded scores.")],
    out: Annotated[Path, typer.Option(help="JSON file to write.")],
) -> None:
    """Recompute the published figures of Kang et al. (2025) from the recorded scores."""
    from valuegraph.paper import reproduce as reproduce_figures

    _write_json(reproduce_figures(model), out)


@organism_app.command()
def train(
    scm: Annotated[str, typer.Option(help="human, alien, or the JSON file of a structural model.")],
    out: Annotated[Path, typer.Option(help="Folder for the model; training resumes in it.")],
    seed: Annotated[int, typer.Option(help="Of weights and dialogues.")] = 0,
    plain: Annotated[bool, typer.Option(help="Train without interchange.")] = False,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.")] = None,
) -> None:
    """Train an organism on a structural model; interrupted, it goes on where it was."""
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from valuegraph.organisms.building import build_organism
    from valuegraph.organisms.recipe import PLAIN_RECIPE, TrainingRecipe
    from valuegraph.organisms.scm import StructuralModel
    from valuegraph.organisms.structures import STRUCTURES

    if scm not in STRUCTURES and not Path(scm).is_file():
        raise ValueError(
            f"no structure {scm!r}: give {' or '.join(STRUCTURES)}, or a file that "
            "StructuralModel.save wrote"
        )
    structure = STRUCTURES[scm]() if scm in STRUCTURES else StructuralModel.load(scm)
    recipe = replace(PLAIN_RECIPE if plain else TrainingRecipe(), seed=seed)
    if steps is not None:
        recipe = replace(recipe, steps=steps)
    columns = (
        *Progress.get_default_columns()[:2],
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn(
            "unexplained: plain {task.fields[plain]:.3f}, swapped {task.fields[swapped]:.3f}"
        ),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=recipe.steps, plain=1.0, swapped=1.0)
        build_organism(
            structure,
            recipe,
            out,
            report=lambda step, unexplained: progress.update(task, completed=step, **unexplained),
            stage=say,
        )


@organism_app.command()
def check(
    name: Annotated[str, typer.Argument(help="A shipped organism, or a folder that train wrote.")],
    json_file: Annotated[Path, typer.Option("--json", help="JSON file to write.")],
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of the recovery check.")] = 10,
) -> None:
    """Measure an organism afresh; its card is written from these figures."""
    from valuegraph.models import load_model
    from valuegraph.organisms.check import check_organism
    from valuegraph.organisms.examined import examine
    from valuegraph.organisms.shipped import find_organism, load_training_record, load_truth

    folder, truth, record = find_organism(name), load_truth(name), load_training_record(name)
    figures = check_organism(
        examine(load_model(name), truth, record),
        sae_folder=folder / "sae" if record["recipe"]["interchange"] else None,
        seeds=range(seeds),
        report=say,
    )
    _write_json(figures, json_file)


@organism_app.command()
def card(
    name: Annotated[str, typer.Argument(help="A shipped organism, or a folder that train wrote.")],
    figures: Annotated[Path, typer.Option(help="JSON file that check wrote.")],
) -> None:
    """Write an organism's card (README.md beside the weights) from the figures of a check."""
    from valuegraph.organisms.card import write_card
    from valuegraph.organisms.shipped import find_organism

    measured = json.loads(figures.read_text(encoding="utf-8"))
    say(f"wrote {write_card(find_organism(name), name, measured)}")


def _write_json(content: dict, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    say(f"wrote {path}")


def _say_warning(message: Warning | str, category: type[Warning], *place: object) -> None:
    """Tell a warning without the line of code from which it comes."""
    say(f"warning: {message}")


if __name__ == "__main__":
    main()
