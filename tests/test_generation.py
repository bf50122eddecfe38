"""What is written together is what transformers writes to each prompt alone."""

from copy import deepcopy
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from valuegraph.elicitation import elicit
from valuegraph.interventions import PLACES, Combination, Sentence, Shift
from valuegraph.models import Respondent
from valuegraph.prompts import PromptFormat
from valuegraph.reading import AnswerReader, end_ids, is_settled, parse_answer, write
from valuegraph.roles import Role

ROLES = [
    None,
    Role("guard", "Your home and car are both uninsured. You sleep with every door wide open."),
]
ANSWERS = ["answer", "log_odds", "mass"]
THINK = PromptFormat("say", think=True)
SHORT = PromptFormat("answer", yes_first=False)


def push(respondent, size=1.0, where="site-end") -> Shift:
    vector = np.random.default_rng(0).standard_normal(respondent.width)
    return Shift(f"push {where}", 1, size * vector, where)


@pytest.fixture(scope="module")
def questions(few_items):
    """Four of the few items: writing takes long."""
    from valuegraph.inventory import Inventory

    items = few_items.items.iloc[[0, 1, 4, 5]]
    return Inventory("four", items, few_items.values)


def write_all_alone(write_alone, respondent, items, interventions, formats, **settings):
    """Token ids, text, answer, log-odds and mass of every prompt, in the order of `elicit`."""
    return pd.DataFrame(
        [
            write_alone(respondent, question, role, intervention, formats, **settings)
            for role in ROLES
            for intervention in interventions
            for question in items.items["text"]
        ],
        columns=["ids", "text", *ANSWERS],
    )


def assert_same(answers, alone):
    assert list(answers["text"]) == list(alone["text"])
    np.testing.assert_allclose(
        answers[ANSWERS].to_numpy(float), alone[ANSWERS], rtol=0, atol=1e-5, equal_nan=True
    )


# ------------------------------------------------------------------------ together as if one by one


def ends_at_many_steps(texts) -> list:
    """Two tokens which, if they end a text, end these at as many different steps as can be."""
    firsts = [{token: n for n, token in reversed(list(enumerate(ids)))} for ids in texts]
    tokens = sorted(set().union(*firsts))

    def steps(pair):
        never = len(texts[0])
        found = {min(first.get(token, never) for token in pair) for first in firsts}
        return len(found) if never in found else 0

    return list(max(combinations(tokens, 2), key=steps))


@pytest.mark.parametrize(
    "name", ["organism", "llama", "gemma", "qwen2", "qwen3", "mistral", "mistral-sliding", "gemma2"]
)
def test_writing_together_is_writing_each_alone(
    monkeypatch, request, relative, write_alone, questions, name
):
    known = name in ("organism", "llama", "gemma")
    respondent = request.getfixturevalue(name) if known else relative(name)
    everywhere, kind = push(respondent, 2, "everywhere"), Sentence("kind", ROLES[1].text)
    interventions = [None, push(respondent, 4), Combination("much", [kind, everywhere])]
    settings = (write_alone, respondent, questions, interventions, THINK)
    chosen = ends_at_many_steps(write_all_alone(*settings, max_new_tokens=11, ends=[-1])["ids"])
    monkeypatch.setattr(respondent.model.generation_config, "eos_token_id", chosen)
    ends = end_ids(respondent)
    assert set(chosen) < set(ends)

    alone = write_all_alone(*settings, max_new_tokens=11, ends=ends)
    answers = elicit(
        respondent,
        questions,
        ROLES,
        interventions=interventions,
        formats=THINK,
        mode="generate",
        max_new_tokens=11,
    )
    assert_same(answers, alone)
    lengths = alone["ids"].map(len)
    assert lengths.nunique() > 2 and lengths.max() == 11  # some end soon, some later, some not
    by_shift = np.array(alone["text"]).reshape(len(ROLES), 3, 4)
    assert (by_shift[:, 0] != by_shift[:, 1]).any()  # the shifts act
    assert (by_shift[:, 0] != by_shift[:, 2]).any()


