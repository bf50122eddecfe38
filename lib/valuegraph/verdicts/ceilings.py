"""Noise ceilings: how far two halves of the same respondents agree with each other.

No agreement with anything else can be expected to be better than noise allows. The halves tell how
good that is: if they agree by r, the whole has the reliability of Spearman and Brown's formula, and
agrees with a noise-free twin by the root of that.
"""

from __future__ import annotations

import numpy as np

from valuegraph.matrices import draw_correlations
from valuegraph.verdicts.band import pattern
from valuegraph.verdicts.treatments import Treatment, as_they_are


def split_half_scores(
    data: np.ndarray, *, treatment: Treatment = as_they_are, splits: int = 50, seed: int = 0
) -> float:
    """Return the mean agreement of two random halves of the roles.

    Parameters
    ----------
    data
        Scores, shape ``(n, d)``, one row a role.
    treatment
        What is done to correlations before they are compared.
    splits
        Number of random splits.
    seed
        Seed of the splits.

    Returns
    -------
    float
        Mantel's r between the correlations of the halves, ``n // 2`` roles each.
    """
    rng = np.random.default_rng(seed)
    half = len(data) // 2
    agreement = []
    for _ in range(splits):
        order = rng.permutation(len(data))
        first, second = (
            treatment(np.corrcoef(data[part].T), half)
            for part in (order[:half], order[half : 2 * half])
        )
        agreement.append(np.tanh(pattern(first, second)))
    return float(np.mean(agreement))


def split_half_people(
    correlation: np.ndarray,
    n: int,
    *,
    treatment: Treatment = as_they_are,
    splits: int = 50,
    seed: int = 0,
) -> float:
    """Return the mean agreement of two samples of half as many people.

    Parameters
    ----------
    correlation
        Of people, shape ``(d, d)``; samples are drawn as of normal scores.
    n
        Number of people in both samples together.
    treatment, splits, seed
        As in :func:`split_half_scores`.

    Returns
    -------
    float
        Mantel's r between the correlations of the samples, ``n // 2`` people each.
    """
    rng = np.random.default_rng(seed)
    drawn = draw_correlations(correlation, n // 2, draws=2 * splits, rng=rng)
    samples = treatment(drawn, n // 2)
    pairs = zip(samples[:splits], samples[splits:], strict=True)
    return float(np.mean([np.tanh(pattern(first, second)) for first, second in pairs]))


def stepped_up(reliability: float, times: float) -> float:
    """Return the reliability of a sample so many times as large.

    Parameters
    ----------
    reliability
        Of the sample, 0 to 1.
    times
        How many times as large the other one is.

    References
    ----------
    Spearman, C. (1910). Correlation calculated from faulty data. British Journal of Psychology 3,
    271-295.
    Brown, W. (1910). Some experimental results in the correlation of mental abilities. British
    Journal of Psychology 3, 296-322.
    """
    return times * reliability / (1 + (times - 1) * reliability)


def ceiling(split_half: float) -> float:
    """Return the largest agreement with a noise-free twin, given that of two halves.

    Parameters
    ----------
    split_half
        Agreement of the halves; a negative one counts as 0.
    """
    return float(np.sqrt(stepped_up(max(split_half, 0.0), 2)))
