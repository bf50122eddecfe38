"""Prompts in token ids are those of the whole text; what a tokenizer does not know is named."""

from copy import deepcopy

import pytest
import torch

from valuegraph.encoding import encode_prompts, pad_left
from valuegraph.models import Respondent
from valuegraph.prompts import PromptFormat, render_parts, render_prompt
from valuegraph.roles import Role

QUESTIONS = ["Would you pray?", "Do you often leave the house unlocked at night?"]
ROLES = [None, Role("guard", "Your home and car are both uninsured.")]
FMT = PromptFormat("say", think=True)


def encode(respondent, text):
    return respondent.tokenizer(text, add_special_tokens=False)["input_ids"]


# ------------------------------------------------------------------------------------------ padding


def test_padded_texts_end_in_the_last_column():
    padded = pad_left([[5, 6, 7], [8], [9, 10]], torch.device("cpu"))
    assert padded.ids.tolist() == [[5, 6, 7], [0, 0, 8], [0, 9, 10]]
    assert padded.mask.tolist() == [[True, True, True], [False, False, True], [False, True, True]]
    assert padded.positions.tolist() == [[0, 1, 2], [0, 0, 0], [0, 0, 1]]


def test_texts_of_one_length_are_not_padded():
    padded = pad_left([[5, 6], [8, 9]], torch.device("cpu"))
    assert padded.ids.tolist() == [[5, 6], [8, 9]]
    assert padded.mask.all()


# ------------------------------------------------------------------------------------------ prompts


@pytest.mark.parametrize("name", ["organism", "llama", "gemma", "seam"])
def test_every_row_is_the_whole_prompt_in_tokens(request, name):
    respondent = request.getfixturevalue(name)
    prompts = encode_prompts(respondent, QUESTIONS, ROLES, fmt=FMT, prefill="Thought:")
    assert not prompts.whole == (name != "seam")
    assert len(prompts.prefixes) == len(prompts.suffixes) == 2
    for r, role in enumerate(ROLES):
        for q, question in enumerate(QUESTIONS):
            text = render_prompt(respondent.tokenizer, question, role, fmt=FMT, prefill="Thought:")
            assert prompts.row(r, q) == encode(respondent, text)
    assert not prompts.sites


def test_one_joined_question_is_enough_to_ask_all_of_them_whole(seam):
    def joined(questions):
        return not encode_prompts(seam, questions, [None], fmt=FMT, prefill="").whole

    assert joined(QUESTIONS[:1])
    assert not joined(QUESTIONS[1:])
    assert not joined(QUESTIONS)
    assert not joined(QUESTIONS[::-1])


@pytest.mark.parametrize("name", ["organism", "llama", "gemma", "seam"])
def test_sites_are_found_where_they_are_asked_for(request, name):
    respondent = request.getfixturevalue(name)
    prompts = encode_prompts(
        respondent, QUESTIONS, ROLES, fmt=FMT, prefill="Answer:", find_sites=True
    )
    for r, site in enumerate(prompts.sites):
        for q in range(len(QUESTIONS)):
            told = respondent.tokenizer.decode(prompts.row(r, q)[: site.stop])
            assert told.endswith("your values")
    assert len(prompts.sites) == len(ROLES)


def test_a_site_that_is_joined_to_a_question_is_refused(llama):
    tokenizer = deepcopy(llama.tokenizer)
    tokenizer.add_tokens([" values. Do"])
    joining = Respondent("joining", llama.model, tokenizer)
    settings = {"fmt": FMT, "prefill": "Answer:"}
    with pytest.raises(ValueError, match="no token ends with the site's words.*of joining joins"):
        encode_prompts(joining, QUESTIONS, ROLES, find_sites=True, **settings)
    # Without shifts the questions can be asked.
    assert encode_prompts(joining, QUESTIONS, ROLES, **settings).whole
    assert not encode_prompts(joining, QUESTIONS[:1], ROLES, find_sites=True, **settings).whole


# ------------------------------------------------------------------------------------ unknown words


def test_all_that_comes_with_the_package_is_known_to_an_organism(organism, inventory, bank):
    from valuegraph.elicitation import CONTENT_FREE

    role = Role("all", " ".join(bank.facts["text"]))
    for fmt in (FMT, PromptFormat("reply", yes_first=False), PromptFormat()):
        questions = [*inventory.items["text"], *CONTENT_FREE]
        prompts = encode_prompts(organism, questions, [role], fmt=fmt, prefill="Answer:")
        assert not prompts.whole


@pytest.mark.parametrize(
    ("role", "question", "message"),
    [
        ("You hunt whales.", "Would you pray?", "organism does not know 'hunt', 'whales' in "),
        ("Zealots, all of you.", "Would you pray?", "organism does not know 'Zealots' in "),
        ("You often leave your keys.", "Would you juggle?", "does not know 'juggle' in "),
        ("You hunt; you hunt!", "Would you pray?", "does not know 'hunt' in "),
        ("You\nyou", "Would you pray?", "does not know a character in "),
    ],
)
def test_words_that_an_organism_does_not_know_are_named(organism, role, question, message):
    with pytest.raises(ValueError, match=f"{message}.*An organism knows only the words"):
        encode_prompts(organism, [question], [Role("odd", role)], fmt=FMT, prefill="Answer:")


def test_no_more_than_five_unknown_words_are_named(organism):
    role = Role("odd", "Alpha beta gamma delta epsilon zeta eta.")
    with pytest.raises(ValueError, match="'Alpha', 'beta', 'gamma', 'delta', 'epsilon' in"):
        encode_prompts(organism, QUESTIONS, [role], fmt=FMT, prefill="Answer:")


def test_a_tokenizer_without_an_unknown_word_takes_any(llama):
    role = Role("odd", "You hunt whales; Größe ☃!")
    prompts = encode_prompts(llama, QUESTIONS, [role], fmt=FMT, prefill="Answer:")
    ((prefix, _), _) = render_parts(llama.tokenizer, QUESTIONS, role, fmt=FMT)
    assert llama.tokenizer.decode(prompts.prefixes[0]) == prefix
