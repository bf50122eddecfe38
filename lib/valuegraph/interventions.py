"""Interventions: what is done to a respondent before it answers, as plain data.

A *shift* adds a vector to the residual stream, a *sentence* is added at the end of the role, and a
*combination* does several of these at once. All have a ``name``, which labels the answers, the
``shifts`` they make and the ``text`` they add. None stands for no intervention.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from valuegraph.tables import refusing, require, require_known, require_whole

#: Where a shift may act: at the last token or all tokens of the *site*, the words "your values" of
#: the instruction (Kang et al., 2025); at all tokens of the prompt; or at these and at all that is
#: written after it.
PLACES = ("site-end", "site", "prompt", "everywhere")

#: Those of them that need the site's words in the prompt.
AT_SITE = PLACES[:2]


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
        Which tokens are concerned; one of `PLACES`.
    origin
        What the vector was made of, for tables: such as feature, coefficient and direction.
    """

    name: str
    layer: int
    vector: np.ndarray
    where: str = "site-end"
    origin: Mapping[str, object] = field(default_factory=dict)

    text = ""  #: A shift adds no text.
    shifts = property(lambda self: (self,), doc="The shift itself.")

    def __post_init__(self) -> None:
        require_whole(self.layer, 0, f"layer of shift {self.name!r}")
        unfit = f"shift {self.name!r} needs a finite vector of shape (width,)"
        with refusing(unfit):  # such as a tensor of torch with a gradient
            vector = np.asarray(self.vector, dtype=float)
        require(vector.ndim == 1 and vector.size and (np.abs(vector) < 1e30).all(), unfit)
        require_known(self.where, PLACES, f"place of shift {self.name!r}")
        object.__setattr__(self, "vector", vector.astype(np.float32))

    def __mul__(self, coefficient: float) -> "Shift":
        name, origin = f"{self.name} x {coefficient:g}", {**self.origin, "coefficient": coefficient}
        return Shift(name, self.layer, coefficient * self.vector, self.where, origin)


@dataclass(frozen=True)
class Sentence:
    """Text added at the end of the role; without a role, it is the role.

    Without a role it follows what the chat template says of the model by default, so that the
    sentence alone is new. As a baseline take a neutral sentence, which is a turn more, too.

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

    shifts = ()  #: A sentence shifts nothing.

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise ValueError(f"sentence {self.name!r} has the text {self.text!r}; write one")


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
    parts: Sequence["Intervention"]

    def __post_init__(self) -> None:
        require(self.parts, f"combination {self.name!r} has no parts; None stands for nothing")
        shifts = tuple(shift for part in self.parts for shift in part.shifts)
        text = " ".join(part.text.strip() for part in self.parts if part.text)
        vars(self).update(parts=tuple(self.parts), shifts=shifts, text=text)


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
    sums: dict[tuple[int, str], np.ndarray] = {}
    for shift in (shift for part in interventions for shift in part.shifts):
        sums[shift.layer, shift.where] = sums.get((shift.layer, shift.where), 0) + shift.vector
    parts = [Shift(name, layer, vector, where) for (layer, where), vector in sums.items()]
    parts += [Sentence(name, part.text) for part in interventions if part.text]
    return parts[0] if len(parts) == 1 and parts[0].shifts else Combination(name, parts)
