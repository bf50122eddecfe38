"""The respondent of a page: the model that its first cell names.

The chapters ask organisms, whose truth is known. Name another model, and they ask it a share of the
roles and skip what needs a truth (`load_answerer`). One page should run anywhere: where its model
cannot be had, an organism goes the same road, and the reason is given (`respondent_or_organism`). A
figure must never be taken for that of another model.
"""

import time
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

from book_support.gpus import config_of, fitting, this_gpu, weight_bytes
from book_support.skipping import Lacking, guard_cells

from valuegraph.downloads import public_saes
from valuegraph.elicitation import elicit
from valuegraph.inventory import load_inventory
from valuegraph.models import Respondent
from valuegraph.organisms import ORGANISMS, Organism, StructuralModel, examine, organism_folder
from valuegraph.probing import states
from valuegraph.roles import load_role_bank, sample_roles
from valuegraph.runs import ModelSource
from valuegraph.sae import fold_activation_norm, hook_layer, load_sae

# What a CPU is asked without being insisted on: weights in 16 bits of two billion.
_CPU_BYTES = 4.2e9


class Answerer(NamedTuple):
    """Who answers in place of `wanted`, how it was loaded, and why (empty if it is wanted)."""

    wanted: str
    source: ModelSource
    respondent: Respondent
    reason: str = ""
    share: float = 1.0

    @property
    def name(self) -> str:
        return str(self.source.name)

    @property
    def is_organism(self) -> bool:
        """Whether an organism answers, of the package or one's own: it knows life facts only."""
        return bool(self.organism)

    @property
    def organism(self) -> Organism | Lacking:
        """What the respondent was trained to answer, where that is known."""
        try:
            return examine(self.name)
        except FileNotFoundError:
            return Lacking(f"no planted truth is known of {self.short_name}.")

    @property
    def truth(self) -> StructuralModel | Lacking:
        """The structure that was planted in the respondent, where that is known."""
        return (known := self.organism) and known.truth

    @property
    def short_name(self) -> str:
        """The name, or that of the folder."""
        return Path(self.name).name

    @property
    def sae(self) -> str | None:
        """What `valuegraph.load_sae` calls its sparse autoencoder; None without.

        A folder may hold one in its folder `sae`. Of many that are public, it is the one in the
        middle of their list by layer.
        """
        folder = organism_folder(self.name) if self.is_organism else Path(self.name).expanduser()
        if (folder / "sae" / "cfg.json").is_file():
            return self.name if self.name in ORGANISMS else str(folder / "sae")
        if self.is_organism:
            return None
        there = public_saes(self.name).sort_values("layer", kind="stable")
        return None if there.empty else there["source"].iloc[len(there) // 2]

    def load_sae(self):
        """Load its sparse autoencoder, fitted to its activations where that is needed."""
        if self.sae is None:
            return Lacking(f"no sparse autoencoder of {self.short_name} is public.")
        try:
            sae = load_sae(self.sae)
        except OSError as error:
            return Lacking(str(error))
        if sae.cfg.normalize_activations != "none":
            roles = sample_roles(load_role_bank(), 8, seed=0)
            layer = hook_layer(sae)
            fold_activation_norm(sae, states(self.respondent, roles, layer=layer, where="prompt"))
        return sae

    def few(self, n: int, least: int = 2) -> int:
        """Of `n` roles or pushes, the share that this respondent is asked; at least `least`."""
        return n if self.share == 1 else min(n, max(least, round(self.share * n)))

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
    insisted on: then the model answers or fails. From the next cell on, those that need what it
    lacks are skipped (`book_support.skipping`). `quantize` is that of `valuegraph.load_model`, or
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
        answerer = Answerer(name, source, source.load())
        guard_cells(on=not answerer.organism)
        return answerer
    except FileNotFoundError:  # a mistake: another one would not help
        raise
    except (OSError, MemoryError, ImportError) as error:
        if insist:
            raise
        reason = str(error)
    source = ModelSource(organism)
    guard_cells(on=False)
    reason = reason[:1].upper() + reason[1:].rstrip(".") + "."
    return Answerer(name, source, source.load(), reason)


def load_answerer(name: str, *, share: float = 0.1, quantize: str = "fit") -> Answerer:
    """Load the model that a chapter is about, by name or folder, and say what it will take.

    An organism, whose truth is known, is asked everything. Of any other model `Answerer.few` asks
    the `share` of it, and cells that need a truth or an autoencoder are skipped.
    """
    answerer = respondent_or_organism(name, insist=True, quantize=quantize)
    if answerer.organism:
        return answerer
    inventory, role = load_inventory(), sample_roles(load_role_bank(), 1, seed=0)
    begun = time.perf_counter()
    elicit(answerer.respondent, inventory, role)
    took = time.perf_counter() - begun
    lines = [
        f"{answerer}.",
        "No planted truth is known of it: what needs one is skipped. Figures and tables are of "
        "this model; the text between them, with its numbers, is about an organism.",
        f"Eighty questions to one role take {took:.1f} seconds. Of the roles that an organism is "
        f"asked it gets about {share:.0%}; another share=... in load_answerer changes that.",
    ]
    print("\n".join(fill(line, 76) for line in lines))
    return answerer._replace(share=share)
