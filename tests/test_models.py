"""Respondents come from folders and names; what cannot be asked or kept is refused beforehand."""

import json
from types import SimpleNamespace

import psutil
import pytest
import torch
from transformers import BertConfig, GPT2Config, LlamaForCausalLM, T5Config

from valuegraph import models, precision
from valuegraph.elicitation import elicit
from valuegraph.loading import WEIGHTS
from valuegraph.models import load_model
from valuegraph.roles import Role


def save(respondent, folder):
    """Write a folder in Hugging Face format."""
    respondent.model.save_pretrained(folder)
    respondent.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def saved(respondent, tmp_path):
    return save(respondent, tmp_path)


@pytest.fixture
def small_folder(organism, tmp_path):
    """A saved organism."""
    return save(organism, tmp_path)


def change_config(folder, **entries):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.mark.filterwarnings("ignore::valuegraph.elicitation.DoubtfulAnswers")
def test_a_saved_respondent_answers_as_before(respondent, saved, few_items):
    roles = [None, Role("singer", "You sing.")]
    loaded = load_model(saved, device="cpu")
    before, after = elicit(respondent, few_items, roles), elicit(loaded, few_items, roles)
    assert (after.pop("model") == str(saved)).all()
    assert (before.pop("model") == respondent.name).all()
    assert after.equals(before)


def test_what_loads_in_a_blink_shows_no_bar_and_what_takes_long_does(saved, monkeypatch, capsys):
    load_model(saved, device="cpu")
    assert "Loading" not in capsys.readouterr().err
    monkeypatch.setattr(models, "_LONG_WAIT", 0)
    load_model(saved, device="cpu")
    assert "Loading" in capsys.readouterr().err


def test_a_respondent_knows_its_sizes(organism, gemma):
    assert (organism.width, organism.n_layers) == (40, 3)
    assert (gemma.width, gemma.n_layers) == (32, 3)
    assert organism.device == torch.device("cpu")


def test_a_respondent_tells_what_it_is_in_plain_data(respondent, saved):
    assert respondent.revision == ""
    loaded = load_model(saved, device="cpu", dtype="bfloat16")
    counted = sum(weights.numel() for weights in respondent.model.parameters())
    assert loaded.description == {
        "name": str(saved),
        "revision": loaded.revision,
        "architecture": type(respondent.model).__name__,
        "parameters": counted,
        "dtype": "bfloat16",
        "quantize": None,
        "device": "cpu",
    }
    assert loaded.revision.startswith("sha256:")
    assert json.loads(json.dumps(loaded.description)) == loaded.description


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (None, torch.float32),
        ("float32", torch.float32),
        ("bfloat16", torch.bfloat16),
        ("float16", torch.float16),
        (torch.bfloat16, torch.bfloat16),
    ],
)
def test_a_loaded_model_does_not_train_and_has_the_wanted_type(small_folder, dtype, expected):
    model = load_model(str(small_folder), device="cpu", dtype=dtype).model
    assert not model.training
    assert {weights.dtype for weights in model.parameters()} == {expected}


def test_a_checkpoint_in_half_precision_is_float32_on_a_cpu(llama, tmp_path):
    save(llama, tmp_path)
    half = load_model(tmp_path, device="cpu", dtype="bfloat16")
    folder = save(half, tmp_path / "half")
    assert load_model(folder, device="cpu").model.dtype == torch.float32


# ----------------------------------------------------------------------------- what cannot be asked


def test_a_model_without_chat_template_is_refused(small_folder):
    (small_folder / "chat_template.jinja").unlink()
    with pytest.raises(
        ValueError, match=rf"{small_folder} has no chat template.*instruction-tuned"
    ):
        load_model(small_folder, device="cpu")


def test_a_model_without_tokenizer_is_refused(small_folder):
    for path in small_folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ValueError, match=rf"the tokenizer of {small_folder} cannot be loaded"):
        load_model(small_folder, device="cpu")


@pytest.mark.parametrize("config", [T5Config, BertConfig, GPT2Config])
def test_what_is_no_decoder_with_layers_is_refused(config, tmp_path):
    config().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=f"'{config.model_type}', which is no decoder with layers"):
        load_model(tmp_path, device="cpu")


def test_an_architecture_that_transformers_does_not_know_is_told(small_folder):
    change_config(small_folder, model_type="gamma-ray")
    with pytest.raises(ValueError, match="'gamma-ray', which transformers .* does not know"):
        load_model(small_folder, device="cpu")


