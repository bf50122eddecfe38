"""Runs: stopped at any moment they go on, yield the same bytes, and refuse what would mix them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

from valuegraph.asking.prompts import PromptFormat
from valuegraph.elicitation import DoubtfulAnswers, elicit
from valuegraph.interventions import Combination, Shift, Told
from valuegraph.inventory import Inventory, load_inventory
from valuegraph.models import load_model
from valuegraph.roles import load_role_bank, sample_roles
from valuegraph.runs import store, sweep, worker
from valuegraph.runs.manifest import (
    Facts,
    describe,
    differences,
    read_manifest,
    write_manifest,
)
from valuegraph.runs.merging import merge_runs
from valuegraph.runs.plan import ModelSource, Sweep
from valuegraph.runs.reading import read_run, run_status
from valuegraph.runs.sweep import run_sweep

NAME = "organism-human"


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
        "interventions": (None, Shift("up", 1, np.full(96, 0.5))),
        "formats": (PromptFormat(), PromptFormat("say", yes_first=False)),
        "seeds": (5,),
        "block_size": 8,
    }
    return Sweep(**{**settings, **changes})


def files(folder):
    """Content of every file of answers; there is nothing else but the manifest."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found.pop("manifest.json")
    assert all(name.startswith("answers-") and name.endswith(".parquet") for name in found)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of `small_sweep`, answered without interruption."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert run_sweep(small_sweep(), folder, progress=False).complete
    return folder


@pytest.fixture
def copied(whole, tmp_path):
    """Copies some blocks of the whole run into a new folder, with its manifest."""

    def copy(name, blocks):
        folder = tmp_path / name
        folder.mkdir()
        for file in ("manifest.json", *(f"answers-{k:06d}.parquet" for k in blocks)):
            (folder / file).write_bytes((whole / file).read_bytes())
        return folder

    return copy


@pytest.fixture
def nothing_is_asked(monkeypatch):
    def refuse(*_):
        raise AssertionError("a respondent was loaded or asked")

    monkeypatch.setattr(worker, "_load", refuse)


# ---------------------------------------------------------------- what is answered


def test_a_run_holds_what_elicit_returns_for_each_format(whole):
    asked = small_sweep()
    respondent = load_model(NAME)
    with worker._using_threads(1):
        expected = [
            elicit(
                respondent, asked.inventory, asked.roles, interventions=asked.interventions, fmt=fmt
            )
            for fmt in asked.formats
        ]
    expected = pd.concat(expected, ignore_index=True)
    read = read_run(whole)
    exact = [column for column in expected if column not in ("log_odds", "mass")]
    pd.testing.assert_frame_equal(read[exact], expected[exact], check_exact=True)
    pd.testing.assert_frame_equal(read, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [{"mode": "generate", "max_new_tokens": 8, "formats": ()}, {"prior": True}],
    ids=["generate", "prior"],
)
def test_a_run_of_one_block_is_elicit_to_the_bit(tmp_path, settings):
    asked = small_sweep(roles=small_sweep().roles[:4], block_size=99, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubtfulAnswers)
        run_sweep(asked, tmp_path / "run", batch_tokens=512, progress=False)
        with worker._using_threads(1):
            expected = [
                elicit(
                    load_model(NAME),
                    asked.inventory,
                    asked.roles,
                    interventions=asked.interventions,
                    fmt=fmt,
                    mode=asked.mode,
                    prior=asked.prior,
                    max_new_tokens=asked.max_new_tokens,
                    batch_tokens=512,
                )
                for fmt in asked.formats
            ]
    pd.testing.assert_frame_equal(
        read_run(tmp_path / "run"), pd.concat(expected, ignore_index=True), check_exact=True
    )


def test_a_doubt_about_the_answers_is_told_once(tmp_path, monkeypatch):
    def doubting(*arguments, **options):
        warnings.warn("little mass", DoubtfulAnswers, stacklevel=1)
        return elicit(*arguments, **options)

    monkeypatch.setattr(worker, "elicit", doubting)
    with pytest.warns(DoubtfulAnswers, match="little mass") as told:
        run_sweep(small_sweep(roles=[None]), tmp_path / "run", progress=False)
    assert len(told) == 1 and told[0].filename == __file__


