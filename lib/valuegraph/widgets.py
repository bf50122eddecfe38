"""Sliders over pictures, with two faces: for a running notebook, and for a page without a kernel.

Live, the sliders are those of ipywidgets, and a picture is drawn when it is asked for. On a built
page there is no one to draw: all pictures lie in it beforehand, and plain sliders of the browser
show one at a time. That page needs no network, no file beside it and no script but one line in each
slider, works from the keyboard, and is readable on a dark page.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ipywidgets

MOST_FRAMES = 150
"""A page that holds more pictures than these would load slowly."""

# A white card, also on a dark page: pictures of matplotlib are drawn for white.
_CARD = (
    "background:#fff;color:#222;color-scheme:light;border:1px solid #ccc;border-radius:6px;"
    "padding:0.8em 1em;margin:0.5em 0;font-family:Helvetica,Arial,sans-serif;font-size:0.9rem"
)
# All pictures lie in one cell of a grid, so that the card keeps its size when another one shows.
_FRAME = "grid-area:1/1;min-width:0;text-align:center;visibility:"
# Runs in the slider that was moved. No ids and nothing global: a page may hold any number of them.
_MOVED = (
    "var b=this.closest('.vg-slides'),at=[];"
    "b.querySelectorAll('input').forEach(function(i){"
    "var s=JSON.parse(i.dataset.said)[i.value];at.push(i.value);"
    "i.setAttribute('aria-valuetext',s);i.nextElementSibling.textContent=s});"
    "b.querySelectorAll('.vg-frame').forEach(function(f){"
    "var on=f.dataset.at===at.join(' ');f.style.visibility=on?'visible':'hidden';"
    "if(on)b.querySelector('.vg-words').textContent=f.dataset.words})"
)


@dataclass(frozen=True, eq=False, repr=False)
class Slides:
    """Pictures that one or more sliders lead through.

    Attributes
    ----------
    draw
        Takes one value of each slider by name, as in ``draw(n=400, alpha=0.01)``, and returns a
        picture: whatever draws itself as SVG, as graphs do, or a matplotlib figure. It may return
        a pair ``(picture, words)`` instead; the words stand under the picture. Figures of
        matplotlib need them, for those who cannot see the picture.
    steps
        Values of each slider, at least two, by the name that stands beside it.
    title
        What the pictures show.
    start
        Where the sliders stand at first, by name; by default at their first values.

    Raises
    ------
    ValueError
        If there is no slider, one has fewer than two values or a value twice, or it cannot start
        where it should.
    """

    draw: Callable[..., object]
    steps: Mapping[str, Sequence[object]]
    title: str = field(kw_only=True)
    start: Mapping[str, object] = field(default_factory=dict, kw_only=True)
    _drawn: dict[tuple, tuple[str, str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("slides need a slider; give steps, like {'n': (100, 200, 400)}")
        steps = {name: tuple(values) for name, values in self.steps.items()}
        for name, values in steps.items():
            if len(values) < 2:
                raise ValueError(f"slider {name!r} has the values {values}; give two or more")
            if len({words_of(value) for value in values}) < len(values):
                raise ValueError(f"slider {name!r} has a value twice: {values}")
        for name, value in self.start.items():
            if name not in steps:
                raise ValueError(f"start names {name!r}; the sliders are {', '.join(steps)}")
            if value not in steps[name]:
                raise ValueError(
                    f"slider {name!r} cannot start at {value!r}; it has the values {steps[name]}"
                )
        start = {name: self.start.get(name, values[0]) for name, values in steps.items()}
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "start", start)

    def show(self) -> Slides | ipywidgets.VBox:
        """Return what a cell should display: live sliders where someone is there to move them.

        That is so where the cell was run from Jupyter, VS Code or Colab, and not where a notebook
        is run as a whole, as the build of a book does. If in doubt, the static page is returned; it
        works everywhere.
        """
        return self.live() if in_live_notebook() else self

    def live(self) -> ipywidgets.VBox:
        """Return sliders of ipywidgets, for a running notebook.

        A picture is drawn when it is asked for, and kept.
        """
        from ipywidgets import HTML, SelectionSlider, VBox

        controls = {
            name: SelectionSlider(
                options=[(words_of(value), value) for value in values],
                value=self.start[name],
                description=name,
                continuous_update=False,
            )
            for name, values in self.steps.items()
        }
        picture = HTML()

        def redraw(_: object = None) -> None:
            svg, words = self._frame(tuple(control.value for control in controls.values()))
            picture.value = f'<div style="{_CARD}">{svg}<p>{escape(words)}</p></div>'

        for control in controls.values():
            control.observe(redraw, names="value")
        redraw()
        return VBox([HTML(f"<b>{escape(self.title)}</b>"), *controls.values(), picture])

    def _repr_html_(self) -> str:
        """Return the static page: every picture, and plain sliders that show one at a time."""
        total = math.prod(map(len, self.steps.values()))
        if total > MOST_FRAMES:
            raise ValueError(
                f"{total} pictures are too many for a page (at most {MOST_FRAMES}); give the "
                f"sliders fewer values, or call live() in a running notebook"
            )
        drawn = list(self._frames())
        # Ids must differ between pictures and pages, yet not change from build to build.
        content = "".join([self.title, *(svg + words for _, _, svg, words in drawn)])
        key = "vs" + hashlib.sha256(content.encode()).hexdigest()[:8]
        frames, shown_words = [], ""
        for number, (at, is_start, svg, words) in enumerate(drawn):
            frames.append(
                f'<div class="vg-frame" data-at="{at}" data-words="{escape(words)}" '
                f'style="{_FRAME}{"visible" if is_start else "hidden"}">'
                f"{with_own_ids(svg, f'{key}-{number}-')}</div>\n"
            )
            shown_words = words if is_start else shown_words
        sliders = "\n".join(map(self._slider, self.steps))
        title = escape(self.title)
        return (
            f'<div class="vg-slides" role="group" aria-label="{title}" style="{_CARD}">\n'
            f'<p style="margin:0 0 0.4em;font-weight:bold">{title}</p>\n{sliders}\n'
            f'<div style="display:grid">\n{"".join(frames)}</div>\n'
            '<p class="vg-words" role="status" style="margin:0.4em 0 0;text-align:center">'
            f"{escape(shown_words)}</p>\n</div>"
        )

    def __repr__(self) -> str:
        sliders = "; ".join(
            f"{name}: {', '.join(map(words_of, values))}" for name, values in self.steps.items()
        )
        return f"<Slides {self.title!r}; {sliders}>"

    def _slider(self, name: str) -> str:
        """Return one plain slider with its label."""
        said = [words_of(value) for value in self.steps[name]]
        at = self.steps[name].index(self.start[name])
        return (
            '<label style="display:flex;align-items:center;gap:0.6em;margin:0.2em 0">'
            f'<span style="min-width:6em">{escape(name)}</span>'
            f'<input type="range" min="0" max="{len(said) - 1}" step="1" value="{at}" '
            f'autocomplete="off" data-said="{escape(json.dumps(said))}" '
            f'aria-label="{escape(name)}" aria-valuetext="{escape(said[at])}" '
            f'oninput="{_MOVED}" style="flex:1;max-width:22em">'
            f'<span aria-hidden="true" style="min-width:5em">{escape(said[at])}</span></label>'
        )

    def _frames(self) -> Iterator[tuple[str, bool, str, str]]:
        """Yield where the sliders stand, whether that is the start, and the picture's parts."""
        start = tuple(self.start.values())
        places = product(*(range(len(values)) for values in self.steps.values()))
        for place in places:
            at = tuple(values[k] for values, k in zip(self.steps.values(), place, strict=True))
            yield " ".join(map(str, place)), at == start, *self._frame(at)

    def _frame(self, at: tuple) -> tuple[str, str]:
        """Return SVG and words of one picture, drawn at most once."""
        if at not in self._drawn:
            said = dict(zip(self.steps, at, strict=True))
            drawn = self.draw(**said)
            picture, words = drawn if isinstance(drawn, tuple) else (drawn, "")
            self._drawn[at] = (svg_of(picture, words), words)
        return self._drawn[at]


