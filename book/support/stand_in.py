"""A respondent for a page that should run anywhere: the model asked for, or an organism instead.

Where a large model cannot be had, an organism goes the same road, and the reason is given: a figure
must never be taken for that of another model.
"""

from textwrap import fill
from typing import NamedTuple

from book_support.gpus import config_of, fitting, this_gpu, weight_bytes

from valuegraph.downloads import public_saes
from valuegraph.models import Respondent
from valuegraph.organisms import ORGANISMS
from valuegraph.runs import ModelSource

# What a CPU is asked without being insisted on: weights in 16 bits of two billion.
_CPU_BYTES = 4.2e9


class Answerer(NamedTuple):
    """Who answers in place of `wanted`, how it was loaded, and why (empty if it is wanted)."""

    wanted: str
    source: ModelSource
    respondent: Respondent
    reason: str = ""

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def is_organism(self) -> bool:
        """Whether an organism answers, which knows life facts only."""
        return self.name in ORGANISMS

    @property
    def sae(self) -> str | None:
        """What `valuegraph.load_sae` calls its sparse autoencoder; None without.

        Of many that are public, it is the one in the middle of their list by layer.
        """
        if self.is_organism:
            return self.name
        there = public_saes(self.name).sort_values("layer", kind="stable")
        return None if there.empty else there["source"].iloc[len(there) // 2]

    def __str__(self) -> str:
        facts = self.respondent.description
        precision = facts["quantize"] or facts["dtype"]
        here = f"{self.name}: {facts['parameters']:,} weights, {precision}, on {facts['device']}"
        if not self.reason:
            return here
        lines = [f"{self.wanted} does not answer here.", self.reason]
        lines += [f"In its place stands {here}.", f"Every figure below is of {self.name}."]
        return "\n".join(fill(line, 76) for line in lines)


def respondent_or_organism(
    name: str, *, organism: str = "organism-human", insist: bool = False, quantize: str = "fit"
) -> Answerer:
    """Load a model if this machine bears it and the hub hands it out; else an organism.

    Without a CUDA GPU models of up to two billion weights answer, and larger ones if they are
    insisted on: then the model answers or fails. `quantize` is that of `valuegraph.load_model`, or
    "fit" for what fits on the GPU.
    """
    if organism not in ORGANISMS:
        raise ValueError(f"{organism!r} is no organism; there are {', '.join(ORGANISMS)}")
    gpu, source = this_gpu(), ModelSource(name, quantize=None if quantize == "fit" else quantize)
    try:
        if name not in ORGANISMS and gpu:
            quantize = fitting(config_of(name), gpu) if quantize == "fit" else quantize
            source = ModelSource(name, device="cuda", quantize=quantize)
        elif name not in ORGANISMS and not insist and weight_bytes(config_of(name)) > _CPU_BYTES:
            raise OSError(
                "this machine has no CUDA GPU, and a CPU takes long for more than two billion "
                "weights; insist=True asks it all the same"
            )
        return Answerer(name, source, source.load())
    except FileNotFoundError:  # a mistake: another one would not help
        raise
    except (OSError, MemoryError, ImportError) as error:
        if insist:
            raise
        reason = str(error)
    source = ModelSource(organism)
    reason = reason[:1].upper() + reason[1:].rstrip(".") + "."
    return Answerer(name, source, source.load(), reason)
