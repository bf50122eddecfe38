"""An answer is read by the stated rules, and settled only when nothing can change it."""

import itertools
import random

import pytest

from valuegraph.reading import is_settled, parse_answer

YES, NO, UNSURE = 1, -1, 0

# Rule 1: the first word after the first "Answer:".
AFTER_A_MARKER = [
    ("I like people. Answer: yes", YES),
    ("I like people. Answer: no", NO),
    ("Answer: Yes.", YES),
    ("ANSWER: NO", NO),
    ("answer:yes", YES),
    ("Answer : no.", NO),
    ("Answer:\n\nYes", YES),
    ("My answer: yes", YES),
    ("**Answer:** No", NO),
    ("**Answer**: **No**", NO),
    ("*Answer:* _yes_", YES),
    ("__Answer__: __no__", NO),
    ("Answer: _\nyes_", YES),
    ('Answer: "Yes"', YES),
    ("Answer: 'no'.", NO),
    ("Answer: `yes`", YES),
    ("Answer: “No”.", NO),
    ("Answer: ‘yes’", YES),
    ("Answer: «no»", NO),
    ("Answer: (yes)", YES),
    ("Answer: [No]", NO),
    ("Answer: no one knows", NO),  # the first word it is
    ("Answer: yes, because I like them", YES),
    ("Answer: No, no, and no again.", NO),
    ("Answer: no. No one would.", NO),
    ("Answer: Yes. No doubt about it.", YES),
    ("Answer: yes\nNo one asked me before.", YES),
    ("Answer: no\nor yes", NO),
    ("Answer: yes or maybe", YES),
    ("Answer: yes and nobody minds", YES),
    ("Answer: yes\nAnswer: no", YES),
    ("Answer: no\n\nQuestion: Do you sing?\nAnswer: yes", NO),
    ("yes. Answer: no", NO),
    ("No.\nAnswer: yes\nyes", YES),
    ("I thought of the answer.\nAnswer: yes", YES),
    ("Answer: yes or no", UNSURE),
    ("Answer: No or Yes.", UNSURE),
    ("Answer: yes/no", UNSURE),
    ("Answer: **yes** or **no**", UNSURE),
    ("Answer: _yes_ or _no_", UNSURE),
    ("Answer: yes and no", UNSURE),
    ("Answer: yes, no", UNSURE),
    ("Answer: yes (or no)", UNSURE),
    ("Answer: both yes and no", UNSURE),
    ("Answer: maybe", UNSURE),
    ("Answer: it depends. Yes.", UNSURE),
    ("Answer: I cannot say.\nyes", UNSURE),
    ("Answer: nobody", UNSURE),
    ("Answer: yesterday", UNSURE),
    ("Answer: yes1", UNSURE),
    ("Answer: ja", UNSURE),
    ("Answer:", UNSURE),
    ("Answer: \n", UNSURE),
    ("Answer: y", UNSURE),
    ("Answer: maybe\nAnswer: yes", UNSURE),  # the first place counts
]

# Rule 2: the first word, if a mark or the line's end follows, or the only word of the last line.
WITHOUT_A_MARKER = [
    ("yes", YES),
    (" No", NO),
    ("Yes.", YES),
    ("NO!", NO),
    ("Yes, I would.", YES),
    ("No; never.", NO),
    ("Yes: always.", YES),
    ("No? No.", NO),
    ("**Yes**, I would.", YES),
    ("_No_.", NO),
    ("__Yes__", YES),
    ('"No," I would say.', NO),
    ("“Yes.”", YES),
    ("(no)", NO),
    ("Yes\nI would.", YES),
    ("No  \nI would not.", NO),
    ("**Yes** \n\nI would.", YES),
    ("I would miss my friends.\nNo", NO),
    ("I like people.\n\n**Yes**.\n", YES),
    ("I like people.\n_Yes_", YES),
    ("It is right.\n“Yes!”", YES),
    ("No one knows.", UNSURE),
    ("No I would not.", UNSURE),
    ("Yes or no.", UNSURE),
    ("yes/no", UNSURE),
    ("Yes and no.", UNSURE),
    ("Nobody, I think.", UNSURE),
    ("Yesterday, I did.", UNSURE),
    ("I say yes.", UNSURE),
    ("I say yes", UNSURE),
    ("The answer is yes", UNSURE),
    ("I would.\nI say no.", UNSURE),
    ("yes\nno way", YES),
    ("As an AI, I have no values.", UNSURE),
    ("I cannot answer that.", UNSURE),
    ("I'm sorry, but no.", UNSURE),
    ("It depends.", UNSURE),
    ("", UNSURE),
    (" \n ", UNSURE),
    ("...", UNSURE),
]

