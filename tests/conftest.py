"""Respondents of every kind that the library meets: tiny, untrained, made in memory.

What the library does with a model must not depend on what the model has learnt, so random weights
test it as well as any. Heavy imports stand inside the fixtures: tests of graphs and tables load
no model library.
"""

import string

import pytest

# The ways in which chat templates treat a system turn; the texts around the turns are those of the
# models' own templates, which also trim what they are given.
GEMMA_TEMPLATE = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
LLAMA_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{{ message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)


@pytest.fixture(scope="session")
def inventory():
    """The inventory that comes with the package."""
    from valuegraph.inventory import load_inventory

    return load_inventory()


@pytest.fixture(scope="session")
def few_items(inventory):
    """Two values of it with four items each, two keyed positively."""
    from valuegraph.inventory import Inventory

    values = inventory.values.loc[["SE", "ST"]]
    items = inventory.items[inventory.items["value"].isin(values.index)]
    return Inventory("few", items.groupby(["value", "key"]).head(2), values)


@pytest.fixture(scope="session")
def bank():
    """The role bank that comes with the package."""
    from valuegraph.rolebank import load_role_bank

    return load_role_bank()


@pytest.fixture(scope="session")
def structure():
    """A structural model of the ten values with a fork, a chain, a collider and two lone values."""
    from valuegraph.organisms.scm import StructuralModel

    return StructuralModel.from_edges(
        [
            ("SE", "CO", 0.5),
            ("SE", "TR", 0.3),
            ("CO", "TR", 0.4),
            ("BE", "UN", 0.6),
            ("UN", "SD", 0.3),
            ("ST", "SD", 0.4),
            ("AC", "PO", 0.5),
            ("BE", "PO", -0.4),
        ],
        description="made for tests",
    )


@pytest.fixture(scope="session")
def tokenizer(inventory, bank):
    """The organisms' tokenizer."""
    from valuegraph.organisms.language import build_tokenizer

    return build_tokenizer(inventory, bank)


@pytest.fixture(scope="session")
def writer(tokenizer, inventory, bank, structure):
    """Writes dialogues that follow `structure`."""
    from valuegraph.organisms.answer_model import AnswerModel
    from valuegraph.organisms.dialogues import DialogueWriter

    return DialogueWriter(tokenizer, inventory, bank, structure, AnswerModel())


@pytest.fixture(scope="session")
def told(inventory, bank):
    """What each sentence says: facts as (value, strength), stances as (value, level)."""
    from valuegraph.rolebank import stance_sentence

    facts = {text: bank.effects[fact] for fact, text in bank.texts.items()}
    stances = {
        stance_sentence(bank, inventory, value, level): (value, level)
        for value in inventory.codes
        for level in bank.stances["level"]
    }
    return facts, stances


@pytest.fixture(scope="session")
def organism(tokenizer):
    """An organism of three layers that has learnt nothing."""
    from valuegraph.models import Respondent
    from valuegraph.organisms.recipe import TrainingRecipe
    from valuegraph.organisms.training import new_model

    recipe = TrainingRecipe(width=40, layers=3, heads=2, mlp_width=32, site_layer=1, seed=1)
    tok = tokenizer
    model = new_model(
        len(tok), recipe, pad=tok.pad_token_id, bos=tok.bos_token_id, eos=tok.eos_token_id
    )
    return Respondent("organism", model.eval(), tok)


@pytest.fixture(scope="session")
def gemma(inventory, bank):
    """Gemma's architecture, kind of tokenizer and template, which refuses a system turn."""
    from tokenizers import decoders, pre_tokenizers
    from transformers import GemmaConfig

    tokenizer = subword_tokenizer(
        inventory,
        bank,
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Metaspace(prepend_scheme="never"),
                pre_tokenizers.Punctuation(behavior="isolated"),
            ]
        ),
        decoders.Metaspace(prepend_scheme="never"),
        alphabet=list(string.printable),
        special=["<bos>", "<start_of_turn>", "<end_of_turn>"],
        template=GEMMA_TEMPLATE,
    )
    return random_respondent("gemma", GemmaConfig, tokenizer, num_key_value_heads=1, head_dim=8)


@pytest.fixture(scope="session")
def llama(inventory, bank):
    """Llama 3's architecture, kind of tokenizer and template, with a system turn."""
    from tokenizers import decoders, pre_tokenizers
    from transformers import LlamaConfig

    tokenizer = subword_tokenizer(
        inventory,
        bank,
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        decoders.ByteLevel(),
        alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special=["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
        template=LLAMA_TEMPLATE,
    )
    return random_respondent("llama", LlamaConfig, tokenizer, num_key_value_heads=2)


@pytest.fixture(params=["organism", "llama", "gemma"])
def respondent(request):
    """Each of the three in turn."""
    return request.getfixturevalue(request.param)


def subword_tokenizer(inventory, bank, splitter, decoder, *, alphabet, special, template):
    """Train a byte-pair tokenizer on the organisms' language; the first special token is bos."""
    from tokenizers import Tokenizer, models, trainers
    from transformers import PreTrainedTokenizerFast

    from valuegraph.organisms.language import corpus

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = splitter, decoder
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        min_frequency=1,
        initial_alphabet=alphabet,
        special_tokens=special,
        show_progress=False,
    )
    # Yes and no come often enough to become tokens of their own, as in any real vocabulary.
    tokenizer.train_from_iterator([*corpus(inventory, bank), *100 * ["no yes no No Yes"]], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=special[0], chat_template=template
    )


def random_respondent(name, config_class, tokenizer, **sizes):
    """Build a model of three layers with random weights, large enough to tell roles apart."""
    import torch
    from transformers import AutoModelForCausalLM

    from valuegraph.models import Respondent

    config = config_class(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        initializer_range=0.2,
        **sizes,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
    return Respondent(name, model.eval(), tokenizer)
