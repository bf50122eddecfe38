"""Models against people and models: known cases, equal treatment, what changes nothing."""

import json

import numpy as np
import pandas as pd
import pytest

from valuegraph.discovery import Correlations, discover
from valuegraph.humans import human_band, load_human, load_human_countries
from valuegraph.inventory import SCHWARTZ_ORDER
from valuegraph.metrics import mantel
from valuegraph.model_pairs import compare_models
from valuegraph.organisms import load_truth
from valuegraph.verdicts import STICKS_OUT, TREATMENTS, _needed, compare


def sample(name, n, seed=0, start=0):
    table = load_truth(f"organism-{name}").sample(n, seed=seed)
    return table.set_axis([f"role {start + i}" for i in range(n)])


@pytest.fixture(scope="module")
def human_like():
    return compare(sample("human", 1000))


@pytest.fixture(scope="module")
def alien():
    return compare(sample("alien", 400))


def test_a_model_made_after_people_is_inside(human_like):
    assert human_like.verdict == "inside"
    assert human_like.p_inside == max(human_like.p_margin, human_like.p_permutation) < 0.01
    assert human_like.p_outside > 0.05 and human_like.needed_n is None
    assert human_like.low < human_like.agreement < human_like.high < human_like.ceiling_model


def test_a_rewired_model_is_outside(alien):
    assert alien.verdict == "outside" and alien.p_outside < 0.01
    assert alien.high < alien.band_low == alien.band.limits()[0]
    assert set(alien.sensitivity["verdict"]) == {"outside"}


def test_few_roles_cannot_tell_and_say_how_many_would():
    small = compare(sample("human", 60), sensitivity=False)
    assert small.verdict == "cannot tell" and small.needed_n > 60
    assert repr(small).startswith("Cannot tell whether this is inside the human band (p of inside")
    assert f"about {small.needed_n:,} roles would tell" in repr(small)


def test_people_are_not_outside():
    matrix = load_human("gss2012").correlation
    rows = np.random.default_rng(0).multivariate_normal(np.zeros(10), matrix, size=800)
    scores = pd.DataFrame(rows, columns=matrix.columns)
    for reference in (load_human(), load_human_countries()["AT"]):
        assert compare(scores, reference, sensitivity=False).verdict != "outside"


PEOPLE = load_human().correlation.loc[list(SCHWARTZ_ORDER), list(SCHWARTZ_ORDER)]


def drawn(correlation, n, seed=0, start=0):
    """Return scores of n roles with given correlations."""
    rows = np.random.default_rng(seed).multivariate_normal(np.zeros(10), correlation, size=n)
    roles = [f"role {start + i}" for i in range(n)]
    return pd.DataFrame(rows, roles, columns=SCHWARTZ_ORDER)


def as_unreliable(share):
    """Return people's correlations, measured with a share of their reliability."""
    return np.where(np.eye(10), 1.0, share * PEOPLE)


def exchanged(one, other):
    """Return people's correlations with the names of two values exchanged."""
    names = {one: other, other: one}
    return PEOPLE.rename(index=names, columns=names).reindex_like(PEOPLE)


def test_independent_values_have_no_pattern_to_judge():
    verdict = compare(drawn(np.eye(10), 500), sensitivity=False)
    assert verdict.verdict == "cannot tell" and "no stable pattern" in repr(verdict)
    assert verdict.reliability_low == 0
    assert verdict.ceiling_model < 0.5 < verdict.ceiling_human


def test_people_badly_measured_are_not_outside():
    # Against countries at people's reliability most of these draws would be outside.
    for seed in range(3):
        for share in (0.3, 0.5):
            verdict = compare(drawn(as_unreliable(share), 100, seed), sensitivity=False, draws=199)
            assert verdict.verdict != "outside" and verdict.p_outside > 0.05


def test_reliability_is_found_as_a_share_of_that_of_people():
    for share in (0.5, 0.9):
        known = compare(drawn(as_unreliable(share), 3000), sensitivity=False, draws=199)
        assert known.reliability_low < share < known.reliability_high
        assert known.reliability == pytest.approx(share, abs=0.1)


def test_few_outliers_are_not_taken_for_reliability():
    # Heavy tails double the noise of correlations and leave the pattern as it is.
    scores = drawn(as_unreliable(0.6), 3000)
    scale = np.sqrt(5 / np.random.default_rng(1).chisquare(5, size=(len(scores), 1)))
    heavy = compare(scores * scale, sensitivity=False, draws=199)
    light = compare(scores, sensitivity=False, draws=199)
    assert heavy.reliability < light.reliability and heavy.verdict != "outside"


@pytest.mark.parametrize("pair", [("SE", "UN"), ("AC", "PO")])
def test_two_values_exchanged_are_found(pair):
    verdict = compare(drawn(exchanged(*pair), 1000), sensitivity=False)
    assert verdict.verdict == "outside" and verdict.furthest == " and ".join(pair)
    assert verdict.contrast < -0.5 and verdict.p_contrast < 0.005 < verdict.p_agreement
    assert verdict.p_outside == 2 * verdict.p_contrast


