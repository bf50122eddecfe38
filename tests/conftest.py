"""Respondents of every kind that the library meets: tiny, untrained, made in memory.

What the library does with a model must not depend on what the model has learnt, so random weights
test it as well as any. Heavy imports stand inside the fixtures: tests of graphs and tables load
no model library.
"""

import string
from functools import cache

import pytest
from respondents import (
    asked_alone,
    random_respondent,
    simulated_answers,
    subword_tokenizer,
    written_alone,
)

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
    from valuegraph.roles import load_role_bank

    return load_role_bank()


@pytest.fixture(scope="session")
def structure():
    """A structural model of the ten values with a fork, a chain, a collider and two lone values."""
    from valuegraph.organisms import StructuralModel

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
    from studies.training.language import build_tokenizer

    return build_tokenizer(inventory, bank)


@pytest.fixture(scope="session")
def writer(tokenizer, inventory, bank, structure):
    """Writes dialogues that follow `structure`."""
    from studies.training.dialogues import DialogueWriter
    from valuegraph.organisms import Organism

    return DialogueWriter(tokenizer, inventory, bank, Organism(structure, 1.5, 0.4, 0.25, 1))


@pytest.fixture(scope="session")
def simulate(inventory):
    """Write answers of roles with known values, biases and noise; see `simulated_answers`."""

    def of_inventory(items=inventory.items, **settings):
        return simulated_answers(items, **settings)

    return of_inventory


@pytest.fixture(scope="session")
def organism(tokenizer):
    """An organism of three layers that has learnt nothing."""
    from studies.training.recipe import TrainingRecipe
    from studies.training.training import new_model
    from valuegraph.models import Respondent

    recipe = TrainingRecipe(width=40, layers=3, heads=2, mlp_width=32, site_layer=1, seed=1)
    return Respondent("organism", new_model(tokenizer, recipe).eval(), tokenizer)


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


#: Other architectures; windows of 32 tokens are shorter than any prompt, those of 512 longer.
RELATIVES = {
    "qwen2": ("Qwen2Config", {}),
    "qwen3": ("Qwen3Config", {"head_dim": 8}),
    "mistral": ("MistralConfig", {"sliding_window": None}),
    "mistral-sliding": ("MistralConfig", {"sliding_window": 32}),
    "gemma2": ("Gemma2Config", {"sliding_window": 32, "head_dim": 8, "query_pre_attn_scalar": 8}),
    "gemma3": (
        "Gemma3TextConfig",
        {
            "sliding_window": 512,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "head_dim": 8,
            "query_pre_attn_scalar": 8,
        },
    ),
}


@pytest.fixture(scope="session")
def relative(llama):
    """Build a respondent of another architecture, by name, with the tokenizer of `llama`."""
    import transformers

    @cache
    def build(name):
        config_class, sizes = RELATIVES[name]
        return random_respondent(
            name,
            getattr(transformers, config_class),
            llama.tokenizer,
            num_key_value_heads=2,
            **sizes,
        )

    return build


@pytest.fixture(scope="session")
def seam(llama):
    """A respondent whose tokenizer joins the full stop of the instruction to a question's "Do"."""
    from copy import deepcopy

    from transformers import LlamaConfig

    tokenizer = deepcopy(llama.tokenizer)
    tokenizer.add_tokens([". Do"])
    return random_respondent("seam", LlamaConfig, tokenizer, num_key_value_heads=2)


@pytest.fixture(scope="session")
def human():
    """An organism that comes with the package, trained: it thinks, answers and ends its turn."""
    from valuegraph.models import load_model

    return load_model("organism-human")


@pytest.fixture(scope="session")
def small_sae():
    """Build an autoencoder of four features over states of width six, with random weights."""
    import torch
    from sae_lens import StandardSAE, StandardSAEConfig
    from sae_lens.saes.sae import SAEMetadata

    def build(**options):
        metadata = SAEMetadata(hook_name="blocks.2.hook_resid_post")
        sae = StandardSAE(StandardSAEConfig(d_in=6, d_sae=4, metadata=metadata, **options))
        generator = torch.Generator().manual_seed(0)
        for weights in (sae.W_enc, sae.W_dec, sae.b_enc, sae.b_dec):
            weights.data = torch.randn(weights.shape, generator=generator)
        return sae

    return build


@pytest.fixture(params=["organism", "llama", "gemma"])
def respondent(request):
    """Each of the three in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def ask_alone():
    """Ask one question by itself; see `asked_alone`."""
    return asked_alone


@pytest.fixture(scope="session")
def write_alone():
    """Let a respondent write by itself; see `written_alone`."""
    return written_alone


def pytest_collection_modifyitems(items):
    """Keep each file's tests in one process; pages are split, and begin first: they are long."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=lambda item: item.path.stem != "test_pages")
