"""Architectures beyond plain decoders work as a whole, or say beforehand what of them works."""

import hashlib
import json
import re
from dataclasses import replace

import gguf
import numpy as np
import pytest
import torch
import transformers
from packaging.version import Version
from respondents import prompt_alone
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

from valuegraph import models
from valuegraph.elicitation import elicit
from valuegraph.forward import SLACK, default_batch_tokens, slack_of, tokens_in
from valuegraph.hooks import layers_of
from valuegraph.interventions import Shift
from valuegraph.inventory import Inventory
from valuegraph.model_files import WEIGHTS, fetch_weights, find_files
from valuegraph.models import Respondent, load_model
from valuegraph.probing import states
from valuegraph.prompts import PromptFormat
from valuegraph.reading import end_ids
from valuegraph.roles import Role
from valuegraph.shared_prefix import can_share

ROLES = [None, Role("guard", "You sleep with every door wide open.")]
FMT = PromptFormat("say", think=True)

SIZES = {"hidden_size": 32, "num_hidden_layers": 4, "initializer_range": 0.2}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
TEXT = SIZES | HEADS | {"intermediate_size": 48}
LINEAR = {"linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2}
LINEAR |= {"linear_num_value_heads": 4}
EXPERTS = {"num_experts_per_tok": 1, "num_local_experts": 2, "shared_intermediate_size": 32}
SCAN = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 16, "mamba_chunk_size": 16}
SHORT = {"sliding_window": 32, "query_pre_attn_scalar": 8}
ALTUP = {"hidden_size_per_layer_input": 8, "laurel_rank": 4, "altup_num_inputs": 2}
ALTUP |= {"activation_sparsity_pattern": [0.0] * 4, "num_kv_shared_layers": 1, "sliding_window": 32}
SHARED = {"num_kv_shared_layers": 2, "hidden_size_per_layer_input": 8, "sliding_window": 32}
SHARED |= {"layer_types": ["sliding_attention", "full_attention"] * 2}
LATENT = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8}
LATENT |= {"v_head_dim": 8, "num_key_value_heads": 4, "n_routed_experts": 2, "n_group": 1}
LATENT |= {"moe_intermediate_size": 16, "topk_group": 1, "num_experts_per_tok": 1}

#: Configurations with what makes them special.
KINDS = {
    "qwen3-next": ("Qwen3NextConfig", TEXT | LINEAR | {"num_experts": 2, "num_experts_per_tok": 1}),
    "qwen3.5": ("Qwen3_5TextConfig", TEXT | LINEAR | {"initializer_range": 0.5}),
    "granite": (
        "GraniteMoeHybridConfig",
        TEXT | SCAN | EXPERTS | {"layer_types": ["mamba", "attention"] * 2},
    ),
    "falcon": ("FalconH1Config", TEXT | SCAN | {"mamba_d_ssm": 64}),
    "gemma3": ("Gemma3TextConfig", TEXT | SHORT),
    "gemma3n": ("Gemma3nTextConfig", TEXT | ALTUP),
    "gemma4": ("Gemma4TextConfig", TEXT | SHARED),
    "minimax": ("MiniMaxConfig", TEXT | {"num_experts_per_tok": 1, "num_local_experts": 2}),
    "mamba": ("MambaConfig", SIZES | {"state_size": 8}),
    "griffin": ("RecurrentGemmaConfig", TEXT | {"intermediate_size": 96, "lru_width": 32}),
    # Layers and sizes of other names; ALiBi; a text model that gives itself as its decoder.
    "gpt2": ("GPT2Config", SIZES | {"num_attention_heads": 4}),
    "mpt": ("MptConfig", SIZES | {"num_attention_heads": 4}),
    "llama4": ("Llama4TextConfig", TEXT | {"intermediate_size_mlp": 48, "num_local_experts": 2}),
    # What stands before a text changes what is read, be it padding.
    "deepseek": ("DeepseekV32Config", TEXT | LATENT | {"index_n_heads": 2, "index_topk": 16}),
    "rwkv": ("RwkvConfig", SIZES),
}
CANNOT_WRITE = ("mamba", "griffin", "rwkv")
PER_LAYER = {"gemma3n", "gemma4"}  # they embed words once more for each layer


@pytest.fixture(scope="module")
def kind(llama):
    """Build a respondent of a kind, with the tokenizer of `llama`."""

    def build(name):
        if name == "deepseek" and not hasattr(transformers, KINDS[name][0]):
            pytest.skip("older releases do not know it")
        if name == "griffin" and Version(transformers.__version__) < Version("5.13"):
            pytest.skip("older releases let padding into the recurrent state")
        config_class, options = KINDS[name]
        words = {"vocab_size": len(llama.tokenizer), "pad_token_id": 0}
        words |= {"vocab_size_per_layer_input": words["vocab_size"]} if name in PER_LAYER else {}
        config = getattr(transformers, config_class)(**options, **words)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return Respondent(
                name, AutoModelForCausalLM.from_config(config).eval(), llama.tokenizer
            )

    return build


