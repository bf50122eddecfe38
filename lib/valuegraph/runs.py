"""Long runs: a sweep answered block by block into a folder, here, in many processes, on a cluster.

All that is known of a run stands in its folder (`valuegraph.run_folder`), so a run that was killed
goes on by the same call. Blocks are cut by size alone and computed alike wherever that is done.
"""

import json
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch
from joblib import Parallel, delayed
from tqdm import tqdm

from valuegraph import run_folder
from valuegraph.elicitation import check_names, check_options, elicit
from valuegraph.forward import default_batch_tokens
from valuegraph.inventory import Inventory, fingerprint
from valuegraph.models import Respondent, load_model
from valuegraph.prompts import PromptFormat, render_prompt
from valuegraph.roles import Role
from valuegraph.run_folder import LAYOUT, MANIFEST, Block, RunStatus, run_status
from valuegraph.tables import require_whole

# Hooks and the number of threads belong to the whole process, so it answers one block at a time.
_one_at_a_time = threading.Lock()

_VERSIONS = {name: version(name) for name in ("valuegraph", "torch", "transformers", "pyarrow")}


class ModelSource(NamedTuple):
    """How to load a respondent, in plain data: the arguments of `valuegraph.load_model`."""

    name: str | Path
    device: str | None = None
    dtype: str | None = None
    quantize: str | None = None
    revision: str | None = None

    def load(self) -> Respondent:
        """Load the respondent."""
        return load_model(**self._asdict())


