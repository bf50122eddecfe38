"""Graphs from acting: push one value, see which others follow, and solve for who moved whom.

In a linear model ``v = v B + u``, cyclic or not, an intervention on value ``k`` changes ``k``'s own
equation and no other. So in every role, for every other value ``w`` and every intervention that is
not about ``w``,

    change[w] = intercept[w] + sum_j B[j, w] change[j].

That is one regression for each value, over interventions (`valuegraph.direct_effects`). Causes that
nobody measured cancel, since every role is compared with itself, and it does not matter whether an
intervention sets its value or adds to it. The intercept takes out what any sentence does, whatever
it says. Where nothing passes from value to value, there is no arrow.

References
----------
Hyttinen, A., Eberhardt, F., Hoyer, P. O. (2012). Learning linear cyclic causal models with latent
variables. JMLR 13, 3387-3439.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import chdtri

from valuegraph.answers import NO_INTERVENTION, check_answers
from valuegraph.direct_effects import PARTS, Changes, Fitted, fit
from valuegraph.drawing import Drawing, draw
from valuegraph.exact import search_pushes
from valuegraph.graph import ValueGraph
from valuegraph.tables import generator, require, require_between

#: Smallest weight of interest: less than a twelfth of a push is passed on. The organisms' own
#: weights differ from the planted ones by up to .06 at eight roles, so that less says nothing.
FLOOR = 0.08

#: Kind of sentences that are about no value.
NEUTRAL = "neutral"


@dataclass(frozen=True, eq=False, repr=False)
class ActedGraph:
    """Direct effects of values on one another, found by acting; feedback is allowed.

    Attributes
    ----------
    values : tuple of str
        Codes of the ``d`` values.
    table : pandas.DataFrame
        One row for each ordered pair: ``cause``, ``effect``; ``weight``, the change of the effect
        per unit change of the cause, all others held fixed; ``low`` and ``high``, its 95 %
        interval; ``p`` of no effect; ``firm``, whether the interval lies wholly beyond the floor;
        ``families``, in how many kinds of interventions it is firm by itself; ``differ``, p-value
        of one weight for all families (Cochran's Q); ``status``: ``"confirmed"`` by two families,
        ``"contested"`` where they differ, ``"single"`` otherwise; empty where it is not firm.
    families : pandas.DataFrame
        By kind of intervention: ``pushes``, ``arrows`` found by it alone, and of these ``shared``
        with the graph of all (NaN where a kind alone is too few).
    errors : pandas.DataFrame
        By pair: variance of the weight that is due to ``pushes`` (their side effects), ``noise``
        (of each answer), ``roles`` and ``items``.
    info : Mapping
        ``roles``, ``pushes``, ``items`` (fewest of a value), ``floor``; ``null_arrows``, the mean
        number of arrows that come of neutral sentences whose targets are drawn at random, of
        ``null_draws``, or None where there are too few; ``side_effects``, the standard deviation of
        what an intervention does to a value past the graph, in the unit of the scores, and
        ``misfit_p``, the p-value of there being none.
    """

    values: tuple[str, ...]
    table: pd.DataFrame
    families: pd.DataFrame
    errors: pd.DataFrame
    info: Mapping[str, object] = field(default_factory=dict)

    @property
    def weights(self) -> pd.DataFrame:
        """Direct effects ``[cause, effect]``, all of them, firm or not."""
        return _matrix(self.table, "weight", self.values)

    @property
    def arrows(self) -> pd.DataFrame:
        """Rows of the table that are firm, the strongest first."""
        firm = self.table[self.table["firm"]]
        return firm.sort_values("weight", key=abs, ascending=False).reset_index(drop=True)

    def responses(self, *, firm: bool = False) -> pd.DataFrame:
        """Tell how all values respond to a push of one, per unit change of that one.

        ``T[k, w] / T[k, k]`` with ``T = (I - B)^-1``; the same whether the push sets its value or
        adds to it.

        Parameters
        ----------
        firm : bool
            Whether to take firm arrows alone.

        Returns
        -------
        pandas.DataFrame
            ``[pushed, responding]``, ones on the diagonal.
        """
        weights = self.weights * _matrix(self.table, "firm", self.values) if firm else self.weights
        total = np.linalg.inv(np.eye(len(self.values)) - weights.to_numpy(dtype=float))
        responses = total / np.diag(total)[:, None]
        return pd.DataFrame(responses, self.values, self.values).rename_axis(index="pushed")

    def direct_pushes(self, changes: pd.DataFrame) -> pd.DataFrame:
        """Tell what each intervention does to each value itself, not by way of the others.

        So an intervention with an unknown target, such as a feature, shows it: ``change (I - B)``.

        Parameters
        ----------
        changes : pandas.DataFrame
            Mean changes, interventions by values, such as `effect_matrix` lays out.
        """
        direct = np.eye(len(self.values)) - self.weights.to_numpy(dtype=float)
        return changes[list(self.values)] @ pd.DataFrame(direct, self.values, self.values)

    def value_graph(self) -> ValueGraph:
        """Return the firm arrows as a graph like those found by watching; feedback is refused."""
        firm = _matrix(self.table, "firm", self.values).to_numpy(dtype=bool)
        if np.linalg.matrix_power(firm.astype(float), len(firm)).any():
            held = "firm arrows hold a cycle (feedback), as no graph found by watching can"
            raise ValueError(f"{held}: compare weights, or draw this graph as it is")
        return ValueGraph.from_adjacency(self.values, firm, {"method": "acting", **self.info})

    def needed(self, error: float = 0.1, *, share: float = 0.9) -> pd.DataFrame:
        """Tell how large an experiment must be for a wished error, taking this one for a pilot.

        Parameters
        ----------
        error : float
            Half the width of a 95 % interval of a weight.
        share : float
            Share of the weights that shall be known so well.

        Returns
        -------
        pandas.DataFrame
            One row for each of ``roles``, ``pushes`` and ``items``: ``now``; ``needed`` if it alone
            grows, infinite where that is of no use; and ``error`` as it is now, and as it would be
            with twice as many.
        """
        now = {name: self.info[name] for name in ("roles", "pushes", "items")}
        errors = self.errors[list(PARTS)].to_numpy()
        shrinks = {"roles": [0, 1, 1, 0], "pushes": [1, 1, 0, 0], "items": [0, 1, 0, 1]}

        def half_width(times: float, by: Sequence[int]) -> float:
            variance = errors @ (1 / times ** np.array(by, dtype=float))
            return float(1.96 * np.sqrt(np.quantile(variance, share)))

        rows = []
        for name, by in shrinks.items():
            times = np.geomspace(1 / now[name], 1e4, 20_000)[::20]
            enough = [t for t in times if half_width(t, by) <= error]
            needed = np.ceil(enough[0] * now[name]) if enough else np.inf
            rows.append([name, now[name], needed, half_width(1, by), half_width(2, by)])
        columns = ["what", "now", "needed", "error", "error_doubled"]
        return pd.DataFrame(rows, columns=columns).set_index("what")

    def draw(self, layout: str = "circle") -> Drawing:
        """Draw the firm arrows; ``layout`` as for `ValueGraph.draw`."""
        pairs = self.arrows[["cause", "effect"]].itertuples(index=False)
        edges = [(cause, "→", effect) for cause, effect in pairs]
        return draw(self.values, edges, layout, self.caption, None)

    @property
    def caption(self) -> str:
        """One line of what has to be known to read the graph."""
        null = self.info["null_arrows"]
        parts = ["acting", f"{self.info['roles']} roles", f"{self.info['pushes']} pushes"]
        parts += [f"{len(self.arrows)} arrows beyond {self.info['floor']:g}"]
        return ", ".join(parts + ([] if null is None else [f"null {null:.1f} arrows"]))

    def _repr_svg_(self) -> str:
        return self.draw().svg

    def __repr__(self) -> str:
        return f"<ActedGraph of {len(self.values)} values: {self.caption}>"


def acted_graph(
    answers, interventions, *, targets=None, by="log_odds", floor=FLOOR, null_draws=20, seed=0
) -> ActedGraph:
    """Find direct effects of values on one another from answers under interventions.

    Parameters
    ----------
    answers : pandas.DataFrame
        Answers of one model under no intervention and under all of these, for the same roles (two
        at least) and items (two of each value at least).
    interventions : sequence
        Each with the value that it is about in its origin, as `stances` and the like make them; an
        empty value for sentences that are about none. At least one for each value, and three more
        than there are values that are not about a given one; two for each value will do.
    targets : mapping, optional
        The value that an intervention is about, by name, where its origin does not tell or tells
        something else. Interventions about which nothing is known are left out.
    by : str
        What changes are measured in, ``"log_odds"`` or ``"answer"``.
    floor : float
        Smallest weight of interest: a firm arrow's interval lies wholly beyond it.
    null_draws, seed : int
        How often targets are drawn for the neutral sentences.
    """
    require(floor >= 0, f"floor must be 0 or more, got {floor}")
    changes, values = _changes(answers, interventions, targets or {}, by)
    fitted = fit(changes, len(values))
    if fitted is None:
        aimed = np.bincount(changes.target[changes.target >= 0], minlength=len(values))
        counts = ", ".join(f"{v} {n}" for v, n in zip(values, aimed, strict=True))
        counts += f", and {np.sum(changes.target < 0)} about no value"
        raise ValueError(f"too few interventions: {counts}; give two or more for each value")
    table = _table(fitted, values, floor)
    neutral, alone = changes.kind == NEUTRAL, {}
    families = pd.DataFrame(columns=["pushes", "arrows", "shared"], dtype=float)
    for kind in dict.fromkeys(changes.kind[~neutral]):
        own = changes.kind == kind
        families.loc[kind, "pushes"] = own.sum()
        own |= neutral & (changes.group == changes.group[own][0])
        if one := fit(changes.among(own), len(values)):
            alone[kind] = _table(one, values, floor)
            families.loc[kind, "arrows"] = alone[kind]["firm"].sum()
            families.loc[kind, "shared"] = (alone[kind]["firm"] & table["firm"]).sum()
    table = _joined(table, list(alone.values()))
    pairs = table[["cause", "effect"]]
    errors = pd.concat([pairs, pd.DataFrame(_off(fitted.parts), columns=PARTS)], axis=1)
    info = {"roles": changes.cube.shape[1], "pushes": len(changes.cube)}
    info |= {"items": int(np.bincount(changes.item_value).min()), "floor": floor, "by": by}
    info["null_arrows"] = _null(changes.among(neutral), values, floor, null_draws, seed)
    info |= {"null_draws": null_draws, "seed": seed, **_misfit(fitted)}
    return ActedGraph(tuple(values), table, families.rename_axis("kind"), errors, info)


def find_targets(answers, interventions, *, by="log_odds", alpha=0.01) -> pd.DataFrame:
    """Tell what each intervention is about where nobody knows, as of features.

    Of all graphs without cycles of at most 12 values, that one is taken which needs the fewest
    pushes (`valuegraph.exact.search_pushes`). Give the targets to `acted_graph`, which allows for
    feedback and side effects; its intervals do not know that targets were searched for.

    Parameters
    ----------
    answers, interventions, by
        As for `acted_graph`. What is known to be about no value is taken out of all changes.
    alpha : float
        Level at which a change counts as one, over all values together.

    Returns
    -------
    pandas.DataFrame
        By intervention: ``target``, the value that it moves most by itself (``""``: none);
        ``moved``, by how many standard errors; ``others``, how many more it moves by itself.
    """
    require_between(alpha, 0, 1, "alpha")
    every = {one.name: "" for one in interventions}
    changes, values = _changes(answers, interventions, every, by)
    neutral = np.array([getattr(one, "origin", {}).get("value") == "" for one in interventions])
    _, moved = changes.of_values(len(values))
    if neutral.any():
        moved = moved - moved[neutral].mean(axis=0)
    errors = np.sqrt((moved.var(axis=1, ddof=1) / moved.shape[1]).mean(axis=0))
    left = search_pushes(moved.mean(axis=1), np.maximum(errors, 1e-9), alpha)
    own = left**2 > chdtri(1, alpha / len(values))
    names = np.where(own.any(axis=1), np.array(values, dtype=object)[left.argmax(axis=1)], "")
    figures = {"target": names, "moved": left.max(axis=1), "others": (own.sum(axis=1) - 1).clip(0)}
    return pd.DataFrame(figures, pd.Index(list(every), name="intervention"))


def _changes(answers, interventions, targets, by) -> tuple[Changes, list[str]]:
    """Lay answers out as changes; refuse what is incomplete."""
    check_answers(answers, by)
    values, names = list(answers["value"].unique()), [one.name for one in interventions]
    origin = [{"text": one.text or None, **getattr(one, "origin", {})} for one in interventions]
    origins = pd.DataFrame(origin, names, ["kind", "value", "text"], dtype=object)
    if unknown := [name for name in targets if name not in names]:
        raise ValueError(f"targets name {unknown[0]!r}, which is none of the interventions")
    origins["value"] = pd.Series(targets, dtype=object).reindex(names).fillna(origins["value"])
    origins["kind"] = origins["kind"].fillna("shift").where(origins["value"] != "", NEUTRAL)
    origins = origins[origins["value"].notna()]
    if strange := ", ".join(sorted(set(origins["value"]) - {*values, ""})):
        raise ValueError(f"interventions are about {strange}, which is not asked")
    items = answers.drop_duplicates("item").set_index("item")["value"]
    if (few := items.value_counts()).min() < 2:
        raise ValueError(f"{few.idxmin()} has a single item; two of each value are needed")
    score = (answers["key"] * answers[by]).rename("score")
    cells = score.groupby([answers[c] for c in ("intervention", "role", "item")], sort=False).mean()
    roles, names = answers["role"].unique(), [NO_INTERVENTION, *origins.index]
    whole = pd.MultiIndex.from_product([names, roles, items.index])
    cube = cells.reindex(whole).to_numpy().reshape(len(names), len(roles), len(items))
    if np.isnan(cube).any():
        name, role, item = whole[np.argmax(np.isnan(cube.ravel()))]
        raise ValueError(f"no answer of {role!r} to {item!r} under {name!r}; ask every role alike")
    require(len(roles) >= 2, "answers of one role have no error; ask two roles at least")
    of_items = np.array([values.index(v) for v in items])
    aimed = np.array([values.index(v) if v else -1 for v in origins["value"]], dtype=int)
    groups, kinds = origins["text"].isna().to_numpy(dtype=int), origins["kind"].to_numpy(dtype=str)
    return Changes(cube[1:] - cube[0], of_items, aimed, groups, kinds), values


def _table(fitted: Fitted, values: Sequence[str], floor: float) -> pd.DataFrame:
    """List weights with their intervals, a row for each ordered pair."""
    t = stats.t.ppf(0.975, fitted.df)
    low, high = fitted.weights - t * fitted.sd, fitted.weights + t * fitted.sd
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stats.t.sf(np.abs(fitted.weights) / fitted.sd, fitted.df)
    pairs = [(a, b) for a in values for b in values if a != b]
    table = pd.DataFrame(pairs, columns=["cause", "effect"])
    figures = {"weight": fitted.weights, "low": low, "high": high, "sd": fitted.sd, "p": p}
    for name, figure in figures.items():
        table[name] = _off(figure)
    return table.assign(firm=(table["low"] > floor) | (table["high"] < -floor))


def _joined(table: pd.DataFrame, several: list[pd.DataFrame]) -> pd.DataFrame:
    """Hold the families' own weights against one another."""
    weights = np.array([t["weight"] for t in several]).reshape(len(several), len(table))
    precision = 1 / np.array([t["sd"] for t in several]).reshape(weights.shape) ** 2
    alike = np.array([t["firm"] & (t["weight"] * table["weight"] > 0) for t in several])
    alike = alike.reshape(weights.shape)
    if len(several) > 1:
        common = (precision * weights).sum(axis=0) / precision.sum(axis=0)
        differ = stats.chi2.sf((precision * (weights - common) ** 2).sum(axis=0), len(several) - 1)
    else:
        differ = np.full(len(table), np.nan)
    count = alike.sum(axis=0)
    # Where all families find it, they may differ on its size, not on there being an arrow.
    contested = (differ < 0.05 / len(table)) & (count < len(several))
    status = np.select([contested, count >= 2], ["contested", "confirmed"], "single")
    status = np.where(table["firm"], status, "")
    return table.drop(columns="sd").assign(families=count, differ=differ, status=status)


def _null(neutral: Changes, values, floor, draws, seed) -> float | None:
    """Count the arrows of neutral sentences, as if each were about a value; None if too few."""
    rng, counts = generator(seed), []
    for _ in range(draws):
        aimed = rng.permutation(np.arange(len(neutral.cube)) % len(values))
        if fitted := fit(neutral._replace(target=aimed), len(values)):
            counts.append(_table(fitted, values, floor)["firm"].sum())
    return float(np.mean(counts)) if counts else None


def _misfit(fitted: Fitted) -> dict[str, float]:
    """Tell how far interventions do something past the graph, beyond noise."""
    left, noise, spare, df = fitted.misfit.sum(axis=0)
    p = stats.f.sf(left / noise, spare, df) if noise > 0 else 0.0
    return {"side_effects": max(0.0, float((left - noise) / spare)) ** 0.5, "misfit_p": float(p)}


def _off(figure: np.ndarray) -> np.ndarray:
    """List what stands off the diagonal, row by row."""
    return figure[~np.eye(len(figure), dtype=bool)]


def _matrix(table: pd.DataFrame, column: str, values: Sequence[str]) -> pd.DataFrame:
    """Lay a column of the table out as causes by effects, zeros on the diagonal."""
    matrix = table.pivot(index="cause", columns="effect", values=column)
    return matrix.reindex(index=list(values), columns=list(values)).fillna(0)
