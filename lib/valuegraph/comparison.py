"""A model against people: inside the human band, outside, or cannot tell.

Whether a model's values go together "as in humans" cannot be read off one agreement: people differ
from people, and every sample is noisy. So the model is put in the place of a country. Its agreement
with the human reference is held against that of 13 countries, at equal n and under equal treatment,
and a verdict is given only where a hypothesis is rejected
(:class:`valuegraph.verdicts.verdict.Verdict`).

What is compared is the pattern of correlations: which pairs of values go together more, which less.
Their common level is left out, because it mostly tells how readily somebody agrees to everything.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtri

from valuegraph.assessment import permutation_test
from valuegraph.checks import checked_scores
from valuegraph.humans import HumanReference, load_human
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.matrices import correlations_without_each, jackknife_error, mantel
from valuegraph.verdicts.band import human_band, pattern
from valuegraph.verdicts.ceilings import ceiling, split_half_people, split_half_scores
from valuegraph.verdicts.sample_size import needed_roles
from valuegraph.verdicts.treatments import TREATMENTS, treatments_of
from valuegraph.verdicts.verdict import CANNOT_TELL, Verdict, decide

RESAMPLES = 200
"""Bootstrap samples behind the error of ``"edges"``."""

MIN_ROLES = 30
"""Halves of fewer roles say nothing."""


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
    scores
        One row per role, one column for each of the ten Schwartz values.
    human
        The reference; :func:`~valuegraph.humans.load_human` by default.
    treatment
        A name in :data:`valuegraph.verdicts.treatments.TREATMENTS`. Both sides, and the countries,
        get the same.
    reliability
        Of the model's scores by value, for ``"disattenuated"``; taken as 1 where not given.
    alpha
        Level of both tests.
    sensitivity
        Whether to give the verdicts under the other treatments too. The verdict itself rests on
        `treatment` alone, which is chosen beforehand.
    draws
        Permuted labellings. 1 / (draws + 1) has to be smaller than `alpha`.
    seed
        Seed of every draw.

    Returns
    -------
    Verdict
        Verdict, p-values, interval, band, ceilings, and the n that would be needed.

    Raises
    ------
    ValueError
        If the scores are not in order, not over the ten values or of fewer than 30 roles, or an
        option is out of its range.

    Notes
    -----
    Agreement is Mantel's r between the model's correlations and those of the reference, tested on
    Fisher's z scale. Its standard error is the jackknife's over roles: a bootstrap sample repeats
    roles, is noisier than the data, and on this scale made the error of small samples look smaller
    than it is.

    Equal n: human samples are drawn, as of normal scores, at as many people as there are roles. A
    country with fewer people than that stays as it was published. The reference is used whole, for
    the model and for the countries alike.

    Agreeing better than any country is inside: a pool of countries is nearer to each than they are
    to one another, and so is a model made after the pool.

    Measurement error: human scores have reliabilities of .3 to .7, which weakens correlations
    unevenly; the scores of a model can be nearly exact. Raw scores are compared all the same,
    because every correction adds assumptions; ``"disattenuated"`` shows what it would change.
    Centred scores are singular (they add up to zero), which does no harm to comparing entries.
    """
    human = load_human() if human is None else human
    data = _data(scores, human)
    of_people, of_model = treatments_of(treatment, human, reliability)
    if not 1 / (draws + 1) < alpha < 1:
        raise ValueError(
            f"alpha must lie between 1 / (draws + 1) = {1 / (draws + 1):.2g} and 1, got {alpha!r}; "
            f"more draws allow a smaller alpha"
        )
    names = [treatment, *(TREATMENTS if sensitivity else ())]
    found = {
        name: _tested(name, data, human, reliability, draws=draws, seed=seed)
        for name in dict.fromkeys(names)
        if name != "disattenuated" or human.reliability is not None
    }
    main = found[treatment]
    half_model = split_half_scores(data, treatment=of_model, seed=seed)
    half_human = split_half_people(_matrix(human), len(data), treatment=of_people, seed=seed)
    verdict = decide(max(main["p_margin"], main["p_permutation"]), main["p_outside"], alpha)
    needed = None
    if verdict == CANNOT_TELL:
        needed = needed_roles(
            main["z"],
            main["error"],
            len(data),
            ceiling(half_model),
            lambda n: human_band(human, n, treatment=of_people, seed=seed),
            alpha=alpha,
        )
    reach = ndtri(0.975) * main["error"]
    return Verdict(
        human=human.name,
        n=len(data),
        treatment=treatment,
        alpha=alpha,
        agreement=float(np.tanh(main["z"])),
        low=float(np.tanh(main["z"] - reach)),
        high=float(np.tanh(main["z"] + reach)),
        p_margin=main["p_margin"],
        p_permutation=main["p_permutation"],
        p_outside=main["p_outside"],
        band=main["band"],
        split_half_model=half_model,
        split_half_human=half_human,
        ceiling_model=ceiling(half_model),
        ceiling_human=ceiling(half_human),
        needed_n=needed,
        sensitivity=_sensitivity(found, alpha) if sensitivity else pd.DataFrame(),
    )


