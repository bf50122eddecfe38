"""The organism workshop: draw a structure, see whether it was learnt, seal it, open it.

python -m book_support.workshop draw 7 mine.json
python -m book_support.workshop seal mine envelope.json
python -m book_support.workshop open envelope.json mine
"""

import hashlib
import json
import secrets
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from studies.training.checks import check_scores, check_site
from studies.training.language import materials
from valuegraph.inventory import SCHWARTZ_ORDER, Inventory
from valuegraph.models import load_model
from valuegraph.organisms import StructuralModel, examine
from valuegraph.roles import RoleBank

#: What a card must say: lowest correlation of scores with planted values, lowest cosine of what a
#: push inside does with what it should do.
LEAST_CORRELATION, LEAST_COSINE = 0.99, 0.95

#: What stands in a sealed folder: which values the organism has, and the hash of its envelope.
SEAL = "seal.json"

app = typer.Typer(help="Draw, seal and open structures of organisms.", no_args_is_help=True)


def draw_structure(seed: int, *, n: int = 5, share: float = 0.4) -> StructuralModel:
    """Draw a structure of some of the ten values at random.

    Parameters
    ----------
    seed : int
        Same seed, same structure.
    n : int
        Number of values.
    share : float
        Probability of an arrow between two values. Its weight is between .25 and .55 in size, and a
        third are negative.
    """
    rng = np.random.default_rng(seed)
    while True:
        order = [SCHWARTZ_ORDER[k] for k in rng.permutation(len(SCHWARTZ_ORDER))[:n]]
        pairs = [(a, b) for k, a in enumerate(order) for b in order[k + 1 :]]
        edges = [
            (a, b, float(round(rng.choice([1, 1, -1]) * rng.uniform(0.25, 0.55), 2)))
            for a, b in pairs
            if rng.random() < share
        ]
        try:
            return StructuralModel.from_edges(edges, values=sorted(order, key=SCHWARTZ_ORDER.index))
        except ValueError:  # the causes of a value explain more than all of its variance
            continue


def learnt(folder: str | Path) -> dict[str, float | bool]:
    """Tell whether an organism learnt its structure, by two figures of its card."""
    respondent, organism = load_model(folder), examine(folder)
    correlation = check_scores(respondent, organism)["min_correlation"]
    site = check_site(respondent, organism, n_roles=20, regression_roles=500)
    cosine = site["all_coordinates"]["min_cosine"]
    enough = correlation >= LEAST_CORRELATION and cosine >= LEAST_COSINE
    return {"correlation": correlation, "cosine": cosine, "learnt": bool(enough)}


def seal(folder: str | Path, envelope: str | Path) -> str:
    """Move the structure out of an organism's folder, leaving a hash; return the hash.

    The hash proves later that the envelope was not exchanged. A random number in the envelope keeps
    anyone from finding the structure by trying out which has this hash.
    """
    folder, envelope = Path(folder), Path(envelope)
    if envelope.exists() or envelope.resolve().parent == folder.resolve():
        raise ValueError(f"{str(envelope)!r} exists or lies in the folder that you give away.")
    structure = json.loads((folder / "structure.json").read_text(encoding="utf-8"))
    content = json.dumps({"salt": secrets.token_hex(16), "structure": structure}, indent=1) + "\n"
    envelope.write_text(content, encoding="utf-8")
    digest = hashlib.sha256(content.encode()).hexdigest()
    left = json.dumps({"values": structure["values"], "sha256": digest}, indent=1) + "\n"
    (folder / SEAL).write_text(left, encoding="utf-8")
    (folder / "structure.json").unlink()
    return digest


def sealed_materials(folder: str | Path) -> tuple[Inventory, RoleBank]:
    """Return the questions and sentences that a sealed organism knows."""
    return materials(json.loads((Path(folder) / SEAL).read_text(encoding="utf-8"))["values"])


def open_envelope(envelope: str | Path, folder: str | Path) -> StructuralModel:
    """Return the structure in an envelope, if it is the one whose hash is in the folder."""
    content = Path(envelope).read_text(encoding="utf-8")
    promised = json.loads((Path(folder) / SEAL).read_text(encoding="utf-8"))["sha256"]
    if hashlib.sha256(content.encode()).hexdigest() != promised:
        raise ValueError(f"{str(envelope)!r} is not what was sealed: its hash is another.")
    structure = json.loads(content)["structure"]
    noise = [structure["noise_sd"][value] for value in structure["values"]]
    return StructuralModel.from_edges(**structure | {"noise_sd": noise})


@app.command("draw")
def draw_(seed: int, file: Path) -> None:
    """Draw a structure of five values at random, and write it."""
    draw_structure(seed).save(file)


@app.command("learnt")
def learnt_(folder: Path) -> None:
    """Say whether an organism learnt its structure."""
    for name, figure in learnt(folder).items():
        typer.echo(f"{name}: {figure}")


@app.command("seal")
def seal_(folder: Path, envelope: Annotated[Path, typer.Argument(help="File to keep.")]) -> None:
    """Take the structure out of a folder that is to be given away."""
    typer.echo(f"sha256 {seal(folder, envelope)}")


@app.command("open")
def open_(envelope: Path, folder: Path) -> None:
    """Show the structure in an envelope, if it is the one that was sealed."""
    for cause, effect, weight in open_envelope(envelope, folder).edges:
        typer.echo(f"{cause} -> {effect} {weight:+.2f}")


if __name__ == "__main__":
    app()
