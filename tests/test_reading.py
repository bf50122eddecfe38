"""An answer is read by the stated rules, at the token where it begins, together as alone."""

import itertools
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from valuegraph.elicitation import elicit
from valuegraph.interventions import PLACES, Combination, Sentence, Shift
from valuegraph.inventory import Inventory
from valuegraph.prompts import PromptFormat
from valuegraph.reading import AnswerReader, end_ids, is_settled, parse_answer, write_answers
from valuegraph.roles import Role

YES, NO, UNSURE = 1, -1, 0

# The first word after the last "Answer:" of the respondent's own words.
AFTER_A_PLACE = [
    ("I like people. Answer: yes", YES),
    ("ANSWER: NO", NO),
    ("answer:yes", YES),
    ("Answer:\n\nYes", YES),
    ("**Answer**: **No**", NO),
    ("__Answer__: __no__", NO),
    ("Answer: “No”.", NO),
    ("Answer: [No]", NO),
    ("Answer: yes, because I like them", YES),
    ("Answer: Yes. No doubt about it.", YES),
    ("Answer: no\nor yes", NO),
    ("Answer: yes or maybe", YES),
    ("Answer: No I would not.", NO),
    ("yes. Answer: no", NO),
    ("Answer: yes or no", UNSURE),
    ("Answer: **yes** or **no**", UNSURE),
    ("Answer: yes/no", UNSURE),
    ("Answer: yes (or no)", UNSURE),
    ("Answer: both yes and no", UNSURE),
    ("Answer: it depends. Yes.", UNSURE),
    ("Answer: nobody", UNSURE),
    ("Answer: yes1", UNSURE),
    ("Answer:", UNSURE),
    # "No" before a noun
    ("Answer: No opinion.", UNSURE),
    ("Answer: no comment", UNSURE),
    ("Answer: no one knows", UNSURE),
    # The last place counts, and only what the respondent says in its own name
    ("Answer: yes\nAnswer: no", NO),
    ("Answer: maybe\nAnswer: yes", YES),
    ("Answer: yes. Answer: it depends.", UNSURE),
    ("One might say Answer: yes. But it is wrong, so Answer: no.", NO),
    ("<think>Format 'Answer: yes' or 'Answer: no'.</think>\nAnswer: No", NO),
    ("Hm. Answer: yes?</think>Answer: No", NO),
    ("Answer: yes <think>Answer: no", YES),
    ("<think>Answer: yes", UNSURE),
    ("I shall write 'Answer: yes' or \"Answer: no\".", UNSURE),
    ("The format is Answer: yes or Answer: no.", UNSURE),
    ("Answer: no\n\nQuestion: Do you sing?\nAnswer: yes", NO),
    ("Answer: no\n**Example**: Do you sing? Answer: yes", NO),
]

# The first word, if a mark or the line's end follows, or the only word of the last line.
WITHOUT_A_PLACE = [
    ("yes", YES),
    ("Yes, I would.", YES),
    ("**Yes**, I would.", YES),
    ('"No," I would say.', NO),
    ("No  \nI would not.", NO),
    ("I would miss my friends.\nNo", NO),
    ("I like people.\n\n**Yes**.\n", YES),
    ("<think>No.</think>\nYes.", YES),
    ("Yes.\nQuestion: Do you sing?\nno", YES),
    ("No comment.", UNSURE),
    ("No one knows.", UNSURE),
    ("No I would not.", UNSURE),
    ("Yes or no.", UNSURE),
    ("Yesterday, I did.", UNSURE),
    ("The answer is yes", UNSURE),
    ("As an AI, I have no values.", UNSURE),
    ("I'm sorry, but no.", UNSURE),
    (" \n ", UNSURE),
]

# Where the prompt ends in "Answer:", the text begins with the answer.
PREFILLED = [
    (" yes", YES),
    (" **No**", NO),
    (" Yes I would.", YES),
    (" no\nQuestion: Do you sing?\nAnswer: yes", NO),
    (" no\nAnswer: yes", NO),
    (" no opinion", UNSURE),
    (" yes or no", UNSURE),
    (" It depends.\nyes", UNSURE),
    ("", UNSURE),
]
ALL = [
    *[(text, answer, False) for text, answer in AFTER_A_PLACE + WITHOUT_A_PLACE],
    *[(text, answer, True) for text, answer in PREFILLED],
]


