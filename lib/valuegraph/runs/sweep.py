"""Answering a sweep: block by block into a folder, here, in many processes or on a cluster."""

from __future__ import annotations

import re
import warnings
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from joblib import Parallel, delayed

from valuegraph.console import say
from valuegraph.runs.manifest import (
    Facts,
    Manifest,
    describe,
    difference_table,
    differences,
    read_manifest,
    write_manifest,
)
from valuegraph.runs.plan import Block, ModelSource, Sweep, of_shard, require_positive
from valuegraph.runs.progress import answering
from valuegraph.runs.reading import RunStatus, read_answers, status_of
from valuegraph.runs.store import (
    MANIFEST,
    block_file,
    refuse_other_content,
    remove_leftovers,
    write_block,
)
from valuegraph.runs.worker import Task, answer, forget, learn_facts, lend

if TYPE_CHECKING:
    from valuegraph.models import Respondent

#: Threads of each process unless told otherwise. One never harms; processes that share cores and
#: take more slow each other down badly.
THREADS = 1


@dataclass(frozen=True)
class _Given:
    """Options that None leaves to the folder, and in a new folder to the device."""

    batch_tokens: int | None
    threads: int | None


def run_sweep(
    sweep: Sweep,
    out: str | Path,
    *,
    shard: tuple[int, int] = (1, 1),
    respondent: Respondent | None = None,
    n_jobs: int = 1,
    batch_tokens: int | None = None,
    threads: int | None = None,
    progress: bool = True,
) -> RunStatus:
    """Answer a sweep into a folder; what the folder holds already is not asked again.

    Each block becomes a file ``answers-000012.parquet``, written whole or not at all. Killed at any
    moment, the run goes on when it is started again, and all files get the bytes that they have
    without interruption on the same kind of machine. ``manifest.json`` holds the settings; a run
    with other settings is refused. Several processes may share a folder if each has its own shard.

    Blocks run under `joblib`: `n_jobs` processes of this machine, or the workers of a Dask cluster
    under ``joblib.parallel_config(backend="dask")``. Each process loads the respondent once and
    returns answers; only this one writes.

    Parameters
    ----------
    sweep
        What is asked, of whom and how.
    out
        The folder: a new or empty one, or one in which this sweep was begun.
    shard
        ``(i, n)``: answer the i-th of n parts only, counted from 1.
    respondent
        What ``sweep.model.load()`` returned, where it is loaded already: a GPU may not bear it
        twice. Needs ``n_jobs=1``.
    n_jobs
        Number of processes; with 1 this process itself asks. A cluster uses all its workers.
    batch_tokens
        As for `valuegraph.elicitation.elicit`. None takes what the folder says, or what the device
        bears in a new one.
    threads
        Threads of each process. None takes what the folder says, or 1 in a new one.
    progress
        Whether to show how far it is, how fast, and how long it will take.

    Returns
    -------
    RunStatus
        How far the folder is, all shards together.

    Raises
    ------
    ValueError
        If the folder was begun with other settings (the message lists them) or holds something
        else, a file in it is damaged, an option is out of range, or `elicit` refuses.
    ChildProcessError
        If a worker process died.

    Warns
    -----
    UserWarning
        If the folder was begun by other versions of the software.
    """
    out = Path(out).expanduser()
    mine = of_shard(sweep.blocks, shard)
    for option, name in ((batch_tokens, "batch_tokens"), (threads, "threads")):
        if option is not None:
            require_positive(option, name)
    if not n_jobs:
        raise ValueError("n_jobs is 0; give the number of processes, or -1 for one per core")
    if respondent is not None and n_jobs != 1:
        raise ValueError(
            f"n_jobs is {n_jobs}, and other processes cannot ask the respondent that was given; "
            "leave one of the two out"
        )
    given = _Given(batch_tokens, threads)
    refuse_other_content(out)
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out, [MANIFEST, *(block_file(out, block.number).name for block in mine)])
    missing = mine
    if (out / MANIFEST).exists():
        # Settings that are known without the respondent are checked before it is loaded.
        there = read_manifest(out)
        _require_same(out, there, sweep, _expected_facts(there, sweep.model), given)
        missing = [block for block in mine if not _is_there(out, there, block)]
    if missing:
        try:
            if respondent is not None:
                lend(sweep.model, respondent)
            _answer(sweep, out, mine, missing, n_jobs, given, progress)
        except KeyboardInterrupt:
            if progress:
                say(f"stopped: {_told(out)}; start again with the same settings to go on")
            raise
        except BrokenProcessPool as error:
            raise ChildProcessError(
                f"a worker process died, most likely for want of memory: {_told(out)}; start again "
                "with fewer jobs to go on"
            ) from error
        finally:
            forget()
    status = status_of(out, read_manifest(out))
    if progress:
        say(str(status))
    return status


