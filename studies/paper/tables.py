"""Table 1, table 2 and the pies of Kang et al. (2025), as functions of a frame of scores.

*Scores* have rows ``(intervention, role)`` and columns values. Rows under ``"none"`` are unsteered,
those of ``"no role"`` are of the model without a role. What is counted throughout is the *sign* of
a change: up, same, down.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from valuegraph.answers import NO_INTERVENTION
from valuegraph.roles import NO_ROLE

SIDES = ("expected", "unexpected")


def change_signs(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the steered rows, with signs of the changes from the unsteered row of their role."""
    if scores.index.has_duplicates:
        raise ValueError(f"scores hold {scores.index[scores.index.duplicated()][0]} more than once")
    unsteered = unsteered_rows(scores)
    steered = scores[scores.index.get_level_values(0) != NO_INTERVENTION]
    roles = steered.index.get_level_values(1)
    without = roles.difference(unsteered.index)
    if len(without):
        raise ValueError(f"role {without[0]!r} has steered scores, but no unsteered ones")
    return np.sign(steered - unsteered.loc[roles].to_numpy()).astype(int)


def signatures(scores: pd.DataFrame) -> pd.DataFrame:
    """Return in what share of the roles each value goes up, down or nowhere by an intervention.

    Index ``(intervention, value)``, columns ``up``, ``down``, ``same``.
    """
    signs = change_signs(scores).rename_axis(columns="value")
    by_sign = {"up": signs == 1, "down": signs == -1, "same": signs == 0}
    shares = {name: each.groupby(level=0).mean().stack() for name, each in by_sign.items()}
    return pd.DataFrame(shares).rename_axis(["intervention", "value"])


def feature_similarity(
    train: pd.DataFrame, test: pd.DataFrame, values: Sequence[str]
) -> pd.DataFrame:
    """Return how alike the signatures of two features are, one in each of two sets of roles.

    Interventions in `train` x interventions in `test`: mean over values of the cosine between
    two signatures, 0 to 1.
    """
    first, second = (signatures(scores[list(values)]) for scores in (train, test))
    if not first.index.equals(second.index):
        odd = first.index.symmetric_difference(second.index)[0]
        raise ValueError(f"only one of the two sets of roles has {odd}")
    names = first.index.unique("intervention")
    a, b = (
        (each.to_numpy() / np.linalg.norm(each, axis=1)[:, None]).reshape(len(names), -1)
        for each in (first, second)
    )
    order = sorted(names, key=lambda name: (len(name), name))
    return pd.DataFrame(a @ b.T / len(values), names, names).loc[order, order]


def table1(train: pd.DataFrame, test: pd.DataFrame, values: Sequence[str]) -> dict[str, object]:
    """Return table 1: how similar the effects of a feature are on training and on test roles.

    Returns
    -------
    dict
        ``mean_similarity_10values`` (by intervention), ``overall_mean``; ``noise_ratio`` by value,
        the smallest of the three shares, mean over interventions, two decimals as in the paper.
    """
    table = feature_similarity(train, test, values)
    similarity = pd.Series(np.diag(table), table.index)
    noise = signatures(train[list(values)]).min(axis=1).groupby("value").mean()
    return {
        "mean_similarity_10values": similarity.to_dict(),
        "overall_mean": float(similarity.mean()),
        "noise_ratio": {value: float(f"{share:.2f}") for value, share in noise.items()},
    }


def changes_from_first(scores: pd.DataFrame) -> pd.DataFrame:
    """Return which values differ from the first row: the changes behind table 2, one row less."""
    if len(scores) < 2:
        raise ValueError(f"changes need a first row and at least one other, got {len(scores)} rows")
    return scores.iloc[1:] != scores.iloc[0]


def changes_from_unsteered(scores: pd.DataFrame) -> pd.DataFrame:
    """Return which values differ from the unsteered row of the same role; steered rows only."""
    return change_signs(scores) != 0


def changes_of_table2(scores: pd.DataFrame, steered_role: str) -> dict[str, pd.DataFrame]:
    """Return the changes that table 2 counts, from scores of the test roles.

    ``prompt``: unsteered rows with a role, against the first of them. ``sae``: rows of the steered
    role, against its unsteered row.
    """
    prompts = unsteered_rows(scores).drop(index=NO_ROLE, errors="ignore")
    if steered_role not in prompts.index:
        raise ValueError(f"no unsteered scores of role {steered_role!r}")
    sae = scores.xs(steered_role, level=1)
    sae = pd.concat([sae.loc[[NO_INTERVENTION]], sae.drop(index=NO_INTERVENTION)])
    return {"prompt": changes_from_first(prompts), "sae": changes_from_first(sae)}


