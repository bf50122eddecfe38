"""Files of a run: whole or not there, the same bytes, and refused when they are not in order."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from valuegraph import run_folder
from valuegraph.inventory import fingerprint
from valuegraph.run_folder import (
    RunStatus,
    block_file,
    blocks_of,
    differences,
    read_block,
    read_manifest,
    read_run,
    run_status,
    write_block,
    write_whole,
)


def settings(n_formats=1, n_roles=2, n_interventions=1, block_size=1):
    names = {"formats": n_formats, "roles": n_roles, "interventions": n_interventions}
    lists = {what: [f"{what}{k}" for k in range(n)] for what, n in names.items()}
    return {**lists, "block_size": block_size, "inventory.items": 3}


@pytest.fixture
def answers():
    return pd.DataFrame(
        {
            "role": np.repeat(["a", "b"], 3),
            "key": np.tile([1, -1, 1], 2),
            "answer": np.array([1, -1, 0] * 2, np.int8),
            "log_odds": [0.1, -2.5, np.nan, 1e-300, 3.0, -0.0],
            "text": [f"Answer: yes, {i}\n" for i in range(6)],
        }
    )


@pytest.fixture
def run(tmp_path, answers):
    """A run of two blocks, of which the second is answered."""
    manifest = {"layout": run_folder.LAYOUT, "asked": settings(), "computed": {}, "versions": {}}
    write_whole(tmp_path / "manifest.json", json.dumps(manifest).encode())
    write_block(answers[3:].reset_index(drop=True), tmp_path, settings(), 1)
    return tmp_path


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 7, 3), (1, 5, 40)])
@pytest.mark.parametrize("block_size", [1, 2, 3, 16, 1000])
def test_blocks_hold_every_cell_once_and_in_order(sizes, block_size):
    blocks = blocks_of(settings(*sizes, block_size))
    formats, roles, interventions = map(range, sizes)
    assert [(b.fmt, r, i) for b in blocks for r in b.roles for i in b.interventions] == [
        (f, r, i) for f in formats for r in roles for i in interventions
    ]
    assert [block.number for block in blocks] == list(range(len(blocks)))
    assert all(1 <= b.cells == len(b.roles) * len(b.interventions) <= block_size for b in blocks)


def test_answers_come_back_as_they_were_and_as_the_same_bytes(tmp_path, answers):
    for name in ("a", "dtype=float32"):  # no column by that name
        folder = tmp_path / name
        folder.mkdir()
        write_block(answers.copy(), folder, settings(), 3)
        assert [path.name for path in folder.iterdir()] == ["answers-000003.parquet"]
        read = read_block(folder, settings(), 3)
        pd.testing.assert_frame_equal(read, answers, check_exact=True)
        assert read.attrs == answers.attrs == {}
    first, second = (block_file(tmp_path / n, 3).read_bytes() for n in ("a", "dtype=float32"))
    assert first == second


def test_no_changed_byte_changes_an_answer_unnoticed(tmp_path, answers):
    write_block(answers, tmp_path, settings(), 0)
    path = block_file(tmp_path, 0)
    content, noticed = path.read_bytes(), 0
    for place in range(0, len(content), 23):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            read = read_block(tmp_path, settings(), 0)
        except ValueError as error:
            assert f"{path} is damaged, or of another run" in str(error)
            noticed += 1
        else:
            pd.testing.assert_frame_equal(read, answers, check_exact=True)
    assert noticed > 0.5 * len(content) / 23


@pytest.mark.parametrize("kept", [0, 4, 200, -8, -1])
def test_half_a_file_is_named(tmp_path, answers, kept):
    write_block(answers, tmp_path, settings(), 0)
    path = block_file(tmp_path, 0)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match="answers-000000.parquet is damaged.*move it away"):
        read_block(tmp_path, settings(), 0)


def test_a_file_of_another_run_or_block_is_named(tmp_path, answers):
    write_block(answers, tmp_path, settings(), 0)
    with pytest.raises(ValueError, match=r"000000.parquet is .*of another run or block.*label"):
        read_block(tmp_path, settings(n_roles=3), 0)
    block_file(tmp_path, 0).rename(block_file(tmp_path, 1))
    with pytest.raises(ValueError, match=r"000001.parquet is .*of another run or block.*label"):
        read_block(tmp_path, settings(), 1)
    answers.to_parquet(block_file(tmp_path, 0))
    with pytest.raises(ValueError, match=r"000000.parquet is .*of another run or block.*label"):
        read_block(tmp_path, settings(), 0)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_only_files_are_written_over_and_a_link_stays_one(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is a folder, a device or a pipe; name a file to write"):
        write_whole(tmp_path / "pipe", b"new")
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("file")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_bytes() == b"new"


def test_answers_that_may_not_be_read_are_not_called_damaged(tmp_path, answers, monkeypatch):
    write_block(answers, tmp_path, settings(), 0)

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pd, "read_parquet", denied)
    with pytest.raises(PermissionError):
        read_block(tmp_path, settings(), 0)


@pytest.mark.parametrize("links", [True, False])
def test_what_is_kept_is_written_by_the_first_alone(tmp_path, monkeypatch, links):
    if not links:

        def refuse(*_):
            raise OSError("this file system has no links")

        monkeypatch.setattr(os, "link", refuse)
    for content in (b"first", b"second"):
        write_whole(tmp_path / "file", content, keep=True)
    assert (tmp_path / "file").read_bytes() == b"first"
    write_whole(tmp_path / "file", b"third")
    assert (tmp_path / "file").read_bytes() == b"third"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_run_under_way_can_be_read_if_asked_for(run, answers):
    status = run_status(run)
    assert status == RunStatus(run, 1, 2, 3, missing=(0,)) and not status.complete
    assert str(status).endswith("holds 1 of 2 cells; missing: block 0")
    with pytest.raises(ValueError, match=r"missing: block 0; .* take what is there \(partial\)"):
        read_run(run)
    there = read_run(run, partial=True)
    pd.testing.assert_frame_equal(there, answers[3:].reset_index(drop=True), check_exact=True)
    write_block(answers[:3], run, settings(), 0)
    assert str(run_status(run)).endswith("holds 2 of 2 cells: 6 answers, none missing")
    pd.testing.assert_frame_equal(read_run(run), answers, check_exact=True)
    for number in (0, 1):
        block_file(run, number).unlink()
    with pytest.raises(ValueError, match="holds 0 of 2 cells; missing: blocks 0, 1; start the run"):
        read_run(run, partial=True)
    many = str(RunStatus(run, 0, 20, 3, missing=tuple(range(20))))
    assert many.endswith("missing: blocks 0, 1, 2, 3, 4, 5, 6, 7, ...")


def test_a_manifest_that_was_changed_is_named_and_its_answers_are_not_blamed(run):
    manifest = json.loads((run / "manifest.json").read_text())
    whole = manifest | {"digest": fingerprint(manifest)}
    (run / "manifest.json").write_text(json.dumps(whole))
    assert run_status(run).done == 1 and "digest" not in read_manifest(run)
    for change in ({"computed": {"threads": 2}}, {"asked": settings(n_roles=3)}):
        (run / "manifest.json").write_text(json.dumps(whole | change))
        with pytest.raises(ValueError, match="manifest.json is damaged .*changed after"):
            run_status(run)


@pytest.mark.parametrize("content", ["", "{}", '{"layout": 2, "asked": {}}', "[1]", "\0"])
def test_a_manifest_that_cannot_be_read_is_named(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match=r"manifest.json is damaged or none of a run"):
        read_manifest(tmp_path)


def test_a_manifest_of_another_layout_is_refused_and_a_missing_one_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no run: .*manifest.json is missing"):
        run_status(tmp_path)
    (tmp_path / "manifest.json").write_text('{"layout": 1}')
    with pytest.raises(ValueError, match="layout 1, this version reads 2"):
        read_run(tmp_path)


def test_differences_are_told_where_they_are():
    there = {"roles": ["a", "b", "c"], "mode": "logit", "dtype": None, "prior": False, "seeds": []}
    assert differences(there, there) == ""
    now = there | {"roles": ["a", "x", "c"], "dtype": "bfloat16", "seeds": [1]}
    heading, *rows = differences(there, now).splitlines()
    assert heading.split() == ["setting", "in", "the", "folder", "now"]
    assert [row.split() for row in rows] == [
        ["roles", "b", "x"],
        ["dtype", "-", "bfloat16"],
        ["seeds", "-", "1"],
    ]