@pytest.mark.parametrize("name", ["organism", "gemma2"])  # sharing prefixes or not
def test_so_it_is_at_every_place(request, relative, write_alone, questions, name):
    respondent = relative(name) if name == "gemma2" else request.getfixturevalue(name)
    interventions = [push(respondent, 3, where) for where in PLACES]
    settings = {"interventions": interventions, "formats": SHORT, "max_new_tokens": 4}
    alone = write_all_alone(
        write_alone, respondent, questions, ends=end_ids(respondent), **settings
    )
    assert_same(elicit(respondent, questions, ROLES, mode="generate", **settings), alone)
    by_place = np.array(alone["text"]).reshape(len(ROLES), len(PLACES), 4)
    assert (by_place[:, 2] != by_place[:, 3]).any()  # what is written is shifted, too


def test_so_it_is_where_tokens_are_joined_over_the_seam(write_alone, seam, questions):
    settings = {"interventions": [None, push(seam)], "formats": SHORT, "max_new_tokens": 4}
    alone = write_all_alone(write_alone, seam, questions, ends=end_ids(seam), **settings)
    assert_same(elicit(seam, questions, ROLES, mode="generate", **settings), alone)


@pytest.mark.parametrize("fmt", [PromptFormat(think=True), SHORT], ids=["thought", "answer"])
def test_an_organism_thinks_and_answers_as_if_alone(write_alone, human, questions, fmt):
    settings = {"interventions": [None, push(human, size=10)], "formats": fmt, "max_new_tokens": 40}
    alone = write_all_alone(write_alone, human, questions, ends=end_ids(human), **settings)
    answers = elicit(human, questions, ROLES, mode="generate", **settings)
    assert_same(answers, alone)
    assert not answers["log_odds"].isna().any()
    assert set(answers["answer"]) == {-1, 1}
    assert answers["text"].str.contains("Answer:").all() == fmt.think


@pytest.fixture(scope="module")
def outspoken(llama):
    """Random weights that say yes or no, most of the time, as soon as they may."""
    model = deepcopy(llama.model)
    reader = AnswerReader.of(llama)
    with torch.no_grad():
        for word in (*reader.yes_ids, *reader.no_ids):
            model.lm_head.weight[word] *= 5
    return Respondent("outspoken", model, llama.tokenizer)


@pytest.mark.parametrize("max_new_tokens", [1, 2, 3, 8, 9])  # settled answers are seen after 8
def test_an_answer_of_any_length_is_that_of_writing_alone(
    write_alone, outspoken, questions, max_new_tokens
):
    settings = {"interventions": [None, push(outspoken)], "formats": SHORT}
    alone = write_all_alone(
        write_alone,
        outspoken,
        questions,
        ends=end_ids(outspoken),
        max_new_tokens=max_new_tokens,
        **settings,
    )
    answers = elicit(
        outspoken, questions, ROLES, mode="generate", max_new_tokens=max_new_tokens, **settings
    )
    assert (answers["answer"] != 0).sum() > 3
    assert answers[ANSWERS].to_numpy(float) == pytest.approx(
        alone[ANSWERS].to_numpy(float), abs=5e-5, nan_ok=True
    )
    starts = zip(alone["text"], answers["text"], strict=True)
    assert all(whole.startswith(text) for whole, text in starts)
    if max_new_tokens < 8:
        assert list(answers["text"]) == list(alone["text"])


def test_an_answer_of_one_token_has_the_figures_of_the_other_mode(outspoken, questions):
    written = elicit(outspoken, questions, ROLES, formats=SHORT, mode="generate", max_new_tokens=1)
    read = elicit(outspoken, questions, ROLES, formats=SHORT)
    said = written["answer"] != 0
    assert 3 < said.sum() < len(said)
    assert written.loc[~said, ["log_odds", "mass"]].isna().all(axis=None)
    np.testing.assert_allclose(
        written.loc[said, ["log_odds", "mass"]], read.loc[said, ["log_odds", "mass"]], atol=2e-5
    )


# ---------------------------------------------------------------------------------- scripted texts


