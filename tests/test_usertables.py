"""Tables of users are read as spreadsheets write them; faults are told with their rows."""

import pytest

from valuegraph.usertables import read_own_table


@pytest.fixture
def read(tmp_path):
    """Writes a file and reads it as a table with columns a and b, and maybe c."""

    def write_and_read(content):
        path = tmp_path / "own.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_own_table(path, columns=("a", "b"), optional=("c",), what="table")

    return write_and_read


def test_cells_are_strings_without_surrounding_spaces(read):
    table = read("a, b\n1 ,NA\n 2.50,\n".replace(",\n", ",null\n"))
    assert table.to_dict("list") == {"a": ["1", "2.50"], "b": ["NA", "null"]}


def test_rows_are_numbered_as_spreadsheets_do(read):
    table = read('a,b\n1,x\n,\n\n2,"two\nlines"\n3,z\n')
    assert table.index.tolist() == [2, 5, 6]
    assert table["b"].tolist() == ["x", "two\nlines", "z"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_marks_of_spreadsheets_do_not_matter(read, line_end):
    content = "\ufeffa,b" + line_end + '"Wörter, ""zitiert""",2' + line_end
    assert read(content).to_dict("list") == {"a": ['Wörter, "zitiert"'], "b": ["2"]}


def test_columns_come_in_any_order_and_optional_cells_may_be_empty(read):
    table = read("c,b,a\n,2,1\nz,4,3\n")
    assert table.to_dict("list") == {"c": ["", "z"], "b": ["2", "4"], "a": ["1", "3"]}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "column 'a', 'b' is missing; needed are a, b, allowed are c, found none"),
        ("a\n1\n", "column 'b' is missing.*found 'a'"),
        ("a;b\n1;2\n", "column 'a', 'b' is missing.*found 'a;b'. Columns are separated by commas"),
        ("a,b,d\n1,2,3\n", "column 'd' is unknown.*found 'a', 'b', 'd'"),
        ("a,b,\n1,2,\n", "column '' is unknown"),
        ("a,b,a\n1,2,3\n", "column 'a' appears twice"),
        ("a,b\n", "no rows below the names of the columns"),
        ("a,b\n\n,\n", "no rows below the names of the columns"),
        ("a,b\n1,2\n3,4,5\n", 'row 3: 3 cells, but 2 columns; .*in "quotes"'),
        ("a,b\n1\n", "row 2: 1 cells, but 2 columns"),
        ("a,b\n1,2\n3, \n", "row 3: b is empty"),
        ("a,b,c\n1,2,\n,,5\n", "row 3: a, b is empty"),
        ('a,b\n1,"2\n', "is no CSV file .*quotes around a cell must be closed"),
        ("a,b\n1,Wörter\n".encode("latin-1"), r"not encoded in UTF-8 \(byte 7\)"),
    ],
)
def test_what_is_not_in_order_is_refused(read, content, told):
    with pytest.raises(ValueError, match=f"(?s)table '.*own.csv'.*{told}"):
        read(content)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"table '.*own\.csv': there is no such file"):
        read_own_table(tmp_path / "own.csv", columns=("a",), what="table")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_own_table(tmp_path, columns=("a",), what="table")
