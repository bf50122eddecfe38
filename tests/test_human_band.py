"""The human band: who is in it, tests that keep their level, ceilings that are those of noise."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from valuegraph.correlations import ceiling, pattern
from valuegraph.discovery import draw_correlations
from valuegraph.humans import (
    MARGIN,
    HumanBand,
    halves_of,
    human_band,
    load_human,
    load_human_countries,
    pool_countries,
    split_half,
)
from valuegraph.metrics import mantel

COUNTRIES = load_human_countries()
ESS = load_human()
PEOPLE = ESS.correlation.to_numpy()


def band_of(z, sampling_sd=0.0):
    table = pd.DataFrame({"country": "x", "people": 1000, "z": z, "agreement": np.tanh(z)})
    return HumanBand(100, table, z.mean(), z.std(ddof=1), sampling_sd)


def test_each_country_is_held_against_the_others():
    band = human_band(ESS, 100_000)  # more than there are: no draws, no noise
    assert list(band.countries["country"]) == list(COUNTRIES)
    assert band.sampling_sd == 0
    for row in band.countries[:3].itertuples():
        rest = pool_countries([name for name in COUNTRIES if name != row.country])
        expected = mantel(rest.correlation, COUNTRIES[row.country].correlation)
        assert row.agreement == pytest.approx(expected)


def test_a_reference_of_one_country_or_of_others_is_not_in_its_own_band():
    assert "AT" not in set(human_band(COUNTRIES["AT"], 500, draws=5).countries["country"])
    assert len(human_band(load_human("gss2012"), 500, draws=5).countries) == 13
    some = ["AT", "CH", "DE", "FI", "GB", "HR"]
    assert list(human_band(pool_countries(some), 500, draws=5).countries["country"]) == some


def test_samples_of_n_carry_the_noise_of_n():
    # A draw on top of published correlations would add the noise of the country's own people.
    gss, people = load_human("gss2012"), COUNTRIES["AT"].correlation.to_numpy()
    band = human_band(gss, 400, draws=2000)
    z = band.countries.set_index("country")["z"]["AT"]
    added = draw_correlations(people, 400, draws=2000, rng=np.random.default_rng(0))
    reference = gss.correlation.to_numpy()
    assert pattern(added, reference).mean() < z < pattern(people, reference)


def test_more_people_agree_better_and_seeds_are_arguments():
    small, large = (human_band(ESS, n) for n in (60, 900))
    assert small.mean < large.mean and small.sampling_sd > large.sampling_sd
    assert small.limits()[0] < large.limits()[0]
    one, same, other = (human_band(ESS, 100, draws=20, seed=s).countries for s in (1, 1, 2))
    assert one.equals(same) and not one.equals(other)


def test_tests_reject_at_the_rate_of_alpha():
    rng = np.random.default_rng(0)
    runs, error = 500, 0.2
    z = rng.normal(1.5, 0.3, size=(runs, 13))
    one_more = rng.normal(1.5, 0.3, runs) + error * rng.standard_normal(runs)
    outside = [band_of(r, error).p_outside(x, 0.0) for r, x in zip(z, one_more, strict=True)]
    margin = 1.5 + 0.3 * stats.norm.ppf(MARGIN) + error * rng.standard_normal(runs)
    inside = [band_of(r).p_inside(x, error) for r, x in zip(z, margin, strict=True)]
    for p, slack in ((outside, 0.15), (inside, 0.5)):
        for alpha in (0.01, 0.05, 0.5):
            chance = 4 * np.sqrt(alpha * (1 - alpha) / runs)
            assert abs(np.mean(np.array(p) < alpha) - alpha) < chance + slack * alpha


def test_both_tests_follow_agreement_and_never_reject_together():
    band, z = human_band(ESS, 300), np.linspace(-1, 3, 60)
    for error in (0.01, 0.1, 0.5):
        inside, outside = band.p_inside(z, error), band.p_outside(z, error)
        assert (np.diff(inside) <= 1e-9).all() and (np.diff(outside) >= 0).all()
        assert not ((inside < 0.01) & (outside < 0.01)).any()
    assert band.p_outside(0.5, 0.5) > band.p_outside(0.5, 0.01)  # noise does not make outside


def test_what_is_done_to_correlations_is_done_to_all():
    sizes = set()

    def shrunk(correlation, n):
        sizes.add(n)
        return correlation / 2 + 0.1

    band = human_band(ESS, 300, treatment=shrunk, draws=3)
    assert band.limits() == pytest.approx(human_band(ESS, 300, draws=3).limits())
    assert sizes == {300}


@pytest.mark.parametrize("n", [60, 1000])
def test_the_ceiling_is_the_agreement_with_a_noise_free_twin(n):
    rng = np.random.default_rng(1)
    twin = np.tanh(pattern(draw_correlations(PEOPLE, n, draws=500, rng=rng), PEOPLE)).mean()
    halves = draw_correlations(PEOPLE, n // 2, draws=800, rng=rng).reshape(2, 400, 10, 10)
    assert ceiling(split_half(halves, n)) == pytest.approx(twin, abs=0.03)


def test_halves_are_those_of_the_roles():
    rows = np.random.default_rng(0).standard_normal((41, 3))
    halves = halves_of(rows, splits=2, seed=5)
    rng = np.random.default_rng(5)
    for split in (0, 1):
        order = rng.permutation(41)
        for side, part in enumerate((order[:20], order[20:40])):
            assert halves[side, split] == pytest.approx(np.corrcoef(rows[part].T))
    people = np.random.default_rng(1).multivariate_normal(np.zeros(10), PEOPLE, size=200)
    drawn = draw_correlations(PEOPLE, 100, draws=800, rng=np.random.default_rng(2))
    expected = split_half(drawn.reshape(2, 400, 10, 10), 200)
    assert split_half(halves_of(people, seed=0), 200) == pytest.approx(expected, abs=0.12)


def test_references_without_a_band_are_refused():
    with pytest.raises(ValueError, match="'ess11_age_sex' has.*take the ten values"):
        human_band(load_human("ess11_age_sex"), 100)
    with pytest.raises(ValueError, match="of 2 countries; take.*5 and more"):
        human_band(pool_countries(["AT", "CH"]), 100)
