"""Interventions: what is done to a respondent before it answers, as plain data.

A *shift* adds a vector to the residual stream, a *sentence* is added at the end of the role, and a
*combination* does several of these at once. All have a ``name``, which labels the answers, the
``shifts`` they make and the ``text`` they add. None stands for no intervention.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

#: Where a shift may act. The *site* is the words "your values" of the instruction (Kang et al.,
#: 2025). Only ``"everywhere"`` reaches what is generated after the prompt.
PLACES = {
    "site-end": "the site's last token",
    "site": "all tokens of the site",
    "prompt": "all tokens of the prompt",
    "everywhere": "all tokens of the prompt, and of what is written after it",
}

#: Those of them that need the site's words in the prompt.
AT_SITE = ("site-end", "site")


@dataclass(frozen=True, eq=False)
class Shift:
    """A vector added to the residual stream after a layer; ``shift * 2.0`` is twice as long.

    Attributes
    ----------
    name
        Labels the answers given under it.
    layer
        The shift is added to this layer's output, counted from 0.
    vector
        What is added to every token concerned, shape ``(width,)``.
    where
        Which tokens are concerned; a key of `PLACES`.
    origin
        What the vector was made of, for tables: such as feature, coefficient and direction.
    """

    name: str
    layer: int
    vector: np.ndarray
    where: str = "site-end"
    origin: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        vector = np.asarray(self.vector, dtype=np.float32)
        if vector.ndim != 1 or not np.isfinite(vector).all():
            raise ValueError(
                f"the vector of shift {self.name!r} must be one-dimensional and finite, "
                f"got shape {vector.shape}"
            )
        if self.where not in PLACES:
            raise ValueError(
                f"shift {self.name!r} cannot act at {self.where!r}; places are {', '.join(PLACES)}"
            )
        object.__setattr__(self, "vector", vector)

    def __mul__(self, coefficient: float) -> "Shift":
        name, origin = f"{self.name} x {coefficient:g}", {**self.origin, "coefficient": coefficient}
        return Shift(name, self.layer, coefficient * self.vector, self.where, origin)

    @property
    def shifts(self) -> tuple["Shift", ...]:
        """The shift itself."""
        return (self,)

    @property
    def text(self) -> str:
        """A shift adds no text."""
        return ""


@dataclass(frozen=True)
class Sentence:
    """Text added at the end of the role; without a role, it is the role.

    Attributes
    ----------
    name
        Labels the answers given under it.
    text
        One sentence or several, in the second person.
    origin
        What it is about, for tables: such as kind, value and amount.
    """

    name: str
    text: str
    origin: Mapping[str, object] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise ValueError(f"sentence {self.name!r} has the text {self.text!r}; write one")

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """A sentence shifts nothing."""
        return ()


@dataclass(frozen=True)
class Combination:
    """Several interventions at once: shifts add up, texts follow one another.

    Attributes
    ----------
    name
        Labels the answers given under it.
    parts
        Interventions, one at least.
    """

    name: str
    parts: tuple["Intervention", ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        if not self.parts:
            raise ValueError(f"combination {self.name!r} has no parts; None stands for nothing")

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """All shifts of the parts."""
        return tuple(shift for part in self.parts for shift in part.shifts)

    @property
    def text(self) -> str:
        """All texts of the parts, one space between them."""
        return " ".join(part.text.strip() for part in self.parts if part.text)


Intervention = Shift | Sentence | Combination


def combine(name: str, interventions: Sequence[Intervention]) -> Intervention:
    """Put interventions together; shifts of one layer and place become a single one.

    Parameters
    ----------
    name
        Of the result.
    interventions
        At least one. A single shift comes out where that is all there is, else a combination.
    """
    vectors: dict[tuple[int, str], np.ndarray] = {}
    for shift in (shift for part in interventions for shift in part.shifts):
        at = (shift.layer, shift.where)
        vectors[at] = vectors.get(at, 0) + shift.vector
    parts = [Shift(name, layer, vector, where) for (layer, where), vector in vectors.items()]
    parts += [Sentence(name, part.text) for part in interventions if part.text]
    if len(parts) == 1 and parts[0].shifts:
        return parts[0]
    return Combination(name, tuple(parts))
