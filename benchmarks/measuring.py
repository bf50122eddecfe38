"""What every benchmark needs: time, peak memory, the machine's own speed, and a table in JSON."""

from __future__ import annotations

import ctypes
import json
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import psutil
import torch


@contextmanager
def peak_memory(device: torch.device) -> Iterator[dict[str, float]]:
    """Fill in ``GB``: how much memory was taken at most, above what was taken before."""
    figures: dict[str, float] = {}
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield figures
        figures["GB"] = (torch.cuda.max_memory_allocated(device) - before) / 1e9
        return
    process, stop = psutil.Process(), threading.Event()
    if platform.system() == "Linux":  # what was freed before must not count as taken
        ctypes.CDLL(None).malloc_trim(0)
    before = highest = process.memory_info().rss

    def watch() -> None:
        nonlocal highest
        while not stop.wait(0.02):
            highest = max(highest, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield figures
    finally:
        stop.set()
        watcher.join()
        figures["GB"] = (highest - before) / 1e9


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Time one run, to the end of what it put on the device.

    In a single thread on a CPU these are seconds of the processor, which other programs on the
    machine do not lengthen.
    """
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = clock()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - start


def matrix_product_peak(device: torch.device, dtype: torch.dtype, size: int | None = None) -> float:
    """FLOP/s of a large matrix product here, the best of several."""
    n = size or (2048 if device.type == "cpu" else 8192)
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    a @ b
    return 2 * n**3 / min(seconds(lambda: a @ b, device) for _ in range(5))


def machine(device: torch.device) -> dict[str, object]:
    """What the figures were measured on."""
    facts = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": version("transformers"),
        "valuegraph": version("valuegraph"),
        "cores": psutil.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device.type,
    }
    if device.type == "cuda":
        facts["device"] = torch.cuda.get_device_name(device)
        facts["memory_GB"] = torch.cuda.get_device_properties(device).total_memory / 1e9
        facts["cuda"] = torch.version.cuda
    return facts


def write_json(content: dict, path: Path | None) -> None:
    """Write the figures, if a file was named."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"wrote {path}")
