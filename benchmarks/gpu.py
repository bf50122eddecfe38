"""How fast a GPU asks models of the true shapes of Gemma-2B, Gemma-3-4B and Llama-3-8B.

Weights are random, so that no licence is needed; shapes and sizes of vocabularies are those of the
published configurations. On a GPU::

    python benchmarks/gpu.py --json book/measured/gpu.json
    python benchmarks/speed_page.py

For each model and in one process: answers in a second in both modes beside the protocol of Kang et
al. (2025), the share of the speed of a bfloat16 matrix product on the same GPU, memory, the cost of
roles, items and pushes, and the paper's whole grid for Gemma, extrapolated from a few roles under
all its interventions and questions. Beside each figure stands its goal.

On a CPU the shapes are reduced: that shows that it runs, and says nothing of a GPU. Without the
file of a GPU the page says *not measured*.
"""

from __future__ import annotations

import argparse
import gc
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from book_support.gpus import config_of
from elicitation import (
    first_items,
    long_roles,
    measure_growth,
    measure_protocols,
    print_tables,
    pushes_of,
    random_respondent,
)
from measuring import machine, peak_memory, seconds, write_json
from transformers import Gemma3TextConfig, PreTrainedConfig

import valuegraph as vg
from valuegraph.elicitation import DoubtfulAnswers
from valuegraph.models import Respondent

#: Of the text model in google/gemma-3-4b-it (config.json, with the defaults of transformers where
#: it is silent). Sizes of the other two, from their own files, stand in `book_support.gpus`.
GEMMA_3_4B = {
    "vocab_size": 262_208,
    "hidden_size": 2560,
    "intermediate_size": 10_240,
    "num_hidden_layers": 34,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "sliding_window": 1024,
}

#: Models, each with the layer after which it is pushed: in the paper, and where Gemma Scope 2 has
#: an autoencoder.
LAYERS = {"gemma-2b-it": 12, "gemma-3-4b-it": 17, "llama-3-8b-it": 25}

#: The paper's grid for Gemma: roles, interventions (24 features and none) and questions.
GRID = {"roles": 101, "interventions": 25, "items": 358}

#: What is hoped for on one GPU of a data centre.
GOALS = {"ratio": 300, "share_of_matrix_peak": 0.4, "grid_minutes": 10}


def config_for(name: str, *, reduced: bool) -> PreTrainedConfig:
    """The model's published sizes, or a model of the same kind that is small in all of them."""
    config = Gemma3TextConfig(**GEMMA_3_4B) if name == "gemma-3-4b-it" else config_of(name)
    if not reduced:
        return config
    group = config.num_attention_heads // config.num_key_value_heads
    heads = {"num_attention_heads": 4, "num_key_value_heads": max(1, 4 // group), "head_dim": 8}
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, **heads}
    windows = {"sliding_window": config.sliding_window} if name == "gemma-3-4b-it" else {}
    return type(config)(**small, **windows, vocab_size=4096)


def measure_grid(
    respondent: Respondent, device: torch.device, *, prefix: int, roles: int, layer: int, grid: dict
) -> dict[str, float]:
    """Minutes of the paper's grid, by a few of its roles under all interventions and questions."""
    some, items = long_roles(respondent, roles, prefix), first_items(grid["items"])
    interventions = [None, *pushes_of(respondent, grid["interventions"] - 1, layer)]

    def ask() -> None:
        vg.elicit(respondent, items, some, interventions=interventions)

    with peak_memory(device) as taken:
        taken_s = seconds(ask, device)
    whole = grid | {"grid_minutes": taken_s / roles * grid["roles"] / 60}
    return whole | {"roles_asked": roles, "seconds": taken_s, "peak_memory_GB": taken["GB"]}


def measure_model(name: str, device: torch.device, dtype: torch.dtype, *, reduced: bool) -> dict:
    """All figures of one model."""
    respondent = random_respondent(name, config_for(name, reduced=reduced), device, dtype)
    layer = 2 if reduced else LAYERS[name]
    sizes = {"prefix": 60, "new_tokens": 4, "roles": 1, "repeats": 1, "paper_questions": 8}
    sizes["peak_size"] = 128
    grid, counts, items = {"roles": 101, "interventions": 3, "items": 20}, (1, 2), 20
    if not reduced:
        sizes = {"prefix": 200, "new_tokens": 100, "roles": 8, "repeats": 3, "paper_questions": 16}
        grid, counts, items = GRID, (1, 2, 4, 8, 16), 80
    figures = measure_protocols(respondent, device, **sizes, ask={})
    some = long_roles(respondent, max(counts), sizes["prefix"])
    growth = {"counts": counts, "items": items, "layer": layer}
    figures["growth"] = measure_growth(respondent, some, device, **growth)
    asked = {"prefix": sizes["prefix"], "roles": sizes["roles"], "layer": layer, "grid": grid}
    figures["grid"] = measure_grid(respondent, device, **asked)
    figures["weights_GB"] = sum(p.nbytes for p in respondent.model.parameters()) / 1e9
    return figures


def print_goals(figures: dict, *, reduced: bool) -> None:
    """Print each figure beside its goal."""
    logit = next(row for row in figures["protocols"] if row["protocol"] == "logit")
    found, shapes = logit | figures["grid"], "reduced shapes, no verdict" if reduced else "measured"
    for what, goal in GOALS.items():
        print(f"{figures['model']}: {what} {found[what]:.3g}, goal {goal:g} ({shapes})")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="*", choices=LAYERS, default=list(LAYERS))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", type=Path, default=None)
    args = parser.parse_args(argv)
    device = torch.device(args.device)
    warnings.simplefilter("ignore", DoubtfulAnswers)  # random weights know no yes
    reduced = device.type == "cpu"
    figures = {"machine": machine(device), "reduced": reduced, "goals": GOALS, "models": []}
    for name in args.models:
        dtype = torch.float32 if reduced else torch.bfloat16
        one = measure_model(name, device, dtype, reduced=reduced)
        print_tables(one)
        print_goals(one, reduced=reduced)
        figures["models"].append(one)
        write_json(figures, args.json)  # after each, so that nothing is lost
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