@pytest.mark.parametrize(("text", "answer", "prefilled"), ALL)
def test_the_answer_is_that_of_the_rules(text, answer, prefilled):
    parsed = parse_answer(text, prefilled=prefilled)
    assert parsed.answer == answer
    assert (parsed.start is None) == (answer == UNSURE)
    if answer != UNSURE:
        assert text[parsed.start :].lower().startswith({YES: "yes", NO: "no"}[answer])


LATER = [
    "",
    ".",
    "\n",
    "\nno",
    " no",
    " or no",
    "day",
    "\nQuestion: Would you?\nAnswer: yes",
    " a b c ",
]
PIECES = ["yes", "no", "or", "it", " ", "\n", ".", ",", "*", "/", "Answer:", "“", "\nQuestion:"]
OF_PIECES = ["".join(pieces) for pieces in itertools.product(PIECES, repeat=3)]


def test_a_settled_answer_is_that_of_every_continuation():
    texts = [(text + later, prefilled) for text, _, prefilled in ALL for later in LATER]
    texts += [(opening + text, prefilled) for text in OF_PIECES for opening, prefilled in OPENINGS]
    for text, prefilled in texts:
        ways = [text[:n] for n in range(len(text) + 1)]
        settled = [is_settled(way, prefilled=prefilled) for way in ways]
        if True in settled:
            first = settled.index(True)
            assert all(settled[first:]), text
            assert len({parse_answer(w, prefilled=prefilled).answer for w in ways[first:]}) == 1


OPENINGS = [("Answer: yes", False), ("Answer:", False), ("no", True)]


def test_an_answer_is_settled_soon_but_not_before_it_is_whole():
    for text in (
        " yes.",
        " no\n",
        " **yes**\n",
        " no, I would not",
        " it is hard to",
        " yes or no ",
    ):
        assert is_settled(text, prefilled=True)
    for text in ("", " yes", " no opi", " yes or no\ufffd"):  # a character of several bytes is cut
        assert not is_settled(text, prefilled=True)
    assert is_settled("Answer: yes\n\nQuestion:")
    assert not is_settled("Answer: yes.\nBut Answer: no.")


# -------------------------------------------------------------------------------------- log-odds


def test_spellings_are_found_that_the_tokenizer_makes_of_no_word_alone(llama):
    """As where it puts a space before a text, so that it encodes "yes" as " yes"."""
    tokenizer = deepcopy(llama.tokenizer)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    assert tokenizer.encode("no") == tokenizer.encode(" no")
    spaced, plain = AnswerReader.of(replace(llama, tokenizer=tokenizer)), AnswerReader.of(llama)
    assert (spaced.yes_ids, spaced.no_ids) == (plain.yes_ids, plain.no_ids)


