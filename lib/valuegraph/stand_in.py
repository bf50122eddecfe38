"""A respondent for a page that should run anywhere: the model asked for, or an organism instead.

Large models are gated and want a GPU. Where they cannot be had, an organism goes the same road, and
the reason is told: a figure must never be taken for that of another model.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill

from valuegraph.gpus import config_of, fitting, this_gpu
from valuegraph.models import Respondent
from valuegraph.organisms.shipped import ORGANISMS
from valuegraph.runs.plan import ModelSource
from valuegraph.steering.releases import PUBLIC_SAES

# Columns of a line of text: as many as a page shows without scrolling.
_LINE = 76

#: Leaves `quantize` to what fits on the GPU.
FIT = "fit"


@dataclass(frozen=True, eq=False)
class Found:
    """Who answers, and why.

    Attributes
    ----------
    wanted
        The model that was asked for.
    source
        How to load the one that answers, for a `valuegraph.runs.plan.Sweep`.
    respondent
        The one that answers, loaded.
    reason
        Why another one answers; empty if it is the one that was asked for.
    """

    wanted: str
    source: ModelSource
    respondent: Respondent
    reason: str = ""

    @property
    def name(self) -> str:
        """Name of the one that answers."""
        return self.source.name

    @property
    def is_organism(self) -> bool:
        """Whether an organism answers, which knows life facts only."""
        return self.name in ORGANISMS

    @property
    def sae(self) -> str | None:
        """What `valuegraph.steering.sae.load_sae` calls its sparse autoencoder; None without."""
        if self.is_organism:
            return self.name
        names = [name for name, public in PUBLIC_SAES.items() if public.model == self.name]
        return names[0] if names else None

    def __str__(self) -> str:
        """Tell who answers, where and how; of a stand-in also why."""
        told = self.respondent.description
        precision = told["quantize"] or told["dtype"]
        here = f"{self.name}: {told['parameters']:,} weights, {precision}, on {told['device']}"
        if not self.reason:
            return here
        lines = (
            f"{self.wanted} does not answer here.",
            self.reason,
            f"In its place stands {here}.",
            f"Every figure below is of {self.name}.",
        )
        return "\n".join(fill(line, _LINE) for line in lines)


def respondent_or_organism(
    name: str,
    *,
    organism: str = "organism-human",
    insist: bool = False,
    quantize: str | None = FIT,
) -> Found:
    """Load a model if this machine bears it and the hub hands it out; else an organism.

    Without a CUDA GPU nothing is fetched, and the organism is taken at once.

    Parameters
    ----------
    name
        Whom to ask, as for `valuegraph.models.load_model`.
    organism
        Who stands in.
    insist
        Whether to load the model or fail, also on a CPU.
    quantize
        As for `load_model`; by default no quantisation if the model fits on the GPU without, else
        4 bits.

    Returns
    -------
    Found
        Who answers; ``print`` tells it.

    Raises
    ------
    ValueError
        If there is no model of the name, or it cannot be asked: another one would not help.
    FileNotFoundError
        If the name is a path and there is no model there.
    OSError, MemoryError, ImportError
        As from `load_model`, if `insist` is true.
    """
    if organism not in ORGANISMS:
        raise ValueError(f"{organism!r} is no organism; there are {', '.join(ORGANISMS)}")
    if name in ORGANISMS:
        return _loaded(name, ModelSource(name))
    try:
        return _loaded(name, _source(name, insist, quantize))
    except FileNotFoundError:
        raise
    except (OSError, MemoryError, ImportError) as error:
        if insist:
            raise
        reason = str(error)
    return _loaded(name, ModelSource(organism), reason[:1].upper() + reason[1:].rstrip(".") + ".")


def _source(name: str, insist: bool, quantize: str | None) -> ModelSource:
    """Say how to load a model here."""
    gpu = this_gpu()
    if gpu is None:
        if not insist:
            raise OSError(
                "this machine has no CUDA GPU; a CPU is asked only where that is insisted on "
                "(insist=True)"
            )
        return ModelSource(name, quantize=None if quantize == FIT else quantize)
    if quantize == FIT:
        quantize = fitting(config_of(name), gpu)
    return ModelSource(name, device="cuda", quantize=quantize)


def _loaded(wanted: str, source: ModelSource, reason: str = "") -> Found:
    return Found(wanted, source, source.load(), reason)