def _answer(
    sweep: Sweep,
    out: Path,
    mine: list[Block],
    missing: list[Block],
    n_jobs: int,
    given: _Given,
    progress: bool,
) -> None:
    """Answer the blocks that are missing of a shard, and write each as it comes."""
    # Unordered: a slow block must not keep finished ones from the disk. One block at a time, so
    # that no more than that is lost.
    workers = Parallel(n_jobs=n_jobs, batch_size=1, return_as="generator_unordered")
    (facts,) = workers([delayed(learn_facts)(sweep.model)])
    manifest = _settle(out, sweep, facts, given)
    # Meanwhile another process may have begun the folder, and answered some.
    missing = [block for block in missing if not _is_there(out, manifest, block)]
    tasks = (delayed(answer)(_task(sweep, block, manifest)) for block in missing)
    total, open_yet = (sum(block.cells for block in blocks) for blocks in (mine, missing))
    bar = answering(total * manifest.items, (total - open_yet) * manifest.items, shown=progress)
    told: set[type[Warning]] = set()
    with bar as advance, closing(workers(tasks)) as answered:
        for block in answered:
            _require_same_respondent(manifest, block.facts)
            write_block(block.answers, out, block.number, run=manifest.run)
            advance(len(block.answers))
            for remark in block.remarks:
                if type(remark) not in told:
                    told.add(type(remark))
                    warnings.warn(remark, stacklevel=3)


def _settle(out: Path, sweep: Sweep, facts: Facts, given: _Given) -> Manifest:
    """Write the manifest, or check the one that is there; what is there then holds."""
    if not (out / MANIFEST).exists():
        batch_tokens = given.batch_tokens or facts.batch_tokens
        threads = given.threads or THREADS
        # Another process may be faster; then its manifest is what is read.
        write_manifest(describe(sweep, facts, batch_tokens=batch_tokens, threads=threads), out)
    there = read_manifest(out)
    _require_same(out, there, sweep, facts, given)
    return there


def _require_same(out: Path, there: Manifest, sweep: Sweep, facts: Facts, given: _Given) -> None:
    """Refuse a sweep that is not the one with which the folder was begun."""
    now = describe(
        sweep,
        facts,
        batch_tokens=given.batch_tokens or there.computed["batch_tokens"],
        threads=given.threads or there.computed["threads"],
    )
    changed = [
        *differences(there.asked, now.asked),
        *differences(there.computed, now.computed),
    ]
    if changed:
        raise ValueError(
            f"{out} was begun with other settings:\n{difference_table(changed)}\n"
            "Give the settings of the folder to go on, or another folder to begin anew."
        )
    versions = differences(there.versions, now.versions)
    if versions:
        warnings.warn(
            f"{out} was begun by other versions, so that new answers need not agree with the old "
            f"ones in the last digits:\n{difference_table(versions)}",
            stacklevel=5,
        )


def _expected_facts(there: Manifest, source: ModelSource) -> Facts:
    """Facts as far as they are known without loading; for the rest, what the folder says."""
    given = {"name": source.name, "dtype": source.dtype, "quantize": source.quantize}
    model = there.asked["model"] | {k: v for k, v in given.items() if v is not None}
    # A branch or a short hash may well stand for the commit that the folder has.
    if re.fullmatch("[0-9a-f]{40}", source.revision or ""):
        model["revision"] = source.revision
    device = there.computed["device"] if source.device is None else source.device.split(":")[0]
    return Facts(model, device, there.computed["batch_tokens"], there.versions)


def _require_same_respondent(manifest: Manifest, facts: Facts) -> None:
    """Refuse the answers of a worker that has loaded something else than the manifest says."""
    there = {"model": manifest.asked["model"], "device": manifest.computed["device"]}
    rows = differences(there, {"model": dict(facts.model), "device": facts.device})
    if rows:
        raise ValueError(
            "a worker process has loaded another respondent than the first:\n"
            f"{difference_table(rows, ('first', 'there'))}\n"
            "Give all workers the same files and the same kind of device."
        )


def _is_there(out: Path, manifest: Manifest, block: Block) -> bool:
    """Tell whether a block is answered; a file that is damaged or another's is refused."""
    if not block_file(out, block.number).exists():
        return False
    read_answers(out, manifest, block)
    return True


def _task(sweep: Sweep, block: Block, manifest: Manifest) -> Task:
    return Task(
        number=block.number,
        source=sweep.model,
        inventory=sweep.inventory,
        roles=sweep.roles[slice(*block.roles)],
        interventions=sweep.interventions[slice(*block.interventions)],
        fmt=sweep.formats[block.fmt],
        mode=sweep.mode,
        prior=sweep.prior,
        max_new_tokens=sweep.max_new_tokens,
        batch_tokens=manifest.computed["batch_tokens"],
        threads=manifest.computed["threads"],
    )


def _told(out: Path) -> str:
    """Tell how far the folder is, if it has got a manifest yet."""
    return str(status_of(out, read_manifest(out))) if (out / MANIFEST).exists() else "no answer yet"
