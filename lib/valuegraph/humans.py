"""How the ten values go together in people, and how much people differ from people.

The correlations were computed from public data on individuals, which are not shipped; each names
its source. Values are measured with low reliability (Cronbach's alpha .31 for Tradition in the
ESS), so measurement error alone can put edges into a human graph.

Correlations of values differ between human societies and, in any sample, by chance. The 13
countries of the ESS show the first, draws at a given number of people add the second: the band that
a model is held against. What is asked of each country is what is asked of a model: how far its
pattern of correlations agrees with a reference that it is no part of (Mantel's r, on Fisher's z
scale).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtr, stdtrit
from scipy.stats import nct

from valuegraph.correlations import contrasts, pattern
from valuegraph.discovery import draw_correlations
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.tables import generator, read_packaged_table, require_known

MARGIN = 0.05  # a model that agrees less than all but this share of countries is not like people
MIN_COUNTRIES = 5  # a spread over fewer countries says too little
_NAMES = ("ess11", "ess11_age_sex", "ess9_germany", "gss2012", "pvq40")


@dataclass(frozen=True, eq=False, repr=False)
class HumanReference:
    """Correlations of values in one sample of people.

    Attributes
    ----------
    name : str
        What the reference is called in :func:`load_human`.
    correlation : pandas.DataFrame
        Pearson correlations of raw scores, labelled by value on both sides.
    n : int
        Number of people.
    reliability : pandas.Series or None
        Cronbach's alpha by value, where it is known; age and sex have none.
    countries : tuple of str
        Countries of the ESS that the people come from, as far as :func:`load_human_countries` has
        them.
    about : dict
        In words ``population``, ``instrument``, ``processing`` (from answers to correlations),
        ``citation``, ``origin`` (down to the file) and ``licence``; and further figures.
    """

    name: str
    correlation: pd.DataFrame
    n: int
    reliability: pd.Series | None
    countries: tuple[str, ...]
    about: dict

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the variables, in the order of the frame."""
        return tuple(self.correlation.columns)

    def __repr__(self) -> str:
        return f"<HumanReference {self.name!r}: {self.n} people; {self.about['population']}>"

    def _repr_html_(self) -> str:
        cells = [f"<tr><th>{k}</th><td>{escape(str(x))}</td></tr>" for k, x in self.about.items()]
        return f"<p>{self.n:,} people</p><table>{''.join(cells)}</table>"


def load_human(name: str = "ess11") -> HumanReference:
    """Load the correlations of values in one sample of people.

    Parameters
    ----------
    name : str
        ``"ess11"``: 13 European countries 2023-24, country means removed, the primary reference;
        ``"ess11_age_sex"``: with age and sex; replications: ``"ess9_germany"``, ``"gss2012"``
        (USA), ``"pvq40"`` (USA, more items a value, small).
    """
    require_known(name, _NAMES, "human reference")
    about = _about(name)
    r = read_packaged_table(f"human/{name}.csv").set_index("value").rename_axis(None)
    alphas = pd.Series(about["reliability"], name="reliability")
    return HumanReference(name, r, about["n"], alphas, tuple(about.get("n_by_country", ())), about)


def load_human_countries() -> dict[str, HumanReference]:
    """Load the 13 countries of ``"ess11"`` one by one, by code, without reliabilities."""
    about, countries = _about("ess11_countries"), {}
    for code, rows in read_packaged_table("human/ess11_countries.csv").groupby("country"):
        half = rows.pivot(index="value_a", columns="value_b", values="r")
        half = half.reindex(index=SCHWARTZ_ORDER, columns=SCHWARTZ_ORDER)
        half = half.rename_axis(index=None, columns=None)
        table = half.fillna(half.T).fillna(1.0)
        here = {**about, "population": f"Adults in country {code}, 2023-24"}
        n = int(rows["n"].iloc[0])
        countries[code] = HumanReference(f"ess11_{code}", table, n, None, (code,), here)
    return countries


def pool_countries(codes: list[str]) -> HumanReference:
    """Pool two or more of the 13 countries: mean correlations, weighted by people.

    The pool of all 13 differs from ``"ess11"``, computed from the answers themselves, by less than
    .02 in every correlation.
    """
    countries = _countries()
    if len(codes) < 2 or len(set(codes)) < len(codes) or not set(codes) <= set(countries):
        raise ValueError(f"{list(codes)} are not two or more of {', '.join(countries)}.")
    chosen = [countries[code] for code in codes]
    n = sum(one.n for one in chosen)
    pooled = sum(one.n * one.correlation for one in chosen) / n
    about = {**_about("ess11_countries"), "population": f"Adults in {', '.join(codes)}, 2023-24"}
    return HumanReference("_".join(["ess11", *codes]), pooled, n, None, tuple(codes), about)


def _about(name: str) -> dict:
    """Read what is known of a packaged table."""
    path = resources.files("valuegraph").joinpath("data", "human", f"{name}.json")
    return json.loads(path.read_text(encoding="utf-8"))


_countries = cache(load_human_countries)


