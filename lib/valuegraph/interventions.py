"""Interventions: what is done to a respondent before it answers.

A *shift* adds a vector to the residual stream, a *told* intervention adds sentences to the role,
and a *combination* does several of these at once. All three are plain data, and all have a
``name``, which labels the answers given under them, the ``shifts`` they make and the ``text`` they
add, so that `valuegraph.elicitation.elicit` takes them alike. None stands for no intervention.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    """A vector added to the residual stream after a layer.

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

    Raises
    ------
    ValueError
        If the vector is not one-dimensional and finite, or there is no such place.
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

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """The shift itself."""
        return (self,)

    @property
    def text(self) -> str:
        """Nothing is told."""
        return ""


@dataclass(frozen=True)
class Told:
    """Sentences that are told at the end of the role; without a role, they are the role.

    Attributes
    ----------
    name
        Labels the answers given under it.
    text
        What is told, in the second person.
    origin
        What it is about, for tables: such as kind, value and amount.

    Raises
    ------
    ValueError
        If the text is blank.
    """

    name: str
    text: str
    origin: Mapping[str, object] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise ValueError(f"intervention {self.name!r} tells {self.text!r}; give it a text")

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """Nothing is shifted."""
        return ()


@dataclass(frozen=True)
class Combination:
    """Several interventions at once.

    Attributes
    ----------
    name
        Labels the answers given under it.
    parts
        Interventions; shifts add up, texts follow one another.

    Raises
    ------
    ValueError
        If there are no parts.
    """

    name: str
    parts: tuple[Intervention, ...]

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


Intervention = Shift | Told | Combination
