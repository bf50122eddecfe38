"""What a comparison of a model with people comes to: one of three verdicts, and all it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from valuegraph.verdicts.band import HumanBand

INSIDE, OUTSIDE, CANNOT_TELL = "inside", "outside", "cannot tell"


def decide(p_inside: float, p_outside: float, alpha: float) -> str:
    """Return the verdict that two p-values give; both cannot be small at once."""
    if p_inside < alpha:
        return INSIDE
    return OUTSIDE if p_outside < alpha else CANNOT_TELL


@dataclass(frozen=True, eq=False, repr=False)
class Verdict:
    """Whether the values of a model go together as those of people do.

    Two hypotheses are tested, and each verdict but the third rejects one of them. *Inside* rejects
    that the model agrees with people less than 19 of 20 countries do, and that its agreement owes
    nothing to which value is which. *Outside* rejects that the model is one more country. *Cannot
    tell* rejects neither.

    Attributes
    ----------
    human
        Name of the reference.
    n
        Number of roles, and of people in every human sample.
    treatment
        What was done to correlations on both sides: see
        :data:`valuegraph.verdicts.treatments.TREATMENTS`.
    alpha
        Level of both tests.
    agreement
        Correlation of the model's correlations with the reference's over pairs of values.
    low, high
        95 % interval of the agreement, over roles.
    p_inside
        p-value of not being like people: the larger of `p_margin` and `p_permutation`.
    p_margin
        p-value of agreeing less than 19 of 20 countries.
    p_permutation
        p-value of agreeing no better than with permuted labels.
    p_outside
        Probability that one more country, at equal n, would agree as little.
    band
        The countries at equal n.
    split_half_model, split_half_human
        Agreement of two halves of the roles, and of two samples of half as many people.
    ceiling_model, ceiling_human
        Largest agreement that noise leaves possible at n, from the split halves.
    needed_n
        Number of roles at which a verdict could be expected (with probability .8) if the model is
        what it seems; None where there is a verdict, or no number of roles would give one.
    sensitivity
        One row for each treatment: ``treatment``, ``agreement``, ``band_low``, ``band_high``,
        ``p_inside``, ``p_outside``, ``verdict``. Empty if it was not asked for.
    """

    human: str
    n: int
    treatment: str
    alpha: float
    agreement: float
    low: float
    high: float
    p_margin: float
    p_permutation: float
    p_outside: float
    band: HumanBand
    split_half_model: float
    split_half_human: float
    ceiling_model: float
    ceiling_human: float
    needed_n: int | None
    sensitivity: pd.DataFrame

    @property
    def p_inside(self) -> float:
        """The larger of both p-values that have to be small."""
        return max(self.p_margin, self.p_permutation)

    @property
    def verdict(self) -> str:
        """``"inside"``, ``"outside"`` or ``"cannot tell"``."""
        return decide(self.p_inside, self.p_outside, self.alpha)

    @property
    def p_value(self) -> float:
        """The p-value of the hypothesis that the verdict rejects; the smaller one of two if none.

        That of `p_inside` for inside, of `p_outside` for outside.
        """
        return min(self.p_inside, self.p_outside)

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        if self.verdict == CANNOT_TELL:
            return (
                f"Cannot tell whether this is inside the human band "
                f"(inside: {written_p(self.p_inside)}; outside: {written_p(self.p_outside)})"
            )
        return f"{self.verdict.capitalize()} the human band ({written_p(self.p_value)})"

    @property
    def reasons(self) -> list[str]:
        """What the verdict rests on, in sentences."""
        r, countries = written_r, self.band.countries["agreement"]
        low, high = self.band.limits()
        lines = [
            f"Agreement with {self.human} over pairs of values: r = {r(self.agreement)}, 95 % "
            f"interval {r(self.low)} to {r(self.high)}, {self.n} roles.",
            f"People of one more country, {self.n} of them: {r(low)} to {r(high)} (95 %); the "
            f"{len(countries)} countries have {r(countries.min())} to {r(countries.max())}.",
            f"Largest agreement that noise leaves possible: {r(self.ceiling_model)} for the "
            f"model, {r(self.ceiling_human)} for people.",
            f"With permuted labels as close: {written_p(self.p_permutation)}.",
        ]
        if self.verdict == CANNOT_TELL and self.needed_n:
            lines.append(
                f"If the model is what it seems, about {self.needed_n:,} roles would tell."
            )
        elif self.verdict == CANNOT_TELL:
            lines.append(
                "If the model is what it seems, no number of roles would tell: it lies where "
                f"{len(countries)} countries leave both open, or its halves do not agree."
            )
        if self.verdict == OUTSIDE and self.ceiling_model < low:
            lines.append(
                "The model's halves hardly agree with each other: it lies outside for want of a "
                "stable pattern, not because it has another one."
            )
        others = [row for row in self.sensitivity.itertuples() if row.treatment != self.treatment]
        if others:
            said = "; ".join(f"{row.treatment}: {row.verdict}" for row in others)
            lines.append(f"Other treatments of both sides: {said}.")
        return lines

    def to_dict(self) -> dict[str, object]:
        """Return all figures in one flat dictionary, ready for JSON."""
        low, high = self.band.limits()
        names = (
            "human", "n", "treatment", "alpha", "verdict", "agreement", "low", "high", "p_inside",
            "p_margin", "p_permutation", "p_outside", "split_half_model", "split_half_human",
            "ceiling_model", "ceiling_human", "needed_n",
        )  # fmt: skip
        figures = {name: getattr(self, name) for name in names}
        return {**figures, "band_low": low, "band_high": high}

    def __repr__(self) -> str:
        return "\n".join([f"{self.headline}.", *self.reasons])

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(line)}</li>" for line in self.reasons)
        return f"<p><strong>{escape(self.headline)}.</strong></p>\n<ul>{items}</ul>"


def verdict_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Put verdicts into a table, one row each, with the columns of :meth:`Verdict.to_dict`.

    Raises
    ------
    ValueError
        If there is none.
    """
    if not verdicts:
        raise ValueError("there is no verdict to put into a table")
    return pd.DataFrame([verdict.to_dict() for verdict in verdicts])


def written_p(p: float) -> str:
    """Return a p-value as text, with two digits, or as below .0001."""
    return "p < .0001" if p < 1e-4 else f"p = {p:.2g}".replace("0.", ".", 1)


def written_r(r: float) -> str:
    """Return a correlation as text."""
    return f"{r:.2f}"
