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
    "side_effects": "whether the discovered graph predicts the side effects of steering "
    "(benchmarks/side_effects.py)",
    "plans": "whether plans achieve what they promise, beside the best single feature and the best "
    "prompt (benchmarks/plans.py)",
    "plans_prior": "where a graph as prior knowledge helps plans (benchmarks/plans.py)",
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

        ``"side_effects"`` has two parts. Of the ``part`` ``"answer"`` there is one row for each
        ``respondent``, kind of intervention (``interventions_by``) and ``predictor``: its ``skill``
        and further columns as in :class:`valuegraph.steering.side_effects.SideEffects`; ``n`` roles
        behind graph and correlations; numbers of ``interventions``, of ``targets`` and of test
        ``roles``; mean size of the effects on targets (``push``) and root mean square of the side
        effects (``side``), in standard deviations. The part ``"size"`` has means over ``runs`` with
        other roles behind graph and correlations, the smallest (``low``) and the largest
        (``high``), for several ``n``.

        ``"plans"`` has one row for each ``organism``, target (its ``number``, in words ``targets``
        and the number of values ``n_targets``) and ``way`` to reach it: on how many roles effects
        were measured (``n_measured``) and plans tried (``n_held_out``), whether it was said to be
        ``feasible``, with which ``predicted_collateral``, and the columns of
        :class:`valuegraph.steering.plan_checks.PlanCheck`'s summary on the roles it was tried on.

        ``"plans_prior"`` has one row for each ``organism``, ``noise`` by role (as a share of an
        action's main effect), number of roles measured (``n_roles``) and ``prior``: over a number
        of simulated ``targets`` the median number of actions that were found to move a value
        (``usable``), the share of plans said to be ``feasible``, and medians of miss and of
        collateral at equal target.

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
