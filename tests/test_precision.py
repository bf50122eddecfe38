"""Device, type and quantisation are chosen by the stated rules; the impossible is refused."""

import pytest
import torch

from valuegraph import precision
from valuegraph.precision import (
    DTYPES,
    check_quantize,
    check_stored,
    checked_device,
    checked_dtype,
    default_dtype,
)

CPU, CUDA, MPS = (torch.device(kind) for kind in ("cpu", "cuda", "mps"))


@pytest.fixture(params=[True, False], ids=["new GPU", "old GPU"])
def has_bfloat16(request, monkeypatch):
    """A GPU with bfloat16 in hardware, and one that emulates it, such as a T4."""

    def is_bf16_supported(including_emulation=True):
        return request.param or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda *_: request.param)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device", lambda device: torch.no_grad())
    return request.param


@pytest.mark.parametrize("checkpoint", [None, *DTYPES.values()])
def test_a_cpu_computes_in_float32(checkpoint):
    assert default_dtype(checkpoint, None, CPU) == torch.float32


@pytest.mark.parametrize("device", [CUDA, MPS])
def test_a_gpu_keeps_the_type_of_the_checkpoint_unless_it_lacks_bfloat16(has_bfloat16, device):
    half = torch.bfloat16 if has_bfloat16 else torch.float16
    assert default_dtype(torch.bfloat16, None, device) == half
    for kept in (torch.float16, torch.float32, None):
        assert default_dtype(kept, None, device) == kept


@pytest.mark.parametrize("checkpoint", [None, *DTYPES.values()])
def test_quantised_weights_are_computed_with_in_half_precision(has_bfloat16, checkpoint):
    half = torch.bfloat16 if has_bfloat16 else torch.float16
    assert default_dtype(checkpoint, "4bit", CUDA) == half
    assert default_dtype(checkpoint, "8bit", CUDA) == torch.float16


def test_types_go_by_name_or_as_they_are():
    assert {name: checked_dtype(name) for name in DTYPES} == DTYPES
    assert checked_dtype(torch.float64) == torch.float64
    assert checked_dtype(None) is None


@pytest.mark.parametrize("dtype", ["half", "int8", torch.int8, 16])
def test_other_types_are_refused_with_the_known_ones(dtype):
    with pytest.raises(ValueError, match="unknown dtype .*float32, bfloat16, float16"):
        checked_dtype(dtype)


def test_the_first_gpu_is_the_default(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert checked_device(None) == CUDA
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert checked_device(None) == checked_device("cpu") == CPU


@pytest.mark.parametrize(("kind", "module"), [("cuda", torch.cuda), ("mps", torch.backends.mps)])
def test_a_gpu_can_be_picked_where_there_is_one(monkeypatch, kind, module):
    monkeypatch.setattr(module, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"device '{kind}' asked for, but torch sees no such GPU"):
        checked_device(kind)
    monkeypatch.setattr(module, "is_available", lambda: True)
    assert checked_device(kind) == torch.device(kind)


def test_an_unknown_quantisation_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="quantize is '2bit'; give '8bit' or '4bit'"):
        check_quantize("2bit", CUDA)


@pytest.mark.parametrize("device", [CPU, MPS])
def test_quantisation_needs_a_cuda_gpu(device):
    check_quantize(None, device)
    with pytest.raises(ValueError, match=f"quantize='8bit' needs a CUDA GPU.*'{device.type}'"):
        check_quantize("8bit", device)


def test_missing_packages_are_named_with_the_command(monkeypatch):
    monkeypatch.setattr(precision, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="bitsandbytes and accelerate; .*`pip install"):
        check_quantize("4bit", CUDA)
    stored = {"quant_method": "bitsandbytes"}
    with pytest.raises(ImportError, match="owner/model needs bitsandbytes and accelerate"):
        check_stored(stored, None, CUDA, name="owner/model")
    monkeypatch.setattr(precision, "find_spec", lambda name: object())
    check_quantize("4bit", CUDA)
    check_stored(stored, None, CUDA, name="owner/model")


def test_nothing_is_quantised_twice():
    check_stored(None, "4bit", CUDA, name="owner/model")
    with pytest.raises(ValueError, match=r"owner/model are quantised already \(gptq\)"):
        check_stored({"quant_method": "gptq"}, "4bit", CUDA, name="owner/model")
