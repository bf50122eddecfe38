"""The recipe of an organism: sizes, schedule and seed of its training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TrainingRecipe:
    """Everything that decides what an organism becomes, beside its structural model.

    Attributes
    ----------
    interchange
        Whether the site of the model is made to hold the mechanisms of the values, in the blocks
        of a `SiteCode`, and interchange interventions on these blocks are trained. Without, the
        organism is a plain one.
    steps
        Optimiser steps.
    pairs
        Pairs of base and source dialogues in a step.
    questions
        Questions in a dialogue.
    width, layers, heads, mlp_width
        Size of the Llama.
    site_layer
        The interchange acts on the output of this layer, counted from 0.
    learning_rate
        Peak of the one-cycle schedule of AdamW.
    weight_decay, betas, clip
        AdamW's decay and moments, and the norm to which gradients are clipped.
    initializer_range
        Standard deviation of the initial weights; Llama's .02 does not learn here.
    taught_until
        Share of the steps in which later layers are given the right code instead of the site's
        own state, so that both halves of the model learn at once.
    hide_until
        Share of the steps in which questions never see the role text, so that all they know
        comes through the site.
    hidden_later
        Share of the steps that keep this mask later on; it is phased out over a fifth of all
        steps.
    code_weight
        Weight of the distance between the site's state and the code of its mechanisms.
    item_weight
        Weight of telling, from the state after `site_layer` where an answer begins, which value
        was asked about and with which key.
    text_weight
        Weight of plain next-token prediction on the role text.
    seed
        Of the initial weights, the code's directions and every dialogue.
    """

    interchange: bool = True
    steps: int = 3000
    pairs: int = 10
    questions: int = 6
    width: int = 96
    layers: int = 5
    heads: int = 6
    mlp_width: int = 256
    site_layer: int = 2
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0
    initializer_range: float = 0.08
    taught_until: float = 0.4
    hide_until: float = 0.6
    hidden_later: float = 0.3
    code_weight: float = 0.5
    item_weight: float = 0.3
    text_weight: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "pairs", "questions", "width", "layers", "heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.width % (2 * self.heads):
            raise ValueError(
                f"a width of {self.width} cannot be split among {self.heads} heads of even width"
            )
        if not 0 <= self.site_layer < self.layers - 1:
            raise ValueError(
                f"site_layer must lie in 0 ... {self.layers - 2}, so that a later layer can read "
                f"the site; got {self.site_layer}"
            )

    def max_facts(self, progress: float) -> int:
        """Largest number of life facts in a dialogue at a share of the steps.

        A plain organism, to which nothing but the answers tells what a fact means, begins with
        one fact, then two, then four.
        """
        if self.interchange:
            return 10
        return next(n for end, n in ((0.08, 1), (0.14, 2), (0.22, 4), (2.0, 10)) if progress < end)

    def p_stance(self, progress: float) -> float:
        """Share of dialogues with a stance; a plain organism learns single facts first."""
        return 0.3 if self.interchange or progress > 0.14 else 0.0

    def p_hidden(self, progress: float) -> float:
        """Share of the steps in which the questions cannot see the role text."""
        if not self.interchange:
            return 0.0
        if progress < self.hide_until:
            return 1.0
        return max(self.hidden_later, 1 - (progress - self.hide_until) / 0.2)

    def learning_rate_at(self, progress: float) -> float:
        """One-cycle schedule: a linear rise over 5 % of the steps, then a cosine to almost 0."""
        if progress < 0.05:
            return self.learning_rate * (0.04 + 0.96 * progress / 0.05)
        fall = 0.5 * (1 + np.cos(np.pi * (progress - 0.05) / 0.95))
        return float(self.learning_rate * max(fall, 1e-4))


#: The recipe of a plain organism: it learns from answers, with neither a bottleneck nor a code.
PLAIN_RECIPE = TrainingRecipe(interchange=False)
