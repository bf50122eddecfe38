"""The course: each session has all its parts, and slides and bundles come out whole."""

import json
import re
import zipfile
from types import SimpleNamespace

import make_course
import pytest
from book_prose import slides
from make_course import COURSE, IMAGE, figures, parted
from measure_pages import ROOT, pages, words
from plain_markdown import Page

SESSIONS = sorted((ROOT / COURSE).glob("session_*.md"))
DECKS = slides()
EACH = pytest.mark.parametrize("page", SESSIONS, ids=lambda path: path.stem)
EACH_DECK = pytest.mark.parametrize("path", DECKS, ids=lambda path: path.stem)

SECTIONS = ["## Objectives, and how each is assessed", "## Plan", "## Quiz", "## Discussion"]
SECTIONS += ["## What students get wrong"]
QUESTION = re.compile(
    r"(?ms)^\*\*(\d+)\.\*\* (?:(?!^\*\*\d).)*?^:::\{dropdown\} Answer to (\d+)\n(.+?)^:::$"
)
GOOD = re.compile(
    r"(?ms)^\*\*(\d+)\.\*\* (?:(?!^\*\*\d).)*?^:::\{dropdown\} What a good answer holds\n.+?^:::$"
)


def read(path):
    return path.read_text(encoding="utf-8")


def section(page, heading):
    """What stands below a heading, up to the next."""
    return read(page).split(f"{heading}\n")[1].split("\n## ")[0]


def test_there_are_six_sessions_each_with_slides():
    assert [page.stem for page in SESSIONS] == [f"session_{n}" for n in range(1, 7)]
    assert [path.name for path in DECKS] == [page.name for page in SESSIONS]
    listed = read(ROOT / COURSE / "index.md")
    assert all(f"({page.stem})" in listed for page in SESSIONS)


@EACH
def test_a_session_has_its_sections_in_order(page):
    headings = re.findall(r"(?m)^## .*$", read(page))
    assert headings == SECTIONS
    assert section(page, SECTIONS[-1]).count('\n- *"') >= 3


@EACH
def test_the_minutes_of_a_session_add_up(page):
    rows = re.findall(r"(?m)^\| (\d+)-(\d+) \|", section(page, "## Plan"))
    starts, ends = zip(*[(int(a), int(b)) for a, b in rows], strict=True)
    assert (0, *ends) == (*starts, 90)
    assert list(ends) == sorted(set(ends))


@EACH
def test_a_quiz_has_five_questions_with_answers(page):
    quiz = section(page, "## Quiz")
    found = [(m[1], m[2]) for m in QUESTION.finditer(quiz)]
    assert found == [(str(n), str(n)) for n in range(1, 6)]
    for question in QUESTION.finditer(quiz):
        options = re.findall(r"(?m)^- ([a-d])\) ", question[0])
        assert options == ["a", "b", "c"]
        assert re.match(r"[abc]\. \S", question[3]), question[3]
    letters = [question[3][0] for question in QUESTION.finditer(quiz)]
    assert len(set(letters)) == 3  # not always the same letter
    assert "Answer" not in make_course.questions(read(page))


@EACH
def test_each_objective_is_assessed_and_each_question_serves_one(page):
    rows = re.findall(r"(?m)^\| (.+) \| (.+) \|$", section(page, SECTIONS[0]))[1:]
    assert len(rows) >= 4 and all(how.strip() for _, how in rows)
    asked = re.findall(r"questions? ((?:\d|, | and )+)", " ".join(how for _, how in rows))
    assert set(re.findall(r"\d", " ".join(asked))) == set("12345")


@EACH
def test_each_question_for_discussion_says_what_a_good_answer_holds(page):
    found = [m[1] for m in GOOD.finditer(section(page, "## Discussion"))]
    assert found == ["1", "2", "3"]


def test_every_exercise_that_the_course_names_exists():
    labels = {label for p in pages() for label in re.findall(r"(?m)^:label: (\S+)", words(p))}
    prefixes = {label.partition("-")[0] for label in labels}
    named = {
        (path.name, label)
        for path in [*(ROOT / COURSE).glob("*.md"), *DECKS, ROOT / "book" / "teaching.md"]
        for label in re.findall(r"`([a-z]+-[a-z]+)`", read(path))
        if label.partition("-")[0] in prefixes
    }
    assert len(named) > 10
    assert {(name, label) for name, label in named if label not in labels} == set()


def test_the_self_test_has_twenty_questions_with_answers():
    found = [(m[1], m[2]) for m in QUESTION.finditer(read(ROOT / COURSE / "self_test.md"))]
    assert found == [(str(n), str(n)) for n in range(1, 21)]


def test_there_are_five_projects_and_a_rubric():
    text = read(ROOT / COURSE / "projects.md")
    briefs = re.findall(r"(?ms)^## (\d)\. .*?(?=^## |^\()", text)
    assert briefs == list("12345")
    for brief in re.findall(r"(?ms)^## \d\. .*?(?=^## |^\()", text):
        parts = re.findall(r"(?m)^\*\*(.+?)\*\*", brief)
        assert parts == ["Begin.", "Do.", "A good project", "Beware"]
    rubric = text.split("## Rubric")[1]
    rows = {row for row in re.findall(r"(?m)^\| ([A-Z]\w+)[^|]* \|", rubric)}
    doubled = re.findall(r"(?m)^\| \d [^|]+\| (\w+), (\w+) \|$", rubric)
    assert len(doubled) == 5 and {name for pair in doubled for name in pair} <= rows


