"""The organisms' language: all that can be said is read, and read back as it was written."""

import pytest

from valuegraph.asking.prompts import ANSWER_PREFIX, WORDINGS, PromptFormat, render_prompt
from valuegraph.organisms.language import CHAT_TEMPLATE, SPECIAL_TOKENS, THOUGHTS, corpus
from valuegraph.roles import make_role, sample_roles


def encode(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.fixture(scope="module")
def sentences(inventory, bank):
    """All sentences of the language."""
    return list(corpus(inventory, bank))


def test_the_corpus_holds_all_that_is_asked_and_said(inventory, bank, sentences):
    assert set(inventory.items["text"]) <= set(sentences)
    assert set(bank.facts["text"]) <= set(sentences)
    for template in (*bank.stances["template"], *THOUGHTS.values()):
        for phrase in inventory.values["phrase"]:
            assert template.replace("{phrase}", phrase) in sentences


def test_every_sentence_is_read_back_as_it_was_written(tokenizer, sentences):
    for sentence in sentences:
        ids = encode(tokenizer, sentence)
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids) == sentence


def test_sentences_in_a_row_are_the_tokens_of_each(tokenizer, sentences):
    together = encode(tokenizer, " ".join(sentences))
    assert together == [i for sentence in sentences for i in encode(tokenizer, sentence)]


def test_the_vocabulary_has_no_idle_word(tokenizer, sentences):
    used = {i for sentence in sentences for i in encode(tokenizer, sentence)}
    special = set(tokenizer.convert_tokens_to_ids(SPECIAL_TOKENS))
    assert used | special == set(range(len(tokenizer)))
    assert not used & special
    assert [tokenizer.convert_ids_to_tokens(i) for i in range(7)] == list(SPECIAL_TOKENS)


def test_every_prompt_is_in_the_language(tokenizer, inventory, bank):
    stances = list(zip(inventory.codes, [*bank.stances["level"]] * 2, strict=False))
    roles = [None, *sample_roles(bank, 20, seed=0)]
    roles.append(make_role("stances", bank=bank, stances=stances, inventory=inventory))
    for role in roles:
        for wording in WORDINGS:
            for think in (True, False):
                fmt = PromptFormat(wording, think, think)
                text = render_prompt(tokenizer, inventory.items["text"].iloc[0], role, fmt=fmt)
                assert tokenizer.unk_token_id not in encode(tokenizer, text)


def test_a_word_of_another_language_is_unknown(tokenizer):
    ids = encode(tokenizer, "You sing zwölf songs.")
    assert tokenizer.convert_ids_to_tokens(ids).count("<unk>") >= 1
    assert encode(tokenizer, "zwölf") == [tokenizer.unk_token_id]


def test_yes_and_no_are_one_token_with_and_without_a_space(tokenizer):
    for word in ("yes", "no"):
        assert encode(tokenizer, word) == encode(tokenizer, f" {word}")
        assert len(encode(tokenizer, word)) == 1
        assert encode(tokenizer, f"{ANSWER_PREFIX} {word}")[-1:] == encode(tokenizer, word)


def test_the_two_thoughts_part_at_one_token(tokenizer, inventory):
    for phrase in inventory.values["phrase"]:
        cares, cares_not = (encode(tokenizer, THOUGHTS[b].format(phrase=phrase)) for b in (1, 0))
        fork = next(i for i, (a, b) in enumerate(zip(cares, cares_not, strict=False)) if a != b)
        assert tokenizer.decode([cares[fork], cares_not[fork]]) == "care not"
        assert cares_not[fork + 1 :] == cares[fork:]


def test_the_chat_template_marks_turns_by_single_tokens(tokenizer):
    messages = [
        {"role": "system", "content": "You sing."},
        {"role": "user", "content": "Would you pray?"},
        {"role": "assistant", "content": "Answer: no"},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    assert text == (
        "<bos><|system|>You sing.<end><|user|>Would you pray?<end><|assistant|>Answer: no<end>"
    )
    ids = encode(tokenizer, text)
    bos, end, system, user, assistant = tokenizer.convert_tokens_to_ids(
        ["<bos>", "<end>", "<|system|>", "<|user|>", "<|assistant|>"]
    )
    assert ids == [
        *(bos, system, *encode(tokenizer, "You sing."), end),
        *(user, *encode(tokenizer, "Would you pray?"), end),
        *(assistant, *encode(tokenizer, "Answer: no"), end),
    ]
    opened = tokenizer.apply_chat_template(messages[:2], tokenize=False, add_generation_prompt=True)
    assert text.startswith(opened)
    assert opened.endswith("<|assistant|>")


def test_the_tokenizer_survives_its_folder(tokenizer, sentences, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert loaded.chat_template == CHAT_TEMPLATE
    assert [loaded.pad_token, loaded.unk_token, loaded.bos_token, loaded.eos_token] == [
        *SPECIAL_TOKENS[:4]
    ]
    for text in ["<bos><|user|>Would you pray?<end><|assistant|>Answer:", *sentences]:
        assert encode(loaded, text) == encode(tokenizer, text)
        assert loaded.decode(encode(loaded, text)) == tokenizer.decode(encode(tokenizer, text))
