"""Human reference: how the ten values go together in people, with the source of each figure.

The correlations were computed from public data on individuals, which are not shipped. Values are
measured with low reliability (Cronbach's alpha .31 for Tradition in the ESS), so measurement error
alone can put edges into a human graph.
"""

import json
from dataclasses import dataclass
from html import escape
from importlib import resources

import numpy as np
import pandas as pd

from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.tables import read_packaged_table

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

    @property
    def tiers(self) -> tuple[tuple[str, ...], ...]:
        """Age and sex, where they are there, before the values: no value makes anybody older."""
        exogenous = tuple(name for name in self.values if name not in SCHWARTZ_ORDER)
        values = tuple(name for name in self.values if name in SCHWARTZ_ORDER)
        return (exogenous, values) if exogenous else (values,)

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
    if name not in _NAMES:
        raise ValueError(f"unknown human reference {name!r}; choose one of {', '.join(_NAMES)}.")
    about = _about(name)
    r = read_packaged_table(f"human/{name}.csv").set_index("value").rename_axis(None)
    alphas = pd.Series(about["reliability"], name="reliability")
    return HumanReference(name, r, about["n"], alphas, tuple(about.get("n_by_country", ())), about)


def load_human_countries() -> dict[str, HumanReference]:
    """Load the 13 countries of ``"ess11"`` one by one, by code, without reliabilities."""
    about, countries = _about("ess11_countries"), {}
    for code, rows in read_packaged_table("human/ess11_countries.csv").groupby("country"):
        a, b = (rows[side].map(SCHWARTZ_ORDER.index) for side in ("value_a", "value_b"))
        matrix = np.eye(len(SCHWARTZ_ORDER)) / 2
        matrix[a, b] = rows["r"]
        table = pd.DataFrame(matrix + matrix.T, SCHWARTZ_ORDER, SCHWARTZ_ORDER)
        here = {**about, "population": f"Adults in country {code}, 2023-24"}
        n = int(rows["n"].iloc[0])
        countries[code] = HumanReference(f"ess11_{code}", table, n, None, (code,), here)
    return countries


def pool_countries(codes: list[str]) -> HumanReference:
    """Pool two or more of the 13 countries: mean correlations, weighted by people.

    The pool of all 13 differs from ``"ess11"``, computed from the answers themselves, by less than
    .02 in every correlation.
    """
    countries = load_human_countries()
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
