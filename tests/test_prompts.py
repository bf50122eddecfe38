"""A prompt is what the chat template makes of it, and the site lies where it should."""

import itertools

import pytest
from transformers import PreTrainedTokenizerFast

from valuegraph.prompts import (
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
FORMATS = [
    PromptFormat(*options)
    for options in itertools.product(WORDINGS, (True, False), (True, False), LAYOUTS)
]


def encode(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def with_template(respondent, template):
    """The tokenizer with another template; it declares no special token."""
    backend = respondent.tokenizer.backend_tokenizer
    return PreTrainedTokenizerFast(tokenizer_object=backend, chat_template=template)


def formats_of(respondent):
    """All formats that are meant for a respondent."""
    layouts = {"llama": LAYOUTS, "gemma": LAYOUTS[:2], "organism": LAYOUTS[:1]}[respondent.name]
    return [fmt for fmt in FORMATS if fmt.layout in layouts]


def test_every_format_has_a_name_that_leads_back_to_it_and_says_what_it_is():
    assert len({fmt.name for fmt in FORMATS}) == len(FORMATS) == 36
    assert [PromptFormat.from_name(fmt.name) for fmt in FORMATS] == FORMATS
    assert PromptFormat("say", False, True).name == "say, no first, think"
    assert PromptFormat(layout="kang-plain").name == "answer, yes first, kang-plain"
    for fmt in FORMATS:
        assert fmt.instruction.endswith(f"{SITE}.")
        assert ("yes or no" in fmt.instruction) == fmt.yes_first
        assert ("Think" in fmt.instruction) == fmt.think


def test_a_role_goes_into_the_system_turn_where_there_is_one(organism, llama, gemma):
    starts = {
        organism: f"<bos><|system|>{SINGER.text}<end><|user|>Answer",
        llama: "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
        f"{SINGER.text}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnswer",
        gemma: f"<bos><start_of_turn>user\n{SINGER.text}\nAnswer",
    }
    for respondent, start in starts.items():
        assert render_prompt(respondent.tokenizer, QUESTIONS[0], SINGER).startswith(start)
        assert has_system_turn(respondent.tokenizer) == (respondent is not gemma)


def test_a_system_turn_that_a_template_drops_silently_is_not_used(gemma):
    only_user = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}"
    tokenizer = with_template(gemma, only_user + "{% endfor %}")
    assert not has_system_turn(tokenizer)
    assert render_prompt(tokenizer, "Would you pray?", SINGER).startswith(f"{SINGER.text}\nAnswer")


@pytest.mark.parametrize("role", [None, SINGER], ids=["no role", "role"])
def test_prefix_and_suffix_make_the_prompt_in_text_and_in_tokens(respondent, role):
    tokenizer = respondent.tokenizer
    for fmt in formats_of(respondent):
        parts = render_parts(tokenizer, [f" {q}\n" for q in QUESTIONS], role, fmt=fmt)
        assert len({prefix for prefix, _ in parts}) == 1
        for question, (prefix, suffix) in zip(QUESTIONS, parts, strict=True):
            whole = render_prompt(tokenizer, question, role, fmt=fmt)
            assert prefix + suffix == whole
            assert whole.endswith("Answer:") and question in suffix
            assert encode(tokenizer, prefix) + encode(tokenizer, suffix) == encode(tokenizer, whole)
            assert encode(tokenizer, whole).count(tokenizer.bos_token_id) == 1
        if fmt.layout == "chat":
            assert prefix.endswith(fmt.instruction)
            content = f"{fmt.instruction} {question}"
            content = content if role is None else f"{role.text}\n{content}"
            messages = [{"role": "user", "content": content}]
            if role is None or respondent.name == "gemma":
                options = {"tokenize": False, "add_generation_prompt": True}
                assert tokenizer.apply_chat_template(messages, **options) + "Answer:" == whole


def test_the_layouts_of_kang_are_written_out_in_lines(gemma, llama):
    fmt = PromptFormat(layout="kang-plain")
    assert render_prompt(gemma.tokenizer, QUESTIONS[0], SINGER, fmt=fmt) == (
        "<bos>Answer yes or no according to your values.\n"
        "Note: You sing. Your values are like your values.\n"
        "Example: Would you lend a pen to a stranger? Answer: yes\n"
        "Example: Would you swim in a storm? Answer: no\n"
        "Question: Do you often leave the house unlocked at night?\n"
        "Answer:"
    )
    fmt = PromptFormat("say", yes_first=False, think=True, layout="kang-headers")
    assert render_prompt(llama.tokenizer, QUESTIONS[0], SINGER, fmt=fmt, prefill="Thought:") == (
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
def test_the_site_is_the_tokens_of_its_words_in_the_instruction(respondent, role):
    """A role that holds the site's words does not matter, before or behind."""
    tokenizer = respondent.tokenizer
    for fmt in formats_of(respondent):
        prefix, _ = render_parts(tokenizer, QUESTIONS[:1], role, fmt=fmt)[0]
        ids, site = encode(tokenizer, prefix), site_tokens(tokenizer, prefix, fmt=fmt)
        assert tokenizer.decode(ids[site.start : site.stop]).strip() == SITE
        assert tokenizer.decode(ids[: site.stop]).endswith(fmt.instruction.removesuffix("."))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda o, g: PromptFormat("shout"),
            "unknown wording 'shout'; known are answer, say, reply",
        ),
        (lambda o, g: PromptFormat(layout="poem"), "unknown layout 'poem'; known are chat, kang-p"),
        (lambda o, g: PromptFormat.from_name("answer"), "no prompt format is called 'answer'"),
        (lambda o, g: render_prompt(o.tokenizer, " \n"), "question has no text"),
        (
            lambda o, g: render_prompt(with_template(o, None), "Would you pray?"),
            "does not exist; use another model, or the layout 'kang-plain'",
        ),
        (
            lambda o, g: render_prompt(with_template(o, "{{ messages[0].role }}"), "Would you?"),
            "the chat template of .* drops or changes turns",
        ),
        (
            lambda o, g: render_prompt(
                with_template(o, "{{ (messages | last).content | upper }}"), "Would you?", SINGER
            ),
            "the chat template of .* drops or changes turns",
        ),
        (
            lambda o, g: render_prompt(
                g.tokenizer, "Would you?", fmt=PromptFormat(layout="kang-headers")
            ),
            r"has no token '<\|begin_of_text\|>' of Llama 3.*'kang-plain' or 'chat'",
        ),
    ],
)
def test_what_cannot_be_rendered_is_refused(organism, gemma, call, message):
    with pytest.raises(ValueError, match=message):
        call(organism, gemma)


@pytest.mark.parametrize("joined", ["values.", " to your"])
def test_a_tokenizer_that_joins_the_site_to_its_surroundings_is_refused(llama, joined):
    from copy import deepcopy

    tokenizer, fmt = deepcopy(llama.tokenizer), PromptFormat()
    tokenizer.add_tokens([joined])
    with pytest.raises(ValueError, match=f"joins the site's words '{SITE}' to other text"):
        site_tokens(tokenizer, fmt.instruction, fmt=fmt)
