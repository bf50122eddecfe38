"""The human band: who is in it, tests that keep their level, monotone answers."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from valuegraph.humans import load_human, load_human_countries, pool_countries
from valuegraph.matrices import mantel
from valuegraph.verdicts.band import MARGIN, HumanBand, human_band, pattern

COUNTRIES = load_human_countries()


def band_of(z, sampling_sd=0.0):
    table = pd.DataFrame({"country": "x", "people": 1000, "z": z, "agreement": np.tanh(z)})
    return HumanBand(100, table, sampling_sd)


def test_each_country_is_held_against_the_others():
    band = human_band(load_human("ess11"), 100_000)  # more than there are: no draws, no noise
    assert list(band.countries["country"]) == list(COUNTRIES)
    assert band.sampling_sd == 0
    for row in band.countries.itertuples():
        rest = pool_countries([name for name in COUNTRIES if name != row.country])
        expected = mantel(rest.correlation, COUNTRIES[row.country].correlation)
        assert row.agreement == pytest.approx(expected)


def test_a_reference_of_one_country_or_of_others_is_not_in_its_own_band():
    assert "AT" not in set(human_band(COUNTRIES["AT"], 500, draws=5).countries["country"])
    assert len(human_band(COUNTRIES["AT"], 500, draws=5).countries) == 12
    assert len(human_band(load_human("gss2012"), 500, draws=5).countries) == 13
    some = ["AT", "CH", "DE", "FI", "GB", "HR"]
    assert list(human_band(pool_countries(some), 500, draws=5).countries["country"]) == some


def test_samples_of_n_carry_the_noise_of_n():
    # A draw on top of published correlations would add the noise of the country's own people.
    people = COUNTRIES["AT"].n
    band = human_band(load_human("gss2012"), 400, draws=2000)
    z = band.countries.set_index("country")["z"]["AT"]
    rng = np.random.default_rng(0)
    rows = rng.multivariate_normal(np.zeros(10), COUNTRIES["AT"].correlation, size=(2000, 400))
    added = np.array([np.corrcoef(sample.T) for sample in rows])
    doubled = pattern(added, load_human("gss2012").correlation.to_numpy()).mean()
    full = pattern(
        COUNTRIES["AT"].correlation.to_numpy(), load_human("gss2012").correlation.to_numpy()
    )
    assert people > 2000 and doubled < z < full


def test_more_people_agree_better_and_differ_less_by_chance():
    small, large = (human_band(load_human(), n) for n in (60, 900))
    assert small.mean < large.mean
    assert small.sampling_sd > large.sampling_sd
    assert small.limits()[0] < large.limits()[0]
    assert small.limits(0.5)[0] > small.limits(0.95)[0]


def test_seeds_are_arguments():
    first, same, other = (human_band(load_human(), 100, draws=20, seed=s) for s in (1, 1, 2))
    assert first.countries.equals(same.countries)
    assert not first.countries.equals(other.countries)


def test_one_more_country_is_called_outside_at_the_rate_of_alpha():
    rng = np.random.default_rng(0)
    errors, runs = 0.2, 1200
    p = []
    for _ in range(runs):
        z = rng.normal(1.5, 0.3, size=13)
        new = rng.normal(1.5, 0.3) + errors * rng.standard_normal()
        p.append(band_of(z, errors).p_outside(new, 0.0))
    for alpha in (0.01, 0.05, 0.5):
        rate = np.mean(np.array(p) < alpha)
        assert abs(rate - alpha) < 4 * np.sqrt(alpha * (1 - alpha) / runs) + 0.15 * alpha


def test_a_model_at_the_margin_is_called_inside_at_the_rate_of_alpha():
    rng = np.random.default_rng(1)
    runs, error = 1200, 0.1
    z = rng.normal(1.5, 0.3, size=(runs, 13))
    at_margin = 1.5 + 0.3 * stats.norm.ppf(MARGIN) + error * rng.standard_normal(runs)
    p = [band_of(row).p_inside(new, error) for row, new in zip(z, at_margin, strict=True)]
    for alpha in (0.01, 0.05, 0.5):
        rate = np.mean(np.array(p) < alpha)
        assert abs(rate - alpha) < 4 * np.sqrt(alpha * (1 - alpha) / runs) + 0.5 * alpha


def test_both_tests_follow_agreement_and_never_reject_together():
    band = human_band(load_human(), 300)
    z = np.linspace(-1, 3, 60)
    for error in (0.01, 0.1, 0.5):
        inside, outside = band.p_inside(z, error), band.p_outside(z, error)
        assert (np.diff(inside) <= 1e-9).all() and (np.diff(outside) >= 0).all()
        assert not ((inside < 0.01) & (outside < 0.01)).any()


def test_a_noisy_model_is_not_called_outside_for_its_noise():
    band = human_band(load_human(), 300)
    assert band.p_outside(0.5, 0.5) > band.p_outside(0.5, 0.01)


def test_pattern_is_mantel_on_the_scale_of_fisher():
    ess, gss = load_human("ess11").correlation, load_human("gss2012").correlation
    assert np.tanh(pattern(gss.to_numpy(), ess.to_numpy())) == pytest.approx(mantel(ess, gss))
    stack = np.stack([gss, ess])
    alone = pattern(gss.to_numpy(), ess.to_numpy())
    assert pattern(stack, ess.to_numpy())[0] == pytest.approx(alone)
    assert np.isfinite(pattern(stack, ess.to_numpy())).all()


def test_references_without_a_band_are_refused():
    with pytest.raises(ValueError, match="'ess11_age_sex' has.*AGE"):
        human_band(load_human("ess11_age_sex"), 100)
    with pytest.raises(ValueError, match="pooled of 2 countries.*at least 5"):
        human_band(pool_countries(["AT", "CH"]), 100)
