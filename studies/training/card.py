"""Cards of the organisms, written from the figures that a check measured."""

import json
from importlib import resources
from pathlib import Path

import pandas as pd
from jinja2 import Environment, StrictUndefined

from valuegraph.organisms import load_training_record, load_truth


def write_card(folder: Path, name: str, check: dict) -> Path:
    """Write ``README.md`` and ``check.json``, what was measured, beside an organism's weights."""
    runs = pd.DataFrame(check["recovery"]["runs"]).groupby(["method", "n"])
    means = runs[["skeleton_precision", "skeleton_recall", "arrow_recall"]].mean()
    counts = runs[["arrows", "arrows_right", "exact"]].sum()
    firm = pd.DataFrame(check["recovery"]["firm"]["runs"]).groupby(["alpha", "n"])
    firm = firm[["edges", "edges_right", "arrows", "arrows_right"]].sum()
    template = resources.files("studies") / "data" / "organism_card.md.jinja"
    layout = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    environment = Environment(**layout, undefined=StrictUndefined)
    text = environment.from_string(template.read_text(encoding="utf-8")).render(
        name=name,
        check=check,
        truth=load_truth(folder),
        record=load_training_record(folder),
        megabytes=(folder / "model.safetensors").stat().st_size / 1e6,
        runs=means.join(counts.astype(int)).reset_index().to_numpy(object).tolist(),
        firm=firm.reset_index().to_numpy(object).tolist(),
    )
    (folder / "check.json").write_text(json.dumps(check, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(text, encoding="utf-8")
    return folder / "README.md"