@pytest.fixture(scope="module")
def questions(few_items):
    return Inventory("four", few_items.items.iloc[[0, 1, 4, 5]], few_items.values)


def push(respondent, layer) -> Shift:
    vector = np.random.default_rng(0).standard_normal(respondent.width)
    return Shift(f"push {layer}", layer, 3 * vector, "prompt")


def assert_asked_as_alone(respondent, questions, ask_alone, interventions=(None,)):
    answers = elicit(respondent, questions, ROLES, interventions=interventions)
    cells = [(q, r, i) for r in ROLES for i in interventions for q in questions.items["text"]]
    alone = [ask_alone(respondent, *cell)[0] for cell in cells]
    np.testing.assert_allclose(answers["log_odds"], alone, rtol=0, atol=2e-4)


# ------------------------------------------------------------------------ kinds of decoders


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_asked_and_shifted_as_alone(kind, questions, ask_alone, name):
    respondent = kind(name)
    pushes = [None] if name == "gemma3n" else [None, push(respondent, 1), push(respondent, 3)]
    assert_asked_as_alone(respondent, questions, ask_alone, pushes)


@pytest.mark.parametrize("name", [name for name in KINDS if name not in CANNOT_WRITE])
def test_rows_that_end_at_different_steps_are_written_as_alone(kind, questions, write_alone, name):
    respondent = kind(name)

    def alone(ends):
        cells = [(text, role) for role in ROLES for text in questions.items["text"]]
        options = {"max_new_tokens": 9, "ends": ends}
        return [write_alone(respondent, *cell, None, FMT, **options) for cell in cells]

    # The token that comes at the most different steps ends a turn.
    free = [ids for ids, *_ in alone([-1])]
    steps = {token: {[*ids, token].index(token) for ids in free} for token in set().union(*free)}
    respondent.model.generation_config.eos_token_id = max(steps, key=lambda t: len(steps[t]))
    expected = alone(end_ids(respondent))
    assert len({len(ids) for ids, *_ in expected}) > 1
    options = {"mode": "generate", "formats": FMT, "max_new_tokens": 9}
    answers = elicit(respondent, questions, ROLES, **options)
    assert list(answers["text"]) == [text for _, text, *_ in expected]


@pytest.mark.parametrize("name", CANNOT_WRITE)
def test_what_cannot_write_says_so(kind, questions, name):
    respondent = kind(name)
    message = f"{type(respondent.model).__name__} cannot write; ask it by mode='logit'"
    with pytest.raises(ValueError, match=message):
        elicit(respondent, questions, [None], mode="generate")


@pytest.mark.parametrize("name", [name for name in KINDS if name != "gemma3n"])
def test_states_after_any_layer_are_those_of_each_prompt(kind, questions, name):
    respondent, texts = kind(name), list(questions.items["text"])
    layer = respondent.n_layers - 1
    found = states(respondent, ROLES, layer=layer, where="prompt", questions=texts)
    outputs = []
    last = layers_of(respondent.model)[layer]
    handle = last.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    for role in ROLES:
        for text in texts:
            ids, _ = prompt_alone(respondent, text, role, None, PromptFormat(), "Answer:")
            with torch.no_grad():
                respondent.model(ids)
    handle.remove()
    outputs = [output[0] if isinstance(output, tuple) else output for output in outputs]
    expected = np.concatenate([output[0, 1:].numpy() for output in outputs])
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=5e-3)


@pytest.mark.parametrize("name", ["deepseek", "rwkv", "gpt2", "granite"])
def test_texts_are_padded_only_where_that_changes_nothing(kind, name):
    assert slack_of(kind(name).model) == (0 if name in ("deepseek", "rwkv") else SLACK)


def test_more_than_a_model_reads_is_refused(kind, questions):
    respondent = kind("gpt2")
    long = Role("long", "You sing. " * 400)
    message = r"reads 1024 tokens, of \d+ kinds; shorten roles, or mend a tokenizer"
    with pytest.raises(ValueError, match=message):
        elicit(respondent, questions, [long])
    respondent.model.config.vocab_size = 9
    with pytest.raises(ValueError, match="GPT2LMHeadModel reads 1024 tokens, of 9 kinds"):
        elicit(respondent, questions, ROLES)


