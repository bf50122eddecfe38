"""Tables of users are read as spreadsheets write them; what is not sound is refused."""

import os

import numpy as np
import pandas as pd
import pytest

from valuegraph.tables import (
    doubts,
    read_csv,
    read_own_table,
    refusing,
    require_text,
    require_unique,
    require_whole,
)


@pytest.fixture
def read(tmp_path):
    """Writes a file and reads it as a table with columns a and b, and maybe c."""

    def write_and_read(content):
        path = tmp_path / "own.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_own_table(path, ("a", "b"), ("c",))

    return write_and_read


def test_cells_are_stripped_strings_and_rows_are_numbered_as_spreadsheets_do(read):
    table = read('b,c,a\n1 ,,NA\n,,\n\n"x, ""y""","two\nlines", 2.50\n')
    assert table.index.tolist() == [2, 5]
    assert table["a"].tolist() == ["NA", "2.50"] and table["b"].tolist() == ["1", 'x, "y"']
    assert table["c"].tolist() == ["", "two\nlines"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_marks_of_spreadsheets_do_not_matter(read, line_end):
    content = "\ufeffa,b" + line_end + "Wörter,2" + line_end
    assert read(content).to_dict("list") == {"a": ["Wörter"], "b": ["2"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a CSV file.*No columns"),
        ("a\n1\n", "lacks the columns b"),
        ("a;b\n1;2\n", "unknown column 'a;b'"),
        ("a,b,a\n1,2,3\n", "unknown column 'a.1'"),
        ("a,b\n\n,\n", "lacks rows"),
        ("a,b\n1,2\n3,4,5\n", "Expected 2 fields in line 3, saw 3"),
        ("a,b\n1,2,3\n", 'more cells than columns; "quote" commas'),
        ("a,b\n1,2\n3, \n", "row 3: b is empty"),
        ("a,b\n1\n", "row 2: b is empty"),
        ('a,b\n1,"2\n', "EOF inside string"),
        ("a,b\n1,Wörter\n".encode("latin-1"), "not a CSV file in UTF-8"),
    ],
)
def test_a_file_that_is_not_sound_is_refused_by_name(read, content, message):
    with pytest.raises(ValueError, match=f"(?s)own.csv.*{message}"):
        read(content)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="own.csv"):
        read_own_table(tmp_path / "own.csv", ("a",))


def test_entries_are_texts_unique_and_numbers_whole():
    with pytest.raises(ValueError, match=r"there, row 'x': a is empty or no text"):
        require_text(pd.DataFrame({"a": ["y", None]}, index=["z", "x"]), "there")
    with pytest.raises(ValueError, match="name 'Two ' stands twice"):
        require_unique(pd.Series(["two", "one", "Two "]), "name")
    for number in (0, 1.0, True, None, "2"):
        with pytest.raises(ValueError, match=r"n is .* at least 1"):
            require_whole(number, 1, "n")
    require_whole(1, 1, "n")
    with pytest.raises(ValueError, match="n is 1001; a whole number of 1 to 1,000 is needed"):
        require_whole(1001, 1, "n", 1000)


GRADES = np.random.default_rng(0).integers(1, 7, 300).astype(float)


def coded(code, times):
    return np.concatenate([np.full(times, float(code)), GRADES[times:]])


@pytest.mark.parametrize(
    ("name", "column", "doubt"),
    [
        ("v", coded(88, 3), "88 (3 times) lies far from all else"),
        ("v", coded(-99, 3), "-99 (3 times) lies far"),
        (
            "v",
            np.where(coded(77, 4) == 77, [*[99] * 2, *[88] * 298], GRADES),
            "88 (2 times), 99 (2",
        ),
        ("v", np.arange(300), "column 'v' counts the rows"),
        ("v", np.random.default_rng(0).permutation(300) + 1000, "column 'v' counts the rows"),
        ("Unnamed: 0", GRADES, "column 'Unnamed: 0' has no name"),
        ("", GRADES, "column '' has no name"),
    ],
)
def test_what_is_hardly_a_measurement_is_doubted(name, column, doubt):
    (found,) = doubts(pd.DataFrame({"other": GRADES, name: column}))
    assert found.startswith(doubt)


def test_one_code_in_each_of_two_columns_repeats():
    (found,) = doubts(pd.DataFrame({"a": coded(88, 1), "b": coded(88, 1)[::-1]}))
    assert found.startswith("88 (2 times)")


def test_ten_rows_are_enough_to_count_and_three_grades_to_lie_far_from():
    assert doubts(pd.DataFrame({"v": np.arange(10)})) == ["column 'v' counts the rows"]
    (found,) = doubts(pd.DataFrame({"v": [1, 2, 3] * 9 + [99, 99]}))
    assert found.startswith("99 (2 times)")


@pytest.mark.parametrize(
    "column",
    [
        GRADES,
        coded(9, 5),  # not so far away
        coded(88, 1),  # a single outlier may be true
        np.random.default_rng(0).standard_cauchy(300),
        np.random.default_rng(0).standard_normal(300).round(1),
        (GRADES > 5).astype(float),  # two kinds alone lie as far apart as they must
        np.arange(9.0),
    ],
)
def test_what_may_be_a_measurement_is_not_doubted(column):
    assert doubts(pd.DataFrame({"v": column})) == []


def test_whatever_a_reader_stumbles_over_is_told_in_one_line():
    def told(error):
        with pytest.raises(ValueError, match="^x is no y: ") as caught, refusing("x is no y"):
            raise error
        return str(caught.value)

    assert told(KeyError("dtype")) == "x is no y: KeyError: 'dtype'"
    assert told(ValueError("two\n  lines")) == "x is no y: two lines"
    assert told(OSError("thrift")).endswith("OSError: thrift")
    assert len(told(RuntimeError("long " * 1000))) < 400


@pytest.mark.parametrize("error", [PermissionError(13, "denied"), MemoryError(), ImportError("x")])
def test_what_the_machine_is_to_blame_for_is_not_blamed_on_a_file(error):
    with pytest.raises(type(error)), refusing("x is no y"):
        raise error


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_what_may_never_end_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(ValueError, match="is a folder, a device or a pipe; name a file"):
            read_csv(tmp_path / name)
