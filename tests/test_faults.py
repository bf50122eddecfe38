"""A tenth of the attacks of `make faults`, with another seed than its own; and it can fail."""

import os

import faults
import numpy as np
import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="what is attacked is forked")
def test_a_tenth_of_the_attacks_changes_nothing():
    made = list(faults.attack(share=0.1, seed=1))
    assert {kind for kind, _, _ in made} == set(faults.KINDS) and len(made) > 100
    assert [each for each in made if each[2]] == []


def test_an_attack_that_is_felt_is_told(tmp_path):
    def writes_half():
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "answers-000000.parquet").write_bytes(b"half")
        return 0, ""

    said = faults.goes_on(tmp_path / "run", {"answers-000000.parquet": b"whole"}, writes_half)
    assert said == "['answers-000000.parquet'] were left half or wrong (exit 0)"


def test_one_draw_breaks_a_text_in_one_way():
    text = "a,b\n1,2\n"
    made = {faults.mutated(text, np.random.default_rng(seed)) for seed in range(200)}
    assert len(made) > 50
    assert faults.mutated(text, np.random.default_rng(3)) == faults.mutated(
        text, np.random.default_rng(3)
    )