def test_a_pair_that_sticks_out_forbids_inside():
    verdict = compare(drawn(exchanged("AC", "PO"), 300, 3), sensitivity=False)
    assert verdict.p_inside < 0.01 and verdict.p_contrast < STICKS_OUT
    assert verdict.verdict != "inside"


def test_the_figures_are_those_of_the_parts(human_like):
    scores = sample("human", 1000)
    assert human_like.agreement == pytest.approx(mantel(load_human().correlation, scores.corr()))
    assert human_like.n == human_like.band.n == 1000
    raw = human_like.sensitivity.set_index("treatment").loc["raw"]
    assert raw["agreement"] == human_like.agreement and raw["p_inside"] == human_like.p_inside
    assert list(human_like.sensitivity["treatment"]) == list(TREATMENTS)


def test_order_of_columns_scale_and_a_common_style_play_no_part(human_like):
    scores = sample("human", 120)
    one = compare(scores, sensitivity=False).to_dict()
    shuffled = scores[scores.columns[::-1]] * 7 - 3
    assert compare(shuffled, sensitivity=False).to_dict() == pytest.approx(one)
    style = np.random.default_rng(1).standard_normal((1000, 1))
    styled = compare(sample("human", 1000) + 0.7 * style, sensitivity=False)
    assert styled.verdict == human_like.verdict


def test_both_sides_are_treated_alike():
    scores = sample("human", 300)
    for treatment in ("centred", "partial"):
        verdict = compare(scores, treatment=treatment, sensitivity=False)
        assert verdict.treatment == treatment
        assert verdict.ceiling_model == pytest.approx(verdict.ceiling_human, abs=0.1)
    options = {"treatment": "disattenuated", "sensitivity": False}
    both = compare(scores, reliability=load_human().reliability, sensitivity=False)
    assert both.treatment == "disattenuated"
    assert both.agreement > compare(scores, **options).agreement


@pytest.mark.parametrize("name", TREATMENTS)
def test_a_stack_is_treated_like_its_parts(name):
    human = load_human()
    stack = np.stack([human.correlation, load_human("gss2012").correlation])
    own = human.reliability[list(human.values)].to_numpy()
    treated = TREATMENTS[name](stack, 500, own)
    for one, whole in zip(stack, treated, strict=True):
        assert TREATMENTS[name](one, 500, own) == pytest.approx(whole)
    if name == "edges":
        graph = discover(Correlations(human.correlation, 500), null_draws=0)
        assert (treated[0] == graph.skeleton).all()


def test_a_verdict_reads_like_one(human_like, alien):
    assert repr(human_like).startswith("Inside the human band (p of inside: 0.001, of outside: ")
    assert repr(alien).startswith("Outside the human band (p of inside: ")
    text = human_like._repr_markdown_()
    for part in ("**Inside the human band", "- Agreement with ess11", "1000 roles", "centred: "):
        assert part in text
    figures = json.loads(json.dumps(human_like.to_dict(), allow_nan=False))
    assert figures["verdict"] == "inside" and "sensitivity" not in figures


def test_needed_roles_are_fewer_the_clearer_the_case():
    bands = {}

    def band_at(n):
        return bands.setdefault(n, human_band(load_human(), n, draws=20))

    def needed(z, error=0.2, n=60, ceiling=0.7):
        v = {"z": z, "error": error, "n": n, "ceiling_model": ceiling, "alpha": 0.01}
        return _needed(v, band_at)

    assert 60 < needed(0.0) < needed(np.arctanh(0.63))
    assert needed(1.0, ceiling=0.0) is None
    # At the edge of the band, 13 countries leave both open for ever.
    widest = bands[max(bands)]
    edge = widest.mean - 2.0 * widest.between_sd
    assert needed(edge, error=0.01, n=5000, ceiling=1.0) is None


def test_what_cannot_be_compared_with_people_is_refused():
    scores = sample("human", 50)
    for message, table, options in (
        ("Empathy.*use compare_models", scores.rename(columns={"SE": "Empathy"}), {}),
        ("use compare_models", scores.drop(columns="PO"), {}),
        ("29 roles are too few", scores.iloc[:29], {}),
        ("one row a role", pd.concat([scores, scores.iloc[[3]]]), {}),
        ("'ess11_age_sex' has", scores, {"human": load_human("ess11_age_sex")}),
        (
            "unknown treatment of 'ess11' 'ipsatised'; known are raw, centred",
            scores,
            {"treatment": "ipsatised"},
        ),
        ("got {'SE': 1.2", scores, {"reliability": load_human().reliability * 0 + 1.2}),
        ("draw more", scores, {"draws": 99}),
        ("PO hardly vary", scores.assign(PO=0.001 * scores["PO"]), {}),
    ):
        with pytest.raises(ValueError, match=message):
            compare(table, **options)
    with pytest.raises(ValueError, match="of 'ess11_AT' 'disattenuated'; known are raw"):
        compare(scores, load_human_countries()["AT"], treatment="disattenuated")


