"""The manifest of a run: every setting that decides its answers, as JSON beside them.

It has three parts. ``asked`` says what was asked of whom: it is the same for all answers of a run.
``computed`` says on what and in what portions: answers computed otherwise agree to rounding, not to
the bit. ``versions`` are those of the software.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from valuegraph.interventions import Combination, Intervention, Told
from valuegraph.roles import roles_fingerprint
from valuegraph.runs.plan import Block, Sweep, cut
from valuegraph.runs.store import MANIFEST, write_new_file

#: Version of the layout of a run's folder.
LAYOUT = 1


@dataclass(frozen=True)
class Facts:
    """What a process tells of the respondent it has loaded, and of itself.

    Attributes
    ----------
    model
        Name, revision and description of the respondent.
    device
        Kind of device it lies on, such as ``"cuda"``.
    batch_tokens
        Tokens in a batch that this device is thought to bear.
    versions
        Of the software, by name.
    """

    model: Mapping[str, Any]
    device: str
    batch_tokens: int
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """What a run's folder says about its answers; all fields are ready for JSON.

    Attributes
    ----------
    asked
        What was asked: model, inventory, roles, interventions, formats, mode, prior,
        max_new_tokens, block_size.
    computed
        Device, batch_tokens, threads.
    versions
        Of the software, by name.
    date
        When the run was begun.
    """

    asked: dict[str, Any]
    computed: dict[str, Any]
    versions: dict[str, str]
    date: str

    @property
    def run(self) -> str:
        """Fingerprint of what was asked; every file of answers carries it."""
        return fingerprint(self.asked)

    @property
    def blocks(self) -> list[Block]:
        """Blocks of the run, in their order."""
        return cut(
            len(self.asked["formats"]),
            len(self.asked["roles"]["names"]),
            len(self.asked["interventions"]),
            block_size=self.asked["block_size"],
        )

    @property
    def items(self) -> int:
        """Answers in a cell."""
        return self.asked["inventory"]["items"]


def describe(sweep: Sweep, facts: Facts, *, batch_tokens: int, threads: int) -> Manifest:
    """Write down a sweep, and how it is computed.

    Parameters
    ----------
    sweep
        What is asked.
    facts
        Of the process that asks.
    batch_tokens
        Tokens in a batch.
    threads
        Threads of each process.

    Returns
    -------
    Manifest
        Vectors and texts of roles and items stand in it as fingerprints, told texts as they are.
    """
    asked = {
        "model": dict(facts.model),
        "inventory": {
            "name": sweep.inventory.name,
            "fingerprint": sweep.inventory.fingerprint,
            "items": len(sweep.inventory.items),
        },
        "roles": {
            "names": sweep.role_names,
            "fingerprint": roles_fingerprint(sweep.roles),
            "seeds": [int(seed) for seed in sweep.seeds],
        },
        "interventions": [
            {"name": name} if what is None else _intervention(what, name)
            for name, what in zip(sweep.intervention_names, sweep.interventions, strict=True)
        ],
        "formats": [
            {"name": fmt.name, **asdict(fmt), "instruction": fmt.instruction}
            for fmt in sweep.formats
        ],
        "mode": sweep.mode,
        "prior": bool(sweep.prior),
        "max_new_tokens": int(sweep.max_new_tokens),
        "block_size": int(sweep.block_size),
    }
    return Manifest(
        asked=asked,
        computed={"device": facts.device, "batch_tokens": batch_tokens, "threads": threads},
        versions=dict(facts.versions),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def write_manifest(manifest: Manifest, folder: Path) -> bool:
    """Write the manifest of a new run.

    Returns
    -------
    bool
        Whether it was written. If not, another process was faster, and its manifest holds.
    """
    text = json.dumps({"layout": LAYOUT, **asdict(manifest)}, indent=1, ensure_ascii=False)
    return write_new_file(folder / MANIFEST, (text + "\n").encode())


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a run.

    Raises
    ------
    FileNotFoundError
        If there is no folder, or no manifest in it.
    ValueError
        If the manifest cannot be understood.
    """
    path = folder / MANIFEST
    if not path.is_file():
        missing = f"{MANIFEST} is missing" if folder.is_dir() else "there is no such folder"
        raise FileNotFoundError(
            f"{folder} holds no run: {missing}; name a folder that run_sweep or "
            "`valuegraph elicit` wrote"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        layout = content["layout"]
        if layout == LAYOUT:
            manifest = Manifest(
                **{k: content[k] for k in ("asked", "computed", "versions", "date")}
            )
            _ = manifest.blocks, manifest.items  # refuses one in which something is missing
            return manifest
    except (
        json.JSONDecodeError,
        UnicodeDecodeError,
        KeyError,
        TypeError,
        ZeroDivisionError,
    ) as error:
        raise ValueError(
            f"{path} is damaged or none of a run ({type(error).__name__}: {error}); bring it back "
            "from a copy, or begin anew in another folder"
        ) from error
    raise ValueError(
        f"{path} has layout {layout!r}, this version of valuegraph reads {LAYOUT}; "
        "read it with the version that wrote it"
    )


def differences(there: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """List the settings in which two parts of manifests differ.

    Parameters
    ----------
    there, now
        The same part (``asked``, ``computed``, ``versions``) of two manifests.

    Returns
    -------
    list of (str, str, str)
        Name of the setting, its value there, its value now.
    """
    left, right = _flat(there), _flat(now)
    # What only one of two lists has, such as an added intervention, shows in the list itself.
    names = [name for name in left if name in right or "[" not in name]
    names += [name for name in right if name not in left and "[" not in name]
    return [
        (name, *_tell(left.get(name), right.get(name)))
        for name in names
        if left.get(name) != right.get(name)
    ]


def difference_table(
    rows: list[tuple[str, str, str]], columns: tuple[str, str] = ("in the folder", "now")
) -> str:
    """Lay out what `differences` found as lines of text.

    Parameters
    ----------
    rows
        The differences.
    columns
        Headings of the two sides.
    """
    table = [("setting", *columns), *rows]
    widths = [max(len(row[k]) for row in table) for k in range(3)]
    return "\n".join(
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )


def _intervention(what: Intervention, name: str) -> dict[str, Any]:
    """Write down all that an intervention does."""
    if isinstance(what, Told):
        return {"name": name, "kind": "told", "text": what.text}
    if isinstance(what, Combination):
        # Parts may share a name; their numbers tell them apart.
        parts = [_intervention(part, f"{k}. {part.name}") for k, part in enumerate(what.parts, 1)]
        return {"name": name, "kind": "combination", "parts": parts}
    vector = hashlib.sha256(what.vector.astype("<f4").tobytes()).hexdigest()[:16]
    shift = {"layer": int(what.layer), "where": what.where, "vector": vector}
    return {"name": name, "kind": "shift", **shift}


def fingerprint(content: Any) -> str:
    """Return the first 16 hex digits of the sha256 of something that JSON can write."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Write nested settings with dotted names; entries of a list go by their own name."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            flat[prefix + key] = [entry["name"] for entry in value]
            for entry in value:
                flat |= _flat(entry, f"{prefix}{key}[{entry['name']}].")
        else:
            flat[prefix + key] = value
    return flat


def _tell(left: Any, right: Any) -> tuple[str, str]:
    """Tell two different values in short; of two long lists, where they begin to differ."""
    if isinstance(left, list) and isinstance(right, list) and max(len(left), len(right)) > 4:
        pairs = zip(left, right, strict=False)
        at = next((k for k, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))
        return _tell_entry(left, at), _tell_entry(right, at)
    return _tell_value(left), _tell_value(right)


def _tell_entry(entries: list, at: int) -> str:
    entry = f"no. {at + 1} is {entries[at]}" if at < len(entries) else f"no no. {at + 1}"
    return f"{len(entries)}, {entry}"


def _tell_value(value: Any) -> str:
    if value is None:
        return "-"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text or "none"
