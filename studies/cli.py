"""Command line of the studies: reproduce the paper's figures, train and check organisms."""

import json
import warnings
from pathlib import Path
from typing import Annotated

import typer

from studies import real_model
from studies.paper.reproduction import reproduce
from studies.training.commands import organism_app

app = typer.Typer(help="Studies of value graphs.", no_args_is_help=True, add_completion=False)
app.add_typer(organism_app, name="organism")


def main() -> None:
    """Run the command line; bad input ends in one line, not in a traceback."""
    warnings.showwarning = lambda message, *place: typer.echo(f"warning: {message}", err=True)
    try:
        app()
    except (ValueError, OSError, MemoryError, ImportError) as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from error


@app.command("real-model")
def ask_real_model(
    part: Annotated[str, typer.Argument(help="words, inside, watched, written or features.")],
    model: Annotated[Path, typer.Argument(help="Folder of the model.")],
    out: Annotated[Path, typer.Argument(help="Folder for the answers; started again, it goes on.")],
) -> None:
    """Ask a part of the registered study of a real model."""
    real_model.ask(part, model, out)


@app.command("reproduce")
def reproduce_figures(
    model: Annotated[str, typer.Option(help="gemma or llama: whose recorded scores.")],
    out: Annotated[Path, typer.Option(help="JSON file to write.")],
) -> None:
    """Recompute the published figures of Kang et al. (2025) from the recorded scores."""
    figures = reproduce(model)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    typer.echo(f"wrote {out}", err=True)


if __name__ == "__main__":
    main()