# ---------------------------------------------------------------- models against models


def test_two_samples_of_one_model_are_alike():
    first, second = sample("human", 600, 0), sample("human", 600, 1, start=1000)
    found = compare_models(first, second)
    assert found.verdict == "alike" and not found.paired
    assert found.agreement == pytest.approx(mantel(first.corr(), second.corr()))
    assert found.low < found.agreement < found.high
    assert found.agreement == pytest.approx(found.ceiling, abs=0.15)


def test_the_human_and_the_alien_organism_are_different():
    tables = sample("human", 300, 0), sample("alien", 300, 1)
    found = compare_models(*tables, names=("human", "alien"))
    assert found.verdict == "different" and found.paired  # the same names of roles
    assert repr(found).startswith("human and alien: different.")


def test_a_model_that_shares_part_of_its_structure_is_different_and_has_it_in_common():
    first, second = sample("human", 900, 0), sample("human", 900, 1, start=2000)
    second = second.assign(PO=np.random.default_rng(0).standard_normal(900))
    found = compare_models(first, second, draws=199)
    assert found.verdict == "different" and found.p_shared < 0.01 < found.p_alike


@pytest.mark.parametrize("paired", [True, False])
def test_the_same_model_is_called_different_at_the_rate_of_alpha(paired):
    p = []
    for seed in range(20):
        first = sample("human", 60, 2 * seed)
        # The same roles share part of what they say, as two models that read the same role do.
        second = sample("human", 60, 2 * seed + 1, start=0 if paired else 100)
        if paired:
            first, second = first + second.to_numpy(), second + 0.5 * first
        found = compare_models(first, second, draws=39, alpha=0.05)
        assert found.paired == paired
        p.append(found.p_differ)
    assert np.mean(np.array(p) <= 0.25) == pytest.approx(0.25, abs=0.26)


def test_nothing_found_in_few_roles_is_not_alike():
    first, second = drawn(PEOPLE, 100), drawn(exchanged("SE", "UN"), 100, 1, start=500)
    few = compare_models(first, second)
    assert few.verdict == "no difference found" and few.p_differ > 0.01 < few.p_alike
    first, second = drawn(PEOPLE, 1000), drawn(exchanged("SE", "UN"), 1000, 1, start=5000)
    assert compare_models(first, second, draws=199).verdict == "different"


def test_alike_is_closer_than_a_margin_that_one_chooses():
    first, second = drawn(PEOPLE, 1000), drawn(exchanged("SE", "UN"), 1000, 1, start=5000)
    lenient, strict = (compare_models(first, second, draws=199, margin=m) for m in (0.5, 0.99))
    assert lenient.verdict == "alike, not the same" and lenient.p_alike < strict.p_alike
    assert strict.margin == 0.99 and "no closer than 0.99" in repr(strict)


def test_the_same_pattern_at_another_reliability_is_no_difference():
    for seed in range(3):
        first, second = drawn(PEOPLE, 400, seed), drawn(as_unreliable(0.3), 400, seed + 9, 1000)
        found = compare_models(first, second, draws=199)
        assert found.p_differ > 0.01 and found.verdict == "no difference found"


def test_noise_that_two_models_share_is_not_agreement():
    # The same roles, no pattern in either: what they have in common is chance.
    noise = drawn(np.eye(10), 300)
    first, second = noise + 0.3 * drawn(np.eye(10), 300, 1), noise
    found = compare_models(first, second, draws=199)
    assert found.paired and found.agreement > 0.5
    assert found.p_alike > 0.01


def test_the_larger_table_is_cut_to_equal_n():
    tables = sample("human", 200, 0), sample("human", 50, 1, start=500)
    found, again = (compare_models(*tables, draws=199) for _ in range(2))
    assert found.n == 50 and found.to_dict() == again.to_dict()
    assert json.loads(json.dumps(found.to_dict()))["first"] == "first"


def test_models_that_cannot_be_compared_are_refused():
    first, second = sample("human", 50, 0), sample("human", 50, 1)
    with pytest.raises(ValueError, match="only one of the models has Empathy, SE"):
        compare_models(first, second.rename(columns={"SE": "Empathy"}))
    with pytest.raises(ValueError, match="20 roles are too few"):
        compare_models(first, second.iloc[:20])
    with pytest.raises(ValueError, match="alpha = 0.01 must lie"):
        compare_models(first, second, draws=50)
    with pytest.raises(ValueError, match="margin = 1 is an agreement"):
        compare_models(first, second, margin=1)
    with pytest.raises(ValueError, match="SE hardly vary.*ask more varied roles"):
        compare_models(first, second.assign(SE=0.001 * second["SE"]))
