"""A model against people, and against another model: verdicts where a hypothesis is rejected.

Whether a model's values go together "as in humans" cannot be read off one agreement: people differ
from people, and every sample is noisy. So the model is put in the place of a country, at equal n
and under equal treatment. What is compared is the pattern of correlations, which pairs of values go
together more; their common level mostly tells how readily somebody agrees to everything.
"""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.special import ndtri

from valuegraph import correlations as of
from valuegraph.discovery import check_scores, draw_correlations
from valuegraph.humans import HumanReference, halves_of, human_band, load_human, split_half
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.pc import skeletons

# Halves of fewer roles say nothing; no larger number is proposed, nor one with less power.
MIN_ROLES, MOST_ROLES, POWER = 30, 20_000, 0.8
COLUMNS = ["treatment", "agreement", "band_low", "band_high", "p_inside", "p_outside", "verdict"]
_VALUES = list(SCHWARTZ_ORDER)

#: What a verdict rests on, and what is said where a condition holds.
_REASONS = (
    "Agreement with {human}: r = {agreement:.2f}, 95 % interval {low:.2f} to {high:.2f}, {n} roles",
    "One more country, {n} people: {band_low:.2f} to {band_high:.2f} (95 %)",
    "Noise leaves at most {ceiling_model:.2f} for the model, {ceiling_human:.2f} for people",
    "With permuted labels as close: p = {p_permutation:.2g}",
)
_ENOUGH = "If the model is what it seems, about {needed_n:,} roles would tell"
_NEVER = "No number of roles would tell: the countries leave both open, or the halves do not agree"
_UNSTABLE = "The model's halves hardly agree: it is outside for want of a stable pattern"
_SHARED = (
    "Agreement: r = {agreement:.2f}, 95 % interval {low:.2f} to {high:.2f}, {n} roles each",
    "With permuted labels as close: p = {p_shared:.2g}",
    "With roles exchanged as far apart: p = {p_differ:.2g} (mean r = {exchanged:.2f})",
    "Halves agree by {split_half_first:.2f}, {split_half_second:.2f}; noise leaves {ceiling:.2f}",
)


def _edges(correlation: np.ndarray, n: int, own: None) -> np.ndarray:
    """Return 1 for each edge that PC finds, else 0, in the shape of the correlations."""
    stack = correlation.reshape(-1, *correlation.shape[-2:])
    edges, _ = skeletons(stack, n, 0.01, np.zeros(stack.shape[-1], dtype=int))
    return edges.reshape(correlation.shape).astype(float)


#: What may be done to the correlations of a sample of `n` with reliabilities of its `own`.
TREATMENTS = {
    "raw": lambda correlation, n, own: correlation,
    "centred": lambda correlation, n, own: of.centred(correlation),
    "disattenuated": lambda correlation, n, own: of.disattenuated(correlation, own),
    "partial": lambda correlation, n, own: of.partial(correlation),
    "edges": _edges,
}


class Verdict(SimpleNamespace):
    """Whether the values of a model go together as those of people do, and why.

    Two hypotheses are tested. *Inside* rejects that the model agrees with people less than 19 of 20
    countries do, and that its agreement owes nothing to which value is which. *Outside* rejects
    that the model is one more country. *Cannot tell* rejects neither.

    Attributes
    ----------
    verdict : str
        ``"inside"``, ``"outside"`` or ``"cannot tell"``.
    headline, reasons : str, list of str
        The verdict in one line, and what it rests on in sentences.
    human, n, treatment, alpha : str, int, str, float
        Name of the reference, number of roles, treatment of both sides and level of both tests.
    agreement, low, high : float
        Mantel's r between the model's correlations and the reference's; 95 % interval over roles.
    p_inside : float
        The larger of `p_margin` (agreeing less than 19 of 20 countries) and `p_permutation`
        (agreeing no better than with permuted labels).
    p_outside : float
        Probability that one more country, at equal n, would agree as little.
    band, band_low, band_high : HumanBand, float, float
        The countries at equal n, and the interval of one more of them (95 %).
    split_half_model, split_half_human : float
        Agreement of two halves of the roles, and of two samples of half as many people.
    ceiling_model, ceiling_human : float
        Largest agreement that noise leaves possible at n, from the split halves.
    needed_n : int or None
        Number of roles that would give a verdict with probability .8 if the model is what it seems;
        None where there is a verdict, or no number of roles would give one.
    sensitivity : pandas.DataFrame
        One row a treatment: ``treatment``, ``agreement``, ``band_low``, ``band_high``,
        ``p_inside``, ``p_outside``, ``verdict``. Empty if it was not wanted.
    """

    def to_dict(self) -> dict[str, object]:
        """Return all figures in one flat dictionary, ready for JSON."""
        return {k: x for k, x in vars(self).items() if isinstance(x, str | int | float | None)}

    def __repr__(self) -> str:
        return "\n".join(f"{line}." for line in (self.headline, *self.reasons))

    def _repr_markdown_(self) -> str:
        return f"**{self.headline}.**\n\n" + "\n".join(f"- {line}." for line in self.reasons)


