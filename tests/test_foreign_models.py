"""Pages whose first cell names another model: what it lacks is skipped, and said in one line."""

import json
import re
import sys

import pytest
from book_support import skipping
from book_support.skipping import CellGuard, Lacking, Skipped
from book_support.slides import Slides
from book_support.stand_in import Answerer
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from measure_pages import ROOT

from valuegraph.runs import ModelSource

CHAPTERS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
CHAPTERS = [path for path in CHAPTERS if path.name[:3] not in ("00_", "06b", "07_")]
MODEL_LINE = re.compile(r'(?m)^MODEL = "[^"]+"  # or ')


@pytest.fixture
def run():
    """Run cells under the guard; return what was printed, and whether all went well."""
    shell = InteractiveShell()
    shell.ast_transformers.append(CellGuard(shell))
    shell.user_ns |= {"truth": Lacking("no truth is known."), "Slides": Slides}

    def cell(source):
        with capture_output() as captured:
            outcome = shell.run_cell(source)
        return captured.stdout, outcome

    return cell


def test_what_a_cell_lacks_is_said_in_a_line_and_passed_on(run):
    printed, outcome = run("a = 1\nb = truth.edges\na")
    assert printed == "Skipped: no truth is known.\n" and outcome.success
    assert run("a + 1")[0] == run("for _ in b: pass")[0] == printed
    assert run("x = None if truth else 3\nx")[1].result == 3


def test_nothing_is_shown_where_the_project_refuses(run):
    missing = "import valuegraph as vg\nvg.load_truth('none')"
    assert not run(missing)[1].success  # a missing file is a mistake
    refusing = "import pandas as pd\nvg.discover(pd.DataFrame({'a': [1.0, 2.0]}))"
    printed, outcome = run(refusing)
    assert outcome.success and printed.startswith("Skipped: ") and printed.count("\n") == 1


@pytest.mark.parametrize("mistake", ["1 / 0", "nobody", "int('x')", "{}['k']"])
def test_mistakes_stay_mistakes(run, mistake):
    assert not run(mistake)[1].success
    assert run(f"glue = print\nglue({mistake})")[1].success  # numbers for a text about organisms


def test_slides_are_drawn_in_time_to_be_skipped(run):
    slides = "Slides(lambda n: truth.draw(), {'n': [1, 2]}, title='t')"
    assert run(slides)[0] == "Skipped: no truth is known.\n"


@pytest.mark.parametrize(
    "use", ["x + 1", "1 + x", "{1} & x", "x[0]", "len(x)", "f'{x:.1f}'", "x.a", "x()"]
)
def test_any_use_of_what_is_lacking_is_refused(use):
    x = Lacking("gone")
    with pytest.raises(Skipped, match="gone"):
        eval(use, {"x": x})
    assert not x and str(x) == "gone" and repr(x) == "<gone>"


def test_a_model_gets_a_share_of_what_an_organism_gets(tmp_path):
    other = Answerer("m", ModelSource(tmp_path / "m"), None, share=0.1)
    assert [other.few(300), other.few(300, 50), other.few(3)] == [30, 50, 2]
    assert repr(other.truth) == "<no planted truth is known of m.>" and not other.is_organism
    organism = Answerer("o", ModelSource("organism-human"), None)
    assert organism.few(300) == 300 and organism.truth.edges and organism.sae == "organism-human"
    plain = Answerer("o", ModelSource("organism-plain"), None)
    assert plain.sae is None and "no sparse autoencoder" in repr(plain.load_sae())


def test_outside_a_notebook_nothing_is_guarded(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", None)
    skipping.guard_cells(on=True)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_one_line_of_a_chapter_names_its_model(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    assert len([source for source in code if MODEL_LINE.search(source)]) == 1
    text = "\n".join(code)
    # Other organisms are named where a page is about them; simulated rows say so.
    loads = re.findall(r'(?:load_model|load_sae|examine|load_check)\("organism-human"', text)
    truths = re.findall(r'load_truth\("organism-human"\)(.*)', text)
    assert loads == [] and len(truths) <= (path.stem[:3] in ("02_", "03_"))
