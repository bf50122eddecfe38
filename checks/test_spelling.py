"""The spelling of the prose: pages, slides, README. Hunspell's British dictionary, our words.

`words.txt` beside this file holds what the dictionary lacks: names, terms of the field. A word that
is code stands in backticks and is not looked at.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import book_prose
import pytest

WORDS = Path(__file__).with_name("words.txt")
PAGES = [*book_prose.pages(), *book_prose.slides()]


@pytest.fixture(scope="module")
def hunspell() -> list[str]:
    program = shutil.which("hunspell")
    if program is None:
        pytest.skip("no program `hunspell`: apt-get install hunspell hunspell-en-gb")
    command = [program, "-d", "en_GB", "-i", "utf-8", "-l", "-p", str(WORDS)]
    known = subprocess.run(command, input="house", capture_output=True, text=True, check=False)
    if known.returncode or known.stdout.strip():
        pytest.skip("hunspell has no British dictionary: apt-get install hunspell-en-gb")
    return command


def misspelt(hunspell: list[str], text: str) -> set[str]:
    """Words of three letters or more that neither the dictionary nor our list knows."""
    # A name is listed once, not with every ending.
    words = {word.removesuffix("'s").removesuffix("'") for word in book_prose.words(text)}
    given = "\n".join(sorted(words))
    done = subprocess.run(hunspell, input=given, capture_output=True, text=True, check=True)
    return {word for word in done.stdout.split() if len(word) > 2}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_word_is_known(hunspell, path):
    assert sorted(misspelt(hunspell, book_prose.text_of(path))) == []


def test_a_wrong_word_would_be_found(hunspell):
    text = book_prose.prose("The hous stands, `huose` is code. Schwartz's hosue.")
    assert misspelt(hunspell, text) == {"hous", "hosue"}


def test_the_word_list_is_sorted_and_needed():
    listed = WORDS.read_text(encoding="utf-8").split()
    assert listed == sorted(set(listed), key=lambda word: (word.lower(), word))
    text = " ".join(map(book_prose.text_of, PAGES))
    assert [word for word in listed if word not in text] == []
