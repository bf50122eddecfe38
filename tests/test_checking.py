"""A model is checked before it is asked: an organism passes, and what would mislead is named."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from valuegraph import checking
from valuegraph.checking import check_model


@pytest.fixture(scope="module")
def shipped():
    from valuegraph.models import load_model

    return load_model("organism-human")


def test_an_organism_can_be_asked(shipped, inventory, bank):
    table = check_model(shipped, inventory, bank)
    assert table.loc["can be asked", "passed"]
    assert table["passed"].iloc[:-1].dropna().all() and table["passed"].notna().sum() > 12
    assert table.loc["mass, say, no first", "figure"] > 0.99
    assert table.loc["moved by words", "figure"] > 2
    control = table.loc["moved by words, control", "figure"]
    assert abs(control) < 0.4 * table.loc["moved by words", "figure"]


def test_random_weights_cannot(llama, inventory, bank):
    table = check_model(llama, inventory, bank)
    failed = table.index[table["passed"] == False]  # noqa: E712
    assert "can be asked" in failed and "mass, answer, yes first" in failed
    # What is of the machinery holds for any model.
    assert table.loc["difference, batch against alone", "passed"]
    assert table.loc["difference, a push of nothing", "figure"] < 1e-4


def test_a_model_that_says_no_to_everything_is_not_asked(shipped, inventory, bank, monkeypatch):
    read = checking.AnswerReader.read

    def always_no(self, logits):
        log_odds, mass = read(self, logits)
        return log_odds.clamp(-9, 9) - 10, mass

    monkeypatch.setattr(checking.AnswerReader, "read", always_no)
    table = check_model(shipped, inventory, bank)
    assert not table.loc["says yes", "passed"] and not table.loc["can be asked", "passed"]


def test_a_batch_that_answers_otherwise_is_noticed(shipped, inventory, bank, monkeypatch):
    def wrong(respondent, *options, **more):
        table = checking_elicit(respondent, *options, **more)
        return table.assign(log_odds=table["log_odds"] + 0.01)

    checking_elicit = checking.elicit
    monkeypatch.setattr(checking, "elicit", wrong)
    table = check_model(shipped, inventory, bank)
    assert not table.loc["difference, batch against alone", "passed"]
    assert table.loc["difference, a push of nothing", "passed"]  # wrong in both


def test_a_push_that_does_nothing_is_noticed(shipped, inventory, bank, monkeypatch):
    class Still(checking.Shift):
        def __post_init__(self):
            super().__post_init__()
            object.__setattr__(self, "vector", 0 * self.vector)

    monkeypatch.setattr(checking, "Shift", Still)
    assert not check_model(shipped, inventory, bank).loc["difference, a random push", "passed"]


def test_what_a_model_cannot_do_is_a_line_of_the_table(shipped, inventory, bank, monkeypatch):
    def elicit(*given, **options):
        if options.get("mode") == "generate":
            raise ValueError("this model cannot write where rows end at different steps")
        return checking_elicit(*given, **options)

    def states(*given, **options):
        raise ValueError("its layers pass on more than one state")

    checking_elicit = checking.elicit
    monkeypatch.setattr(checking, "elicit", elicit)
    monkeypatch.setattr(checking, "states", states)
    table = check_model(shipped, inventory, bank)
    assert "cannot write" in table.loc["written: an answer", "figure"]
    assert "more than one state" in table.loc["pushes", "figure"]
    assert not table.loc["can be asked", "passed"] and table.loc["moved by words", "passed"]


def test_half_precision_may_round(shipped, inventory, bank):
    half = replace(shipped, model=deepcopy(shipped.model).to(torch.bfloat16))
    table = check_model(half, inventory, bank)
    assert table.loc["difference, batch against alone", "wanted"] == "0.3 at most"
    assert table.loc["difference, batch against alone", "passed"]


def test_a_base_model_is_asked_without_a_template(llama, inventory, bank):
    tokenizer = deepcopy(llama.tokenizer)
    tokenizer.chat_template = None
    table = check_model(replace(llama, tokenizer=tokenizer), inventory, bank)
    assert table.loc["difference, batch against alone", "passed"]
    assert table.loc["difference, a random push", "passed"]
    assert np.isfinite(table.loc["mass, say, no first, kang-plain", "figure"])
    assert np.isfinite(table.loc["moved by words", "figure"])