def test_several_streams_are_no_residual_stream(kind, questions):
    respondent = kind("gemma3n")
    message = "Gemma3nForCausalLM hand on several streams at once.* asking and sentences work"
    with pytest.raises(ValueError, match=message):
        states(respondent, ROLES, layer=1)
    with pytest.raises(ValueError, match=message):
        elicit(respondent, questions, ROLES, interventions=[push(respondent, 1)])


@pytest.mark.parametrize("name", KINDS)
def test_a_gpu_is_told_a_number_of_tokens_for_each_kind(kind, name, monkeypatch):
    respondent = kind(name)
    monkeypatch.setattr(Respondent, "device", torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**9, 10**9))
    tokens = default_batch_tokens(respondent)
    # Weights and states of a token are a few thousand numbers.
    assert 10**3 < tokens == tokens_in(10**9, respondent.model.config, itemsize=4) < 10**6


# ---------------------------------------------------------------------- models that also see

YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0, "beta_fast": 32.0, "beta_slow": 1.0}
YARN |= {"original_max_position_embeddings": 2048, "llama_4_scaling_beta": 0.1}
YARN = {"rope_parameters": YARN, "max_position_embeddings": 4096, "head_dim": 16}
SEES = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
SEES |= {"num_attention_heads": 2, "image_size": 28, "patch_size": 14}
QWEN_SEES = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2}
WRAPPERS = {
    "gemma3": ("Gemma3Config", TEXT | SHORT, SEES, {"mm_tokens_per_image": 4}),
    "mistral3": ("Mistral3Config", TEXT, SEES | {"model_type": "pixtral"}, {}),
    # Its language part is listed among models that see, and is none.
    "mistral4": ("Mistral3Config", TEXT | LATENT | YARN, SEES | {"model_type": "pixtral"}, {}),
    "qwen3.5": ("Qwen3_5Config", TEXT | LINEAR, QWEN_SEES | {"out_hidden_size": 32}, {}),
    "gemma4": ("Gemma4Config", TEXT | SHARED, SEES | {"head_dim": 8}, {}),
    "llava": ("LlavaConfig", TEXT, SEES | {"model_type": "clip_vision_model"}, {}),
}
MODEL_TYPES = {"mistral3": {"model_type": "mistral", "sliding_window": None}}
MODEL_TYPES |= {"mistral4": {"model_type": "mistral4"}, "llava": {"model_type": "llama"}}
# How checkpoints have named the weights of the language part.
LAYOUTS = {
    "new": ("model.language_model.", "lm_head."),
    "old": ("language_model.model.", "language_model.lm_head."),
}


@pytest.fixture(scope="module")
def wrapper(llama):
    """Build a model that also sees."""

    def build(name):
        if name == "mistral4" and not hasattr(transformers, "Mistral4Config"):
            pytest.skip("older releases do not know it")
        config_class, text, sees, others = WRAPPERS[name]
        words = {"vocab_size": len(llama.tokenizer), "pad_token_id": 0}
        words |= {"vocab_size_per_layer_input": words["vocab_size"]} if name in PER_LAYER else {}
        text = text | words | MODEL_TYPES.get(name, {})
        config = getattr(transformers, config_class)(text_config=text, vision_config=sees, **others)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return AutoModelForImageTextToText.from_config(config).eval()

    return build