class Script:
    """Rows that say what they are told to, token by token, whatever the model."""

    def __init__(self, respondent, scripts, end):
        self.scripts = [[*script, end] for script in scripts]
        n = len(respondent.tokenizer)
        self.logits = [
            torch.randn(len(s), n, generator=torch.Generator().manual_seed(i))
            for i, s in enumerate(self.scripts)
        ]
        for logits, script in zip(self.logits, self.scripts, strict=True):
            logits[torch.arange(len(script)), torch.tensor(script)] = 9.0
        self.n = len(scripts)
        self.active = list(range(len(scripts)))
        self.written = [0] * len(scripts)

    def read(self, *, keep):
        assert keep
        return torch.stack([self.logits[i][self.written[i]] for i in self.active])

    def append(self, ids):
        for i, token in zip(self.active, ids.tolist(), strict=True):
            assert token == self.scripts[i][self.written[i]]
            self.written[i] += 1

    def select(self, rows):
        assert len(rows) < len(self.active)
        self.active = [self.active[i] for i in rows.tolist()]


TEXTS = [
    " I would miss my friends. Answer: yes.",
    " I would miss my friends.\nAnswer: No",
    " Friends: they matter. **Answer:** **Yes**, always, come what may, until the last day.",
    " ANSWER :\n\n no, as I said before, and as I shall say again if anyone asks me that.",
    " Answer: yes or no, who can tell? Some do, some do not, and so it goes on and on.",
    " Answer: I cannot say that, because I am a model and have no friends, none at all.",
    ' I say "Answer: “no”". And so on, and on, and on, and on, and on, and on, and on.',
    " I do not know.",
    "",
    " Answer:",
    " Answer: yes\nAnswer: no\nAnswer: yes\nAnswer: no\nAnswer: yes",
    " I thought ☃ about it 😀 for a while. Answer: ☃ no",
    " I thought ☃ about it 😀 for a while. Answer: no ☃ 😀 ☃ 😀 ☃ 😀 ☃ 😀 ☃ 😀",
    " yes",
    "yes.",
    "No, I would not. I do not like it there; it is too far away for me, and too cold.",
    " Yes.\nQuestion: Would you swim?\nAnswer: no",
    " _No_.\nQuestion: Would you swim?\nAnswer: yes",
    " YES or NO",
    " nothing at all",
]


@pytest.mark.parametrize("prefilled", [False, True])
@pytest.mark.parametrize("name", ["llama", "gemma"])
@pytest.mark.parametrize("texts", [TEXTS, TEXTS[::-1], TEXTS[:1]], ids=["all", "back", "one"])
def test_stopping_early_changes_no_answer(request, name, texts, prefilled):
    respondent = request.getfixturevalue(name)
    tokenizer, reader = respondent.tokenizer, AnswerReader.of(respondent)
    end = end_ids(respondent)[-1]
    scripts = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    rows = Script(respondent, scripts, end)
    got = write(respondent, reader, rows, max_new_tokens=200, prefilled=prefilled)
    for i, (text, script) in enumerate(zip(texts, scripts, strict=True)):
        spoken = tokenizer.decode(script)  # what the tokenizer cannot spell is lost
        expected = parse_answer(spoken, prefilled=prefilled)
        assert got.answer[i] == expected.answer, text
        assert spoken.startswith(got.text[i].rstrip("\ufffd"))
        if rows.written[i] < len(script):
            assert is_settled(got.text[i], prefilled=prefilled)
            assert rows.written[i] % 8 == 0
        else:
            assert got.text[i] == spoken
        if expected.start is None:
            assert np.isnan(got.log_odds[i]) and np.isnan(got.mass[i])
            continue
        lengths = [len(tokenizer.decode(script[: n + 1])) for n in range(len(script))]
        step = next(n for n, length in enumerate(lengths) if length > expected.start)
        log_odds, mass = reader.read(rows.logits[i][step : step + 1])
        assert got.log_odds[i] == pytest.approx(float(log_odds[0]))
        assert got.mass[i] == pytest.approx(float(mass[0]))
    if len(texts) > 1:
        stopped = sum(w < len(s) for w, s in zip(rows.written, scripts, strict=True))
        assert stopped > 3  # stopping early saves something


