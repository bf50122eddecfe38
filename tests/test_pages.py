"""Every page runs from top to bottom, and its numbers are those that were kept.

`scripts/freeze_pages.py` keeps them in `tests/frozen/`. A number that changes on purpose is frozen
anew, and the changelog says why.
"""

import json
import math

import freeze_pages
import pytest
from measure_pages import MEASURED, ROOT, pages

_TAKEN = json.loads((ROOT / MEASURED).read_text(encoding="utf-8"))["pages"]
# The longest first, so that no process is left alone with one in the end.
PAGES = sorted(pages(), key=lambda page: -_TAKEN.get(str(page), {"seconds": 0})["seconds"])


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.xdist_group(page.stem)) for page in PAGES],
    ids=lambda page: page.stem,
)
def test_page_runs_and_its_numbers_are_the_frozen_ones(page):
    now = freeze_pages.glued(page)
    kept = json.loads(freeze_pages.frozen_file(page).read_text(encoding="utf-8"))
    assert sorted(now) == sorted(kept)
    assert {name: now[name] for name in kept if not same(now[name], kept[name], name)} == {}


def same(now, kept, name=""):
    """Numbers to three digits, all else to the letter.

    Processors round log-odds differently in the seventh digit, and a change that stands at a
    threshold then counts or not: what is made of shares of changes moves by some thousandths, and
    p-values by some permutations.
    """
    if isinstance(kept, float) and isinstance(now, (int, float)):
        return math.isclose(now, kept, rel_tol=1e-3, abs_tol=0.01 if "p_value" in name else 1.5e-3)
    return now == kept


@pytest.mark.parametrize(
    ("now", "kept", "alike"),
    [
        (1.0000000001, 1.0, True),
        (1.003, 1.0, False),
        (2, 3, False),
        ("outside", "inside", False),
        (float("nan"), 1.0, False),
    ],
)
def test_a_number_that_changed_would_be_noticed(now, kept, alike):
    assert same(now, kept) == alike