def compare_sizes(
    scores: pd.DataFrame,
    human: HumanReference | None = None,
    *,
    sizes: Sequence[int],
    **options: object,
) -> list[Verdict]:
    """Compare growing parts of a model's roles with people: how n moves the verdict.

    Parameters
    ----------
    scores
        As in :func:`compare`. The first so many roles are taken.
    human
        As in :func:`compare`.
    sizes
        Numbers of roles.
    **options
        Of :func:`compare`.

    Returns
    -------
    list of Verdict
        One a size, in the order given.

    Raises
    ------
    ValueError
        If a size exceeds the number of roles, or as :func:`compare`.
    """
    if not sizes or max(sizes) > len(scores):
        raise ValueError(f"sizes must lie between {MIN_ROLES} and {len(scores)}, got {sizes}")
    return [compare(scores.iloc[:n], human, **options) for n in sizes]


def _data(scores: pd.DataFrame, human: HumanReference) -> np.ndarray:
    """Return the scores in circular order, or say why they cannot be held against people."""
    if isinstance(scores, pd.DataFrame) and set(scores.columns) != set(SCHWARTZ_ORDER):
        raise ValueError(
            f"people's correlations are known for the ten values {', '.join(SCHWARTZ_ORDER)}, but "
            f"the scores are of {', '.join(map(str, scores.columns))}. Scores on other values have "
            f"no human counterpart; compare such a model with another model "
            f"(valuegraph.model_comparison.compare_models)"
        )
    checked_scores(scores)
    if set(human.values) != set(SCHWARTZ_ORDER):
        raise ValueError(
            f"the reference {human.name!r} has {', '.join(human.values)}; take one over the ten "
            f"values, like load_human('ess11')"
        )
    if len(scores) < MIN_ROLES:
        raise ValueError(
            f"{len(scores)} roles are too few to compare with people; ask at least {MIN_ROLES}, "
            f"better some hundreds"
        )
    return scores[list(SCHWARTZ_ORDER)].to_numpy(dtype=float)


def _tested(
    name: str,
    data: np.ndarray,
    human: HumanReference,
    reliability: pd.Series | None,
    *,
    draws: int,
    seed: int,
) -> dict:
    """Make both tests under one treatment."""
    of_people, of_model = treatments_of(name, human, reliability)
    n, order = len(data), list(SCHWARTZ_ORDER)
    reference = of_people(_matrix(human), n)
    model = of_model(np.corrcoef(data.T), n)
    z = float(pattern(model, reference))
    if name == "edges":
        # Edges come and go in jumps, for which the jackknife does not hold.
        error = float(pattern(of_model(_resampled(data, seed), n), reference).std())
    else:
        error = jackknife_error(pattern(of_model(correlations_without_each(data), n), reference))
    band = human_band(human, n, treatment=of_people, seed=seed)
    has_pattern = all(np.ptp(m[np.triu_indices(10, 1)]) > 0 for m in (reference, model))
    frames = (pd.DataFrame(matrix, order, order) for matrix in (reference, model))
    p = permutation_test(mantel, *frames, draws=draws, seed=seed).p_value if has_pattern else 1.0
    return {
        "z": z,
        "error": error,
        "band": band,
        "p_margin": float(band.p_inside(z, error)),
        "p_outside": float(band.p_outside(z, error)),
        "p_permutation": p,
    }


def _resampled(data: np.ndarray, seed: int) -> np.ndarray:
    """Return the correlations of resamples of the roles, shape ``(RESAMPLES, d, d)``."""
    rng = np.random.default_rng((seed, 1))
    n = len(data)
    drawn = (rng.integers(n, size=n) for _ in range(RESAMPLES))
    return np.stack([np.corrcoef(data[rows].T) for rows in drawn])


def _sensitivity(found: dict[str, dict], alpha: float) -> pd.DataFrame:
    """Return the tests under every treatment as a table."""
    rows = []
    for name, tests in found.items():
        low, high = tests["band"].limits()
        p_inside = max(tests["p_margin"], tests["p_permutation"])
        rows.append(
            {
                "treatment": name,
                "agreement": float(np.tanh(tests["z"])),
                "band_low": low,
                "band_high": high,
                "p_inside": p_inside,
                "p_outside": tests["p_outside"],
                "verdict": decide(p_inside, tests["p_outside"], alpha),
            }
        )
    return pd.DataFrame(rows)


def _matrix(human: HumanReference) -> np.ndarray:
    """Return the correlations of people in circular order."""
    return human.correlation.loc[list(SCHWARTZ_ORDER), list(SCHWARTZ_ORDER)].to_numpy()
