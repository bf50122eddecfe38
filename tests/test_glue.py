"""Gluing works with and without the book's tool."""

import importlib
import sys

from valuegraph import glue as module


def test_without_myst_nb_gluing_does_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "myst_nb", None)
    importlib.reload(module)
    assert module.glue("n_edges", 3) is None
    assert module.glue("n_edges", 3, display=False) is None
    monkeypatch.undo()
    importlib.reload(module)
