"""Human reference: how the ten values go together in people, as figures with their source.

Each reference is a correlation matrix that comes with the package, computed from public data on
individuals; the data themselves are not shipped. Reliabilities are low (Cronbach's alpha .31 for
Tradition in the ESS), so measurement error alone can put edges into a human graph.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources

import numpy as np
import pandas as pd

from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.tables import read_packaged_table

_DESCRIPTIONS = {
    "ess11": "ESS round 11, 13 European countries, country means removed (the primary reference)",
    "ess11_age_sex": "the same people with age and sex as two further variables",
    "ess9_germany": "ESS round 9, Germany",
    "gss2012": "General Social Survey 2012, USA",
    "pvq40": "PVQ-40 with more items a value, USA, small sample",
}


@dataclass(frozen=True, eq=False, repr=False)
class HumanReference:
    """Correlations of values in one sample of people.

    Attributes
    ----------
    name
        What the reference is called in :func:`load_human`.
    correlation
        Pearson correlations of raw scores, a symmetric frame labelled by value on both sides.
    n
        Number of people.
    reliability
        Cronbach's alpha by value, or None where it is not known. Exogenous variables (age, sex)
        have none.
    population
        Who was asked, where and when.
    instrument
        With what questionnaire.
    processing
        How answers became correlations.
    citation
        How to cite the data.
    origin
        Where the data were taken from, to the file.
    licence
        What the data may be used for.
    countries
        Codes of the ESS countries that the people come from, as far as :func:`load_human_countries`
        has them; empty for other samples.
    """

    name: str
    correlation: pd.DataFrame
    n: int
    reliability: pd.Series | None
    population: str
    instrument: str
    processing: str
    citation: str
    origin: str
    licence: str
    countries: tuple[str, ...] = ()

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the variables, in the order of the frame."""
        return tuple(self.correlation.columns)

    @property
    def tiers(self) -> tuple[tuple[str, ...], ...]:
        """Variables by what can cause what: nothing causes one of an earlier tier.

        Age and sex come before the values, where they are there: no value makes anybody older.
        """
        exogenous = tuple(name for name in self.values if name not in SCHWARTZ_ORDER)
        values = tuple(name for name in self.values if name in SCHWARTZ_ORDER)
        return (exogenous, values) if exogenous else (values,)

    @property
    def source(self) -> str:
        """How to cite the data, and where they were taken from."""
        return f"{self.citation} {self.origin}"

    def __repr__(self) -> str:
        return (
            f"<HumanReference {self.name!r}: {len(self.values)} variables, {self.n} people; "
            f"{self.population}>"
        )

    def _repr_html_(self) -> str:
        rows = {
            "people": f"{self.n:,}",
            "population": self.population,
            "instrument": self.instrument,
            "processing": self.processing,
            "reliability": "not known",
            "cite as": self.citation,
            "taken from": self.origin,
            "licence": self.licence,
        }
        if self.reliability is not None:
            alphas = ", ".join(f"{value} {alpha:.2f}" for value, alpha in self.reliability.items())
            rows["reliability"] = f"Cronbach's alpha: {alphas}"
        cells = "".join(f"<tr><th>{k}</th><td>{escape(v)}</td></tr>" for k, v in rows.items())
        return f"<p><strong>{escape(self.name)}</strong></p>\n<table>{cells}</table>"


def load_human(name: str = "ess11") -> HumanReference:
    """Load the correlations of values in one sample of people.

    Parameters
    ----------
    name
        ``"ess11"`` (13 European countries 2023-24, country means removed; the primary reference),
        ``"ess11_age_sex"`` (with age and sex), or a replication: ``"ess9_germany"``,
        ``"gss2012"``, ``"pvq40"``.

    Raises
    ------
    ValueError
        If there is no reference of that name.
    """
    if name not in _DESCRIPTIONS:
        known = "; ".join(f"{key!r} ({what})" for key, what in _DESCRIPTIONS.items())
        raise ValueError(f"unknown human reference {name!r}; choose one of {known}")
    about = _about(name)
    table = read_packaged_table(f"human/{name}.csv").set_index("value")
    return _reference(
        name,
        table,
        about["n"],
        pd.Series(about["reliability"], name="reliability"),
        about,
        countries=tuple(about.get("n_by_country", ())),
    )


def load_human_countries() -> dict[str, HumanReference]:
    """Load the 13 countries of ``"ess11"`` one by one: how much human samples differ.

    Returns
    -------
    dict
        Country code (``"AT"``, ``"CH"``, ...) -> reference, in alphabetical order. Reliabilities by
        country are not known.
    """
    about = _about("ess11_countries")
    table = read_packaged_table("human/ess11_countries.csv")
    order = list(load_human("ess11").values)
    countries = {}
    for country, rows in table.groupby("country", sort=True):
        upper = rows.pivot(index="value_a", columns="value_b", values="r")
        upper = upper.reindex(index=order, columns=order).fillna(0.0)
        correlation = upper + upper.T + np.eye(len(order))
        n = int(rows["n"].iloc[0])
        here = about | {"population": f"Adults in country {country}, 2023-24"}
        countries[country] = _reference(
            f"ess11_{country}", correlation, n, None, here, countries=(country,)
        )
    return countries


def pool_countries(names: Sequence[str]) -> HumanReference:
    """Put some of the 13 countries together, as a reference for the others.

    Parameters
    ----------
    names
        Country codes, at least two.

    Returns
    -------
    HumanReference
        Mean correlations, weighted by people: within countries, up to differences of variance
        between them. ``"ess11"``, computed from the answers themselves, differs from the pool of
        all 13 by less than .02 in every correlation.

    Raises
    ------
    ValueError
        If a country is unknown or named twice, or there are fewer than two.
    """
    countries = load_human_countries()
    unknown = [name for name in names if name not in countries]
    if unknown or len(set(names)) != len(names) or len(names) < 2:
        raise ValueError(
            f"name at least two of the countries {', '.join(countries)}, each once; "
            f"got {', '.join(map(str, names)) or 'none'}"
        )
    people = [countries[name].n for name in names]
    matrices = [countries[name].correlation.to_numpy() for name in names]
    values = countries[names[0]].values
    pooled = pd.DataFrame(np.average(matrices, axis=0, weights=people), values, values)
    here = _about("ess11_countries") | {
        "population": f"Adults in {len(names)} countries ({', '.join(names)}), 2023-24"
    }
    return _reference(
        "ess11_" + "_".join(names), pooled, sum(people), None, here, countries=tuple(names)
    )


def _about(name: str) -> dict:
    """Read what is known of a packaged table."""
    path = resources.files("valuegraph") / "data" / "human" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def _reference(
    name: str,
    correlation: pd.DataFrame,
    n: int,
    reliability: pd.Series | None,
    about: dict,
    *,
    countries: tuple[str, ...],
) -> HumanReference:
    """Put a table and what is known of it together."""
    return HumanReference(
        name=name,
        correlation=correlation.astype(float).rename_axis(index=None, columns=None),
        n=n,
        reliability=reliability,
        population=about["population"],
        instrument=about["instrument"],
        processing=about["processing"],
        citation=about["citation"],
        origin=about["origin"],
        licence=about["licence"],
        countries=countries,
    )
