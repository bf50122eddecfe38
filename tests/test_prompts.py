"""A prompt is what the chat template makes of it, and the site lies where it should."""

import itertools

import pytest

from valuegraph.asking.prompts import (
    ANSWER_PREFIX,
    SITE,
    WORDINGS,
    PromptFormat,
    has_system_turn,
    render_parts,
    render_prompt,
    site_position,
)
from valuegraph.roles import Role

QUESTIONS = ["Do you often leave the house unlocked at night?", "Would you pray?"]
SINGER = Role("singer", "You sing. Your values are like your values.")
FORMATS = [
    PromptFormat(wording, yes_first, think)
    for wording, yes_first, think in itertools.product(WORDINGS, (True, False), (True, False))
]


def encode(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


# ------------------------------------------------------------------------------------- instructions


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.instruction)
def test_an_instruction_ends_in_the_site_and_names_the_options_in_order(fmt):
    assert fmt.instruction.endswith(f"{SITE}.")
    assert ("yes or no" in fmt.instruction) == fmt.yes_first
    assert ("no or yes" in fmt.instruction) != fmt.yes_first
    assert ("Think" in fmt.instruction) == fmt.think


def test_there_are_three_wordings_and_all_instructions_differ():
    assert len(WORDINGS) >= 3
    assert len({fmt.instruction for fmt in FORMATS}) == len(FORMATS)


def test_an_unknown_wording_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown wording 'shout'.*answer, say, reply"):
        PromptFormat("shout")


# ------------------------------------------------------------------------------------------ prompts


def whole(tokenizer, question, role, fmt):
    """The prompt as the template renders it in one go."""
    told = f"{fmt.instruction} {question}"
    if role is None:
        messages = []
    elif has_system_turn(tokenizer):
        messages = [{"role": "system", "content": role.text}]
    else:
        messages, told = [], f"{role.text}\n{told}"
    messages.append({"role": "user", "content": told})
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return text + ANSWER_PREFIX


@pytest.mark.parametrize("role", [None, SINGER], ids=["no role", "role"])
def test_prefix_and_suffix_make_the_prompt_in_text_and_in_tokens(respondent, role):
    tokenizer = respondent.tokenizer
    for fmt in FORMATS:
        parts = render_parts(tokenizer, QUESTIONS, role, fmt=fmt)
        assert len({prefix for prefix, _ in parts}) == 1
        for question, (prefix, suffix) in zip(QUESTIONS, parts, strict=True):
            assert prefix + suffix == whole(tokenizer, question, role, fmt)
            assert prefix + suffix == render_prompt(tokenizer, question, role, fmt=fmt)
            assert prefix.endswith(fmt.instruction)
            together = encode(tokenizer, prefix + suffix)
            assert encode(tokenizer, prefix) + encode(tokenizer, suffix) == together


def test_the_plain_instruction_is_the_default(organism):
    assert PromptFormat().instruction in render_prompt(organism.tokenizer, QUESTIONS[0])


def test_the_answer_begins_with_the_prefill(respondent):
    opened = render_prompt(respondent.tokenizer, "Would you pray?", prefill="")
    asked = render_prompt(respondent.tokenizer, "Would you pray?", prefill="Thought:")
    assert asked == opened + "Thought:"


def test_space_around_a_question_is_dropped(respondent):
    asked = render_prompt(respondent.tokenizer, " Would you pray?\n")
    assert asked == render_prompt(respondent.tokenizer, "Would you pray?")


def test_the_role_is_told_once_and_before_the_site(respondent):
    ((prefix, suffix),) = render_parts(respondent.tokenizer, QUESTIONS[:1], SINGER)
    assert prefix.count(SINGER.text) == 1
    assert SINGER.text not in suffix
    assert prefix.index(SINGER.text) < prefix.index(PromptFormat().instruction)


def test_a_role_goes_into_the_system_turn_where_there_is_one(organism, llama, gemma):
    turns = {
        organism: f"<bos><|system|>{SINGER.text}<end><|user|>Answer",
        llama: "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
        f"{SINGER.text}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnswer",
        gemma: f"<bos><start_of_turn>user\n{SINGER.text}\nAnswer",
    }
    for respondent, start in turns.items():
        assert render_prompt(respondent.tokenizer, QUESTIONS[0], SINGER).startswith(start)
        assert has_system_turn(respondent.tokenizer) == (respondent is not gemma)


def test_a_template_that_drops_system_turns_silently_still_tells_the_role(gemma):
    tokenizer = with_template(
        gemma,
        "{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] }}{% endif %}"
        "{% endfor %}",
    )
    assert not has_system_turn(tokenizer)
    assert render_prompt(tokenizer, "Would you pray?", SINGER).startswith(f"{SINGER.text}\nAnswer")


def with_template(respondent, template):
    """The respondent's tokenizer with another template."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=respondent.tokenizer.backend_tokenizer, chat_template=template
    )


def test_a_tokenizer_without_chat_template_is_refused(organism):
    with pytest.raises(ValueError, match="has no chat template"):
        render_prompt(with_template(organism, None), "Would you pray?")


@pytest.mark.parametrize("question", ["", "  \n"])
def test_a_blank_question_is_refused(organism, question):
    with pytest.raises(ValueError, match="question has no text"):
        render_parts(organism.tokenizer, ["Would you pray?", question])


# --------------------------------------------------------------------------------------------- site


@pytest.mark.parametrize("role", [None, SINGER], ids=["no role", "role"])
def test_the_site_is_the_last_token_of_its_words_in_the_instruction(respondent, role):
    tokenizer = respondent.tokenizer
    for fmt in FORMATS:
        prefix, _ = render_parts(tokenizer, QUESTIONS[:1], role, fmt=fmt)[0]
        ids = encode(tokenizer, prefix)
        position = site_position(tokenizer, prefix)
        assert tokenizer.decode(ids[: position + 1]).endswith(SITE)
        assert tokenizer.decode(ids[position + 1 :]) == "."


def test_the_site_of_an_organism_is_the_word_values(organism):
    ids = encode(organism.tokenizer, "Answer yes or no according to your values.")
    position = site_position(organism.tokenizer, "Answer yes or no according to your values.")
    assert organism.tokenizer.decode(ids[position]) == "values"
    assert position == len(ids) - 2


def test_a_prompt_without_the_words_of_the_site_is_refused(organism):
    with pytest.raises(ValueError, match=r"does not hold the site's words 'your values'.*or no\."):
        site_position(organism.tokenizer, "Answer yes or no.")


def test_a_tokenizer_that_joins_the_site_to_what_follows_is_refused():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"your": 0, "values.": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    joining = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    with pytest.raises(ValueError, match="no token ends with the site's words 'your values'"):
        site_position(joining, "according to your values.")