@dataclass(frozen=True, eq=False)
class Sweep:
    """What is asked, of whom and how.

    Attributes
    ----------
    model
        How to load the respondent; a name or folder stands for ``ModelSource(name)``.
    inventory, roles, interventions, formats, mode, prior, max_new_tokens
        As for `valuegraph.elicit`.
    seeds
        From which the roles were drawn; kept for the record.
    block_size
        Cells (format, role, intervention) in a block, at most. What is lost when a run is killed is
        the blocks in work. Shifts of one role share the layers below them within a block only.
    """

    model: ModelSource
    inventory: Inventory
    roles: Sequence
    interventions: Sequence = (None,)
    formats: Sequence[PromptFormat] = ()
    mode: str = "logit"
    prior: bool = False
    max_new_tokens: int = 100
    seeds: Sequence[int] = ()
    block_size: int = 16

    def __post_init__(self) -> None:
        formats = tuple(self.formats) or (PromptFormat(think=self.mode == "generate"),)
        source = self.model if isinstance(self.model, tuple) else (self.model,)
        model = ModelSource(*(option and str(option).removeprefix("torch.") for option in source))
        vars(self).update(model=model, formats=formats, roles=tuple(self.roles))
        vars(self).update(interventions=tuple(self.interventions))
        require_whole(self.block_size, 1, "block_size")
        check_options(self.mode, self.prior, self.max_new_tokens, batch_tokens=1)
        for what in ("role", "intervention", "format"):
            check_names(self.asked[f"{what}s"], what)

    @cached_property
    def asked(self) -> dict:
        """All that decides the answers and is known without the model, in plain data."""
        # Shards may lie on several GPUs.
        settings = {f"model.{k}": v for k, v in self.model._asdict().items() if k != "device"}
        settings |= {f"inventory.{k}": getattr(self.inventory, k) for k in ("name", "fingerprint")}
        settings["inventory.items"] = len(self.inventory.items)
        texts = [role and [role.name, role.text] for role in self.roles]
        settings["roles.fingerprint"] = fingerprint(texts)
        settings["roles.seeds"] = [int(seed) for seed in self.seeds]
        for field in ("roles", "interventions", "formats"):
            settings[field] = [entry.name if entry else "none" for entry in getattr(self, field)]
        settings |= {f: getattr(self, f) for f in ("mode", "prior", "max_new_tokens", "block_size")}
        for i in filter(None, self.interventions):
            vectors = [fingerprint(shift.vector.tobytes().hex()) for shift in i.shifts]
            places = [f"layer {shift.layer}, {shift.where}" for shift in i.shifts]
            settings[f"intervention {i.name}"] = "; ".join([*places, *vectors, i.text])
        return settings


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

    Parameters
    ----------
    sweep
        What is asked.
    out
        A new or empty folder, or one in which this sweep was begun.
    shard
        ``(i, n)``: answer every n-th block from the i-th on. Shards may share a folder.
    respondent
        What ``sweep.model.load()`` returned, where it is loaded already; needs ``n_jobs=1``.
    n_jobs
        Processes (-1: one per core), each of which loads the model. Under
        ``joblib.parallel_config(backend="dask")`` all workers of the cluster take part.
    batch_tokens
        As for `valuegraph.elicit`; None takes what the folder says, or in a new one what the device
        bears.
    threads
        Of each process; None takes what the folder says, or 1 in a new one.
    progress
        Whether to show how far it is, how fast, and how long it will take.

    Returns
    -------
    RunStatus
        How far the folder is, all shards together.
    """
    out, given = Path(out).expanduser(), {"batch_tokens": batch_tokens, "threads": threads}
    given = {name: number for name, number in given.items() if number is not None}
    for name, number in {**given, "n_jobs": 1 if n_jobs == -1 else n_jobs}.items():
        require_whole(number, 1, name, most=10**9 if name == "batch_tokens" else 256)
    if respondent and n_jobs != 1:
        raise ValueError(f"n_jobs is {n_jobs}, but a respondent that is loaded answers with 1")
    for option in ("name", "dtype", "quantize") if respondent else ():
        wanted, loaded = getattr(sweep.model, option), respondent.description[option]
        if wanted not in (None, loaded):
            raise ValueError(f"the respondent has {option} {loaded!r}, the sweep has {wanted!r}")
    blocks = run_folder.blocks_of(sweep.asked)
    if not 1 <= shard[0] <= min(shard[1], len(blocks)):
        raise ValueError(f"there is no shard {shard[0]}/{shard[1]} of {len(blocks)} blocks")
    out.mkdir(parents=True, exist_ok=True)
    others = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
    if others and MANIFEST not in others:
        raise ValueError(f"{out} holds {others[0]!r}, but no run; name a new or an empty folder")
    mine = blocks[shard[0] - 1 :: shard[1]]
    try:
        # Again for blocks computed unlike those of a process that began the folder meanwhile.
        while missing := _missing(sweep, out, mine, given):
            _answer(sweep, out, mine, missing, given, respondent, n_jobs, progress)
    except (KeyboardInterrupt, BrokenProcessPool):
        so_far = run_status(out) if (out / MANIFEST).exists() else "no answer yet"
        print(f"stopped: {so_far}; start again with the same settings to go on", file=sys.stderr)
        raise
    finally:
        _load.cache_clear()
    return run_status(out)


def _missing(sweep: Sweep, out: Path, blocks: list, given: dict) -> list:
    """Return the blocks to be answered; what the folder holds must be of this sweep and intact."""
    if not (out / MANIFEST).exists():
        return blocks
    there = run_folder.read_manifest(out)
    _require_same(there, sweep.asked | given, out)
    if changed := run_folder.differences(there["versions"], _VERSIONS):
        warnings.warn(f"{out} was begun by other versions:\n{changed}", stacklevel=3)
    done = [block for block in blocks if run_folder.block_file(out, block.number).exists()]
    for block in done:
        run_folder.read_block(out, there["asked"], block.number)
    return [block for block in blocks if block not in done]


def _require_same(there: dict, now: dict, out: Path) -> None:
    """Refuse settings other than those of a manifest."""
    settings = there["asked"] | there["computed"]
    if changed := run_folder.differences(settings, settings | now):
        way_out = "Give the settings of the folder to go on, or another folder to begin anew."
        raise ValueError(f"{out} was begun with other settings:\n{changed}\n{way_out}")


def _answer(sweep, out, mine, missing, given, respondent, n_jobs, progress) -> None:
    """Answer blocks, and write each as it comes."""
    # Unordered: a slow block must not keep finished ones from the disk.
    run = Parallel(min(n_jobs, len(missing)), batch_size=1, return_as="generator_unordered")
    begun = (out / MANIFEST).exists()
    settled = run_folder.read_manifest(out) if begun else {"asked": {}, "computed": given}
    call, constant = delayed(_answer_block), (sweep.model, respondent, out)
    # Each takes what is settled when its turn comes.
    calls = (call(b.number, _arguments(sweep, b), settled, *constant) for b in missing)
    items, remarks = len(sweep.inventory.items), {}
    left, total = (sum(b.cells for b in blocks) * items for blocks in (missing, mine))
    shown = {"unit": " answers", "delay": 1, "mininterval": 0.1 if sys.stderr.isatty() else 60}
    bar = tqdm(total=total, initial=total - left, disable=not progress, **shown)
    with bar, closing(run(calls)) as answered:
        for number, answers, model, computed, caught in answered:
            now = {"asked": sweep.asked | model, "computed": computed}
            if not settled["asked"]:
                first = {"layout": LAYOUT, **now, "versions": _VERSIONS, "date": time.ctime()}
                first["digest"] = fingerprint(first)
                content = json.dumps(first, indent=1, ensure_ascii=False, default=int).encode()
                run_folder.write_whole(out / MANIFEST, content, keep=True)
                settled = run_folder.read_manifest(out)  # perhaps that of a faster process
            _require_same(settled, now["asked"] | given, out)
            if settled["computed"] == computed:
                run_folder.write_block(answers, out, settled["asked"], number)
                bar.update(len(answers))
            for remark in caught:
                if type(remark) not in remarks:
                    warnings.warn(remarks.setdefault(type(remark), remark), stacklevel=4)


def _arguments(sweep: Sweep, block: Block) -> dict:
    """Return the arguments of `elicit` for a block."""
    asked = {n: getattr(sweep, n) for n in ("inventory", "mode", "prior", "max_new_tokens")}
    asked["roles"] = [sweep.roles[k] for k in block.roles]
    asked["interventions"] = [sweep.interventions[k] for k in block.interventions]
    return asked | {"formats": [sweep.formats[block.fmt]]}


@lru_cache(maxsize=1)
def _load(source: ModelSource, respondent: Respondent | None) -> tuple[Respondent, dict]:
    """Load a respondent once in a process, and tell what it is, to the bit."""
    respondent = respondent or source.load()
    tokenizer = respondent.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", None)  # not all are of that kind
    rules = json.loads(backend.to_str()) if backend else tokenizer.get_vocab()
    fmt = PromptFormat(layout="chat" if tokenizer.chat_template else "kang-plain")
    rules = {k: v for k, v in rules.items() if k not in ("padding", "truncation")}
    prompt = render_prompt(tokenizer, "Do you sing?", Role("singer", "You sing."), fmt=fmt)
    used = {"tokenizer": rules, "chat_template": tokenizer.chat_template, "prompt": prompt}
    facts = respondent.description | {k: fingerprint(v) for k, v in used.items()}
    return respondent, {f"loaded.{k}": v for k, v in facts.items()}


def _answer_block(number, arguments, settled, source, respondent, out) -> tuple:
    """Answer a block in whatever process this is, and tell by whom and how it was computed."""
    with _one_at_a_time, warnings.catch_warnings(record=True, action="always") as caught:
        respondent, model = _load(source, respondent)
        _require_same(settled, {k: model[k] for k in model if settled["asked"]}, out)
        suited = {"batch_tokens": default_batch_tokens(respondent), "threads": 1}
        computed, before = suited | settled["computed"], torch.get_num_threads()
        torch.set_num_threads(computed["threads"])
        try:
            answers = elicit(respondent, **arguments, batch_tokens=computed["batch_tokens"])
        finally:
            torch.set_num_threads(before)
    return number, answers, model, computed, [warning.message for warning in caught]
