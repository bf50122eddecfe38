"""How much people differ from people: the band that a model is held against, and noise ceilings.

Correlations of values differ between human societies and, in any sample, by chance. The 13
countries of the ESS show the first, draws at a given number of people add the second. What is asked
of each country is what is asked of a model: how far its pattern of correlations agrees with a
reference that it is no part of (Mantel's r, on Fisher's z scale).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtr, stdtrit
from scipy.stats import nct

from valuegraph.correlations import pattern
from valuegraph.discovery import draw_correlations
from valuegraph.humans import HumanReference, load_human_countries

MARGIN = 0.05  # a model that agrees less than all but this share of countries is not like people
MIN_COUNTRIES = 5  # a spread over fewer countries says too little

_countries = cache(load_human_countries)


def raw(correlation: np.ndarray, n: int) -> np.ndarray:
    """Return correlations of samples of `n` unchanged: the treatment that is none."""
    return correlation


@dataclass(frozen=True, eq=False)
class HumanBand:
    """Agreement of human samples of one size with a human reference.

    Attributes
    ----------
    n : int
        Number of people in each sample.
    countries : pandas.DataFrame
        One row a country: ``country``; ``people``, behind its published correlations; ``z``,
        agreement expected of a sample of ``n`` of them; ``agreement``, the same as a correlation.
    mean, between_sd : float
        Mean and standard deviation of z over countries.
    sampling_sd : float
        Standard deviation of z between samples of ``n`` people of one country.
    """

    n: int
    countries: pd.DataFrame
    mean: float
    between_sd: float
    sampling_sd: float

    def limits(self) -> tuple[float, float]:
        """Return the interval, two correlations, that holds one more country with 95 %."""
        spread, df = self._spread(0.0)
        return tuple(np.tanh(self.mean + stdtrit(df, [0.025, 0.975]) * spread).tolist())

    def p_outside(self, z: float | np.ndarray, error: float) -> float | np.ndarray:
        """Return the probability that one more country, at equal n, agrees as little.

        Student's t for one more observation, countries being the units: their variance plus that of
        sampling, with Satterthwaite's degrees of freedom for the sum.

        Parameters
        ----------
        z : float or numpy.ndarray
            Agreement of a model on Fisher's scale.
        error : float
            Its standard error; it takes the place of that of people at the same n if it is larger.
        """
        spread, df = self._spread(error)
        return stdtr(df, (z - self.mean) / spread)

    def p_inside(self, z: float | np.ndarray, error: float) -> float | np.ndarray:
        """Return the p-value of the hypothesis that the model is less human than most countries.

        The hypothesis puts the model's expected agreement at the 5 % point of countries or below.
        That point is itself an estimate from few countries; the noncentral t takes account of that,
        as in a tolerance limit. Parameters are those of :meth:`p_outside`.

        References
        ----------
        Owen, D. B. (1968). A survey of properties and applications of the noncentral
        t-distribution. Technometrics 10, 445-478.
        """
        k = len(self.countries)
        # Error of (model - mean of countries), in units of the spread between countries.
        scale = np.sqrt(1 / k + (error / self.between_sd) ** 2)
        return nct.sf((z - self.mean) / (self.between_sd * scale), k - 1, ndtri(MARGIN) / scale)

    def _spread(self, error: float) -> tuple[float, float]:
        """Return standard deviation and degrees of freedom of one more country's z."""
        k = len(self.countries)
        between = self.between_sd**2 * (1 + 1 / k)
        total = between + max(self.sampling_sd, error) ** 2
        return float(np.sqrt(total)), (k - 1) * (total / between) ** 2


def human_band(
    human: HumanReference, n: int, *, treatment: Callable = raw, draws: int = 200, seed: int = 0
) -> HumanBand:
    """Measure how far samples of people from single countries agree with a human reference.

    Parameters
    ----------
    human : HumanReference
        If it is pooled of several of the 13 countries, as ``"ess11"`` is, these are the band, each
        held against the others; otherwise all (other) countries are, held against the reference.
    n : int
        Number of people in each sample. Published correlations carry the noise of a country's own
        people; samples get only the noise that is missing. Smaller countries stay as they are.
    treatment : callable
        What is done to all correlations, one matrix or a stack, of samples of a given size.
    draws : int
        Samples of each country, drawn as of normal scores.
    seed : int
        Seed of the draws.
    """
    values = list(_countries()["AT"].values)
    if sorted(human.values) != sorted(values) or 1 < len(human.countries) < MIN_COUNTRIES:
        has = f"{human.name!r} has {', '.join(human.values)}, of {len(human.countries)} countries"
        raise ValueError(f"{has}; take the ten values, of one country or {MIN_COUNTRIES} and more")
    reference, is_pool = human.correlation.loc[values, values].to_numpy(), len(human.countries) > 1
    rows = []
    members = [one for c, one in _countries().items() if (c in human.countries) == is_pool]
    for number, one in enumerate(members):
        sample = one.correlation.to_numpy()[None]
        if n < one.n:
            rng, missing = np.random.default_rng((seed, number)), round(1 / (1 / n - 1 / one.n))
            sample = draw_correlations(sample[0], missing, draws=draws, rng=rng)
        if is_pool:
            others = [other for other in members if other is not one]
            weights = [other.n for other in others]
            reference = np.average([o.correlation for o in others], axis=0, weights=weights)
        z = pattern(treatment(sample, n), treatment(reference, n))
        rows.append((*one.countries, one.n, z.mean(), np.tanh(z.mean()), z.var()))
    table = pd.DataFrame(rows, columns=["country", "people", "z", "agreement", "noise"])
    sampling_sd = float(np.sqrt(table.pop("noise").mean()))
    return HumanBand(n, table, float(table["z"].mean()), float(table["z"].std()), sampling_sd)


def halves_of(data: np.ndarray, *, splits: int = 50, seed: int = 0) -> np.ndarray:
    """Return correlations of random halves: scores ``(n, d)`` -> ``(2, splits, d, d)``."""
    rng, half = np.random.default_rng(seed), len(data) // 2
    orders = [rng.permutation(len(data))[: 2 * half].reshape(2, half) for _ in range(splits)]
    return np.array([[np.corrcoef(data[o[side]].T) for o in orders] for side in (0, 1)])


def split_half(halves: np.ndarray, n: int, treatment: Callable = raw) -> float:
    """Return the mean agreement of two halves of ``n`` respondents, as of :func:`halves_of`."""
    first, second = (treatment(half, n // 2) for half in halves)
    return float(np.tanh(pattern(first, second)).mean())
