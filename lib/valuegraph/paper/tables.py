"""The tables of Kang et al. (2025) as functions of a frame of scores.

Everything here works on *scores*: rows ``(intervention, role)``, columns values. Rows with
:data:`~valuegraph.answers.NO_INTERVENTION` are unsteered, those with
:data:`~valuegraph.roles.NO_ROLE` are of the model without a role. What is counted throughout is the
*sign* of a change: up, same, down.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION
from valuegraph.roles import NO_ROLE

DIRECTIONS = ("up", "down", "same")


def change_signs(scores: pd.DataFrame) -> pd.DataFrame:
    """Return whether each value went up or down against the unsteered score of the same role.

    Parameters
    ----------
    scores : pandas.DataFrame
        Index ``(intervention, role)``, columns values.

    Returns
    -------
    pandas.DataFrame
        The steered rows of `scores` with 1 (up), 0 (same) or -1 (down) in place of the scores.

    Raises
    ------
    ValueError
        If an intervention and role appear twice, or a steered role has no unsteered row.
    """
    if scores.index.duplicated().any():
        raise ValueError(f"scores hold {scores.index[scores.index.duplicated()][0]} more than once")
    unsteered = _unsteered(scores)
    steered = scores[scores.index.get_level_values(0) != NO_INTERVENTION]
    roles = steered.index.get_level_values(1)
    without = roles.difference(unsteered.index)
    if len(without):
        raise ValueError(f"role {without[0]!r} has steered scores, but no unsteered ones")
    changes = steered.to_numpy() - unsteered.loc[roles].to_numpy()
    return pd.DataFrame(np.sign(changes).astype(int), index=steered.index, columns=steered.columns)


def signatures(scores: pd.DataFrame) -> pd.DataFrame:
    """Count, for each intervention and value, in how many roles the value went up, down or nowhere.

    Parameters
    ----------
    scores : pandas.DataFrame
        Index ``(intervention, role)``, columns values.

    Returns
    -------
    pandas.DataFrame
        Index ``(intervention, value)``, columns ``up``, ``down``, ``same``: numbers of roles.
    """
    signs = change_signs(scores).stack()
    signs.index.names = ["intervention", "role", "value"]
    counts = {
        name: (signs == sign).groupby(["intervention", "value"]).sum()
        for name, sign in zip(DIRECTIONS, (1, -1, 0), strict=True)
    }
    return pd.DataFrame(counts)


def signature_similarity(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Return how alike two sets of roles answer to an intervention: the cells of table 1.

    The cosine between the two triples (share of roles up, down, same).

    Parameters
    ----------
    train, test : pandas.DataFrame
        :func:`signatures` of two sets of roles.

    Returns
    -------
    pandas.DataFrame
        Interventions x values, 0 to 1.

    Raises
    ------
    ValueError
        If only one of the two has an intervention or a value.
    """
    if set(train.index) != set(test.index):
        odd = train.index.symmetric_difference(test.index)[0]
        raise ValueError(f"only one of the two sets of roles has {odd}")
    a, b = _shares(train), _shares(test.loc[train.index])
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return ((a * b).sum(axis=1) / norms).unstack("value")


def noise_ratio(train: pd.DataFrame) -> pd.Series:
    """Return the share of roles that answer against the trend, by value, mean over interventions.

    For one intervention it is the smallest of the three shares (up, down, same).

    Parameters
    ----------
    train : pandas.DataFrame
        :func:`signatures` of the training roles.
    """
    return _shares(train).min(axis=1).groupby("value").mean()


def table1(train: pd.DataFrame, test: pd.DataFrame, values: list[str]) -> dict[str, object]:
    """Return table 1: how similar the effects of a feature are on training and on test roles.

    Parameters
    ----------
    train, test : pandas.DataFrame
        Scores of the training and of the test roles.
    values : list of str
        The values that the table shows.

    Returns
    -------
    dict
        ``mean_similarity_10values`` (by intervention), ``overall_mean``, ``noise_ratio`` (by value,
        two decimals, as printed in the paper).
    """
    seen, unseen = signatures(train[values]), signatures(test[values])
    similarity = signature_similarity(seen, unseen).mean(axis=1)
    similarity = similarity[sorted(similarity.index, key=lambda name: (len(name), name))]
    return {
        "mean_similarity_10values": {name: float(x) for name, x in similarity.items()},
        "overall_mean": float(similarity.mean()),
        "noise_ratio": {v: float(f"{x:.2f}") for v, x in noise_ratio(seen).items()},
    }


def co_changes(scores: pd.DataFrame) -> pd.DataFrame:
    """Return how often one value changes where another one does.

    Parameters
    ----------
    scores : pandas.DataFrame
        Rows of conditions, columns values. Changes are counted against the first row.

    Returns
    -------
    pandas.DataFrame
        Values x values. ``[v, w]`` is the share of rows in which ``w`` differs from the first row
        among those in which ``v`` does; NaN where ``v`` never does.

    Raises
    ------
    ValueError
        If there are fewer than two rows.
    """
    if len(scores) < 2:
        raise ValueError(f"changes need a first row and at least one other, got {len(scores)} rows")
    changed = (scores != scores.iloc[0]).astype(float)
    times = changed.sum()
    return (changed.T @ changed).div(times.where(times > 0), axis=0)