def in_live_notebook() -> bool:
    """Return whether the running cell was sent by a program in which a person sees its output.

    Jupyter and VS Code send the cell's id along with its code; Colab loads a package of its own.
    What runs a whole notebook, such as the build of a book, does neither.
    """
    if "google.colab" in sys.modules:
        return True
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    message = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return bool((message or {}).get("metadata", {}).get("cellId"))


def svg_of(picture: object, words: str = "") -> str:
    """Return a picture as SVG that can stand inside a page.

    Parameters
    ----------
    picture
        Whatever draws itself as SVG, or a matplotlib figure.
    words
        What a figure shows; other pictures describe themselves.

    Raises
    ------
    TypeError
        If the picture is neither.
    ValueError
        If a figure comes without words.
    """
    if hasattr(picture, "_repr_svg_"):
        svg = picture._repr_svg_()
    elif hasattr(picture, "savefig"):
        if not words.strip():
            raise ValueError(
                "a matplotlib figure says nothing to those who cannot see it; return a pair of "
                "the figure and a sentence that says what it shows"
            )
        svg = _figure_svg(picture, words)
    else:
        raise TypeError(
            f"a picture must draw itself as SVG or be a matplotlib figure, got "
            f"{type(picture).__name__}"
        )
    return svg.replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)


def with_own_ids(svg: str, prefix: str) -> str:
    """Return SVG with a prefix before every id and every mention of one."""
    svg = re.sub(r'(?<![\w-])id="', f'id="{prefix}', svg)
    svg = re.sub(r'href="#', f'href="#{prefix}', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}", svg)
    return re.sub(
        r'(aria-(?:labelled|described)by)="([^"]+)"',
        lambda match: f'{match[1]}="{" ".join(prefix + name for name in match[2].split())}"',
        svg,
    )


def words_of(value: object) -> str:
    """Return a slider's value as text: ``2,000``, ``0.05``, or what it prints as."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _figure_svg(figure: object, words: str) -> str:
    """Return a matplotlib figure as SVG that changes nothing outside itself."""
    from matplotlib import rc_context

    file = io.StringIO()
    # Fixed ids: the same figure is the same text in every build. Text stays text.
    with rc_context({"svg.hashsalt": "valuegraph", "svg.fonttype": "none"}):
        figure.savefig(file, format="svg")
    svg = file.getvalue()
    svg = svg[svg.index("<svg ") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    # Its style sheet would hold for the whole page; said of the root, it holds for the figure.
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, flags=re.S)
    label = f'role="img" aria-label="{escape(words)}" stroke-linejoin="round" '
    return svg.replace("<svg ", f"<svg {label}", 1)
