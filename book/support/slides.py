"""Controls over pictures: live in a running notebook, and from disk on a page without a kernel.

A number has a slider, a name a list to choose from. On a built page all pictures lie in it
beforehand, and plain controls of the browser show one at a time: without network, other files or
scripts but one line in each control.
"""

import hashlib
import io
import json
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import product

from ipywidgets import HTML, Dropdown, SelectionSlider, VBox
from matplotlib import rc_context

from valuegraph.style import names_of

MOST_FRAMES = 150  # a page with more pictures would load slowly
# A white card, also on a dark page: pictures of matplotlib are drawn for white.
_CARD = """background:#fff;color:#222;color-scheme:light;border:1px solid #ccc;border-radius:6px;\
padding:0.8em 1em;margin:0.5em 0;font-family:Helvetica,Arial,sans-serif;font-size:0.9rem"""
# All pictures lie in one cell of a grid, so that the card keeps its size when another one shows.
_FRAME = "grid-area:1/1;min-width:0;text-align:center;visibility:"
# Runs in the control that was moved. No ids and nothing global: a page may hold any number of them.
_MOVED = """var b=this.closest('.vg-slides'),at=[];\
b.querySelectorAll('input,select').forEach(function(i){at.push(i.value);\
if(!i.dataset.steps)return;var s=JSON.parse(i.dataset.steps)[i.value];\
i.setAttribute('aria-valuetext',s);i.nextElementSibling.textContent=s});\
b.querySelectorAll('.vg-frame').forEach(function(f){\
var on=f.dataset.at===at.join(' ');f.style.visibility=on?'visible':'hidden';\
if(on)b.querySelector('.vg-words').textContent=f.dataset.words})"""


