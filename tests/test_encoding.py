"""Prompts in token ids are those of the whole text; what a tokenizer does not know is named."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from valuegraph.elicitation import CONTENT_FREE, elicit
from valuegraph.encoding import encode_prompts, pad_left
from valuegraph.prompts import PromptFormat, render_prompt
from valuegraph.roles import Role

QUESTIONS = ["Would you pray?", "Do you often leave the house unlocked at night?"]
ROLES = [None, Role("guard", "Your home and car are both uninsured.")]
FMT = PromptFormat("say", think=True)


def encoded(respondent, questions=QUESTIONS, roles=ROLES, find_sites=False):
    return encode_prompts(respondent, questions, roles, FMT, "Thought:", find_sites=find_sites)


def assert_rows_are_whole_prompts(respondent, prompts):
    tokenizer = respondent.tokenizer
    for r, role in enumerate(ROLES):
        for q, question in enumerate(QUESTIONS):
            text = render_prompt(tokenizer, question, role, fmt=FMT, prefill="Thought:")
            assert prompts.row(r, q) == tokenizer(text, add_special_tokens=False)["input_ids"]


def test_padded_texts_end_in_the_last_column():
    padded = pad_left([[5, 6, 7], [8], [9, 10]], torch.device("cpu"))
    assert padded.ids.tolist() == [[5, 6, 7], [0, 0, 8], [0, 9, 10]]
    assert padded.mask.tolist() == [[True] * 3, [False, False, True], [False, True, True]]
    assert padded.positions.tolist() == [[0, 1, 2], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("name", ["organism", "llama", "gemma", "seam"])
def test_every_row_is_the_whole_prompt_in_tokens(request, name):
    respondent = request.getfixturevalue(name)
    prompts = encoded(respondent, find_sites=True)
    assert bool(prompts.whole) == (name == "seam")  # one question that is joined is enough
    assert_rows_are_whole_prompts(respondent, prompts)
    for r, site in enumerate(prompts.sites):
        text = respondent.tokenizer.decode(prompts.row(r, 1)[: site.stop])
        assert len(site) and text.endswith("your values")
    assert not any(map(len, encoded(respondent).sites))


def test_a_template_may_write_something_else_behind_the_question_of_each_role(llama, few_items):
    """Here the end of the prompt tells whether there was a system turn."""
    tokenizer = deepcopy(llama.tokenizer)
    tokenizer.chat_template += "{% if messages | length > 1 %}{{ 'You sleep. ' }}{% endif %}"
    respondent = replace(llama, tokenizer=tokenizer)
    prompts = encoded(respondent)
    assert prompts.whole
    assert_rows_are_whole_prompts(respondent, prompts)
    together = elicit(respondent, few_items, ROLES)["log_odds"].to_numpy()
    alone = [elicit(respondent, few_items, [role])["log_odds"].to_numpy() for role in ROLES]
    assert together == pytest.approx([x for part in alone for x in part], abs=1e-5)


def test_a_site_that_is_joined_to_a_question_is_refused(llama):
    tokenizer = deepcopy(llama.tokenizer)
    tokenizer.add_tokens([" values. Do"])
    joining = replace(llama, name="joining", tokenizer=tokenizer)
    with pytest.raises(ValueError, match="joining joins the site's words 'your values' to the que"):
        encoded(joining, find_sites=True)
    assert encoded(joining).whole  # without shifts the questions can be asked
    assert not encoded(joining, QUESTIONS[:1], find_sites=True).whole


def test_all_that_comes_with_the_package_is_known_to_an_organism(organism, inventory, bank):
    questions = [*inventory.items["text"], *CONTENT_FREE]
    assert not encoded(organism, questions, [Role("all", " ".join(bank.facts["text"]))]).whole


@pytest.mark.parametrize(
    ("role", "question", "message"),
    [
        ("You hunt whales.", "Would you pray?", "organism does not know 'hunt', 'whales' in "),
        ("You often leave your keys.", "Would you juggle?", "does not know 'juggle' in "),
        ("You\nyou", "Would you pray?", "does not know a character in "),
        ("A b c d e f g h.", "Would you?", "'A', 'b', 'c', 'd', 'e' in"),  # the first five
    ],
)
def test_words_that_an_organism_does_not_know_are_named(organism, role, question, message):
    with pytest.raises(ValueError, match=f"{message}.*An organism knows only the words"):
        encoded(organism, [question], [Role("odd", role)])
