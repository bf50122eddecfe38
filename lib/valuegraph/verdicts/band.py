"""How much people differ from people: the noise band that a model is held against.

Correlations of values differ between human societies and, in any sample, by chance. The 13
countries of the ESS show the first, draws at a given number of people add the second. What is asked
of each country is what is asked of a model: how far its pattern of correlations agrees with a
reference that it is no part of.

Agreement is Mantel's r (:func:`valuegraph.matrices.mantel`) on Fisher's z scale, on which its
spread over countries is about normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtr, stdtrit

from valuegraph.humans import HumanReference, load_human_countries
from valuegraph.matrices import draw_correlations
from valuegraph.verdicts.treatments import Treatment, as_they_are

MARGIN = 0.05
"""A model that agrees less than all but this share of countries is not like people."""

MIN_COUNTRIES = 5
"""A spread over fewer countries says too little."""

CLOSEST = 0.995
"""Agreement counts as no closer than this, so that no single match outweighs all on the z scale."""


@dataclass(frozen=True, eq=False, repr=False)
class HumanBand:
    """Agreement of human samples of one size with a human reference.

    Attributes
    ----------
    n
        Number of people in each sample.
    countries
        One row a country: ``country``; ``people``, behind its published correlations; ``z``,
        agreement expected of a sample of ``n`` of them, on Fisher's scale; ``agreement``, the same
        as a correlation.
    sampling_sd
        Standard deviation of z between samples of ``n`` people of one country.

    Notes
    -----
    A country's published correlations carry the noise of its own people. Samples of ``n`` get only
    the noise that is missing: they are drawn at ``1 / (1/n - 1/people)``. A country with fewer than
    ``n`` people stays as it is, which makes its noise larger than that of ``n``.
    """

    n: int
    countries: pd.DataFrame
    sampling_sd: float

    @property
    def mean(self) -> float:
        """Mean z of the countries."""
        return float(self.countries["z"].mean())

    @property
    def between_sd(self) -> float:
        """Standard deviation of z between countries."""
        return float(self.countries["z"].std())

    def limits(self, level: float = 0.95) -> tuple[float, float]:
        """Return the interval in which the agreement of one more country lies.

        Parameters
        ----------
        level
            Probability that it does.

        Returns
        -------
        tuple of float
            Two correlations.
        """
        spread, df = self._spread(0.0)
        reach = stdtrit(df, (1 + level) / 2) * spread
        return float(np.tanh(self.mean - reach)), float(np.tanh(self.mean + reach))

    def p_outside(self, z: float | np.ndarray, error: float) -> float | np.ndarray:
        """Return the probability that one more country, at equal n, agrees as little.

        Student's t for one more observation, countries being the units: their variance (12 degrees
        of freedom for 13 countries) plus that of sampling, with Satterthwaite's degrees of freedom
        for the sum.

        Parameters
        ----------
        z
            Agreement of a model on Fisher's scale.
        error
            Its standard error. If larger than that of people at the same n, as with scores that are
            all but constant, it takes that one's place.
        """
        spread, df = self._spread(error)
        return stdtr(df, (z - self.mean) / spread)

    def p_inside(self, z: float | np.ndarray, error: float) -> float | np.ndarray:
        """Return the p-value of the hypothesis that the model is less human than most countries.

        The hypothesis puts the model's expected agreement at the 5 % point of countries or below.
        A small p rejects it: the model agrees with people as countries do. The 5 % point is itself
        an estimate from few countries; the noncentral t takes account of that, as in a tolerance
        limit.

        Parameters
        ----------
        z
            Agreement of a model on Fisher's scale.
        error
            Its standard error.

        References
        ----------
        Owen, D. B. (1968). A survey of properties and applications of the noncentral
        t-distribution. Technometrics 10, 445-478.
        """
        from scipy.stats import nct  # takes most of a second, and is needed here only

        k = len(self.countries)
        # Error of (model - mean of countries), in units of the spread between countries.
        scale = np.sqrt(1 / k + (error / self.between_sd) ** 2)
        shift = ndtri(MARGIN) / scale
        return nct.sf((z - self.mean) / (self.between_sd * scale), k - 1, shift)

    def _spread(self, error: float) -> tuple[float, float]:
        """Return standard deviation and degrees of freedom of one more country's z."""
        k = len(self.countries)
        between = self.between_sd**2 * (1 + 1 / k)
        total = between + max(self.sampling_sd, error) ** 2
        return float(np.sqrt(total)), (k - 1) * (total / between) ** 2

    def __repr__(self) -> str:
        low, high = self.limits()
        return (
            f"<HumanBand at n = {self.n}: {len(self.countries)} countries, one more would agree "
            f"{low:.2f} to {high:.2f}>"
        )