def test_a_block_for_which_memory_ran_out_is_told(tmp_path, monkeypatch):
    times = iter(range(100))
    monkeypatch.setattr(worker, "_times_out_of_memory", lambda respondent: next(times))
    with pytest.warns(worker.OutOfMemory, match="memory ran out at batch_tokens=500") as told:
        run_sweep(small_sweep(), tmp_path / "run", batch_tokens=500, progress=False)
    assert len(told) == 1


def test_the_threads_of_the_caller_stay_as_they_were(tmp_path):
    import torch

    before = torch.get_num_threads()
    run_sweep(small_sweep(roles=[None]), tmp_path / "run", threads=2, progress=False)
    assert torch.get_num_threads() == before
    assert read_manifest(tmp_path / "run").computed["threads"] == 2


# ---------------------------------------------------------------- killed and started again


def killed_runs(folder, whole):
    """Kill runs of children, which are forked, so that torch is imported and the model loaded once.

    ``steps`` is killed right before or after the k-th step that changes the disk, again and again;
    ``clock`` once, when it has written some files.
    """
    asked = small_sweep()
    worker.learn_facts(asked.model)
    complete = files(whole)
    # The first three die while the manifest is written (one step to the disk, one for its name).
    for k, after in [
        (1, 0),
        (2, 0),
        (2, 1),
        (1, 0),
        (2, 0),
        (2, 1),
        (3, 0),
        (4, 0),
        (4, 1),
        (5, 1),
    ]:
        child = os.fork()
        if not child:
            die_at_step(k, after=bool(after))
            run_sweep(asked, folder / "steps", progress=False)
            os._exit(0)
        assert killed(child), (k, after)
        for path in (folder / "steps").glob("answers-*"):
            assert path.read_bytes() == complete[path.name], (k, after)
    child = os.fork()
    if not child:
        run_sweep(asked, folder / "clock", progress=False)
        os._exit(0)
    while len(list((folder / "clock").glob("answers-*"))) < 2:
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    assert killed(child)


def die_at_step(k, *, after):
    steps = 0

    def wrap(function):
        def step(*arguments):
            nonlocal steps
            steps += 1
            if steps == k and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*arguments)
            if steps == k:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return step

    for name in ("fsync", "link", "replace"):
        setattr(os, name, wrap(getattr(os, name)))


def killed(child):
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs that are killed are forked")
def test_killed_runs_go_on_and_yield_the_same_bytes(tmp_path, whole):
    code = "import sys, pathlib, test_runs as t; t.killed_runs(*map(pathlib.Path, sys.argv[1:]))"
    command = [sys.executable, "-c", code, str(tmp_path), str(whole)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, check=True, timeout=300)
    assert list((tmp_path / "steps").glob(".*.tmp"))
    for name in ("steps", "clock"):
        folder = tmp_path / name
        there = list(folder.glob("answers-*"))
        assert 2 <= len(there) < 12
        written = {path: path.stat().st_mtime_ns for path in there}
        run_sweep(small_sweep(), folder, progress=False)
        assert files(folder) == files(whole)  # and no leftovers
        assert {path: path.stat().st_mtime_ns for path in there} == written  # not asked again
        pd.testing.assert_frame_equal(read_run(folder), read_run(whole), check_exact=True)


def test_ctrl_c_ends_with_a_line_on_how_to_go_on(tmp_path, whole, monkeypatch, capsys):
    blocks = []

    def interrupted(*arguments, **options):
        blocks.append(store.write_block(*arguments, **options))
        if len(blocks) == 3:
            signal.raise_signal(signal.SIGINT)

    # A process that was started in the background ignores the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(sweep, "write_block", interrupted)
            run_sweep(small_sweep(), tmp_path / "run")
    finally:
        signal.signal(signal.SIGINT, before)
    told = " ".join(capsys.readouterr().err.split())
    assert "24 of 96 cells; missing: blocks 3-11; start again with the same settings" in told
    run_sweep(small_sweep(), tmp_path / "run", progress=False)
    assert files(tmp_path / "run") == files(whole)


