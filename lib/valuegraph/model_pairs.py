"""A model against another model: what their values have in common, and whether they differ."""

import numpy as np
from scipy.special import ndtr

from valuegraph import correlations as of
from valuegraph.humans import halves_of, split_half
from valuegraph.verdicts import MIN_ROLES, Verdict, check_tables, interval_of

#: What a comparison rests on.
_REASONS = (
    "Agreement: r = {agreement:.2f}, 95 % interval {low:.2f} to {high:.2f}, {n} roles each",
    "With permuted labels as close: p = {p_shared:.2g}",
    "Without noise no closer than {margin:.2f}: p = {p_alike:.2g}",
    "With roles exchanged as far apart: p = {p_differ:.2g} (mean r = {exchanged:.2f})",
    "Halves agree by {split_half_first:.2f}, {split_half_second:.2f}; noise leaves {ceiling:.2f}",
)


class ModelComparison(Verdict):
    """What the correlations of two models have in common, and whether they differ.

    Attributes
    ----------
    verdict : str
        ``"alike"`` (shown to be closer than the margin), ``"alike, not the same"`` (that, and a
        difference), ``"different"`` (a difference, not shown to be closer than the margin), ``"no
        difference found"`` (none of this, but something in common), else ``"cannot tell"``.
    headline, reasons : str, list of str
        The verdict in one line, and what it rests on in sentences.
    first, second, n, paired, alpha : str, str, int, bool, float
        Names, number of roles of each, whether the roles are the same, level of both tests.
    agreement, low, high : float
        Mantel's r between the correlations of both; 95 % interval over roles.
    margin : float
        What was asked of ``"alike"``.
    p_shared, p_alike, p_differ : float
        p-values of having nothing in common (permuted labels agree as well), of agreeing by the
        margin or less if there were no noise, and of being the same but for reliability (roles
        exchanged between the models, after the clearer one was made as noisy, agree as little).
    exchanged : float
        Mean agreement after that exchange: what would be seen if both were the same.
    split_half_first, split_half_second, ceiling : float
        Agreement of two halves of the roles; largest agreement that the noise of both leaves.
    """


def compare_models(
    a, b, *, names=("first", "second"), margin=0.85, alpha=0.01, draws=999, seed=0
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
    margin : float
        Agreement without noise that ``"alike"`` has to exceed. Of the 78 pairs of countries in
        :func:`valuegraph.humans.load_human_countries` half agree by less than .85, the default;
        people with Security and Universalism exchanged agree with people by .84.
    alpha : float
        Level of all tests.
    draws : int
        Permuted labellings, and exchanges.
    seed : int
        Seed of every draw.

    References
    ----------
    Wellek, S. (2010). Testing statistical hypotheses of equivalence and noninferiority. CRC Press.
    """
    if odd := sorted(set(a) ^ set(b)):
        raise ValueError(f"only one of the models has {', '.join(odd)}; take what both have")
    check_tables([a, b], alpha, draws)
    if not 0 < margin < 1:
        raise ValueError(f"margin = {margin!r} is an agreement: take one between 0 and 1, like .85")
    rng, shared = np.random.default_rng((seed, 1)), a.index.intersection(b.index)
    tables, n, paired = (a, b[list(a)]), min(len(a), len(b)), len(shared) >= MIN_ROLES
    kept = [shared if paired else t.index[np.sort(rng.permutation(len(t))[:n])] for t in tables]
    rows = [t.loc[roles].to_numpy(float) for t, roles in zip(tables, kept, strict=True)]
    rows = [(x - x.mean(axis=0)) / x.std(axis=0) for x in rows]
    whole, left = [np.corrcoef(x.T) for x in rows], [of.correlations_without_each(x) for x in rows]
    errors = [of.pattern(*left)] if paired else [of.pattern(left[i], whole[1 - i]) for i in (0, 1)]
    error = np.hypot.reduce([of.jackknife_error(each) for each in errors])
    r, p_shared = float(of.mantel_r(*whole)), of.permuted(*whole[::-1], draws=draws, seed=seed)
    noise = [of.shared_noise(each, each) for each in left]
    p_alike = _p_alike(whole, left, noise, paired, margin)
    equal = _equally_clear(rows, [_signal(*each) for each in zip(whole, noise, strict=True)], rng)
    observed = of.mantel_r(*(np.corrcoef(x.T) for x in equal))
    exchanged = np.array([_exchanged(equal, paired, rng) for _ in range(draws)])
    p_differ = float((1 + (exchanged <= observed + 1e-12).sum()) / (1 + draws))
    halves = [split_half(halves_of(x, seed=seed), len(x)) for x in rows]
    v = interval_of(float(np.arctanh(min(r, 1 - 1e-15))), float(error))
    ceiling = float(np.prod([of.ceiling(half) for half in halves]))
    v |= {"first": names[0], "second": names[1], "n": len(rows[0]), "paired": paired}
    v |= {"alpha": alpha, "p_shared": p_shared, "p_differ": p_differ, "ceiling": ceiling}
    v |= {"exchanged": float(exchanged.mean()), "margin": margin, "p_alike": p_alike}
    v |= {"split_half_first": halves[0], "split_half_second": halves[1]}
    found = "no difference found" if p_shared < alpha else "cannot tell"
    kinds = (found, "different", "alike", "alike, not the same")
    v["verdict"] = kinds[2 * (p_alike < alpha) + (p_differ < alpha)]
    headline = f"{names[0]} and {names[1]}: {v['verdict']}"
    return ModelComparison(**v, headline=headline, reasons=[r.format(**v) for r in _REASONS])


def _signal(matrices: np.ndarray, noise: float) -> np.ndarray:
    """Return the variance of patterns over their pairs without that of noise."""
    return np.maximum(of.pairs_of(matrices).var(axis=-1) - noise, 0)


def _p_alike(whole, left, noise: list[float], paired: bool, margin: float) -> float:
    """Return the p-value of agreeing by the margin or less if there were no noise.

    Tested is a difference, not agreement over its ceiling, whose error has no bound near 0.
    """
    common = of.shared_noise(*left) if paired else 0.0  # the same roles may share some noise

    def closer(one, other):
        """Return by how much two patterns vary together more than the margin asks."""
        scale = np.sqrt(_signal(one, noise[0]) * _signal(other, noise[1]))
        return (of.pairs_of(one) * of.pairs_of(other)).mean(axis=-1) - common - margin * scale

    errors = [closer(*left)] if paired else [closer(left[0], whole[1]), closer(whole[0], left[1])]
    error = np.hypot.reduce([of.jackknife_error(each) for each in errors])
    return float(ndtr(-closer(*whole) / error))


def _equally_clear(rows, signals: list[float], rng: np.random.Generator) -> list[np.ndarray]:
    """Add noise to the model whose pattern is clearer until its signal is that of the other."""
    shares = np.sqrt(min(signals) / np.maximum(signals, 1e-12))
    mixed = zip(shares, rows, [rng.standard_normal(x.shape) for x in rows], strict=True)
    return [np.sqrt(share) * x + np.sqrt(1 - share) * e for share, x, e in mixed]


def _exchanged(rows: list[np.ndarray], paired: bool, rng: np.random.Generator) -> float:
    """Return the agreement after roles have changed sides at random."""
    n, pool = len(rows[0]), np.concatenate(rows)
    first = np.arange(n) + n * (rng.random(n) < 0.5) if paired else rng.permutation(2 * n)[:n]
    one, other = np.corrcoef(pool[first].T), np.corrcoef(np.delete(pool, first, axis=0).T)
    return float(of.mantel_r(one, other))
