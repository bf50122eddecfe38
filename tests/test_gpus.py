"""GPUs: bytes by precision, counted here by hand, and what is left of a GPU beside them."""

from types import SimpleNamespace

import pytest
import torch

from valuegraph.asking.batching import LEAST_TOKENS, tokens_in
from valuegraph.gpus import (
    COLAB_GPUS,
    PRECISIONS,
    Gpu,
    batch_tokens,
    config_of,
    fitting,
    gpu_table,
    this_gpu,
    weight_bytes,
)
from valuegraph.models import load_model


@pytest.fixture(scope="module")
def llama_config():
    return config_of("llama-3-8b-it")


def test_the_gated_models_have_as_many_weights_as_their_makers_say():
    # 2.51 and 8.03 billion on their pages of the hub.
    assert weight_bytes(config_of("gemma-2b-it")) == 2 * 2_506_172_416
    assert weight_bytes(config_of("llama-3-8b-it")) == 2 * 8_030_261_248


@pytest.mark.parametrize("name", ["organism-human", "organism-plain"])
def test_weights_in_16_bits_are_those_of_the_loaded_model(name):
    model = load_model(name, dtype="bfloat16").model
    held = {p.data_ptr(): p.numel() * p.element_size() for p in model.parameters()}
    assert weight_bytes(config_of(name)) == sum(held.values())


def test_quantised_weights_are_those_of_the_linear_layers(llama_config):
    width, mlp, layers, words, keys = 4096, 14_336, 32, 128_256, 1024
    # By layer: queries, keys, values, output; gate, up, down; two norms. Rows are outputs.
    shapes = [(width, width), (keys, width), (keys, width), (width, width)]
    shapes += [(mlp, width), (mlp, width), (width, mlp)]
    linear = layers * sum(rows * columns for rows, columns in shapes)
    rows = layers * sum(rows for rows, _ in shapes)
    rest = 2 * words * width + (2 * layers + 1) * width
    assert weight_bytes(llama_config) == 2 * (linear + rest)
    assert weight_bytes(llama_config, "8bit") == linear + 4 * rows + 2 * rest
    assert weight_bytes(llama_config, "4bit") == linear // 2 + 4 * linear // 64 + 2 * rest
    with pytest.raises(ValueError, match="'2bit'"):
        weight_bytes(llama_config, "2bit")


def test_computing_leaves_the_configuration_and_the_memory_alone(llama_config):
    before = llama_config.to_dict()
    weight_bytes(llama_config, "4bit")
    assert llama_config.to_dict() == before


def test_tokens_are_those_of_the_memory_beside_the_weights(llama_config):
    weights = weight_bytes(llama_config, "4bit")
    free = 5 * 10**9
    tokens = batch_tokens(llama_config, weights + free, "4bit")
    assert tokens == tokens_in(free, llama_config, itemsize=2) >= LEAST_TOKENS
    assert batch_tokens(llama_config, weights + 10**6, "4bit") == 0
    assert batch_tokens(llama_config, weights - 1, "4bit") == 0


def test_a_model_is_quantised_only_where_it_must_be(llama_config):
    t4, l4, a100 = COLAB_GPUS
    assert [fitting(llama_config, gpu) for gpu in (t4, l4, a100)] == ["4bit", None, None]
    assert fitting(config_of("gemma-2b-it"), t4) is None
    with pytest.raises(MemoryError, match=r"6\.0 GB in 4 bits.* tiny has 4\.0 GB"):
        fitting(llama_config, Gpu("tiny", 4 * 10**9))


def test_the_table_holds_what_the_functions_say(llama_config):
    table = gpu_table()
    assert list(table.columns) == ["weights_gb", "sae_gb", "T4", "L4", "A100"]
    assert len(table) == 2 * len(PRECISIONS)
    for quantize, precision in PRECISIONS.items():
        row = table.loc["llama-3-8b-it", precision]
        assert row["weights_gb"] == pytest.approx(weight_bytes(llama_config, quantize) / 1e9)
        for gpu in COLAB_GPUS:
            assert row[gpu.name] == batch_tokens(llama_config, gpu.memory, quantize)
    # 4096 x 65536 numbers for either way, four bytes each.
    assert row["sae_gb"] == pytest.approx(2 * 4096 * 65_536 * 4 / 1e9, abs=0.005)
    organisms = gpu_table(["organism-human"], [Gpu("any", 10**9)])
    assert organisms["sae_gb"].isna().all() and (organisms["any"] > 0).all()


def test_this_gpu_is_the_first_with_what_is_free(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert this_gpu() is None
    given_back = []
    monkeypatch.setattr(
        torch,
        "cuda",
        SimpleNamespace(
            is_available=lambda: True,
            empty_cache=lambda: given_back.append(True),
            mem_get_info=lambda device: (7 * 10**9, 16 * 10**9) if given_back else (0, 16 * 10**9),
            get_device_name=lambda device: f"GPU {device}",
        ),
    )
    assert this_gpu() == Gpu("GPU 0", 7 * 10**9)
    assert this_gpu().gigabytes == 7