def test_a_finished_run_asks_nothing(whole, nothing_is_asked, capsys):
    before = files(whole)
    assert run_sweep(small_sweep(), whole).complete
    assert files(whole) == before
    assert "96 of 96 cells: 384 answers, none missing" in " ".join(capsys.readouterr().err.split())


def test_a_damaged_file_stops_the_run_until_it_is_deleted(copied, whole):
    folder = copied("run", range(12))
    damaged = folder / "answers-000004.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    for read in (
        lambda: run_sweep(small_sweep(), folder, progress=False),
        lambda: read_run(folder),
    ):
        with pytest.raises(ValueError, match=r"answers-000004.parquet is damaged .*; delete it"):
            read()
    damaged.unlink()
    run_sweep(small_sweep(), folder, progress=False)
    assert files(folder) == files(whole)


def test_a_file_of_another_block_is_not_taken_for_an_answer(copied):
    folder = copied("run", range(12))
    os.replace(folder / "answers-000004.parquet", folder / "answers-000005.parquet")
    with pytest.raises(ValueError, match="answers-000005.parquet holds answers of another run or"):
        run_sweep(small_sweep(), folder, progress=False)


# ---------------------------------------------------------------- changed settings


def inventory_with(**changes):
    inventory = small_inventory()
    return Inventory("small", inventory.items.assign(**changes), inventory.values)


CHANGES = {
    "model.name": {"model": "organism-alien"},
    "model.dtype": {"model": ModelSource(NAME, dtype="bfloat16")},
    "model.quantize": {"model": ModelSource(NAME, quantize="8bit")},
    "model.revision": {"model": ModelSource(NAME, revision=40 * "a")},
    "device": {"model": ModelSource(NAME, device="cuda:1")},
    "inventory.fingerprint": {"inventory": inventory_with(key=[1, 1, -1, -1])},
    "roles.fingerprint": {"roles": [None, *sample_roles(load_role_bank(), 23, seed=6)]},
    "roles.names": {"roles": [None, *sample_roles(load_role_bank(), 22, seed=5)]},
    "roles.seeds": {"seeds": (6,)},
    "interventions": {"interventions": (None,)},
    "interventions[up].vector": {"interventions": (None, Shift("up", 1, np.full(96, 0.6)))},
    "interventions[up].layer": {"interventions": (None, Shift("up", 2, np.full(96, 0.5)))},
    "formats": {"formats": (PromptFormat(), PromptFormat("reply", yes_first=False))},
    "mode": {"mode": "generate"},
    "prior": {"prior": True},
    "max_new_tokens": {"max_new_tokens": 50},
    "block_size": {"block_size": 4},
}


@pytest.mark.parametrize("setting", CHANGES)
def test_a_changed_setting_is_refused_by_its_name_before_anything_is_asked(
    copied, nothing_is_asked, setting
):
    folder = copied("run", [0])
    before = files(folder)
    with pytest.raises(ValueError, match="was begun with other settings") as refused:
        run_sweep(small_sweep(**CHANGES[setting]), folder, progress=False)
    heading, *rows, way_out = str(refused.value).splitlines()[1:]
    assert heading.split() == ["setting", "in", "the", "folder", "now"]
    assert setting in [row.split()[0] for row in rows]
    assert "another folder to begin anew" in way_out
    assert files(folder) == before


@pytest.mark.parametrize("option", ["batch_tokens", "threads"])
def test_another_way_of_computing_is_refused_if_asked_for(copied, nothing_is_asked, option):
    folder = copied("run", [0])
    settled = read_manifest(folder).computed[option]
    with pytest.raises(ValueError, match=rf"{option} +{settled} +{settled + 1}\n"):
        run_sweep(small_sweep(), folder, progress=False, **{option: settled + 1})


