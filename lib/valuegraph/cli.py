"""Command line: ask a model, tell how far that is, score the answers, find and compare graphs."""

import json
import re
import signal
import traceback
import warnings
from functools import partial
from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Argument, Exit, Option, Typer, echo

import valuegraph as vg  # lazily: only asking needs torch
from valuegraph.acting import FLOOR
from valuegraph.answers import NO_INTERVENTION, UNITS, check_spread, score_answers
from valuegraph.inventory import Inventory, load_inventory, read_inventory
from valuegraph.prompts import PromptFormat
from valuegraph.pushes import word_pushes
from valuegraph.roles import load_role_bank, read_roles, sample_personas, sample_roles
from valuegraph.run_folder import read_manifest, read_run, run_status, write_whole
from valuegraph.tables import read_csv, require, require_file, require_known

app = Typer(help="Causal value graphs.", no_args_is_help=True, add_completion=False)

#: How the instruction names the two answers, by the word of the option.
ORDERS = {"yes-first": (True,), "no-first": (False,), "both": (True, False)}

say = partial(echo, err=True)  # standard output stays free for results


def _output(file: Path | None) -> Path | None:
    """Refuse what must not be written over, and make the folder, before anything is computed."""
    if file and re.fullmatch(r"manifest\.json|answers-\d{6}\.parquet", file.resolve().name):
        raise ValueError(f"{file} is named like a file of a run; name another to write")
    if file:
        require_file(file, "name a file to write")
        file.parent.mkdir(parents=True, exist_ok=True)
    return file


_Run = Annotated[Path, Argument(help="Folder of the run.", show_default=False)]
_Json = Annotated[Path | None, Option("--json", help="File for all figures.", callback=_output)]


