"""What a process does for a run: load the respondent once, answer blocks, return frames.

Workers write nothing: whoever gave them the work does, so that no disk need be shared.
"""

from __future__ import annotations

import platform
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version

import pandas as pd
import torch

from valuegraph.asking.batching import default_batch_tokens
from valuegraph.asking.prompts import PromptFormat
from valuegraph.elicitation import elicit
from valuegraph.interventions import Intervention
from valuegraph.inventory import Inventory
from valuegraph.models import Respondent
from valuegraph.roles import Role
from valuegraph.runs.manifest import Facts
from valuegraph.runs.plan import ModelSource

#: Packages whose versions are recorded, beside Python's own.
RECORDED = ("valuegraph", "torch", "transformers", "pyarrow")

# Respondents that whoever began the run has loaded itself, by their source.
_lent: dict[ModelSource, Respondent] = {}

# Hooks and the number of threads belong to the whole process, so it answers one block at a time.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, eq=False)
class Task:
    """A block with all that is needed to answer it elsewhere.

    Attributes
    ----------
    number
        Of the block.
    source
        How to load the respondent.
    inventory, roles, interventions, fmt, mode, prior, max_new_tokens, batch_tokens
        As for `valuegraph.elicitation.elicit`.
    threads
        Threads that the process uses: sums over another number of threads differ in the last bits.
    """

    number: int
    source: ModelSource
    inventory: Inventory
    roles: tuple[Role | None, ...]
    interventions: tuple[Intervention | None, ...]
    fmt: PromptFormat
    mode: str
    prior: bool
    max_new_tokens: int
    batch_tokens: int
    threads: int


@dataclass(frozen=True, eq=False)
class Answered:
    """What became of a `Task`.

    Attributes
    ----------
    number
        Of the block.
    answers
        What `elicit` returned.
    facts
        Of the respondent that answered.
    remarks
        Warnings that came up; whoever gave the task repeats them, once for a whole run.
    """

    number: int
    answers: pd.DataFrame
    facts: Facts
    remarks: tuple[Warning, ...]


class OutOfMemory(UserWarning):
    """Memory ran out, so that a block was answered in smaller batches than the run says."""


def learn_facts(source: ModelSource) -> Facts:
    """Load a respondent and tell what it is."""
    with _one_at_a_time:
        return _facts(source)


def answer(task: Task) -> Answered:
    """Answer a block."""
    with (
        _one_at_a_time,
        _using_threads(task.threads),
        warnings.catch_warnings(record=True, action="always") as caught,
    ):
        respondent = _load(task.source)
        before = _times_out_of_memory(respondent)
        answers = elicit(
            respondent,
            task.inventory,
            task.roles,
            interventions=task.interventions,
            fmt=task.fmt,
            mode=task.mode,
            prior=task.prior,
            max_new_tokens=task.max_new_tokens,
            batch_tokens=task.batch_tokens,
        )
        remarks = [remark.message for remark in caught]
        if _times_out_of_memory(respondent) > before:
            remarks.append(
                OutOfMemory(
                    f"memory ran out at batch_tokens={task.batch_tokens}; smaller batches were "
                    "used, so the answers of some blocks need not agree with those of another run "
                    "in the last digits"
                )
            )
        return Answered(task.number, answers, _facts(task.source), tuple(remarks))


def forget() -> None:
    """Let go of the respondent that this process has loaded or was lent."""
    _lent.clear()
    _load.cache_clear()
    _facts.cache_clear()


def lend(source: ModelSource, respondent: Respondent) -> None:
    """Ask a respondent that is loaded already, until `forget`: a GPU may not bear it twice.

    Parameters
    ----------
    source
        What would be loaded.
    respondent
        What was.

    Raises
    ------
    ValueError
        If it was loaded otherwise than the source says.
    """
    told = respondent.description
    for option in ("name", "dtype", "quantize"):
        wanted = getattr(source, option)
        if wanted not in (None, told[option]):
            raise ValueError(
                f"the respondent that was given has {option} {told[option]!r}, and the sweep says "
                f"{wanted!r}; give the one that sweep.model.load() returns"
            )
    forget()
    _lent[source] = respondent


@lru_cache(maxsize=1)
def _load(source: ModelSource) -> Respondent:
    return _lent.get(source) or source.load()


@lru_cache(maxsize=1)
def _facts(source: ModelSource) -> Facts:
    respondent = _load(source)
    model = respondent.description | {"name": source.name}
    device = model.pop("device")
    return Facts(
        model=model,
        device=device,
        batch_tokens=default_batch_tokens(respondent),
        versions={name: version(name) for name in RECORDED} | {"python": platform.python_version()},
    )


@contextmanager
def _using_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _times_out_of_memory(respondent: Respondent) -> int:
    """How often the device of a respondent had no memory left; only GPUs count that."""
    if respondent.device.type != "cuda":
        return 0
    return torch.cuda.memory_stats(respondent.device)["num_ooms"]