def test_differences_are_told_where_they_are(copied, nothing_is_asked):
    folder = copied("run", [0])
    roles = list(small_sweep().roles)
    roles[7] = replace(roles[7], name="someone else")
    with pytest.raises(ValueError, match="24, no. 8 is role5-0006 +24, no. 8 is someone else"):
        run_sweep(small_sweep(roles=roles), folder, progress=False)
    with pytest.raises(ValueError, match="24, no. 24 is role5-0022 +23, no no. 24"):
        run_sweep(small_sweep(roles=small_sweep().roles[:23]), folder, progress=False)
    with pytest.raises(ValueError, match="none, up +none\n"):
        run_sweep(small_sweep(interventions=(None,)), folder, progress=False)


UP, PUSH = Shift("up", 1, np.full(96, 0.5)), Shift("push", 1, np.full(96, 0.5), "prompt")
TOLD = Told("told", "You sleep with every door wide open.")
OTHER = {
    "interventions[told].text": [TOLD, Told("told", "You often leave your keys in the car.")],
    "interventions[x].kind": [Told("x", TOLD.text), Shift("x", 1, np.ones(96))],
    "interventions[x].where": [Shift("x", 1, np.ones(96)), Shift("x", 1, np.ones(96), "site")],
    "interventions[x].parts": [Combination("x", [UP, TOLD]), Combination("x", [TOLD, UP])],
    "interventions[x].parts[1. up].vector": [
        Combination("x", [UP, TOLD]),
        Combination("x", [Shift("up", 1, np.zeros(96)), TOLD]),
    ],
    "interventions[x].parts[2. up].layer": [
        Combination("x", [UP, UP]),
        Combination("x", [UP, Shift("up", 0, UP.vector)]),
    ],
    "interventions[x].parts[1. y].parts[1. told].text": [
        Combination("x", [Combination("y", [TOLD])]),
        Combination("x", [Combination("y", [Told("told", "You sing.")])]),
    ],
}


@pytest.mark.parametrize("setting", OTHER)
def test_a_changed_intervention_of_any_kind_is_told_by_its_name(setting):
    facts = Facts({"name": NAME}, "cpu", 100, {})
    there, now, again = (
        describe(small_sweep(interventions=[None, what]), facts, batch_tokens=9, threads=1)
        for what in (*OTHER[setting], OTHER[setting][0])
    )
    assert [name for name, *_ in differences(there.asked, now.asked)] == [setting]
    assert there.run != now.run
    assert differences(there.asked, again.asked) == [] and there.run == again.run
    assert json.loads(json.dumps(there.asked)) == there.asked


def test_a_run_takes_interventions_of_every_kind(tmp_path):
    both = Combination("both", [PUSH, TOLD])
    asked = small_sweep(
        interventions=(None, UP, TOLD, both), roles=small_sweep().roles[:3], formats=()
    )
    run_sweep(asked, tmp_path / "run", progress=False)
    expected = elicit(
        load_model(NAME), asked.inventory, asked.roles, interventions=asked.interventions
    )
    pd.testing.assert_frame_equal(read_run(tmp_path / "run"), expected, rtol=0, atol=1e-5)
    with pytest.raises(
        ValueError, match=r"interventions\[both\]\.parts\[1\. push\]\.where +prompt"
    ):
        other = Combination("both", [Shift("push", 1, PUSH.vector), TOLD])
        run_sweep(replace(asked, interventions=(None, UP, TOLD, other)), tmp_path / "run")