def main() -> None:
    """Run the command line: 2 is wrong input, 1 trouble on the way, both told in one line."""
    warnings.showwarning = lambda message, *place: say(f"warning: {message}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        app()
    except Exception as error:
        known = ValueError | OSError | MemoryError | ImportError | RuntimeError
        place = traceback.format_tb(error.__traceback__)[-1].split("\n")[0]
        told = error if isinstance(error, known) else f"{error!r}, not foreseen; report it:{place}"
        say(f"error: {told}")
        missing = FileNotFoundError | FileExistsError | NotADirectoryError | IsADirectoryError
        raise SystemExit(2 if isinstance(error, ValueError | missing) else 1) from error


@app.command()
def elicit(
    model: Annotated[str, Option(help="Short name, hub name or folder.")],
    out: Annotated[Path, Option(help="Folder for the answers; started again, it goes on.")],
    inventory: Annotated[str, Option(help="A name, or a CSV file of your own.")] = "schwartz10",
    roles: Annotated[int | None, Option(help="How many roles to draw.")] = None,
    seed: Annotated[int, Option(help="Of the draw.")] = 0,
    role_kind: Annotated[str, Option(help="life (facts of a life) or persona.")] = "life",
    roles_file: Annotated[Path | None, Option(help="CSV file (name, text) of own roles.")] = None,
    mode: Annotated[str, Option(help="logit or generate.")] = "logit",
    wording: Annotated[list[str] | None, Option(help="answer, say, reply; repeatable.")] = None,
    order: Annotated[str, Option(help="yes-first, no-first or both.")] = "yes-first",
    layout: Annotated[str, Option(help="chat, kang-plain or kang-headers.")] = "chat",
    think: Annotated[bool | None, Option(help="Ask for a thought; default if generated.")] = None,
    prior: Annotated[bool, Option("--prior", help="Subtract the liking for yes.")] = False,
    max_new_tokens: Annotated[int, Option(help="Longest generated answer.")] = 100,
    shard: Annotated[str, Option(help="i/n: answer the i-th of n parts only.")] = "1/1",
    jobs: Annotated[int, Option(help="Processes; each loads the model.")] = 1,
    device: Annotated[str | None, Option(help="cpu, cuda, cuda:1, ...")] = None,
    dtype: Annotated[str | None, Option(help="float32, bfloat16 or float16.")] = None,
    quantize: Annotated[str | None, Option(help="8bit or 4bit, on a GPU.")] = None,
    revision: Annotated[str | None, Option(help="Commit of the hub.")] = None,
    batch_tokens: Annotated[int | None, Option(help="Tokens run at a time.")] = None,
    threads: Annotated[int | None, Option(help="Of each process; 1 in a new folder.")] = None,
    block_size: Annotated[int, Option(help="Cells (roles, interventions) in a file.")] = 16,
) -> None:
    """Ask a model every question in every role; killed, it goes on where it was."""
    require((roles is None) != (roles_file is None), "give --roles (a number) or --roles-file")
    if not re.fullmatch(r"\d+/\d+", shard):
        raise ValueError(f"shard {shard!r} is not of the form i/n; 2/4 is the second of four")
    kinds = {"life": partial(sample_roles, load_role_bank()), "persona": sample_personas}
    require_known(order, ORDERS, "order")
    require_known(role_kind, kinds, "kind of roles")
    think = mode == "generate" if think is None else think
    words = [(word, first) for word in wording or ["answer"] for first in ORDERS[order]]
    formats = [PromptFormat(word, first, think, layout) for word, first in words]
    drawn = read_roles(roles_file) if roles_file else kinds[role_kind](roles, seed=seed)
    source, seeds = (model, device, dtype, quantize, revision), () if roles_file else (seed,)
    how = dict(mode=mode, prior=prior, max_new_tokens=max_new_tokens, block_size=block_size)
    sweep = vg.Sweep(source, _inventory(inventory), drawn, formats=formats, seeds=seeds, **how)
    where = dict(n_jobs=jobs, batch_tokens=batch_tokens, threads=threads)
    say(vg.run_sweep(sweep, out, shard=tuple(map(int, shard.split("/"))), **where))


@app.command("check-model")
def check_model(
    model: Annotated[str, Argument(help="Short name, hub name or folder.")],
    device: Annotated[str | None, Option(help="cpu, cuda, cuda:1, ...")] = None,
    dtype: Annotated[str | None, Option(help="float32, bfloat16 or float16.")] = None,
    quantize: Annotated[str | None, Option(help="8bit or 4bit, on a GPU.")] = None,
    json_file: _Json = None,
) -> None:
    """Tell in some minutes whether a model can be asked."""
    respondent = vg.load_model(model, device=device, dtype=dtype, quantize=quantize)
    table = vg.check_model(respondent, load_inventory("schwartz10"), load_role_bank())
    echo(table.to_string(float_format="{:.3g}".format, na_rep=""))
    passed = bool(table.loc["can be asked", "passed"])
    checks = json.loads(table.reset_index().to_json(orient="records"))
    _write(json_file, model=respondent.description, passed=passed, checks=checks)
    if not passed:
        raise Exit(1)


@app.command()
def act(
    model: Annotated[str, Option(help="Short name, hub name or folder.")],
    out: Annotated[Path, Option(help="Folder for the answers; started again, it goes on.")],
    roles: Annotated[int, Option(help="How many roles to draw.")] = 8,
    inventory: Annotated[str, Option(help="A name, or a CSV file of your own.")] = "schwartz10",
    seed: Annotated[int, Option(help="Of the roles.")] = 0,
    floor: Annotated[float, Option(help="Smallest weight of interest.")] = FLOOR,
    jobs: Annotated[int, Option(help="Processes; each loads the model.")] = 1,
    device: Annotated[str | None, Option(help="cpu, cuda, cuda:1, ...")] = None,
    dtype: Annotated[str | None, Option(help="float32, bfloat16 or float16.")] = None,
    quantize: Annotated[str | None, Option(help="8bit or 4bit, on a GPU.")] = None,
    revision: Annotated[str | None, Option(help="Commit of the hub.")] = None,
    json_file: _Json = None,
) -> None:
    """Push every value by words, and print which values move which."""
    # `acted_graph` would say so only when all is asked
    require(floor >= 0, f"floor must be 0 or more, got {floor}")
    asked, bank = _inventory(inventory), load_role_bank()
    pushes, source = word_pushes(asked, bank), (model, device, dtype, quantize, revision)
    drawn = sample_roles(bank, roles, seed=seed)
    sweep = vg.Sweep(source, asked, drawn, interventions=[None, *pushes], seeds=(seed,))
    say(vg.run_sweep(sweep, out, n_jobs=jobs))
    graph = vg.acted_graph(read_run(out), pushes, floor=floor, seed=seed)
    shown = graph.arrows[["cause", "effect", "weight", "low", "high", "status"]]
    echo(f"{graph.caption}\n{shown.to_string(index=False, float_format='{:+.2f}'.format)}")
    columns = ["cause", "effect", "weight", "low", "high", "p", "firm", "status"]
    tables = {"arrows": graph.table[columns], "families": graph.families.reset_index()}
    figures = {name: json.loads(t.to_json(orient="records")) for name, t in tables.items()}
    figures["null"] = {name: graph.info[name] for name in ("null_arrows", "null_draws")}
    settings = {"model": model, "inventory": inventory, **graph.info}
    _write(json_file, **figures, settings=settings)


_Scores = Annotated[Path, Argument(help="CSV file: a row for each role, a column a value.")]


@app.command()
def discover(
    file: _Scores,
    method: Annotated[str, Option(help="pc, exact, pc-plain, fci or lingam.")] = "pc",
    alpha: Annotated[float, Option(help="Significance level of each test.")] = 0.01,
    seed: Annotated[int, Option(help="Of the null.")] = 0,
    json_file: _Json = None,
) -> None:
    """Search the causal graph over the scores of roles, as `scores` writes them."""
    graph = vg.discover(_scores(file), method=method, alpha=alpha, seed=seed)
    echo("\n".join([graph.caption, *(" ".join(edge) for edge in graph.edges)]))
    _write(json_file, edges=graph.edges, info=graph.info)


@app.command()
def compare(
    file: _Scores,
    human: Annotated[str, Option(help="Name of the human reference.")] = "ess11",
    treatment: Annotated[str, Option(help="raw or centred scores.")] = "raw",
    seed: Annotated[int, Option(help="Of draws and permutations.")] = 0,
    json_file: _Json = None,
) -> None:
    """Compare the scores of roles with people."""
    verdict = vg.compare(_scores(file), vg.load_human(human), treatment=treatment, seed=seed)
    echo(str(verdict))
    _write(json_file, **{k: v for k, v in vars(verdict).items() if isinstance(v, str | float)})


def _inventory(name: str) -> Inventory:
    """Load an inventory by its name, or from a CSV file."""
    own = name.lower().endswith(".csv") or Path(name).is_file()
    return read_inventory(name) if own else load_inventory(name)


def _scores(file: Path) -> pd.DataFrame:
    """Read scores of roles; what stands before the values are names."""
    table = read_csv(file)
    names = [c for c in ("intervention", "role") if c in table] or list(table.columns[:1])
    return table.set_index(names)


def _write(file: Path | None, **content: object) -> None:
    """Write figures as JSON, if a file is wanted."""
    if file is not None:
        there = file.read_bytes()[:1] if file.exists() else b""
        require(there in b"{", f"{file} holds something else than figures; name another to write")
        write_whole(file, json.dumps(content, indent=1, default=str).encode())
        say(f"wrote {file}")


@app.command()
def status(run: _Run) -> None:
    """Tell how far a run is."""
    say(run_status(run))


@app.command()
def scores(
    run: _Run,
    out: Annotated[Path, Option(help="CSV file: roles by values.", callback=_output)],
    by: Annotated[str | None, Option(help="log_odds, or answer (if generated).")] = None,
    partial: Annotated[bool, Option("--partial", help="Take what is there.")] = False,
    flat: Annotated[bool, Option("--flat", help="Score even what hardly varies.")] = False,
) -> None:
    """Score the values of every role of a run; answers unfit for a graph are refused."""
    by = by or ("answer" if read_manifest(run)["asked"]["mode"] == "generate" else "log_odds")
    answers = read_run(run, partial=partial)
    unshifted = answers[answers["intervention"] == NO_INTERVENTION]
    # A part of a run may lack formats of some roles, and one role says nothing about spread.
    if run_status(run).complete and not flat and unshifted["role"].nunique() > 1:
        if failed := ", ".join(check_spread(unshifted, by=by).failed):
            unfit = f"no graph should be drawn from these answers: {failed}"
            raise ValueError(f"{unfit}; or use --flat")
    table = score_answers(answers, by=by)
    write_whole(out, table.to_csv().encode())
    say(f"wrote {out}: scores of {len(table)} roles in {UNITS[by]}")


if __name__ == "__main__":
    main()
