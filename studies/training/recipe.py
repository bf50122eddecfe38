"""What decides the training of an organism, beside its structural model."""

from dataclasses import dataclass

import numpy as np

#: How the values of an organism become its answers, in log-odds of yes; see `Organism`.
ANSWERS = {"gain": 1.5, "yes_bias": 0.4, "order_bias": 0.25}


@dataclass(frozen=True)
class TrainingRecipe:
    """Sizes, schedule and seed of a training."""

    # Whether the site is made to hold the mechanisms of the values in the blocks of a `SiteCode`,
    # and interchange interventions on these blocks are trained; a plain organism has neither.
    interchange: bool = True
    steps: int = 3000  # of the optimiser
    pairs: int = 10  # of base and source dialogues in a step
    questions: int = 6  # in a dialogue
    thoughts: float = 0.2  # share of the steps in which a thought is asked for before the answer
    width: int = 96
    layers: int = 5
    heads: int = 6
    mlp_width: int = 256
    site_layer: int = 2  # whose output the interchange acts on, counted from 0
    learning_rate: float = 3e-3  # peak of AdamW's one-cycle schedule
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0  # norm of the gradients
    initializer_range: float = 0.08  # of the initial weights; Llama's .02 does not learn here
    # Share of the steps in which later layers see the right code instead of the site's own state,
    # so that both halves of the model learn at once.
    taught_until: float = 0.4
    # Share of the steps in which questions never see the role text, so that all they know comes
    # through the site; the mask is then phased out over a fifth of all steps, but for some steps.
    hide_until: float = 0.6
    hidden_later: float = 0.3
    code_weight: float = 0.5  # of the distance between the site's state and its code
    item_weight: float = 0.3  # of reading value and key of the question where its answer begins
    text_weight: float = 0.02  # of plain next-token prediction on the role text
    seed: int = 0  # of the initial weights, the code's directions and every dialogue

    def __post_init__(self) -> None:
        for name in ("steps", "pairs", "questions", "width", "layers", "heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.width % (2 * self.heads) or not 0 <= self.site_layer < self.layers - 1:
            raise ValueError(
                f"width {self.width} must be a multiple of twice the {self.heads} heads, and one "
                f"of {self.layers} layers must come after site_layer {self.site_layer}"
            )

    def max_facts(self, progress: float) -> int:
        """Largest number of life facts in a dialogue; plain organisms begin with single facts."""
        if self.interchange:
            return 10
        return next(n for end, n in ((0.08, 1), (0.14, 2), (0.22, 4), (2.0, 10)) if progress < end)

    def p_stance(self, progress: float) -> float:
        """Share of dialogues with a stance, at a share of the steps."""
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


#: For some five values, in minutes: a smaller model, which writes no thoughts.
SMALL_RECIPE = TrainingRecipe(
    steps=1200, pairs=8, thoughts=0, width=48, layers=4, heads=4, mlp_width=128, site_layer=1,
    learning_rate=4e-3, initializer_range=0.1, text_weight=0,
)  # fmt: skip


@dataclass(frozen=True)
class SAERecipe:
    """How the autoencoder of a site is trained."""

    features: int = 64
    l1: float = 0.2  # penalty on activations, against the squared error summed over coordinates
    samples: int = 4_000_000  # states drawn, with repetition
    roles: int = 5000  # whose site it learns from, for each share
    # Shares of values that have a fact: fewer than in the roles of questionnaires (.8), since
    # features only come apart where they do not all occur at once.
    fact_shares: tuple[float, ...] = (0.2, 0.5)
