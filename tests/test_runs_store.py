"""Files of answers: whole or not there, the same bytes, and refused when they are not in order."""

import os

import numpy as np
import pandas as pd
import pytest

from valuegraph.runs import store
from valuegraph.runs.store import (
    block_file,
    read_block,
    remove_leftovers,
    write_block,
    write_file,
    write_new_file,
)


@pytest.fixture
def answers():
    n = 6
    return pd.DataFrame(
        {
            "model": "m",
            "role": np.repeat(["a", "b"], 3),
            "key": np.tile([1, -1, 1], 2),
            "answer": np.array([1, -1, 0] * 2, np.int8),
            "log_odds": [0.1, -2.5, np.nan, 1e-300, 3.0, -0.0],
            "text": [f"Answer: yes {i}" for i in range(n)],
        }
    )


def test_a_block_comes_back_as_it_was(tmp_path, answers):
    write_block(answers, tmp_path, 3, run="r")
    read = read_block(tmp_path / "answers-000003.parquet", 3, run="r", rows=6)
    pd.testing.assert_frame_equal(read, answers, check_exact=True)
    assert [p.name for p in tmp_path.iterdir()] == ["answers-000003.parquet"]


def test_the_name_of_a_folder_is_no_column(tmp_path, answers):
    folder = tmp_path / "dtype=float32"
    folder.mkdir()
    write_block(answers, folder, 0, run="r")
    read = read_block(block_file(folder, 0), 0, run="r", rows=6)
    assert list(read.columns) == list(answers.columns)


def test_the_same_answers_give_the_same_bytes(tmp_path, answers):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_block(answers.copy(), tmp_path / folder, 0, run="r")
    first, second = (block_file(tmp_path / folder, 0).read_bytes() for folder in ("a", "b"))
    assert first == second


@pytest.mark.parametrize("kept", [0, 4, 200, -8, -1])
def test_a_truncated_file_is_named_with_the_way_out(tmp_path, answers, kept):
    path = block_file(tmp_path, 0)
    write_block(answers, tmp_path, 0, run="r")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"answers-000000.parquet is damaged .*; delete it"):
        read_block(path, 0, run="r", rows=6)


def test_no_changed_byte_changes_an_answer_unnoticed(tmp_path, answers):
    path = block_file(tmp_path, 0)
    write_block(answers, tmp_path, 0, run="r")
    content, noticed = path.read_bytes(), 0
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 0xFF
        path.write_bytes(changed)
        try:
            read = read_block(path, 0, run="r", rows=6)
        except ValueError as error:
            assert "000000.parquet" in str(error)
            noticed += 1
        else:
            pd.testing.assert_frame_equal(read, answers, check_exact=True)
    assert noticed > 0.5 * len(content) / 7


def test_a_file_of_another_run_block_or_size_is_named_with_the_way_out(tmp_path, answers):
    path = block_file(tmp_path, 0)
    write_block(answers, tmp_path, 0, run="r")
    for number, run in ((0, "other"), (1, "r")):
        with pytest.raises(ValueError, match="another run or block; move it out of the folder"):
            read_block(path, number, run=run, rows=6)
    with pytest.raises(ValueError, match="holds 6 answers instead of 7.*delete it"):
        read_block(path, 0, run="r", rows=7)
    answers.to_parquet(path)
    with pytest.raises(ValueError, match="another run or block"):
        read_block(path, 0, run="r", rows=6)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    write_file(path, b"old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="disk full"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_is_written_by_the_first_alone(tmp_path, monkeypatch, links):
    if not links:

        def refuse(*_):
            raise OSError("this file system has no links")

        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "file"
    assert write_new_file(path, b"first") is True
    assert write_new_file(path, b"second") is False
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_temporary_file_that_is_taken_for_a_leftover_is_written_again(tmp_path, monkeypatch):
    replace, removed = os.replace, []

    def remove_then_replace(source, target):
        if not removed:
            removed.append(source)
            remove_leftovers(tmp_path, ["file"])
        replace(source, target)

    monkeypatch.setattr(os, "replace", remove_then_replace)
    write_file(tmp_path / "file", b"content")
    assert removed and (tmp_path / "file").read_bytes() == b"content"


def test_only_leftovers_of_the_files_named_are_removed(tmp_path):
    names = [
        ".answers-000000.parquet.0f.tmp",
        ".answers-000001.parquet.0f.tmp",
        ".manifest.json.0f.tmp",
        "answers-000000.parquet",
        ".hidden",
    ]
    for name in names:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, [store.MANIFEST, "answers-000000.parquet"])
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {names[1], names[3], names[4]}