def expected_unexpected(together: pd.DataFrame, reachable: pd.DataFrame) -> pd.DataFrame:
    """Split co-changes into those that a graph leads one to expect and the rest, by value.

    Parameters
    ----------
    together : pandas.DataFrame
        :func:`co_changes`.
    reachable : pandas.DataFrame
        Boolean, values x values: whether a directed path leads from row to column.

    Returns
    -------
    pandas.DataFrame
        Index values, columns ``expected`` (mean of ``together[v, w]`` over all ``w`` reachable from
        ``v``) and ``unexpected`` (over all others but ``v`` itself); NaN where there are none.
    """
    reach = reachable.loc[together.index, together.columns].to_numpy(dtype=bool)
    itself = np.eye(len(together), dtype=bool)
    return pd.DataFrame(
        {
            "expected": together.where(reach & ~itself).mean(axis=1),
            "unexpected": together.where(~reach & ~itself).mean(axis=1),
        }
    )


def table2_entry(scores: pd.DataFrame, reachable: pd.DataFrame) -> dict[str, float | int]:
    """Return one comparison of table 2; arguments as of the two functions that it puts together.

    Mean and standard deviation (with divisor n) are over the values for which the share is defined;
    how many those are is told with them. The gap is that of the two means.
    """
    split = expected_unexpected(co_changes(scores), reachable)
    means, sds = split.mean(), split.std(ddof=0)
    return {
        "mean_expected": float(means["expected"]),
        "mean_unexpected": float(means["unexpected"]),
        "sd_expected": float(sds["expected"]),
        "sd_unexpected": float(sds["unexpected"]),
        "gap": float(means["expected"] - means["unexpected"]),
        "n_expected_defined": int(split["expected"].count()),
        "n_unexpected_defined": int(split["unexpected"].count()),
    }


def table2(
    scores: pd.DataFrame, steered_role: str, graphs: Mapping[str, pd.DataFrame]
) -> dict[str, dict[str, float | int]]:
    """Return table 2: role prompts and SAE features, each by every graph.

    Parameters
    ----------
    scores : pandas.DataFrame
        Scores of the test roles.
    steered_role : str
        The one role whose steered rows stand for SAE steering; they are compared with its unsteered
        row. Prompts are the unsteered rows with a role, compared with the first of them.
    graphs : mapping of str to pandas.DataFrame
        Reachability (as in :func:`expected_unexpected`) by name of the graph.

    Returns
    -------
    dict
        ``prompt_<graph>`` and ``sae_<graph>`` -> :func:`table2_entry`.

    Raises
    ------
    ValueError
        If the role has no scores.
    """
    prompts = _unsteered(scores).drop(index=NO_ROLE, errors="ignore")
    if steered_role not in prompts.index:
        raise ValueError(f"no unsteered scores of role {steered_role!r}")
    sae = scores.xs(steered_role, level=1)
    sae = pd.concat([sae.loc[[NO_INTERVENTION]], sae.drop(index=NO_INTERVENTION)])
    return {
        f"{way}_{name}": table2_entry(rows, reachable)
        for way, rows in (("prompt", prompts), ("sae", sae))
        for name, reachable in graphs.items()
    }


def hard_prompt_counts(
    scores: pd.DataFrame, prompted: pd.DataFrame, steering: Mapping[str, str]
) -> dict[str, list[int]]:
    """Count changes of the values aimed at: one chosen feature each against a plain instruction.

    Parameters
    ----------
    scores : pandas.DataFrame
        Scores of the test roles.
    prompted : pandas.DataFrame
        Index role, columns values: scores under an instruction that names the value.
    steering : mapping of str to str
        Value -> intervention that was chosen to move it.

    Returns
    -------
    dict
        ``sae`` and ``hard`` -> ``[up, same, down]``, numbers of (value, role) pairs.

    Raises
    ------
    ValueError
        If an intervention is not in `scores`, or a role has no prompted score.
    """
    unsteered = _unsteered(scores)
    without = unsteered.index.difference(prompted.index)
    if len(without):
        raise ValueError(f"role {without[0]!r} has no scores under the instruction")
    unknown = sorted(set(steering.values()) - set(scores.index.get_level_values(0)))
    if unknown:
        raise ValueError(f"no scores with intervention {unknown[0]!r}")
    counts = {"sae": np.zeros(3, dtype=int), "hard": np.zeros(3, dtype=int)}
    for value, intervention in steering.items():
        before = unsteered[value]
        after = {"sae": scores.loc[intervention, value], "hard": prompted[value]}
        for way, column in after.items():
            signs = np.sign(column.loc[before.index] - before)
            counts[way] += [(signs == sign).sum() for sign in (1, 0, -1)]
    return {way: count.tolist() for way, count in counts.items()}


def _unsteered(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the unsteered rows by role."""
    if NO_INTERVENTION not in scores.index.get_level_values(0):
        raise ValueError(f"no unsteered scores: no row has the intervention {NO_INTERVENTION!r}")
    return scores.xs(NO_INTERVENTION, level=0)


def _shares(counts: pd.DataFrame) -> pd.DataFrame:
    """Turn numbers of roles into shares of all roles."""
    return counts.div(counts.sum(axis=1), axis=0)
