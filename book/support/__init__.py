"""What serves the pages alone: quoted numbers, sliders, exercises, a stand-in for a model.

Imported in a notebook, it lets figures be shown as SVG.
"""

from importlib import import_module

from book_support.aims import target_and_collateral
from book_support.console import steering_console
from book_support.exercises import check
from book_support.figures import show_as_svg
from book_support.glue import glue
from book_support.graph_pair import plot_graph_comparison
from book_support.plan_builder import draw_way, plan_builder
from book_support.slides import Slides

# Loaded when first used: they need torch.
_HOMES = {"gpu_table": "gpus", "this_gpu": "gpus", "respondent_or_organism": "stand_in"}
_HOMES |= {"load_answerer": "stand_in"}
__all__ = ["Slides", "check", "draw_way", "glue", "plan_builder", "plot_graph_comparison"]
__all__ += ["steering_console", "target_and_collateral", *_HOMES]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


show_as_svg()
