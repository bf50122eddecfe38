"""Runs: stopped at any moment they go on, yield the same bytes, and refuse what would mix them."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from dask.distributed import Client, LocalCluster

from valuegraph import runs
from valuegraph.elicitation import DoubtfulAnswers, elicit
from valuegraph.interventions import Combination, Sentence, Shift
from valuegraph.inventory import Inventory, load_inventory
from valuegraph.models import load_model
from valuegraph.prompts import PromptFormat
from valuegraph.roles import load_role_bank, sample_roles
from valuegraph.run_folder import read_manifest, read_run, run_status
from valuegraph.runs import ModelSource, Sweep, run_sweep

NAME = "organism-human"
UP, SAID = Shift("up", 1, np.full(96, 0.5)), Sentence("said", "You live alone.")


def small_inventory():
    """Two values with two items each; also for processes that know no fixtures."""
    inventory = load_inventory()
    values = inventory.values.loc[["SE", "ST"]]
    items = inventory.items[inventory.items["value"].isin(values.index)]
    return Inventory("small", items.groupby(["value", "key"]).head(1), values)


def small_sweep(**changes):
    """24 roles in two formats under two interventions: 96 cells in 12 blocks."""
    settings = {
        "model": NAME,
        "inventory": small_inventory(),
        "roles": [None, *sample_roles(load_role_bank(), 23, seed=5)],
        "interventions": (None, UP),
        "formats": (PromptFormat(), PromptFormat("say", yes_first=False)),
        "seeds": (5,),
        "block_size": 8,
    }
    return Sweep(**{**settings, **changes})


def run(folder, sweep=None, **options):
    return run_sweep(sweep or small_sweep(), folder, progress=False, **options)


def files(folder):
    """Content of every file of answers; beside them, only the manifest and what kills left."""
    found = {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}
    assert found.pop("manifest.json")
    assert all(name.startswith("answers-") and name.endswith(".parquet") for name in found)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of `small_sweep`, answered without interruption."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert run(folder).complete
    return folder


@pytest.fixture
def copied(whole, tmp_path):
    """Copies some blocks of the whole run into a new folder, with its manifest."""

    def copy(blocks):
        (tmp_path / "copy").mkdir()
        for file in ("manifest.json", *(f"answers-{k:06d}.parquet" for k in blocks)):
            shutil.copy(whole / file, tmp_path / "copy")
        return tmp_path / "copy"

    return copy


@pytest.fixture
def nothing_is_asked(monkeypatch):
    monkeypatch.setattr(runs, "load_model", None)
    monkeypatch.setattr(runs, "elicit", None)


def rewritten(folder, part, **changes):
    """Change the manifest of a folder, as if it had been written elsewhere."""
    content = json.loads((folder / "manifest.json").read_text())
    assert len(content.pop("digest")) == 16  # that of the manifest as it was
    content[part] |= changes
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder


def test_a_run_holds_what_elicit_returns(whole):
    asked = small_sweep()
    how = {"interventions": asked.interventions, "formats": asked.formats}
    expected = elicit(load_model(NAME), asked.inventory, asked.roles, **how)
    pd.testing.assert_frame_equal(read_run(whole), expected, rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore::valuegraph.elicitation.DoubtfulAnswers")
@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "generate", "max_new_tokens": 8},
        {"prior": True},
        {"interventions": (None, UP, SAID, Combination("both", [UP, SAID]))},
    ],
)
def test_a_run_of_one_block_is_elicit_to_the_bit(tmp_path, settings):
    before, threads = torch.get_num_threads(), 2 if "prior" in settings else 1
    roles = small_sweep().roles[: 3 if threads == 1 else 1]
    asked = small_sweep(roles=roles, block_size=99, formats=(), **settings)
    run(tmp_path / "run", asked, batch_tokens=512, threads=threads)
    assert torch.get_num_threads() == before
    assert read_manifest(tmp_path / "run")["computed"] == {"batch_tokens": 512, "threads": threads}
    (block,) = runs.run_folder.blocks_of(asked.asked)
    torch.set_num_threads(threads)
    expected = elicit(load_model(NAME), **runs._arguments(asked, block), batch_tokens=512)
    torch.set_num_threads(before)
    pd.testing.assert_frame_equal(read_run(tmp_path / "run"), expected, check_exact=True)


def test_a_doubt_about_the_answers_is_told_once(tmp_path, monkeypatch):
    def doubting(*arguments, **options):
        warnings.warn(f"little mass, {time.monotonic()}", DoubtfulAnswers, stacklevel=1)
        return elicit(*arguments, **options)

    monkeypatch.setattr(runs, "elicit", doubting)
    with pytest.warns(DoubtfulAnswers, match="little mass") as told:
        run(tmp_path / "run", small_sweep(roles=[None]))
    assert len(told) == 1 and told[0].filename == __file__


def killed_runs(folder, whole):
    """Kill forked children: before the k-th step that changes the disk, or after some files."""
    runs._load(small_sweep().model, None)
    complete = files(whole)
    # The first die while the manifest is written: one step to the disk, one for its name.
    for k in (1, 2, 3, 4, 1, 2, 5, 4):
        killed(os.fork(), lambda k=k: die_at_step(k), folder / "steps")
        for path in (folder / "steps").glob("answers-*"):
            assert path.read_bytes() == complete[path.name], k
    killed(os.fork(), lambda: None, folder / "clock")


def die_at_step(k):
    steps = itertools.count(1)

    def wrap(function):
        def step(*arguments):
            if next(steps) == k:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments)

        return step

    for name in ("fsync", "link", "replace"):
        setattr(os, name, wrap(getattr(os, name)))


def killed(child, prepare, folder):
    if not child:
        prepare()
        run(folder)
        os._exit(0)
    if folder.name == "clock":
        while len(list(folder.glob("answers-*"))) < 2:
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs that are killed are forked")
def test_killed_runs_go_on_and_yield_the_same_bytes(tmp_path, whole):
    code = "import sys, pathlib, test_runs as t; t.killed_runs(*map(pathlib.Path, sys.argv[1:]))"
    command = [sys.executable, "-c", code, str(tmp_path), str(whole)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, check=True, timeout=300)
    for name in ("steps", "clock"):
        folder = tmp_path / name
        there = list(folder.glob("answers-*"))
        assert 2 <= len(there) < 12
        written = {path: path.stat().st_mtime_ns for path in there}
        assert run(folder).complete and files(folder) == files(whole)
        assert {path: path.stat().st_mtime_ns for path in there} == written  # not asked again


@pytest.mark.parametrize("end", [KeyboardInterrupt, BrokenProcessPool("a process died")])
def test_ctrl_c_or_a_dead_worker_ends_with_how_to_go_on(tmp_path, whole, monkeypatch, capsys, end):
    blocks, write = [], runs.run_folder.write_block

    def interrupted(*arguments):
        blocks.append(write(*arguments))
        if len(blocks) == 9:
            raise end

    with monkeypatch.context() as patched, pytest.raises((KeyboardInterrupt, BrokenProcessPool)):
        patched.setattr(runs.run_folder, "write_block", interrupted)
        run(tmp_path / "run")
    told = capsys.readouterr().err
    assert "holds 72 of 96 cells; missing: blocks 9, 10, 11; start again with the same" in told
    assert run(tmp_path / "run").complete and files(tmp_path / "run") == files(whole)


def test_a_finished_run_asks_nothing(whole, nothing_is_asked):
    before = files(whole)
    assert str(run(whole)).endswith("96 of 96 cells: 384 answers, none missing")
    assert files(whole) == before


def test_a_damaged_or_foreign_file_stops_the_run_until_it_is_moved_away(copied, whole):
    folder = copied(range(12))
    damaged, other = folder / "answers-000004.parquet", folder / "answers-000005.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    for read in (run, read_run):
        with pytest.raises(ValueError, match=r"answers-000004.parquet is damaged"):
            read(folder)
    damaged.unlink()
    shutil.copy(whole / "answers-000004.parquet", other)
    with pytest.raises(ValueError, match="answers-000005.parquet is .*of another run or block"):
        run(folder)
    other.unlink()
    assert run(folder).complete and files(folder) == files(whole)


CHANGES = {
    "model.name": {"model": "organism-alien"},
    "model.dtype": {"model": ModelSource(NAME, dtype=torch.bfloat16)},
    "model.revision": {"model": ModelSource(NAME, revision=40 * "a")},
    "inventory.fingerprint": {"inventory": load_inventory()},
    "roles.fingerprint": {"roles": [None, *sample_roles(load_role_bank(), 23, seed=6)]},
    "roles": {"roles": [None, *sample_roles(load_role_bank(), 22, seed=5)]},
    "roles.seeds": {"seeds": (6,)},
    "interventions": {"interventions": (None, UP, SAID)},
    "intervention up": {"interventions": (None, Shift("up", 1, np.full(96, 0.6)))},
    "formats": {"formats": (PromptFormat(), PromptFormat("reply", yes_first=False))},
    "mode": {"mode": "generate"},
    "prior": {"prior": True},
    "block_size": {"block_size": 4},
    "batch_tokens": {},
    "threads": {},
}


@pytest.mark.parametrize("setting", CHANGES)
def test_a_changed_setting_is_refused_by_name_at_once(copied, nothing_is_asked, setting):
    folder = copied([0])
    before, options = files(folder), {} if CHANGES[setting] else {setting: 7}
    with pytest.raises(ValueError, match="was begun with other settings") as refused:
        run(folder, small_sweep(**CHANGES[setting]), **options)
    _, heading, *rows, way_out = str(refused.value).splitlines()
    assert heading.split() == ["setting", "in", "the", "folder", "now"]
    assert setting in [row[2:].split("  ")[0] for row in rows]
    assert "another folder to begin anew" in way_out
    assert files(folder) == before


def test_interventions_of_one_name_are_told_apart():
    shifts = Shift("x", 1, UP.vector), Shift("x", 1, UP.vector, "site"), Shift("x", 2, UP.vector)
    parts = [UP, SAID], [UP, UP], [UP * 2, SAID]
    others = [Sentence("x", "You sing."), *shifts, *(Combination("x", some) for some in parts)]
    described = {small_sweep(interventions=[x]).asked["intervention x"] for x in others}
    assert len(described) == len(others)


@pytest.mark.parametrize("fact", ["revision", "tokenizer", "chat_template", "prompt", "device"])
def test_another_respondent_of_the_same_name_is_refused(copied, fact):
    folder = rewritten(copied([]), "asked", **{f"loaded.{fact}": "of last week"})
    with pytest.raises(ValueError, match=rf"loaded.{fact} +of last week "):
        run(folder)
    assert files(folder) == {}


def test_other_versions_only_warn(copied, whole):
    folder = rewritten(copied(range(11)), "versions", torch="1.0")
    with pytest.warns(UserWarning, match=r"by other versions(.|\n)*torch +1.0 "):
        run(folder)
    assert files(folder) == files(whole)


def test_a_first_start_that_fails_does_not_spoil_the_folder(tmp_path):
    folder, too_short = tmp_path / "run", [Shift("up", 1, np.ones(3))]
    for wrong in (small_sweep(model="nobody"), small_sweep(interventions=too_short)):
        with pytest.raises(ValueError, match="unknown model 'nobody'|shift 'up' has 3 coord"):
            run(folder, wrong)
        assert list(folder.iterdir()) == []
    assert run(folder, shard=(1, 12)).done == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"roles": ()}, "no roles given"),
        ({"interventions": (UP, UP)}, "two interventions are called 'up'"),
        ({"formats": 2 * (PromptFormat(),)}, "two formats are called 'answer, yes first'"),
        ({"mode": "generate", "prior": True}, "use mode='logit'"),
        ({"block_size": 0}, "block_size is 0"),
        ({"shard": (5, 4)}, "no shard 5/4"),
        ({"shard": (13, 20)}, "no shard 13/20 of 12 blocks"),
        ({"n_jobs": 0}, "n_jobs is 0"),
        ({"n_jobs": 1000}, "n_jobs is 1000; a whole number of 1 to 256"),
        ({"threads": -1}, "threads is -1"),
        ({"batch_tokens": 0}, "batch_tokens is 0"),
    ],
)
def test_what_cannot_be_asked_is_refused(tmp_path, change, message):
    asked = {name: change[name] for name in change if name in vars(small_sweep())}
    options = {name: change[name] for name in change if name not in asked}
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "run", small_sweep(**asked), **options)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_something_else_is_refused(tmp_path, nothing_is_asked):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match=r"holds 'thesis.tex', but no run; .*a new or an empty"):
        run(tmp_path)


def test_shards_at_the_same_time_in_one_folder_are_one_run(tmp_path, whole):
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda i: run(tmp_path / "run", shard=(i, 3)), (1, 2, 3)))
    assert files(tmp_path / "run") == files(whole)


def test_blocks_of_shards_copied_into_one_folder_are_the_run(tmp_path, whole):
    for i in (1, 2):
        assert run(tmp_path / f"{i}", shard=(i, 2)).missing == tuple(range(2 - i, 12, 2))
    for path in (tmp_path / "2").glob("answers-*"):
        shutil.copy(path, tmp_path / "1")
    assert run_status(tmp_path / "1").complete and files(tmp_path / "1") == files(whole)


def test_whoever_answers_first_settles_how_it_is_computed(tmp_path, whole, monkeypatch):
    """Another process begins the folder while the first block is in work."""
    folder, answer = tmp_path / "run", runs._answer_block

    def meanwhile(*arguments):
        if not (folder / "manifest.json").exists():
            shutil.copy(whole / "manifest.json", folder)
            rewritten(folder, "computed", batch_tokens=77)
        return answer(*arguments)

    monkeypatch.setattr(runs, "_answer_block", meanwhile)
    assert run(folder, shard=(1, 4)).done == 24
    assert read_manifest(folder)["computed"]["batch_tokens"] == 77
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(ValueError, match="block_size +8 +4\n"):
        run(folder, small_sweep(block_size=4))
    assert not run_status(folder).done


def test_processes_and_a_dask_cluster_yield_the_bytes_of_one_process(tmp_path, whole):
    assert run(tmp_path / "run", n_jobs=2).complete
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster), joblib.parallel_config(backend="dask"):
        assert run(tmp_path / "dask").complete
    assert files(tmp_path / "run") == files(tmp_path / "dask") == files(whole)


def test_a_respondent_that_is_loaded_already_is_not_loaded_again(whole, tmp_path, monkeypatch):
    respondent = load_model(NAME)
    monkeypatch.setattr(runs, "load_model", None)
    run(tmp_path / "lent", respondent=respondent)
    assert files(tmp_path / "lent") == files(whole)
    for other in (ModelSource(NAME, dtype="bfloat16"), "organism-alien"):
        with pytest.raises(
            ValueError, match="the respondent has .*, the sweep has '(bf|organism-a)"
        ):
            run(tmp_path / "other", small_sweep(model=other), respondent=respondent)
