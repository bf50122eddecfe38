"""A prompt is what the chat template makes of it, and the site lies where it should."""

import itertools

import pytest

from valuegraph.prompts import (
    ANSWER_PREFIX,
    EXAMPLES,
    LAYOUTS,
    SITE,
    WORDINGS,
    PromptFormat,
    has_system_turn,
    render_parts,
    render_prompt,
    site_tokens,
)
from valuegraph.roles import Role

QUESTIONS = ["Do you often leave the house unlocked at night?", "Would you pray?"]
SINGER = Role("singer", "You sing. Your values are like your values.")
ALL_FORMATS = [
    PromptFormat(wording, yes_first, think, layout)
    for layout, wording, yes_first, think in itertools.product(
        LAYOUTS, WORDINGS, (True, False), (True, False)
    )
]
FORMATS = [fmt for fmt in ALL_FORMATS if fmt.layout == "chat"]
KANG = [fmt for fmt in ALL_FORMATS if fmt.layout != "chat"]


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


def test_an_unknown_layout_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown layout 'poem'.*chat, kang-plain, kang-headers"):
        PromptFormat(layout="poem")


# -------------------------------------------------------------------------------------------- names


def test_every_format_has_a_name_of_its_own_that_leads_back_to_it():
    assert len(ALL_FORMATS) == 36
    assert len({fmt.name for fmt in ALL_FORMATS}) == len(ALL_FORMATS)
    assert [PromptFormat.from_name(fmt.name) for fmt in ALL_FORMATS] == ALL_FORMATS


def test_a_name_says_how_the_question_is_put():
    assert PromptFormat().name == "answer, yes first"
    assert PromptFormat("say", False, True).name == "say, no first, think"
    assert PromptFormat(layout="kang-plain").name == "answer, yes first, kang-plain"
    assert PromptFormat(think=True, layout="kang-headers").name == (
        "answer, yes first, think, kang-headers"
    )


@pytest.mark.parametrize("name", ["", "answer", "answer, yes first, chat", "shout, yes first"])
def test_a_name_that_no_format_has_is_refused(name):
    with pytest.raises(
        ValueError, match=f"no prompt format is called '{name}'; one is 'answer, yes"
    ):
        PromptFormat.from_name(name)


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
    ).tokenizer
    assert not has_system_turn(tokenizer)
    assert render_prompt(tokenizer, "Would you pray?", SINGER).startswith(f"{SINGER.text}\nAnswer")


def with_template(respondent, template):
    """The respondent with another template, and a tokenizer that declares no special token."""
    from transformers import PreTrainedTokenizerFast

    from valuegraph.models import Respondent

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=respondent.tokenizer.backend_tokenizer, chat_template=template
    )
    return Respondent("retold", respondent.model, tokenizer)


def test_a_tokenizer_without_chat_template_is_refused(organism):
    with pytest.raises(ValueError, match="has no chat template"):
        render_prompt(with_template(organism, None).tokenizer, "Would you pray?")


@pytest.mark.parametrize("question", ["", "  \n"])
def test_a_blank_question_is_refused(organism, question):
    with pytest.raises(ValueError, match="question has no text"):
        render_parts(organism.tokenizer, ["Would you pray?", question])


# ---------------------------------------------------------------------------------- layouts of Kang


def kang(respondent, fmt, role=SINGER, prefill=ANSWER_PREFIX):
    return render_prompt(respondent.tokenizer, QUESTIONS[0], role, fmt=fmt, prefill=prefill)


def respondent_of(request, fmt):
    """The headers are Llama 3's; plain text is put to Gemma."""
    return request.getfixturevalue("llama" if fmt.layout == "kang-headers" else "gemma")


def test_the_plain_layout_is_written_out_in_lines(gemma):
    assert kang(gemma, PromptFormat(layout="kang-plain")) == (
        "<bos>Answer yes or no according to your values.\n"
        "Note: You sing. Your values are like your values.\n"
        "Example: Would you lend a pen to a stranger? Answer: yes\n"
        "Example: Would you swim in a storm? Answer: no\n"
        "Question: Do you often leave the house unlocked at night?\n"
        "Answer:"
    )


def test_the_headers_are_those_of_llama(llama):
    fmt = PromptFormat("say", yes_first=False, think=True, layout="kang-headers")
    assert kang(llama, fmt, prefill="Thought:") == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
        "Think first. Please say no or yes according to your values.\n"
        "Note: You sing. Your values are like your values.\n"
        "Example: Would you swim in a storm? "
        "Thought: The sea would be stronger than I am. Answer: no\n"
        "Example: Would you lend a pen to a stranger? "
        "Thought: A pen costs me little. Answer: yes<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n"
        "Question: Do you often leave the house unlocked at night?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
        "Thought:"
    )


