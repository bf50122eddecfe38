"""Models against people: known verdicts, equal treatment, nothing that order or scale could do."""

import json

import numpy as np
import pandas as pd
import pytest

from valuegraph.comparison import compare, compare_sizes
from valuegraph.humans import load_human, load_human_countries
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.matrices import mantel
from valuegraph.organisms.shipped import load_truth
from valuegraph.verdicts.sample_size import needed_roles
from valuegraph.verdicts.treatments import TREATMENTS
from valuegraph.verdicts.verdict import verdict_table


def sample(name, n, seed=0):
    return load_truth(f"organism-{name}").sample(n, seed=seed)


@pytest.fixture(scope="module")
def human_like():
    return compare(sample("human", 1000))


@pytest.fixture(scope="module")
def alien():
    return compare(sample("alien", 1000))


@pytest.fixture(scope="module")
def small():
    return compare(sample("human", 60), sensitivity=False)


def test_a_model_made_after_people_is_inside(human_like):
    assert human_like.verdict == "inside"
    assert human_like.p_value == human_like.p_inside < 0.01
    assert human_like.p_outside > 0.05
    assert human_like.low < human_like.agreement < human_like.high < human_like.ceiling_model


def test_a_rewired_model_is_outside(alien):
    assert alien.verdict == "outside"
    assert alien.p_value == alien.p_outside < 0.01
    assert alien.high < alien.band.limits()[0]
    assert set(alien.sensitivity["verdict"]) == {"outside"}


def test_few_roles_cannot_tell_and_say_how_many_would(small):
    assert small.verdict == "cannot tell"
    assert small.needed_n is None or small.needed_n > 60
    assert "Cannot tell" in repr(small)


def test_verdicts_are_right_over_seeds():
    for seed in range(3):
        for name, expected in (("human", "inside"), ("alien", "outside")):
            verdict = compare(sample(name, 1500, seed), sensitivity=False, seed=seed)
            assert verdict.verdict == expected


def test_people_are_not_outside():
    countries = load_human_countries()
    for number, name in enumerate(["gss2012", "ess9_germany"]):
        matrix = load_human(name).correlation
        rows = np.random.default_rng(number).multivariate_normal(np.zeros(10), matrix, size=800)
        scores = pd.DataFrame(rows, columns=matrix.columns)
        for reference in (load_human(), countries["AT"]):
            assert compare(scores, reference, sensitivity=False).verdict != "outside"


def test_independent_values_are_outside_for_want_of_a_pattern():
    rows = np.random.default_rng(0).standard_normal((500, 10))
    verdict = compare(pd.DataFrame(rows, columns=SCHWARTZ_ORDER), sensitivity=False)
    assert verdict.verdict == "outside"
    assert "want of a stable pattern" in repr(verdict)
    assert verdict.ceiling_model < 0.5 < verdict.ceiling_human


def test_the_figures_are_those_of_the_parts(human_like):
    scores = sample("human", 1000)
    assert human_like.agreement == pytest.approx(mantel(load_human().correlation, scores.corr()))
    assert human_like.n == human_like.band.n == 1000
    raw = human_like.sensitivity.set_index("treatment").loc["raw"]
    assert raw["agreement"] == human_like.agreement
    assert raw["p_inside"] == human_like.p_inside
    assert list(human_like.sensitivity["treatment"]) == list(TREATMENTS)


def test_order_of_columns_and_scale_of_scores_play_no_part():
    scores = sample("human", 120)
    one = compare(scores, sensitivity=False)
    shuffled = scores[scores.columns[::-1]] * 7 - 3
    other = compare(shuffled, sensitivity=False)
    assert one.to_dict() == pytest.approx(other.to_dict())


def test_a_common_style_of_answering_plays_no_part_in_the_pattern():
    scores = sample("human", 1000)
    style = np.random.default_rng(1).standard_normal((1000, 1))
    assert compare(scores + 0.7 * style, sensitivity=False).verdict == "inside"


