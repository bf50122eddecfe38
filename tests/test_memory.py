"""Free memory is that of the machine or of its container; what does not fit is refused."""

from types import SimpleNamespace

import psutil
import pytest
import torch

from valuegraph.memory import ROOM, available_memory, require_memory


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with a thousand million bytes to spare."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**9))


@pytest.fixture(params=["version 1", "version 2"])
def container(request, tmp_path):
    """Sets the limits of a container, in both forms that Linux knows."""

    def limit(most, used, cached):
        if request.param == "version 1":
            folder = tmp_path / "memory"
            folder.mkdir(exist_ok=True)
            names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            folder, names = tmp_path, ("memory.max", "memory.current", "inactive_file")
        (folder / names[0]).write_text(f"{most}\n")
        (folder / names[1]).write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"cache 7\n{names[2]} {cached}\n")
        return tmp_path

    return limit


def test_a_container_has_what_its_limit_leaves(container):
    assert available_memory(container(500, 300, 100)) == 500 - (300 - 100)


def test_a_container_has_no_more_than_the_machine(container):
    assert available_memory(container(10**12, 0, 0)) == 10**9


def test_a_container_over_its_limit_has_nothing(container):
    assert available_memory(container(500, 900, 0)) == 0


def test_without_a_limit_the_machine_counts(tmp_path):
    assert available_memory(tmp_path) == 10**9
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("5\n")
    assert available_memory(tmp_path) == 10**9


@pytest.mark.parametrize(("dtype", "size"), [(torch.float32, 4), (torch.bfloat16, 2)])
def test_a_model_fits_up_to_the_last_byte(dtype, size, monkeypatch):
    needed = int(ROOM * 1000 * size) + 1
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=needed))
    require_memory(1000, dtype, name="m")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=needed - 2))
    with pytest.raises(MemoryError, match="m does not fit"):
        require_memory(1000, dtype, name="m")


def test_the_refusal_tells_sizes_and_the_way_out():
    with pytest.raises(MemoryError) as refusal:
        require_memory(2_500_000_000, torch.float32, name="gemma-2b-it")
    for told in ("gemma-2b-it", "2.5 billion", "11.0 GB", "1.0 GB", "float32", "quantize='8bit'"):
        assert told in str(refusal.value)
    assert "dtype='bfloat16' (then 5.5 GB)" in str(refusal.value)
    with pytest.raises(MemoryError) as refusal:
        require_memory(2_500_000_000, torch.float16, name="gemma-2b-it")
    assert "dtype=" not in str(refusal.value)
