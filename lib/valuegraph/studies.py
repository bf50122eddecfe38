"""Results of long studies, as tables that come with the package.

A study takes minutes to hours: scripts in ``benchmarks/`` run it and write its table, pages of the
book show it.
"""

from __future__ import annotations

from importlib import resources

import pandas as pd

STUDIES = {
    "verdicts": "how often the verdict on a model is right, by number of roles "
    "(benchmarks/verdicts.py)",
}
"""Studies by name, and what they ask."""


def load_study(name: str) -> pd.DataFrame:
    """Load the table of a study.

    Parameters
    ----------
    name
        A name in :data:`STUDIES`.

        ``"verdicts"`` has one row for each ``respondent`` (of some ``kind``, its ``scores`` drawn
        from a known model or elicited), ``treatment`` of both sides and number of roles ``n``: how
        many ``runs`` came out ``inside``, ``outside`` and ``cannot tell``; means of ``agreement``,
        of the band (``band_low``, ``band_high``) and of both ceilings; medians of both p-values and
        of the number of roles said to be needed.

    Raises
    ------
    ValueError
        If there is no study of that name.
    """
    if name not in STUDIES:
        known = "; ".join(f"{key!r} ({what})" for key, what in STUDIES.items())
        raise ValueError(f"unknown study {name!r}; there are {known}")
    path = resources.files("valuegraph") / "data" / "studies" / f"{name}.csv"
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file)