@dataclass(frozen=True, eq=False)
class Slides:
    """Pictures that one or more controls lead through.

    `draw` takes a value of each control by name, as in ``draw(n=400, alpha=0.01)``, and returns a
    picture (what draws itself as SVG, or a matplotlib figure), or a pair of it and the words under
    it, which figures need. `steps` are the values of each control, `start` where some stand first.
    """

    draw: Callable[..., object] = field(repr=False)
    steps: Mapping[str, Sequence[object]]
    title: str = field(kw_only=True)
    start: Mapping[str, object] = field(default_factory=dict, kw_only=True)
    _drawn: dict[tuple, tuple[str, str]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for name, values in self.steps.items():
            if len(values) < 2 or len({words_of(value) for value in values}) < len(values):
                raise ValueError(f"control {name!r} needs two values or more, once each: {values}")
        for name, value in self.start.items():
            if value not in self.steps.get(name, ()):
                raise ValueError(f"there is no control {name!r} that could start at {value!r}")

    @property
    def _start(self) -> tuple:
        return tuple(self.start.get(name, values[0]) for name, values in self.steps.items())

    def show(self) -> "Slides | VBox":
        """Return live controls where someone is there to move them, else the static page."""
        return self.live() if in_live_notebook() else self

    def live(self) -> VBox:
        """Return controls of ipywidgets: a picture is drawn when it is wanted, and kept."""
        controls = []
        for (name, values), value in zip(self.steps.items(), self._start, strict=True):
            options = [(words_of(each), each) for each in values]
            look = {"value": value, "description": name, "options": options}
            if are_numbers(values):
                controls.append(SelectionSlider(continuous_update=False, **look))
            else:
                controls.append(Dropdown(**look))
        picture = HTML()

        def redraw(_: object = None) -> None:
            svg, words = self._frame(tuple(control.value for control in controls))
            picture.value = f'<div style="{_CARD}">{svg}<p>{escape(words)}</p></div>'

        for control in controls:
            control.observe(redraw, names="value")
        redraw()
        return VBox([HTML(f"<b>{escape(self.title)}</b>"), *controls, picture])

    def _repr_html_(self) -> str:
        """Return the static page."""
        total = math.prod(map(len, self.steps.values()))
        if total > MOST_FRAMES:
            raise ValueError(f"{total} pictures are too many for a page; at most {MOST_FRAMES}")
        places = list(product(*(range(len(values)) for values in self.steps.values())))
        drawn = [self._frame(at) for at in product(*self.steps.values())]
        first = [
            values.index(v) for values, v in zip(self.steps.values(), self._start, strict=True)
        ]
        # Ids must differ between pictures and pages, yet not change from build to build.
        key = hashlib.sha256(repr((self.title, drawn)).encode()).hexdigest()[:8]
        frames = "".join(
            f'<div class="vg-frame" data-at="{" ".join(map(str, place))}" '
            f'data-words="{escape(words)}" '
            f'style="{_FRAME}{"visible" if place == tuple(first) else "hidden"}">'
            f"{with_own_ids(svg, f'vs{key}-{number}-')}</div>\n"
            for number, (place, (svg, words)) in enumerate(zip(places, drawn, strict=True))
        )
        controls = "\n".join(map(_control, self.steps, self.steps.values(), first))
        title, words = escape(self.title), escape(self._frame(self._start)[1])
        return (
            f'<div class="vg-slides" role="group" aria-label="{title}" style="{_CARD}">\n'
            f'<p style="margin:0 0 0.4em;font-weight:bold">{title}</p>\n{controls}\n'
            f'<div style="display:grid">\n{frames}</div>\n'
            '<p class="vg-words" role="status" style="margin:0.4em 0 0;text-align:center">'
            f"{words}</p>\n</div>"
        )

    def _frame(self, at: tuple) -> tuple[str, str]:
        """Return SVG and words of one picture, drawn at most once."""
        if at not in self._drawn:
            drawn = self.draw(**dict(zip(self.steps, at, strict=True)))
            picture, words = drawn if isinstance(drawn, tuple) else (drawn, "")
            self._drawn[at] = (svg_of(picture, words), words)
        return self._drawn[at]


def are_numbers(values: Sequence[object]) -> bool:
    """Return whether values have an order and a distance, so that one can slide along them."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _control(name: str, values: Sequence[object], at: int) -> str:
    """Return one plain control of the browser with its label."""
    texts = [words_of(value) for value in values]
    how = f'autocomplete="off" aria-label="{escape(name)}"'
    if are_numbers(values):
        control = (
            f'<input type="range" min="0" max="{len(texts) - 1}" step="1" value="{at}" {how} '
            f'data-steps="{escape(json.dumps(texts))}" aria-valuetext="{escape(texts[at])}" '
            f'oninput="{_MOVED}" style="flex:1;max-width:22em">'
            f'<span aria-hidden="true" style="min-width:5em">{escape(texts[at])}</span>'
        )
    else:
        options = "".join(
            f'<option value="{k}"{" selected" * (k == at)}>{escape(text)}</option>'
            for k, text in enumerate(texts)
        )
        control = f'<select {how} onchange="{_MOVED}">{options}</select>'
    return (
        '<label style="display:flex;align-items:center;gap:0.6em;margin:0.2em 0">'
        f'<span style="min-width:6em">{escape(name)}</span>{control}</label>'
    )


def running_shell():
    """Return the shell of IPython that runs the cells; None elsewhere."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def in_live_notebook() -> bool:
    """Return whether a person sees the output: Jupyter sends a cell's id, Colab has a package."""
    shell = running_shell()
    message = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return "google.colab" in sys.modules or bool((message or {}).get("metadata", {}).get("cellId"))


def svg_of(picture: object, words: str = "") -> str:
    """Return what draws itself as SVG, or a matplotlib figure with words, as SVG for a page."""
    if hasattr(picture, "_repr_svg_"):
        svg = picture._repr_svg_()
    elif not hasattr(picture, "savefig"):
        raise TypeError(f"a picture is a graph or a figure, got {type(picture).__name__}")
    elif not words.strip():
        raise ValueError("return a figure with a sentence for those who cannot see it")
    else:
        file = io.StringIO()
        # Fixed ids: the same figure is the same text in every build. Text stays text.
        with rc_context({"svg.hashsalt": "valuegraph", "svg.fonttype": "none"}):
            picture.savefig(file, format="svg")
        # A style sheet would hold for the whole page; on the root it holds for the figure alone.
        svg = re.sub(r"<(metadata|style)[^>]*>.*?</\1>", "", file.getvalue(), flags=re.DOTALL)
        label = f'<svg role="img" aria-label="{escape(words)}" stroke-linejoin="round" '
        svg = svg[svg.index("<svg ") :].replace("<svg ", label, 1)
    return svg.replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)


def with_own_ids(svg: str, prefix: str) -> str:
    """Return SVG with a prefix before every id and every mention of one."""
    svg = re.sub(r'(?<![\w-])id="|href="#|url\(#', lambda mention: mention[0] + prefix, svg)
    return re.sub(
        r'(?<=aria-)(labelled|described)by="([^"]+)"',
        lambda match: f'{match[1]}by="{" ".join(prefix + name for name in match[2].split())}"',
        svg,
    )


def words_of(value: object) -> str:
    """Return what a control offers as text: ``2,000``, ``0.05``, the name of a value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return names_of([str(value)])[0]
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
