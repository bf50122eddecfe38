"""Treatments: the same on both sides, edges as the search finds them, what is refused."""

import numpy as np
import pandas as pd
import pytest

from valuegraph.discovery import discover_from_correlation
from valuegraph.humans import load_human, load_human_countries
from valuegraph.verdicts.treatments import EDGE_ALPHA, TREATMENTS, as_they_are, treatments_of

ESS, GSS = load_human("ess11"), load_human("gss2012")
STACK = np.stack([ESS.correlation, GSS.correlation])


@pytest.mark.parametrize("name", TREATMENTS)
def test_a_stack_is_treated_like_its_parts(name):
    for treat in treatments_of(name, ESS):
        treated = treat(STACK, 500)
        assert treated.shape == STACK.shape
        for one, whole in zip(STACK, treated, strict=True):
            assert treat(one, 500) == pytest.approx(whole)


@pytest.mark.parametrize("name", [name for name in TREATMENTS if name != "disattenuated"])
def test_both_sides_get_the_same(name):
    of_people, of_model = treatments_of(name, ESS)
    assert (of_people(STACK, 300) == of_model(STACK, 300)).all()


@pytest.mark.parametrize("n", [60, 500, 2000])
def test_edges_are_those_of_the_search(n):
    of_people, _ = treatments_of("edges", ESS)
    graph = discover_from_correlation(ESS.correlation, n, alpha=EDGE_ALPHA, null_draws=0)
    assert (of_people(ESS.correlation.to_numpy(), n) == graph.skeleton).all()


def test_raw_is_no_treatment():
    assert treatments_of("raw", ESS) == (as_they_are, as_they_are)
    assert as_they_are(STACK, 5) is STACK


def test_each_side_is_corrected_for_its_own_reliability():
    half = pd.Series(0.5, ESS.reliability.index)
    of_people, of_model = treatments_of("disattenuated", ESS, half)
    assert of_model(STACK, 9) == pytest.approx(STACK / 0.5)
    expected = STACK[0, 0, 1] / np.sqrt(ESS.reliability["SE"] * ESS.reliability["CO"])
    assert of_people(STACK, 9)[0, 0, 1] == pytest.approx(expected)
    _, exact = treatments_of("disattenuated", ESS)
    assert (exact(STACK, 9) == STACK).all()


def test_what_cannot_be_done_is_refused():
    with pytest.raises(ValueError, match="unknown treatment 'ipsatised'.*centred"):
        treatments_of("ipsatised", ESS)
    with pytest.raises(ValueError, match="reliabilities of 'ess11_AT' are not known"):
        treatments_of("disattenuated", load_human_countries()["AT"])
    with pytest.raises(ValueError, match="of the model lack PO"):
        treatments_of("disattenuated", ESS, ESS.reliability.drop("PO"))
    with pytest.raises(ValueError, match="at most at 1; those of the model are SE 1.2"):
        treatments_of("disattenuated", ESS, ESS.reliability.replace(0.588, 1.2))