@pytest.mark.parametrize("role", [None, SINGER], ids=["no role", "role"])
def test_the_examples_follow_the_order_of_the_options_and_think_if_asked_to(request, role):
    for fmt in KANG:
        prompt = kang(respondent_of(request, fmt), fmt, role)
        yes, no = (prompt.index(f"Answer: {word}") for word in ("yes", "no"))
        assert (yes < no) == fmt.yes_first
        for question, thought, answer in EXAMPLES:
            assert prompt.count(question) == 1
            assert prompt.count(thought) == fmt.think
            told = f"{question} Thought: {thought}" if fmt.think else question
            assert f"{told} Answer: {answer}" in prompt
        assert prompt.count("Note:") == (role is not None)


@pytest.mark.parametrize("role", [None, SINGER], ids=["no role", "role"])
def test_a_prompt_of_kang_begins_once_and_is_its_two_parts(request, role):
    for fmt in KANG:
        tokenizer = respondent_of(request, fmt).tokenizer
        parts = render_parts(tokenizer, QUESTIONS, role, fmt=fmt)
        assert len({prefix for prefix, _ in parts}) == 1
        for question, (prefix, suffix) in zip(QUESTIONS, parts, strict=True):
            assert question in suffix and question not in prefix
            ids = encode(tokenizer, prefix + suffix)
            assert encode(tokenizer, prefix) + encode(tokenizer, suffix) == ids
            assert ids[0] == tokenizer.bos_token_id
            assert ids.count(tokenizer.bos_token_id) == 1


@pytest.mark.parametrize("role", [None, SINGER], ids=["no role", "role"])
def test_the_site_of_kang_is_in_the_instruction_whatever_the_role_says(request, role):
    for fmt in KANG:
        tokenizer = respondent_of(request, fmt).tokenizer
        prefix, _ = render_parts(tokenizer, QUESTIONS[:1], role, fmt=fmt)[0]
        site = site_tokens(tokenizer, prefix, fmt=fmt)
        before = tokenizer.decode(encode(tokenizer, prefix)[: site.stop])
        assert before.endswith(fmt.instruction.removesuffix("."))
        assert before.count("You sing") == 0


def test_the_plain_layout_needs_neither_template_nor_beginning(organism):
    bare = with_template(organism, None)
    assert kang(bare, PromptFormat(layout="kang-plain")).startswith("Answer yes or no")


def test_the_headers_are_refused_where_a_tokenizer_lacks_them(gemma, organism):
    for respondent in (gemma, organism):
        with pytest.raises(ValueError, match=r"has no token '<\|begin_of_text\|>'.*'kang-plain'"):
            kang(respondent, PromptFormat(layout="kang-headers"))


# --------------------------------------------------------------------------------------------- site


@pytest.mark.parametrize("role", [None, SINGER], ids=["no role", "role"])
def test_the_site_is_the_tokens_of_its_words_in_the_instruction(respondent, role):
    tokenizer = respondent.tokenizer
    for fmt in FORMATS:
        prefix, _ = render_parts(tokenizer, QUESTIONS[:1], role, fmt=fmt)[0]
        ids = encode(tokenizer, prefix)
        site = site_tokens(tokenizer, prefix, fmt=fmt)
        assert site == site_tokens(tokenizer, prefix)  # nothing stands behind it
        assert tokenizer.decode(ids[site.start : site.stop]).strip() == SITE
        assert tokenizer.decode(ids[: site.stop]).endswith(SITE)
        assert tokenizer.decode(ids[site.stop :]) == "."


def test_the_site_of_an_organism_is_two_words(organism):
    ids = encode(organism.tokenizer, "Answer yes or no according to your values.")
    site = site_tokens(organism.tokenizer, "Answer yes or no according to your values.")
    assert [organism.tokenizer.decode(ids[k]) for k in site] == ["your", "values"]
    assert site == range(len(ids) - 3, len(ids) - 1)


def test_a_prompt_without_the_words_of_the_site_is_refused(organism):
    with pytest.raises(ValueError, match=r"does not hold the site's words 'your values'.*or no\."):
        site_tokens(organism.tokenizer, "Answer yes or no.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["your", "values."], "no token ends with the site's words 'your values'"),
        (["to@your", "values"], "no token begins with the site's words"),
        (["to@your@values"], "no token begins with the site's words"),
    ],
)
def test_a_tokenizer_that_joins_the_site_to_its_surroundings_is_refused(words, message):
    import re

    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word.replace("@", " "): k for k, word in enumerate([*words, "?"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    pattern = Regex("|".join(re.escape(word) for word in vocabulary))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern, "isolated")
    joining = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    with pytest.raises(ValueError, match=message):
        site_tokens(joining, "according to your values.")