def change_rates(changed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how often w changes where v does, ``[v, w]``, and how often anyway.

    `changed` is 0 or 1, rows of conditions, columns values. Both results are values x values, and
    NaN where v never changes, so that means are over the same values.
    """
    times = changed.sum(axis=0)
    times = np.where(times > 0, times, np.nan)[:, None]
    together = (changed.T @ changed) / times
    return together, np.where(np.isnan(times), np.nan, changed.mean(axis=0))


def expected_unexpected(rates: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split rates into those that a graph leads one to expect and the rest.

    For each v the mean of ``rates[v, w]`` over all w that `reach` has a path to from v, and over
    all others but v itself; NaN where there are none.
    """
    known = ~np.eye(len(reach), dtype=bool) & ~np.isnan(rates)
    means = []
    for chosen in (reach & known, ~reach & known):
        count = chosen.sum(axis=1)
        total = np.where(chosen, rates, 0.0).sum(axis=1)
        means.append(np.divide(total, count, out=np.full(len(reach), np.nan), where=count > 0))
    return tuple(means)


def gap_of(rates: np.ndarray, reach: np.ndarray) -> float:
    """Return the mean expected rate less the mean unexpected one, NaN where one has no value."""
    sides = [side[~np.isnan(side)] for side in expected_unexpected(rates, reach)]
    return float(sides[0].mean() - sides[1].mean()) if all(map(len, sides)) else float("nan")


def table2(
    scores: pd.DataFrame, steered_role: str, graphs: Mapping[str, pd.DataFrame]
) -> dict[str, dict[str, float | int]]:
    """Return table 2: how often other values change along, expected by a graph or not.

    Scores are those of the test roles, one of which stands for SAE steering; graphs are given as
    :func:`~studies.paper.graphs.closure`, by name.

    Returns
    -------
    dict
        ``prompt_<graph>`` and ``sae_<graph>``: mean and standard deviation (divisor n) over the
        values for which the share is defined, how many those are, and the gap of the two means.
    """
    table = {}
    for way, changed in changes_of_table2(scores, steered_role).items():
        together, _ = change_rates(changed.to_numpy(dtype=float))
        for name, graph in graphs.items():
            reach = graph.loc[changed.columns, changed.columns].to_numpy()
            means = expected_unexpected(together, reach)
            sides = {side: pd.Series(x) for side, x in zip(SIDES, means, strict=True)}
            table[f"{way}_{name}"] = {
                **{f"mean_{side}": float(x.mean()) for side, x in sides.items()},
                **{f"sd_{side}": float(x.std(ddof=0)) for side, x in sides.items()},
                "gap": gap_of(together, reach),
                **{f"n_{side}_defined": int(x.count()) for side, x in sides.items()},
            }
    return table


def hard_prompt_counts(
    scores: pd.DataFrame, prompted: pd.DataFrame, steering: Mapping[str, str]
) -> dict[str, list[int]]:
    """Count changes of the values aimed at: one chosen feature each against a plain instruction.

    `prompted` are scores of the same roles under an instruction that names the value (index role),
    `steering` says which intervention was chosen to move a value. Returns ``[up, same, down]``,
    numbers of (value, role) pairs, for ``sae`` and ``hard``.
    """
    unsteered = unsteered_rows(scores)
    counts = {"sae": np.zeros(3, dtype=int), "hard": np.zeros(3, dtype=int)}
    for value, intervention in steering.items():
        after = {"sae": scores.loc[intervention, value], "hard": prompted[value]}
        for way, column in after.items():
            signs = np.sign(column.loc[unsteered.index] - unsteered[value])
            counts[way] += [(signs == sign).sum() for sign in (1, 0, -1)]
    return {way: count.tolist() for way, count in counts.items()}


def unsteered_rows(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without intervention, by role."""
    if NO_INTERVENTION not in scores.index.get_level_values(0):
        raise ValueError(f"no unsteered scores: no row has the intervention {NO_INTERVENTION!r}")
    return scores.xs(NO_INTERVENTION, level=0)
