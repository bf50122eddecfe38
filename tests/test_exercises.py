"""Every check of an exercise fails the stub, passes the solution, and tells typical mistakes apart.

`tests/mistakes/CHAPTER.py` holds the mistakes, by the name of the exercise within its chapter.
"""

import ast
import re
from importlib import import_module

import nbformat
import pytest
from book_support.exercises import NOT_YET, check, differs
from book_support.grading import called
from measure_pages import ROOT, pages

CHAPTERS = [page for page in pages() if page.parent.name == "notebooks"]
EXERCISE = re.compile(r"(?sm)^:{3,}\{exercise\}[^\n]*\n:label: (\S+)\n(.*?)^:{3,}$")
SOLUTION = re.compile(r"(?sm)^:{3,}\{solution\} (\S+)\n(.*?)^:{3,}$")
CODE = re.compile(r"(?sm)^```python\n(.*?)^```")


class Chapter:
    """The exercises of a chapter, with stubs and solutions."""

    def __init__(self, page):
        self.cells = nbformat.read(ROOT / page, as_version=4).cells
        text = "\n\n".join(c.source for c in self.cells if c.cell_type == "markdown")
        self.efforts = {label: body for label, body in EXERCISE.findall(text)}
        self.solutions = dict(SOLUTION.findall(text))
        code = [c for c in self.cells if c.cell_type == "code"]
        self.imports = code[1].source
        tagged = [c.source for c in code if "exercise" in c.metadata.get("tags", [])]
        self.stubs = {called(ast.parse(source).body[-1])[0]: source for source in tagged}

    def outcome(self, label, code=None):
        """What the check says of `code`, which stands before the call in the stub's cell."""
        names = {}
        exec(self.imports, names)
        stub = self.stubs[label]
        call = ast.parse(stub).body[-1]
        exec("\n".join(stub.splitlines()[: call.lineno - 1]) if code is None else code, names)
        return eval(ast.unparse(call), names)


LOADED = {page.stem: Chapter(page) for page in CHAPTERS}
EVERY = pytest.mark.parametrize(
    ("chapter", "label"),
    [(chapter, label) for chapter, loaded in LOADED.items() for label in loaded.stubs],
)


@EVERY
def test_the_stub_fails_and_is_told_that_it_is_a_stub(chapter, label):
    assert LOADED[chapter].outcome(label).problem == NOT_YET


@EVERY
def test_the_solution_passes(chapter, label):
    code = "\n".join(CODE.findall(LOADED[chapter].solutions[label]))
    assert repr(LOADED[chapter].outcome(label, code)) == f"{label}: right"


@EVERY
def test_typical_mistakes_are_told_apart(chapter, label):
    prefix, _, name = label.partition("-")
    mistakes = import_module(f"mistakes.{prefix}").MISTAKES[name]
    said = [check(label, mistake).problem for mistake in mistakes]
    assert len(said) >= 2 and None not in said and NOT_YET not in said
    assert len({*said}) == len(said)
    assert not [problem for problem in said if "stops with" in problem]


def test_an_unknown_exercise_is_named():
    with pytest.raises(ValueError, match="no exercise 'elicit-nothing' has a check"):
        check("elicit-nothing", 1)


def test_what_a_student_raises_is_told():
    def broken(agreement, keys):
        return 1 / 0

    assert repr(check("elicit-score", broken)) == (
        "elicit-score: it stops with ZeroDivisionError: division by zero"
    )


def test_a_function_is_compared_case_by_case():
    cases = {"one": (1,), "two": ([1, 2],)}
    assert differs(lambda x: x, lambda x: x, cases) is None
    assert differs(lambda x: 1, lambda x: x, cases) == "two: shape (), but (2,) is asked for"
    assert differs(lambda x: 2.5, lambda x: x, cases) == "one: 2.5 is not right"
    assert differs(lambda x: None, lambda x: x, cases) == NOT_YET
