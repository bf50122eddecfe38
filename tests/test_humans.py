"""Human references: the figures are in order, and are those that were published about them."""

import numpy as np
import pytest

from valuegraph.humans import load_human, load_human_countries, pool_countries
from valuegraph.inventory import SCHWARTZ_ORDER

PEOPLE = {
    "ess11": 21158,
    "ess11_age_sex": 21035,
    "ess9_germany": 2313,
    "gss2012": 1209,
    "pvq40": 150,
}


def every_reference():
    yield from map(load_human, PEOPLE)
    yield from load_human_countries().values()


def off_diagonal(correlation):
    return correlation.to_numpy()[np.triu_indices(len(correlation), 1)]


@pytest.mark.parametrize("name", PEOPLE)
def test_numbers_of_people(name):
    reference = load_human(name)
    assert reference.name == name
    assert reference.n == PEOPLE[name]
    assert str(reference.n) in repr(reference)


def test_every_reference_is_a_correlation_matrix_in_circular_order_with_its_source():
    for reference in every_reference():
        matrix = reference.correlation.to_numpy()
        assert reference.values[:10] == SCHWARTZ_ORDER
        assert tuple(reference.correlation.index) == reference.values
        assert (matrix == matrix.T).all() and (np.diag(matrix) == 1).all()
        assert np.linalg.eigvalsh(matrix)[0] > 0.1
        assert reference.citation and reference.origin and reference.instrument
        assert reference.processing and reference.population and reference.licence
        card = reference._repr_html_()
        assert f"{reference.n:,}" in card and "Cronbach" in card or "not known" in card


def test_licences_are_told_by_source():
    for reference in every_reference():
        of_ess = reference.name.startswith("ess")
        assert ("CC BY-NC-SA 4.0" in reference.licence) == of_ess
        assert "aggregate figures" in reference.licence


def test_correlations_fall_with_the_distance_on_the_circle():
    matrix = load_human("ess11").correlation.to_numpy()
    steps = abs(np.subtract.outer(range(10), range(10)))
    distance = np.minimum(steps, 10 - steps)
    means = [matrix[distance == d].mean() for d in range(1, 6)]
    assert means == pytest.approx([0.395, 0.280, 0.194, 0.105, 0.081], abs=5e-4)
    assert off_diagonal(load_human("ess11").correlation).mean() == pytest.approx(0.225, abs=5e-4)


def test_reliability_is_low_and_known_for_every_value():
    reliability = load_human("ess11").reliability
    assert set(reliability.index) == set(SCHWARTZ_ORDER)
    assert reliability["TR"] == reliability.min() == pytest.approx(0.308)
    assert reliability["AC"] == reliability.max() == pytest.approx(0.687)


def test_age_and_sex_are_two_more_variables_of_the_same_people():
    more = load_human("ess11_age_sex")
    assert more.values[10:] == ("AGE", "FEMALE")
    same = more.correlation.loc[list(SCHWARTZ_ORDER), list(SCHWARTZ_ORDER)]
    assert abs(same - load_human("ess11").correlation).to_numpy().max() < 0.01


def test_the_countries_are_the_people_of_the_pooled_reference():
    countries = load_human_countries()
    assert len(countries) == 13
    assert sum(country.n for country in countries.values()) == load_human("ess11").n
    # Within-country correlations are about the mean of those of the countries.
    pooled = off_diagonal(load_human("ess11").correlation)
    mean = np.average(
        [off_diagonal(country.correlation) for country in countries.values()],
        axis=0,
        weights=[country.n for country in countries.values()],
    )
    assert np.abs(mean - pooled).max() < 0.02
    assert np.corrcoef(mean, pooled)[0, 1] > 0.995


def test_single_countries_differ_from_the_pool_by_a_known_band():
    pooled = off_diagonal(load_human("ess11").correlation)
    rmse = [
        np.sqrt(np.mean((off_diagonal(country.correlation) - pooled) ** 2))
        for country in load_human_countries().values()
    ]
    assert min(rmse) == pytest.approx(0.039, abs=5e-4)
    assert max(rmse) == pytest.approx(0.144, abs=5e-4)


def test_an_unknown_name_gets_the_known_ones():
    with pytest.raises(ValueError, match="'ess12'.*ess11.*ess9_germany.*gss2012.*pvq40"):
        load_human("ess12")


def test_age_and_sex_come_before_the_values():
    assert load_human("ess11_age_sex").tiers == (("AGE", "FEMALE"), SCHWARTZ_ORDER)
    assert load_human("gss2012").tiers == (SCHWARTZ_ORDER,)


def test_countries_can_be_pooled_again():
    countries = load_human_countries()
    everyone = pool_countries(list(countries))
    ess = load_human("ess11")
    assert everyone.n == ess.n and everyone.countries == ess.countries == tuple(countries)
    assert np.abs(off_diagonal(everyone.correlation - ess.correlation)).max() < 0.02
    two = pool_countries(["AT", "CH"])
    a, c = countries["AT"], countries["CH"]
    expected = (a.n * a.correlation + c.n * c.correlation) / (a.n + c.n)
    assert np.allclose(two.correlation, expected)
    assert a.countries == ("AT",) and load_human("gss2012").countries == ()


@pytest.mark.parametrize("names", [["AT"], ["AT", "AT"], ["AT", "FR"], []])
def test_a_pool_of_no_countries_is_refused(names):
    with pytest.raises(ValueError, match="at least two of the countries AT, CH"):
        pool_countries(names)
