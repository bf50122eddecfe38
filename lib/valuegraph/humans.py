"""Human reference: how the ten values go together in people, as figures with their source.

Each reference is a correlation matrix that comes with the package, computed from public data on
individuals; the data themselves are not shipped. Reliabilities are low (Cronbach's alpha .31 for
Tradition in the ESS), so measurement error alone can put edges into a human graph.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources

import numpy as np
import pandas as pd

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
    source
        Citation, and where the data were taken from.
    licence
        What the data may be used for.
    """

    name: str
    correlation: pd.DataFrame
    n: int
    reliability: pd.Series | None
    population: str
    instrument: str
    processing: str
    source: str
    licence: str

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the variables, in the order of the frame."""
        return tuple(self.correlation.columns)

    def __repr__(self) -> str:
        return (
            f"<HumanReference {self.name!r}: {len(self.values)} variables, {self.n} people; "
            f"{self.population}>"
        )


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
        name, table, about["n"], pd.Series(about["reliability"], name="reliability"), about
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
        countries[country] = _reference(f"ess11_{country}", correlation, n, None, here)
    return countries


def _about(name: str) -> dict:
    """Read what is known of a packaged table."""
    path = resources.files("valuegraph") / "data" / "human" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def _reference(
    name: str, correlation: pd.DataFrame, n: int, reliability: pd.Series | None, about: dict
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
        source=f"{about['citation']} {about['origin']}",
        licence=about["licence"],
    )