def test_equal_treatment_of_both_sides():
    scores = sample("human", 400)
    for treatment in ("centred", "partial"):
        verdict = compare(scores, treatment=treatment, sensitivity=False)
        assert verdict.treatment == treatment
        # Both ceilings move together: the same was done to both sides.
        assert verdict.ceiling_model == pytest.approx(verdict.ceiling_human, abs=0.1)
    # With people's own reliabilities on both sides, measurement error changes both alike.
    both = compare(
        scores, treatment="disattenuated", reliability=load_human().reliability, sensitivity=False
    )
    people_only = compare(scores, treatment="disattenuated", sensitivity=False)
    assert both.agreement > people_only.agreement


def test_growing_parts_are_compared_one_by_one():
    scores = sample("human", 200)
    found = compare_sizes(scores, sizes=[50, 200], sensitivity=False)
    assert [verdict.n for verdict in found] == [50, 200]
    assert found[0].to_dict() == compare(scores.iloc[:50], sensitivity=False).to_dict()
    table = verdict_table(found)
    assert list(table["n"]) == [50, 200] and table["band_low"].is_monotonic_increasing
    with pytest.raises(ValueError, match="between 30 and 200"):
        compare_sizes(scores, sizes=[300])
    with pytest.raises(ValueError, match="no verdict"):
        verdict_table([])


def test_a_verdict_reads_like_one(human_like, alien):
    assert repr(human_like).startswith("Inside the human band (p = .001).")
    assert repr(alien).startswith("Outside the human band (p < .0001).")
    html = human_like._repr_html_()
    for text in ("Inside the human band", "1000 roles", "13 countries", "centred: inside"):
        assert text in html
    assert json.loads(json.dumps(human_like.to_dict(), allow_nan=False))["verdict"] == "inside"


def test_needed_roles_are_fewer_the_clearer_the_case():
    from valuegraph.verdicts.band import human_band

    bands = {}

    def band_at(n):
        return bands.setdefault(n, human_band(load_human(), n, draws=20))

    clear, average = (
        needed_roles(z, 0.2, 60, 0.7, band_at, alpha=0.01) for z in (0.0, np.arctanh(0.63))
    )
    assert 60 < clear < average
    assert needed_roles(1.0, 0.2, 60, 0.0, band_at, alpha=0.01) is None
    # At the edge of the band, 13 countries leave both open for ever.
    edge = np.tanh(bands[max(bands)].mean - 2.0 * bands[max(bands)].between_sd)
    assert needed_roles(np.arctanh(edge), 0.01, 5000, 1.0, band_at, alpha=0.01) is None


def test_scores_without_human_counterpart_are_refused():
    scores = sample("human", 50)
    with pytest.raises(ValueError, match="Empathy.*no human counterpart.*compare_models"):
        compare(scores.rename(columns={"SE": "Empathy"}))
    with pytest.raises(ValueError, match="no human counterpart"):
        compare(scores.drop(columns="PO"))
    with pytest.raises(ValueError, match="'ess11_age_sex' has.*load_human"):
        compare(scores, load_human("ess11_age_sex"))


def test_what_cannot_be_compared_is_refused():
    scores = sample("human", 50)
    with pytest.raises(ValueError, match="29 roles are too few"):
        compare(scores.iloc[:29])
    with pytest.raises(ValueError, match="role 3 has more than one row|role 3"):
        compare(pd.concat([scores, scores.iloc[[3]]]))
    with pytest.raises(ValueError, match="SE do not vary"):
        compare(scores.assign(SE=1.0))
    with pytest.raises(ValueError, match="unknown treatment 'ipsatised'.*centred"):
        compare(scores, treatment="ipsatised")
    with pytest.raises(ValueError, match="reliabilities of 'ess11_AT' are not known"):
        compare(scores, load_human_countries()["AT"], treatment="disattenuated")
    with pytest.raises(ValueError, match="more draws allow a smaller alpha"):
        compare(scores, alpha=0.01, draws=99)
