"""On which device the weights of a model are kept, and in which type.

What cannot be done here is refused before anything is fetched or loaded.
"""

from __future__ import annotations

from importlib.util import find_spec

import torch
from transformers import BitsAndBytesConfig

#: Types that weights can be loaded in, by name.
DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

#: What `quantize` can be.
QUANTIZATIONS = ("8bit", "4bit")


def checked_device(device: str | torch.device | None) -> torch.device:
    """Return a device that this machine has.

    Parameters
    ----------
    device
        The device; None for the first CUDA GPU if there is one, else the CPU.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ValueError
        If this machine has none of the kind.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(device)
    there = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if device.type in there and not there[device.type]():
        raise ValueError(
            f"device {str(device)!r} asked for, but torch sees no such GPU on this machine; leave "
            "`device` out, or install the version of torch that was built for the GPU"
        )
    return device


def checked_dtype(dtype: str | torch.dtype | None) -> torch.dtype | None:
    """Return the type that a name stands for.

    Parameters
    ----------
    dtype
        A key of `DTYPES`, a type of torch, or None where none was asked for.

    Returns
    -------
    torch.dtype or None
        The type.

    Raises
    ------
    ValueError
        If it is unknown, or no type of floating-point numbers.
    """
    kind = DTYPES.get(dtype, dtype) if isinstance(dtype, str) else dtype
    if kind is not None and not (isinstance(kind, torch.dtype) and kind.is_floating_point):
        raise ValueError(f"unknown dtype {dtype!r}; known are {', '.join(DTYPES)}")
    return kind


def default_dtype(
    checkpoint: torch.dtype | None, quantize: str | None, device: torch.device
) -> torch.dtype | None:
    """Choose the type of the weights where none was asked for.

    Parameters
    ----------
    checkpoint
        The type that the configuration of the model names; None where it names none.
    quantize
        ``"8bit"``, ``"4bit"`` or None.
    device
        Where the weights will lie.

    Returns
    -------
    torch.dtype or None
        float32 on a CPU. On a GPU the checkpoint's type, float16 with 8 bits (what bitsandbytes
        computes these in) and bfloat16 with 4; but float16 for bfloat16 where the GPU does not
        compute in it. None stands for the type of the stored weights, whatever it is.
    """
    if device.type == "cpu":
        return torch.float32
    if quantize == "8bit":
        return torch.float16
    wanted = torch.bfloat16 if quantize == "4bit" else checkpoint
    if wanted == torch.bfloat16 and not _computes_in_bfloat16(device):
        return torch.float16
    return wanted


def check_quantize(quantize: str | None, device: torch.device) -> None:
    """Refuse a quantisation that is unknown or cannot be done here.

    Parameters
    ----------
    quantize
        What was asked for; None for no quantisation.
    device
        Where the weights will lie.

    Raises
    ------
    ValueError
        If it is none of `QUANTIZATIONS`, or the device is no CUDA GPU.
    ImportError
        If bitsandbytes or accelerate is not installed.
    """
    if quantize is None:
        return
    if quantize not in QUANTIZATIONS:
        known = " or ".join(map(repr, QUANTIZATIONS))
        raise ValueError(f"quantize is {quantize!r}; give {known}, or None for neither")
    if device.type != "cuda":
        raise ValueError(
            f"quantize={quantize!r} needs a CUDA GPU, and the device is {str(device)!r}; leave it "
            "out, take a smaller model, or use a machine with such a GPU (Colab has them)"
        )
    _require_bitsandbytes(f"quantize={quantize!r}")


def check_stored(stored: object, quantize: str | None, device: torch.device, *, name: str) -> None:
    """Refuse a checkpoint that came quantised where it cannot be used as it is.

    Parameters
    ----------
    stored
        What its configuration says about quantisation; None for nothing.
    quantize
        What was asked for on top.
    device
        Where the weights will lie.
    name
        What the model is called, for the messages.

    Raises
    ------
    ValueError
        If it is to be quantised again, or the device is no CUDA GPU.
    ImportError
        If it was quantised by bitsandbytes, and this or accelerate is not installed.
    """
    if stored is None:
        return
    told = stored.get("quant_method") if isinstance(stored, dict) else stored.quant_method
    method = method_name(told)
    if quantize is not None:
        raise ValueError(
            f"the weights of {name} are quantised already ({method}); leave `quantize` out"
        )
    if device.type != "cuda":
        raise ValueError(
            f"the weights of {name} are quantised ({method}), which needs a CUDA GPU, and the "
            f"device is {str(device)!r}; take the version of the model that is not quantised"
        )
    if method == "bitsandbytes":
        _require_bitsandbytes(name)


def bitsandbytes_config(quantize: str, dtype: torch.dtype) -> BitsAndBytesConfig:
    """Say to bitsandbytes how to quantise.

    Parameters
    ----------
    quantize
        One of `QUANTIZATIONS`; 4 bits are those of the type nf4.
    dtype
        What is computed in.

    Returns
    -------
    transformers.BitsAndBytesConfig
        The setting, for ``from_pretrained``.
    """
    if quantize == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
    )


def method_name(method: object) -> str:
    """Write the name of a method of quantisation, which transformers may keep as an enumeration."""
    return str(getattr(method, "value", method))


def _computes_in_bfloat16(device: torch.device) -> bool:
    """Tell whether a GPU has bfloat16 in hardware, not by emulation."""
    if device.type == "mps":
        return torch.backends.mps.is_macos_or_newer(14, 0)
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    return True


def _require_bitsandbytes(what: str) -> None:
    """Refuse to go on without the packages that quantise."""
    missing = [p for p in ("bitsandbytes", "accelerate") if find_spec(p) is None]
    if missing:
        raise ImportError(
            f"{what} needs {' and '.join(missing)}; install with "
            "`pip install bitsandbytes accelerate`, and start Python anew"
        )
