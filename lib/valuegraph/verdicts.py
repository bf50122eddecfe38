"""A model against people: verdicts where a hypothesis is rejected.

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
from valuegraph.discovery import MIN_SPREAD, check_scores, draw_correlations
from valuegraph.humans import HumanReference, halves_of, human_band, load_human, split_half
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.pc import skeletons
from valuegraph.tables import generator, require_known, require_whole

# Halves of fewer roles say nothing; no larger number is proposed, nor one with less power.
MIN_ROLES, MOST_ROLES, POWER = 30, 20_000, 0.8
STICKS_OUT = 0.05  # with a pair less likely than this among countries a model is not inside
COLUMNS = ["treatment", "agreement", "band_low", "band_high", "p_inside", "p_outside", "verdict"]
_VALUES = list(SCHWARTZ_ORDER)

#: What a verdict rests on, and what is said where a condition holds.
_REASONS = (
    "Agreement with {human}: r = {agreement:.2f}, 95 % interval {low:.2f} to {high:.2f}, {n} roles",
    "Noise leaves at most {ceiling_model:.2f} for the model, {ceiling_human:.2f} for people",
    "Reliability, as a share of people's: {reliability_low:.2f} to {reliability_high:.2f} (95 %)",
    "One more country, {n} people, as unreliable: {band_low:.2f} to {band_high:.2f} (95 %)",
    "Agreement as low in one more country: p = {p_agreement:.2g}",
    "Least like people is what sets {furthest} apart: r = {contrast:.2f}, p = {p_contrast:.2g}",
    "With permuted labels as close: p = {p_permutation:.2g}",
)
_ENOUGH = "If the model is what it seems, about {needed_n:,} roles would tell"
_NEVER = "No number of roles would tell: the countries leave both open, or the halves do not agree"
_UNSTABLE = "The model's halves hardly agree: there may be no stable pattern to compare"


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

    *Inside* rejects that the model agrees with people less than 19 of 20 countries do, and that its
    agreement owes nothing to which value is which; and no pair of values sticks out. *Outside*
    rejects that the model is one more country, in its agreement on the whole or in what sets the
    two values of some pair apart. *Cannot tell* is all else.

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
        Twice the smaller of `p_agreement` (that one more country, at equal n and reliability, would
        agree as little) and `p_contrast` (that it would agree as little in any pair of values).
    furthest, contrast : str, float
        The pair of values whose difference is least like people's, and its agreement with people:
        -1 where the two are exchanged (:func:`valuegraph.correlations.contrasts`).
    reliability, reliability_low, reliability_high : float
        Of the model as a share of people's, 1 at most, and its 95 % interval: the factor on
        people's correlations at which noise leaves as much of them as of the model's.
    band : HumanBand
        The countries at equal n and `reliability_low`.
    band_low, band_high : float
        Where one more country would lie (95 %): low end at `reliability_low`, high end at
        `reliability_high`.
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


def compare(
    scores: pd.DataFrame,
    human: HumanReference | None = None,
    *,
    treatment: str | None = None,
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
        By default ``"disattenuated"`` if `reliability` is given, else ``"raw"``.
    reliability : pandas.Series, optional
        Of the model's scores by value, from :func:`valuegraph.psychometrics.reliability`, for
        ``"disattenuated"``; 1 where not given.
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
    Noise lowers the agreement of any model with people. So the countries that it is held against
    are made as noisy: their correlations are multiplied by the model's relative reliability, which
    its own signal and noise tell. That is known only within an interval, and each test takes the
    end at which it is harder to reject. Where the lower end is 0, there is no pattern to judge.

    Exchanging two neighbours on the circle hardly changes the agreement. Hence the second test, of
    the largest of 45 deviations (Bonferroni), against the spread of countries. A model with a pair
    whose probability is below .05 is not called inside.

    The agreement is tested on Fisher's z scale. Its standard error is the jackknife's over roles: a
    bootstrap sample repeats roles, and on this scale made the error of small samples look smaller
    than it is. Human samples are drawn, as of normal scores, at as many people as there are roles;
    a country with fewer people stays as it was published. Agreeing better than any country is
    inside: a pool of countries is nearer to each than they are to one another.
    """
    human = load_human() if human is None else human
    treatment = treatment or ("raw" if reliability is None else "disattenuated")
    check_tables([scores], alpha, draws)
    if set(scores) != set(_VALUES):
        raise ValueError(f"people are known on {_VALUES}, not {list(scores)}: use compare_models")
    names = [t for t in TREATMENTS if t != "disattenuated" or human.reliability is not None]
    require_known(treatment, names, f"treatment of {human.name!r}")
    names = dict.fromkeys([treatment, *(names if sensitivity else ())])
    owns = [_checked(own) for own in (human.reliability, reliability)]
    sides = {t: [partial(TREATMENTS[t], own=own) for own in owns] for t in names}
    data, people = scores[_VALUES].to_numpy(float), human.correlation.loc[_VALUES, _VALUES]
    n, (of_people, of_model) = len(data), sides[treatment]
    drawn = draw_correlations(people.to_numpy(), n // 2, draws=100, rng=generator(seed))
    clear = _relative_reliability(data, people.to_numpy(), drawn)
    tests = [_tested(t, *sides[t], data, human, clear, alpha, draws, seed) for t in names]
    own = split_half(halves_of(data, seed=seed), n, of_model)
    theirs = split_half(drawn.reshape(2, -1, *people.shape), n, of_people)
    v = tests[0] | clear
    v |= {"split_half_model": own, "ceiling_model": of.ceiling(own), "needed_n": None}
    v |= {"split_half_human": theirs, "ceiling_human": of.ceiling(theirs), "human": human.name}
    v["sensitivity"] = pd.DataFrame(tests if sensitivity else [], columns=COLUMNS)
    reasons, where = list(_REASONS), v["verdict"].capitalize()
    if v["verdict"] == "cannot tell":
        where += " whether this is inside"
        options = {"reliability": v["reliability"], "treatment": of_people}
        v["needed_n"] = _needed(v, partial(human_band, human, draws=50, seed=seed, **options))
        reasons += [_UNSTABLE] * (v["reliability_low"] == 0)
        reasons.append(_ENOUGH if v["needed_n"] else _NEVER)
    reasons.append("Treatments: " + "; ".join("{treatment}: {verdict}".format(**t) for t in tests))
    headline = where + " the human band (p of inside: {p_inside:.2g}, of outside: {p_outside:.2g})"
    return Verdict(**v, headline=headline.format(**v), reasons=[r.format(**v) for r in reasons])


def _checked(reliability: pd.Series | None) -> np.ndarray:
    """Return reliabilities in circular order, 1 where they are not known."""
    own = pd.Series(1.0, _VALUES) if reliability is None else reliability.reindex(_VALUES)
    if not ((own > 0) & (own <= 1)).all():
        raise ValueError(f"reliabilities of the ten values lie in (0, 1], got {own.to_dict()}")
    return own.to_numpy(dtype=float)


def _relative_reliability(data, people, drawn) -> dict[str, float]:
    """Return low end, estimate and high end of a model's reliability as a share of people's.

    It is the factor on people's correlations that gives samples of as many people the same ratio of
    signal to noise, and so the same ceiling. The ends are those of the signal's 95 % interval.
    """
    left, pattern = of.correlations_without_each(data), of.pairs_of(np.corrcoef(data.T))
    noise, error = of.shared_noise(left, left), of.jackknife_error(of.pairs_of(left).var(axis=-1))
    signal = pattern.var() - noise + ndtri([0.025, 0.5, 0.975]) * error
    noise_of_people = (of.pairs_of(drawn - people) ** 2).mean() / 2  # in halves there is twice it
    squared = signal / noise * noise_of_people / of.pairs_of(people).var()
    low, middle, high = np.sqrt(np.clip(squared, 0, 1)).tolist()
    return {"reliability_low": low, "reliability": middle, "reliability_high": high}


def _tested(treatment, of_people, of_model, data, human, clear, alpha, draws, seed) -> dict:
    """Make all tests under one treatment of both sides."""
    n, people = len(data), human.correlation.loc[_VALUES, _VALUES].to_numpy()
    reference, model = of_people(people, n), of_model(np.corrcoef(data.T), n)
    z, contrasts = float(of.pattern(model, reference)), of.contrasts(model, reference)
    resampled, error_of = of.correlations_without_each(data), of.jackknife_error
    if treatment == "edges":  # they come and go in jumps, for which the jackknife does not hold
        rng, error_of = np.random.default_rng((seed, 1)), partial(np.std, axis=0)
        drawn = (data[rng.integers(n, size=n)] for _ in range(200))
        resampled = np.stack([np.corrcoef(rows.T) for rows in drawn])
    treated = of_model(resampled, n)
    error = float(error_of(of.pattern(treated, reference)))
    p_permutation = of.permuted(model, reference, draws=draws, seed=seed)
    # The end of the reliability's interval counts that makes it harder to reject.
    band_at = partial(human_band, human, n, treatment=of_people, seed=seed)
    lenient, strict = (band_at(reliability=clear[f"reliability_{end}"]) for end in ("low", "high"))
    p_margin, p_agreement = float(strict.p_inside(z, error)), float(lenient.p_outside(z, error))
    p_pairs = lenient.p_contrasts(contrasts, error_of(of.contrasts(treated, reference)))
    furthest = int(p_pairs.argmin())
    furthest_pair = " and ".join(_VALUES[side[furthest]] for side in np.triu_indices(10, 1))
    p_contrast = float(min(1.0, len(p_pairs) * p_pairs.min()))
    p_inside, p_outside = max(p_margin, p_permutation), min(1.0, 2 * min(p_agreement, p_contrast))
    is_inside = p_inside < alpha and p_contrast > STICKS_OUT
    verdict = "inside" if is_inside else "outside" if p_outside < alpha else "cannot tell"
    low, high = lenient.limits()[0], strict.limits()[1]
    v = {"verdict": verdict, "treatment": treatment, "n": n, "alpha": alpha}
    v |= interval_of(z, error)
    v |= {"p_margin": p_margin, "p_permutation": p_permutation, "p_inside": p_inside}
    v |= {"p_agreement": p_agreement, "p_contrast": p_contrast, "p_outside": p_outside}
    v |= {"furthest": furthest_pair, "contrast": float(np.tanh(contrasts[furthest]))}
    return v | {"band": lenient, "band_low": low, "band_high": high}


def interval_of(z: float, error: float) -> dict[str, float]:
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


def check_tables(tables: list[pd.DataFrame], alpha: float, draws: int) -> None:
    """Refuse scores without order, too few roles, and levels that the draws cannot reach."""
    for table in tables:
        check_scores(table, min_spread=MIN_SPREAD)
        if len(table) < MIN_ROLES:
            raise ValueError(f"{len(table)} roles are too few; take {MIN_ROLES}, better hundreds")
    require_whole(draws, 1, "draws")
    if not 1 / (draws + 1) < alpha < 1:
        raise ValueError(f"alpha = {alpha!r} must lie between 1 / (draws + 1) and 1: draw more")