@cache
def _without(code: str, codes: tuple[str, ...]) -> HumanReference:
    """Return the pool of all countries but one."""
    return pool_countries([other for other in codes if other != code])


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
    contrasts, contrast_noise : numpy.ndarray
        :func:`valuegraph.correlations.contrasts` expected of a sample of ``n``, one row a country,
        and their standard deviations between samples, one a pair.
    """

    n: int
    countries: pd.DataFrame
    mean: float
    between_sd: float
    sampling_sd: float
    contrasts: np.ndarray | None = None
    contrast_noise: np.ndarray | None = None

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

    def p_contrasts(self, z: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Return for each pair the probability that one more country has so low a contrast.

        As :meth:`p_outside`, each pair by itself, except that the variance between countries is
        their mean over pairs: 13 countries say little about one, and it hardly differs between
        pairs on this scale. Its degrees of freedom are those of a mean of correlated variances.

        Parameters
        ----------
        z, error : numpy.ndarray
            Contrasts of a model and their standard errors, one a pair. The median of the errors
            takes the place of people's noise where it is larger; a single error is not trusted,
            since where two values are exchanged z is near its end and its error explodes.

        References
        ----------
        Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance
        components. Biometrics Bulletin 2, 110-114.
        """
        k, mean = len(self.contrasts), self.contrasts.mean(axis=0)
        apart = self.contrasts - mean
        squares = apart @ apart.T
        df = (k - 1) * np.trace(squares) ** 2 / (squares**2).sum()
        between = np.trace(squares) / (k - 1) / len(mean) * (1 + 1 / k)
        total = between + np.maximum(self.contrast_noise, np.median(error)) ** 2
        return stdtr(df * (total / between) ** 2, (z - mean) / np.sqrt(total))

    def _spread(self, error: float) -> tuple[float, float]:
        """Return standard deviation and degrees of freedom of one more country's z."""
        k = len(self.countries)
        between = self.between_sd**2 * (1 + 1 / k)
        total = between + max(self.sampling_sd, error) ** 2
        return float(np.sqrt(total)), (k - 1) * (total / between) ** 2


def human_band(
    human: HumanReference, n: int, *, reliability=1.0, treatment=raw, draws=200, seed=0
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
    reliability : float
        Of the samples, as a share of that of people, from 0 to 1: all correlations of the countries
        are multiplied by it, as measurement error does (Spearman 1904).
    treatment : callable
        What is done to all correlations, one matrix or a stack, of samples of a given size.
    draws : int
        Samples of each country, drawn as of normal scores.
    seed : int
        Seed of the draws.
    """
    values = list(SCHWARTZ_ORDER)
    if sorted(human.values) != sorted(values) or 1 < len(human.countries) < MIN_COUNTRIES:
        has = f"{human.name!r} has {', '.join(human.values)}, of {len(human.countries)} countries"
        raise ValueError(f"{has}; take the ten values, of one country or {MIN_COUNTRIES} and more")
    is_pool, rows, means, noises = len(human.countries) > 1, [], [], []
    codes = tuple(code for code in _countries() if (code in human.countries) == is_pool)
    for number, code in enumerate(codes):
        one = _countries()[code]
        sample = np.where(np.eye(len(values)), 1.0, reliability * one.correlation.to_numpy())[None]
        if (carried := reliability**2 / one.n) < 1 / n:
            rng, missing = np.random.default_rng((seed, number)), round(1 / (1 / n - carried))
            sample = draw_correlations(sample[0], missing, draws=draws, rng=rng)
        others = _without(code, codes) if is_pool else human
        reference = others.correlation.loc[values, values].to_numpy()
        treated = treatment(sample, n), treatment(reference, n)
        z, local = pattern(*treated), contrasts(*treated)
        rows.append((code, one.n, z.mean(), np.tanh(z.mean()), z.var()))
        means.append(local.mean(axis=0))
        noises.append(local.var(axis=0))
    table = pd.DataFrame(rows, columns=["country", "people", "z", "agreement", "noise"])
    sampling_sd = float(np.sqrt(table.pop("noise").mean()))
    z, local = table["z"], (np.array(means), np.sqrt(np.mean(noises, axis=0)))
    return HumanBand(n, table, float(z.mean()), float(z.std()), sampling_sd, *local)


def halves_of(data: np.ndarray, *, splits: int = 50, seed: int = 0) -> np.ndarray:
    """Return correlations of random halves: scores ``(n, d)`` -> ``(2, splits, d, d)``."""
    rng, half = generator(seed), len(data) // 2
    orders = [rng.permutation(len(data))[: 2 * half].reshape(2, half) for _ in range(splits)]
    return np.array([[np.corrcoef(data[o[side]].T) for o in orders] for side in (0, 1)])


def split_half(halves: np.ndarray, n: int, treatment: Callable = raw) -> float:
    """Return the mean agreement of two halves of ``n`` respondents, as of :func:`halves_of`."""
    first, second = (treatment(half, n // 2) for half in halves)
    return float(np.tanh(pattern(first, second)).mean())
