"""The command line: what it writes and says, and that wrong input ends in one clear line."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from valuegraph import cli, runs
from valuegraph.organisms import load_truth
from valuegraph.run_folder import block_file, read_run, run_status

FROZEN = json.loads((Path(__file__).parent / "frozen" / "cli.json").read_text())
FEW = ("elicit", "--model", "organism-human", "--inventory", "few.csv", "--roles", 4)


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the program as a user would; return its exit code and what it says."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["valuegraph", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        told = capsys.readouterr().err
        assert "Traceback" not in told
        return stop.value.code or 0, " ".join(told.split())

    return run


@pytest.fixture
def few(few_items, tmp_path, monkeypatch):
    """Eight questions on two values in a CSV file, in the folder where the program runs."""
    monkeypatch.chdir(tmp_path)
    values = few_items.values.loc[few_items.items["value"]].reset_index(drop=True)
    few_items.items.join(values).to_csv("few.csv", index=False)


def test_commands_say_and_write_what_they_always_did(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for frozen in FROZEN:
        command = frozen["command"].split()
        code, told = call(*command)
        assert (code, frozen["says"] in told) == (frozen["exit"], True), (frozen["command"], told)
        if "scores" in frozen:
            scores = pd.read_csv(command[-1], index_col="role")
            assert list(scores.index) == frozen["scores"]["index"]
            expected = pd.DataFrame(frozen["scores"]["data"], scores.index, scores.columns)
            assert list(scores.columns) == frozen["scores"]["columns"]
            pd.testing.assert_frame_equal(scores, expected, rtol=0, atol=1e-4)
    # What was refused left nothing behind in which a right call could not begin.
    assert not any((tmp_path / name / "manifest.json").exists() for name in ("bad", "never"))
    code, told = call("elicit", "--model", "organism-human", "--roles", 2, "--out", "never")
    assert code == 0 and "holds 2 of 2 cells" in told


def test_roles_formats_and_mode_can_be_chosen(few, call):
    Path("roles.csv").write_text("name,text\nann,You live alone.\n")
    code, told = call(
        *FEW[:-2], "--roles-file", "roles.csv", "--mode", "generate", "--no-think", "--out", "run",
        *("--wording", "say", "--wording", "reply", "--order", "both", "--max-new-tokens", 2),
    )  # fmt: skip
    assert code == 0, told
    answers = read_run("run")
    assert list(answers["role"].unique()) == ["ann"]
    formats = ["say, yes first", "say, no first", "reply, yes first", "reply, no first"]
    assert list(answers["format"].unique()) == formats
    assert answers["text"].str.len().gt(0).all()
    assert call("scores", "run", "--out", "run/s.csv")[0] == 0
    # Generated answers are scored by what was answered, not by log-odds.
    assert pd.read_csv("run/s.csv", index_col="role").abs().le(1).all(axis=None)


def test_options_reach_the_sweep(few, call, monkeypatch):
    drawn = []
    monkeypatch.setattr(runs, "run_sweep", lambda sweep, out, **how: drawn.append((sweep, how)))
    options = ("--role-kind", "persona", "--seed", 3, "--prior", "--device", "cuda:1")
    code, told = call(*FEW, *options, "--jobs", 2, "--shard", "2/3", "--out", "run")
    assert code == 0, told
    ((sweep, how),) = drawn
    assert [role.name for role in sweep.roles] == [f"persona3-{i:04d}" for i in range(4)]
    assert sweep.seeds == (3,) and sweep.prior and sweep.inventory.name == "few"
    assert sweep.model == runs.ModelSource("organism-human", device="cuda:1")
    assert how == {"shard": (2, 3), "n_jobs": 2, "batch_tokens": None, "threads": None}


def test_scores_are_written_whole_and_never_over_a_run(few, call):
    assert call(*FEW, "--out", "run")[0] == 0
    for name in ("manifest.json", "answers-000000.parquet"):
        before = Path("run", name).read_bytes()
        code, told = call("scores", "run", "--out", f"run/{name}")
        assert code == 2 and "is named like a file of a run" in told
        assert Path("run", name).read_bytes() == before
    assert call("scores", "run", "--out", "new/scores.csv")[0] == 0
    assert [path.name for path in Path("new").iterdir()] == ["scores.csv"]
    block_file(Path("run"), 0).write_bytes(b"no Parquet")
    for arguments in ((*FEW, "--out", "run"), ("scores", "run", "--out", "new/scores.csv")):
        code, told = call(*arguments)
        assert code == 2 and "run/answers-000000.parquet is damaged" in told


def test_figures_are_never_written_over_what_is_read_or_run(few, call, tmp_path):
    assert call(*FEW, "--out", "run")[0] == 0
    scores = pd.DataFrame(np.random.default_rng(3).normal(size=(60, 3)), columns=list("abc"))
    scores.to_csv("scores.csv", index_label="role")
    Path("link.json").symlink_to("run/manifest.json")
    Path("kept.json").write_text('{"figures": 1}')
    Path("also.json").symlink_to("kept.json")
    for name, fault in (
        ("run/manifest.json", "is named like a file of a run"),
        ("link.json", "is named like a file of a run"),
        ("run", "is a folder, a device or a pipe"),
        ("scores.csv", "holds something else than figures"),
    ):
        there = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        code, told = call("discover", "scores.csv", "--json", name)
        assert code == 2 and fault in told, (name, told)
        assert there == {path: path.read_bytes() for path in there}
    assert call("discover", "scores.csv", "--json", "also.json")[0] == 0
    assert Path("also.json").is_symlink() and "edges" in json.loads(Path("kept.json").read_text())


def test_what_nobody_foresaw_ends_in_one_line_too(few, call, monkeypatch):
    assert call(*FEW, "--out", "run")[0] == 0
    monkeypatch.setattr(cli, "read_run", lambda *_, **__: {}["a key"])
    code, told = call("scores", "run", "--out", "scores.csv")
    assert code == 1 and "KeyError('a key'), not foreseen; report it: File" in told


def test_ctrl_c_and_trouble_on_the_way_end_in_one_line(few, call, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(runs.run_folder, "write_block", interrupted)
        code, told = call(*FEW, "--out", "run")
    assert code == 130 and "stopped: run holds 0 of 4 cells" in told
    assert "start again with the same settings to go on" in told

    def full(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(runs.run_folder, "write_block", full)
    assert call(*FEW, "--out", "run") == (1, "error: disk full")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGTERM")
def test_a_run_that_is_told_to_end_ends_with_its_workers(tmp_path):
    command = [sys.executable, "-m", "valuegraph.cli", "elicit", "--model", "organism-human"]
    command += ["--roles", "300", "--jobs", "2", "--block-size", "2", "--out", "run"]
    run = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob("run/answers-*")) and run.poll() is None:
        time.sleep(0.1)
    workers = psutil.Process(run.pid).children(recursive=True)
    run.terminate()
    assert run.wait(60) == 130 and "start again with the same settings" in run.stderr.read()
    assert len(workers) >= 2 and psutil.wait_procs(workers, timeout=30)[1] == []
    assert 0 < run_status(tmp_path / "run").done < 300


ACT = ("act", "--model", "organism-human", "--inventory", "few.csv", "--roles", 3, "--out", "run")


def test_a_model_is_checked_before_it_is_asked(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    figures = {"mass": (0.9, "0.5 or more", True), "memory (GB)": (1.5, "", None)}
    for passed in (True, False):
        rows = figures | {"can be asked": (passed, "no check failed", passed)}
        table = pd.DataFrame(rows, ["figure", "wanted", "passed"]).T.rename_axis("check")
        monkeypatch.setattr(cli.vg, "check_model", lambda *given, table=table: table, False)
        code, _ = call("check-model", "organism-human", "--json", "check.json")
        kept = json.loads(Path("check.json").read_text())
        assert (code, kept["passed"]) == (0 if passed else 1, passed)
        assert kept["model"]["dtype"] == "float32" and len(kept["checks"]) == 3
    assert call("check-model", "organism-nobody")[0] == 2


def test_a_model_is_acted_on_and_goes_on_where_it_was(few, call, monkeypatch):
    code, told = call(*ACT, "--json", "graph.json")
    assert code == 0, told
    assert "holds 135 of 135 cells" in told  # no push, 8 stances, 16 facts and 20 neutral ones
    graph = json.loads(Path("graph.json").read_text())
    assert [(a["cause"], a["effect"]) for a in graph["arrows"]] == [("SE", "ST"), ("ST", "SE")]
    for arrow in graph["arrows"]:
        assert arrow["low"] <= arrow["weight"] <= arrow["high"]
        assert arrow["firm"] == (arrow["low"] > 0.08 or arrow["high"] < -0.08)
    assert {f["kind"]: f["pushes"] for f in graph["families"]} == {"stance": 8, "fact": 16}
    assert graph["null"]["null_draws"] == 20 and graph["settings"]["roles"] == 3
    monkeypatch.setattr(runs, "elicit", None)  # nothing is asked again
    assert call(*ACT, "--json", "again.json")[0] == 0
    assert json.loads(Path("again.json").read_text()) == graph
    code, told = call(*ACT, "--seed", 5)
    assert code == 2 and "other settings" in told


def test_tables_of_scores_need_no_notebook(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load_truth("organism-human").sample(300, seed=0).rename_axis("role").to_csv("scores.csv")
    assert call("discover", "scores.csv", "--json", "graph.json")[0] == 0
    graph = json.loads(Path("graph.json").read_text())
    assert graph["info"]["n"] == 300 and len(graph["edges"]) > 8
    assert call("compare", "scores.csv", "--json", "verdict.json")[0] == 0
    verdict = json.loads(Path("verdict.json").read_text())
    assert verdict["verdict"] in ("inside", "outside", "cannot tell")
    assert verdict["low"] < verdict["agreement"] < verdict["high"]
    code, told = call("discover", "scores.csv", "--method", "ges")
    assert code == 2 and "known are pc, exact" in told
    code, told = call("compare", "nowhere.csv")
    assert code == 2 and "nowhere.csv" in told
