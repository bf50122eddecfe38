"""Respondents come from folders and names; what cannot be asked or kept is refused beforehand."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import psutil
import pytest
import torch
from transformers import BertConfig, LlamaForCausalLM, T5Config

from valuegraph import models
from valuegraph.model_files import WEIGHTS
from valuegraph.models import available_memory, load_model

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def save(respondent, folder):
    """Write a folder in Hugging Face format."""
    respondent.model.save_pretrained(folder)
    respondent.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(organism, tmp_path):
    """A saved organism of three layers."""
    return save(organism, tmp_path)


@pytest.fixture
def gpu(monkeypatch):
    """A machine that says it has a GPU with bfloat16; what is moved there stays where it is."""
    moved = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**12, 10**12))
    monkeypatch.setattr(LlamaForCausalLM, "to", lambda model, where: moved.append(where) or model)
    return moved


def change_config(folder, **entries):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def weights_of(respondent):
    return sum(weights.numel() for weights in respondent.model.parameters())


def test_a_saved_respondent_is_as_before_and_tells_what_it_is(respondent, tmp_path):
    loaded = load_model(save(respondent, tmp_path), device="cpu")
    before, after = respondent.model.state_dict(), loaded.model.state_dict()
    assert all(after[name].equal(weights) for name, weights in before.items())
    assert loaded.tokenizer.chat_template == respondent.tokenizer.chat_template
    assert (loaded.width, loaded.n_layers, loaded.device) == (respondent.width, 3, CPU)
    assert not loaded.model.training
    assert loaded.description == {
        "name": str(tmp_path),
        "revision": loaded.revision,
        "architecture": type(respondent.model).__name__,
        "parameters": weights_of(respondent),
        "dtype": "float32",
        "quantize": None,
        "device": "cpu",
    }
    assert loaded.revision.startswith("sha256:") and respondent.revision == ""
    assert json.loads(json.dumps(loaded.description)) == loaded.description


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", torch.bfloat16])
def test_weights_have_the_type_asked_for_and_else_float32_on_a_cpu(folder, dtype):
    wanted = load_model(folder, device="cpu", dtype=dtype)
    expected = getattr(torch, str(dtype).removeprefix("torch."))
    assert {weights.dtype for weights in wanted.model.parameters()} == {expected}
    assert load_model(save(wanted, folder / "again"), device="cpu").model.dtype == torch.float32


def test_in_half_precision_logits_are_not_rounded(folder):
    half = load_model(folder, device="cpu", dtype="bfloat16").model
    ids = torch.arange(7)[None]
    with torch.inference_mode():
        logits = half(input_ids=ids).logits
        states = half.base_model(input_ids=ids).last_hidden_state
    exact = states.double() @ half.get_output_embeddings().weight.double().T
    torch.testing.assert_close(logits.double(), exact, rtol=1e-5, atol=1e-5)
    assert (exact.bfloat16() - exact).abs().max() > 1e-3


@pytest.mark.parametrize("new", [True, False])
def test_a_gpu_keeps_the_stored_type_unless_it_lacks_bfloat16(gpu, new, monkeypatch):
    monkeypatch.setattr(
        torch.cuda, "get_device_capability", lambda device: (8, 0) if new else (7, 5)
    )
    for stored in (torch.float16, torch.float32, None):
        assert models._default_dtype(stored, None, CUDA) == stored
        assert models._default_dtype(stored, "8bit", CUDA) == torch.float16
    for stored, quantize in ((torch.bfloat16, None), (torch.float32, "4bit")):
        said = (
            nullcontext() if new else pytest.warns(UserWarning, match="with dtype='float32' none")
        )
        with said:
            half = models._default_dtype(stored, quantize, CUDA)
        assert half == (torch.bfloat16 if new else torch.float16)


def test_a_gpu_is_taken_where_there_is_one(folder, gpu):
    load_model(folder)
    assert gpu == [CUDA]


@pytest.mark.parametrize("bits", ["8bit", "4bit"])
def test_a_quantised_model_is_placed_on_the_gpu_and_never_moved(
    folder, organism, gpu, monkeypatch, bits
):
    asked = {}

    def from_pretrained(folder, **options):
        asked.update(options)
        return organism.model, {"missing_keys": set()}

    monkeypatch.setattr(models.AutoModelForCausalLM, "from_pretrained", from_pretrained)
    load_model(folder, quantize=bits)
    quantization = asked["quantization_config"]
    half = {"8bit": torch.float16, "4bit": torch.bfloat16}[bits]
    assert gpu == [] and asked["device_map"] == {"": CUDA} and asked["dtype"] == half
    assert (quantization.load_in_4bit, quantization.load_in_8bit) == (
        bits == "4bit",
        bits == "8bit",
    )
    assert quantization.bnb_4bit_quant_type == "nf4"
    assert quantization.bnb_4bit_compute_dtype == half
    assert asked["use_safetensors"] is True and asked["trust_remote_code"] is False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "half-ish"}, "unknown dtype 'half-ish'; known are float32, bfloat16, float16"),
        ({"dtype": torch.int8}, "unknown dtype torch.int8"),
        ({"device": "cuda"}, "torch sees no GPU 'cuda' on this machine"),
        ({"device": "mps"}, "torch sees no GPU 'mps' on this machine"),
        ({"device": "cpu", "quantize": "4bit"}, "'4bit'; give '8bit' or '4bit', on a CUDA GPU"),
        ({"device": "cpu", "quantize": "2bit"}, "'2bit'; give '8bit' or '4bit', on a CUDA GPU"),
    ],
)
def test_options_are_checked_before_anything_is_looked_for(options, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=message):
        load_model("owner/not-asked-for", **options)


def test_stored_quantisation_needs_a_gpu_and_comes_alone(folder, gpu):
    change_config(folder, quantization_config={"quant_method": "gptq", "bits": 4})
    for options in ({"device": "cpu"}, {"device": "cuda", "quantize": "4bit"}):
        with pytest.raises(ValueError, match="are quantised: use a CUDA GPU without `quantize`"):
            load_model(folder, **options)


def test_a_base_model_is_loaded_and_a_model_without_words_is_refused(folder):
    (folder / "chat_template.jinja").unlink()
    assert load_model(folder, device="cpu").tokenizer.chat_template is None
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ValueError, match=rf"the tokenizer of {folder} cannot be loaded"):
        load_model(folder, device="cpu")


@pytest.mark.parametrize("config", [T5Config, BertConfig])
def test_what_is_no_decoder_with_layers_is_refused(config, tmp_path):
    config().save_pretrained(tmp_path)
    message = rf"\(architecture: {config.model_type}\) is no decoder with layers.*Gemma or Llama"
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path, device="cpu")


@pytest.mark.parametrize("model_type", ["own", "t5", "llama"])
def test_code_that_comes_with_a_model_is_never_run(folder, model_type):
    (folder / "own.py").write_text("raise SystemExit('the code was run')")
    auto_map = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    change_config(folder, model_type=model_type, auto_map=auto_map)
    if model_type == "llama":  # what transformers knows is loaded by transformers
        assert type(load_model(folder, device="cpu").model) is LlamaForCausalLM
        return
    with pytest.raises(ValueError, match=r"code of its own \(trust_remote_code\) is never run"):
        load_model(folder, device="cpu")


def test_weights_that_are_missing_are_not_made_up(folder):
    change_config(folder, num_hidden_layers=4)
    with pytest.raises(
        ValueError, match=r"lacks 9 weights that it needs, first model\.layers\.3\."
    ):
        load_model(folder, device="cpu")


def test_weights_of_another_shape_are_not_made_up_either(folder):
    change_config(folder, vocab_size=701)
    with pytest.raises(ValueError, match=r"lacks \d weights that it needs, first lm_head.weight"):
        load_model(folder, device="cpu")


@pytest.mark.parametrize("value", [None, 0, "x", [], float("nan")])
def test_a_config_that_is_none_is_told_in_one_line(folder, value):
    change_config(folder, hidden_size=value)
    with pytest.raises(ValueError, match="cannot be loaded: ") as caught:
        load_model(folder, device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 99, b"version https://git-lfs.github.com/spec/v1"]
)
def test_half_of_the_weights_or_none_are_told_in_one_line(folder, content):
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(ValueError, match="cannot be loaded: SafetensorError: .*header"):
        load_model(folder, device="cpu")


def test_weights_under_another_name_are_refused(folder):
    (folder / WEIGHTS).rename(folder / "other.safetensors")
    (folder / WEIGHTS).write_bytes(b"what would be hashed")
    change_config(folder, transformers_weights="other.safetensors")
    with pytest.raises(ValueError, match="is no decoder"):
        load_model(folder, device="cpu")


def test_a_model_too_large_is_refused_before_it_is_loaded(folder, organism, monkeypatch):
    free = SimpleNamespace(available=4 * weights_of(organism))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert available_memory() <= free.available
    assert load_model(folder, device="cpu", dtype="bfloat16").model.dtype == torch.bfloat16
    (folder / WEIGHTS).write_bytes(b"not read")
    with pytest.raises(MemoryError, match=rf"{folder} does not fit on cpu .*dtype='bfloat16'"):
        load_model(folder, device="cpu")


def test_a_gpu_without_room_is_told_with_the_way_out(folder, gpu, monkeypatch):
    def full(model, where):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nMore")

    with monkeypatch.context() as patched:
        patched.setattr(LlamaForCausalLM, "to", full)
        with pytest.raises(MemoryError, match=r"fit on cuda \(out of memory\); .*quantize='4bit'"):
            load_model(folder)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 10**12))
    with pytest.raises(MemoryError, match=r"does not fit on cuda \(.* GB needed"):
        load_model(folder)


def test_only_what_takes_long_shows_a_bar(folder, capsys, monkeypatch):
    load_model(folder, device="cpu")
    assert "Loading" not in capsys.readouterr().err
    monkeypatch.setattr(models, "_count_parameters", lambda *_: 10**9)
    load_model(folder, device="cpu")
    assert "Loading" in capsys.readouterr().err
