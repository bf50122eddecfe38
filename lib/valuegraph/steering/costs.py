"""What steering costs: how much a respondent is hurt in what has nothing to do with values.

Four figures stand beside each effect, all as changes against no intervention:

- *log-loss* on neutral text, and the *divergence* of the next word there
  (`valuegraph.steering.reading_costs`);
- *outside*: how much probability leaves yes and no where the answer is read;
- *unparsed*: how many more written answers say neither yes nor no.

An organism was never taught to predict text: its log-loss there is far above that of guessing, and
a push that makes it less sure of itself *lowers* it. Both figures then say that something moved,
not that something was hurt; the column ``reads`` tells whether that is so.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION
from valuegraph.inventory import Inventory
from valuegraph.psychometrics.resampling import (
    LEVEL,
    resampled_mean,
    role_weights,
    with_interval,
)

if TYPE_CHECKING:
    from valuegraph.asking.prompts import PromptFormat
    from valuegraph.interventions import Intervention
    from valuegraph.models import Respondent
    from valuegraph.roles import Role

#: Costs, and what each is.
COSTS = {
    "log_loss": "change of log-loss on neutral text, nats per token",
    "divergence": "divergence of the next word on neutral text, nats per token",
    "outside": "change of the probability outside yes and no",
    "unparsed": "change of the share of written answers that say neither yes nor no",
}


def costs(
    respondent: Respondent,
    inventory: Inventory,
    roles: Sequence[Role | None],
    interventions: Sequence[Intervention],
    *,
    answers: pd.DataFrame | None = None,
    texts: Sequence[str] | None = None,
    written: int = 0,
    max_new_tokens: int = 100,
    fmt: PromptFormat | None = None,
    draws: int = 1000,
    level: float = LEVEL,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Measure what interventions cost.

    Parameters
    ----------
    respondent, inventory, roles, fmt, progress
        As for `valuegraph.elicitation.elicit`.
    interventions
        What is compared with no intervention.
    answers
        Answers in ``logit`` mode that hold the baseline and all interventions for these roles, if
        they were asked already; otherwise they are asked here.
    texts
        Neutral texts, each read by itself; by default `neutral_texts`, which organisms know, too.
    written
        To how many items a value answers are also written, as many of either key as can be.
        Writing is dear: 0 leaves it out, and ``unparsed`` is NaN.
    max_new_tokens
        Longest answer written.
    draws, level, seed
        Bootstrap resamples of the roles, coverage and seed of the percentile intervals.

    Returns
    -------
    pandas.DataFrame
        One row for each intervention: ``intervention``; for every cost of `COSTS` its mean over
        roles under its own name, and the ends of its interval as ``<cost>_low``, ``<cost>_high``;
        ``n_roles``; ``reads``: whether the respondent reads the text better than by guessing,
        without which neither log-loss nor divergence tells of harm.

    Raises
    ------
    ValueError
        If the answers lack a role or intervention, there are fewer than two roles, or an option is
        out of range.
    """
    from valuegraph.steering.reading_costs import neutral_texts, text_costs

    roles, interventions = list(roles), list(interventions)
    if not 0 <= written <= len(inventory.items):
        raise ValueError(f"written must lie between 0 and {len(inventory.items)}, got {written}")
    if answers is None:
        answers = ask_with_and_without(
            respondent, inventory, roles, interventions, fmt=fmt, progress=progress
        )
    texts = neutral_texts() if texts is None else texts
    read = text_costs(respondent, texts, roles, interventions, fmt=fmt, progress=progress)
    outside = outside_changes(answers)
    names = [intervention.name for intervention in interventions]
    if set(names) != set(outside.columns) or len(outside) != len(roles):
        raise ValueError(
            f"the answers hold {len(outside)} roles under {', '.join(outside.columns)}; "
            f"needed are {len(roles)} roles under {', '.join(names)}"
        )
    unparsed = np.full(outside.shape, np.nan)
    if written:
        said = ask_with_and_without(
            respondent,
            some_items(inventory, written),
            roles,
            interventions,
            mode="generate",
            max_new_tokens=max_new_tokens,
            progress=progress,
        )
        unparsed = unparsed_changes(said)[names].to_numpy()
    by_role = np.stack(
        [read.log_loss, read.divergence, outside[names].to_numpy(), unparsed], axis=2
    )
    table = cost_table(names, by_role, draws=draws, level=level, seed=seed)
    return table.assign(reads=read.reads)