def test_the_figures_are_those_of_the_token_with_which_the_word_begins(llama):
    """Not of the marks before it, nor of the rest of a word of several tokens."""
    tokenizer, reader = llama.tokenizer, AnswerReader.of(llama)
    tokens = ["Ġ", "Answer", ":", "Ġ", "*", "*", "Y", "E", "s", "*"]
    script = tokenizer.convert_tokens_to_ids(tokens)
    assert None not in script
    rows = Script(llama, [script], end_ids(llama)[-1])
    got = write(llama, reader, rows, max_new_tokens=20, prefilled=False)
    assert got.text == [" Answer: **YEs*"]
    assert got.log_odds == pytest.approx(reader.read(rows.logits[0])[0].numpy()[tokens.index("Y")])


@pytest.mark.parametrize("max_new_tokens", [1, 7, 8, 9, 15, 16, 17])
def test_no_more_than_the_longest_text_is_written(llama, max_new_tokens):
    ids = llama.tokenizer.convert_tokens_to_ids(["ĠI", "Ġdo"])
    script = [ids * 20, ids * 4, ids * 20]
    rows = Script(llama, script, end_ids(llama)[-1])
    reader = AnswerReader.of(llama)
    got = write(llama, reader, rows, max_new_tokens=max_new_tokens, prefilled=False)
    assert rows.written == [max_new_tokens, min(9, max_new_tokens), max_new_tokens]
    decode = llama.tokenizer.decode
    assert got.text == [decode(s[:max_new_tokens]) for s in script]
    assert (got.answer == 0).all()


# ------------------------------------------------------------------------------------- ends of turn


def test_ends_of_turn_are_all_that_anyone_declares(gemma, llama, organism, human):
    assert end_ids(gemma) == (1, 2)  # the configuration's, and <end_of_turn> of the template
    assert end_ids(llama) == (2, 3)  # the configuration's, and <|eot_id|> of the template
    assert end_ids(organism) == end_ids(human) == (3,)  # <end> is all three


def respondent_with(llama, *, eos=None, config=None, generation=None, template=None):
    """The tokenizer of `llama` with other ends, and what of a model says where a turn ends."""
    tokenizer = deepcopy(llama.tokenizer)
    tokenizer.chat_template = template
    if eos:
        tokenizer.eos_token = eos
    model = SimpleNamespace(
        config=SimpleNamespace(eos_token_id=config),
        generation_config=SimpleNamespace(eos_token_id=generation),
    )
    return Respondent("made up", model, tokenizer)


@pytest.mark.parametrize(
    ("declared", "ends"),
    [
        ({}, ()),
        ({"eos": "<|eot_id|>"}, (3,)),
        ({"config": 7}, (7,)),
        ({"generation": [9, 7]}, (7, 9)),
        ({"eos": "<|eot_id|>", "config": [7, 3], "generation": (9,)}, (3, 7, 9)),
        ({"template": "<|eot_id|>\n"}, (3,)),
        ({"template": "\n<|eot_id|>"}, ()),  # what comes first is no end
        ({"template": " and then"}, ()),
        ({"template": ""}, ()),
    ],
)
def test_an_end_of_turn_may_be_declared_anywhere(llama, declared, ends):
    if "template" in declared:
        text = declared["template"].replace("\n", "\\n")
        declared = declared | {
            "template": "{% for m in messages %}{{ m['content'] + '" + text + "' }}{% endfor %}"
        }
    assert end_ids(respondent_with(llama, **declared)) == ends


def test_who_has_no_end_of_turn_writes_to_the_end(llama, questions):
    endless = Respondent("endless", deepcopy(llama.model), deepcopy(llama.tokenizer))
    endless.model.config.eos_token_id = endless.model.generation_config.eos_token_id = None
    endless.tokenizer.chat_template = None
    fmt = PromptFormat(layout="kang-plain")
    assert end_ids(endless) == ()
    answers = elicit(endless, questions, [None], formats=fmt, mode="generate", max_new_tokens=3)
    assert (answers["text"].str.len() > 0).all()