def test_all_spellings_of_yes_and_no_are_read_and_nothing_else(respondent):
    tokenizer, reader = respondent.tokenizer, AnswerReader.of(respondent)
    for word, ids in (("yes", reader.yes_ids), ("no", reader.no_ids)):
        same = [i for i in range(len(tokenizer)) if tokenizer.decode(i).strip().lower() == word]
        assert list(ids) == same
    assert respondent.name == "organism" or len(reader.yes_ids) > 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_log_odds_and_mass_are_those_of_the_probabilities(dtype):
    logits = 9 * torch.randn(4, 50, generator=torch.Generator().manual_seed(0)).to(dtype)
    log_odds, mass = AnswerReader(yes_ids=(0, 3), no_ids=(2, 7)).read(logits)
    p = logits.double().softmax(-1)
    yes, no = p[:, [0, 3]].sum(1), p[:, [2, 7]].sum(1)
    np.testing.assert_allclose(log_odds, (yes / no).log(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(mass, yes + no, rtol=1e-5)
    certain = torch.tensor([[300.0, -300.0, 0.0], [-300.0, -300.0, 300.0]])
    log_odds, mass = AnswerReader(yes_ids=(0,), no_ids=(1,)).read(certain)
    assert log_odds.tolist() == [600, 0] and mass.tolist() == [1, 0]


@pytest.mark.parametrize("mode", ["logit", "generate"])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_logits_that_are_not_finite_are_refused(llama, few_items, mode, bad):
    broken = replace(llama, name="broken", model=deepcopy(llama.model).to(torch.bfloat16))
    with torch.no_grad():
        broken.model.lm_head.weight[5] = bad
    with pytest.raises(ValueError, match="broken computes numbers that are not finite in torch.bf"):
        elicit(broken, few_items, [None], mode=mode)


@pytest.mark.parametrize("missing", ["yes", "no"])
def test_a_tokenizer_without_yes_or_no_is_refused(missing, few_items, organism):
    words = {word: i for i, word in enumerate(w for w in ("<unk>", "yes", "no") if w != missing)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    mute = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")
    with pytest.raises(ValueError, match=f"no single token for '{missing}'"):
        elicit(replace(organism, tokenizer=mute), few_items, [None])


# ------------------------------------------------------------------- written together as if alone

ROLES = [
    None,
    Role("guard", "Your home and car are both uninsured. You sleep with every door wide open."),
]
ANSWERS = ["answer", "log_odds", "mass"]
THINK, SHORT = PromptFormat("say", think=True), PromptFormat("answer", yes_first=False)


def push(respondent, size=1.0, where="site-end") -> Shift:
    vector = np.random.default_rng(0).standard_normal(respondent.width)
    return Shift(f"push {where}", 1, size * vector, where)


@pytest.fixture(scope="module")
def questions(few_items):
    """Four of the few items: writing takes long."""
    return Inventory("four", few_items.items.iloc[[0, 1, 4, 5]], few_items.values)


def assert_written_as_alone(
    write_alone, respondent, questions, fmt, interventions, n
) -> pd.DataFrame:
    alone = pd.DataFrame(
        [
            write_alone(
                respondent, text, role, one, fmt, max_new_tokens=n, ends=end_ids(respondent) or [-1]
            )
            for role in ROLES
            for one in interventions
            for text in questions.items["text"]
        ],
        columns=["ids", "text", *ANSWERS],
    )
    options = {"interventions": interventions, "mode": "generate", "max_new_tokens": n}
    answers = elicit(respondent, questions, ROLES, formats=fmt, **options)
    pairs = zip(alone["text"], answers["text"], strict=True)
    settled = [whole.startswith(text) and is_settled(text, prefilled=True) for whole, text in pairs]
    same = (alone["text"] == answers["text"]).to_numpy()
    assert (same if fmt.think or n < 8 else same | settled).all()  # what is settled may end sooner
    figures = answers[ANSWERS].to_numpy(float), alone[ANSWERS].to_numpy(float)
    np.testing.assert_allclose(*figures, rtol=0, atol=5e-5)
    return answers.assign(ids=alone["ids"])


@pytest.mark.parametrize("name", ["organism", "llama", "gemma", "qwen3", "gemma2", "seam"])
def test_writing_together_is_writing_each_alone(
    monkeypatch, request, relative, write_alone, questions, name
):
    """Some texts end soon, some later, some not; sentences and shifts of all places act."""
    known = name in ("organism", "llama", "gemma", "seam")
    respondent = request.getfixturevalue(name) if known else relative(name)
    much = Combination("much", [Sentence("kind", ROLES[1].text), push(respondent, 2, "everywhere")])
    interventions = [None, *(push(respondent, 3, where) for where in PLACES), much]
    alone = [
        write_alone(respondent, text, None, None, THINK, max_new_tokens=9, ends=[-1])[0]
        for text in questions.items["text"]
    ]
    ends = [alone[0][2], alone[1][5]]  # the first text ends here, the second there
    monkeypatch.setattr(respondent.model.generation_config, "eos_token_id", ends)
    arguments = (write_alone, respondent, questions, THINK, interventions, 9)
    answers = assert_written_as_alone(*arguments)
    assert answers["ids"].map(len).nunique() > 2
    by_shift = np.array(answers["text"]).reshape(len(ROLES), len(interventions), 4)
    assert (by_shift[:, :1] != by_shift[:, 1:]).any(axis=(0, 2)).all()


@pytest.mark.parametrize("fmt", [THINK, SHORT], ids=["thought", "answer"])
def test_an_organism_thinks_and_answers_as_if_alone(write_alone, human, questions, fmt):
    pushes = [None, push(human, size=10)]
    answers = assert_written_as_alone(write_alone, human, questions, fmt, pushes, 40)
    assert set(answers["answer"]) == {-1, 1}
    assert answers["text"].str.contains("Answer:").all() == fmt.think


@pytest.mark.parametrize("n", [1, 8, 9])  # settled answers are looked for after 8 tokens
def test_a_prefilled_answer_is_that_of_writing_alone(write_alone, llama, questions, n):
    """Weights that say yes or no as soon as they may; the figures are those of the other mode."""
    outspoken = replace(llama, model=deepcopy(llama.model))
    reader = AnswerReader.of(llama)
    with torch.no_grad():
        outspoken.model.lm_head.weight[[*reader.yes_ids, *reader.no_ids]] *= 5
    pushes = [None, push(outspoken)]
    written = assert_written_as_alone(write_alone, outspoken, questions, SHORT, pushes, n)
    read = elicit(outspoken, questions, ROLES, interventions=pushes, formats=SHORT)
    said = written["answer"] != 0
    assert 0 < said.sum() < len(said)
    if n == 1:
        assert said.sum() > 3
        figures = ["log_odds", "mass"]
        np.testing.assert_allclose(written.loc[said, figures], read.loc[said, figures], atol=2e-5)


class Script:
    """Rows that say what they should, token by token, whatever the model."""

    def __init__(self, respondent, scripts):
        self.scripts = [[*script, end_ids(respondent)[-1]] for script in scripts]
        self.size, self.active = len(respondent.tokenizer), list(range(len(scripts)))
        self.written = [0] * len(scripts)

    def __len__(self):
        return len(self.scripts)

    def read(self, *, keep):
        logits = torch.zeros(len(self.active), 1, self.size)
        for row, i in enumerate(self.active):
            logits[row, 0, self.scripts[i][self.written[i]]] = 9.0 + self.written[i]
        return logits

    def append(self, ids):
        for i in self.active:
            self.written[i] += 1

    def select(self, rows):
        self.active = [self.active[i] for i in rows.tolist()]


@pytest.mark.parametrize("prefilled", [False, True])
@pytest.mark.parametrize("name", ["llama", "gemma"])
def test_stopping_early_changes_no_answer(request, name, prefilled):
    respondent = request.getfixturevalue(name)
    texts = [
        f"{text}{end}" for text, _, _ in ALL for end in ("", " ☃ and so on and on and on and on.")
    ]
    scripts = [respondent.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    rows, reader = Script(respondent, scripts), AnswerReader.of(respondent)
    options = {"max_new_tokens": 100, "prefilled": prefilled}
    answers = write_answers(rows, reader, respondent, **options)
    for i, script in enumerate(scripts):
        spoken = respondent.tokenizer.decode(script)  # what the tokenizer cannot spell is lost
        expected = parse_answer(spoken, prefilled=prefilled)
        assert answers["answer"][i] == expected.answer, spoken
        if rows.written[i] <= len(script):
            assert is_settled(answers["text"][i], prefilled=prefilled)
        else:
            assert answers["text"][i] == spoken
        if expected.start is None:
            assert np.isnan(answers["mass"][i])
            continue
        # The figures are those of the token with which the word begins.
        lengths = [len(respondent.tokenizer.decode(script[: n + 1])) for n in range(len(script))]
        step = next(n for n, length in enumerate(lengths) if length > expected.start)
        logits = torch.zeros(1, rows.size)
        logits[0, script[step]] = 9.0 + step
        assert answers["log_odds"][i] == pytest.approx(float(reader.read(logits)[0]))
    assert not prefilled or sum(w <= len(s) for w, s in zip(rows.written, scripts, strict=True)) > 3


# --------------------------------------------------------------------------------- ends of turn


def test_ends_of_turn_are_all_that_anyone_declares(gemma, llama, organism, human):
    assert end_ids(gemma) == (1, 2)  # the configuration's, and <end_of_turn> of the template
    assert end_ids(llama) == (2, 3)  # the configuration's, and <|eot_id|> of the template
    assert end_ids(organism) == end_ids(human) == (3,)  # <end> is all three


@pytest.mark.parametrize(
    ("config", "generation", "behind", "ends"),
    [
        (None, None, None, ()),
        (7, [9, 7], None, (7, 9)),
        ([7, 3], None, "<|eot_id|>", (3, 7)),
        (None, None, " and<|eot_id|>", ()),  # what comes first is no end
    ],
)
def test_an_end_of_turn_may_be_declared_anywhere(llama, config, generation, behind, ends):
    tokenizer = deepcopy(llama.tokenizer)
    template = "{% for m in messages %}{{ m['content'] + '" + str(behind) + "' }}{% endfor %}"
    tokenizer.chat_template = behind and template
    model = SimpleNamespace(
        config=SimpleNamespace(eos_token_id=config),
        generation_config=SimpleNamespace(eos_token_id=generation),
    )
    assert end_ids(replace(llama, model=model, tokenizer=tokenizer)) == ends
