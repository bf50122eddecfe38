"""Human references: the figures are sound, and are those that were published about them."""

import numpy as np
import pytest

from valuegraph.humans import load_human, load_human_countries, pool_countries
from valuegraph.inventory import SCHWARTZ_ORDER

PEOPLE = {"ess11": 21158, "ess11_age_sex": 21035, "ess9_germany": 2313, "gss2012": 1209,
          "pvq40": 150}  # fmt: skip


def test_every_reference_is_a_correlation_matrix_in_circular_order_with_its_source():
    countries = load_human_countries()
    assert len(countries) == 13
    for reference in [*map(load_human, PEOPLE), *countries.values()]:
        matrix = reference.correlation.to_numpy()
        assert reference.values[:10] == SCHWARTZ_ORDER
        assert tuple(reference.correlation.index) == reference.values
        assert (matrix == matrix.T).all() and (np.diag(matrix) == 1).all()
        assert np.linalg.eigvalsh(matrix)[0] > 0.1
        of_ess = reference.name.startswith("ess")
        assert ("CC BY-NC-SA 4.0" in reference.about["licence"]) == of_ess
        for word in ("population", "instrument", "processing", "citation", "origin"):
            assert reference.about[word]
        assert f"{reference.n:,}" in reference._repr_html_()
    assert {name: load_human(name).n for name in PEOPLE} == PEOPLE


def test_correlations_fall_with_the_distance_on_the_circle():
    matrix = load_human("ess11").correlation.to_numpy()
    steps = abs(np.subtract.outer(range(10), range(10)))
    distance = np.minimum(steps, 10 - steps)
    means = [matrix[distance == d].mean() for d in range(1, 6)]
    assert means == pytest.approx([0.395, 0.280, 0.194, 0.105, 0.081], abs=5e-4)


def test_reliability_is_low_and_known_for_every_value():
    reliability = load_human("ess11").reliability
    assert set(reliability.index) == set(SCHWARTZ_ORDER)
    assert reliability["TR"] == reliability.min() == pytest.approx(0.308)
    assert reliability["AC"] == reliability.max() == pytest.approx(0.687)


def test_age_and_sex_are_two_more_variables():
    people, more = load_human("ess11"), load_human("ess11_age_sex")
    assert more.values == (*SCHWARTZ_ORDER, "AGE", "FEMALE")
    same = more.correlation.loc[list(SCHWARTZ_ORDER), list(SCHWARTZ_ORDER)]
    assert abs(same - people.correlation).to_numpy().max() < 0.01


def test_countries_make_up_the_pooled_reference():
    people, countries = load_human("ess11"), load_human_countries()
    assert people.countries == tuple(countries)
    assert people.n == sum(country.n for country in countries.values())
    pooled = pool_countries(list(countries))
    assert abs(pooled.correlation - people.correlation).to_numpy().max() < 0.02
    two = pool_countries(["AT", "CH"])
    weights = np.array([countries[code].n for code in ("AT", "CH")])
    expected = np.average([countries[code].correlation for code in ("AT", "CH")], axis=0,
                          weights=weights)  # fmt: skip
    np.testing.assert_allclose(two.correlation, expected)
    assert (two.name, two.n, two.countries) == ("ess11_AT_CH", weights.sum(), ("AT", "CH"))


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="unknown human reference 'ess12'; known are ess11,"):
        load_human("ess12")
    for codes in (["AT"], ["AT", "AT"], ["AT", "XX"]):
        with pytest.raises(ValueError, match="are not two or more of AT, CH"):
            pool_countries(codes)
