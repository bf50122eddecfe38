"""Log-odds and mass are those of the probabilities of all tokens that spell yes or no."""

import numpy as np
import pytest
import torch

from valuegraph.elicitation import elicit
from valuegraph.models import Respondent
from valuegraph.probing import next_words
from valuegraph.reading import AnswerReader


def test_all_spellings_of_yes_and_no_are_read_and_nothing_else(respondent):
    tokenizer = respondent.tokenizer
    reader = AnswerReader.of(respondent)
    for word, ids in (("yes", reader.yes_ids), ("no", reader.no_ids)):
        same = {i for i in range(len(tokenizer)) if tokenizer.decode(i).strip().lower() == word}
        assert set(ids) == same
        assert list(ids) == sorted(set(ids))


def test_a_vocabulary_of_several_spellings_is_meant(llama):
    reader = AnswerReader.of(llama)
    assert len(reader.yes_ids) > 1 and len(reader.no_ids) > 1


def test_log_odds_and_mass_are_those_of_the_probabilities():
    p = torch.tensor([[0.1, 0.2, 0.3, 0.25, 0.15], [0.5, 0.1, 0.1, 0.1, 0.2]])
    reader = AnswerReader(yes_ids=(0, 3), no_ids=(2,))
    log_odds, mass = reader.read(p.log() + torch.tensor([[3.0], [-2.0]]))  # any constant
    np.testing.assert_allclose(log_odds, np.log([0.35 / 0.3, 0.6 / 0.1]), rtol=1e-5)
    np.testing.assert_allclose(mass, [0.65, 0.7], rtol=1e-5)


def test_logits_of_half_precision_are_read_in_full():
    logits = torch.randn(4, 50, generator=torch.Generator().manual_seed(0)).bfloat16()
    reader = AnswerReader(yes_ids=(0, 3), no_ids=(2, 7))
    log_odds, mass = reader.read(logits)
    p = logits.double().softmax(-1)
    yes, no = p[:, [0, 3]].sum(1), p[:, [2, 7]].sum(1)
    np.testing.assert_allclose(log_odds, (yes / no).log(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mass, yes + no, rtol=1e-5)


def test_certain_answers_stay_finite():
    logits = torch.tensor([[300.0, -300.0, 0.0], [-300.0, -300.0, 300.0]])
    log_odds, mass = AnswerReader(yes_ids=(0,), no_ids=(1,)).read(logits)
    np.testing.assert_allclose(log_odds, [600, 0])
    np.testing.assert_allclose(mass, [1, 0])


@pytest.mark.parametrize("missing", ["yes", "no"])
def test_a_tokenizer_without_yes_or_no_is_refused(missing, few_items, organism):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [word for word in ("<unk>", "yes", "no") if word != missing]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    mute = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")
    with pytest.raises(ValueError, match="has no (single token|chat template)"):
        elicit(Respondent("mute", organism.model, mute), few_items, [None])


def test_the_next_words_are_those_of_the_prompt_alone(respondent, ask_alone):
    question = "Would you pay extra for a stronger lock on the door?"
    words = next_words(respondent, question, n=len(respondent.tokenizer))
    assert words.sum() == pytest.approx(1, abs=1e-5)
    assert words.is_monotonic_decreasing
    spelled = words.index.str.lower()
    log_odds, mass = ask_alone(respondent, question, None, None)
    yes, no = (words[spelled == word].sum() for word in ("yes", "no"))
    assert np.log(yes / no) == pytest.approx(log_odds, abs=1e-4)
    assert yes + no == pytest.approx(mass, abs=1e-6)
    assert list(next_words(respondent, question, n=3).index) == list(words.index[:3])