class ModelComparison(Verdict):
    """What the correlations of two models have in common, and whether they differ.

    Attributes
    ----------
    verdict : str
        ``"alike"`` (something in common, no difference), ``"alike, not the same"`` (both),
        ``"different"`` (nothing in common, a difference), else ``"cannot tell"``.
    headline, reasons : str, list of str
        The verdict in one line, and what it rests on in sentences.
    first, second, n, paired, alpha : str, str, int, bool, float
        Names, number of roles of each, whether the roles are the same, level of both tests.
    agreement, low, high : float
        Mantel's r between the correlations of both; 95 % interval over roles.
    p_shared, p_differ : float
        p-values of having nothing in common (permuted labels agree as well), and of being the same
        (roles exchanged between the models agree as little).
    exchanged : float
        Mean agreement after exchange: what would be seen if both were the same.
    split_half_first, split_half_second, ceiling : float
        Agreement of two halves of the roles; largest agreement that the noise of both leaves.
    """


def compare(
    scores: pd.DataFrame,
    human: HumanReference | None = None,
    *,
    treatment: str = "raw",
    reliability: pd.Series | None = None,
    alpha: float = 0.01,
    sensitivity: bool = True,
    draws: int = 999,
    seed: int = 0,
) -> Verdict:
    """Say whether a model's values go together as those of people do.

    Parameters
    ----------
    scores : pandas.DataFrame
        One row a role, one column for each of the ten Schwartz values.
    human : HumanReference, optional
        The reference, :func:`valuegraph.humans.load_human` by default.
    treatment : str
        What is done to the correlations of both sides and of the countries: ``"raw"`` (nothing);
        ``"centred"`` (each respondent's mean over the standardised values is removed);
        ``"disattenuated"`` (corrected for the reliabilities of either side); ``"partial"`` (all
        other values held fixed); ``"edges"`` (1 where PC at alpha = .01 finds an edge, else 0).
    reliability : pandas.Series, optional
        Of the model's scores by value, for ``"disattenuated"``; 1 where not given.
    alpha : float
        Level of both tests.
    sensitivity : bool
        Whether to give the verdicts under the other treatments too. The verdict itself rests on
        `treatment` alone, which is chosen beforehand.
    draws : int
        Permuted labellings. 1 / (draws + 1) has to be smaller than `alpha`.
    seed : int
        Seed of every draw.

    Notes
    -----
    The agreement is tested on Fisher's z scale. Its standard error is the jackknife's over roles: a
    bootstrap sample repeats roles, and on this scale made the error of small samples look smaller
    than it is. Human samples are drawn, as of normal scores, at as many people as there are roles;
    a country with fewer people stays as it was published. Agreeing better than any country is
    inside: a pool of countries is nearer to each than they are to one another.
    """
    human = load_human() if human is None else human
    _check([scores], alpha, draws)
    if set(scores) != set(_VALUES):
        raise ValueError(f"people are known on {_VALUES}, not {list(scores)}: use compare_models")
    names = [t for t in TREATMENTS if t != "disattenuated" or human.reliability is not None]
    if treatment not in names:
        raise ValueError(f"treatment {treatment!r} of {human.name!r}: take {', '.join(names)}")
    names = dict.fromkeys([treatment, *(names if sensitivity else ())])
    owns = [_checked(own) for own in (human.reliability, reliability)]
    sides = {t: [partial(TREATMENTS[t], own=own) for own in owns] for t in names}
    data, people = scores[_VALUES].to_numpy(float), human.correlation.loc[_VALUES, _VALUES]
    tests = [_tested(t, *sides[t], data, human, alpha, draws, seed) for t in names]
    v, n, (of_people, of_model) = dict(tests[0]), len(data), sides[treatment]
    own = split_half(halves_of(data, seed=seed), n, of_model)
    drawn = draw_correlations(people.to_numpy(), n // 2, draws=100, rng=np.random.default_rng(seed))
    theirs = split_half(drawn.reshape(2, -1, *people.shape), n, of_people)
    v |= {"split_half_model": own, "ceiling_model": of.ceiling(own), "needed_n": None}
    v |= {"split_half_human": theirs, "ceiling_human": of.ceiling(theirs), "human": human.name}
    v["sensitivity"] = pd.DataFrame(tests if sensitivity else [], columns=COLUMNS)
    reasons, where = list(_REASONS), v["verdict"].capitalize()
    if v["verdict"] == "cannot tell":
        where += " whether this is inside"
        v["needed_n"] = _needed(v, partial(human_band, human, treatment=of_people, seed=seed))
        reasons.append(_ENOUGH if v["needed_n"] else _NEVER)
    elif v["verdict"] == "outside" and v["ceiling_model"] < v["band_low"]:
        reasons.append(_UNSTABLE)
    reasons.append("Treatments: " + "; ".join("{treatment}: {verdict}".format(**t) for t in tests))
    headline = where + " the human band (p of inside: {p_inside:.2g}, of outside: {p_outside:.2g})"
    return Verdict(**v, headline=headline.format(**v), reasons=[r.format(**v) for r in reasons])


def _checked(reliability: pd.Series | None) -> np.ndarray:
    """Return reliabilities in circular order, 1 where they are not known."""
    own = pd.Series(1.0, _VALUES) if reliability is None else reliability.reindex(_VALUES)
    if not ((own > 0) & (own <= 1)).all():
        raise ValueError(f"reliabilities of the ten values lie in (0, 1], got {own.to_dict()}")
    return own.to_numpy(dtype=float)


def _tested(treatment, of_people, of_model, data, human, alpha, draws, seed) -> dict[str, object]:
    """Make both tests under one treatment of both sides."""
    n, people = len(data), human.correlation.loc[_VALUES, _VALUES].to_numpy()
    reference, model = of_people(people, n), of_model(np.corrcoef(data.T), n)
    z = float(of.pattern(model, reference))
    resampled, error_of = of.correlations_without_each(data), of.jackknife_error
    if treatment == "edges":  # they come and go in jumps, for which the jackknife does not hold
        rng, error_of = np.random.default_rng((seed, 1)), np.std
        drawn = (data[rng.integers(n, size=n)] for _ in range(200))
        resampled = np.stack([np.corrcoef(rows.T) for rows in drawn])
    error = float(error_of(of.pattern(of_model(resampled, n), reference)))
    p_permutation = of.permuted(model, reference, draws=draws, seed=seed)
    band = human_band(human, n, treatment=of_people, seed=seed)
    p_margin, p_outside = float(band.p_inside(z, error)), float(band.p_outside(z, error))
    p_inside, (low, high) = max(p_margin, p_permutation), band.limits()
    verdict = "inside" if p_inside < alpha else "outside" if p_outside < alpha else "cannot tell"
    v = {"verdict": verdict, "treatment": treatment, "n": n, "alpha": alpha, **_interval(z, error)}
    v |= {"p_margin": p_margin, "p_permutation": p_permutation, "p_inside": p_inside}
    return v | {"p_outside": p_outside, "band": band, "band_low": low, "band_high": high}


def _interval(z: float, error: float) -> dict[str, float]:
    """Return an agreement on Fisher's scale as a correlation, with its 95 % interval."""
    ends = np.tanh(z + ndtri([0.5, 0.025, 0.975]) * error).tolist()
    return {"z": z, "error": error} | dict(zip(("agreement", "low", "high"), ends, strict=True))


def _needed(v: dict[str, object], band_at: partial) -> int | None:
    """Return the number of roles that would give a verdict if the model is what it seems.

    The agreement without noise is the agreement divided by the ceiling. At another n it is
    multiplied by the ceiling of Spearman and Brown's formula, and its error falls as 1 / root n.
    """
    ceiling, n, alpha = v["ceiling_model"], v["n"], v["alpha"]
    sizes = [round(n * 2 ** (step / 2)) for step in range(1, 40)] if ceiling > 0 else []
    for size in [size for size in sizes if size <= MOST_ROLES]:
        true = np.clip(np.tanh(v["z"]) / ceiling, -of.CLOSEST, of.CLOSEST)
        expected = np.arctanh(true * np.sqrt(of.stepped_up(ceiling**2, size / n)))
        error, band = v["error"] * np.sqrt(n / size), band_at(size)
        z = expected + error * ndtri((np.arange(40) + 0.5) / 40)
        if ((band.p_inside(z, error) < alpha) | (band.p_outside(z, error) < alpha)).mean() >= POWER:
            unit = 10 ** (len(str(size)) - 2)  # rounded up to two digits
            return -(-size // unit) * unit
    return None


def compare_models(
    a: pd.DataFrame,
    b: pd.DataFrame,
    *,
    names: tuple[str, str] = ("first", "second"),
    alpha: float = 0.01,
    draws: int = 999,
    seed: int = 0,
) -> ModelComparison:
    """Say what the values of two models have in common, and whether they differ.

    Parameters
    ----------
    a, b : pandas.DataFrame
        Scores on the same values, one row a role. If they share 30 roles or more (by the index),
        these are taken, and are exchanged one by one; otherwise the larger table is cut to as many
        roles as the smaller one has, drawn at random.
    names : tuple of str
        What the models are called.
    alpha : float
        Level of both tests.
    draws : int
        Permuted labellings, and exchanges.
    seed : int
        Seed of every draw.
    """
    if odd := sorted(set(a) ^ set(b)):
        raise ValueError(f"only one of the models has {', '.join(odd)}; take what both have")
    _check([a, b], alpha, draws)
    rng, shared = np.random.default_rng((seed, 1)), a.index.intersection(b.index)
    tables, n, paired = (a, b[list(a)]), min(len(a), len(b)), len(shared) >= MIN_ROLES
    kept = [shared if paired else t.index[np.sort(rng.permutation(len(t))[:n])] for t in tables]
    rows = [t.loc[roles].to_numpy(float) for t, roles in zip(tables, kept, strict=True)]
    rows = [(x - x.mean(axis=0)) / x.std(axis=0) for x in rows]
    whole, left = [np.corrcoef(x.T) for x in rows], [of.correlations_without_each(x) for x in rows]
    errors = [of.pattern(*left)] if paired else [of.pattern(left[i], whole[1 - i]) for i in (0, 1)]
    error = np.hypot.reduce([of.jackknife_error(each) for each in errors])
    r, p_shared = float(of.mantel_r(*whole)), of.permuted(*whole[::-1], draws=draws, seed=seed)
    exchanged = np.array([_exchanged(rows, paired, rng) for _ in range(draws)])
    p_differ = float((1 + (exchanged <= r + 1e-12).sum()) / (1 + draws))
    halves = [split_half(halves_of(x, seed=seed), len(x)) for x in rows]
    v = _interval(float(np.arctanh(r)), float(error))
    ceiling = float(np.prod([of.ceiling(half) for half in halves]))
    v |= {"first": names[0], "second": names[1], "n": len(rows[0]), "paired": paired}
    v |= {"alpha": alpha, "p_shared": p_shared, "p_differ": p_differ, "ceiling": ceiling}
    v |= {"exchanged": float(exchanged.mean())}
    v |= {"split_half_first": halves[0], "split_half_second": halves[1]}
    kinds = ("cannot tell", "different", "alike", "alike, not the same")
    v["verdict"] = kinds[2 * (p_shared < alpha) + (p_differ < alpha)]
    headline = f"{names[0]} and {names[1]}: {v['verdict']}"
    return ModelComparison(**v, headline=headline, reasons=[r.format(**v) for r in _SHARED])


def _exchanged(rows: list[np.ndarray], paired: bool, rng: np.random.Generator) -> float:
    """Return the agreement after roles have changed sides at random."""
    n, pool = len(rows[0]), np.concatenate(rows)
    first = np.arange(n) + n * (rng.random(n) < 0.5) if paired else rng.permutation(2 * n)[:n]
    sides = (pool[first], np.delete(pool, first, axis=0))
    one, other = (np.corrcoef(side.T) for side in sides)
    return float(of.mantel_r(one, other))


def _check(tables: list[pd.DataFrame], alpha: float, draws: int) -> None:
    """Refuse scores without order, too few roles, and levels that the draws cannot reach."""
    for table in tables:
        check_scores(table)
        if len(table) < MIN_ROLES:
            raise ValueError(f"{len(table)} roles are too few; take {MIN_ROLES}, better hundreds")
    if not 1 / (draws + 1) < alpha < 1:
        raise ValueError(f"alpha = {alpha!r} must lie between 1 / (draws + 1) and 1: draw more")