# ---------------------------------------------------------------- slides


@EACH_DECK
def test_every_slide_has_notes_a_heading_and_one_vote_is_taken(path):
    each = parted(read(path))
    assert 12 <= len(each) <= 16
    assert [slide.body for slide in each if not slide.notes] == []
    assert [slide.body for slide in each if not re.match(r"##? \S", slide.body)] == []
    assert sum("> **Vote.**" in slide.body for slide in each) == 1


@EACH_DECK
def test_every_picture_exists_and_is_told_in_words(path):
    for said, name in IMAGE.findall(read(path)):
        if "/" in name:
            assert (path.parent / name).is_file() and said
        else:
            assert name in figures(), name
            assert figures()[name].alt and not said


@EACH_DECK
def test_slides_come_out_whole(path):
    files = {name: "x.png" for _, name in IMAGE.findall(read(path))}
    source = path.relative_to(ROOT)
    made = {
        notes: make_course.deck(source, files, None, notes=notes, root=ROOT)
        for notes in (False, True)
    }
    n = len(parted(read(path)))
    assert made[True].count("<section>") == made[False].count("<section>") == n
    assert made[True].count('<aside class="notes">') == n and "<aside" not in made[False]
    for text in made.values():
        assert not re.search(r"\{glue|\(fig-|:::", text)
        assert all(re.findall(r'<img src="[^"]+" alt="([^"]*)"', text))
        assert not re.search(r'(?:src|href)="(?:https?:)?//', text)


def test_slides_are_parted_and_notes_kept_apart():
    (one, two) = parted("# A\n\n- b\n\nNote:\nSay c.\n---\n## D\n")
    assert (one.body, one.notes, two.body, two.notes) == ("# A\n\n- b", "Say c.", "## D", "")


# ---------------------------------------------------------------- bundles


@pytest.fixture
def bundles(tmp_path, monkeypatch):
    """Both bundles, with a drawing in place of every figure and one notebook as edition."""
    drawn = SimpleNamespace(outputs=[SimpleNamespace(data={"image/svg+xml": "<svg/>"})])
    drawn.outputs[0].get = {"data": {"image/svg+xml": "<svg/>"}}.get
    monkeypatch.setattr(
        make_course, "results", lambda *_: {f.cell: drawn for f in figures().values()}
    )
    monkeypatch.setattr(make_course, "EDITIONS", tmp_path / "editions")
    monkeypatch.setattr(make_course, "OUT", tmp_path / "course")
    monkeypatch.setattr(make_course, "DIST", tmp_path / "dist")
    monkeypatch.setattr("sys.argv", ["make_course.py"])
    for kind in make_course.KINDS:
        (tmp_path / "editions" / kind).mkdir(parents=True)
        cell = {"cell_type": "markdown", "metadata": {}, "source": "# A chapter"}
        (tmp_path / "editions" / kind / "00.ipynb").write_text(json.dumps({"cells": [cell]}))
    make_course.main()
    return tmp_path


def test_bundles_hold_what_each_side_needs(bundles):
    inside = {
        kind: set(zipfile.ZipFile(bundles / "dist" / f"course-{kind}.zip").namelist())
        for kind in make_course.KINDS
    }
    both = {f"slides/session_{n}.html" for n in range(1, 7)} | {"index.html", "notebooks/00.ipynb"}
    both |= {"reveal/reveal.js", "reveal/LICENSE", "pages/self_test.html", "pages/projects.html"}
    assert all(both <= files for files in inside.values())
    teachers = {f"pages/{kind}_{n}.html" for n in range(1, 7) for kind in ("session", "quiz")}
    assert teachers <= inside["instructor"]
    assert not teachers & inside["student"]


def test_everything_that_a_bundle_points_to_is_in_it(bundles):
    for kind in make_course.KINDS:
        folder = bundles / "course" / kind
        for page in folder.rglob("*.html"):
            text = read(page)
            for target in re.findall(r'(?:src|href)="([^"]+)"', text):
                if not target.startswith("http"):
                    assert (page.parent / target).is_file(), f"{page.name}: {target}"
    assert "Answer to 1" in read(bundles / "course" / "instructor" / "pages" / "session_1.html")
    assert "Answer to" not in read(bundles / "course" / "instructor" / "pages" / "quiz_1.html")


def test_figures_of_another_version_of_a_page_are_not_taken(tmp_path):
    from jupyter_cache import get_cache

    get_cache(tmp_path / "cache").clear_cache()
    with pytest.raises(SystemExit, match="first `make book`"):
        make_course.results(pages()[0], tmp_path / "cache", ROOT)


def test_plain_pages_of_the_course_have_no_directive_left():
    for path in [*SESSIONS, ROOT / COURSE / "index.md", ROOT / COURSE / "projects.md"]:
        plain = Page(path.relative_to(ROOT), None, solved=True).markdown(read(path))
        assert ":::" not in plain and "{glue" not in plain