def rename_weights(path, layout):
    """Rewrite the header of a safetensors file: its length in 8 bytes, then names as JSON."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    for before, after in [
        pair for old in LAYOUTS.values() for pair in zip(old, layout, strict=True)
    ]:
        header = {re.sub(f"^{re.escape(before)}", after, k): v for k, v in header.items()}
    assert any(name.startswith(layout[0]) for name in header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[end:])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", WRAPPERS)
def test_of_a_model_that_also_sees_the_language_part_is_loaded(
    wrapper, llama, questions, ask_alone, tmp_path, name, layout
):
    model = wrapper(name)
    model.save_pretrained(tmp_path)
    llama.tokenizer.save_pretrained(tmp_path)
    rename_weights(tmp_path / WEIGHTS, LAYOUTS[layout])
    loaded = load_model(tmp_path, device="cpu")
    assert loaded.description["architecture"].endswith("ForCausalLM")
    assert (loaded.width, loaded.n_layers) == (32, 4)
    ids = torch.arange(5, 60)[None]
    with torch.no_grad():
        logits, expected = loaded.model(ids).logits, model(input_ids=ids).logits
    torch.testing.assert_close(logits, expected, rtol=0, atol=2e-5)
    if layout == "new":
        assert_asked_as_alone(loaded, questions, ask_alone, [None, push(loaded, 1)])


@pytest.mark.parametrize("name", ["mistral3", "llava", "gemma3"])
def test_a_wrapper_is_a_respondent_as_it_is(wrapper, llama, questions, ask_alone, name):
    respondent = Respondent(name, wrapper(name), llama.tokenizer)
    assert (respondent.width, respondent.n_layers) == (32, 4)
    assert can_share(respondent.model) == (name != "gemma3")
    assert_asked_as_alone(respondent, questions, ask_alone, [None, push(respondent, 1)])
    alone = replace(respondent, model=respondent.model.get_decoder())
    found, expected = (states(r, ROLES, layer=2) for r in (respondent, alone))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_what_is_never_a_language_model_alone_is_loaded_whole(
    llama, questions, ask_alone, tmp_path
):
    words = {"vocab_size": len(llama.tokenizer)}
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
    text = TEXT | words | {"rope_parameters": rope, "max_position_embeddings": 512}
    sees = QWEN_SEES | {"out_hidden_size": 32, "fullatt_block_indexes": [0]}
    config = transformers.Qwen2_5_VLConfig(text_config=text, vision_config=sees)
    AutoModelForImageTextToText.from_config(config).save_pretrained(tmp_path)
    llama.tokenizer.save_pretrained(tmp_path)
    loaded = load_model(tmp_path, device="cpu")
    assert loaded.description["architecture"] == "Qwen2_5_VLForConditionalGeneration"
    assert (loaded.width, loaded.n_layers) == (32, 4)
    assert_asked_as_alone(loaded, questions, ask_alone, [None, push(loaded, 1)])


def test_a_layer_that_text_does_not_pass_is_refused(llama, questions):
    words = {"vocab_size": len(llama.tokenizer), "pad_token_id": 0, "bos_token_id": 0}
    rope = {"rope_type": "default", "rope_theta": 1e4}
    text = TEXT | words | {"cross_attention_layers": [1, 3], "rope_parameters": rope}
    config = transformers.MllamaConfig(text_config=text).text_config
    model = transformers.MllamaForCausalLM(config).eval()
    respondent = Respondent("mllama", model, llama.tokenizer)
    assert len(elicit(respondent, questions, ROLES, interventions=[push(respondent, 2)])) == 8
    with pytest.raises(ValueError, match="MllamaForCausalLM leaves out layer 3 for text"):
        elicit(respondent, questions, ROLES, interventions=[push(respondent, 3)])
    with pytest.raises(ValueError, match="leaves out layer 1 for text; take another layer"):
        states(respondent, ROLES, layer=1)


# --------------------------------------------------------------------------------- GGUF files


def test_a_gguf_file_needs_a_package_that_is_named(tmp_path, monkeypatch):
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF")
    files = find_files(path)
    assert (files.folder, files.gguf, files.repository) == (tmp_path, "tiny.gguf", None)
    assert fetch_weights(files) == f"sha256:{hashlib.sha256(b'GGUF').hexdigest()}"

    def lacking(folder, *, gguf_file, **options):
        raise ImportError("some text of transformers")

    monkeypatch.setattr(models.AutoConfig, "from_pretrained", lacking)
    with pytest.raises(ImportError, match="needs the package gguf: pip install gguf"):
        load_model(path, device="cpu")
    with pytest.raises(FileNotFoundError, match="name a GGUF file itself"):
        find_files(tmp_path)


#: Names of a layer's weights in GGUF files, by those of transformers.
IN_GGUF = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output"}
IN_GGUF |= {"gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down"}
IN_GGUF |= {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
AROUND = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}


def write_gguf(path, respondent):
    """Write a Llama as llama.cpp does, which has the rotary halves of each head side by side."""
    writer, config = gguf.GGUFWriter(path, "llama"), respondent.model.config
    tokenizer = respondent.tokenizer
    vocabulary = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    words = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(words)
    writer.add_token_types([3 if word.startswith("<|") else 1 for word in words])
    writer.add_token_merges([" ".join(pair) for pair in vocabulary["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(3)
    writer.add_chat_template(tokenizer.chat_template)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, weights in respondent.model.state_dict().items():
        *_, part, _ = name.split(".")
        if part in heads:
            halves = weights.view(heads[part], 2, -1, weights.shape[1])
            weights = halves.transpose(1, 2).reshape(weights.shape)
        layer = f"blk.{name.split('.')[2]}." if ".layers." in name else ""
        name = f"{layer}{(IN_GGUF if layer else AROUND)[part]}.weight"
        writer.add_tensor(name, weights.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_is_the_model_that_was_written_into_it(llama, questions, tmp_path):
    write_gguf(tmp_path / "tiny.gguf", llama)
    loaded = load_model(tmp_path / "tiny.gguf", device="cpu")
    assert loaded.tokenizer.chat_template == llama.tokenizer.chat_template
    answers = [elicit(r, questions, ROLES)["log_odds"] for r in (llama, loaded)]
    np.testing.assert_allclose(*answers, rtol=0, atol=1e-5)
