"""Figures on pages: SVG, sharp at every size; where points are many, painted at 200 dpi."""

import io

from book_support.slides import running_shell
from matplotlib import rc_context
from matplotlib.figure import Figure

MANY = 200  # points of one series; as SVG each takes a hundred bytes


def as_svg(figure: Figure) -> str:
    """Return a figure as SVG, the same text for the same figure; letters are paths."""
    for axes in figure.axes:
        for line in axes.lines:
            line.set_rasterized(len(line.get_xdata(orig=False)) > MANY)
        for dots in axes.collections:
            dots.set_rasterized(len(dots.get_offsets()) > MANY)
    file = io.StringIO()
    with rc_context({"svg.hashsalt": "valuegraph", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", dpi=200, metadata={"Date": None})
    return file.getvalue()


def show_as_svg() -> None:
    """Let notebooks show figures as SVG, beside the PNG that they show anyway."""
    shell = running_shell()
    if shell is not None:
        # For the class above: the inline backend throws out whatever is there for `Figure`.
        shell.display_formatter.formatters["image/svg+xml"].for_type(Figure.__base__, as_svg)
