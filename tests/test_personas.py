"""Personas say gender, job and type; every draw is of different people, all equally likely."""

import re

import numpy as np
import pandas as pd
import pytest

from valuegraph.personas import GENDERS, TYPES, load_jobs, sample_personas

POSSIBLE = len(GENDERS) * len(load_jobs()) * len(TYPES)


def test_there_are_sixteen_types():
    assert len(set(TYPES)) == 16
    assert all(re.fullmatch("[EI][NS][FT][JP]", letters) for letters in TYPES)


def test_jobs_are_different_and_have_their_article():
    jobs = load_jobs()
    assert len({job.lower() for job in jobs}) == len(jobs) >= 80
    for job in jobs:
        article, first = re.fullmatch(r"(an?) ([a-z])[a-z ]+", job).groups()
        assert (article == "an") == (first in "aeiou")


def test_a_persona_tells_gender_job_and_type():
    for role in sample_personas(200, seed=0):
        told = re.fullmatch(
            r"You are (.*) who works as (.*)\. Your personality type is (.*)\.", role.text
        )
        gender, job, letters = told.groups()
        assert gender in GENDERS
        assert job in load_jobs()
        assert letters in TYPES
        assert role.facts == role.stances == ()


def test_same_seed_same_personas_and_more_personas_begin_alike():
    assert sample_personas(50, seed=3) == sample_personas(200, seed=3)[:50]
    assert sample_personas(50, seed=3)[0].name == "persona3-0000"
    assert {r.text for r in sample_personas(50, seed=3)} != {
        r.text for r in sample_personas(50, seed=4)
    }


def test_there_are_as_many_personas_as_combinations():
    assert len({role.text for role in sample_personas(POSSIBLE, seed=0)}) == POSSIBLE
    with pytest.raises(ValueError, match=f"only {POSSIBLE} different personas"):
        sample_personas(POSSIBLE + 1, seed=0)


def test_the_documentation_tells_the_numbers_that_hold():
    assert f"{len(load_jobs())} jobs" in load_jobs.__doc__
    assert f"times {len(load_jobs())} jobs times 16 types: {POSSIBLE}." in sample_personas.__doc__


def test_every_part_has_its_share_of_chances():
    texts = pd.Series([role.text for seed in range(40) for role in sample_personas(100, seed=seed)])
    for parts in (GENDERS, TYPES):
        shares = [texts.str.contains(f"{part}(?: who|\\.$)").mean() for part in parts]
        p = 1 / len(parts)
        assert np.abs(np.array(shares) - p).max() < 5 * np.sqrt(p * (1 - p) / len(texts))


@pytest.mark.parametrize(("n", "seed"), [(0, 0), (1.5, 0), (1, -1), (1, None)])
def test_numbers_that_make_no_sense_are_refused(n, seed):
    with pytest.raises(ValueError, match="give a whole number"):
        sample_personas(n, seed=seed)