# Where the prompt ends in "Answer:", the text begins with the answer.
PREFILLED = [
    (" yes", YES),
    (" No", NO),
    ("\nyes.", YES),
    (" Yes I would.", YES),
    (" no one knows", NO),
    (" **No**", NO),
    (" no\nQuestion: Do you sing?\nAnswer: yes", NO),
    (" yes or no", UNSURE),
    (" It depends.\nyes", UNSURE),
    (" I would.\nAnswer: yes", UNSURE),
    ("", UNSURE),
]
ALL = [
    *[(text, answer, False) for text, answer in AFTER_A_MARKER + WITHOUT_A_MARKER],
    *[(text, answer, True) for text, answer in PREFILLED],
]


@pytest.mark.parametrize(("text", "answer", "prefilled"), ALL)
def test_the_answer_is_that_of_the_rules(text, answer, prefilled):
    parsed = parse_answer(text, prefilled=prefilled)
    assert parsed.answer == answer
    if answer == UNSURE:
        assert parsed.start is None
    else:
        word = {YES: "yes", NO: "no"}[answer]
        assert text[parsed.start :].lower().startswith(word)


@pytest.mark.parametrize(("text", "answer"), AFTER_A_MARKER)
def test_a_prompt_that_ends_in_the_marker_is_read_as_if_the_text_held_it(text, answer):
    marker = text.lower().index("answer")
    rest = text[text.index(":", marker) + 1 :]
    assert parse_answer(rest, prefilled=True).answer == answer
    assert parse_answer(f"Answer:{rest}").answer == answer


@pytest.mark.parametrize(
    ("text", "start"),
    [("Answer: yes", 8), ("Yes. Answer: **no**", 15), ("no", 0), (" “No”.", 2), ("Ha.\n Yes", 5)],
)
def test_the_answer_stands_where_its_word_begins(text, start):
    assert parse_answer(text).start == start


# -------------------------------------------------------------------------------------- settled


def assert_nothing_changes_what_is_settled(text, prefilled):
    answers = [parse_answer(text[:n], prefilled=prefilled) for n in range(len(text) + 1)]
    settled = [is_settled(text[:n], prefilled=prefilled) for n in range(len(text) + 1)]
    if True in settled:
        first = settled.index(True)
        assert len(set(answers[first:])) == 1, (text, first)
        assert all(settled[first:]), (text, first)


LATER = [
    "",
    ".",
    "\n",
    "\nno",
    " no",
    " or no",
    "or yes\n",
    "!\nAnswer: no",
    "_",
    "day",
    "'s",
    " and yes. Answer: yes",
    "\n\nQuestion: Would you?\nAnswer: yes",
    " one or two and three ",
]


@pytest.mark.parametrize("prefilled", [False, True])
@pytest.mark.parametrize("text", [text for text, _, _ in ALL])
def test_a_settled_answer_is_that_of_every_continuation(text, prefilled):
    for later in LATER:
        assert_nothing_changes_what_is_settled(text + later, prefilled)


PIECES = ["yes", "no", "or", "and", "it", " ", "\n", ".", ",", "*", "_", "/", "Answer:", "“"]


@pytest.mark.parametrize(
    ("opening", "prefilled"), [("Answer: yes", False), ("Answer:", False), ("no", True)]
)
def test_so_it_is_for_every_text_of_a_few_pieces(opening, prefilled):
    for pieces in itertools.product(PIECES, repeat=3):
        assert_nothing_changes_what_is_settled(opening + "".join(pieces), prefilled)


def test_so_it_is_for_long_texts_of_many_pieces():
    rng = random.Random(0)
    for _ in range(1000):
        text = "".join(rng.choices(PIECES, k=12))
        assert_nothing_changes_what_is_settled("Answer: " + text, False)
        assert_nothing_changes_what_is_settled(text, True)


def test_a_character_that_is_cut_settles_nothing():
    cut, whole = "Answer: yes or no\ufffd", "Answer: yes or noé"
    assert parse_answer(cut).answer != parse_answer(whole).answer
    assert not is_settled(cut)


@pytest.mark.parametrize(
    "text",
    [
        "Answer: yes.",
        "Answer: no\n",
        "Answer: **yes**\n",
        "Answer: no, I would not",
        "Answer: it is hard to",
        "Answer: yes or no ",
        "I think so. Answer: yes, I think.",
    ],
)
def test_an_answer_is_settled_soon(text):
    assert is_settled(text)


@pytest.mark.parametrize(
    "text", ["", "Yes.", "Yes.\n\nI would.", "Answer:", "Answer: yes", "Answer: "]
)
def test_what_may_yet_change_is_not_settled(text):
    assert not is_settled(text)
