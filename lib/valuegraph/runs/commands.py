"""Commands of the program that answer a sweep, merge its shards and make a table of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from valuegraph.console import say

if TYPE_CHECKING:
    from valuegraph.asking.prompts import PromptFormat
    from valuegraph.inventory import Inventory
    from valuegraph.roles import Role

runs_app = typer.Typer()

#: How the instruction names the two answers, by the word of the option.
ORDERS = {"yes-first": (True,), "no-first": (False,), "both": (True, False)}

#: Kinds of roles that can be drawn.
ROLE_KINDS = ("life", "persona")

# Folder of a run, as the commands that read one take it.
_Run = Annotated[Path, typer.Argument(help="Folder of the run.", show_default=False)]


@runs_app.command()
def elicit(
    model: Annotated[str, typer.Option(help="Short name, hub name or folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the answers; started again, it goes on.")],
    inventory: Annotated[
        str, typer.Option(help="schwartz10, valuebench17, valuebench, or a CSV file of your own.")
    ] = "schwartz10",
    roles: Annotated[int | None, typer.Option(help="How many roles to draw.")] = None,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    role_kind: Annotated[
        str, typer.Option(help="life (facts of a life) or persona (gender, job, personality type).")
    ] = "life",
    roles_file: Annotated[
        Path | None, typer.Option(help="CSV file (name, text) of roles of your own instead.")
    ] = None,
    mode: Annotated[str, typer.Option(help="logit or generate.")] = "logit",
    wording: Annotated[
        list[str] | None, typer.Option(help="answer, say or reply; may be given several times.")
    ] = None,
    order: Annotated[
        str, typer.Option(help="Which answer is named first: yes-first, no-first or both.")
    ] = "yes-first",
    layout: Annotated[str, typer.Option(help="chat, kang-plain or kang-headers.")] = "chat",
    think: Annotated[
        bool | None,
        typer.Option(
            "--think/--no-think", help="Ask for a thought first; by default in generate mode only."
        ),
    ] = None,
    prior: Annotated[
        bool, typer.Option("--prior", help="Subtract the log-odds of yes to empty questions.")
    ] = False,
    max_new_tokens: Annotated[int, typer.Option(help="Longest generated answer.")] = 100,
    shard: Annotated[str, typer.Option(help="i/n: answer the i-th of n parts only.")] = "1/1",
    jobs: Annotated[int, typer.Option(help="Processes; each loads the model.")] = 1,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16.")] = None,
    quantize: Annotated[str | None, typer.Option(help="8bit or 4bit, on a GPU.")] = None,
    revision: Annotated[str | None, typer.Option(help="Commit of the hub.")] = None,
    batch_tokens: Annotated[int | None, typer.Option(help="Tokens run at a time.")] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads of each process; 1 in a new folder.")
    ] = None,
    block_size: Annotated[
        int, typer.Option(help="Cells (roles times interventions) in a file.")
    ] = 16,
) -> None:
    """Ask a model every question in every role; killed, it goes on where it was."""
    from valuegraph.runs.plan import ModelSource, Sweep, parse_shard

    part = parse_shard(shard)
    source = ModelSource(model, device, dtype, quantize, revision)
    sweep = Sweep(
        source,
        _find_inventory(inventory),
        _find_roles(roles, seed, role_kind, roles_file),
        formats=_formats(wording or ["answer"], order, layout, mode, think),
        mode=mode,
        prior=prior,
        max_new_tokens=max_new_tokens,
        seeds=() if roles_file else (seed,),
        block_size=block_size,
    )
    # Only now, so that a wrong option is told at once: this loads torch.
    from valuegraph.runs.sweep import run_sweep

    try:
        run_sweep(sweep, out, shard=part, n_jobs=jobs, batch_tokens=batch_tokens, threads=threads)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@runs_app.command()
def merge(
    runs: Annotated[list[Path], typer.Argument(help="Folders of the shards.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the whole.")],
) -> None:
    """Put the shards of a run, answered in several folders, into one."""
    from valuegraph.runs.merging import merge_runs

    say(str(merge_runs(runs, out)))


@runs_app.command()
def status(run: _Run) -> None:
    """Tell how far a run is."""
    from valuegraph.runs.reading import run_status

    say(str(run_status(run)))


@runs_app.command()
def scores(
    run: _Run,
    out: Annotated[Path, typer.Option(help="CSV file: a row for each role, a column a value.")],
    by: Annotated[
        str | None,
        typer.Option(help="log_odds or answer; by default answer where answers were generated."),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Take what is there of an unfinished run.")
    ] = False,
    flat: Annotated[
        bool, typer.Option("--flat", help="Score even answers that hardly vary.")
    ] = False,
) -> None:
    """Score the values of every role of a run; answers unfit for a graph are refused."""
    from valuegraph.answers import NO_INTERVENTION, UNITS, score_answers
    from valuegraph.gating import require_spread
    from valuegraph.runs.manifest import read_manifest
    from valuegraph.runs.reading import read_run, run_status

    missing = run_status(run).missing
    if missing and not partial:
        raise ValueError(f"{run_status(run)}; answer them first, or take what is there: --partial")
    if by is None:
        by = "answer" if read_manifest(run).asked["mode"] == "generate" else "log_odds"
    answers = read_run(run, partial=partial)
    unshifted = answers[answers["intervention"] == NO_INTERVENTION]
    # A part of a run may lack formats of some roles, and one role says nothing about spread.
    if not (flat or missing) and unshifted["role"].nunique() > 1:
        try:
            require_spread(unshifted, by=by)
        except ValueError as error:
            raise ValueError(f"{error}; on the command line, --flat") from error
    table = score_answers(answers, by=by)
    out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(out)
    say(f"wrote {out}: scores of {len(table)} roles in {UNITS[by]}")


def _find_inventory(name: str) -> Inventory:
    from valuegraph.inventory import load_inventory, read_inventory

    if name.lower().endswith(".csv") or Path(name).is_file():
        return read_inventory(name)
    return load_inventory(name)


def _find_roles(number: int | None, seed: int, kind: str, file: Path | None) -> Sequence[Role]:
    if (number is None) == (file is None):
        raise ValueError("give either --roles (how many to draw) or --roles-file")
    if file is not None:
        from valuegraph.roles import read_roles

        return read_roles(file)
    if kind == "persona":
        from valuegraph.personas import sample_personas

        return sample_personas(number, seed=seed)
    if kind == "life":
        from valuegraph.roles import load_role_bank, sample_roles

        return sample_roles(load_role_bank(), number, seed=seed)
    raise ValueError(f"unknown kind of roles {kind!r}; known are {', '.join(ROLE_KINDS)}")


def _formats(
    wordings: Sequence[str], order: str, layout: str, mode: str, think: bool | None
) -> list[PromptFormat]:
    from valuegraph.asking.prompts import PromptFormat

    if order not in ORDERS:
        raise ValueError(f"unknown order {order!r}; known are {', '.join(ORDERS)}")
    thinking = mode == "generate" if think is None else think
    return [
        PromptFormat(wording, yes_first, thinking, layout)
        for wording in wordings
        for yes_first in ORDERS[order]
    ]
