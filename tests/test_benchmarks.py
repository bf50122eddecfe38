"""Benchmarks run where they can be run at all, and the book shows only what was measured."""

import json

import acting
import gpu
import pytest
import torch
from elicitation import saved_by_a_tree
from speed_page import PAGE, gpu_lines, page
from transformers import AutoModelForCausalLM

from studies import load_calibration
from valuegraph.encoding import EncodedPrompts


def test_on_a_cpu_the_benchmark_of_gpus_runs_at_reduced_shapes(tmp_path, capsys):
    gpu.main(["--models", "gemma-2b-it", "--device", "cpu", "--json", str(tmp_path / "gpu.json")])
    figures = json.loads((tmp_path / "gpu.json").read_text())
    (one,) = figures["models"]
    assert figures["reduced"]
    assert figures["machine"].keys() >= {"device", "torch", "transformers", "valuegraph"}
    assert [row["protocol"] for row in one["protocols"]] == [
        "paper", "plain forward", "logit", "generate",
    ]  # fmt: skip
    assert all(0 < row["share_of_matrix_peak"] < 1 for row in one["protocols"])
    assert {row["grows"] for row in one["growth"]} == {"roles", "items", "interventions"}
    assert one["grid"]["grid_minutes"] == one["grid"]["seconds"] * 101 / 60
    assert "ratio" in (said := capsys.readouterr().out) and "goal 300 (reduced" in said
    assert gpu_lines(figures) == gpu_lines(None)  # says nothing of a GPU


@pytest.mark.parametrize(
    ("name", "billions"), [("gemma-2b-it", 2.51), ("gemma-3-4b-it", 3.88), ("llama-3-8b-it", 8.03)]
)
def test_shapes_are_true_and_reduced_ones_of_the_same_kind(name, billions):
    config, small = (gpu.config_for(name, reduced=reduced) for reduced in (False, True))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert model.num_parameters() / 1e9 == pytest.approx(billions, abs=0.005)
    assert small.model_type == config.model_type
    assert gpu.LAYERS[name] < config.num_hidden_layers


def test_the_page_shows_what_was_measured_and_says_where_nothing_was():
    assert PAGE.read_text() == page(), "run python benchmarks/speed_page.py"
    logit = {"protocol": "logit", "ratio": 123.4, "share_of_matrix_peak": 0.31}
    one = {"model": "gemma-2b-it", "protocols": [logit, {"protocol": "generate", "ratio": 7.0}]}
    machine = {"device": "H100", "torch": "2.0"}
    measured = {
        "reduced": False,
        "machine": machine,
        "models": [one | {"grid": {"grid_minutes": 8}}],
    }
    lines = gpu_lines(measured)
    assert "| `gemma-2b-it` | 123 | 31% | 7 | 8 minutes |" in lines
    assert (
        "| `llama-3-8b-it` | not measured | not measured | not measured | not measured |" in lines
    )
    assert lines[-1] == "\nOn one H100, torch 2.0."


def test_what_a_tree_of_prompts_would_spare():
    prompts = EncodedPrompts([[1] * 10], [[2, 3, 9], [2, 4, 9], [5, 4, 9]], [], [])
    assert saved_by_a_tree(prompts) == 1 / 19  # the 2 of two questions; ends are never shared


def test_the_figures_of_acting_that_are_kept_come_of_the_benchmark_and_are_good():
    row = acting.coverage("clean", 2, **acting.USUAL)
    kept = load_calibration("acting_coverage")
    assert list(row) == kept.columns.tolist()
    assert kept["kind"].tolist() == [kind for kind, _ in acting.KINDS]
    assert row["found"] > 0.9 * row["arrows"] and row["false"] <= 1
    assert kept["covered"].between(0.92, 0.98).all()
    assert (kept["false"] < 0.05 * kept["absent"]).all()
    organisms = load_calibration("acting").query("way == 'acting' and roles == 8")
    assert len(organisms) == 9 and (organisms["false"] <= 1).all()
    assert (organisms["right"] >= 0.94 * organisms["true"]).all()
