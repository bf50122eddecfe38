"""Every page, opened from disk in a browser without network, in the light and the dark theme."""

from __future__ import annotations

import pytest
from book_extension import LEAST, smallest_letters

PHONE = {"width": 360, "height": 740}
LARGER_PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1920, "height": 1080}
DESK = {"width": 1250, "height": 900}

# Place and words of the frames that can be seen.
SHOWN = (
    "b => [...b.querySelectorAll('.vg-frame')].filter(f => f.style.visibility === 'visible')"
    ".map(f => [f.dataset.at, f.dataset.words])"
)

# On a page with more elements, only a part is checked for contrast and headings.
MANY = 20_000

# Rules of axe-core. Those on roles and definition lists are left out: docutils breaks them.
RULES = [
    "button-name",
    "color-contrast",
    "document-title",
    "empty-heading",
    "heading-order",
    "html-has-lang",
    "image-alt",
    "label",
    "link-name",
    "page-has-heading-one",
    "svg-img-alt",
]


def test_nothing_fails_and_nothing_leaves_the_disk(opened):
    assert opened.troubles == []


def test_the_theme_is_the_one_that_was_asked_for(opened):
    assert opened.tab.evaluate("document.documentElement.dataset.theme") == opened.theme


def test_every_formula_is_drawn(opened):
    undrawn = opened.tab.evaluate(
        "[...document.querySelectorAll('.math')]"
        ".filter(m => !m.querySelector('mjx-container > svg')"
        " || m.querySelector('[data-mml-node=merror]'))"
        ".map(m => m.textContent.trim())"
    )
    assert undrawn == []


def test_every_picture_is_there(opened):
    # What stands in a closed drop-down has no size; opened, it has.
    opened.tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    empty = opened.tab.evaluate(
        "[...document.querySelectorAll('article img, article figure svg, .vg-frame svg')]"
        ".filter(i => i.tagName === 'IMG' ? !i.naturalWidth : !i.getBoundingClientRect().width)"
        ".map(i => i.outerHTML.slice(0, 200))"
    )
    assert empty == []


def test_every_control_changes_the_picture(opened):
    for box in opened.tab.query_selector_all(".vg-slides"):
        for control in box.query_selector_all("input[type=range], select"):
            before = box.evaluate(SHOWN)
            if control.evaluate("c => c.tagName") == "SELECT":
                control.select_option(index=0 if control.evaluate("c => c.selectedIndex") else 1)
            else:
                control.focus()
                at_end = control.evaluate("c => c.value === c.max")
                opened.tab.keyboard.press("ArrowLeft" if at_end else "ArrowRight")
            after = box.evaluate(SHOWN)
            assert len(before) == len(after) == 1
            assert before[0][0] != after[0][0]
            assert box.query_selector(".vg-words").text_content() == after[0][1]


def test_contrast_headings_and_names_are_those_of_wcag(opened):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="`make check-book`")
    opened.tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    # What was folded away is painted first, and then fades in.
    opened.tab.evaluate("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
    opened.tab.evaluate(
        "Promise.race([new Promise(r => setTimeout(r, 3000)),"
        " Promise.all(document.getAnimations().map(each => each.finished.catch(() => 0)))])"
        ".then(() => true)"
    )
    # No preload: it would fetch style sheets, which a page on disk may not.
    only = {"type": "rule", "values": RULES}
    options = {"resultTypes": ["violations"], "runOnly": only, "preload": False}
    # The page of the library repeats the same few patterns a hundred thousand times.
    n_elements = opened.tab.evaluate("document.querySelectorAll('*').length")
    part = "article > section > section:nth-of-type(-n+2)" if n_elements > MANY else None
    found = axe.Axe().run(opened.tab, part, options).response["violations"]
    said = [
        f"{each['id']}: {node['target']} {node['html'][:160]} {node.get('failureSummary', '')}"
        for each in found
        for node in each["nodes"]
    ]
    assert said == []


@pytest.mark.parametrize("size", [PHONE, WIDE], ids=["phone", "wide"])
def test_the_page_is_never_wider_than_the_screen(opened, size):
    opened.tab.set_viewport_size(size)
    width = opened.tab.evaluate("document.scrollingElement.scrollWidth")
    opened.tab.set_viewport_size(DESK)
    assert width <= size["width"]


def test_letters_of_pictures_can_be_read_on_a_telephone(opened):
    opened.tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    opened.tab.set_viewport_size(LARGER_PHONE)
    shown = opened.tab.evaluate(
        "[...document.querySelectorAll('article img')]"
        ".map(i => [i.getAttribute('src'), i.getBoundingClientRect().width])"
    )
    drawn = opened.tab.evaluate(
        "[...document.querySelectorAll('article svg:not(mjx-container *) text')]"
        ".filter(t => t.getBoundingClientRect().width).map(t => [t.textContent,"
        " parseFloat(getComputedStyle(t).fontSize) * Math.abs(t.getScreenCTM().a)])"
    )
    opened.tab.set_viewport_size(DESK)
    assert [src for src, _ in shown if not src.endswith(".svg")] == []
    for src, width in shown:
        share = smallest_letters((opened.path.parent / src).read_text(encoding="utf-8"))
        if share is not None:
            drawn.append((src, share * width))
    assert [(what, px) for what, px in drawn if px < LEAST - 0.05] == []


def test_no_line_of_output_is_longer_than_100_characters(opened):
    lines = opened.tab.evaluate(
        "[...document.querySelectorAll('.cell_output pre')]"
        ".flatMap(p => p.textContent.split('\\n'))"
    )
    assert [line for line in lines if len(line) > 100] == []


def test_on_paper_only_the_text_is_left_and_the_ground_is_white(opened):
    opened.tab.emulate_media(media="print")
    seen = opened.tab.evaluate(
        "['.bd-sidebar-primary', '.bd-sidebar-secondary', '.bd-header-article', '.prev-next-area',"
        " '.copybtn'].filter(s => [...document.querySelectorAll(s)]"
        ".some(e => e.getBoundingClientRect().height > 0))"
    )
    ground = opened.tab.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = opened.tab.evaluate("getComputedStyle(document.querySelector('article p')).color")
    opened.tab.emulate_media(media="screen")
    assert seen == []
    assert ground in {"rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"}
    assert all(int(part) < 90 for part in ink[4:-1].split(","))


def test_the_search_finds_a_page_from_disk(browser, html):
    context = browser.new_context(offline=True)
    tab = context.new_page()
    tab.goto(f"{(html / 'search.html').as_uri()}?q=faithfulness")
    tab.wait_for_selector("#search-results li a", timeout=60_000)
    found = tab.eval_on_selector_all("#search-results li a", "links => links.map(a => a.href)")
    context.close()
    assert any("02_discovering_graphs" in address for address in found)
