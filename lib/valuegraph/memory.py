"""Whether a model fits into this machine's memory, told before it is loaded.

A system that runs out of memory ends the process without a word; a sentence beforehand is better.
"""

from __future__ import annotations

from pathlib import Path

import psutil
import torch

CONTROL_GROUP = Path("/sys/fs/cgroup")
"""Where Linux keeps the limits of a container."""

# Version 2 and 1 of control groups: limit, used, statistics, and the name of cached files in these.
_LAYOUTS = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)

ROOM = 1.1
"""Memory needed per byte of weights: a tenth more, for the work that is done with them."""


def available_memory(control_group: Path = CONTROL_GROUP) -> int:
    """Return how much memory can still be taken: that of the machine, or of its container.

    Parameters
    ----------
    control_group
        Folder with the container's limits.

    Returns
    -------
    int
        Bytes.
    """
    available = psutil.virtual_memory().available
    for limit, used, statistics, cached in _LAYOUTS:
        if not ((control_group / limit).is_file() and (control_group / used).is_file()):
            continue
        text = (control_group / limit).read_text().strip()
        if text != "max":
            # Cached files count as used, though they are given up when memory is needed.
            lines = (control_group / statistics).read_text().splitlines()
            freed = dict(line.split() for line in lines).get(cached, 0)
            taken = int((control_group / used).read_text()) - int(freed)
            available = min(available, max(0, int(text) - taken))
    return available


def require_memory(parameters: int, dtype: torch.dtype, *, name: str) -> None:
    """Refuse a model whose weights do not fit into memory.

    Parameters
    ----------
    parameters
        Number of weights.
    dtype
        Their type.
    name
        What the model is called, for the message.

    Raises
    ------
    MemoryError
        If less than `ROOM` times the bytes of the weights are available.
    """
    needed, available = ROOM * parameters * dtype.itemsize, available_memory()
    if needed <= available:
        return
    kind = str(dtype).removeprefix("torch.")
    ways = [
        "a machine with more memory",
        "a CUDA GPU, where quantize='8bit' or '4bit' helps further",
    ]
    if dtype.itemsize > 2:
        ways.insert(0, f"dtype='bfloat16' (then {_gigabytes(ROOM * parameters * 2)})")
    raise MemoryError(
        f"{name} does not fit: {parameters / 1e9:.2g} billion weights in {kind} take "
        f"{_gigabytes(needed)} of memory (a tenth of it to work in), and {_gigabytes(available)} "
        f"are free. Nothing was loaded. What helps: {', '.join(ways)}."
    )


def _gigabytes(count: float) -> str:
    """Write a number of bytes."""
    return f"{count / 1e9:.1f} GB"
