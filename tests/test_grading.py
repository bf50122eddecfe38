"""Grading a folder of notebooks: each kind of submission, and every solution of the book."""

import csv
import io
import json
import os
import pickle

import numpy as np
import pandas as pd
import pytest
from book_support import grading
from book_support.grading import Limits, Receiver, Sender, grade_folder, main, with_missing
from test_exercises import CODE, LOADED

import valuegraph as vg

IMPORTS = "import numpy as np\nfrom book_support import check"
RIGHT = "def keyed_score(agreement, keys):\n    return np.mean(agreement * keys)"
CALL = 'check("elicit-score", keyed_score)'


def notebook(*sources):
    """A notebook with a cell for each source."""
    cells = [{"cell_type": "code", "metadata": {}, "source": source} for source in sources]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def graded(folder, *sources, name="ann/chapter.ipynb", **limits):
    """The grades of a folder with one notebook, by label."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook(*sources), encoding="utf-8")
    return {grade.label: grade for grade in grade_folder(folder, Limits(**limits))}


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        (f"{RIGHT}\n\n\n{CALL}", ""),
        (f"%time 1\n!ls\n{RIGHT}\n{CALL}\nprint('done')", ""),
        (f"{RIGHT.replace('mean', 'sum')}\n{CALL}", "yes to three questions"),
        (f"def keyed_score(agreement, keys):\n    return None\n\n\n{CALL}", "not written yet"),
        (f"keyed_score = None\n{CALL}", "not written yet"),
        (f"{RIGHT}\nraise KeyError('mine')\n{CALL}", "it stops with KeyError: 'mine'"),
        (f"{RIGHT.replace('keys):', 'keys:')}\n{CALL}", "the cell cannot be read"),
        (f"{RIGHT}\nprint({CALL})", "the cell has to end with"),
        (f"{RIGHT.replace('np', 'table')}\n{CALL}", "NameError: name 'table' is not defined"),
        (f"import sys\nsys.exit()\n{CALL}", "it stops with SystemExit"),
        (f"import os\nos._exit(0)\n{CALL}", "its process ended"),
        (f"class Odd:\n    pass\n\n\nkeyed_score = Odd()\n{CALL}", "it stops with PicklingError"),
        (f"{RIGHT}\n{CALL.replace('score', 'nothing', 1)}", "no exercise 'elicit-nothing'"),
    ],
)
def test_what_a_cell_gets(tmp_path, cell, problem):
    (grade,) = graded(tmp_path, IMPORTS, "stops = 1 / 0", cell).values()
    assert grade.right == (problem == "")
    assert problem in grade.problem


ENDLESS = [
    f"while True:\n    pass\n\n\n{CALL}",
    f"def keyed_score(agreement, keys):\n    while True:\n        pass\n\n\n{CALL}",
]


@pytest.mark.parametrize("cell", ENDLESS, ids=["cell", "function"])
def test_an_endless_cell_costs_its_own_points_only(tmp_path, cell):
    own = 'check("elicit-other", 1)'
    grades = graded(tmp_path, IMPORTS, cell, own, seconds=3)
    assert "TimeoutError: not done after 3 seconds" in grades["elicit-score"].problem
    assert "no exercise 'elicit-other'" in grades["elicit-other"].problem


@pytest.mark.skipif(not hasattr(os, "setsid"), reason="no such limit on this system")
def test_memory_is_limited(tmp_path):
    cell = f"{RIGHT}\nbig = bytearray(8 * 2**30)\n{CALL}"
    (grade,) = graded(tmp_path, IMPORTS, cell, gigabytes=4).values()
    assert grade.problem.startswith("it stops with MemoryError")


def sent(value):
    """A value as it arrives, and the functions that stayed behind."""
    file, kept = io.BytesIO(), []
    Sender(file, kept).dump(value)
    return Receiver(file.getvalue(), lambda number: kept[number]).load(), kept


TABLE = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})


@pytest.mark.parametrize(
    "value",
    [
        3,
        None,
        [1, {"a": (2,)}],
        {1, 2},
        np.float64(2),
        np.eye(2),
        np.array(["a"]),
        TABLE,
        TABLE["a"],
    ]
    + [TABLE.T, TABLE.set_index(["a", "b"]).index, vg.load_truth("organism-human").cpdag()],
    ids=lambda value: type(value).__name__,
)
def test_an_answer_arrives_as_it_was_sent(value):
    arrived, kept = sent(value)
    assert repr(arrived) == repr(value) and kept == []


@pytest.mark.parametrize("function", [lambda x: x, np.mean, np.add, sent])
def test_a_function_stays_where_it_is(function):
    arrived, kept = sent({"f": function})
    assert arrived["f"] is function and kept == [function]


class Runs:
    def __reduce__(self):
        return exec, ("1 / 0",)


def test_what_would_run_here_is_refused():
    with pytest.raises(TypeError, match="an answer cannot be a builtins.exec"):
        Receiver(pickle.dumps(Runs()), print).load()


WRONG = "def keyed_score(agreement, keys):\n    return 5.0"
CHEATS = {
    "own check": f"def check(label, answer):\n    return 'right'\n\n\n{WRONG}\n{CALL}",
    "patched check": "import book_support.exercises.elicit as e\n"
    f"e.score = lambda answer: None\n{WRONG}\n{CALL}",
    "patched comparison": f"np.allclose = lambda *a, **k: True\n{WRONG}\n{CALL}",
    "equal to all": "class Same(float):\n    __eq__ = lambda a, b: True\n"
    f"    __hash__ = None\n\n\nkeyed_score = lambda a, k: Same(5)\n{CALL}",
    "another label": f"{WRONG}\ncheck('elicit-' 'score', keyed_score)",
}


@pytest.mark.parametrize("cell", CHEATS.values(), ids=CHEATS)
def test_cheating_does_not_pay(tmp_path, cell):
    (grade,) = graded(tmp_path, IMPORTS, cell).values()
    assert not grade.right and grade.problem


@pytest.mark.parametrize("cell", list(CHEATS.values())[:2], ids=list(CHEATS)[:2])
def test_checks_inside_are_read_anew(tmp_path, monkeypatch, cell):
    monkeypatch.setattr(grading, "INSIDE", {"elicit-score"})
    (right,) = graded(tmp_path / "right", IMPORTS, f"{RIGHT}\n{CALL}").values()
    (wrong,) = graded(tmp_path / "wrong", IMPORTS, cell).values()
    assert right.right and not wrong.right and "is not right" in wrong.problem


def test_a_students_own_copy_of_the_checks_is_not_used(tmp_path):
    fake = tmp_path / "ann" / "book_support"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("check = print\n")
    (grade,) = graded(tmp_path, IMPORTS, f"{WRONG}\n{CALL}").values()
    assert not grade.right


def test_what_an_answer_reads_or_leaves_is_in_a_folder_of_its_own(tmp_path):
    cell = f"open('left.txt', 'w').write('x')\n{RIGHT}\n{CALL}"
    (grade,) = graded(tmp_path, IMPORTS, cell).values()
    assert grade.right
    assert not list(tmp_path.rglob("left.txt"))


def test_the_table_has_a_row_for_each_exercise_of_each_student(tmp_path, capsys, monkeypatch):
    good, bad = f"{RIGHT}\n{CALL}", f"{WRONG}\n{CALL}"
    for name, text in {
        "ann/one.ipynb": notebook(IMPORTS, bad, good),  # the last counts
        "bob.ipynb": notebook(IMPORTS, bad),
        "cy/one.ipynb": "this is not JSON",
        "di/one.ipynb": notebook(IMPORTS, 'check("elicit-nothing", 1)'),
        "di/.ipynb_checkpoints/one.ipynb": notebook(IMPORTS, good),
    }.items():
        path = tmp_path / "all" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    main([str(tmp_path / "all"), "--out", str(tmp_path / "grades.csv"), "--jobs", "2"])
    with (tmp_path / "grades.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    got = {(row["student"], row["label"]): row["right"] for row in rows}
    assert got["ann", "elicit-score"] == "True" and got["bob", "elicit-score"] == "False"
    assert got["cy", ""] == got["di", "elicit-score"] == "False"
    (odd,) = (row["problem"] for row in rows if row["student"] == "cy")
    assert odd == "this is no notebook (JSONDecodeError)"
    said = capsys.readouterr().out
    assert "elicit-score                       1 of 3" in said
    assert "cy/one.ipynb: this is no notebook" in said


def test_an_empty_folder_is_told(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(tmp_path)])
    assert "no notebook lies below" in capsys.readouterr().err


def test_nothing_is_missing_where_nobody_has_more():
    assert with_missing([]) == []


@pytest.mark.parametrize("chapter", [name for name, loaded in LOADED.items() if loaded.stubs])
def test_the_books_own_solutions_are_right(tmp_path, chapter):
    # One that is right in its page and stops here cannot be called from outside: see INSIDE.
    loaded = LOADED[chapter]
    solved = [
        "\n".join([*CODE.findall(loaded.solutions[label]), stub.strip().splitlines()[-1]])
        for label, stub in loaded.stubs.items()
    ]
    found = graded(tmp_path, loaded.imports, *solved)
    assert {label: grade.problem for label, grade in found.items()} == dict.fromkeys(
        loaded.stubs, ""
    )