def ask_with_and_without(
    respondent: Respondent,
    inventory: Inventory,
    roles: Sequence[Role | None],
    interventions: Sequence[Intervention],
    **options: object,
) -> pd.DataFrame:
    """Ask under no intervention and under each; `options` are those of `elicit`.

    That a push drives the mass off yes and no is told as a cost, so that nothing warns of it here.
    """
    from valuegraph.elicitation import DoubtfulAnswers, elicit

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtfulAnswers)
        return elicit(respondent, inventory, roles, interventions=[None, *interventions], **options)


def cost_table(
    names: Sequence[str],
    by_role: np.ndarray,
    *,
    draws: int = 1000,
    level: float = LEVEL,
    seed: int = 0,
) -> pd.DataFrame:
    """Average costs over roles, with intervals.

    Parameters
    ----------
    names
        Names of the interventions.
    by_role
        Costs in the order of `COSTS`, shape ``(roles, interventions, 4)``.
    draws, level, seed
        As for `costs`.

    Returns
    -------
    pandas.DataFrame
        The table of `costs` without ``reads``.

    Raises
    ------
    ValueError
        If there are fewer than two roles, or `level` or `draws` makes no sense.
    """
    if len(by_role) < 2:
        raise ValueError("an interval over roles needs at least 2 roles")
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    means = resampled_mean(by_role, role_weights(len(by_role), draws, seed=seed))
    rows = []
    for i, name in enumerate(names):
        row: dict[str, object] = {"intervention": name}
        for c, cost in enumerate(COSTS):
            row |= with_interval(cost, means[:, i, c], level=level)
        rows.append(row | {"n_roles": len(by_role)})
    return pd.DataFrame(rows)


def outside_changes(answers: pd.DataFrame) -> pd.DataFrame:
    """Change of the probability outside yes and no, mean over items.

    Parameters
    ----------
    answers
        Answers that hold the baseline `NO_INTERVENTION`.

    Returns
    -------
    pandas.DataFrame
        Index role, columns interventions without the baseline.

    Raises
    ------
    ValueError
        If the baseline is missing, or a role was not asked under every intervention.
    """
    return _changes(answers.assign(what=1 - answers["mass"]))


def unparsed_changes(answers: pd.DataFrame) -> pd.DataFrame:
    """Change of the share of answers that are neither yes nor no; as `outside_changes`."""
    return _changes(answers.assign(what=(answers["answer"] == 0).astype(float)))


def some_items(inventory: Inventory, n: int) -> Inventory:
    """Keep `n` items of every value, by turns positively and negatively keyed.

    Parameters
    ----------
    inventory
        Where they come from.
    n
        How many; values with fewer keep all of theirs.
    """
    items = inventory.items
    turn = items.groupby(["value", "key"], sort=False).cumcount()
    order = items.assign(turn=turn).sort_values(["turn", "key"], ascending=[True, False])
    kept = order.groupby("value", sort=False).head(n).index
    return Inventory(f"{inventory.name}, {n} a value", items.loc[sorted(kept)], inventory.values)


def _changes(answers: pd.DataFrame) -> pd.DataFrame:
    order = answers["intervention"].unique()
    means = answers.groupby(["role", "intervention"], sort=False)["what"].mean()
    means = means.unstack("intervention")[list(order)]
    if NO_INTERVENTION not in means.columns:
        raise ValueError(
            f"costs are told against {NO_INTERVENTION!r}, which the answers do not hold"
        )
    if means.isna().any(axis=None):
        raise ValueError(
            f"not every role was asked under every intervention, or its mass is missing: "
            f"{means.index[means.isna().any(axis=1)][0]!r}"
        )
    return means.drop(columns=NO_INTERVENTION).sub(means[NO_INTERVENTION], axis=0)
