"""Gluing works with and without the book's tool."""

import sys
from types import SimpleNamespace

import numpy as np

from valuegraph.glue import glue


def test_without_myst_nb_gluing_does_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "myst_nb", None)
    assert glue("n_edges", 3) is None


def test_numbers_of_numpy_are_kept_as_ones_that_can_be_formatted(monkeypatch):
    kept = {}

    def keep(name, value, display):
        kept[name] = (value, display)

    monkeypatch.setitem(sys.modules, "myst_nb", SimpleNamespace(glue=keep))
    glue("share", np.float64(0.25), display=False)
    glue("text", "1,000")
    assert kept == {"share": (0.25, False), "text": ("1,000", True)}
    assert repr(kept["share"][0]) == "0.25"
