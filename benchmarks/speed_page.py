"""Write the tables of speed that the book shows, from what the other benchmarks measured::

    python benchmarks/speed_page.py

Where there is no file of figures, or one from reduced shapes, the table says *not measured*.
"""

from __future__ import annotations

import json
from pathlib import Path

from gpu import GOALS, LAYERS

MEASURED = Path(__file__).resolve().parents[1] / "book" / "measured"
PAGE = MEASURED / "speed.md"


def figures_of(name: str) -> dict | None:
    """What a benchmark wrote; None if nothing was measured."""
    path = MEASURED / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def gpu_lines(figures: dict | None) -> list[str]:
    """A table of what was measured on a GPU, below the goals; nothing from reduced shapes."""
    measured = figures is not None and not figures["reduced"]
    models = {m["model"]: m for m in figures["models"]} if measured else {}
    lines = [
        "| on a GPU | reading: times as fast | share of the matrix peak | "
        "writing: times as fast | the grid for Gemma |",
        "|---|---|---|---|---|",
        f"| *goal* | {GOALS['ratio']} | {GOALS['share_of_matrix_peak']:.0%} | "
        f"| {GOALS['grid_minutes']} minutes |",
    ]
    for name in LAYERS:
        cells = ["not measured"] * 4
        if name in models:
            by_name = {row["protocol"]: row for row in models[name]["protocols"]}
            logit = by_name["logit"]
            cells = [f"{logit['ratio']:.0f}", f"{logit['share_of_matrix_peak']:.0%}"]
            cells += [f"{by_name['generate']['ratio']:.0f}"]
            cells += [f"{models[name]['grid']['grid_minutes']:.0f} minutes"]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return lines + ([f"\nOn one {described(figures)}."] if measured else [])


def cpu_lines(figures: dict) -> list[str]:
    """A table of what was measured on a CPU."""
    lines = [
        "| on a CPU | times as fast as the paper's protocol | share of the matrix peak |",
        "|---|---|---|",
    ]
    names = {"plain forward": "whole prompts, read", "logit": "reading", "generate": "writing"}
    for row in figures["protocols"][1:]:
        what = names.get(row["protocol"], row["protocol"].replace("logit", "reading"))
        lines.append(f"| {what} | {row['ratio']:.1f} | {row['share_of_matrix_peak']:.0%} |")
    return [
        *lines,
        f"\nOn one {described(figures)}; {figures['parameters'] / 1e6:.0f} million weights.",
    ]


def described(figures: dict) -> str:
    """Device and version of torch."""
    machine = figures["machine"]
    cores = f" (threads: {machine['threads']})" if machine["device"] == "cpu" else ""
    return f"{machine['device'].replace('cpu', 'CPU')}{cores}, torch {machine['torch']}"


def precision_lines(figures: dict) -> list[str]:
    """A sentence on what bfloat16 saves and costs."""
    return [
        f"In bfloat16 `{figures['model']}` was read {figures['faster']:.1f} times as fast as in "
        f"float32, on a processor that computes in it. Log-odds moved by "
        f"{figures['log_odds_change']:.2f} on average ({figures['log_odds_change_at_most']:.2f} at "
        f"most), scores by {figures['score_change']:.3f} ({figures['score_change_at_most']:.3f} at "
        f"most). Two roles differed by {figures['score_spread_over_roles']:.2f}."
    ]


def page() -> str:
    """The page as it should stand."""
    lines = gpu_lines(figures_of("gpu"))
    for name, of in (("cpu", cpu_lines), ("precision", precision_lines)):
        if (figures := figures_of(name)) is not None:
            lines += ["", *of(figures)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