def human_band(
    human: HumanReference,
    n: int,
    *,
    treatment: Treatment = as_they_are,
    draws: int = 200,
    seed: int = 0,
) -> HumanBand:
    """Measure how far samples of people from single countries agree with a human reference.

    Parameters
    ----------
    human
        The reference, over the ten values. If it is pooled of several of the 13 countries, as
        ``"ess11"`` is, these are the band, each held against the others. If it is one of them, or
        another sample, the band is the (other) countries, held against the reference.
    n
        Number of people in each sample.
    treatment
        What is done to all correlations before they are compared.
    draws
        Samples of each country, drawn as of normal scores with the country's correlations.
    seed
        Seed of the draws.

    Returns
    -------
    HumanBand
        Agreement by country, and its spread.

    Raises
    ------
    ValueError
        If the reference is not over the ten values of the countries, or pooled of fewer than five
        of them.
    """
    names, people, matrices = _countries()
    if sorted(human.values) != sorted(names):
        raise ValueError(
            f"the 13 countries have the values {', '.join(names)}, but {human.name!r} has "
            f"{', '.join(human.values)}; take a reference over the ten values, like load_human()"
        )
    if 1 < len(human.countries) < MIN_COUNTRIES:
        raise ValueError(
            f"{human.name!r} is pooled of {len(human.countries)} countries; how much countries "
            f"differ takes at least {MIN_COUNTRIES}"
        )
    reference = human.correlation.loc[list(names), list(names)].to_numpy()
    is_pool = len(human.countries) > 1
    members = [c for c in matrices if (c in human.countries) == is_pool]
    rows, noise = [], []
    for number, country in enumerate(members):
        others = [name for name in members if name != country]
        held_against = _pooled(matrices, people, others) if is_pool else reference
        rng = np.random.default_rng((seed, number))
        sample = _thinned(matrices[country], people[country], n, draws, rng)
        z = pattern(treatment(sample, n), treatment(held_against, n))
        rows.append((country, people[country], float(z.mean())))
        noise.append(z.var())
    table = pd.DataFrame(rows, columns=["country", "people", "z"])
    table["agreement"] = np.tanh(table["z"])
    return HumanBand(n, table, float(np.sqrt(np.mean(noise))))


def pattern(matrices: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return Mantel's r of many matrices with one, on Fisher's z scale.

    Parameters
    ----------
    matrices
        Shape ``(..., d, d)``.
    reference
        Shape ``(d, d)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(...)``; 0 where all pairs of a matrix are equal.
    """
    upper = np.triu_indices(len(reference), 1)
    pairs, wanted = matrices[..., *upper], reference[upper]
    pairs, wanted = pairs - pairs.mean(axis=-1, keepdims=True), wanted - wanted.mean()
    scale = np.sqrt((pairs**2).sum(axis=-1) * (wanted @ wanted))
    # A graph without edges has no pattern, and agrees with nothing.
    r = np.divide(pairs @ wanted, scale, out=np.zeros_like(scale), where=scale > 1e-12)
    return np.arctanh(np.clip(r, -CLOSEST, CLOSEST))


@cache
def _countries() -> tuple[tuple[str, ...], dict[str, int], dict[str, np.ndarray]]:
    """Return the values, the number of people by country and the correlations by country."""
    countries = load_human_countries()
    values = next(iter(countries.values())).values
    people = {name: country.n for name, country in countries.items()}
    return values, people, {name: c.correlation.to_numpy() for name, c in countries.items()}


def _pooled(
    matrices: dict[str, np.ndarray], people: dict[str, int], names: list[str]
) -> np.ndarray:
    """Return the mean correlations of some countries, weighted by people."""
    weights = [people[name] for name in names]
    return np.average([matrices[name] for name in names], axis=0, weights=weights)


def _thinned(
    matrix: np.ndarray, people: int, n: int, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Return correlations with the noise of n people, given those with the noise of `people`."""
    if n >= people:
        return matrix[None]
    return draw_correlations(matrix, round(1 / (1 / n - 1 / people)), draws=draws, rng=rng)
