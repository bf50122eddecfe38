"""The examples of the API page: one for each stage, run as they stand."""

import doctest
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "book" / "api.md"
STAGES = re.split(r"(?m)^## ", PAGE.read_text(encoding="utf-8"))[1:]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def examples(stage):
    """The code of a stage that a reader can run."""
    return re.findall(r"(?ms)^```pycon\n(.*?)^```$", stage)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.splitlines()[0])
def test_every_stage_has_an_example_and_it_gives_what_the_page_says(stage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where an example writes files
    (code,) = examples(stage)
    title = stage.splitlines()[0]
    said = []
    test = doctest.DocTestParser().get_doctest(code, {}, title, str(PAGE), None)
    outcome = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append)
    assert outcome.attempted > 1
    assert not outcome.failed, "".join(said)
