"""Respondents of every kind that the library meets: tiny, untrained, made in memory.

What the library does with a model must not depend on what the model has learnt, so random weights
test it as well as any. Heavy imports stand inside the fixtures: tests of graphs and tables load
no model library.
"""

import string
from functools import cache

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
def simulate(inventory):
    """Write answers of roles with known values, biases and noise; see `simulated_answers`."""

    def of_inventory(items=inventory.items, **settings):
        return simulated_answers(items, **settings)

    return of_inventory


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


#: Other architectures; windows of 32 tokens are shorter than any prompt.
RELATIVES = {
    "qwen2": ("Qwen2Config", {}),
    "qwen3": ("Qwen3Config", {"head_dim": 8}),
    "mistral": ("MistralConfig", {"sliding_window": None}),
    "mistral-sliding": ("MistralConfig", {"sliding_window": 32}),
    "gemma2": ("Gemma2Config", {"sliding_window": 32, "head_dim": 8, "query_pre_attn_scalar": 8}),
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


@pytest.fixture(scope="session")
def ask_alone():
    """Ask one question by itself; see `asked_alone`."""
    return asked_alone


@pytest.fixture(scope="session")
def write_alone():
    """Let a respondent write by itself; see `written_alone`."""
    return written_alone


def prompt_alone(respondent, question, role, intervention, fmt, prefill):
    """Token ids of one prompt, encoded in one piece, and a context in which its shifts act."""
    import contextlib
    from dataclasses import replace

    import torch

    from valuegraph.asking.prompts import render_parts
    from valuegraph.roles import Role

    tokenizer = respondent.tokenizer
    shifts = () if intervention is None else intervention.shifts
    if intervention is not None and intervention.text:
        told = intervention.text
        role = (
            Role("told", told) if role is None else replace(role, text=" ".join([role.text, told]))
        )
    ((prefix, suffix),) = render_parts(tokenizer, [question], role, fmt=fmt, prefill=prefill)
    ids = tokenizer(prefix + suffix, add_special_tokens=False, return_tensors="pt")["input_ids"]
    instruction = prefix[: prefix.rindex(fmt.instruction) + len(fmt.instruction)]

    def tokens_before(end):
        return len(tokenizer(instruction.removesuffix(end), add_special_tokens=False)["input_ids"])

    site = slice(tokens_before(" your values."), tokens_before("."))
    places = {"site-end": slice(site.stop - 1, site.stop), "site": site, "prompt": slice(None)}

    def hook(shift, passes):
        def add(module, inputs, output):
            passes.append(module)
            if len(passes) > 1 and shift.where != "everywhere":
                return None
            moved = output.clone()
            moved[0, places.get(shift.where, slice(None))] += torch.from_numpy(shift.vector)
            return moved

        return add

    @contextlib.contextmanager
    def shifted():
        layers = respondent.model.model.layers
        handles = [layers[shift.layer].register_forward_hook(hook(shift, [])) for shift in shifts]
        yield
        for handle in handles:
            handle.remove()

    return ids, shifted()


@cache
def words_of(tokenizer):
    """The word that each token spells, without space and capitals."""
    return [tokenizer.decode(i).strip().lower() for i in range(len(tokenizer))]


def yes_and_no(respondent, logits):
    """Log-odds and mass of yes and no, summed over all tokens that spell one of them."""
    p = logits.double().softmax(-1)
    words = words_of(respondent.tokenizer)
    yes, no = (sum(p[i] for i, w in enumerate(words) if w == word) for word in ("yes", "no"))
    return float((yes / no).log()), float(yes + no)


def asked_alone(respondent, question, role=None, intervention=None, fmt=None):
    """One prompt through the whole model, with a hook of its own: log-odds and mass."""
    import torch

    from valuegraph.asking.prompts import PromptFormat

    ids, shifted = prompt_alone(
        respondent, question, role, intervention, fmt or PromptFormat(), "Answer:"
    )
    with torch.no_grad(), shifted:
        return yes_and_no(respondent, respondent.model(ids).logits[0, -1])


def written_alone(respondent, question, role, intervention, fmt, *, max_new_tokens, ends):
    """One prompt continued by transformers: token ids, text, answer, log-odds and mass."""
    from valuegraph.asking.parsing import parse_answer

    tokenizer = respondent.tokenizer
    prefill = "Thought:" if fmt.think else "Answer:"
    prompt, shifted = prompt_alone(respondent, question, role, intervention, fmt, prefill)
    with shifted:
        output = respondent.model.generate(
            prompt,
            attention_mask=prompt.new_ones(prompt.shape),
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=list(ends),
            pad_token_id=0,
            output_logits=True,
            return_dict_in_generate=True,
        )
    ids = output.sequences[0, prompt.shape[1] :].tolist()
    ids = ids[:-1] if ids[-1] in ends else ids
    text = tokenizer.decode(ids)
    answer, start = parse_answer(text, prefilled=not fmt.think)
    if start is None:
        return ids, text, answer, float("nan"), float("nan")
    step = next(n for n in range(len(ids)) if len(tokenizer.decode(ids[: n + 1])) > start)
    return ids, text, answer, *yes_and_no(respondent, output.logits[step][0])


def simulated_answers(items, *, n=40, formats=None, noise=1.0, model=None, role_format=0.0, seed=0):
    """Answers of `n` roles with normal values: every answer has noise of its own, and every score
    a disturbance by role and format."""
    import numpy as np
    import pandas as pd

    from valuegraph.answers import COLUMNS, NO_INTERVENTION
    from valuegraph.asking.prompts import PromptFormat
    from valuegraph.organisms.answer_model import AnswerModel

    model, rng = model or AnswerModel(), np.random.default_rng(seed)
    values, place = np.unique(items["value"], return_inverse=True)
    own = rng.standard_normal((n, len(values)))
    frames = []
    for fmt in formats or [PromptFormat()]:
        here = own + role_format * rng.standard_normal(own.shape)
        log_odds = model.log_odds(here[:, place], items["key"].to_numpy(), fmt.yes_first)
        log_odds = log_odds + noise * rng.standard_normal(log_odds.shape)
        frame = items[["value", "item", "key"]].merge(
            pd.DataFrame({"role": [f"role{i:03d}" for i in range(n)]}), how="cross"
        )
        frame = frame.assign(
            model="simulated",
            intervention=NO_INTERVENTION,
            format=fmt.name,
            log_odds=log_odds.T.ravel(),
            answer=np.sign(log_odds.T.ravel()).astype(np.int8),
            mass=0.9,
        )
        frames.append(frame[list(COLUMNS)])
    return pd.concat(frames, ignore_index=True)
