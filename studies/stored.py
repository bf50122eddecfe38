"""Results of long studies, which `benchmarks/` run and pages of the book show."""

import json
from importlib import resources

import pandas as pd

STUDIES = {
    "verdicts": "how often the verdict on a model is right, by number of roles",
    "side_effects": "whether the discovered graph predicts the side effects of steering",
    "plans": "whether plans achieve what they promise, beside the best single feature and prompt",
    "plans_prior": "where a graph as prior knowledge helps plans",
    "twins": "whether features of organisms come back from another seed, and do the same",
    "workshop": "random structures of five values: training, and what is found of them",
}
CALIBRATION = {
    "models": "firm edges and arrows of random models, and how many of them are true",
    "organisms": "the same for the organisms, by number of roles",
    "acting": "arrows of organisms, acted on and watched in as many cells, right and false",
    "acting_coverage": "intervals and arrows from acting on simulated respondents",
    "recorded": "edges where nothing is, in the scores recorded by Kang et al. (2025)",
    "summary": "settings, and shares over all models",
}


def load_study(name: str) -> pd.DataFrame:
    """Load the table of a study.

    Parameters
    ----------
    name : str
        ``"verdicts"``: one row for each ``respondent`` (of some ``kind``, its ``scores`` drawn from
        a known model or elicited), ``treatment`` of both sides and number of roles ``n``: how many
        ``runs`` came out ``inside``, ``outside`` and ``cannot tell``; means of ``agreement``, of
        the band (``band_low``, ``band_high``) and of both ceilings; medians of both p-values and of
        the number of roles needed.

        ``"side_effects"``: of the ``part`` ``"answer"`` one row for each ``respondent``, kind of
        intervention (``interventions_by``) and ``predictor``: its ``skill`` and other columns of
        :mod:`studies.side_effects`; ``n`` roles behind graph and correlations; numbers of
        ``interventions``, ``targets`` and test ``roles``; mean effect on targets (``push``) and
        root mean square of the side effects (``side``), in standard deviations. The part ``"size"``
        has means over ``runs`` with other roles behind the graph, the smallest (``low``) and the
        largest (``high``), for several ``n``.

        ``"plans"``: one row for each ``organism``, target (``number``, ``targets`` in words,
        ``n_targets``) and ``way`` to reach it: roles on which effects were measured
        (``n_measured``) and plans tried (``n_held_out``), whether it is ``feasible``,
        ``predicted_collateral``, and what was achieved in the roles it was tried on.

        ``"plans_prior"``: one row for each ``organism``, ``noise`` by role (as a share of an
        action's main effect), ``n_roles`` measured and ``prior``: over simulated ``targets`` the
        median number of ``usable`` actions, the share of ``feasible`` plans, and medians of miss
        and of collateral at equal target.

        ``"twins"``: one row for each ``organism`` and ``feature``: its ``twin``, ``cosine`` and
        ``correlation``, the ``rate`` at which it fires, the root mean square of its effects
        (``size``), their cosine with the twin's (``same``), and what the twin ``missed`` of them.

        ``"workshop"``: one row for each random structure, as `benchmarks/workshop.py` says.
    """
    return pd.read_csv(_file(STUDIES, f"{name}.csv"))


def load_calibration(name: str) -> pd.DataFrame | dict:
    """Load a table on how often firm edges and arrows are true, or its ``"summary"``, a dict.

    Parameters
    ----------
    name : str
        A name in :data:`CALIBRATION`.
    """
    if name == "summary":
        file = _file(CALIBRATION, "calibration", "summary.json")
        return json.loads(file.read_text(encoding="utf-8"))
    return pd.read_csv(_file(CALIBRATION, "calibration", f"{name}.csv"))


def _file(names: dict[str, str], *parts: str):
    name = parts[-1].split(".")[0]
    if name not in names:
        known = "; ".join(f"{key!r} ({what})" for key, what in names.items())
        raise ValueError(f"unknown table {name!r}; there are {known}")
    return resources.files("studies").joinpath("data", *parts)