def rewritten(folder, part, **changes):
    """Change the manifest of a folder, as if it had been written elsewhere."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    content[part] |= changes
    path.write_text(json.dumps(content))
    return folder


def test_other_weights_of_the_same_name_are_refused(copied):
    folder = copied("run", [])
    model = {**read_manifest(folder).asked["model"], "revision": "of last week"}
    with pytest.raises(ValueError, match="model.revision +of last week +sha256:"):
        run_sweep(small_sweep(), rewritten(folder, "asked", model=model), progress=False)


def test_other_versions_only_warn(copied, whole):
    folder = rewritten(copied("run", range(11)), "versions", torch="1.0")
    with pytest.warns(UserWarning, match=r"by other versions(.|\n)*torch +1.0 ") as told:
        run_sweep(small_sweep(), folder, progress=False)
    assert told[0].filename == __file__
    assert files(folder) == files(whole)


def test_a_worker_with_another_respondent_is_refused(tmp_path, monkeypatch):
    facts = worker._facts

    def other_device(source):
        return replace(facts(source), device="cuda")

    other_device.cache_clear = lambda: None
    answer = worker.answer

    def elsewhere(task):
        return replace(answer(task), facts=other_device(task.source))

    monkeypatch.setattr(sweep, "answer", elsewhere)
    with pytest.raises(ValueError, match=r"another respondent(.|\n)*device +cpu +cuda"):
        run_sweep(small_sweep(), tmp_path / "run", progress=False)
    assert not run_status(tmp_path / "run").done


# ---------------------------------------------------------------- folders and shards


def test_a_folder_that_holds_something_else_is_refused(tmp_path, nothing_is_asked):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match=r"holds 'thesis.tex', but no run .*a new or an empty"):
        run_sweep(small_sweep(), tmp_path, progress=False)
    with pytest.raises(NotADirectoryError, match="is a file"):
        run_sweep(small_sweep(), tmp_path / "thesis.tex", progress=False)


@pytest.mark.parametrize("content", ["", "{}", '{"layout": 1, "asked": {}}', "[1]", "\0"])
def test_a_manifest_that_cannot_be_read_is_named(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match=r"manifest.json is damaged or none of a run"):
        run_sweep(small_sweep(), tmp_path, progress=False)


def test_a_manifest_of_another_layout_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text('{"layout": 99}')
    with pytest.raises(ValueError, match="layout 99, this version of valuegraph reads 1"):
        read_run(tmp_path)


@pytest.mark.parametrize("read", [read_run, run_status, lambda f: merge_runs([f], f / "out")])
def test_where_there_is_no_run_that_is_said(tmp_path, read):
    with pytest.raises(FileNotFoundError, match="holds no run: manifest.json is missing"):
        read(tmp_path)
    with pytest.raises(FileNotFoundError, match="holds no run: there is no such folder"):
        read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"shard": (5, 4)}, "no shard 5/4"),
        ({"n_jobs": 0}, "n_jobs is 0"),
        ({"batch_tokens": 0}, "batch_tokens must be a whole number of at least 1, got 0"),
        ({"threads": -1}, "threads must be a whole number of at least 1, got -1"),
    ],
)
def test_options_out_of_range_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        run_sweep(small_sweep(), tmp_path / "run", progress=False, **options)
    assert not (tmp_path / "run").exists()


def test_a_model_that_cannot_be_loaded_leaves_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match="unknown model 'nobody'"):
        run_sweep(small_sweep(model="nobody"), tmp_path / "run", progress=False)
    assert list((tmp_path / "run").iterdir()) == []


def test_shards_at_the_same_time_in_one_folder_are_one_run(tmp_path, whole):
    folder, failed = tmp_path / "run", []

    def answer(shard):
        try:
            run_sweep(small_sweep(), folder, shard=shard, progress=False)
        except Exception as error:
            failed.append(error)

    shards = [threading.Thread(target=answer, args=((i, 3),)) for i in (1, 2, 3)]
    for shard in shards:
        shard.start()
    for shard in shards:
        shard.join()
    assert not failed
    assert files(folder) == files(whole)


def test_whoever_writes_the_manifest_first_settles_it(tmp_path, whole, monkeypatch):
    theirs = read_manifest(whole)
    learn = worker.learn_facts

    def while_loading(source):
        write_manifest(replace(theirs, computed=theirs.computed | {"batch_tokens": 77}), folder)
        return learn(source)

    monkeypatch.setattr(sweep, "learn_facts", while_loading)
    folder = tmp_path / "run"
    run_sweep(small_sweep(), folder, shard=(1, 12), progress=False)
    assert read_manifest(folder).computed["batch_tokens"] == 77
    folder = tmp_path / "other"
    with pytest.raises(ValueError, match="block_size +8 +4\n"):
        run_sweep(small_sweep(block_size=4), folder, progress=False)
    assert not run_status(folder).done


def test_a_run_under_way_can_be_read_if_asked_for(copied, whole):
    folder = copied("run", [0, 2, 3, 4, 11])
    status = run_status(folder)
    assert (status.done, status.cells, status.items) == (40, 96, 4)
    assert status.missing == (1, 5, 6, 7, 8, 9, 10)
    assert str(status).endswith("holds 40 of 96 cells; missing: blocks 1, 5-10")
    with pytest.raises(ValueError, match=r"56 of 96 cells are missing .*\(blocks 1, 5-10\)"):
        read_run(folder)
    answers = read_run(whole)
    block = np.repeat(np.arange(12), 8 * 4)
    expected = answers[np.isin(block, [0, 2, 3, 4, 11])].reset_index(drop=True)
    pd.testing.assert_frame_equal(read_run(folder, partial=True), expected, check_exact=True)
    with pytest.raises(ValueError, match="holds no answers yet"):
        read_run(copied("empty", []), partial=True)


# ---------------------------------------------------------------- many processes


def test_two_processes_yield_the_bytes_of_one(tmp_path, whole):
    assert run_sweep(small_sweep(), tmp_path / "run", n_jobs=2, progress=False).complete
    assert files(tmp_path / "run") == files(whole)


def test_what_a_worker_refuses_reaches_the_caller_and_no_file_is_left(tmp_path):
    shift = small_sweep().interventions[1]
    too_wide = type(shift)("up", 1, np.zeros(3))
    with pytest.raises(ValueError, match="shift 'up' has 3 coordinates"):
        run_sweep(
            small_sweep(interventions=(too_wide,)), tmp_path / "run", n_jobs=2, progress=False
        )
    assert files(tmp_path / "run") == {}


def test_a_worker_that_died_is_told_with_the_way_out(tmp_path, whole, monkeypatch):
    answer = sweep.answer

    def die(task):
        if task.number == 2:
            raise BrokenProcessPool("a process was terminated abruptly")
        return answer(task)

    with monkeypatch.context() as patched:
        patched.setattr(sweep, "answer", die)
        with pytest.raises(ChildProcessError, match="16 of 96 cells; .*with fewer jobs to go on"):
            run_sweep(small_sweep(), tmp_path / "run", progress=False)
    run_sweep(small_sweep(), tmp_path / "run", progress=False)
    assert files(tmp_path / "run") == files(whole)


def test_a_dask_cluster_yields_the_bytes_of_one_process(tmp_path, whole):
    from dask.distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, Client(cluster), joblib.parallel_config(backend="dask"):
        assert run_sweep(small_sweep(), tmp_path / "run", progress=False).complete
    assert files(tmp_path / "run") == files(whole)


# ---------------------------------------------------------------- merging


def test_merged_shards_are_the_whole_run(tmp_path, whole):
    for i in (1, 2):
        run_sweep(small_sweep(), tmp_path / f"{i}", shard=(i, 2), progress=False)
    assert merge_runs([tmp_path / "1", tmp_path / "2"], tmp_path / "out").complete
    assert files(tmp_path / "out") == files(whole)
    pd.testing.assert_frame_equal(read_run(tmp_path / "out"), read_run(whole), check_exact=True)
    assert run_sweep(small_sweep(), tmp_path / "out", progress=False).complete


def test_what_no_shard_has_is_told_and_can_be_added(copied, whole, tmp_path):
    first, second = copied("first", [0, 1, 2]), copied("second", [2, 5, 6])
    out = tmp_path / "out"
    assert merge_runs([first, second], out).missing == (3, 4, 7, 8, 9, 10, 11)
    assert merge_runs([copied("third", range(3, 12))], out).complete
    assert files(out) == files(whole)


def test_a_folder_can_take_the_others_in(copied, whole):
    first, second = copied("first", range(7)), copied("second", range(5, 12))
    assert merge_runs([first, second], first).complete
    assert files(first) == files(whole)


def test_an_interrupted_merge_is_finished_by_the_same_call(copied, whole, tmp_path, monkeypatch):
    parts, out = [copied("first", range(7)), copied("second", range(7, 12))], tmp_path / "out"
    replace_file, calls = os.replace, []

    def killed(*paths):
        calls.append(paths)
        if len(calls) == 9:
            raise KeyboardInterrupt
        replace_file(*paths)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            merge_runs(parts, out)
    (out / ".answers-000008.parquet.0f.tmp").touch()
    assert len(run_status(out).missing) == 4
    assert merge_runs(parts, out).complete
    assert files(out) == files(whole)


def test_different_answers_to_the_same_cells_are_refused(copied, tmp_path):
    first, second = copied("first", [0, 1]), copied("second", [1, 2])
    answers = store.read_block(
        store.block_file(second, 1), 1, run=read_manifest(second).run, rows=32
    )
    answers.loc[3, "log_odds"] += 1e-9
    store.write_block(answers, second, 1, run=read_manifest(second).run)
    with pytest.raises(
        ValueError, match="first.answers-000001.*second.*answer the same cells diff"
    ):
        merge_runs([first, second], tmp_path / "out")


def test_parts_of_different_runs_are_not_merged(copied, tmp_path):
    first, second = copied("first", [0]), rewritten(copied("second", [1]), "asked", prior=True)
    with pytest.raises(ValueError, match=r"no parts of one run:\n.*\n +prior +False +True\n"):
        merge_runs([first, second], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="no parts of one run"):
        merge_runs([first], rewritten(copied("third", []), "asked", mode="generate"))
    with pytest.raises(ValueError, match="no folders given"):
        merge_runs([], tmp_path / "out")


@pytest.mark.parametrize("part, setting", [("computed", "device"), ("versions", "torch")])
def test_parts_answered_on_different_machines_merge_with_a_warning(copied, tmp_path, part, setting):
    first, second = copied("first", [0]), rewritten(copied("second", [1]), part, **{setting: "x"})
    with pytest.warns(UserWarning, match=rf"not answered alike(.|\n)*{setting} +\S+ +x") as told:
        merge_runs([first, second], tmp_path / "out")
    assert len(told) == 1 and told[0].filename == __file__
    assert run_status(tmp_path / "out").done == 16


def test_a_merge_does_not_write_among_other_files(copied, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").touch()
    with pytest.raises(ValueError, match="holds 'thesis.tex', but no run"):
        merge_runs([copied("first", [0])], tmp_path / "thesis")


# ------------------------------------------------------------------ a respondent that is loaded


def test_a_respondent_that_is_loaded_already_is_not_loaded_again(whole, tmp_path, monkeypatch):
    respondent = load_model(NAME)
    loaded = []
    monkeypatch.setattr(ModelSource, "load", lambda source: loaded.append(source))
    status = run_sweep(small_sweep(), tmp_path / "lent", respondent=respondent, progress=False)
    assert status.complete and not loaded
    assert files(tmp_path / "lent") == files(whole)
    # It was only lent: the next run loads its own.
    with pytest.raises(AttributeError):
        run_sweep(small_sweep(), tmp_path / "alone", progress=False)
    assert loaded


def test_a_respondent_other_than_the_sweep_says_is_refused(tmp_path):
    respondent = load_model("organism-alien")
    with pytest.raises(ValueError, match="name 'organism-alien', and the sweep says"):
        run_sweep(small_sweep(), tmp_path / "a", respondent=respondent, progress=False)
    source = ModelSource("organism-alien", dtype="bfloat16")
    with pytest.raises(ValueError, match="dtype 'float32', and the sweep says 'bfloat16'"):
        run_sweep(small_sweep(model=source), tmp_path / "b", respondent=respondent, progress=False)
    with pytest.raises(ValueError, match="n_jobs is 2"):
        run_sweep(small_sweep(), tmp_path / "c", respondent=respondent, n_jobs=2)