@pytest.mark.parametrize("model_type", ["own", "t5"])
def test_code_that_comes_with_a_model_is_never_run(small_folder, model_type):
    (small_folder / "own.py").write_text("raise SystemExit('the code was run')")
    auto_map = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    change_config(small_folder, model_type=model_type, auto_map=auto_map)
    with pytest.raises(ValueError, match=r"running code that comes with it \(trust_remote_code\)"):
        load_model(small_folder, device="cpu")


def test_code_beside_an_architecture_of_transformers_is_passed_over(small_folder):
    (small_folder / "own.py").write_text("raise SystemExit('the code was run')")
    change_config(small_folder, auto_map={"AutoModelForCausalLM": "own.Model"})
    assert type(load_model(small_folder, device="cpu").model) is LlamaForCausalLM


def test_weights_that_are_missing_are_not_made_up(small_folder):
    change_config(small_folder, num_hidden_layers=4)
    with pytest.raises(ValueError, match=r"9 are missing, first model\.layers\.3\."):
        load_model(small_folder, device="cpu")


# ------------------------------------------------------------------------------ memory


def test_a_model_too_large_for_the_machine_is_refused_before_it_is_loaded(
    small_folder, monkeypatch
):
    n = sum(weights.numel() for weights in load_model(small_folder).model.parameters())
    (small_folder / WEIGHTS).write_bytes(b"not read")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=4 * n))
    with pytest.raises(MemoryError, match=rf"{small_folder} does not fit.*dtype='bfloat16' "):
        load_model(small_folder, device="cpu")


def test_half_the_bytes_fit_where_all_do_not(small_folder, monkeypatch):
    n = sum(weights.numel() for weights in load_model(small_folder).model.parameters())
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=4 * n))
    assert load_model(small_folder, device="cpu", dtype="bfloat16").model.dtype == torch.bfloat16


@pytest.fixture
def gpu(monkeypatch):
    """A machine that says it has a GPU with bfloat16; what is moved there stays where it is."""
    moved = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(precision, "_computes_in_bfloat16", lambda device: True)
    monkeypatch.setattr(precision, "find_spec", lambda name: object())
    monkeypatch.setattr(LlamaForCausalLM, "to", lambda model, where: moved.append(where) or model)
    return moved


def test_a_gpu_is_taken_where_there_is_one(small_folder, gpu):
    load_model(small_folder)
    assert gpu == [torch.device("cuda")]


def test_a_gpu_that_runs_out_of_memory_is_told_with_the_way_out(small_folder, gpu, monkeypatch):
    def full(model, where):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nMore")

    monkeypatch.setattr(LlamaForCausalLM, "to", full)
    with pytest.raises(MemoryError, match=r"memory of cuda: CUDA out of memory.*quantize='8bit'"):
        load_model(small_folder)


def test_other_faults_of_torch_are_not_called_lack_of_memory(small_folder, gpu, monkeypatch):
    def broken(model, where):
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(LlamaForCausalLM, "to", broken)
    with pytest.raises(RuntimeError, match="unspecified launch failure"):
        load_model(small_folder)


# ------------------------------------------------------------------------------ quantisation


@pytest.mark.parametrize("bits", ["8bit", "4bit"])
def test_a_quantised_model_is_placed_on_the_gpu_and_never_moved(
    small_folder, organism, gpu, monkeypatch, bits
):
    asked = {}

    def from_pretrained(folder, **options):
        asked.update(options)
        return organism.model, {"missing_keys": set()}

    monkeypatch.setattr(models.AutoModelForCausalLM, "from_pretrained", from_pretrained)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=0))
    load_model(small_folder, quantize=bits)
    assert gpu == []
    assert asked["device_map"] == {"": torch.device("cuda")}
    assert asked["quantization_config"].load_in_4bit == (bits == "4bit")
    assert asked["quantization_config"].load_in_8bit == (bits == "8bit")
    assert asked["dtype"] == {"8bit": torch.float16, "4bit": torch.bfloat16}[bits]
    if bits == "4bit":
        assert asked["quantization_config"].bnb_4bit_quant_type == "nf4"
        assert asked["quantization_config"].bnb_4bit_compute_dtype == torch.bfloat16
    assert asked["use_safetensors"] is True
    assert asked["trust_remote_code"] is False


def test_a_checkpoint_that_came_quantised_is_refused_without_a_gpu(small_folder):
    stored = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    change_config(small_folder, quantization_config=stored)
    with pytest.raises(ValueError, match=r"quantised \(bitsandbytes\), which needs a CUDA GPU"):
        load_model(small_folder, device="cpu")


def test_quantisation_is_refused_on_a_cpu_before_anything_is_looked_for():
    with pytest.raises(ValueError, match="quantize='4bit' needs a CUDA GPU.*'cpu'"):
        load_model("owner/not-asked-for", device="cpu", quantize="4bit")
